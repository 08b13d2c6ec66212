"""Files for people: written when they say something new, set aside where they are out, never doubled."""

from __future__ import annotations

import datetime as dt
import io
from collections.abc import Iterator
from pathlib import Path

import duckdb
import openpyxl
import pytest

from kodomo_assets.catalogue import load_catalogue
from kodomo_assets.office.written import Export, was_saved_since, without_clock
from kodomo_assets.settings import Settings
from kodomo_assets.store.exports import export
from kodomo_assets_tests.defs.conftest import DAY
from kodomo_assets_tests.template import create_tables

R, LATER = dt.date(2025, 4, 1), dt.date(2025, 9, 1)
NAME = "個人票_南小学校.xlsx"


class Outbox:
    """What is written for one school, and what is there then."""

    def __init__(self, root: Path) -> None:
        catalogue = load_catalogue()
        settings = Settings.from_environment({"KODOMO_DATA_DIR": str(root)})
        self.log, self.ranking = (catalogue.output(name) for name in ("review.exports", "screening.ranking"))
        self.outbox = settings.outbox
        self.said: list[str] = []
        self.con = duckdb.connect()
        create_tables(self.con, catalogue)
        self.folder = settings.outbox / R.isoformat()

    def write(self, children: str | None, content: bytes, version: str = "2025-04-01.1") -> int:
        made = [Export("個人票", NAME, lambda: content, 1, children)] if children else []
        return self.export(version, made, "個人票_")

    def export(self, version: str, made: list[Export], *kinds: str, stopped: frozenset[str] = frozenset()) -> int:
        return export(self.con, self.log, self.outbox, R, version, kinds, made, self.said.append, stopped)

    def files(self) -> dict[str, bytes]:
        return {path.name: path.read_bytes() for path in sorted(self.folder.iterdir()) if path.is_file()}

    def logged(self) -> int:
        row = self.con.execute("select count(*) from review.exports").fetchone()
        return row[0] if row else 0

    def a_later_date_has_its_list(self) -> None:
        columns = {column.name: column.type for column in self.ranking.columns}
        self.con.execute("create or replace table screening.ranking as from screening.ranking limit 0")
        listed = ", ".join(f'null::{kind} as "{name}"' for name, kind in columns.items() if name != "reference_date")
        self.con.execute(f"insert into screening.ranking by name select date '{LATER}' as reference_date, {listed}")


@pytest.fixture
def outbox(tmp_path: Path) -> Iterator[Outbox]:
    made = Outbox(tmp_path)
    yield made
    made.con.close()


def test_the_same_children_are_not_written_again_whatever_the_version(outbox):
    assert outbox.write("a", b"version 1") == 1
    assert outbox.write("a", b"version 2", version="2025-04-01.2") == 0
    outbox.a_later_date_has_its_list()
    assert outbox.write("a", b"version 3", version="2025-04-01.3") == 0
    assert outbox.files() == {NAME: b"version 1"}


def test_the_content_of_a_file_that_stays_is_not_even_made(outbox):
    outbox.write("a", b"version 1")

    def make() -> bytes:
        raise AssertionError("made for nothing")

    assert outbox.export("2025-04-01.2", [Export("個人票", NAME, make, 1, "a")], "個人票_") == 0


def test_before_the_meeting_a_corrected_list_replaces_the_file(outbox):
    outbox.write("a", b"a")
    assert outbox.write("b", b"b") == 1
    assert outbox.files() == {NAME: b"b"}
    outbox.write(None, b"")
    assert outbox.files() == {}
    # the log says once that no child is told of by it any more
    outbox.write(None, b"")
    assert outbox.con.execute(
        "select children, sha256 is null from review.exports order by exported_at"
    ).fetchall() == [
        (1, False),
        (1, False),
        (0, True),
    ]
    assert outbox.write("b", b"b") == 1
    assert outbox.logged() == 4


def test_of_an_old_date_the_old_file_is_set_aside_and_that_is_said(outbox):
    outbox.write("a", b"a")
    outbox.a_later_date_has_its_list()
    assert outbox.write("b", b"b") == 1
    assert outbox.files() == {NAME: b"b", "個人票_南小学校_旧1.xlsx": b"a"}
    # no child of the school is left
    outbox.write(None, b"")
    assert outbox.files() == {"個人票_南小学校_旧1.xlsx": b"a", "個人票_南小学校_旧2.xlsx": b"b"}
    # there and back again: of equal content there is one copy
    outbox.write("a", b"a")
    outbox.write("b", b"b")
    assert outbox.files() == {
        NAME: b"b",
        "個人票_南小学校_旧1.xlsx": b"a",
        "個人票_南小学校_旧2.xlsx": b"b",
    }


def test_a_run_that_was_killed_before_it_could_log_leaves_no_copy(outbox):
    """The file is there, the log does not know it: the next run logs it and makes nothing of it."""
    outbox.write("a", b"a")
    outbox.a_later_date_has_its_list()
    (outbox.folder / NAME).write_bytes(b"b")
    assert outbox.write("b", b"b") == 1
    assert outbox.files() == {NAME: b"b"}
    assert outbox.logged() == 2
    # killed between setting aside and writing: the file is missing, and comes
    (outbox.folder / NAME).unlink()
    assert outbox.write("b", b"b") == 1
    assert outbox.files() == {NAME: b"b"}


# what somebody wrote into a file where it lies (a meeting fills in 判定会議.xlsx, a desk answers 名寄せ確認.xlsx)


def workbook(*cells: str) -> bytes:
    book = openpyxl.Workbook()
    book.active.append(cells)
    content = io.BytesIO()
    book.save(content)
    return without_clock(content)


def fill_in(path: Path, text: str) -> bytes:
    """What Excel does: opens the file where it lies, and saves it."""
    book = openpyxl.load_workbook(path)
    book.active["J30"] = text  # beside the table and its merged title
    book.save(path)
    return path.read_bytes()


def test_what_was_filled_in_where_it_lies_is_kept_before_any_decision_too(outbox):
    outbox.write("a", workbook("a"))
    filled = fill_in(outbox.folder / NAME, "受理相当")
    outbox.write("a", workbook("a"))
    assert outbox.files() == {NAME: filled}
    outbox.write("b", workbook("b"))
    assert outbox.files() == {NAME: workbook("b"), "個人票_南小学校_旧1.xlsx": filled}
    assert outbox.said[0].startswith("個人票_南小学校.xlsx was written into where it lies")
    assert "read once that lies in inbox/" in " ".join(outbox.said)
    # as we wrote it: nothing to keep
    outbox.write("c", workbook("c"))
    assert outbox.files() == {NAME: workbook("c"), "個人票_南小学校_旧1.xlsx": filled}
    fill_in(outbox.folder / NAME, "経過観察")
    outbox.write(None, b"")
    assert set(outbox.files()) == {"個人票_南小学校_旧1.xlsx", "個人票_南小学校_旧2.xlsx"}


def test_what_was_saved_with_a_password_is_kept(outbox):
    outbox.write("a", workbook("a"))
    locked = bytes.fromhex("d0cf11e0a1b11ae1") + b"..."
    (outbox.folder / NAME).write_bytes(locked)
    outbox.write("b", workbook("b"))
    assert outbox.files() == {NAME: workbook("b"), "個人票_南小学校_旧1.xlsx": locked}


def test_a_workbook_that_says_the_same_is_left_as_it_lies_and_notes_in_it_are_kept(office):
    office.deliver(
        "生活保護.csv", "宛名番号,開始日,廃止日", "秘密,2024-04-01,", *(f"{i},2024-04-01," for i in range(2, 60))
    )
    assert office.materialize("sources.public_assistance").success
    path = office.settings.outbox / DAY / "差戻し_社会福祉課.xlsx"
    assert not was_saved_since(path)
    before = path.stat()
    office.configure("tables: {public_assistance: {era_scheme: '13579'}}")  # read anew
    assert office.materialize("sources.public_assistance").success
    assert (path.stat().st_ino, path.stat().st_mtime_ns) == (before.st_ino, before.st_mtime_ns)
    noted = fill_in(path, "課長に確認")
    office.deliver("生活保護.csv", "宛名番号,開始日,廃止日", *(f"{i},2024-04-01," for i in range(2, 60)))
    assert office.materialize("sources.public_assistance").success
    assert {found.name: found.read_bytes() for found in path.parent.iterdir()} == {"差戻し_社会福祉課_旧1.xlsx": noted}


def test_a_file_of_a_database_before_this_one_is_kept(outbox):
    outbox.folder.mkdir(parents=True)
    (outbox.folder / NAME).write_bytes(b"sent by the old one")
    outbox.write("a", b"new")
    assert outbox.files() == {NAME: b"new", "個人票_南小学校_旧1.xlsx": b"sent by the old one"}


# only the database, or only the outbox, is restored from a backup


def test_a_file_of_a_newer_state_than_the_restored_database_is_set_aside_and_named(outbox):
    outbox.write("a", b"a")
    # the log of the backup knows a; the outbox has gone on to b
    (outbox.folder / NAME).write_bytes(b"b")
    assert outbox.write("c", b"c") == 1
    assert outbox.files() == {NAME: b"c", "個人票_南小学校_旧1.xlsx": b"b"}
    assert "個人票_南小学校.xlsx is not the file that this database wrote" in " ".join(outbox.said)
    assert "個人票_南小学校_旧1.xlsx" in " ".join(outbox.said)


def test_a_file_of_another_state_is_not_taken_for_the_one_that_says_the_same(outbox):
    outbox.write("a", b"a")
    (outbox.folder / NAME).write_bytes(b"b")
    assert outbox.write("a", b"a") == 1
    assert outbox.files() == {NAME: b"a", "個人票_南小学校_旧1.xlsx": b"b"}
    assert "is not the file that this database wrote" in " ".join(outbox.said)
    # and where nothing is to be said of the school any more
    (outbox.folder / NAME).write_bytes(b"c")
    outbox.write(None, b"")
    assert outbox.files() == {"個人票_南小学校_旧1.xlsx": b"b", "個人票_南小学校_旧2.xlsx": b"c"}


def test_what_somebody_saved_is_no_other_state(outbox):
    outbox.write("a", workbook("a"))
    filled = fill_in(outbox.folder / NAME, "受理相当")
    assert outbox.write("a", workbook("a")) == 0
    assert outbox.files() == {NAME: filled}
    assert outbox.said == []


def test_a_file_in_a_folder_of_its_own_is_known_by_its_whole_name(outbox):
    name = "センター限り/配布番号一覧.xlsx"
    for content, written in (("a", 1), ("a", 0), ("b", 1)):
        made = Export("配布番号一覧", name, content.encode, 1, content)
        assert outbox.export("1", [made]) == written
    assert [path.name for path in (outbox.folder / "センター限り").iterdir()] == ["配布番号一覧.xlsx"]
    assert outbox.said == []


def test_what_somebody_saved_of_a_file_that_the_log_does_not_know_is_kept(outbox):
    outbox.write("a", workbook("a"))
    filled = fill_in(outbox.folder / NAME, "受理相当")
    outbox.con.execute("delete from review.exports")
    outbox.write("a", workbook("a"))
    assert outbox.files() == {NAME: workbook("a"), "個人票_南小学校_旧1.xlsx": filled}


def test_a_log_of_the_first_version_knows_no_content(outbox):
    """Its files stand as before: nothing is set aside for want of a hash."""
    outbox.write("a", b"a")
    outbox.con.execute("update review.exports set sha256 = null")
    (outbox.folder / NAME).write_bytes(b"on the foot another version")
    assert outbox.write("a", b"a") == 0
    assert set(outbox.files()) == {NAME}


def test_no_copy_is_kept_of_a_file_that_shows_a_stopped_child_and_one_that_lies_there_is_said(outbox):
    """利用停止: the file is out, and the old one goes all the same; a copy of before is a person's to take away."""
    outbox.a_later_date_has_its_list()
    outbox.write("A, B", b"A and B")
    outbox.write("A, B, C", b"A, B and C")
    assert outbox.files().keys() == {NAME, "個人票_南小学校_旧1.xlsx"}
    outbox.said.clear()

    def write(content: bytes) -> None:
        one = Export("個人票", NAME, lambda: content, 1, content.decode())
        outbox.export("2025-04-01.1", [one], "個人票_", stopped=frozenset({"B"}))

    write(b"A and C")
    assert outbox.files() == {NAME: b"A and C", "個人票_南小学校_旧1.xlsx": b"A and B"}
    (said,) = outbox.said
    assert said.startswith("個人票_南小学校_旧1.xlsx shows a child whose use is stopped")
    # each is said with its own kind
    outbox.export("2025-04-01.1", [], "支援対象者_", stopped=frozenset({"B"}))
    assert len(outbox.said) == 1
    # what does not show it is kept as ever
    write(b"C")
    assert outbox.files() == {
        NAME: b"C",
        "個人票_南小学校_旧1.xlsx": b"A and B",
        "個人票_南小学校_旧2.xlsx": b"A and C",
    }
    # nor is one kept where no file takes its place
    outbox.write("A, B", b"A and B again")
    outbox.export("2025-04-01.1", [], "個人票_", stopped=frozenset({"B"}))
    assert b"A and B again" not in outbox.files().values()
