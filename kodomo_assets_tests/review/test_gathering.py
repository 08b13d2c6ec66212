"""Who is on the meeting's list, and what the meeting sees of each child."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import duckdb
import pytest

from kodomo_assets.stages.review.meeting import MeetingChild
from kodomo_assets.stages.review.meeting_workbook import meeting_workbook
from kodomo_assets.store import tables
from kodomo_assets_tests.template import fill, save
from kodomo_assets_tests.town import NORTH, R, Town, key, number_of

D = dt.date
BENEFITS, STUDY = "利用できる手当・制度の案内、学校での見守り", "学習・生活支援事業の紹介"


def no_sample(town: Town) -> None:
    town.configure("meeting: {sample_below_cut: 0}")


def origins(town: Town) -> dict[str, str]:
    return dict(town.rows("select child_key, origin from review.meeting_list"))


def seen(town: Town, number: int) -> MeetingChild:
    return next(child for child in town.meeting().children if child.child_key == key(number))


# the list


def test_a_sample_from_below_the_cut_goes_to_the_meeting_at_the_yearly_date(town):
    town.configure("meeting: {sample_below_cut: 3}")
    for number in range(1, 11):
        town.child(number, selected=number <= 4)
    assert town.list() == {"selected": 4, "sample": 3}
    found = origins(town)
    assert {child for child, origin in found.items() if origin == "selected"} == {key(n) for n in range(1, 5)}
    assert {child for child, origin in found.items() if origin == "sample"} < {key(n) for n in range(5, 11)}


def test_the_sample_is_twenty_by_default_and_no_more_than_there_are(town):
    for number in range(1, 32):
        town.child(number, selected=number == 1)
    assert town.list() == {"selected": 1, "sample": 20}
    town.con.execute("update screening.ranking set selected = true where rank <= 25")
    assert town.list() == {"selected": 25, "sample": 6}


def test_at_other_dates_there_is_no_sample(tmp_path: Path):
    autumn = Town(tmp_path, D(2025, 9, 1))
    autumn.child(1, selected=True)
    autumn.child(2)
    assert autumn.list() == {"selected": 1, "sample": 0}


def test_the_same_sample_is_drawn_again(town):
    town.configure("meeting: {sample_below_cut: 3}")
    for number in range(1, 11):
        town.child(number)
    town.list()
    first = origins(town)
    town.con.execute("create table turned as select * from screening.ranking order by child_key desc")
    town.con.execute("delete from screening.ranking")
    town.con.execute("insert into screening.ranking from turned")
    town.list()
    assert origins(town) == first


def test_a_child_who_is_not_screened_is_drawn_for_no_sample(town):
    town.child(1)
    town.child(2, selected=None)
    town.list()
    assert set(origins(town)) == {key(1)}


# score and factors


def test_base_and_factors_sum_to_the_points(town):
    no_sample(town)
    town.child(
        1,
        selected=True,
        score=0.25,
        levels={"single_parent": "without_allowance", "school_expense_aid": "needy"},
        contributions={
            "(base)": ("(base)", 0.05),
            "single_parent": ("without_allowance", 0.12),
            "school_expense_aid": ("needy", 0.1),
            # not on it, and lowered by that; a whole table that is missing
            "child_rearing_allowance": ("not_applicable", -0.03),
            "table:school_survey": ("no_record", 0.01),
        },
    )
    town.list()
    child = seen(town, 1)
    assert (child.points, child.base_points) == (250.0, 50.0)
    assert {factor.item: factor.points for factor in child.factors} == {
        "single_parent": 120.0,
        "school_expense_aid": 100.0,
        "child_rearing_allowance": -30.0,
        "table:school_survey": 10.0,
    }
    assert [(f.applies, f.missing) for f in child.factors if f.item == "table:school_survey"] == [
        (False, None)
    ]  # told by its items
    assert child.legacy_items == ("ひとり親（児童扶養手当なし）", "就学援助")


def test_an_item_beside_the_model_is_a_factor_without_points(town):
    no_sample(town)
    town.child(1, selected=True, levels={"school_expense_aid": "needy", "worry_study": "blank"})
    town.list()
    assert [(f.item, f.level_ja, f.points, f.applies, f.missing) for f in seen(town, 1).factors] == [
        ("school_expense_aid", "要保護", 0.0, True, None),
        ("worry_study", "未記入", 0.0, False, "blank"),
    ]


def test_an_item_of_the_other_band_is_no_factor(town):
    no_sample(town)
    town.child(1, selected=True, school_year=2, levels={"worry_study": "applicable"})
    town.list()
    assert seen(town, 1).factors == ()


def test_while_a_sample_is_undecided_there_is_no_number(town):
    contributions = {"(base)": ("(base)", 0.05), "single_parent": ("without_allowance", 0.12)}
    levels = {"single_parent": "without_allowance"}
    town.child(1, selected=True, newly_found=True, levels=levels, contributions=contributions)
    town.child(2, levels=levels, contributions=contributions)
    town.con.execute("update screening.ranking set tied_at_cut = true")
    town.con.execute(
        "insert into screening.stability select reference_date, child_key, 0.9, 'sure' from screening.ranking"
    )
    town.list()
    meeting = town.meeting()
    assert meeting.score_mode == "hidden"
    assert [cohort.cut_points for cohort in meeting.cohorts] == [None]
    for child in meeting.children:
        assert (child.rank, child.points, child.base_points, child.difficulties) == (None, None, None, None)
        assert (child.tied_at_cut, child.newly_found, child.added) == (False, None, False)
        assert (child.sure, child.borderline) == (False, False)
        assert [(f.item, f.points, f.raises) for f in child.factors] == [("single_parent", None, None)]


def test_a_level_that_only_the_weights_make_visible_is_hidden(town):
    contributions = {"child_rearing_allowance": ("not_applicable", -0.03)}
    town.child(1, selected=True, contributions=contributions)
    town.child(2)
    town.list()
    assert [child.factors for child in town.meeting().children] == [(), ()]


def test_how_sure_a_child_is_on_the_list_is_shown_with_the_score(town):
    no_sample(town)
    for number, standing in enumerate(("sure", "borderline", "below"), start=1):
        town.child(number, selected=True)
        town.con.execute("insert into screening.stability values ($1, $2, 0.5, $3)", [R, key(number), standing])
    town.list()
    assert [(c.sure, c.borderline) for c in (seen(town, n) for n in (1, 2, 3))] == [
        (True, False), (False, True), (False, False),
    ]  # fmt: skip


def test_when_everyone_is_decided_the_score_is_shown_on_request(town):
    town.child(1, selected=True, score=0.3)
    town.child(2, score=0.2)
    town.list()
    town.decide(1, "b")
    assert town.meeting().score_mode == "hidden"
    town.decide(2, "d")
    meeting = town.meeting()
    assert meeting.score_mode == "on_request"
    assert {child.points for child in meeting.children} == {300.0, 200.0}
    (cohort,) = meeting.cohorts
    assert (cohort.school_year, cohort.screened, cohort.selected, cohort.cut_points) == (4, 2, 1, 300.0)


@pytest.mark.parametrize("mode", ["always", "on_request"])
def test_without_a_sample_the_city_says_how_the_score_is_shown(town, mode):
    town.configure(f"meeting: {{sample_below_cut: 0, score: {mode}}}")
    town.child(1, selected=True)
    town.list()
    assert town.meeting().score_mode == mode


def test_the_last_term_is_hidden_too(town):
    town.child(1, selected=True)
    town.child(2)
    town.insert("screening.ranking", reference_date=D(2025, 1, 1), child_key=key(2), weights_version="1", band="lower", cohort=3, rank=7, school_code=NORTH, score=0.2, own_levels=0, selected=False, share_of="cohort", tied_at_cut=False, newly_found_equal=False, legacy_hits=0, open_consultation=False, known_before=False, incomplete_delivery=False, sibling_selected=False)  # fmt: skip
    town.list()
    assert seen(town, 2).last_term is None
    for number in (1, 2):
        town.decide(number, "d")
    last = seen(town, 2).last_term
    assert last is not None
    assert (last.rank, last.selected) == (7, False)


# hints: the two cases of the report, and their neighbours


@pytest.mark.parametrize(
    ("school_year", "levels", "hints"),
    [
        (1, {"single_parent": "without_allowance"}, (BENEFITS,)),
        (9, {"single_parent": "without_allowance"}, (BENEFITS,)),
        (5, {"single_parent": "blank"}, ()),
        (5, {"worry_study": "applicable", "school_expense_aid": "needy"}, (STUDY,)),
        (4, {"worry_study": "applicable", "school_expense_aid": "semi_needy"}, (STUDY,)),
        (9, {"worry_study": "applicable", "public_assistance": "applicable"}, (STUDY,)),
        (3, {"worry_study": "applicable", "school_expense_aid": "needy"}, ()),
        (5, {"worry_study": "applicable"}, ()),
        (5, {"worry_study": "blank", "school_expense_aid": "needy"}, ()),
        (5, {"worry_study": "applicable", "school_expense_aid": "no_record"}, ()),
        (5, {"school_expense_aid": "needy"}, ()),
        (
            6,
            {"single_parent": "without_allowance", "worry_study": "applicable", "public_assistance": "applicable"},
            (BENEFITS, STUDY),
        ),
    ],
)
def test_hints(town, school_year, levels, hints):
    no_sample(town)
    town.child(1, selected=True, school_year=school_year, levels=levels)
    town.list()
    assert seen(town, 1).hints == hints


def test_whoever_is_in_it_already_is_not_told_to_use_it(town):
    town.configure("{meeting: {sample_below_cut: 0}, tables: {learning_support: {used: true}}}")
    tables.make_missing(town.con, town.catalogue)
    levels = {"worry_study": "applicable", "school_expense_aid": "needy", "single_parent": "without_allowance"}
    for number in range(1, 7):
        town.child(number, selected=True, school_year=5, levels=levels)
    town.list()
    assert seen(town, 1).hints == (BENEFITS, STUDY)
    town.deliver("learning_support", R)
    day = dt.timedelta(days=1)
    # in it; from tomorrow; until today; until tomorrow; an end that cannot be read
    rows = {2: (R, None), 3: (R + day, None), 4: (R - day, R), 5: (R - day, R + day)}
    for number, (first, last) in rows.items():
        town.source("learning_support", R, resident_id=f"{number:010d}", started_on=first, ended_on=last)
    town.source("learning_support", R, resident_id=f"{6:010d}", started_on=R)
    town.con.execute(
        "update sources.learning_support set invalid_cells = ['ended_on'] where resident_id = $1", [f"{6:010d}"]
    )
    hints = [seen(town, number).hints for number in range(1, 7)]
    assert hints == [
        (BENEFITS, STUDY),
        (BENEFITS,),
        (BENEFITS, STUDY),
        (BENEFITS, STUDY),
        (BENEFITS,),
        (BENEFITS, STUDY),
    ]


# siblings, last term, school


def test_siblings_on_the_list_are_named_by_their_numbers(town):
    no_sample(town)
    town.child(1, selected=True, household=50)
    town.child(2, selected=True, household=50, school_year=8)
    town.child(3, household=50)
    town.child(4, selected=True)
    town.list()
    assert seen(town, 1).siblings == (number_of(2),)
    assert seen(town, 2).siblings == (number_of(1),)
    assert seen(town, 4).siblings == ()


def test_a_protected_household_is_shown_nowhere(town):
    no_sample(town)
    town.child(1, selected=True, household=50, protected=True)
    town.child(2, selected=True, household=50, protected=True)
    town.list()
    for child in town.meeting().children:
        assert (child.school, child.school_code, child.siblings) == (None, None, ())


def test_a_protected_child_is_shown_without_school_even_when_released(town):
    no_sample(town)
    town.child(1, selected=True, protected=True)
    town.child(2, selected=True)
    town.list()
    town.decide(1, "a", release=True)
    assert seen(town, 1).school is None
    assert seen(town, 2).school == "南小学校"


def test_a_sibling_who_is_not_screened(town):
    no_sample(town)
    town.child(1, selected=True, household=50)
    town.child(2, selected=None, household=50)
    town.list()
    town.decide(2, "b")
    meeting = town.meeting()
    failed = None
    try:
        meeting_workbook(meeting, ())
    except TypeError as error:
        failed = error
    assert failed is None
    assert all(None not in child.siblings for child in meeting.children)


def test_the_place_at_the_last_reference_date(town):
    no_sample(town)
    town.child(1, selected=True)
    town.child(2, selected=True)
    for day, number, rank, selected in [
        (D(2024, 9, 1), 1, 1, True),
        (D(2025, 1, 1), 1, 3, True),
        (D(2025, 1, 1), 8, 1, True),
        (D(2025, 1, 1), 9, 2, False),
        (D(2025, 9, 1), 1, 9, False),
    ]:
        town.insert("screening.ranking", reference_date=day, child_key=key(number), weights_version="1", band="lower", cohort=3, rank=rank, school_code=NORTH, score=0.2, own_levels=0, selected=selected, share_of="cohort", tied_at_cut=False, newly_found_equal=False, legacy_hits=0, open_consultation=False, known_before=False, incomplete_delivery=False, sibling_selected=False)  # fmt: skip
    town.list()
    last = seen(town, 1).last_term
    assert last is not None
    assert (last.reference_date, last.rank, last.ranked, last.selected) == (D(2025, 1, 1), 3, 3, True)
    assert seen(town, 2).last_term is None


# decision, sheet, order


def test_an_added_child_is_on_the_page_with_its_decision(town):
    no_sample(town)
    town.child(1, selected=True)
    town.child(2)
    town.child(3)
    town.list()
    town.decide(2, "b", direction="家庭訪問")
    meeting = town.meeting()
    assert {child.child_key: child.added for child in meeting.children} == {key(1): False, key(2): True}
    decision = seen(town, 2).decision
    assert decision is not None
    assert (decision.decision, decision.direction, decision.decided_by) == ("b", "家庭訪問", "所長")


def test_the_order_tells_nothing_of_the_rank(town):
    no_sample(town)
    for number in range(1, 7):
        town.child(number, selected=True, school_year=4 + number % 2)
    town.list()
    shown = [(child.school_year, child.sheet_number) for child in town.meeting().children]
    assert shown == sorted(shown)


def test_what_the_school_wrote_is_shown_under_its_questions(town):
    no_sample(town)
    town.child(1, selected=True)
    town.list()
    town.insert("review.personal_sheets", reference_date=R, child_key=key(1), school_code="081001", filled_on=D(2025, 4, 28), filled_by="担任", lunch="気になる", concern=2)  # fmt: skip
    assert seen(town, 1).sheet == {"記入日": "2025-04-28", "記入者": "担任", "給食": "気になる", "気になる度": "2"}


def test_a_long_list_is_gathered_in_little_memory(town):
    """Collected as lists in DuckDB the factors of 800 children took 100 MB and more, and those of a large city 1 GB."""
    no_sample(town)
    every = {item.id: (next(iter(item.levels)), 0.01) for item in town.catalogue.matrix_items if item.levels}
    town.child(1, selected=True, contributions=every)
    town.list()
    own = "format('{:010d}', n)"
    for table, also in {
        "linkage.children": f", {own} as resident_id, {own} as household_id",
        "features.levels": "",
        "features.labels": "",
        "screening.ranking": "",
        "screening.contributions": "",
        "review.meeting_list": "",
        "review.listed_children": "",
    }.items():
        town.con.execute(
            f"insert into {table} by name "
            f"select * exclude n replace (format('{{:030x}}ab', n) as child_key{also}) from {table}, range(2, 801) as r(n)"
        )
    # the limit is one of the whole instance of DuckDB: one of its own
    stored = save(town.con)
    town.con = duckdb.connect(config={"threads": 1, "memory_limit": "80MB"})
    fill(town.con, stored)
    children = town.meeting().children
    assert len(children) == 800
    assert {len(child.factors) for child in children} == {len(children[0].factors)}
    assert [factor.item for factor in children[0].factors] == [factor.item for factor in children[-1].factors]
