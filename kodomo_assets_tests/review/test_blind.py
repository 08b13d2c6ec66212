"""The sample below the cut: drawn with known probabilities, and told by nothing until everyone is decided (method §7)."""

from __future__ import annotations

import datetime as dt
import hashlib
import io
import json
import re
from collections import Counter

import openpyxl
import pandas as pd
import pytest

from kodomo_assets.errors import ConfigurationError
from kodomo_assets.sql import create_from_frame
from kodomo_assets.stages.review.meeting_list import build_meeting_list
from kodomo_assets.stages.review.meeting_workbook import meeting_workbook
from kodomo_assets.stages.review.page import meeting_page
from kodomo_assets.stages.review.schools import personal_sheets
from kodomo_assets_tests.town import VERSION, R, Town, key, number_of

D = dt.date


def cohort(town: Town, children: int, selected: int, first: int = 1, school_year: int = 4) -> None:
    """``children`` of one school year, ranked by their number; the first ones are selected."""
    for rank in range(1, children + 1):
        town.child(first + rank - 1, school_year=school_year, rank=rank, selected=rank <= selected)


def sample(town: Town) -> list[tuple[int, float]]:
    """Rank and probability of the sampled children."""
    return town.rows(
        "select r.rank, l.probability from review.meeting_list as l join screening.ranking as r "
        "using (reference_date, child_key) where l.origin = 'sample' order by 1"
    )


def test_most_of_the_sample_stands_between_the_cut_and_the_middle(town):
    town.configure("meeting: {sample_below_cut: 10}")
    cohort(town, 100, 10)
    assert town.list() == {"selected": 10, "sample": 10}
    drawn = sample(town)
    # ranks 11 to 50 are 40 children for 7 places, 51 to 100 are 50 for 3
    assert Counter(probability for _, probability in drawn) == {7 / 40: 7, 3 / 50: 3}
    assert all((rank <= 50) == (probability == 7 / 40) for rank, probability in drawn)
    assert town.rows("select distinct probability from review.meeting_list where origin = 'selected'") == [(1.0,)]


def test_the_share_near_the_cut_is_the_citys(town):
    town.configure("meeting: {sample_below_cut: 10, sample_near_share: 0.2}")
    cohort(town, 100, 10)
    town.list()
    assert Counter(rank <= 50 for rank, _ in sample(town)) == {True: 2, False: 8}


def test_a_correction_after_the_meeting_draws_no_other_sample(town):
    town.configure("meeting: {sample_below_cut: 4, sample_near_share: 0.5}")
    cohort(town, 40, 4)
    town.list()
    first = sample(town)
    assert len(first) == 4
    # before a decision the correction draws anew: all that were drawn are selected now
    ranks = ", ".join(str(rank) for rank, _ in first)
    town.con.execute(f"update screening.ranking set selected = rank in ({ranks})")
    town.list()
    drawn = sample(town)
    assert len(drawn) == 4
    assert not {rank for rank, _ in drawn} & {rank for rank, _ in first}
    town.decide(drawn[0][0], "c")
    # one of the sample is selected, another is not screened any more; 35 others would be there to draw from
    one, other, *left = drawn
    town.con.execute(f"update screening.ranking set selected = true where rank = {one[0]}")
    town.con.execute(f"delete from screening.ranking where rank = {other[0]}")
    assert town.list() == {"selected": 5, "sample": 2}
    assert sample(town) == left
    # nor another size of it
    town.configure("meeting: {sample_below_cut: 9}")
    assert town.list()["sample"] == 2


@pytest.mark.parametrize("share", ["0", "1", "1.5"])
def test_nobody_below_the_cut_may_have_no_chance(town, share):
    with pytest.raises(ConfigurationError, match="sample_near_share"):
        town.configure(f"meeting: {{sample_near_share: {share}}}")


@pytest.mark.parametrize(
    ("children", "selected", "size", "near", "far"),
    [
        # ranks 5 to 6 are near, 7 to 12 far: both near ones are certain, the far ones fill the sample
        (12, 4, 5, 1.0, 3 / 6),
        # nobody far: 2 of 2 children selected and the rest near cannot be; one far child, so the near ones fill it
        (4, 1, 3, 1.0, 1.0),
        # all below the cut
        (12, 4, 20, 1.0, 1.0),
    ],
)
def test_a_part_that_is_too_small_is_filled_from_the_other(town, children, selected, size, near, far):
    town.configure(f"meeting: {{sample_below_cut: {size}}}")
    cohort(town, children, selected)
    counts = town.list()
    assert counts["sample"] == min(size, children - selected)
    assert {(2 * rank <= children): probability for rank, probability in sample(town)} == {True: near, False: far}


def test_every_school_year_is_cut_in_the_middle_by_itself(town):
    town.configure("meeting: {sample_below_cut: 4, sample_near_share: 0.5}")
    cohort(town, 10, 1)
    cohort(town, 20, 2, first=101, school_year=8)
    town.list()
    # near: 4 of the first, 8 of the second; far: 5 and 10
    assert {probability for _, probability in sample(town)} == {2 / 12, 2 / 15}


def test_a_broken_number_of_places_is_drawn_too(town):
    """0.7 x 1 near place is one in 70 of 100 towns; the probability that is kept is that of the whole draw."""
    town.configure("meeting: {sample_below_cut: 1}")
    cohort(town, 40, 4)
    town.prepare()
    near = 0
    for lottery in range(60):
        rows = [(key(n), f"{hash_of(lottery, n):064x}") for n in range(1, 41)]
        types = {"child_key": "varchar", "lot": "varchar"}
        create_from_frame(town.con, "lots", pd.DataFrame(rows, columns=list(types), dtype="object"), types)
        assert build_meeting_list(town.con, town.catalogue, R) == {"selected": 4, "sample": 1}
        ((probability,),) = town.rows("select probability from new_meeting_list where origin = 'sample'")
        # 16 near children (ranks 5 to 20), 20 far ones
        assert probability in (pytest.approx(0.7 / 16), pytest.approx(0.3 / 20))
        near += probability == pytest.approx(0.7 / 16)
    # the draws are fixed; 42 of 60 are expected, with a standard deviation of 3.5
    assert 32 <= near <= 52


def hash_of(lottery: int, number: int) -> int:
    return int(hashlib.sha256(f"{lottery}|{number}".encode()).hexdigest(), 16)


# nothing tells it before the decisions


@pytest.fixture
def blind(town: Town) -> Town:
    """Twenty children of two school years, of whom three are selected and three sampled; all with the same facts.

    What is not a fact of a child differs as much as it can: score, place in the last term, siblings, the old rule.
    """
    town.configure("meeting: {sample_below_cut: 3}")
    levels = {"single_parent": "without_allowance", "sex": "female", "nationality": "foreign"}
    for number in range(1, 21):
        selected = number <= 3
        contributions = {"(base)": ("(base)", 0.05), "single_parent": ("without_allowance", 0.1)}
        town.child(number, selected=selected, score=1 / number, newly_found=selected, levels=levels, contributions=contributions, household=900 if selected else None)  # fmt: skip
        town.insert("screening.ranking", reference_date=D(2025, 1, 1), child_key=key(number), weights_version="1", band="lower", cohort=3, rank=number, school_code="081001", score=0.2, own_levels=0, selected=selected, share_of="cohort", tied_at_cut=False, newly_found_equal=False, legacy_hits=0, open_consultation=False, known_before=False, incomplete_delivery=False, sibling_selected=False)  # fmt: skip
    town.con.execute(
        "update screening.ranking set legacy_flag = selected, tied_at_cut = selected, sibling_selected = selected, "
        "legacy_hits = selected::integer"
    )
    town.list()
    town.prepare()
    return town


def origins(town: Town) -> dict[str, str]:
    """配布番号 -> selected or sample."""
    return dict(town.rows("select sheet_number, origin from review.meeting_list"))


def page_data(town: Town) -> dict:
    """What the page holds."""
    html = meeting_page(town.meeting()).decode()
    found = re.search(r'<script type="application/json" id="data">(.*?)</script>', html, re.DOTALL)
    return json.loads(found[1])


def rows_of(town: Town) -> list[dict]:
    """The children's rows of 判定会議.xlsx, by header."""
    sheet = openpyxl.load_workbook(io.BytesIO(meeting_workbook(town.meeting(), ())))["判定会議"]
    headers = [cell.value for cell in sheet[4]]
    rows = [dict(zip(headers, (cell.value for cell in row), strict=True)) for row in sheet.iter_rows(min_row=5)]
    return [row for row in rows if row["配布番号"]]


def test_the_pages_data_tell_the_two_apart_by_nothing(blind):
    data = page_data(blind)
    known = origins(blind)
    assert Counter(known.values()) == {"selected": 3, "sample": 3}
    told = {child.pop("number"): json.dumps(child, sort_keys=True) for child in data["children"]}
    assert told.keys() == known.keys()
    assert len(set(told.values())) == 1
    assert list(told) == sorted(known)
    for word in ("selected", "sample", "cut_points", "rank", "抽出"):
        assert f'"{word}"' not in json.dumps(data, ensure_ascii=False)
    assert data["funnel"] == []


def test_the_workbook_and_the_sheets_tell_the_two_apart_by_nothing(blind):
    meeting = blind.meeting()
    sheet = openpyxl.load_workbook(io.BytesIO(meeting_workbook(meeting, ())))["判定会議"]
    headers = [cell.value for cell in sheet[4]]
    rows = [dict(zip(headers, (cell.value for cell in row), strict=True)) for row in sheet.iter_rows(min_row=5)]
    listed = [row for row in rows if row["配布番号"]]
    assert [row["配布番号"] for row in listed] == sorted(origins(blind))
    same = [{k: v for k, v in row.items() if k not in ("配布番号", "児童キー")} for row in listed]
    assert all(row == same[0] for row in same)
    heights = {sheet.row_dimensions[row].height for row in range(5, 5 + len(listed))}
    assert len(heights) == 1
    (file,) = personal_sheets(blind.con, blind.catalogue, R, VERSION).files
    book = openpyxl.load_workbook(io.BytesIO(file.content))
    shapes = {name: (book[name].dimensions, len(list(book[name].rows))) for name in origins(blind)}
    assert len(set(shapes.values())) == 1


def test_a_first_decision_tells_nothing_of_the_others(blind):
    child = next(number for number in range(1, 21) if origins(blind).get(number_of(number)) == "sample")
    blind.decide(child, "b")
    meeting = blind.meeting()
    assert (meeting.score_mode, meeting.funnel) == ("hidden", ())
    meeting_page(meeting)
    for seen in meeting.children:
        assert (seen.siblings, seen.last_term, seen.legacy_flag, seen.legacy_items) == ((), None, None, ())


def test_what_raises_a_score_stands_apart_after_the_decisions_only(town):
    """The child on the list has what raises, the one of the sample only what the model does not count."""
    town.configure("meeting: {sample_below_cut: 1}")
    raising = {"single_parent": ("without_allowance", 0.12), "public_assistance": ("not_applicable", -0.01)}
    town.child(1, selected=True, levels={"single_parent": "without_allowance", "school_expense_aid": "needy"}, contributions=raising)  # fmt: skip
    town.child(2, levels={"school_expense_aid": "needy"}, contributions={"public_assistance": ("not_applicable", 0.02)})
    assert town.list() == {"selected": 1, "sample": 1}
    rows = {row["配布番号"]: row for row in rows_of(town)}
    assert rows[number_of(1)]["該当する項目"] == "ひとり親（児童扶養手当なし） 手当なし\n就学援助 要保護"
    assert rows[number_of(2)]["該当する項目"] == "就学援助 要保護"
    assert not {"上げる要因", "その他の該当する項目"} & set(rows[number_of(1)])
    page = page_data(town)
    # item and level of each factor, and nothing more
    assert sorted(len(factor) for child in page["children"] for factor in child["factors"]) == [2, 2, 2]
    for number in (1, 2):
        town.decide(number, "c")
    rows = {row["配布番号"]: row for row in rows_of(town)}
    assert rows[number_of(1)]["上げる要因"] == "ひとり親（児童扶養手当なし） 手当なし +120.0"
    assert rows[number_of(2)]["上げる要因"] == "生活保護 非該当 +20.0"
    assert rows[number_of(2)]["その他の該当する項目"] == "就学援助 要保護"
    assert "該当する項目" not in rows[number_of(1)]


def test_after_the_decisions_everything_is_told(blind):
    for number in range(1, 21):
        if number_of(number) in origins(blind):
            blind.decide(number, "c")
    children = {child.child_key: child for child in blind.meeting().children}
    first = children[key(1)]
    assert first.last_term is not None
    assert (first.last_term.rank, first.legacy_flag, first.newly_found) == (1, True, True)
    assert set(first.siblings) == {number_of(2), number_of(3)}


def test_a_school_year_of_which_nobody_is_selected_is_named_after_the_decisions_only(town):
    town.configure("meeting: {sample_below_cut: 9}")
    cohort(town, 9, 0, first=201, school_year=2)
    cohort(town, 10, 1)
    town.list()
    (told,) = town.meeting().cautions
    assert told == "だれも抽出していない学年があります（人数が少ないため。学年は判定のあとに表示します）"
    for (child,) in town.rows("select ('0x' || left(child_key, 30))::integer from review.meeting_list"):
        town.decide(child, "d")
    assert town.meeting().cautions == ("小2（9人）からは、だれも抽出していません",)


def test_a_list_that_selects_nobody_says_so(town):
    cohort(town, 9, 0)
    town.list()
    meeting = town.meeting()
    assert meeting.cautions == ("どの学年からも、だれも抽出していません",)
    assert "どの学年からも、だれも抽出していません" in meeting_page(meeting).decode()
    sheet = openpyxl.load_workbook(io.BytesIO(meeting_workbook(meeting, ())))["判定会議"]
    assert "どの学年からも、だれも抽出していません" in sheet["A2"].value


@pytest.mark.parametrize(
    ("auc", "weak", "said"),
    [
        (0.55, True, ("小4〜中3の順位は偶然とほとんど変わりません（交差検証のAUC 0.55）",)),
        # no more events in the top tenth than in all
        (0.7, True, ("小4〜中3の順位は偶然とほとんど変わりません（交差検証のAUC 0.70）",)),
        (0.6, False, ()),
        # cards of the first landing
        (0.59, None, ("小4〜中3の順位は偶然とほとんど変わりません（交差検証のAUC 0.59）",)),
        (0.6, None, ()),
    ],
)
def test_a_model_that_is_worth_nothing_says_so(town, auc, weak, said):
    town.configure("meeting: {sample_below_cut: 0}")
    cohort(town, 10, 1)
    numbers = {column.name: 1 for column in town.catalogue.output("weights.model_cards").columns if not column.nullable}
    card = numbers | {"version": VERSION, "band": "upper", "reference_date": R, "cv_auc": auc, "is_weak": weak}
    town.insert("weights.model_cards", **card)
    town.list()
    assert town.meeting().cautions == said


@pytest.mark.parametrize("std_error", [0.001, None])
def test_where_the_count_serves_it_says_so(town, std_error):
    """And whether anything was fitted at all; of a band without a list nothing."""
    town.configure("meeting: {sample_below_cut: 0}")
    cohort(town, 10, 1)
    for band in ("lower", "upper"):
        town.insert("weights.versions", version=VERSION, band=band, reference_date=R, fingerprint="", label="ever", created_at=town.clock, origin="count", in_force_from=R, reason="9 events")  # fmt: skip
        for level, error in (("not_applicable", None), ("applicable", std_error)):
            town.insert("weights.coefficients", version=VERSION, reference_date=R, band=band, item="bullied", level=level, weight=0.02, std_error=error, p_value=error, children=20, mean_weight=0.01)  # fmt: skip
    town.list()
    nothing = "" if std_error else "（相談記録との関係は推定していません）"
    assert town.meeting().cautions == (
        f"小4〜中3の順位は、項目ごとの重みではなく、該当する段階の数によります{nothing}",
    )


def test_where_adopted_weights_of_many_cities_serve_it_says_so_and_how_they_were_judged(town):
    town.configure("meeting: {sample_below_cut: 0}")
    cohort(town, 10, 1)
    reason = "六つの市で推定した (2024-04-01.pooled.1; 9 events, expected 210 (5 per own level))"
    for band in ("lower", "upper"):
        town.insert("weights.versions", version=VERSION, band=band, reference_date=R, fingerprint="", label="ever", created_at=town.clock, origin="pooled", in_force_from=R, decided_by="課長", reason=reason)  # fmt: skip
    numbers = {column.name: 1 for column in town.catalogue.output("weights.model_cards").columns if not column.nullable}
    card = numbers | {"version": VERSION, "band": "upper", "reference_date": R, "cv_auc": 0.5, "is_weak": True}
    town.insert("weights.model_cards", **card)
    town.insert("weights.validation", version=VERSION, band="upper", rule="count", reference_date=R, measure="precision_difference", value=0.0, low=-0.1, high=0.1, children=500, events=60, found=20)  # fmt: skip
    town.list()
    said = (
        "小4〜中3の順位は、複数の市で推定した重み（2024-04-01.pooled.1、課長が採用）によります",
        "小4〜中3の順位は偶然とほとんど変わりません（この市を除いて推定した重みのAUC 0.50）",
        "小4〜中3の順位は、該当する段階の数による順位と、どちらがよく見つけるか区別できません（この市を除いて推定した重み）",
    )
    meeting = town.meeting()
    assert meeting.cautions == said
    page = meeting_page(meeting).decode()
    book = openpyxl.load_workbook(io.BytesIO(meeting_workbook(meeting, ())))
    cells = "\n".join(str(cell.value) for sheet in book for row in sheet.iter_rows() for cell in row)
    for one in said:
        assert one in page
        assert one in cells


@pytest.mark.parametrize(
    ("low", "high", "said"),
    [
        (-0.05, 0.01, True),
        (0.0, 0.05, True),
        (0.001, 0.05, False),
        (-0.05, -0.001, False),
        (None, None, False),
    ],
)
def test_a_rule_that_cannot_be_told_apart_from_what_serves_is_named(town, low, high, said):
    """By the whole interval of the difference; of another version and of a band without a list nothing."""
    town.configure("meeting: {sample_below_cut: 0}")
    cohort(town, 10, 1)
    figure = {"reference_date": R, "measure": "precision_difference", "value": 0.0, "children": 500, "events": 60, "found": 20}  # fmt: skip
    for version, band, rule, ends in (
        (VERSION, "upper", "legacy", (low, high)),
        (VERSION, "upper", "count", (-0.1, 0.1)),
        (VERSION, "lower", "count", (-0.1, 0.1)),
        ("2024-04-01.1", "upper", "own", (-0.1, 0.1)),
    ):
        town.insert("weights.validation", version=version, band=band, rule=rule, low=ends[0], high=ends[1], **figure)
    town.list()
    rules = "該当する段階の数・データベースみまもりの該当数" if said else "該当する段階の数"
    assert town.meeting().cautions == (
        f"小4〜中3の順位は、{rules}による順位と、どちらがよく見つけるか区別できません（交差検証）",
    )


def test_whom_a_tie_cannot_tell_apart_is_counted_once_everyone_is_decided(town):
    """Of ten in a school year the second to the fourth share the score of the one place that is left."""
    town.configure("meeting: {sample_below_cut: 3}")
    cohort(town, 20, 2)
    town.con.execute("update screening.ranking set tied_at_cut = true where rank in (2, 3, 4)")
    town.list()
    assert not [said for said in town.meeting().cautions if "区別できない" in said]
    for (child,) in town.rows("select ('0x' || left(child_key, 30))::integer from review.meeting_list"):
        town.decide(child, "d")
    assert town.meeting().cautions == ("境界の同点で区別できない児童：小4 3人（うち抽出1人）",)


# items that fairness forbids


def test_sex_and_nationality_stand_in_nothing_that_the_meeting_sees(blind):
    for number in range(1, 21):
        blind.decide(number, "c")
    meeting = blind.meeting()
    assert meeting.score_mode == "on_request"
    page = meeting_page(meeting).decode()
    book = openpyxl.load_workbook(io.BytesIO(meeting_workbook(meeting, ())))
    cells = "\n".join(str(cell.value) for sheet in book for row in sheet.iter_rows() for cell in row)
    for word in ("性別", "国籍", "外国籍"):
        assert word not in page
        assert word not in cells
    assert {factor.item for child in meeting.children for factor in child.factors} == {"single_parent"}


def test_a_hint_that_would_tell_an_item_that_fairness_forbids_is_an_error(town):
    hint = "{ja: 日本語の支援, for_school: 日本語の支援, school_years: [1], when: {nationality: [foreign]}}"
    with pytest.raises(ConfigurationError, match="nationality"):
        town.configure(f"meeting: {{hints: [{hint}]}}")


def test_only_what_raises_the_score_stands_under_raising(town):
    town.configure("meeting: {sample_below_cut: 0}")
    levels = {"single_parent": "without_allowance", "school_expense_aid": "needy", "public_assistance": "applicable"}
    contributions = {
        "single_parent": ("without_allowance", 0.12),
        # weighs less than its mean
        "school_expense_aid": ("needy", -0.02),
        # less than half a tenth of a point
        "untreated_teeth": ("not_applicable", 0.00004),
    }
    town.child(1, selected=True, levels=levels, contributions=contributions)
    town.list()
    (child,) = town.meeting().children
    assert {factor.item for factor in child.factors if factor.raises} == {"single_parent"}
    sheet = openpyxl.load_workbook(io.BytesIO(meeting_workbook(town.meeting(), ())))["判定会議"]
    row = dict(zip((cell.value for cell in sheet[4]), (cell.value for cell in sheet[5]), strict=True))
    assert row["上げる要因"] == "ひとり親（児童扶養手当なし） 手当なし +120.0"
    # the one that the model dropped, and the one that lowers
    assert set(row["その他の該当する項目"].split("\n")) == {"就学援助 要保護", "生活保護 該当"}
    assert "就学援助 要保護 −20.0" in row["下げる要因"]
