"""Which columns a matrix of levels becomes, each rule of method §5 on counts small enough to check by hand."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from kodomo_assets.catalogue import load_catalogue
from kodomo_assets.stages.weights.design import Children, Columns, item_columns
from kodomo_assets.stages.weights.evidence import OfChildren

CATALOGUE = load_catalogue()
SETTINGS = CATALOGUE.weights
NA = "not_applicable"


def children(years: tuple[int, ...] = (1,), **items: list[tuple[str, int, int]]) -> Children:
    """Children from runs of (level, without the event, with the event) per item; all items have the same length.

    Of each run the first child is in the first of ``years``, the next in the next one, and so on in turn.
    """
    columns = {
        item: [level for level, without, events in runs for _ in range(without + events)]
        for item, runs in items.items()
    }
    first = next(iter(items.values()))
    event = [flag for _, without, events in first for flag in [False] * without + [True] * events]
    frame = pd.DataFrame(columns)
    turn = [year for _, without, events in first for year in (years * (without + events))[: without + events]]
    return Children(frame, np.array(event), np.arange(len(frame)), np.array(turn))


def columns_of(item: str, *runs: tuple[str, int, int]):
    return item_columns(OfChildren(children(**{item: list(runs)}), SETTINGS), CATALOGUE.items[item], SETTINGS)


def test_levels_with_enough_children_stand_alone():
    entry = columns_of("absence_days", (NA, 100, 10), ("10-19", 15, 5), ("20-29", 15, 5), ("30+", 15, 5))
    assert entry.groups == (("10-19",), ("20-29",), ("30+",))
    assert entry.merges == ()


@pytest.mark.parametrize(("without", "events"), [(14, 5), (16, 4), (4, 16)])
def test_a_level_with_too_few_joins_the_next_milder_one(without, events):
    """19 children; 20 with only 4 events; 20 of whom only 4 have none."""
    entry = columns_of("absence_days", (NA, 100, 10), ("10-19", 15, 5), ("20-29", 15, 5), ("30+", without, events))
    assert entry.groups == (("10-19",), ("20-29", "30+"))
    assert [(m.level, m.into) for m in entry.merges] == [("30+", "20-29")]


def test_the_sum_is_tested_again():
    entry = columns_of("absence_days", (NA, 100, 10), ("10-19", 15, 5), ("20-29", 6, 2), ("30+", 6, 2))
    assert entry.groups == (("10-19", "20-29", "30+"),)


def test_the_mildest_joins_upwards():
    entry = columns_of("absence_days", (NA, 100, 10), ("10-19", 5, 1), ("20-29", 15, 5), ("30+", 15, 5))
    assert entry.groups == (("10-19", "20-29"), ("30+",))


def test_rare_no_reference_and_no_variation():
    assert columns_of("absence_days", (NA, 100, 10), ("10-19", 5, 1), ("30+", 5, 2)).problem == "rare"
    assert columns_of("absence_days", (NA, 10, 9), ("10-19", 50, 10)).problem == "no_reference"
    assert columns_of("absence_days", (NA, 100, 10)).problem == "no_variation"


def test_a_blank_with_too_few_counts_as_the_reference():
    few = columns_of("worry_study", (NA, 100, 10), ("applicable", 15, 5), ("blank", 30, 3))
    assert not few.has_blank
    assert [(m.level, m.into) for m in few.merges] == [("blank", NA)]
    assert columns_of("worry_study", (NA, 100, 10), ("applicable", 15, 5), ("blank", 15, 5)).has_blank


def in_years(group: Children, *runs: tuple[int, int]) -> Children:
    """``group`` with runs of (children, school year)."""
    years = np.array([year for count, year in runs for _ in range(count)])
    return Children(group.levels, group.event, group.household, years)


def test_an_item_that_a_school_year_nearly_tells_is_left_to_its_intercept():
    """Grades begin in the fourth year: 60 of 60 on it there, nobody elsewhere; then with 20 elsewhere."""
    runs = [(NA, 90, 10), ("below_2_5", 45, 15)]
    one = children(low_grades=runs)
    item = CATALOGUE.items["low_grades"]
    assert item_columns(OfChildren(one, SETTINGS), item, SETTINGS).problem is None
    told = in_years(one, (100, 5), (60, 4))
    assert item_columns(OfChildren(told, SETTINGS), item, SETTINGS).problem == "school_year"
    # of the fourth year 40 on it and 20 not: the intercepts leave it 20 children
    spread = in_years(one, (20, 4), (80, 5), (40, 4), (20, 5))
    assert spread.varying(spread.levels["low_grades"] == "below_2_5") == 20 + 20
    assert item_columns(OfChildren(spread, SETTINGS), item, SETTINGS).problem is None


def test_a_level_that_a_school_year_nearly_tells_joins_the_next_milder_one():
    """30+ only in the second year, and there by all but 19."""
    group = in_years(
        children(absence_days=[(NA, 90, 10), ("10-19", 15, 5), ("30+", 25, 5), (NA, 19, 0)]), (120, 1), (49, 2)
    )
    entry = item_columns(OfChildren(group, SETTINGS), CATALOGUE.items["absence_days"], SETTINGS)
    assert entry.groups == (("10-19", "20-29", "30+"),)
    assert [(m.level, m.reason) for m in entry.merges] == [("20-29", "school_year"), ("30+", "school_year")]


def test_a_blank_that_a_school_year_nearly_tells_is_the_reference():
    group = in_years(
        children(worry_study=[(NA, 100, 10), ("applicable", 15, 5), ("blank", 30, 10), (NA, 10, 0)]), (130, 4), (50, 5)
    )
    entry = item_columns(OfChildren(group, SETTINGS), CATALOGUE.items["worry_study"], SETTINGS)
    assert not entry.has_blank
    assert [(m.level, m.reason) for m in entry.merges] == [("blank", "school_year")]


def test_silence_of_a_whole_school_year_is_no_column():
    """The fourth year has no grades at all, and 19 newcomers of the sixth: what the year says stands in its intercept."""
    runs = [(NA, 90, 30), ("below_2_5", 30, 10), ("no_record", 40, 20), ("no_record", 14, 5)]
    group = in_years(children(low_grades=runs), (160, 6), (60, 4), (19, 6))
    design = design_of(group)
    assert [c.item for c in design.columns] == ["low_grades"]
    assert [(m.item, m.into, m.reason) for m in design.merges] == [("table:grades", "recorded", "school_year")]
    # with one more it is a column, compared within the years: 20 of 180 in the sixth
    more = in_years(children(low_grades=[*runs, ("no_record", 1, 0)]), (160, 6), (60, 4), (20, 6))
    assert [c.item for c in design_of(more).columns] == ["low_grades", "table:grades"]


def test_what_is_fitted_has_an_intercept_for_each_school_year():
    group = children(years=(1, 3), public_assistance=[(NA, 60, 20), ("applicable", 30, 10)])
    design = design_of(group)
    first, third, own = group.design(design.columns)
    np.testing.assert_array_equal(first, group.school_year == 1)
    np.testing.assert_array_equal(third, group.school_year == 3)
    np.testing.assert_array_equal(own, group.levels["public_assistance"] == "applicable")
    assert design.positions("public_assistance") == [2]
    assert design.column(1) is None
    assert design.column(2) is design.columns[0]


def design_of(group: Children):
    evidence = OfChildren(group, SETTINGS)
    items = [item_columns(evidence, CATALOGUE.items[item], SETTINGS) for item in group.levels]
    return Columns(evidence, CATALOGUE, evidence.intercepts).design(items)


def test_no_record_is_one_column_per_table_shared_by_its_items():
    """Whoever has no record in any item of the table is in it: 30 by absence, 4 more by the nurse's office."""
    group = children(
        absence_days=[(NA, 100, 20), ("30+", 15, 5), ("no_record", 20, 10), (NA, 3, 1)],
        nurse_office_visits=[(NA, 80, 20), ("10+", 20, 20), ("no_record", 23, 11)],
    )
    design = design_of(group)
    tables = [column for column in design.columns if column.item == "table:attendance"]
    assert len(tables) == 1
    assert group.values(tables[0]).sum() == 34


def test_a_no_record_column_that_hardly_differs_is_merged_and_logged():
    """30 children lack both school tables, 10 more the second one: they differ in 10, fewer than 20."""
    group = children(
        untreated_teeth=[(NA, 100, 20), ("3+", 15, 5), ("no_record", 20, 10), (NA, 8, 2)],
        absence_days=[(NA, 80, 15), ("30+", 35, 10), ("no_record", 28, 12)],
    )
    design = design_of(group)
    assert [c.item for c in design.columns if c.item.startswith("table:")] == ["table:school_health_checks"]
    assert [(m.item, m.into) for m in design.merges] == [("table:attendance", "table:school_health_checks")]


def test_the_complement_of_an_earlier_no_record_is_merged_too():
    group = children(
        maternal_epds=[(NA, 100, 20), ("applicable", 15, 5), ("no_record", 40, 20)],
        ssw_family=[("no_record", 95, 22), ("no_record", 20, 3), (NA, 20, 12), ("applicable", 20, 8)],
    )
    # EPDS lacks 60 children, SSW 140; the complement of the one differs from the other in none
    both = design_of(group)
    lacks = {c.item: int(group.values(c).sum()) for c in both.columns if c.item.startswith("table:")}
    assert lacks == {"table:epds": 60}
    assert both.merges[-1].item == "table:ssw_records"


def test_a_no_record_with_too_few_is_the_reference():
    group = children(absence_days=[(NA, 100, 20), ("30+", 15, 5), ("no_record", 15, 4)])
    design = design_of(group)
    assert [c.item for c in design.columns] == ["absence_days"]
    assert [(m.item, m.into) for m in design.merges] == [("table:attendance", "recorded")]
