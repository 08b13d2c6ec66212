"""Rates of groups, their intervals and the list without an item, worked out by hand and by other programs."""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from statsmodels.stats.proportion import confint_proportions_2indep, proportion_confint

from kodomo_assets.checks import CheckOutcome
from kodomo_assets.disclosure import suppress
from kodomo_assets.errors import ConfigurationError
from kodomo_assets.stages.evaluation.fairness import (
    build_fairness,
    check_fairness,
    tell_fairness,
    tell_list_lengths,
    tell_without_items,
)
from kodomo_assets_tests.provoked import provokes
from kodomo_assets_tests.town import NORTH, SOUTH, VERSION, R, Town, key

ITEMS = ("sex", "nationality", "single_parent", "child_rearing_allowance", "many_children", "child_disability",
         "household_disability", "public_assistance", "child_services")  # fmt: skip


@pytest.fixture
def town(tmp_path: Path) -> Iterator[Town]:
    made = Town(tmp_path)
    yield made
    made.con.close()


class People:
    """Ranked children by the dozen: all of one ``add`` are alike."""

    def __init__(self, town: Town) -> None:
        self.town, self.number = town, 0

    def add(
        self, children: int, *, selected: bool = False, record: bool = False, school: str = SOUTH,
        levels: Mapping[str, str] | None = None, day: dt.date = R,
    ) -> None:  # fmt: skip
        given = dict.fromkeys(ITEMS, "not_applicable") | dict(levels or {})
        first, self.number = self.number + 1, self.number + children
        keys = f"select format('{{:030x}}ab', n) as child_key, n::integer as rank from range({first}, {self.number + 1}) as r(n)"
        con = self.town.con
        con.execute(
            f"insert into screening.ranking by name select child_key, rank, $1 as reference_date, '{VERSION}' as "
            "weights_version, 'upper' as band, 4 as cohort, $2 as school_code, $3::integer / 10 as score, 0 as own_levels, "
            "$3 as selected, 'cohort' as share_of, false as tied_at_cut, 0 as legacy_hits, false as newly_found_equal, "
            f"false as open_consultation, false as known_before, false as incomplete_delivery, false as sibling_selected from ({keys})",
            [day, school, selected],
        )
        con.execute(
            "insert into features.labels by name select child_key, $1 as reference_date, true as known_before, "
            f"false as open_consultation, $2 as counted_before from ({keys})",
            [day, record],
        )
        for item, level in given.items():
            con.execute(
                "insert into features.levels by name select child_key, $1 as reference_date, $2 as item, $3 as level "
                f"from ({keys})",
                [day, item, level],
            )


@pytest.fixture
def people(town) -> People:
    return People(town)


def groups(town: Town, columns: str, attribute: str) -> dict[str, tuple]:
    build_fairness(town.con, town.catalogue, R)
    rows = town.rows(f"select group_name, {columns} from new_fairness where attribute = '{attribute}'")
    return {name: tuple(rest) for name, *rest in rows}


DISABLED = {"child_disability": "applicable"}


def twenty_and_a_hundred(people: People) -> None:
    """Own disability: of 20 eight selected, six with a record, four of these selected; of 100: ten, fifteen, five."""
    for levels, counts in ((DISABLED, (4, 4, 2, 10)), (None, (5, 5, 10, 80))):
        for (selected, record), n in zip(((True, True), (True, False), (False, True), (False, False)), counts, strict=True):  # fmt: skip
            people.add(n, selected=selected, record=record, levels=levels)


def test_rates_are_those_of_the_group(town, people):
    twenty_and_a_hundred(people)
    found = groups(
        town,
        "children, selected, events, without_record, selection_rate, difference, ratio, precision, "
        "false_negative_rate, false_positive_rate, suppressed",
        "own_disability",
    )
    assert found == {
        "applicable": pytest.approx((20, 8, 6, 14, 0.4, 0.3, 4.0, 0.5, 2 / 6, 4 / 14, False)),
        "not_applicable": pytest.approx((100, 10, 15, 85, 0.1, -0.3, 0.25, 0.5, 10 / 15, 5 / 85, False)),
    }


def test_intervals_are_those_of_statsmodels(town, people):
    twenty_and_a_hundred(people)
    columns = ("low, high, difference_low, difference_high, precision_low, precision_high, false_negative_low, "
               "false_negative_high")  # fmt: skip
    assert groups(town, columns, "own_disability")["applicable"] == pytest.approx(
        (
            *proportion_confint(8, 20, method="wilson"),
            *confint_proportions_2indep(8, 20, 10, 100, method="newcomb", compare="diff"),
            *proportion_confint(4, 8, method="wilson"),
            *proportion_confint(2, 6, method="wilson"),
        ),
        abs=1e-12,
    )


def test_a_rate_of_nobody_and_of_everybody_has_an_interval_too(town, people):
    people.add(20, levels=DISABLED)
    people.add(30, selected=True)
    found = groups(town, "low, high, difference_low, difference_high, ratio, precision", "own_disability")
    low, high = confint_proportions_2indep(0, 20, 30, 30, method="newcomb", compare="diff")
    assert found["applicable"] == pytest.approx((0.0, proportion_confint(0, 20, method="wilson")[1], low, high, 0.0, None))  # fmt: skip
    assert found["not_applicable"][4] is None


def test_a_group_under_ten_has_no_rates_and_is_told_by_no_difference(town, people):
    people.add(9, selected=True, levels=DISABLED)
    people.add(51)
    found = groups(town, "children, suppressed, selection_rate, low, difference, precision, false_negative_rate", "own_disability")  # fmt: skip
    assert found["applicable"] == (9, True, None, None, None, None, None)
    assert found["not_applicable"][:5] == (51, False, 0.0, 0.0, None)
    town.configure("publish: {suppress_below: 5}")
    assert groups(town, "suppressed, selection_rate", "own_disability")["applicable"] == (False, 1.0)


def test_one_item_of_several_makes_the_group_and_a_missing_one_leaves_it_open(town, people):
    people.add(11, levels={"single_parent": "without_allowance"})
    people.add(12, levels={"child_rearing_allowance": "stopped", "single_parent": "no_record"})
    people.add(13, levels={"child_rearing_allowance": "no_record"})
    people.add(14)
    assert groups(town, "children", "single_parent") == {
        "applicable": (23,), "unknown": (13,), "not_applicable": (14,),
    }  # fmt: skip


def test_sex_nationality_and_schools_are_groups_by_their_own_names(town, people):
    people.add(11, levels={"sex": "female", "nationality": "foreign"}, selected=True)
    people.add(22, school=NORTH)
    assert groups(town, "children, selected", "sex") == {"female": (11, 11), "not_applicable": (22, 0)}
    assert groups(town, "children", "nationality") == {"foreign": (11,), "not_applicable": (22,)}
    assert groups(town, "children, selected", "school") == {SOUTH: (11, 11), NORTH: (22, 0)}


def test_every_attribute_holds_every_ranked_child_of_the_date_once(town, people):
    people.add(11, levels={"sex": "blank"})
    people.add(12, school=NORTH, levels=DISABLED)
    people.add(50, day=dt.date(2025, 1, 1), selected=True)
    build_fairness(town.con, town.catalogue, R)
    counted = dict(town.rows("select attribute, sum(children) from new_fairness group by attribute"))
    assert counted == dict.fromkeys([*town.catalogue.fairness.groups, "school"], 23)


def test_a_city_s_own_group(town, people):
    town.configure("fairness: {groups: {poor: {ja: 生活保護, items: [public_assistance]}}}")
    people.add(15, levels={"public_assistance": "applicable"})
    people.add(15)
    assert groups(town, "children", "poor") == {"applicable": (15,), "not_applicable": (15,)}


@pytest.mark.parametrize("setting", ["groups: {poor: {ja: x, items: [poverty]}}", "without: [district]"])
def test_a_group_of_no_item_is_an_error(town, setting):
    with pytest.raises(ConfigurationError, match=r"fairness\..*: no item with levels"):
        town.configure(f"fairness: {{{setting}}}")


# -- against other programs --


@pytest.fixture
def random_city(town, people) -> pd.DataFrame:
    """Some hundred children of all kinds, and the same as a frame of one row each."""
    rng = np.random.default_rng(7)
    rows = []
    for sex in ("female", "not_applicable"):
        for school in (SOUTH, NORTH):
            for selected in (True, False):
                for record in (True, False):
                    n = int(rng.integers(12, 40))
                    people.add(n, selected=selected, record=record, school=school, levels={"sex": sex})
                    rows += [(sex, school, selected, record)] * n
    return pd.DataFrame(rows, columns=["sex", "school", "selected", "record"])


MEASURES = ["selection_rate", "precision", "false_negative_rate", "false_positive_rate"]


def by_pandas(frame: pd.DataFrame, attribute: str) -> pd.DataFrame:
    grouped = frame.groupby(attribute)
    return pd.DataFrame(
        {
            "selection_rate": grouped["selected"].mean(),
            "precision": frame[frame["selected"]].groupby(attribute)["record"].mean(),
            "false_negative_rate": 1 - frame[frame["record"]].groupby(attribute)["selected"].mean(),
            "false_positive_rate": frame[~frame["record"]].groupby(attribute)["selected"].mean(),
        }
    )


@pytest.mark.parametrize("attribute", ["sex", "school"])
def test_rates_equal_an_independent_count(town, random_city, attribute):
    found = groups(town, ", ".join(MEASURES), attribute)
    expected = by_pandas(random_city, attribute)
    assert found.keys() == set(expected.index)
    for name, row in expected.iterrows():
        assert found[name] == pytest.approx(tuple(row), abs=1e-12)


@pytest.mark.parametrize("attribute", ["sex", "school"])
def test_rates_equal_those_of_fairlearn(town, random_city, attribute):
    metrics = pytest.importorskip("fairlearn.metrics", reason="a test dependency (requirements-dev.lock)")
    from sklearn.metrics import precision_score

    frame = metrics.MetricFrame(
        metrics={
            "selection_rate": metrics.selection_rate,
            "precision": precision_score,
            "false_negative_rate": metrics.false_negative_rate,
            "false_positive_rate": metrics.false_positive_rate,
        },
        y_true=random_city["record"],
        y_pred=random_city["selected"],
        sensitive_features=random_city[attribute],
    )
    found = groups(town, ", ".join(MEASURES), attribute)
    for name, row in frame.by_group.iterrows():
        assert found[name] == pytest.approx(tuple(row[MEASURES]), abs=1e-12)
    widest = max(rate for rate, *_ in found.values()) - min(rate for rate, *_ in found.values())
    assert frame.difference()["selection_rate"] == pytest.approx(widest)


# -- the check --


def warned(town: Town) -> CheckOutcome:
    build_fairness(town.con, town.catalogue, R)
    (outcome,) = check_fairness(town.con, town.catalogue)
    assert not outcome.blocking
    return outcome


@provokes("groups_alike", passed=False)
def test_a_group_that_is_selected_otherwise_is_a_warning(town, people):
    twenty_and_a_hundred(people)
    outcome = warned(town)
    low, high = confint_proportions_2indep(8, 20, 10, 100, method="newcomb", compare="diff")
    assert not outcome.passed
    interval = f"difference +30.0%, {low:+.1%} to {high:+.1%}"
    told = f"本人の障害者手帳 applicable: 40.0% selected, all others 10.0% ({interval})"
    assert told in outcome.message
    # 本人か世帯員の障害者手帳 are the same children here
    assert outcome.facts["unlike"] == 2


@provokes("groups_alike", passed=True)
def test_alike_groups_are_none(town, people):
    for levels in (DISABLED, None, {"sex": "female"}, {"many_children": "3"}):
        for school in (SOUTH, NORTH):
            people.add(10, selected=True, levels=levels, school=school)
            people.add(90, levels=levels, school=school)
    outcome = warned(town)
    assert outcome.passed
    assert outcome.message == "0 of 6 groups are selected otherwise than all others, expected none"


@pytest.mark.parametrize(
    ("selected", "others_selected", "passed"),
    [
        # 30 % against 10 % of few: the interval holds 0
        (3, 10, True),
        # 60 % against 50 % of many: it excludes 0, and 1.2 times is within bounds
        (600, 500, True),
        # 63 % against 50 %: 1.26 times is not
        (630, 500, False),
        # 40 % against 51 %: 0.78 times
        (400, 510, False),
    ],
)
def test_both_the_interval_and_the_ratio_must_speak(town, people, selected, others_selected, passed):
    of = 10 if selected < 10 else 1_000
    people.add(selected, selected=True, levels=DISABLED)
    people.add(of - selected, levels=DISABLED)
    people.add(others_selected, selected=True)
    people.add((100 if of == 10 else 1_000) - others_selected)
    assert warned(town).passed is passed


def test_bounds_are_the_city_s_and_those_of_one_group_its_own(town, people):
    twenty_and_a_hundred(people)
    town.configure("fairness: {max_ratio: 4.5, min_ratio: 0.1}")
    assert warned(town).passed
    town.configure("fairness: {groups: {own_disability: {max_ratio: 5}, disability: {max_ratio: 3}}}")
    outcome = warned(town)
    assert (outcome.passed, outcome.facts["unlike"]) == (False, 1)
    assert "本人か世帯員の障害者手帳" in outcome.message
    assert "beyond 0.8 to 3 times" in outcome.message


def test_where_nobody_else_is_selected_the_ratio_is_beyond_every_bound(town, people):
    people.add(20, selected=True, levels=DISABLED)
    people.add(100)
    assert "本人の障害者手帳 applicable: 100.0% selected, all others 0.0%" in warned(town).message


def test_of_many_groups_the_ten_that_differ_most_are_named(town, people):
    for number in range(24):
        people.add(30, selected=number % 2 == 0, school=f"08{number:04d}")
    message = warned(town).message
    assert message.count("学校 08") == 10
    assert message.endswith("; and 14 more")


def weighed(town: Town, item: str = "child_disability", level: str = "applicable", weight: float = 0.2) -> None:
    town.insert("weights.coefficients", version=VERSION, reference_date=R, band="upper", item=item, level=level, weight=weight, std_error=0.01, p_value=0.0, children=20, mean_weight=0.0)  # fmt: skip


@pytest.mark.parametrize(
    ("before", "passed"),
    [
        # the difference of now is .30, its interval .12 to .51
        (None, True),
        (0.30, True),
        (0.13, True),
        (0.09, False),
        # less than before, and on the other side
        (0.60, True),
        (-0.05, True),
    ],
)
def test_a_group_that_an_item_of_the_weights_makes_warns_only_where_it_grew(town, people, before, passed):
    twenty_and_a_hundred(people)
    weighed(town)
    low, _ = confint_proportions_2indep(8, 20, 10, 100, method="newcomb", compare="diff")
    assert 0.09 < low < 0.13
    if before is not None:
        for day, difference in ((dt.date(2024, 4, 1), 0.0), (dt.date(2025, 1, 1), before)):
            for attribute in ("own_disability", "disability"):
                town.insert("evaluation.fairness", reference_date=day, version="2024-04-01.1", attribute=attribute, group_name="applicable", children=20, selected=8, events=0, without_record=20, difference=difference, suppressed=False)  # fmt: skip
    outcome = warned(town)
    assert outcome.passed is passed
    assert outcome.facts["by_design"] == (2 if passed else 0)
    assert "本人の障害者手帳 applicable: 40.0% selected, all others 10.0%" in outcome.message
    assert ("more than on the list before" in outcome.message) is not passed
    assert ("Because items of the weights make them, told and no warning: " in outcome.message) is passed
    rows = town.rows("select attribute, bool_and(is_weighed) from new_fairness group by attribute")
    assert {attribute for attribute, weighs in rows if weighs} == {"own_disability", "disability"}


@pytest.mark.parametrize("before", [None, 0.22])
def test_a_group_on_the_other_side_of_what_the_weights_push_is_a_warning(town, people, before):
    """The item raises scores, and of those whom it applies to 1 % are selected against 12 %."""
    people.add(1, selected=True, levels=DISABLED)
    people.add(99, levels=DISABLED)
    people.add(96, selected=True)
    people.add(704)
    weighed(town)
    if before is not None:
        for attribute in ("own_disability", "disability"):
            town.insert("evaluation.fairness", reference_date=dt.date(2025, 1, 1), version="2024-04-01.1", attribute=attribute, group_name="applicable", children=20, selected=8, events=0, without_record=20, difference=before, suppressed=False)  # fmt: skip
    outcome = warned(town)
    assert not outcome.passed
    assert outcome.facts.items() >= {"groups": outcome.facts["groups"], "unlike": 2, "by_design": 0}.items()
    # a weight that lowers would be one that does it
    town.con.execute("update weights.coefficients set weight = -weight")
    assert warned(town).facts["by_design"] == 2


def test_whose_record_is_missing_is_in_no_group_that_the_weights_make(town, people):
    people.add(1, selected=True, levels={"child_disability": "no_record"})
    people.add(149, levels={"child_disability": "no_record"})
    people.add(96, selected=True)
    people.add(704)
    weighed(town)
    outcome = warned(town)
    assert not outcome.passed
    assert "本人の障害者手帳 unknown: 0.7% selected, all others 12.0%" in outcome.message


def test_bounds_that_somebody_set_for_such_a_group_hold(town, people):
    twenty_and_a_hundred(people)
    weighed(town)
    town.configure("fairness: {groups: {own_disability: {max_ratio: 3}}}")
    assert "1 of 2 groups are selected otherwise" in warned(town).message
    town.configure("fairness: {groups: {own_disability: {max_ratio: 5}}}")
    assert warned(town).passed


@pytest.mark.parametrize(("item", "level", "weight"), [("child_disability", "blank", 0.2), ("child_disability", "applicable", 0.0), ("many_children", "3", 0.2)])  # fmt: skip
def test_what_weighs_nothing_of_the_group_makes_it_none_of_the_weights(town, people, item, level, weight):
    """Its blank, a level on the reference, another item."""
    twenty_and_a_hundred(people)
    weighed(town, item, level, weight)
    assert not warned(town).passed


@pytest.mark.parametrize(("schools", "passed"), [(1, False), (20, True)])
def test_of_many_schools_one_that_differs_by_chance_is_no_warning(town, people, schools, passed):
    """Twenty of 100 against a tenth of 2,000: 95 of 100 times less than that; one in twenty schools has it."""
    people.add(18, selected=True, school="089999")
    people.add(82, school="089999")
    for number in range(schools):
        people.add(200 // schools, selected=True, school=f"08{number:04d}")
        people.add(1_800 // schools, school=f"08{number:04d}")
    assert warned(town).passed is passed


# -- without an item --


def scored(town: Town, number: int, score: float, *, part: float = 0.0, selected: bool = False, record: bool = False, **facts: object) -> None:  # fmt: skip
    contributions = {"child_disability": ("applicable" if part else "not_applicable", part or -0.01)}
    town.child(number, score=score, selected=selected, contributions=contributions)
    town.con.execute("update features.labels set counted_before = $1 where child_key = $2", [record, key(number)])
    for name, value in facts.items():
        town.con.execute(f"update screening.ranking set {name} = $1 where child_key = $2", [value, key(number)])


def without(town: Town) -> list[tuple]:
    build_fairness(town.con, town.catalogue, R)
    return town.rows("select item, selected, entered, left_list, precision, precision_without from new_without_items")


def test_without_an_item_others_stand_on_the_list(town):
    scored(town, 1, 0.50, part=0.30, selected=True, record=True)
    scored(town, 2, 0.40, selected=True, record=True)
    scored(town, 3, 0.35)
    scored(town, 4, 0.34, part=0.10)
    # 0.20, 0.41, 0.36, 0.24: the third for the first
    assert without(town) == [("child_disability", 2, 1, 1, 1.0, 0.5)]


def test_as_many_places_as_before_in_every_school_year_and_share(town):
    scored(town, 1, 0.50, part=0.30, selected=True)
    scored(town, 2, 0.30, share_of="missing", selected=True)
    scored(town, 3, 0.29, share_of="missing")
    scored(town, 4, 0.10, cohort=5, selected=True)
    scored(town, 5, 0.25)
    assert without(town)[0][1:4] == (3, 1, 1)


def test_equals_keep_their_order(town):
    """Scores that only the last places tell apart are one, and nobody leaves for it."""
    scored(town, 1, 0.30, selected=True)
    scored(town, 2, 0.30 + 4e-10)
    assert without(town)[0][1:4] == (1, 0, 0)


def test_of_equals_without_the_item_the_one_with_more_own_levels_comes_first(town):
    scored(town, 1, 0.31, part=0.20, selected=True, own_levels=2)
    scored(town, 2, 0.10, own_levels=2)
    # both 0.11 then; the first has one own level left
    assert without(town)[0][1:4] == (1, 1, 1)


def test_a_city_says_which_items_and_may_say_none(town):
    scored(town, 1, 0.5, selected=True)
    town.configure("fairness: {without: [single_parent, absence_days]}")
    assert [row[0] for row in sorted(without(town))] == ["absence_days", "single_parent"]
    town.configure("fairness: {without: []}")
    assert without(town) == []


# -- at other lengths --


def lengths(town: Town) -> dict[int, tuple]:
    build_fairness(town.con, town.catalogue, R)
    rows = town.rows(
        "select share_percent, listed, entered, left_list, events, precision, false_negative_rate, household_share "
        "from new_list_lengths"
    )
    return {percent: tuple(rest) for percent, *rest in rows}


def test_the_list_at_five_and_fifteen_per_cent(town, people):
    """Forty children of one school year: two, four, six places; a record have the first, third, fifth and last."""
    for place in range(1, 41):
        people.add(1, selected=place <= 4, record=place in (1, 3, 5, 40))
    assert lengths(town) == {
        5: (2, 0, 2, 4, 1 / 2, 3 / 4, None),
        10: (4, 0, 0, 4, 2 / 4, 2 / 4, None),
        15: (6, 2, 0, 4, 3 / 6, 1 / 4, None),
    }
    town.configure("screening: {share_percent: 15}")
    assert set(lengths(town)) == {5, 15}


def test_children_of_missing_schools_have_their_places_at_every_length(town, people):
    """Twenty of a missing school, the last of forty: one and three places of their own, as their number gives them."""
    people.add(2, selected=True)
    people.add(18)
    people.add(20)
    town.con.execute("update screening.ranking set share_of = 'missing' where rank > 20")
    town.con.execute("update screening.ranking set selected = true where rank in (21, 22)")
    assert {percent: row[:3] for percent, row in lengths(town).items()} == {5: (2, 0, 2), 10: (4, 0, 0), 15: (6, 2, 0)}
    # the first of all are theirs: the common ranking would give them every place
    town.con.execute(
        "update screening.ranking set share_of = if(rank > 20, 'cohort', 'missing'), selected = rank <= 4 or rank in (21, 22)"
    )
    assert {percent: row[:3] for percent, row in lengths(town).items()} == {5: (3, 0, 3), 10: (6, 0, 0), 15: (9, 3, 0)}


def test_what_the_household_makes_of_the_scores(town):
    """Of what raises those on the list; what lowers a score and the base rate are no part of it."""
    for number in range(1, 21):
        town.child(
            number,
            selected=number <= 2,
            contributions={
                "(base)": ("(base)", 0.5),
                "absence_days": ("30+", 0.3),
                "public_assistance": ("applicable", 0.1 * (number == 1)),
                "household_care": ("heavy", 0.1 * (number == 1)),
                "many_children": ("not_applicable", -0.1),
            },
        )
    assert lengths(town)[10][-1] == pytest.approx(0.2 / 0.8)
    assert lengths(town)[5][-1] == pytest.approx(0.2 / 0.5)


# -- what leaves, and what the UI shows --


def test_no_published_cell_tells_few_children(town, people):
    twenty_and_a_hundred(people)
    people.add(4, levels={"sex": "female"}, selected=True, school=NORTH)
    build_fairness(town.con, town.catalogue, R)
    table = town.catalogue.output("evaluation.fairness")
    told = {
        (attribute, group): rest
        for attribute, group, *rest in town.rows(
            "select attribute, group_name, children, selected, selection_rate, precision "
            f"from {suppress(town.con, table, 'new_fairness', 10)}"
        )
    }
    assert told["school", NORTH] == [None, None, None, None]
    # 8 and 14 of 20 and 104: the total would give the eight back
    assert told["own_disability", "applicable"] == [20, None, None, None]
    assert told["own_disability", "not_applicable"][1] is None
    assert all(column.private for column in table.columns if "low" in column.name or "high" in column.name or "difference" in column.name)  # fmt: skip


def test_metadata_are_a_table_and_a_picture(town, people):
    twenty_and_a_hundred(people)
    build_fairness(town.con, town.catalogue, R)
    told = tell_fairness(town.con, town.catalogue)
    assert ("own_disability", "applicable", 20, 0.4, 0.3) in [row[:5] for row in told["集団ごと"].fetchall()]
    assert told["differences"].startswith(b"<svg")
    assert "本人の障害者手帳：該当".encode() in told["differences"]
    assert [row[:2] for row in tell_list_lengths(town.con)["一覧の長さ"].fetchall()] == [(5, 6), (10, 12), (15, 18)]
    assert tell_without_items(town.con)["項目なしの一覧"].fetchall() == [("child_disability", 18, 0, 0, 0.5, 0.5)]


def test_a_date_without_a_list_has_no_groups(town):
    build_fairness(town.con, town.catalogue, R)
    assert len(town.con.table("new_fairness")) == 0
    assert warned(town).passed
    assert math.isfinite(len(tell_fairness(town.con, town.catalogue)["differences"]))
