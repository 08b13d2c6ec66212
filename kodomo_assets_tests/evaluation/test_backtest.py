"""Past lists against what came after them: who is followed, who is not, and what no list is rewarded for."""

from __future__ import annotations

import datetime as dt
import hashlib
from collections.abc import Iterator
from pathlib import Path

import pytest
from statsmodels.stats.proportion import proportion_confint

from kodomo_assets.disclosure import suppress
from kodomo_assets.intervals import create_intervals
from kodomo_assets.stages.evaluation.backtest import backtest_text, build_backtest, tell_backtest
from kodomo_assets_tests.followed import JUNE, NOW, OCTOBER, TERM, THEN, Followed
from kodomo_assets_tests.town import key

COLUMNS = "listed, known_before, followed, censored, first_consultations, bred"


@pytest.fixture
def town(tmp_path: Path) -> Iterator[Followed]:
    made = Followed(tmp_path)
    yield made
    made.con.close()


def backtest(town: Followed, band: str = "is null") -> dict[tuple, tuple[int, ...]]:
    """(List's date, months, rule) -> the counts of all bands."""
    town.follow()
    build_backtest(town.con, town.catalogue, NOW)
    rows = town.rows(f"select list_date, horizon_months, rule, {COLUMNS} from new_backtest where band {band}")
    return {tuple(row[:3]): row[3:] for row in rows}


def selected(town: Followed, number: int, **values: object) -> None:
    """On the list of a year ago, on its spine, and a resident until now."""
    town.there(number, THEN, resident=(NOW,))
    town.ranked(number, THEN, selected=True, **values)


def test_every_child_of_the_list_is_followed_or_said_to_be_lost(town):
    """1 consulted in June; 2 not; 3 was known; 4 moved away in October; 5 too, after a consultation in June."""
    for number in (1, 2, 3):
        selected(town, number)
    for number in (4, 5):
        town.there(number, THEN)
        town.ranked(number, THEN, selected=True)
        town.left(number, OCTOBER)
    town.consulted(1, JUNE)
    town.consulted(3, dt.date(2024, 4, 1))
    town.consulted(3, JUNE + dt.timedelta(1))
    town.consulted(5, JUNE)
    found = backtest(town)
    assert found[THEN, 12, "list"] == (5, 1, 3, 1, 2, 0)
    assert found[THEN, 12, "cohort"] == (5, 1, 3, 1, 2, 0)
    assert found[None, 12, "list"] == (5, 1, 3, 1, 2, 0)
    assert {months for _, months, _ in found} == {12}
    rate, low, high = town.rows("select rate, low, high from new_backtest where rule = 'list' and list_date is not null and band is null")[0]  # fmt: skip
    assert (rate, low, high) == (2 / 3, *map(pytest.approx, proportion_confint(2, 3, method="wilson")))


def test_a_consultation_of_the_horizons_last_day_counts_and_one_of_the_day_after_does_not(town):
    for number in (1, 2):
        selected(town, number)
    town.consulted(1, dt.date(2025, 4, 1))
    town.consulted(2, dt.date(2025, 4, 2))
    assert backtest(town)[THEN, 12, "list"] == (2, 0, 2, 0, 1, 0)


def test_who_had_been_told_of_by_an_earlier_list_is_known(town):
    selected(town, 1)
    town.consulted(1, JUNE)
    town.insert("review.support", reference_date=dt.date(2023, 4, 1), child_key=key(1), given_on=dt.date(2023, 6, 1), kind="面談", outcome="継続", step="spoken_to")  # fmt: skip
    assert backtest(town)[THEN, 12, "list"] == (1, 1, 0, 0, 0, 0)


def test_siblings_are_no_strangers_in_an_interval(town):
    """Rao and Scott's effective number by hand, for three ways in which eight children of five households fare.

    Households of 3, 2 and three of one child. With y of n in a household and the rate p = 3 / 8 the linearized variance
    over that of strangers is H / (H - 1) * sum (y - p n)^2 / (8 p (1 - p)); no less than 1 and no more than that of
    households that fare alike, (9 + 4 + 3) / 8 = 2.
    """
    households = {1: "A", 2: "A", 3: "A", 4: "B", 5: "B", 6: "C", 7: "D", 8: "E"}
    for number, household in households.items():
        selected(town, number)
        town.con.execute("update linkage.children set household_id = $1 where child_key = $2", [household, key(number)])
    sizes = {"A": 3, "B": 2, "C": 1, "D": 1, "E": 1}
    rates = {}
    for consulted in ((1, 4, 6), (1, 2, 6), (1, 2, 3)):
        town.con.execute("delete from sources.child_consultations")
        for number in consulted:
            town.consulted(number, JUNE)
        backtest(town)
        ((rate, low, high),) = town.rows("select rate, low, high from new_backtest where rule = 'list' and list_date is not null and band is null")  # fmt: skip
        found = {of: sum(households[number] == of for number in consulted) for of in sizes}
        between = sum((found[of] - rate * n) ** 2 for of, n in sizes.items())
        effect = 5 / 4 * between / (8 * 3 / 8 * 5 / 8)
        assert rate == 3 / 8
        effective = 8 / min(max(effect, 1), 2)
        assert (low, high) == tuple(map(pytest.approx, proportion_confint(3 / 8 * effective, effective, method="wilson")))  # fmt: skip
        rates[consulted] = effective
    # spread over the households; two of three siblings; all three
    assert rates[1, 4, 6] == 8
    assert 5 < rates[1, 2, 6] < 7
    assert rates[1, 2, 3] == 4


def test_where_nobody_or_everybody_is_consulted_households_are_taken_to_fare_alike(town):
    """Of three children of one household and one of another: (3 + 1)^2 over (3^2 + 1^2)."""
    for number in (1, 2, 3, 4):
        selected(town, number)
    town.con.execute("update linkage.children set household_id = 'A' where resident_id <> '0000000004'")
    backtest(town)
    ((low, high),) = town.rows("select low, high from new_backtest where rule = 'list' and list_date is not null and band is null")  # fmt: skip
    assert (low, high) == tuple(map(pytest.approx, proportion_confint(0, 1.6, method="wilson")))


def talk(town: Followed, number: int, day: dt.date) -> None:
    town.insert("review.support", reference_date=THEN, child_key=key(number), given_on=day, kind="面談", outcome="継続", step="spoken_to")  # fmt: skip


@pytest.mark.parametrize("caused", ["not_counted", "counted"])
def test_no_list_is_rewarded_for_records_that_it_bred(town, caused):
    """Ten selected, all spoken to in June; of six a record follows, which says nothing of the list. 1 came before.

    Whatever the label counts. Without those records the list's rate is what it was.
    """
    town.configure(f"weights: {{caused_by_list: {caused}}}")
    for number in range(1, 11):
        selected(town, number)
        talk(town, number, JUNE)
    town.consulted(1, JUNE)
    before = backtest(town)[THEN, 12, "list"]
    for number in range(2, 8):
        town.consulted(number, OCTOBER)
    assert before == (10, 0, 10, 0, 1, 0)
    assert backtest(town)[THEN, 12, "list"] == (10, 0, 10, 0, 1, 6)


def lots(numbers: range, day: dt.date = THEN) -> list[int]:
    """In the order in which ties are broken."""
    return sorted(numbers, key=lambda number: hashlib.sha256(f"{day}|{key(number)}".encode()).hexdigest())


def test_the_other_rules_list_as_many_of_each_school_year(town):
    """Six children of one school year, two places. Each child has one consultation day, so that sums tell who it was."""
    first, second, third, *rest = lots(range(1, 7))
    # hits: third alone, then a tie that the lot breaks; steps: a strong level is worth more than a mild one of another
    hits = {third: 2, first: 1, second: 1}
    items = [item for item in town.catalogue.counted_items("upper", ()) if len(item.steps) > 1]
    strongest, mildest = list(items[0].levels)[-1], next(iter(items[1].levels))
    levels = {rest[0]: {items[0].id: strongest}, rest[1]: {items[1].id: mildest}}
    for number in range(1, 7):
        town.there(number, THEN, resident=(NOW,), levels=levels.get(number))
        town.ranked(number, THEN, selected=number in rest[1:], legacy_hits=hits.get(number, 0), legacy_flag=number == third)  # fmt: skip
    backtest(town)
    rows = town.rows("select rule, list(('0x' || left(child_key, 30))::integer) from rule_lists group by rule")
    assert {rule: set(listed) for rule, listed in rows} == {
        "cohort": {1, 2, 3, 4, 5, 6},
        "list": {rest[1], rest[2]},
        "legacy": {third, first},
        "count": {rest[0], rest[1]},
        "legacy_flag": {third},
        "only_list": {rest[1], rest[2]},
        "only_legacy": {third},
        "equal_only_list": {rest[1], rest[2]},
        "equal_only_legacy": {third, first},
    }


def test_what_both_lists_hold_stands_apart_at_either_length(town):
    one, two, three = lots(range(1, 4))
    for number in (one, two, three):
        town.there(number, THEN, resident=(NOW,))
        flag = {one: True, two: None, three: False}[number]
        town.ranked(number, THEN, selected=number != three, legacy_hits=int(number != two), legacy_flag=flag)
    found = backtest(town)
    listed = {rule: counts[0] for (day, _, rule), counts in found.items() if day == THEN}
    assert {rule: listed[rule] for rule in listed if rule not in ("list", "cohort", "count")} == {
        "legacy": 2,
        "legacy_flag": 1,
        "both": 1,
        # of two the old rule does not know
        "equal_both": 1,
        "equal_only_list": 1,
        "equal_only_legacy": 1,
    }


def test_an_old_date_without_levels_has_no_count(town):
    selected(town, 1)
    town.follow()
    town.con.execute("delete from features.levels")
    build_backtest(town.con, town.catalogue, NOW)
    assert town.rows("select distinct rule from new_backtest where rule in ('count', 'list')") == [("list",)]


def test_last_terms_list_is_that_of_the_date_before_as_far_as_its_children_are_still_ranked(town):
    """1 stayed, 2 left the list, 3 is ranked no more."""
    before = dt.date(2024, 1, 1)
    for number in (1, 2, 3):
        town.ranked(number, before, selected=True)
    for number in (1, 2):
        town.there(number, THEN, resident=(NOW,))
        town.ranked(number, THEN, selected=number == 1)
    found = backtest(town)
    assert found[THEN, 12, "last_term"][0] == 2
    assert (before, 12, "last_term") not in found


def test_over_the_years_only_horizons_that_do_not_overlap_are_added_up(town):
    """Lists of April 2021 to 2024, and one of September 2023: at 12 months four of them, at 24 every second one."""
    days = [dt.date(year, 4, 1) for year in range(2021, 2025)] + [dt.date(2023, 9, 1)]
    for number, day in enumerate(days, start=1):
        town.there(number, day, resident=(NOW,))
        town.ranked(number, day, selected=True)
    found = backtest(town)
    assert found[None, 12, "list"][0] == 4
    # 2024 is no 24 months old, and neither is September 2023
    assert found[None, 24, "list"][0] == 2
    assert {day for day, months, rule in found if months == 24 and rule == "list"} == {None, *days[:3]}
    version, low, high = town.rows("select any_value(version), min(low), max(high) from new_backtest where list_date is null and horizon_months = 12 and rule = 'list' and band = 'upper'")[0]  # fmt: skip
    assert (version, low, high) == (None, *map(pytest.approx, proportion_confint(0, 4, method="wilson")))


def test_bands_stand_apart(town):
    selected(town, 1)
    town.there(2, THEN, resident=(NOW,), school_year=2)
    town.ranked(2, THEN, selected=True, school_year=2)
    assert backtest(town, "= 'lower'")[THEN, 12, "list"][0] == 1
    assert backtest(town)[THEN, 12, "list"][0] == 2


def test_while_no_list_is_old_enough_there_is_a_sentence_and_no_zero(town):
    town.there(1, TERM, resident=(NOW,))
    town.ranked(1, TERM, selected=True)
    assert backtest(town) == {}
    assert "まだ何も言えない" in backtest_text(town.con)
    assert list(tell_backtest(town.con)) == ["説明"]


def test_what_it_tells_is_a_table_and_a_picture(town):
    selected(town, 1)
    backtest(town)
    told = tell_backtest(town.con)
    assert told["その後の最初の相談"].fetchall()[0][:4] == (12, "cohort", None, 1)
    assert b"12\xe3\x81\x8b\xe6\x9c\x88" in told["backtest"]
    assert backtest_text(town.con).endswith("1 lists, up to 12 months")


def test_no_count_under_ten_leaves(town):
    """Nine of twenty had a consultation: their number, the rate and its interval stay, the number followed leaves."""
    for number in range(1, 21):
        selected(town, number)
        if number < 10:
            town.consulted(number, JUNE)
    backtest(town)
    table = town.catalogue.output("evaluation.backtest")
    suppress(town.con, table, "new_backtest", 10)
    columns = ", ".join(column.name for column in table.columns if not column.private)
    assert town.rows(f"select {columns} from disclosed where rule = 'list' and list_date is not null and band is null") == [
        (NOW, "2024-04-01.1", THEN, 12, "list", None, 20, None, 20, None, None, None, None)
    ]  # fmt: skip


def test_of_nobody_there_is_no_interval(town):
    create_intervals(town.con)
    # nobody is followed: no share, no household, sums of nothing
    row = town.con.execute(
        "select wilson_low(r, n), wilson_high(r, n) "
        "from (select null::double as r, effective_number(null::double, 0.0, 0, 0.0, 0.0, 0.0) as n)"
    ).fetchone()
    assert row == (None, None)


def test_a_child_that_is_stopped_since_is_followed_no_more(town):
    """利用停止: of two on the list of a year ago one is left, whatever became of the other."""
    for number in (1, 2):
        selected(town, number)
        town.consulted(number, JUNE)
    assert backtest(town)[THEN, 12, "list"] == (2, 0, 2, 0, 2, 0)
    town.stopped(1)
    assert backtest(town)[THEN, 12, "list"] == (1, 0, 1, 0, 1, 0)
