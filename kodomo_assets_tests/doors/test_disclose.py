"""``rights disclose``: all that is stored about a person, held against a scan of every column; what is released of it."""

from __future__ import annotations

import datetime as dt
import hashlib
import hmac
import io
import lzma
import os
import re
import shutil
from collections import Counter
from collections.abc import Mapping
from pathlib import Path

import openpyxl
import pytest

from kodomo_assets.__main__ import main
from kodomo_assets.catalogue import load_catalogue
from kodomo_assets.catalogue.rights import Rights
from kodomo_assets.doors.rights.records import _OF_LABEL, Field, Record
from kodomo_assets.doors.rights.verdicts import _decision
from kodomo_assets.doors.rights.workbooks import Decision, parts_of
from kodomo_assets.office.returned import Place, ReturnedRow
from kodomo_assets.office.workbooks import lines_of
from kodomo_assets.settings import Settings
from kodomo_assets.sql import quoted, run_sql
from kodomo_assets.store.connection import connect, in_memory
from kodomo_assets.store.opening import open_to_write
from kodomo_assets.store.stops import stop
from kodomo_assets.store.tables import create_tables
from kodomo_assets.vocabulary import CLASS_FILE

# a played city of 2,000 residents: its meeting has decided, schools have sent sheets back and reported support
PLAYED = Path(__file__).parents[1] / "store" / "second_landing"
SUPPORTED, PROTECTED, GRADUATE = "0000428234", "0000061903", "0000361891"
OFFICER, SECOND = "こども未来センター職員", "個人情報保護担当"
ASKER = ["--role", OFFICER, "--reason", "本人の請求"]
CENTRE = Path("outbox/センター限り")


@pytest.fixture(scope="module")
def played(tmp_path_factory) -> Path:
    """The data folder and the key, of this version: to be copied."""
    root = tmp_path_factory.mktemp("played")
    (root / "data").mkdir(mode=0o700)
    (root / "key").mkdir(mode=0o700)
    (root / "data" / "kodomo.duckdb").write_bytes(lzma.decompress((PLAYED / "kodomo.duckdb.xz").read_bytes()))
    shutil.copy(PLAYED / "city.yaml", root / "data")
    shutil.copy(PLAYED / "pseudonym.key", root / "key" / "k")
    (root / "key" / "k").chmod(0o600)
    settings = settings_of(root)
    with open_to_write(settings, load_catalogue(settings.overlay)):
        pass
    return root


def settings_of(root: Path) -> Settings:
    return Settings.from_environment(
        {"KODOMO_DATA_DIR": str(root / "data"), "KODOMO_KEY_FILE": str(root / "key" / "k")}
    )


class Centre:
    """A city's data folder and its command."""

    def __init__(self, root: Path) -> None:
        self.settings = settings_of(root)
        self.data = self.settings.data_dir
        self.secret = bytes.fromhex(self.settings.key_file.read_text().strip())

    def disclose(self, number: str, *given: object, asker: list[str] = ASKER) -> int:
        return main(["rights", "disclose", number, *asker, *map(str, given)])

    def drafted(self, number: str) -> Path:
        """The draft of a new request, by whom a second role confirms where one is needed."""
        before = set(self.files())
        if self.disclose(number, "--capacity", "本人") != 0:
            ((request,),) = self.query("select max(request) from rights.requests")
            assert self.disclose(number, "--confirm", request, asker=["--role", SECOND, "--reason", "確認した"]) == 0
        (made,) = set(self.files()) - before
        return self.data / made

    def files(self) -> list[Path]:
        return [path.relative_to(self.data) for path in (self.data / CENTRE).glob("*")]

    def query(self, sql: str, *given: object) -> list[tuple]:
        with connect(self.settings.database, read_only=True) as con:
            return con.execute(sql, list(given)).fetchall()

    def change(self, sql: str, *given: object) -> None:
        with connect(self.settings.database) as con:
            con.execute(sql, list(given))

    def child_key(self, number: str) -> str:
        return hmac.new(self.secret, number.encode(), hashlib.sha256).hexdigest()[:32]


@pytest.fixture
def centre(played, tmp_path, monkeypatch) -> Centre:
    made = Centre(shutil.copytree(played, tmp_path / "centre"))
    monkeypatch.setenv("KODOMO_DATA_DIR", str(made.data))
    monkeypatch.setenv("KODOMO_KEY_FILE", str(made.settings.key_file))
    monkeypatch.delenv("KODOMO_CONFIG", raising=False)
    return made


def rows_of(book: Path) -> list[dict[str, object]]:
    """Every record of a draft or of a person's file, by its headers; a text that goes on in the next row is whole."""
    found: list[dict[str, object]] = []
    for sheet in openpyxl.load_workbook(book).worksheets:
        headers = [cell.value for cell in sheet[4]]
        if "番号" not in headers:
            continue
        for cells in sheet.iter_rows(min_row=5, values_only=True):
            row = dict(zip(headers, cells, strict=True)) | {"sheet": sheet.title}
            if row["番号"] is None:
                found[-1]["内容"] = f"{found[-1]['内容']}{row['内容']}"
            else:
                found.append(row)
    return found


def fill(draft: Path, of_tables: Mapping[str, tuple[str, str]], of_rows: Mapping[str, tuple[str, str, str]] = {}) -> Path:  # fmt: skip
    """The draft as an officer sends it back: verdict and reason of tables (``""``: all others), and of the rows of a
    table's Japanese name also what is left out."""
    book = openpyxl.load_workbook(draft)
    sheet = book["表ごとの区分"]
    for row in range(5, sheet.max_row + 1):
        table = sheet.cell(row, 1).value
        sheet.cell(row, 5).value, sheet.cell(row, 6).value = of_tables.get(table, of_tables[""])
    for sheet in book.worksheets:
        if sheet.cell(4, 1).value == "番号":
            for row in range(5, sheet.max_row + 1):
                for column, text in zip((6, 7, 8), of_rows.get(sheet.cell(row, 2).value, ()), strict=False):
                    sheet.cell(row, column).value = text
    filled = draft.with_name("記入済.xlsx")
    book.save(filled)
    return filled


ALL = {"": ("開示", "")}


@pytest.mark.parametrize("number", [SUPPORTED, PROTECTED, GRADUATE])
def test_a_draft_holds_row_by_row_what_a_scan_of_every_text_column_finds(centre, number):
    """The scan knows the person's numbers and nothing of the catalogue."""
    draft = centre.drafted(number)
    key = centre.child_key(number)
    linked = centre.query("select distinct person_ref from linkage.links where child_key = $1", key)
    numbers = [number, key, *(one for (one,) in linked)]
    columns = centre.query(
        "select schema_name || '.' || table_name, list(column_name), "
        "list(column_name) filter (data_type = 'VARCHAR'), bool_or(column_name = 'reference_date') from duckdb_columns() where not internal group by all having list_contains(list(data_type), 'VARCHAR') "
    )
    scanned: Counter[tuple[str, str]] = Counter()
    places: dict[str, set[str]] = {}
    with connect(centre.settings.database, read_only=True) as con:
        for table, names, texts, is_dated in columns:
            condition = " or ".join(f"list_contains($1, {quoted(name)})" for name in texts)
            day = "reference_date" if is_dated else "null"
            place = "source_file || ' ' || source_row" if "source_row" in names else "''"
            for when, at in con.execute(f"select {day}, {place} from {table} where {condition}", [numbers]).fetchall():
                scanned[table, str(when)] += 1
                places.setdefault(table, set()).add(at)
    book = openpyxl.load_workbook(draft)["表ごとの区分"]
    shown = {row[0]: row[2] for row in book.iter_rows(min_row=5, values_only=True)}
    # the files that a person stands in are worked out, and no rows about it
    shown.pop("review.exports", None)
    assert shown == dict(sum(scanned.values()) and Counter({t: sum(n for (u, _), n in scanned.items() if u == t) for t, _ in scanned}))  # fmt: skip
    assert {"sources.resident_register", "linkage.children", "features.matrix", "rights.requests"} <= shown.keys()
    called = {row[1]: row[0] for row in book.iter_rows(min_row=5, values_only=True)}
    assert len(called) == book.max_row - 4
    records = [row for row in rows_of(draft) if called[row["表"]] != "review.exports"]
    assert Counter((called[row["表"]], str(row["基準日"])) for row in records) == scanned
    assert [row["番号"] for row in rows_of(draft)] == list(range(1, len(rows_of(draft)) + 1))
    for table, expected in places.items():
        if expected != {""}:
            told = [str(row["内容"]) for row in records if called[row["表"]] == table]
            assert all(any(f"ファイル名：{at.split()[0]}／" in text and f"行番号：{at.split()[1]}／" in text for text in told) for at in expected)  # fmt: skip


def test_what_a_row_says_is_said_in_words(centre):
    rows = rows_of(centre.drafted(SUPPORTED))
    register = [row["内容"] for row in rows if row["表"] == "住民記録"]
    ((name, kana),) = centre.query("select distinct name, name_kana from sources.resident_register where resident_id = $1", SUPPORTED)  # fmt: skip
    assert all(f"氏名：{name}／氏名カナ：{kana}／生年月日：" in str(text) for text in register)
    ((decision,),) = centre.query("select decision from review.decisions where child_key = $1", centre.child_key(SUPPORTED))  # fmt: skip
    words = {"a": "受理相当", "b": "予防的支援", "c": "経過観察", "d": "支援対象外"}
    (decided,) = [str(row["内容"]) for row in rows if row["表"] == "判定会議の決定"]
    assert f"／判定：{words[decision]}／" in decided
    levels = [str(row["内容"]) for row in rows if row["表"] == "児童と項目ごとの段階とそのもと"]
    assert any(text.startswith("項目：欠席日数／段階：") for text in levels)
    assert not any("single_parent" in str(row["内容"]) or "kana_birth" in str(row["内容"]) for row in rows)


def test_what_may_speak_against_it_stands_beside_each_row(centre):
    rows = rows_of(centre.drafted(SUPPORTED))
    marks = {(str(row["表"]), row["あたりうる78条1項"]) for row in rows}
    assert {
        ("EPDS", "1号・2号"),
        ("児童扶養手当", "2号"),
        ("判定会議の決定", "6号・7号"),
        ("住民記録", None),
        ("学校から戻った個人票", "1号・2号・7号"),
    } <= marks
    of_item = {
        str(row["内容"]).split("／")[0]: row["あたりうる78条1項"] for row in rows if "段階とそのもと" in str(row["表"])
    }
    # the mother's test; what others of the household have; the child's own
    assert of_item["項目：母のEPDS"] == "1号・2号・7号"
    assert of_item["項目：世帯員の障害者手帳"] == "2号・7号"
    assert of_item["項目：欠席日数"] == "7号"
    assert all("1号" in str(row["あたりうる78条1項"]) for row in rows_of(centre.drafted(PROTECTED)))


def test_only_what_was_released_becomes_the_file_for_the_person(centre, capsys):
    # the mother's number with a slip in it, and a day with one
    for header, raw in (("母宛名番号", "00004282O9"), ("実施日", "2O25-05-01")):
        centre.change(
            "insert into sources.quarantine by name select date '2025-04-01' as reference_date, 'epds' as table_name, "
            "'e.csv' as file, 2 as row_number, $2 as column_name, 'cell' as scope, 'not_an_id' as reason, "
            "$3 as raw_value, $1 as person_ref",
            SUPPORTED,
            header,
            raw,
        )
    draft = centre.drafted(SUPPORTED)
    ((mother,),) = centre.query("select distinct mother_resident_id from sources.epds where child_resident_id = $1", SUPPORTED)  # fmt: skip
    assert mother in str([row["内容"] for row in rows_of(draft)])
    filled = fill(
        draft,
        {
            "": ("開示", ""),
            "sources.epds": ("不開示", "母の情報（2号）"),
            "features.labels": ("存否応答拒否", "81条"),
        },
        {"学校から戻った個人票": ("一部開示", "担任所見、 記入者", "学校の事務（7号）")},
    )
    sheets = len([row for row in rows_of(draft) if row["表"] == "学校から戻った個人票"])
    capsys.readouterr()
    assert centre.disclose(SUPPORTED, "--release", filled) == 0
    told = capsys.readouterr().out
    made = draft.with_name(draft.name.replace("_案", ""))
    assert f"一部開示: {sheets}\n" in told
    assert told.endswith(f"the file for the person: {CENTRE}/{made.name}\n")
    assert made.stat().st_mode & 0o777 == 0o600
    rows = rows_of(made)
    tables = {row["表"] for row in rows}
    assert "児童扶養手当" in tables
    assert not {"EPDS", "目的変数（児童相談記録の有無）と相談の状態"} & tables
    text = str([row["内容"] for row in rows])
    assert mother not in text
    assert "／項目名：母宛名番号／" in text
    assert "00004282O9" not in text
    assert "／元の値：2O25-05-01／" in text
    assert "（ほかの方の番号）" in text
    (sheet,) = [str(row["内容"]) for row in rows if row["表"] == "学校から戻った個人票"]
    assert "／担任所見：■■■／" in sheet
    assert "／記入者：■■■／" in sheet
    assert "／給食：" in sheet
    assert "■" not in sheet.replace("担任所見：■■■", "").replace("記入者：■■■", "")
    closed = [
        tuple(row) for row in openpyxl.load_workbook(made)["開示しない部分"].iter_rows(min_row=5, values_only=True)
    ]
    assert ("学校から戻った個人票", "2025-04-01", 1, "担任所見、記入者", "学校の事務（7号）") in closed
    assert {row[0] for row in closed} == {"EPDS", "学校から戻った個人票"}
    # that there is such a record is told nowhere
    everything = str([[cell.value for cell in row] for sheet in openpyxl.load_workbook(made) for row in sheet])
    assert "目的変数" not in everything
    assert "81条" not in everything
    assert centre.query("select state from rights.requests") == [("開示決定",)]
    # once: what was handed out is not made otherwise under the same number
    assert centre.disclose(SUPPORTED, "--release", filled) == 2
    assert "its state is 開示決定, expected 案を作成" in capsys.readouterr().err


def released(centre: Centre, filled: Path, capsys, number: str = SUPPORTED) -> str:
    """Why the draft was not taken; nothing was made, and the answer names nobody."""
    before = centre.files()
    capsys.readouterr()
    assert centre.disclose(number, "--release", filled) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert sorted(centre.files()) == sorted(before)
    assert not any(told in err for told in (SUPPORTED, centre.child_key(SUPPORTED)))
    return err


def test_a_draft_that_does_not_say_everything_releases_nothing(centre, capsys):
    draft = centre.drafted(SUPPORTED)
    sheet = "学校から戻った個人票"
    assert "has no 区分, and its table has none" in released(centre, draft, capsys)
    for of_tables, of_rows, why in (
        (ALL | {"sources.epds": ("不開示", "")}, {}, "has no 開示しない理由"),
        (ALL | {"sources.epds": ("一部開示", "理由")}, {}, "its table has 一部開示, which is said of single rows"),
        (ALL | {"sources.epds": ("OK", "")}, {}, "has another 区分 than 開示・一部開示・不開示・存否応答拒否"),
        (ALL, {sheet: ("一部開示", "", "理由")}, "除く項目 belongs to 一部開示, and 一部開示 needs it"),
        (ALL, {sheet: ("開示", "担任所見", "")}, "除く項目 belongs to 一部開示, and 一部開示 needs it"),
        (ALL, {sheet: ("一部開示", "担任の所見", "理由")}, "除く項目 names what is no item of the row"),
        (ALL, {sheet: (None, None, "理由")}, "has a reason or items but no 区分"),
    ):
        err = released(centre, fill(draft, of_tables, of_rows), capsys)
        assert why in err
        assert "; nothing was released" in err
        assert "記入済.xlsx: sheet " in err
        assert "担任の所見" not in err


def test_what_was_made_of_records_that_nobody_is_told_of_is_not_released(centre, capsys):
    """81条: neither a level nor a factor nor a link says that there is one; nor is anything lost of other tables."""
    draft = centre.drafted(SUPPORTED)
    unsaid = ALL | {"sources.child_rearing_allowance": ("存否応答拒否", "81条")}
    err = released(centre, fill(draft, unsaid), capsys)
    assert "was made of records of which all are 存否応答拒否 (81条)" in err
    closed = dict.fromkeys(("features.levels", "screening.contributions", "explanation.factors"), ("不開示", "7号"))
    # the matrix has a column of it
    assert "was made of records" in released(centre, fill(draft, unsaid | closed), capsys)
    items = [one.ja for one in load_catalogue().items.values() if "child_rearing_allowance" in one.tables]
    left_out = {"児童と項目の行列": ("一部開示", "、".join(items), "81条")}
    filled = fill(draft, unsaid | closed, left_out)
    assert centre.disclose(SUPPORTED, "--release", filled) == 0
    assert "scores are told that records with 存否応答拒否 went into" in capsys.readouterr().out
    text = str([row["内容"] for row in rows_of(draft.with_name(draft.name.replace("_案", "")))])
    assert all(f"{ja}：■■■" in text for ja in items)


def test_nothing_of_a_consultation_is_told_where_nobody_is_told_of_it(centre, capsys):
    """81条 of 児童相談記録: the follow-up holds the day of the first one; that day stands in no file."""
    ((number, received),) = centre.query(
        "select c.child_resident_id, min(c.received_on)::varchar from sources.child_consultations as c "
        "join linkage.children as k on k.resident_id = c.child_resident_id where not coalesce(k.protected, false) "
        "and c.closed_on is not null group by all order by all limit 1"
    )
    centre.change("insert into features.follow_ups by name select reference_date, child_key, $2::date as first_received_on, $2::date as first_counted_on, 0 as records_set_aside, reference_date as seen_until from linkage.children where resident_id = $1", number, received)  # fmt: skip
    draft = centre.drafted(number)
    shut = ("linkage.links", "features.labels", "screening.ranking")
    held = {row[0] for row in openpyxl.load_workbook(draft)["表ごとの区分"].iter_rows(min_row=5, values_only=True)}
    given = (
        ALL
        | {"sources.child_consultations": ("存否応答拒否", "81条")}
        | dict.fromkeys(held & {*shut}, ("不開示", "7号"))
    )
    err = released(centre, fill(draft, given), capsys, number)
    assert "was made of records of which all are 存否応答拒否 (81条)" in err
    left_out = "、".join(column.ja for column in load_catalogue().output("features.follow_ups").columns if column.name in _OF_LABEL)  # fmt: skip
    assert left_out.count("、") == 2
    called = "これまでに対象児童だったことのある児童の、基準日までに分かっているその後"
    filled = fill(draft, given, {called: ("一部開示", left_out, "81条")})
    assert centre.disclose(number, "--release", filled) == 0
    assert received not in str(rows_of(draft.with_name(draft.name.replace("_案", ""))))


def test_every_column_that_tells_of_consultations_is_known():
    """By what it is called, in a table of results that does not say beside it which delivered table it tells of."""
    catalogue = load_catalogue()
    telling = {
        column.name
        for table in catalogue.outputs.values()
        if table.stored
        and table.about == "child"
        and "table_name" not in table.column_names
        and table.qualified != "features.labels"
        and table.db_schema != "sources"
        for column in table.columns
        if column.name not in catalogue.items and re.search("相談|目的変数", column.ja)
    }
    assert telling
    assert telling <= _OF_LABEL


def test_items_that_stand_on_no_level_are_told_together(centre):
    """Of a date, by what is said of them; an item that stands on a level has its own row."""
    centre.change("update features.levels set cause = 'no_row' where level = 'no_record'")
    centre.change("update features.levels set evidence_on = reference_date where item = 'nationality'")
    draft = centre.drafted(SUPPORTED)
    assert centre.disclose(SUPPORTED, "--release", fill(draft, ALL)) == 0
    called = "児童と項目ごとの段階とそのもと"
    before = [row for row in rows_of(draft) if row["表"] == called]
    after = [row for row in rows_of(draft.with_name(draft.name.replace("_案", ""))) if row["表"] == called]
    expected: dict[tuple[object, str], list[str]] = {}
    for row in before:
        item, level, cause, evidence = (part.split("：", 1)[1] for part in str(row["内容"]).split("／"))
        if level in ("記録なし", "未記入", "非該当") and evidence == "（空欄）":
            label = f"{level}の項目" + ("" if cause == "（空欄）" else f"（{cause}）")
            expected.setdefault((row["基準日"], label), []).append(item)
    assert {label for _, label in expected} >= {"記録なしの項目（行がない）", "非該当の項目"}
    together = {(row["基準日"], label): items.split("、") for row in after for label, _, items in [str(row["内容"]).partition("：")] if "の項目" in label}  # fmt: skip
    assert together == expected
    assert len(after) == len(before) - sum(map(len, expected.values())) + len(together)
    assert [row for row in after if str(row["内容"]).startswith("項目：国籍／段階：")]


def test_what_a_correction_found_is_told_by_level(centre, capsys):
    """rights.before_corrections has a row for each item: the person reads one for each level, and the score."""
    centre.change("insert into rights.before_corrections by name select '2025-0009' as request, reference_date, child_key, item, level from features.levels union all by name select '2025-0009' as request, reference_date, child_key, score, selected from screening.ranking")  # fmt: skip
    draft = centre.drafted(SUPPORTED)
    unsaid = {"sources.child_rearing_allowance": ("存否応答拒否", "81条")}
    assert "was made of records" in released(centre, fill(draft, ALL | unsaid), capsys)
    assert centre.disclose(SUPPORTED, "--release", fill(draft, ALL)) == 0
    called = "訂正する前の段階と得点"
    before = [row for row in rows_of(draft) if row["表"] == called]
    after = [row for row in rows_of(draft.with_name(draft.name.replace("_案", ""))) if row["表"] == called]
    found: dict[tuple[object, str], list[str]] = {}
    for row in before:
        request, item, level, *_ = (part.split("：", 1)[1] for part in str(row["内容"]).split("／"))
        if item != "（空欄）":
            found.setdefault((row["基準日"], f"{request}の前に{level}の項目"), []).append(item)
    told = [(row["基準日"], *str(row["内容"]).split("：", 1)) for row in after if "の前に" in str(row["内容"])]
    assert {(day, label): items.split("、") for day, label, items in told} == found
    assert len(after) - len(told) == len([row for row in before if "／項目：（空欄）／" in str(row["内容"])]) > 0


def test_a_draft_that_was_changed_releases_nothing(centre, capsys):
    draft = centre.drafted(SUPPORTED)
    filled = fill(draft, ALL)

    def changed(change, sheet: str = "会議・学校・支援") -> str:
        book = openpyxl.load_workbook(filled)
        change(book[sheet])
        book.save(filled.with_name("変更.xlsx"))
        return released(centre, filled.with_name("変更.xlsx"), capsys)

    assert "holds another 内容 than the draft had" in changed(lambda sheet: sheet.cell(5, 4, "書き換えた"))
    assert "1 rows of the draft are missing" in changed(lambda sheet: sheet.delete_rows(5))
    assert "one that stands twice" in changed(lambda sheet: sheet.cell(6, 1, sheet.cell(5, 1).value))
    assert "has no number of the draft" in changed(lambda sheet: sheet.cell(5, 1, 99_999))
    # of two rows of a table neither is taken for what was said of it
    for other in ("sources.epds", "sources.nothing"):
        err = changed(lambda sheet, other=other: sheet.append([other, None, None, None, "開示"]), "表ごとの区分")
        assert "has no 表ID of the draft, or one that stands twice; nothing was released" in err
    # of another request, or no draft at all
    ((other,),) = centre.query("select min(resident_id) from linkage.children where not protected")
    assert "is none for 開示 about this person" in released(centre, filled, capsys, other)
    made = centre.data / CENTRE / "他.xlsx"
    openpyxl.Workbook().save(made)
    assert "他.xlsx: is no draft of `rights disclose`" in released(centre, made, capsys)
    assert "ない.xlsx: no such file" in released(centre, made.with_name("ない.xlsx"), capsys)


def test_a_draft_of_other_records_than_those_of_now_releases_nothing(centre, capsys):
    """What only the looking adds to the log makes no draft old; a changed record does."""
    filled = fill(centre.drafted(SUPPORTED), ALL)
    assert centre.disclose(SUPPORTED, "--release", filled, "--dry-run") == 0
    centre.change("update review.support set report = 'x' where child_key = $1", centre.child_key(SUPPORTED))
    assert "is not what the draft shows any more" in released(centre, filled, capsys)


def test_what_becomes_of_other_requests_makes_no_draft_old(centre, capsys):
    """Two requests of one person, each answered by its own draft; a stop between them."""
    first = centre.drafted(SUPPORTED)
    second = centre.drafted(SUPPORTED)
    assert centre.disclose(SUPPORTED, "--release", fill(first, ALL)) == 0
    with connect(centre.settings.database) as con:
        stop(con, "2025-0001", SUPPORTED, centre.child_key(SUPPORTED), dt.datetime.now(dt.UTC))
    assert centre.disclose(SUPPORTED, "--release", fill(second, ALL)) == 0
    assert centre.query("select distinct state from rights.requests") == [("開示決定",)]


@pytest.mark.parametrize(
    ("text", "headers"),
    [
        ("氏名、住所", {"氏名、住所"}),
        ("氏名，住所; 氏名", {"氏名、住所", "氏名"}),
        ("住所、氏名", None),
        (" ", None),
    ],
)
def test_an_item_whose_name_holds_a_comma_can_be_left_out(text, headers):
    record = Record("", "", "", None, (Field("氏名", ""), Field("氏名、住所", "")), ())
    row = ReturnedRow(Place("f", None, 5), {"区分": "一部開示", "除く項目": text, "開示しない理由": "理由"})
    decided = _decision(row, None, record)
    assert (decided.left_out if isinstance(decided, Decision) else None) == headers


def test_a_protected_child_waits_for_a_second_role(centre, capsys):
    """Who asks for it may be who it is protected from."""
    assert centre.disclose(PROTECTED, "--capacity", "法定代理人") == 2
    err = capsys.readouterr().err
    request = "-".join(err.split("request ")[1].split()[0].split("-"))
    assert (
        "is registered and stops here: the person is protected (支援措置), has or may have an open case of abuse" in err
    )
    assert PROTECTED not in err
    assert centre.files() == []
    assert centre.query("select state, capacity, confirmed_by from rights.requests") == [
        ("確認待ち", "法定代理人", None)
    ]
    for role, why in (
        (OFFICER, "--role: no such role, expected one of こども未来センター長・個人情報保護担当 (rights.confirming)"),
        ("通りすがり", "--role: no such role"),
    ):
        assert centre.disclose(PROTECTED, "--confirm", request, asker=["--role", role, "--reason", "確認"]) == 2
        assert why in capsys.readouterr().err
    second = ["--role", SECOND, "--reason", "本人と面接した"]
    assert centre.disclose(SUPPORTED, "--confirm", request, asker=second) == 2
    assert "is none for 開示 about this person" in capsys.readouterr().err
    assert centre.files() == []
    assert centre.disclose(PROTECTED, "--confirm", request, asker=second) == 0
    assert centre.files() == [CENTRE / f"開示_{request}_案.xlsx"]
    assert centre.query("select state, confirmed_by from rights.requests") == [("案を作成", SECOND)]
    assert centre.query("select command, role, reason, request from rights.accesses order by all") == [
        ("rights disclose", OFFICER, "本人の請求", request),
        ("rights disclose --confirm", SECOND, "本人と面接した", request),
    ]


def test_who_asked_does_not_confirm(centre, capsys):
    asker = ["--role", SECOND, "--reason", "請求"]
    assert centre.disclose(PROTECTED, "--capacity", "本人", asker=asker) == 2
    ((request,),) = centre.query("select request from rights.requests")
    capsys.readouterr()
    assert centre.disclose(PROTECTED, "--confirm", request, asker=asker) == 2
    assert "was made by this role, expected a second one" in capsys.readouterr().err
    assert centre.files() == []


@pytest.mark.parametrize(
    ("change", "stops"),
    [
        ("consultation_type = 'ネグレクト', closed_on = null", True),
        # what nobody could read may be one; a day to come is no end
        ("consultation_type = null, closed_on = null", True),
        ("consultation_type = 'ネグレクト', closed_on = date '2999-01-01'", True),
        ("consultation_type = 'ネグレクト', closed_on = received_on", False),
        ("consultation_type = '不登校', closed_on = null", False),
    ],
)
def test_an_open_case_of_abuse_waits_too(centre, capsys, change, stops):
    ((number,),) = centre.query(
        "select min(child_resident_id) from sources.child_consultations where child_resident_id in "
        "(select resident_id from linkage.children where not protected)"
    )
    centre.change(f"update sources.child_consultations set {change} where child_resident_id = $1", number)
    centre.change("delete from sources.ssw_records")
    assert centre.disclose(number, "--capacity", "本人", "--dry-run") == 0
    said = "a second role would have to confirm it" if stops else "it would need no second role"
    assert capsys.readouterr().out.endswith(f"{said}\n")


@pytest.mark.parametrize(("answer", "stops"), [(None, True), ("pending", True), ("different", False)])
def test_an_open_case_of_abuse_that_waits_in_the_clerical_review_waits_too(centre, capsys, answer, stops):
    """Nobody has said yet whose the record is; it may be this child's."""
    centre.change(
        "insert into sources.child_consultations by name select reference_date, 'c.csv' as source_file, "
        "1 as source_row, [] as invalid_cells, [] as unknown_cells, 'C-NEW' as consultation_id, "
        "'ネグレクト' as consultation_type, reference_date as received_on from sources.deliveries limit 1"
    )
    centre.change(
        "insert into linkage.asked by name select date '2025-04-01' as reference_date, "
        "'child_consultations' as table_name, 'C-NEW' as person_ref, $1 as child_key, now() as asked_at",
        centre.child_key(SUPPORTED),
    )
    if answer:
        centre.change(
            "insert into linkage.answers by name select date '2025-04-01' as reference_date, "
            "'child_consultations' as table_name, 'C-NEW' as person_ref, $1 as child_key, $2 as answer, "
            "'判定者' as decided_by, date '2025-04-02' as decided_on, 'a.xlsx' as file, 1 as row_number, "
            "now() as read_at",
            centre.child_key(SUPPORTED),
            answer,
        )
    assert centre.disclose(SUPPORTED, "--capacity", "本人", "--dry-run") == 0
    said = "a second role would have to confirm it" if stops else "it would need no second role"
    assert capsys.readouterr().out.endswith(f"{said}\n")


def test_a_stopped_child_waits_for_a_second_role_and_its_draft_lacks_nothing(centre, capsys):
    """What reaches a stopped child by name serves nothing any more, and is the child's all the same."""
    with connect(centre.settings.database) as con:
        stop(con, "2025-0001", SUPPORTED, centre.child_key(SUPPORTED), dt.datetime(2025, 5, 1, tzinfo=dt.UTC))
    # as a refresh since then leaves it
    centre.change("insert into linkage.stopped_links by name from linkage.links where child_key = $1", centre.child_key(SUPPORTED))  # fmt: skip
    centre.change("delete from linkage.links where child_key = $1", centre.child_key(SUPPORTED))
    # nor does one role alone learn which tables have rows
    assert centre.disclose(SUPPORTED, "--capacity", "法定代理人", "--dry-run") == 0
    assert capsys.readouterr().out == "a second role would have to confirm it\n"
    assert centre.disclose(SUPPORTED, "--capacity", "法定代理人") == 2
    assert "was stopped (利用停止)" in capsys.readouterr().err
    ((request,),) = centre.query("select request from rights.requests")
    assert centre.disclose(SUPPORTED, "--confirm", request, asker=["--role", SECOND, "--reason", "確認した"]) == 0
    (draft,) = centre.files()
    tables = {row["表"] for row in rows_of(centre.data / draft)}
    assert {"校務支援学籍", "出欠", "成績", "利用停止中の児童に結び付く記録"} <= tables


def test_what_came_since_the_draft_waits_for_a_second_role_too(centre, capsys):
    """Between draft and release the household comes under 支援措置."""
    filled = fill(centre.drafted(SUPPORTED), ALL)
    centre.change("update sources.resident_register set protection = true where resident_id = $1", SUPPORTED)
    ((request,),) = centre.query("select request from rights.requests")
    capsys.readouterr()
    for given in (["--dry-run"], []):
        assert centre.disclose(SUPPORTED, "--release", filled, *given) == 2
        assert "since its draft was made the person is protected (支援措置)" in capsys.readouterr().err
        assert centre.query("select state from rights.requests") == [("案を作成" if given else "確認待ち",)]
    assert [path.name for path in centre.files() if "案" not in path.name] == ["記入済.xlsx"]
    assert centre.disclose(SUPPORTED, "--release", filled) == 2
    assert "its state is 確認待ち, expected 案を作成" in capsys.readouterr().err
    second = ["--role", SECOND, "--reason", "面接した"]
    assert centre.disclose(SUPPORTED, "--confirm", request, asker=second) == 0
    draft = centre.data / CENTRE / f"開示_{request}_案.xlsx"
    assert all("1号" in str(row["あたりうる78条1項"]) for row in rows_of(draft))
    # what was decided before anybody knew is not released
    assert centre.disclose(SUPPORTED, "--release", filled) == 2
    assert centre.disclose(SUPPORTED, "--release", fill(draft, ALL)) == 0


def test_a_request_that_nobody_could_confirm_is_not_registered(centre, capsys):
    with (centre.data / "city.yaml").open("a", encoding="utf-8") as file:
        file.write(f"rights: {{confirming: [{SECOND}]}}\n")
    alone = ["--role", SECOND, "--reason", "本人の請求"]
    for given in (["--dry-run"], []):
        assert centre.disclose(PROTECTED, "--capacity", "本人", *given, asker=alone) == 2
        assert "rights.confirming names no other one than this" in capsys.readouterr().err
    assert centre.query("from rights.requests") == []
    # whom nobody has to confirm may be asked for by that role
    assert centre.disclose(SUPPORTED, "--capacity", "本人", asker=alone) == 0


@pytest.mark.parametrize(
    ("roles", "why"),
    [
        (["職員", "職員"], "found one twice, expected each once"),
        (["職員", "長 "], "found '長 ', which no `--role` equals; take away the blanks at its ends"),
    ],
)
def test_roles_that_nobody_could_confirm_by_are_refused(roles, why):
    with pytest.raises(ValueError, match=re.escape(why)):
        Rights(roles=roles, confirming=["職員"], abuse=[], grounds={})


def test_a_dry_run_tells_counts_is_logged_and_writes_nothing(centre, capsys):
    assert centre.disclose(SUPPORTED, "--capacity", "本人", "--dry-run") == 0
    out = capsys.readouterr().out
    ((rows,),) = centre.query("select count(*) from screening.contributions where child_key = $1", centre.child_key(SUPPORTED))  # fmt: skip
    assert f"screening.contributions: {rows}\n" in out
    assert centre.files() == []
    assert centre.query("from rights.requests") == []
    assert centre.query("select command, dry_run, resident_id, request from rights.accesses") == [
        ("rights disclose", True, SUPPORTED, None)
    ]


@pytest.mark.parametrize(
    ("number", "asker", "given", "told"),
    [
        (SUPPORTED, [], ["--capacity", "本人"], "--role: nothing was given"),
        (SUPPORTED, ["--role", OFFICER, "--reason", " "], ["--capacity", "本人"], "--reason: nothing was given"),
        (SUPPORTED, ASKER, [], "--capacity: nothing was given, expected who asks: one of 本人・法定代理人・任意代理人"),
        (SUPPORTED, ASKER, ["--capacity", "法廷代理人"], "did you mean '法定代理人'?"),
        ("0009999999", ASKER, ["--capacity", "本人"], "ID: no table holds anything of such a person"),
        ("花子", ASKER, ["--capacity", "本人"], "ID: no table holds anything of such a person"),
        (SUPPORTED, ASKER, ["--confirm", "2020-0001"], "--role: no such role, expected one of"),
    ],
)
def test_what_is_not_to_be_answered_is_refused_and_changes_nothing(centre, capsys, number, asker, given, told):
    before = centre.query("select count(*) from rights.accesses")
    assert centre.disclose(number, *given, asker=asker) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert told in err
    assert number not in err
    assert centre.files() == []
    assert centre.query("from rights.requests") == []
    assert centre.query("select count(*) from rights.accesses") == before


def test_the_number_may_be_typed_and_only_the_data_folder_holds_what_is_stored(centre, capsys, monkeypatch):
    """Nothing of the person is printed: counts, the request and the file's name."""
    monkeypatch.setattr("sys.stdin", io.StringIO("428234\n"))
    assert centre.disclose("-", "--capacity", "本人") == 0
    out, err = capsys.readouterr()
    (draft,) = centre.files()
    content = "".join(str(row["内容"]) for row in rows_of(centre.data / draft))
    ((name, address),) = centre.query("select distinct name, address from sources.resident_register where resident_id = $1 and reference_date = date '2025-04-01'", SUPPORTED)  # fmt: skip
    for told in (name, address, SUPPORTED, centre.child_key(SUPPORTED)):
        assert told in content
        assert told not in out + err
        assert told not in str(draft)
    assert err == "宛名番号: "


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="only root may give a file away")
def test_another_account_is_refused(centre, capsys):
    os.chown(centre.settings.database, 65534, -1)
    assert centre.disclose(SUPPORTED, "--capacity", "本人") == 2
    assert "belongs to another account" in capsys.readouterr().err


def test_no_text_is_cut_where_a_row_can_be_no_higher(centre, capsys):
    note = "長い所見。" * 500
    centre.change("update review.personal_sheets set teacher_note = $2 where child_key = $1", centre.child_key(SUPPORTED), note)  # fmt: skip
    draft = centre.drafted(SUPPORTED)
    (sheet,) = [str(row["内容"]) for row in rows_of(draft) if row["表"] == "学校から戻った個人票"]
    assert f"担任所見：{note}／" in sheet
    assert all(lines_of(part, 88) * 15 <= 409 for part in parts_of(sheet))
    assert centre.disclose(SUPPORTED, "--release", fill(draft, ALL)) == 0
    (told,) = [str(row["内容"]) for row in rows_of(draft.with_name(draft.name.replace("_案", ""))) if row["表"] == "学校から戻った個人票"]  # fmt: skip
    assert note in told


def test_of_a_school_whose_files_are_a_class_s_every_one_may_have_held_the_child():
    with in_memory() as con:
        create_tables(con, load_catalogue())
        con.execute("create temp table subject_numbers as select 'child_key' as kind, 'a' as number")
        con.execute(
            "insert into review.listed_children by name select date '2025-04-01' as reference_date, 'a' as child_key, "
            "4 as school_year, '南小学校' as school"
        )
        names = ("南小学校", "南小学校_小4_01組", "南小学校_小4_組不明", "南小学校分校_小4_01組", "北小学校_小4_01組")
        for name in names:
            con.execute(
                "insert into review.exports by name select date '2025-04-01' as reference_date, '個人票' as kind, "
                "'個人票_' || $1 || '.xlsx' as file, now() as exported_at, 1 as children, '1' as weights_version, "
                "unnest(['x', '']) as fingerprint",
                [name],
            )
        parameters = {"told": [], "meeting": "", "keys": "", "sheet": "個人票", "list": "支援対象者", "review": "", "centre": ""}  # fmt: skip
        run_sql(con, "kodomo_assets.doors.rights", "files", parameters | {"class_file": CLASS_FILE})
        # a line of the log on a file that is not made any more is none of its writings
        assert con.execute("select file, recipient from own_files order by file").fetchall() == [
            ("個人票_南小学校.xlsx", "南小学校"),
            ("個人票_南小学校_小4_01組.xlsx", "南小学校"),
            ("個人票_南小学校_小4_組不明.xlsx", "南小学校"),
        ]
