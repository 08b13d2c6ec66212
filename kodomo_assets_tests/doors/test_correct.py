"""``rights correct``: what a person can have corrected, from the draft over later deliveries to its end.

The centre reads files of its own, written here by hand, and corrects them; no date is refreshed whole
(defs/test_stops.py).
"""

from __future__ import annotations

import datetime as dt
import shutil
from collections.abc import Mapping
from pathlib import Path

import openpyxl
import pytest

from kodomo_assets.__main__ import main
from kodomo_assets.catalogue import load_catalogue
from kodomo_assets.store import forgetting
from kodomo_assets.store.connection import connect
from kodomo_assets.store.corrections import correctable
from kodomo_assets_tests.defs.conftest import DAY, Office, checks, office_folder, said

__all__ = ["office_folder"]

NEXT = "2025-09-01"
WHO, OTHER = f"{1:010d}", f"{2:010d}"
OFFICER, SECOND = "こども未来センター職員", "個人情報保護担当"
CENTRE = Path("outbox/センター限り")
REGISTER = "宛名番号,世帯番号,氏名,氏名カナ,生年月日,性別,続柄,住所,国籍,支援措置"
ROWS = (
    "1,1,山田 花子,ヤマダ ハナコ,2015-05-05,女,子,北町1-1,日本,無",
    "2,1,山田 葉子,ヤマダ ヨウコ,1985-01-02,女,世帯主,北町1-1,日本,無",
)
CHECKUPS = "宛名番号,健診種別,対象年月,受診日,判定"


@pytest.fixture(scope="module")
def registered(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two people of one household in the register of a date: to be copied."""
    folder = tmp_path_factory.getbasetemp() / "office"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(mode=0o700)
    office = Office(folder)
    office.deliver("住民記録.csv", REGISTER, *ROWS)
    assert office.materialize("sources.resident_register").success
    return Path(shutil.copytree(folder, tmp_path_factory.mktemp("registered") / "office"))


@pytest.fixture
def centre(registered: Path, office_folder: Path, monkeypatch: pytest.MonkeyPatch) -> Office:
    shutil.copytree(registered, office_folder, dirs_exist_ok=True)
    made = Office(office_folder)
    monkeypatch.setenv("KODOMO_DATA_DIR", str(made.settings.data_dir))
    monkeypatch.setenv("KODOMO_KEY_FILE", str(made.settings.key_file))
    monkeypatch.delenv("KODOMO_CONFIG", raising=False)
    return made


def correct(*given: object, who: str = WHO, role: str = OFFICER) -> int:
    return main(["rights", "correct", who, "--role", role, "--reason", "本人の請求", *map(str, given)])


def drafted(centre: Office, who: str = WHO) -> Path:
    assert correct("--capacity", "本人", who=who) == 0
    ((request,),) = centre.query("select max(request) from rights.requests")
    return centre.settings.data_dir / CENTRE / f"訂正_{request}_案.xlsx"


def rows_of(book: Path) -> list[dict[str, object]]:
    found = []
    for sheet in openpyxl.load_workbook(book).worksheets:
        headers = [cell.value for cell in sheet[4]]
        if "項目" in headers:
            for cells in sheet.iter_rows(min_row=5, values_only=True):
                found.append(dict(zip(headers, cells, strict=True)) | {"sheet": sheet.title})
    return found


def fill(draft: Path, corrections: Mapping[tuple[str, str], tuple[str, ...]]) -> Path:
    """The draft as an officer sends it back: (table, item) -> 訂正後, いつの基準日から, 訂正の理由."""
    book = openpyxl.load_workbook(draft)
    left = dict(corrections)
    for (table, item), texts in corrections.items():
        sheet = book[table]
        for row in range(5, sheet.max_row + 1):
            if sheet.cell(row, 5).value == item and (table, item) in left:
                for column, text in zip((7, 8, 9), texts, strict=False):
                    sheet.cell(row, column).value = text or None
                del left[table, item]
    assert not left
    filled = draft.with_name("記入済.xlsx")
    book.save(filled)
    return filled


def births(centre: Office) -> list[tuple]:
    return centre.query(
        "select reference_date::varchar, resident_id, birth_date::varchar, invalid_cells "
        "from sources.resident_register order by all"
    )


def files(centre: Office) -> list[str]:
    return sorted(path.name for path in (centre.settings.data_dir / CENTRE).glob("*"))


BIRTH = {("住民記録", "生年月日"): ("2014-05-05",)}


def test_the_draft_shows_the_own_rows_cell_by_cell_and_no_number(centre, capsys):
    centre.deliver("乳幼児健診.csv", CHECKUPS, "1,3歳,2018-11,,異常なし", "2,3歳,2018-11,,要観察")
    assert centre.materialize("sources.infant_checkups").success
    rows = rows_of(drafted(centre))
    assert [(row["番号"], row["項目"], row["保有している内容"]) for row in rows if row["表"] == "住民記録"] == [
        (1, "氏名", "山田 花子"),
        (2, "氏名カナ", "ヤマダ ハナコ"),
        (3, "生年月日", "2015-05-05"),
        (4, "性別", "女"),
        (5, "続柄", "子"),
        (6, "住所", "北町1-1"),
        (7, "行政区", "（空欄）"),
        (8, "国籍", "日本"),
        (9, "住民となった日", "（空欄）"),
        (10, "消除日", "（空欄）"),
    ]
    assert [(row["記録"], row["項目"], row["保有している内容"]) for row in rows if row["表"] == "乳幼児健診"] == [
        ("健診種別：3歳", "対象年月", "2018-11-01"),
        ("健診種別：3歳", "受診日", "（空欄）"),
        ("健診種別：3歳", "判定", "異常なし"),
    ]
    assert WHO not in str(rows)
    out, err = capsys.readouterr()
    assert "sources.resident_register: 10 cells\n" in out
    assert not any(told in out + err for told in (WHO, "花子", "2015"))


def test_a_correction_counts_in_what_is_stored_and_in_what_is_delivered_until_the_office_mends_it(centre, capsys):
    draft = drafted(centre)
    capsys.readouterr()
    assert correct("--apply", fill(draft, BIRTH)) == 0
    out, err = capsys.readouterr()
    assert "sources.resident_register: 1 cells are corrected, at 1 reference dates\n" in out
    assert "whether the person is a child of a list, of which school and year, rests on them\n" in out
    assert not any(told in out + err for told in (WHO, "花子", "2014", "2015", "生年月日"))
    assert births(centre) == [(DAY, WHO, "2014-05-05", []), (DAY, OTHER, "1985-01-02", [])]
    assert centre.query("select state from rights.requests") == [("訂正決定",)]

    # the same files: nothing is read again, and the correction stands
    result = centre.materialize("sources.resident_register")
    assert result.success
    assert checks(result)["corrections_in_effect"]
    assert births(centre)[0] == (DAY, WHO, "2014-05-05", [])
    # another file with the same value
    centre.deliver("住民記録.csv", REGISTER, *ROWS, "3,3,佐藤 一,サトウ ハジメ,1970-01-01,男,世帯主,南町,日本,無")
    assert centre.materialize("sources.resident_register").success
    assert births(centre)[0] == (DAY, WHO, "2014-05-05", [])
    # a later date; and there another value, which counts
    centre.deliver("住民記録.csv", REGISTER, *ROWS, day=NEXT)
    result = centre.materialize("sources.resident_register", day=NEXT)
    assert checks(result)["corrections_in_effect"]
    assert births(centre)[-2] == (NEXT, WHO, "2014-05-05", [])
    mended = [ROWS[0].replace("2015-05-05", "2013-05-05"), ROWS[1]]
    centre.deliver("住民記録.csv", REGISTER, *mended, day=NEXT)
    result = centre.materialize("sources.resident_register", day=NEXT)
    assert result.success
    assert births(centre)[-2] == (NEXT, WHO, "2013-05-05", [])
    assert not checks(result)["corrections_in_effect"]
    told = said(result, "corrections_in_effect")
    assert told.startswith("住民記録: 1 corrections have no effect at 2025-09-01 (生年月日 1)")
    assert not any(secret in told for secret in (WHO, "2013", "2014", "2015"))
    assert centre.query("select reference_date::varchar, request from sources.corrected") == [
        (DAY, centre.query("select request from rights.requests")[0][0])
    ]

    ((request,),) = centre.query("select request from rights.requests")
    capsys.readouterr()
    assert correct("--end", request, "--dry-run") == 0
    assert births(centre)[0] == (DAY, WHO, "2014-05-05", [])
    assert correct("--end", request) == 0
    assert births(centre)[0] == (DAY, WHO, "2015-05-05", [])
    assert births(centre)[-2] == (NEXT, WHO, "2013-05-05", [])
    assert checks(centre.materialize("sources.resident_register", day=NEXT))["corrections_in_effect"]
    assert centre.query("from sources.corrected") == []
    assert centre.query("select state from rights.requests") == [("解除",)]
    assert centre.query("select command, dry_run from rights.accesses order by all") == [
        ("rights correct", False),
        ("rights correct --apply", False),
        ("rights correct --end", False),
        ("rights correct --end", True),
    ]


def test_what_the_office_mends_is_no_warning_and_what_it_keys_or_values_otherwise_is_one(centre, capsys):
    """The office delivers the right value, the row under another key, no row, and another value, which is corrected."""
    aid, one = "児童宛名番号,年度,認定区分,認定日", "1,2024,準要保護,2024-07-01"

    def told(row: str | None, *, day: str = DAY) -> str | None:
        centre.deliver("就学援助.csv", aid, *([row] if row else []), "2,2024,準要保護,2024-07-01", day=day)
        result = centre.materialize("sources.school_expense_aid", day=day)
        assert result.success
        return None if checks(result)["corrections_in_effect"] else said(result, "corrections_in_effect")

    def stored() -> list[tuple]:
        return centre.query("select reference_date::varchar, fiscal_year, certification from sources.school_expense_aid where child_resident_id = '0000000001' order by all")  # fmt: skip

    assert told(one) is None
    assert correct("--apply", fill(drafted(centre), {("就学援助", "認定区分"): ("否認定",)})) == 0
    assert stored() == [(DAY, 2024, "否認定")]
    assert told(one.replace("準要保護", "否認定"), day=NEXT) is None
    # the wrong value under another key, and the row gone: said once, and again while it stands nowhere
    moved = told(one.replace("2024,", "2023,"), day=NEXT)
    assert moved is not None
    assert moved.startswith(
        f"就学援助: 1 corrections have no effect at {NEXT} (認定区分 1): of 1 the row is not delivered"
    )
    assert told(None, day=NEXT) == moved
    assert told(None, day="2026-04-01") is None
    assert told(None) is not None
    # another value: that one counts, and is corrected without an end of the first
    assert told(one) is None
    assert "of 1 the office delivers another value" in str(told(one.replace("準要保護", "要保護"), day=NEXT))
    draft = drafted(centre)
    assert [row["保有している内容"] for row in rows_of(draft) if row["項目"] == "認定区分"] == ["要保護"]
    assert correct("--apply", fill(draft, {("就学援助", "認定区分"): ("否認定",)})) == 0
    first, second = (request for (request,) in centre.query("select request from rights.requests order by request"))
    effect = "select reference_date::varchar, request from sources.corrected order by all"
    assert centre.query(effect) == [(DAY, first), (NEXT, second)]
    # at both dates 否認定 stands, of two corrections: each takes back its own
    assert told(one.replace("準要保護", "要保護") + " ", day=NEXT) is None
    assert centre.query(effect) == [(DAY, first), (NEXT, second)]
    assert correct("--end", second) == 0
    assert stored() == [(DAY, 2024, "否認定"), (NEXT, 2024, "要保護")]
    capsys.readouterr()
    assert correct("--end", first) == 0
    assert "sources.school_expense_aid: 1 cells are as the office delivered them, at 1 reference dates\n" in capsys.readouterr().out  # fmt: skip
    assert stored() == [(DAY, 2024, "準要保護"), (NEXT, 2024, "要保護")]


def test_a_correction_of_what_another_one_put_there_leaves_that_alone(centre):
    """The office delivers as right what was corrected to, and then that is wrong too."""
    assert correct("--apply", fill(drafted(centre), BIRTH)) == 0
    centre.deliver("住民記録.csv", REGISTER, ROWS[0].replace("2015-05-05", "2014-05-05"), ROWS[1], day=NEXT)
    assert centre.materialize("sources.resident_register", day=NEXT).success
    assert correct("--apply", fill(drafted(centre), {("住民記録", "生年月日"): ("2013-05-05",)})) == 0
    assert [birth for _, who, birth, _ in births(centre) if who == WHO] == ["2014-05-05", "2013-05-05"]
    assert centre.query("select count(*) from sources.corrected") == [(2,)]
    for (request,) in centre.query("select request from rights.requests order by request"):
        assert correct("--end", request) == 0
    assert [birth for _, who, birth, _ in births(centre) if who == WHO] == ["2015-05-05", "2014-05-05"]


def test_a_cell_that_could_not_be_read_has_a_value_and_has_none_again(centre):
    """What is corrected is no invalid cell any more; another row of the person and another person's stay."""
    rows = ("1,1歳6か月,2016-11,2016-11-02,異常なし", "1,3歳,2018-11,いつか,異常なし", "2,3歳,2018-11,いつか,異常なし")
    centre.deliver("乳幼児健診.csv", CHECKUPS, *rows)
    assert centre.materialize("sources.infant_checkups").success

    def attended() -> list[tuple]:
        return centre.query("select resident_id, checkup_type, attended_on::varchar, invalid_cells from sources.infant_checkups order by all")  # fmt: skip

    before = attended()
    draft = drafted(centre)
    told = {row["記録"]: (row["番号"], row["保有している内容"]) for row in rows_of(draft) if row["項目"] == "受診日"}
    assert {record: held for record, (_, held) in told.items()} == {
        "健診種別：1歳6か月": "2016-11-02",
        "健診種別：3歳": "（読めなかった）",
    }
    book = openpyxl.load_workbook(draft)
    sheet = book["乳幼児健診"]
    (row,) = [row for row in range(5, sheet.max_row + 1) if sheet.cell(row, 1).value == told["健診種別：3歳"][0]]
    for column, text in ((7, "平成30年11月8日"), (8, DAY), (9, "診察券で確かめた")):
        sheet.cell(row, column).value = text
    book.save(draft)
    assert correct("--apply", draft) == 0
    after = [(WHO, "1歳6か月", "2016-11-02", []), (WHO, "3歳", "2018-11-08", []), (OTHER, "3歳", None, ["attended_on"])]
    assert attended() == after
    assert centre.query("select found, found_mark, corrected, reason, role from rights.corrections") == [
        (None, "invalid", "2018-11-08", "診察券で確かめた", OFFICER)
    ]
    # read anew, corrected anew
    centre.deliver("乳幼児健診.csv", CHECKUPS, *rows[:2])
    assert centre.materialize("sources.infant_checkups").success
    assert attended() == after[:2]
    assert correct("--end", *centre.query("select request from rights.requests")[0]) == 0
    assert attended() == before[:2]


def test_the_file_for_the_person_says_what_was_corrected_and_who_is_told(centre):
    draft = drafted(centre)
    assert correct("--apply", fill(draft, BIRTH | {("住民記録", "住所"): ("（空欄）",)})) == 0
    made = draft.with_name(draft.name.replace("_案", ""))
    assert made.stat().st_mode & 0o777 == 0o600
    assert [(row["表"], row["項目"], row["訂正前"], row["訂正後の内容"], row["いつの基準日から"]) for row in rows_of(made)] == [
        ("住民記録", "生年月日", "2015-05-05", "2014-05-05", DAY),
        ("住民記録", "住所", "北町1-1", "（空欄）", DAY),
    ]  # fmt: skip
    facts = {row[0]: row[1] for row in openpyxl.load_workbook(made)["案内"].iter_rows(values_only=True)}
    assert facts["この内容で決まること"] == "対象児童かどうか、学校と学年"
    assert facts["通知する提供先（97条）"] == "\n".join(load_catalogue().registry.recipients)
    assert WHO not in str(facts) + str(rows_of(made))
    assert centre.query("select address from sources.resident_register order by resident_id") == [(None,), ("北町1-1",)]
    # 開示 shows the correction, and what is stored is corrected
    assert main(["rights", "disclose", WHO, "--role", OFFICER, "--reason", "請求", "--capacity", "本人"]) == 0
    (shown,) = (centre.settings.data_dir / CENTRE).glob("開示_*")
    text = str([[cell.value for cell in row] for sheet in openpyxl.load_workbook(shown) for row in sheet])
    assert "／生年月日：2014-05-05／" in text
    assert "／見つけたときの値：2015-05-05／" in text


@pytest.mark.parametrize(
    ("corrections", "why"),
    [
        ({}, "no row has a 訂正後, expected one at least"),
        ({("住民記録", "生年月日"): ("昨日",)}, "sheet 2, row 7: 訂正後 cannot be read (not_a_date), expected a date"),
        ({("住民記録", "生年月日"): ("2035-05-05",)}, "訂正後 cannot be read (out_of_range)"),
        ({("住民記録", "性別"): ("不詳",)}, "訂正後 cannot be read (not_a_known_code), expected one of 男・女"),
        ({("住民記録", "生年月日"): ("平成27年5月5日",)}, "訂正後 is what is stored"),
        ({("住民記録", "生年月日"): ("（空欄）",)}, "訂正後 is blank, expected a value"),
        ({("住民記録", "生年月日"): ("2014-05-05", NEXT)}, f"いつの基準日から is no reference date at which the row holds this, expected one of {DAY}"),
        ({("住民記録", "生年月日"): ("", DAY)}, "has a いつの基準日から or 訂正の理由 but no 訂正後"),
    ],
)  # fmt: skip
def test_what_cannot_be_taken_is_refused_by_its_place_and_changes_nothing(centre, capsys, corrections, why):
    filled = fill(drafted(centre), corrections)
    before = births(centre)
    capsys.readouterr()
    assert correct("--apply", filled) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert why in err
    assert not any(told in err for told in (WHO, "昨日", "2035", "2014", "花子"))
    assert births(centre) == before
    assert centre.query("from rights.corrections") == []
    assert centre.query("select state from rights.requests") == [("案を作成",)]


def test_a_draft_of_another_state_or_person_and_a_changed_one_are_refused(centre, capsys):
    draft = drafted(centre)
    filled = fill(draft, BIRTH)
    assert correct("--apply", filled, who=OTHER) == 2
    assert "is none for 訂正 about this person" in capsys.readouterr().err
    book = openpyxl.load_workbook(filled)
    book["住民記録"].cell(5, 6).value = "山田 太郎"
    book.save(draft.with_name("変更.xlsx"))
    assert correct("--apply", draft.with_name("変更.xlsx")) == 2
    assert "holds another 項目 or 保有している内容 than the draft had" in capsys.readouterr().err
    assert correct("--apply", draft.with_name("ない.xlsx")) == 2
    assert "ない.xlsx: no such file" in capsys.readouterr().err
    openpyxl.Workbook().save(draft.with_name("他.xlsx"))
    assert correct("--apply", draft.with_name("他.xlsx")) == 2
    assert "他.xlsx: is no draft of `rights correct`" in capsys.readouterr().err
    assert correct("--apply", filled) == 0
    capsys.readouterr()
    assert correct("--apply", filled) == 2
    assert "its state is 訂正決定, expected 案を作成" in capsys.readouterr().err
    # what is corrected is corrected once: another request ends that one first
    again = drafted(centre)
    (birth,) = [row for row in rows_of(again) if row["項目"] == "生年月日"]
    assert str(birth["保有している内容"]).startswith("2014-05-05（2")
    assert correct("--apply", fill(again, {("住民記録", "生年月日"): ("2013-05-05",)})) == 2
    assert "is corrected already by" in capsys.readouterr().err
    # a draft of before a correction is old
    old = drafted(centre)
    assert correct("--apply", fill(again, {("住民記録", "氏名"): ("山田 華子",)})) == 0
    assert correct("--apply", fill(old, {("住民記録", "続柄"): ("世帯主",)})) == 2
    assert "is not what the draft shows any more" in capsys.readouterr().err


def test_a_correction_from_a_later_date_on_leaves_what_was_before(centre):
    centre.deliver("住民記録.csv", REGISTER, *ROWS, day=NEXT)
    assert centre.materialize("sources.resident_register", day=NEXT).success
    draft = drafted(centre)
    (address,) = [row for row in rows_of(draft) if row["項目"] == "住所"]
    assert address["基準日"] == NEXT
    assert correct("--apply", fill(draft, {("住民記録", "住所"): ("南町2", NEXT)})) == 0
    found = "select reference_date::varchar, address from sources.resident_register where resident_id = '0000000001' order by all"  # fmt: skip
    assert centre.query(found) == [(DAY, "北町1-1"), (NEXT, "南町2")]
    # read anew, the earlier one too
    for day in (DAY, NEXT):
        centre.deliver(
            "住民記録.csv", REGISTER, *ROWS, "3,3,佐藤 一,サトウ ハジメ,1970-01-01,男,世帯主,南町,日本,無", day=day
        )
        assert centre.materialize("sources.resident_register", day=day).success
    assert centre.query(found) == [(DAY, "北町1-1"), (NEXT, "南町2")]


@pytest.mark.parametrize("blank", ["（空欄）", "(空欄)", "空欄", " 空 欄 "])
def test_what_says_blank_is_no_text(centre, capsys, blank):
    assert correct("--apply", fill(drafted(centre), {("住民記録", "国籍"): (blank,)})) == 0
    assert "whether the person is a child of a list" not in capsys.readouterr().out
    assert centre.query("select nationality from sources.resident_register order by resident_id") == [
        (None,),
        ("日本",),
    ]


@pytest.mark.parametrize(("item", "text", "taken"), [("設問10", "3", False), ("設問10", "2", True), ("合計点", "1", True), ("合計点", "0", False)])  # fmt: skip
def test_a_number_does_not_exceed_its_neighbour_whichever_is_corrected(centre, capsys, item, text, taken):
    centre.deliver("EPDS.csv", "母宛名番号,児宛名番号,実施日,合計点,設問10", "2,1,2015-06-05,2,1")
    assert centre.materialize("sources.epds").success
    filled = fill(drafted(centre), {("EPDS", item): (text,)})
    assert correct("--apply", filled) == (0 if taken else 2)
    assert taken or "設問10 would exceed 合計点, expected at most as much" in capsys.readouterr().err
    if not taken:
        assert correct("--apply", fill(drafted(centre), {("EPDS", "合計点"): ("31",)})) == 2
        assert "cannot be read (out_of_range), expected a int of 0 to 30 as the office" in capsys.readouterr().err


def test_no_number_no_key_and_no_protection_is_corrected_here():
    catalogue = load_catalogue()
    for table in catalogue.tables.values():
        names = {column.name for column in correctable(table)}
        assert not names & {*table.key, "resident_id", "household_id", "protection", "mother_resident_id"}
        # by a pupil's number or a name, a row of a later delivery may be another person's
        assert not names or table.person.resident is not None
    assert {table.id for table in catalogue.tables.values() if correctable(table)} >= {
        "resident_register",
        "school_register",
        "child_consultations",
        "school_expense_aid",
    }


def test_a_protected_person_waits_for_a_second_role(centre, capsys):
    centre.deliver("住民記録.csv", REGISTER, ROWS[0], ROWS[1].removesuffix("無") + "有")
    assert centre.materialize("sources.resident_register").success
    assert correct("--capacity", "法定代理人", "--dry-run") == 0
    assert capsys.readouterr().out == "a second role would have to confirm it\n"
    assert correct("--capacity", "法定代理人") == 2
    err = capsys.readouterr().err
    assert "is registered and stops here: the person is protected (支援措置)" in err
    assert files(centre) == []
    ((request, state),) = centre.query("select request, state from rights.requests")
    assert state == "確認待ち"
    assert correct("--confirm", request) == 2
    assert correct("--confirm", request, role=SECOND) == 0
    assert files(centre) == [f"訂正_{request}_案.xlsx"]
    assert correct("--apply", fill(centre.settings.data_dir / CENTRE / files(centre)[0], BIRTH)) == 0


def test_protection_that_came_since_the_draft_waits_too(centre, capsys):
    filled = fill(drafted(centre), BIRTH)
    with connect(centre.settings.database) as con:
        con.execute("update sources.resident_register set protection = true where resident_id = $1", [OTHER])
    assert correct("--apply", filled) == 2
    assert "since its draft was made the person is protected" in capsys.readouterr().err
    assert centre.query("from rights.corrections") == []
    assert centre.query("select state from rights.requests") == [("確認待ち",)]
    assert correct("--apply", filled) == 2
    assert (
        "its state is 確認待ち, expected 案を作成; a second role confirms it first, with --confirm"
        in capsys.readouterr().err
    )


def test_a_request_ends_without_a_correction_too_and_a_dry_run_changes_nothing(centre, capsys):
    for option, state in (("--refuse", "訂正しない決定"), ("--deliver", "納品で訂正")):
        drafted(centre)
        ((request,),) = centre.query("select max(request) from rights.requests")
        assert correct(option, request, "--dry-run") == 0
        assert centre.query(f"select state from rights.requests where request = '{request}'") == [("案を作成",)]
        assert correct(option, request) == 0
        assert centre.query(f"select state from rights.requests where request = '{request}'") == [(state,)]
        assert correct(option, request) == 2
        assert correct("--end", request) == 2
    filled = fill(drafted(centre), BIRTH)
    before = (births(centre), files(centre))
    capsys.readouterr()
    assert correct("--apply", filled, "--dry-run") == 0
    assert capsys.readouterr().out == "sources.resident_register: 1 cells would be corrected\n"
    assert (births(centre), files(centre)) == before
    assert centre.query("from rights.corrections") == []


@pytest.mark.parametrize(
    ("given", "role", "who", "told"),
    [
        (["--capacity", "本人"], "通りすがり", WHO, "--role: no such role"),
        ([], OFFICER, WHO, "--capacity: nothing was given"),
        (["--capacity", "本人"], OFFICER, f"{9:010d}", "ID: no table holds anything of such a person"),
        (["--end", "2020-0001"], OFFICER, WHO, "is not in the register"),
    ],
)
def test_what_is_not_to_be_answered_is_refused_and_changes_nothing(centre, capsys, given, role, who, told):
    assert correct(*given, role=role, who=who) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert told in err
    assert who not in err
    assert files(centre) == []
    assert centre.query("from rights.requests") == []


def test_a_correction_is_kept_as_long_as_a_row_of_it_and_its_table_say(centre):
    """Of its last row, five school years; one without any row goes with its own day."""
    assert correct("--apply", fill(drafted(centre), BIRTH)) == 0
    catalogue = load_catalogue()

    def gone(today: dt.date) -> dict[str, int]:
        with connect(centre.settings.database, read_only=True) as con:
            counted = forgetting.count(con, forgetting.going(catalogue, today))
        return {one.table: one.rows for one in counted if one.why and one.table in ("rights.corrections", "sources.corrected")}  # fmt: skip

    made = dt.datetime.now(dt.UTC).date()
    last = dt.date(2031, 3, 31)
    assert gone(last) == {}
    assert gone(dt.date(2031, 4, 1)) == {"sources.corrected": 1}
    assert gone(dt.date(made.year + 7, 4, 1)) == {"sources.corrected": 1, "rights.corrections": 1}
    # in effect at a date that is kept: it stays
    with connect(centre.settings.database) as con:
        con.execute("update sources.corrected set reference_date = date '2040-04-01'")
    assert gone(dt.date(made.year + 7, 4, 1)) == {}


def test_whose_correction_is_in_force_stays_known_so_that_it_can_be_ended(centre):
    """Past retention the register forgets of whom a request was; not while it corrects what is kept."""
    assert correct("--apply", fill(drafted(centre), BIRTH)) == 0
    drafted(centre)
    ((request,), (other,)) = centre.query("select request from rights.requests order by request")
    catalogue = load_catalogue()

    def named(today: dt.date) -> list[tuple]:
        with connect(centre.settings.database, read_only=True) as con:
            goes = forgetting.going(catalogue, today)["rights.requests"].goes
            return con.execute(f"select request from rights.requests as t where not {goes} order by all").fetchall()

    late = dt.date(dt.datetime.now(dt.UTC).year + 7, 4, 1)
    # its last row goes on the same day: nobody has to be known any more
    assert named(late) == []
    with connect(centre.settings.database) as con:
        con.execute("update sources.corrected set reference_date = date '2040-04-01'")
    assert named(late) == [(request,)]
    assert named(dt.datetime.now(dt.UTC).date()) == [(request,), (other,)]
    assert correct("--end", request) == 0
    assert named(late) == []
