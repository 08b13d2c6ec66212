"""``check FILE`` and ``check-config``: what they tell on the terminal, and that nothing is changed."""

from __future__ import annotations

from pathlib import Path

import pytest

from kodomo_assets.__main__ import main

R = "2025-04-01"
REGISTER = "宛名番号,世帯番号,生年月日,性別,続柄,国籍,支援措置"
SCHOOLS = "宛名番号,学校コード,学校名,学年"


class Desk:
    """An inbox of one date, a configuration, and the command line."""

    def __init__(self, root: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
        self.data, self.capsys = root / "data", capsys
        self.inbox = self.data / "inbox" / R
        self.inbox.mkdir(parents=True)
        monkeypatch.setenv("KODOMO_DATA_DIR", str(self.data))
        monkeypatch.setenv("KODOMO_KEY_FILE", str(root / "key"))

    def deliver(self, name: str, *lines: str) -> Path:
        path = self.inbox / name
        path.write_text("\n".join([*lines, ""]), "utf-8")
        return path

    def configure(self, text: str) -> None:
        (self.data / "city.yaml").write_text(text, "utf-8")

    def run(self, *arguments: str) -> tuple[int, str]:
        code = main(list(arguments))
        out, error = self.capsys.readouterr()
        return code, out + error

    def files(self) -> dict[str, bytes]:
        return {
            str(path.relative_to(self.data)): path.read_bytes()
            for path in self.data.rglob("*")
            if path.is_file() and ".scratch" not in path.parts
        }


@pytest.fixture
def desk(tmp_path, monkeypatch, capsys) -> Desk:
    return Desk(tmp_path, monkeypatch, capsys)


def test_a_file_that_a_refresh_would_take(desk):
    path = desk.deliver("生活保護_修正.csv", "宛名番号,開始日,廃止日,備考", "1,2024-04-01,,x", "2,2024-04-01,いつか,")
    before = desk.files()
    code, told = desk.run("check", str(path))
    assert code == 0
    assert told.splitlines() == [
        "生活保護_修正.csv: 生活保護 (public_assistance), as for 2025-04-01",
        "headers (row 1):",
        "  A 宛名番号",
        "  B 開始日",
        "  C 廃止日",
        "  D 備考 -> not of the contract, not read",
        "absent: 扶助種別",
        "2 rows in, 2 accepted, 0 quarantined, 1 cells cannot be read",
        "廃止日: 'いつか' 1 times, first in row 3 (not_a_date)",
        "warning: 生活保護: 1 gone (扶助種別); 1 new and unknown (named in sources.deliveries)",
        "a refresh would take it",
    ]
    assert desk.files() == before


def test_words_and_the_lines_to_paste_of_a_file_that_stops(desk):
    rows = [f"{n},2024,{'準要' if n < 50 else '否'},2024-06-01" for n in range(1, 54)]
    path = desk.deliver("就学援助.csv", "児童宛名番号,年度,認定区分,認定日", *rows)
    code, told = desk.run("check", str(path), "--date", "2025-09-01")
    assert code == 2
    assert "as for 2025-09-01" in told
    assert "認定区分: '準要' 49 times, first in row 2 (not_a_known_code)" in told
    assert "認定区分: '否' 4 times, first in row 51 (not_a_known_code)" in told
    assert (
        "stops: unreadable_cells: 就学援助: 就学援助.csv: 認定区分: 53 of 53 filled cells (100%) cannot be read" in told
    )
    (line,) = [line for line in told.splitlines() if line.startswith("- {")]
    assert "check: unreadable_cells, column: certification, sha256: '" in line
    # pasted and filled in, it is taken
    given = line.replace("reason: 記入, day: 記入", "reason: 旧様式, day: 2025-04-10").replace("記入", "係長")
    desk.configure(f"ingest:\n  acknowledged:\n    {given}\n")
    code, told = desk.run("check", str(path))
    assert code == 0
    assert "warning: 就学援助: acknowledged: 就学援助.csv: 認定区分" in told
    assert desk.run("check-config") == (0, "city.yaml: keys and values are as expected\n")
    path.unlink()
    code, told = desk.run("check-config")
    assert code == 2
    assert "ingest.acknowledged.0 names a file of school_expense_aid that is not in the inbox" in told


def test_a_refused_file_shows_all_its_headers(desk):
    path = desk.deliver("住民記録.csv", "一覧", "宛名番号,世帯番号,生年月日,DV支援", "1,1,2015-04-01,1")
    code, told = desk.run("check", str(path))
    assert code == 2
    assert "refused: 住民記録.csv, row 2: found no column 支援措置" in told
    assert told.splitlines()[-5:] == ["found in row 2:", "  A 宛名番号", "  B 世帯番号", "  C 生年月日", "  D DV支援"]


def test_school_years_are_held_against_the_residents_of_the_inbox(desk):
    """Born in May 2012: 7 at 2025-04-01; the register says 1 of them all."""
    desk.deliver("住民記録.csv", REGISTER, *(f"{n},1,2012-05-01,,,," for n in range(1, 11)))
    path = desk.deliver("学齢簿.csv", SCHOOLS, *(f"{n},082201,第一中学校,1" for n in range(1, 11)))
    code, told = desk.run("check", str(path))
    assert code == 2
    assert "stops: school_year: 学齢簿: 学齢簿.csv, row 2: 学年 differs from the legal school year by -6" in told
    assert (
        sum(line.startswith("- {table: school_register, check: school_year, row: ") for line in told.splitlines()) == 10
    )
    assert "set tables.school_register.school_year_style: per_school" in told
    desk.configure("tables: {school_register: {school_year_style: per_school}}")
    assert desk.run("check", str(path))[0] == 0


def test_without_the_residents_it_is_said_that_it_could_not_be_tried(desk):
    path = desk.deliver("学齢簿.csv", SCHOOLS, "1,082201,第一中学校,1")
    code, told = desk.run("check", str(path))
    assert code == 0
    assert "住民記録 is not in inbox/2025-04-01: what is held against it could not be tried" in told


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("会議メモ.csv", "unknown_table, expected a name that begins with that of a table, or fits a pattern of tables.<id>.files"),
        ("出欠.txt", "wrong_ending, expected one of the endings .csv, "),
        ("判定会議.xlsx", "判定会議"),
    ],
)  # fmt: skip
def test_a_file_of_no_table(desk, name, told):
    code, said = desk.run("check", str(desk.deliver(name, "x")))
    assert code == 2
    assert told in said


def test_a_file_that_is_not_there(desk):
    code, told = desk.run("check", str(desk.inbox / "生活保護.csv"))
    assert code == 2
    assert "no such file" in told


def test_schools_of_the_configuration_are_held_against_the_inbox(desk):
    desk.configure("schools: {screened: ['082201', '999999'], without_delivery: ['082202']}")
    code, told = desk.run("check-config")
    assert code == 0
    assert "no 学齢簿 in the inbox" in told
    desk.deliver("学齢簿.csv", SCHOOLS, "1,082201,A,1", "2,082202,B,1")
    code, told = desk.run("check-config")
    assert code == 2
    assert "city.yaml: schools.screened names 999999, which no 学齢簿 in the inbox knows" in told
    assert "without_delivery" not in told


def test_the_folder_of_the_host_has_to_be_there(desk, tmp_path):
    desk.configure(f"host: {{folder: '{tmp_path}/082201'}}\npool: {{code: '082201'}}")
    code, told = desk.run("check-config")
    assert code == 2
    assert "082201 is no folder that this account may write into; the host makes it" in told
    (tmp_path / "082201").mkdir()
    assert desk.run("check-config")[0] == 0


def test_a_configuration_that_cannot_be_loaded(desk):
    desk.configure("screening: {share_percent: 10}\nscreening: {share_percent: 15}")
    code, told = desk.run("check-config")
    assert code == 2
    assert told.splitlines()[0] == "error: city.yaml: screening is given twice, in lines 1 and 2; expected once"
