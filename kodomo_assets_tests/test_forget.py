"""``forget`` on a whole city: of a child whose deliveries are all past retention no byte is left; the rest goes on.

One refreshed city of 18,000 residents is copied, forgotten in, searched and refreshed, ~60 s.
"""

from __future__ import annotations

import csv
import datetime as dt
import io
import itertools
import shutil
import unicodedata
import zipfile
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import duckdb
import pytest

from kodomo_assets.__main__ import main
from kodomo_assets.japan.calendar import fiscal_year
from kodomo_assets.refreshing.forgetting import past_files
from kodomo_assets.refreshing.needs import need, read_accounts
from kodomo_assets.stages.sources.arrivals import Hashes
from kodomo_assets.store.connection import connect
from kodomo_assets.store.pseudonyms import load_secret
from kodomo_assets.store.subjects import identify, is_about, rows_of
from kodomo_assets_tests.conftest import DATES, City
from kodomo_assets_tests.test_end_to_end import decodes

OLD, KEPT = DATES[:-1], DATES[-1]
TODAY = dt.datetime.now(dt.UTC).date()
# the school years between the last one that is kept and today's
YEARS = fiscal_year(TODAY) - fiscal_year(KEPT)
ROLE, REASON = "こども未来センター長", "保存期間を過ぎた"
ASKED = ["--role", ROLE, "--reason", REASON]


@dataclass(frozen=True)
class Person:
    """A child by everything that tells who it is."""

    resident_id: str
    told: tuple[str, ...]


def members(path: Path) -> Iterator[bytes]:
    """The bytes of a file, and of what is packed in it."""
    yield path.read_bytes()
    if zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as packed:
            yield from map(packed.read, packed.namelist())


# as some offices write numbers: ０１２
_WIDE = str.maketrans("0123456789", "０１２３４５６７８９")


def encoded(text: str) -> set[bytes]:
    """The bytes of ``text``, its digits in both widths, in the encodings that files come in."""
    found = set()
    for written in (text, text.translate(_WIDE)):
        found |= {written.encode(encoding) for encoding in ("utf-8", "utf-16-le", "utf-16-be")}
        with suppress(UnicodeEncodeError):
            found.add(written.encode("cp932"))
    return found


def cells_with(database: Path, texts: list[str]) -> set[tuple[str, str]]:
    """(text, table) for every table of which a cell holds one of ``texts``: DuckDB packs long columns of texts."""
    found = set()
    with duckdb.connect(str(database), read_only=True) as con:
        con.execute("create temp table wanted as select unnest($1::varchar[]) as text", [texts])
        for schema, table in con.execute(
            "select schema_name, table_name from duckdb_tables() where not internal and not temporary"
        ).fetchall():
            found |= {
                (text, f"{schema}.{table}")
                for (text,) in con.execute(
                    f'select distinct w.text from wanted as w join "{schema}"."{table}" as t on contains(t::varchar, w.text)'
                ).fetchall()
            }
    return found


def places(city: City, people: list[Person], *, cells: bool = True) -> dict[str, set[str]]:
    """What tells of one of ``people`` -> the files, or tables of a database, in which it stands."""
    texts = sorted({text for person in people for text in person.told})
    patterns = [(text, pattern) for text in texts for pattern in encoded(text)]
    found: dict[str, set[str]] = {}
    files = [path for path in city.root.rglob("*") if path.is_file() and path != city.settings.key_file]
    assert len(files) > 20
    for path in files:
        name = path.relative_to(city.root).as_posix()
        for content in members(path):
            for text, pattern in patterns:
                if pattern in content:
                    found.setdefault(text, set()).add(name)
        if path.suffix == ".duckdb" and cells:
            for text, table in cells_with(path, texts):
                found.setdefault(text, set()).add(f"{name}: {table}")
    return found


def rows(city: City, resident_id: str) -> dict[str, set[dt.date]]:
    """Table -> the reference dates of the rows about a person."""
    with connect(city.settings.database) as con:
        identify(con, city.catalogue, load_secret(city.settings.key_file), resident_id)
        dated = {
            name: relation.select("reference_date")
            for name, relation in rows_of(con, city.catalogue).items()
            if "reference_date" in city.catalogue.output(name).column_names
        }
        return {name: {day for (day,) in found.fetchall()} for name, found in dated.items() if len(found)}


# children of the first date who finished school, whose names nobody has that is on a roster by now
_GRADUATES = """
    select c.resident_id, c.child_key, r.name, r.name_kana, list_distinct(list(r.pupil_id))
    from linkage.children as c
    join linkage.links as l on l.table_name = 'school_roster' and l.child_key = c.child_key
    join sources.school_roster as r on r.pupil_id = l.person_ref and r.reference_date = l.reference_date
    where
        c.reference_date = date '2024-04-01'
        and c.child_key not in (select child_key from linkage.children where reference_date = date '2025-04-01')
        and r.name_kana is not null
        and r.name not in (select name from sources.school_roster where reference_date = date '2025-04-01')
    group by all
    order by all
"""


# what the demo city delivers in Excel
_IN_EXCEL = {"sources.child_consultations", "sources.education_counselling", "sources.ssw_records"}


def people(city: City) -> tuple[list[Person], list[Person]]:
    """Three children who moved away, made so of graduates, and three graduates who live in the city."""
    candidates = (
        Person(resident_id, (resident_id, *told, *numbers))
        for resident_id, *told, numbers in city.query(_GRADUATES)
        if not _IN_EXCEL & rows(city, resident_id).keys()
    )
    found = list(itertools.islice(candidates, 6))
    assert len(found) == 6
    return found[:3], found[3:]


def move_away(city: City, person: Person) -> None:
    """As if the person had never been delivered for the date that is kept."""
    numbers = {number.lstrip("0") for number in person.told}
    for path in city.inbox(KEPT).glob("*.csv"):
        raw = path.read_bytes()
        encoding = next(e for e in ("utf-8-sig", "cp932", "utf-16") if decodes(raw, e))
        lines = raw.decode(encoding).splitlines(keepends=True)
        delimiter = "\t" if "\t" in lines[0] else ","
        # digits in one width; a line that is no clean row too: the number may stand anywhere in it
        plain = [unicodedata.normalize("NFKC", line) for line in lines]
        cells = [next(csv.reader(io.StringIO(line), delimiter=delimiter), []) for line in plain]
        kept = [
            line
            for line, told, row in zip(lines, plain, cells, strict=True)
            if not numbers & {cell.lstrip("0") for cell in row} and person.resident_id not in told
        ]
        if len(kept) < len(lines):
            path.write_bytes("".join(kept).encode(encoding))
    with connect(city.settings.database) as con:
        identify(con, city.catalogue, load_secret(city.settings.key_file), person.resident_id)
        for table in city.catalogue.outputs.values():
            if table.db_schema == "sources" and table.about != "none":
                con.execute(
                    f"delete from {table.qualified} as t where ({is_about(table)}) and reference_date = $1", [KEPT]
                )
        con.execute("delete from linkage.residents where resident_id = $1 and reference_date = $2", [person.resident_id, KEPT])  # fmt: skip


@pytest.fixture(scope="module")
def environment(tmp_path_factory) -> Iterator[pytest.MonkeyPatch]:
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("KODOMO_CONFIG", raising=False)
        yield patch


@pytest.fixture(scope="module")
def before(refreshed_city: City, tmp_path_factory, environment) -> City:
    """Refreshed at all dates, with what came back for one that is past retention by now."""
    city = refreshed_city.copy(tmp_path_factory.mktemp("forget") / "city")
    for name, path in (
        ("KODOMO_DATA_DIR", city.settings.data_dir),
        ("KODOMO_KEY_FILE", city.settings.key_file),
        ("DAGSTER_HOME", city.settings.dagster_home),
    ):
        environment.setenv(name, str(path))
    shutil.rmtree(city.settings.data_dir / "demo_truth")
    with (city.settings.data_dir / "city.yaml").open("a", encoding="utf-8") as file:
        file.write(f"retention: {{school_years: {YEARS}}}\n")
    with connect(city.settings.database) as con:
        # people decided, were asked and answered at a date that goes
        con.execute("insert into review.decisions by name select reference_date, child_key, reference_date as meeting_date, 'a' as decision, child_key as reason, '所長' as decided_by, false as release, '判定会議.xlsx' as file, 2 as row_number, now() as read_at from linkage.children where reference_date = date '2024-04-01'")  # fmt: skip
        con.execute("insert into linkage.asked select reference_date, table_name, person_ref, child_key, now() from linkage.links where reference_date = date '2024-04-01'")  # fmt: skip
    folder = city.outbox(OLD[0])
    shutil.copy(folder / "判定会議.xlsx", folder / "判定会議_旧1.xlsx")
    for name in ("判定会議.xlsx", "何かのメモ.txt", ".隠れたもの"):
        shutil.copy(folder / "判定会議.xlsx", city.inbox(OLD[0]) / name)
    return city


@pytest.fixture(scope="module")
def known(before: City) -> tuple[list[Person], list[Person]]:
    moved, graduates = people(before)
    for person in moved:
        move_away(before, person)
    # the search finds each of them: every number and name, before anything is forgotten
    assert places(before, [*moved, *graduates], cells=False).keys() == {
        text for one in [*moved, *graduates] for text in one.told
    }
    return moved, graduates


@pytest.fixture(scope="module")
def moved(known) -> list[Person]:
    return known[0]


@pytest.fixture(scope="module")
def graduates(known) -> list[Person]:
    return known[1]


def test_a_dry_run_counts_and_changes_nothing(before, known, capsys):
    state = {path: path.stat().st_mtime_ns for path in before.settings.data_dir.rglob("*") if path.is_file()}
    assert main(["forget", *ASKED, "--dry-run"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert any("rows of review.decisions (2024-04-01 to 2024-04-01)" in line for line in lines)
    assert any(line.endswith("files below inbox/ (2024-04-01 to 2025-01-01)") for line in lines)
    # 2025-04-01 goes on 1 April after so many school years
    stays = next(line for line in lines if f"{fiscal_year(KEPT) + YEARS + 1}-04-01 of 2025-04-01" in line)
    for table in before.catalogue.tables.values():
        assert (f"{table.ja} " in stays) == bool(before.query(f"select 1 from sources.{table.id} where reference_date = date '{KEPT}' limit 1"))  # fmt: skip
    assert {path: path.stat().st_mtime_ns for path in before.settings.data_dir.rglob("*") if path.is_file()} == state


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        (["--role", ROLE], "--reason: nothing was given"),
        (["--reason", REASON], "--role: nothing was given"),
        (["--role", "だれか", "--reason", REASON], "--role: no such role"),
        (["--role", ROLE, "--reason", " "], "--reason: nothing was given"),
    ],
)
def test_without_a_role_and_a_reason_nothing_is_forgotten(before, known, capsys, arguments, why):
    assert main(["forget", *arguments]) == 2
    assert why in capsys.readouterr().err
    assert before.query("select count(*) from store.forgotten") == [(0,)]


@pytest.fixture(scope="module")
def after(before: City, known) -> City:
    kept = {name: before.table(name, f"reference_date = date '{KEPT}'") for name in ("screening.ranking", "review.meeting_list")}  # fmt: skip
    weights = before.table("weights.coefficients")
    assert main(["forget", *ASKED]) == 0
    assert {name: before.table(name) for name in kept} == kept
    assert before.table("weights.coefficients") == weights
    return before


def test_no_byte_of_a_child_whose_deliveries_are_all_past_retention_is_left(after, moved):
    assert places(after, moved) == {}
    assert [rows(after, person.resident_id) for person in moved] == [{}, {}, {}]


def test_of_a_graduate_only_what_is_still_kept_is_left(after, graduates):
    for person in graduates:
        left = rows(after, person.resident_id)
        assert set().union(*left.values()) == {KEPT}
        assert {name for name in left if not name.startswith("sources.")} <= {"linkage.residents"}
        assert "sources.resident_register" in left
    files = {place for found in places(after, graduates).values() for place in found}
    assert {place for place in files if not place.startswith((f"data/inbox/{KEPT}/", "data/kodomo.duckdb"))} == set()


def test_what_is_about_nobody_stays(after):
    assert {day for (day,) in after.query("select distinct reference_date from evaluation.funnel")} == set(DATES)
    assert len(after.query("select distinct version from weights.versions")) == 2
    assert after.query("select distinct role, reason from store.forgotten") == [(ROLE, REASON)]
    assert after.query("select sum(rows) > 100000, sum(files) > 300 from store.forgotten") == [(True, True)]
    assert not list(after.settings.inbox.glob("2024*"))
    assert not list(after.settings.outbox.glob("2024*"))
    assert after.query("select command, role, reason, resident_id from rights.accesses") == [
        ("forget", ROLE, REASON, None)
    ]


def test_a_forgotten_date_is_told_of_and_never_made_anew(after, moved, capsys):
    known = read_accounts(after.settings)
    assert need(after.settings, after.catalogue, OLD[0], known, Hashes({})) == "was forgotten, being past retention"
    assert known[KEPT].rests_on.changed_deliveries(after.catalogue, KEPT) == set()
    for command in (
        ["refresh", "2024-09-01"],
        ["after-meeting", "2024-09-01"],
        ["summary", "2024-09-01"],
        ["explain", moved[0].resident_id, "2024-09-01", *ASKED],
    ):
        assert main(command) == 2, command
        assert f"2024-09-01: its list was forgotten on {TODAY}, being past retention" in capsys.readouterr().err
    assert not after.outbox(OLD[1]).exists()
    # a file that is put back starts nothing; the next refresh says that it is there, and forget takes it away
    after.inbox(OLD[1]).mkdir()
    shutil.copy(next(after.inbox(KEPT).glob("生活保護*")), after.inbox(OLD[1]))
    assert need(after.settings, after.catalogue, OLD[1], known, Hashes({})) == "was forgotten, being past retention"
    assert len(past_files(after.settings, after.catalogue, TODAY)) == 1
    assert main(["refresh", "--all"]) == 0
    said_ = capsys.readouterr().err
    assert "2024-09-01: its list was forgotten" in said_
    assert "refresh 2025-04-01" in said_
    assert "0 reference dates and 1 files are past retention and still there" in said_


def test_a_kept_date_is_refreshed_with_what_is_left(after, moved):
    """Once more after the refresh of the test before: its list is the same, and nobody came back."""
    assert {day for (day,) in after.query("select distinct reference_date from screening.ranking")} == {KEPT}
    assert places(after, moved) == {}
