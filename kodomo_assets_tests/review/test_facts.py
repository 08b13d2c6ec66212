"""What the meeting sees of a child: factors that sum to the points, hints, siblings, and nothing while it is hidden."""

from __future__ import annotations

import pytest

from kodomo_assets.stages.review.meeting import MeetingChild
from kodomo_assets_tests.review.town import R, Town, key, number_of

BENEFITS = "利用できる手当・制度の案内、学校での見守り"
LEARNING = "学習・生活支援事業の紹介"


def listed(town: Town, number: int, origin: str = "selected") -> None:
    town.insert("review.meeting_list", reference_date=R, child_key=key(number), origin=origin, sheet_number=number_of(number))  # fmt: skip


def seen(town: Town) -> dict[str, MeetingChild]:
    return {child.child_key: child for child in town.meeting().children}


def test_factors_and_base_sum_to_the_points(town):
    contributions = {"(base)": ("(base)", 0.05), "absence_days": ("30+", 0.06), "single_parent": ("not_applicable", -0.01), "table:attendance": ("recorded", 0.0)}  # fmt: skip
    town.child(1, selected=True, score=0.1, levels={"absence_days": "30+"}, contributions=contributions)
    listed(town, 1)
    child = seen(town)[key(1)]
    assert (child.points, child.base_points) == (100.0, 50.0)
    assert {factor.item: factor.points for factor in child.factors} == {"absence_days": 60.0, "single_parent": -10.0}
    assert [factor.level_ja for factor in child.factors if factor.applies] == ["30日以上"]


@pytest.mark.parametrize(
    ("levels", "school_year", "hints"),
    [
        ({"single_parent": "without_allowance"}, 1, (BENEFITS,)),  # case 1 of the report
        ({"worry_study": "applicable", "school_expense_aid": "semi_needy"}, 4, (LEARNING,)),  # case 2
        ({"worry_study": "applicable", "public_assistance": "applicable"}, 9, (LEARNING,)),
        ({"worry_study": "applicable"}, 4, ()),  # neither 生活保護 nor 就学援助
        ({"school_expense_aid": "needy"}, 4, ()),  # did not tick 勉強
        ({"worry_study": "applicable", "school_expense_aid": "needy"}, 3, ()),  # from the fourth year on
    ],
)
def test_hints_for_the_cases_of_the_report_and_not_otherwise(town, levels, school_year, hints):
    town.child(1, selected=True, school_year=school_year, levels=levels)
    listed(town, 1)
    assert seen(town)[key(1)].hints == hints


def test_while_a_sample_waits_for_decisions_there_is_no_number(town):
    for number, selected in ((1, True), (2, False)):
        town.child(number, selected=selected, levels={"absence_days": "30+"}, contributions={"(base)": ("(base)", 0.05), "absence_days": ("30+", 0.06)})  # fmt: skip
    listed(town, 1)
    listed(town, 2, "sample")
    town.decide(1, "b")
    hidden = town.meeting()
    assert hidden.score_mode == "hidden"
    for child in hidden.children:
        assert (child.rank, child.points, child.base_points, child.difficulties) == (None, None, None, None)
        assert [factor.points for factor in child.factors] == [None]
        assert (child.tied_at_cut, child.newly_found) == (False, None)
    town.decide(2, "d")
    shown = town.meeting()
    assert shown.score_mode == "on_request"
    assert {child.points for child in shown.children} == {100.0}


def test_siblings_are_named_by_number_unless_the_household_is_protected(town):
    for number, household, protected in ((1, 5, False), (2, 5, False), (3, 6, True), (4, 6, True)):
        town.child(number, selected=True, household=household, protected=protected)
        listed(town, number)
    children = seen(town)
    assert children[key(1)].siblings == (number_of(2),)
    assert children[key(3)].siblings == ()
    assert (children[key(1)].school, children[key(3)].school) == ("南小学校", None)


def test_a_child_that_the_meeting_adds_is_seen_too(town):
    town.child(1, selected=True)
    town.child(2, selected=False)
    listed(town, 1)
    town.decide(2, "c")
    children = seen(town)
    assert (children[key(1)].added, children[key(2)].added) == (False, True)
    assert children[key(2)].decision is not None
    assert children[key(2)].decision.decision == "c"
