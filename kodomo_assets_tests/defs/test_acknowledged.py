"""What blocks, how a person lets it in, and what is said then (method §2), through Dagster."""

from __future__ import annotations

import openpyxl
import pytest

from kodomo_assets_tests.defs.conftest import DAY, Office, checks, said

AID = "児童宛名番号,年度,認定区分,認定日"
REGISTER = "宛名番号,世帯番号,氏名,氏名カナ,生年月日,性別,続柄,国籍,支援措置"
SCHOOLS = "宛名番号,学校コード,学校名,学年"
REGISTERS = ("sources.resident_register", "sources.school_register")


def aid(office: Office, wrong: int = 20, right: int = 5, day: str = DAY, word: str = "準要") -> None:
    rows = [f"{n},2024,{word if n <= wrong else '否認定'},2024-06-01" for n in range(1, wrong + right + 1)]
    office.deliver("就学援助.csv", AID, *rows, day=day)


def lines_of(office: Office, name: str = "学務課") -> list[str]:
    """The lines to paste that stand in an office's 差戻し."""
    book = openpyxl.load_workbook(office.settings.outbox / DAY / f"差戻し_{name}.xlsx")
    return [cell.value for cell in book["承認の行"]["A"][1:]]


def let_in(office: Office, *lines: str) -> None:
    given = [line.replace("day: 記入", "day: 2025-04-10").replace("記入", "係長") for line in lines]
    office.configure("ingest:\n  acknowledged:\n" + "".join(f"    {line}\n" for line in given))


def test_what_blocks_is_sent_back_with_its_line_and_let_in_with_it(office):
    aid(office)
    result = office.materialize("sources.school_expense_aid")
    assert not result.success
    assert checks(result)["unreadable_cells"] is False
    assert office.query("select count(*) from sources.school_expense_aid") == [(0,)]
    first = (office.returned("学務課") or [])[0]
    assert [first[i] for i in (0, 1, 4, 6)] == ["就学援助", "就学援助.csv", "認定区分", "この列の値の多くが読めません"]

    let_in(office, *lines_of(office))
    result = office.materialize("sources.school_expense_aid")
    assert result.success
    assert checks(result)["unreadable_cells"] is False  # it stays as a warning
    assert "acknowledged: 就学援助.csv: 認定区分: 20 of 25 filled cells (80%) cannot be read" in said(
        result, "unreadable_cells"
    )
    assert office.query("select count(*), count(certification) from sources.school_expense_aid") == [(25, 5)]
    assert office.query("select column_name, acknowledged, role from sources.faults") == [
        ("certification", True, "係長")
    ]


def test_a_line_about_one_table_has_no_other_read_again(office):
    aid(office)
    office.deliver("生活保護.csv", "宛名番号,開始日,廃止日", "1,2024-04-01,")
    office.materialize("sources.school_expense_aid", "sources.public_assistance")
    let_in(office, *lines_of(office))
    result = office.materialize("sources.school_expense_aid", "sources.public_assistance")
    assert result.success
    (let,) = result.asset_materializations_for_node("sources__school_expense_aid")
    (other,) = result.asset_materializations_for_node("sources__public_assistance")
    assert "読み直し" not in let.metadata
    assert other.metadata["読み直し"].value == "なし（同じ内容）"


def test_a_line_that_fits_nothing_any_more_is_an_error(office):
    aid(office)
    assert not office.materialize("sources.school_expense_aid").success
    let_in(office, *lines_of(office))
    assert office.materialize("sources.school_expense_aid").success
    aid(office, wrong=0, right=25)  # mended
    result = office.materialize("sources.school_expense_aid")
    assert not result.success
    assert "ingest.acknowledged.0 (unreadable_cells, certification) names a file that is not there any more" in said(
        result, "acknowledgements"
    )
    office.configure("{}")
    assert office.materialize("sources.school_expense_aid").success


def test_a_line_for_a_file_of_another_date_is_left_alone(office):
    aid(office)
    assert not office.materialize("sources.school_expense_aid").success
    let_in(office, *lines_of(office))
    aid(office, wrong=0, right=25, day="2024-04-01")
    result = office.materialize("sources.school_expense_aid", day="2024-04-01")
    assert result.success
    assert checks(result)["acknowledgements"] is True


def test_a_line_whose_file_shows_nothing_of_it_is_an_error(office):
    aid(office, wrong=3, right=40)
    assert office.materialize("sources.school_expense_aid").success
    ((sha256,),) = office.query("select sha256 from sources.deliveries")
    let_in(
        office,
        f"- {{table: school_expense_aid, check: quarantined_share, sha256: '{sha256}', role: 記入, reason: 記入, day: 記入}}",
    )
    result = office.materialize("sources.school_expense_aid")
    assert not result.success
    assert "names 就学援助.csv, in which the check finds nothing of it" in said(result, "acknowledgements")


def test_the_share_of_rejected_rows_can_be_let_in_too(office):
    rows = [f"{n if n > 3 else 'x'},2024,否認定,2024-06-01" for n in range(1, 21)]
    office.deliver("就学援助.csv", AID, *rows)
    assert not office.materialize("sources.school_expense_aid").success
    let_in(office, *lines_of(office))  # of the share, and of the column whose cells made it
    assert office.materialize("sources.school_expense_aid").success
    assert office.query("select count(*) from sources.school_expense_aid") == [(17,)]


@pytest.mark.parametrize(
    ("word", "told"),
    [("準要", "：準要（20件）"), ("山田", ""), ("ヤマダ", ""), ("準山田", "")],
)
def test_a_word_of_ten_cells_is_told_to_its_office_where_it_is_nobodys_name(office, word, told):
    office.deliver("住民記録.csv", REGISTER, *(f"{n},1,山田　太郎,ヤマダ タロウ,1985-05-01,,,," for n in range(1, 30)))
    assert office.materialize("sources.resident_register").success
    aid(office, word=word)
    result = office.materialize("sources.school_expense_aid")
    assert not result.success
    assert (office.returned("学務課") or [])[0][6] == f"この列の値の多くが読めません{told}"
    assert word not in said(result, "unreadable_cells")


def registers(office: Office, years: list[int], births: list[str]) -> None:
    children = [f"{n},{n},,,{birth},,,," for n, birth in enumerate(births, start=1)]
    parents = [f"{10_000 + n},{n},,,1985-05-01,,,," for n in range(1, len(births) + 1)]
    office.deliver("住民記録.csv", REGISTER, *children, *parents)
    office.deliver("学齢簿.csv", SCHOOLS, *(f"{n},082201,A校,{year}" for n, year in enumerate(years, start=1)))


def spine(office: Office, day: str = DAY):
    office.deliver("児童相談記録.csv", "相談番号,児童宛名番号,受付日,終結日", "S1,1,2024-06-01,", day=day)
    return office.materialize(
        "sources.child_consultations", *REGISTERS, "linkage.children", "linkage.residents", day=day
    )


# born in May 2017: school year 2 at 2025-04-01; in May 2012: 7
TWO, SEVEN = "2017-05-01", "2012-05-01"


def test_junior_high_pupils_in_1_to_3_block_or_are_read_as_7_to_9(office):
    registers(office, [2] * 20 + [1] * 8, [TWO] * 20 + [SEVEN] * 8)
    result = spine(office)
    assert not result.success
    assert "学年 differs from the legal school year by -6" in said(result, "school_year")
    assert "tables.school_register.school_year_style: per_school" in said(result, "school_year")
    assert len(lines_of(office)) == 9  # eight rows, and the table
    office.configure("tables: {school_register: {school_year_style: per_school}}")
    assert spine(office).success
    assert office.query("select school_year, count(*) from linkage.children group by all order by all") == [
        (2, 20),
        (7, 8),
    ]
    assert office.query("select school_year, count(*) from sources.school_register group by all order by all") == [
        (2, 20),
        (7, 8),
    ]


def test_rows_are_let_in_one_by_one(office):
    registers(office, [2] * 20 + [1, 1], [TWO] * 20 + [SEVEN] * 2)
    assert not spine(office).success
    rows = lines_of(office)
    assert len(rows) == 2
    let_in(office, rows[0])
    result = spine(office)
    assert not result.success
    assert "row 23" in said(result, "school_year")
    let_in(office, *rows)
    result = spine(office)
    assert result.success
    assert checks(result)["school_year"] is False


@pytest.mark.parametrize(("placed_lower", "stops"), [(5, False), (6, True)])
def test_a_few_children_placed_lower_are_no_fault(office, placed_lower, stops):
    """More than 2 % and more than five rows."""
    registers(office, [1] * placed_lower + [2] * 100, [TWO] * (placed_lower + 100))
    assert spine(office).success is not stops


def test_six_of_three_hundred_are_two_per_cent(office):
    registers(office, [1] * 6 + [2] * 294, [TWO] * 300)
    assert spine(office).success


def test_on_the_first_of_april_a_whole_difference_of_one_is_last_years_register(office):
    registers(office, [1] * 20, [TWO] * 20)
    result = spine(office)
    assert not result.success
    assert "20 are one year behind, so this is last year's register" in said(result, "school_year")
