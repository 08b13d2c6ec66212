"""How far items, scores and the list moved: indices worked by hand, and what the weights did of a change."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from math import log
from pathlib import Path

import pytest

from kodomo_assets.stages.evaluation.drift import (
    build_drift,
    build_list_changes,
    check_drift,
    previous_list,
    tell_drift,
    tell_list_changes,
)
from kodomo_assets.stages.screening.scoring import rescore
from kodomo_assets_tests.followed import NOW, TERM, THEN, Followed
from kodomo_assets_tests.levels import keep_levels
from kodomo_assets_tests.provoked import provokes
from kodomo_assets_tests.town import key

VERSION, OLD = "2024-04-01.1", "2023-04-01.1"
# of band `upper`: 準要保護 and 生活保護 are items of both bands
ITEM, LEVEL = "absence_days", "10-19"


@pytest.fixture
def town(tmp_path: Path) -> Iterator[Followed]:
    made = Followed(tmp_path)
    yield made
    made.con.close()


def weigh(town: Followed, version: str, weights: dict[tuple[str, str], float], band: str = "upper", base: float = 0.1) -> None:  # fmt: skip
    """A version of weights; levels that are not named weigh 0, and every mean weight is 0."""
    day = dt.date.fromisoformat(version.split(".")[0])
    town.insert("weights.versions", version=version, band=band, reference_date=day, fingerprint="0" * 64, label="ever", created_at=day, origin="own", in_force_from=day, reason="x")  # fmt: skip
    given = {("(base)", "(base)"): base}
    for item in {item for item, _ in weights}:
        given |= {(item, level): 0.0 for level in town.catalogue.items[item].every_level}
    for (item, level), weight in (given | weights).items():
        mean = base if item == "(base)" else 0.0
        town.insert("weights.coefficients", version=version, reference_date=day, band=band, item=item, level=level, weight=weight, children=20, mean_weight=mean)  # fmt: skip


def tenfold(town: Followed, *tables: str) -> None:
    """Ten children for each: of ten an index would be chance."""
    keep_levels(town.con)
    for table in ("features.levels", "linkage.children", *tables):
        town.con.execute(f"insert into {table} select c.* replace (left(c.child_key, 31) || n as child_key) from {table} as c, range(1, 10) as t (n)")  # fmt: skip


def look(town: Followed, day: dt.date = NOW) -> None:
    keep_levels(town.con)
    before = previous_list(town.con, day)
    rescore(town.con, town.catalogue, day, before)
    build_list_changes(town.con, day, before)
    build_drift(town.con, town.catalogue, day, before)


def indices(town: Followed, name: str) -> dict[str, float]:
    rows = town.rows(f"select against, psi from new_drift where name = '{name}' and band = 'upper'")
    return dict(rows)


def stood(town: Followed, day: dt.date, levels: list[str], item: str = ITEM, version: str = VERSION) -> None:
    """One child a level, ranked with the score 0.1."""
    for number, level in enumerate(levels, start=1):
        town.there(number, day, school_year=5, levels={item: level})
        town.ranked(number, day, school_year=5, weights_version=version)


def moved(town: Followed, now: int, item: str = ITEM) -> None:
    """Of a hundred children fifty stood on the level when the weights were fitted, thirty last term, ``now`` x 10 now."""
    level = next(iter(town.catalogue.items[item].levels))
    weigh(town, VERSION, {(item, level): 0.2})
    for day, applies in ((THEN, 5), (TERM, 3), (NOW, now)):
        stood(town, day, [level] * applies + ["not_applicable"] * (10 - applies), item)
    tenfold(town)
    look(town)


def test_the_index_is_the_one_worked_by_hand(town):
    """Half of the children then, a fifth now; optbinning 1.0.0, jeffrey([.8, .2], [.5, .5]) = 0.41588830833596724."""
    moved(town, 2)
    by_hand = (0.8 - 0.5) * log(0.8 / 0.5) + (0.2 - 0.5) * log(0.2 / 0.5)
    last_term = (0.8 - 0.7) * log(0.8 / 0.7) + (0.2 - 0.3) * log(0.2 / 0.3)
    assert by_hand == pytest.approx(0.41588830833596724, abs=1e-15)
    assert indices(town, ITEM) == {"fit": pytest.approx(by_hand), "last_term": pytest.approx(last_term)}


def test_a_level_on_which_nobody_stood_counts_as_half_a_child(town):
    moved(town, 0)
    assert indices(town, ITEM)["fit"] == pytest.approx((1 - 0.5) * log(1 / 0.5) + (0.005 - 0.5) * log(0.005 / 0.5))


def test_three_levels(town):
    """optbinning 1.0.0: jeffrey([.6, .3, .1], [.5, .3, .2]) = 0.08754687373538999."""
    weigh(town, VERSION, {(ITEM, LEVEL): 0.2})
    for day, counts in ((THEN, (5, 3, 2)), (NOW, (6, 3, 1))):
        stood(town, day, [level for level, n in zip(("not_applicable", LEVEL, "blank"), counts, strict=True) for _ in range(n)])  # fmt: skip
    tenfold(town)
    look(town)
    assert indices(town, ITEM)["fit"] == pytest.approx(0.08754687373538999, abs=1e-15)


@provokes("no_drift", passed=False)
def test_a_large_shift_of_an_item_of_the_weights_warns_with_its_name(town):
    moved(town, 2)
    outcome = check_drift(town.con, town.catalogue)
    assert (outcome.passed, outcome.blocking, outcome.facts.items() >= {"shifted": 1, "too_few": 0}.items()) == (
        False,
        False,
        True,
    )
    assert f"upper {town.catalogue.items[ITEM].ja} 0.42 (fit)" in outcome.message
    assert town.rows(f"select against, verdict, in_model from new_drift where name = '{ITEM}' order by 1") == [
        ("fit", "shifted", True),
        ("last_term", "stable", True),
    ]


def test_of_a_few_children_the_same_index_is_chance(town):
    """(1/10 + 1/10) x (1 + 1.645 x sqrt(2)) = 0.665."""
    weigh(town, VERSION, {(ITEM, LEVEL): 0.2})
    for day, applies in ((THEN, 5), (NOW, 2)):
        stood(town, day, [LEVEL] * applies + ["not_applicable"] * (10 - applies))
    look(town)
    assert town.rows(f"select children_now, children_then from new_drift where name = '{ITEM}' and against = 'fit'") == [(10, 10)]  # fmt: skip
    ((psi, by_chance, verdict),) = town.rows(f"select psi, by_chance, verdict from new_drift where name = '{ITEM}' and against = 'fit'")  # fmt: skip
    assert (psi, by_chance, verdict) == (pytest.approx(0.4159, abs=1e-4), pytest.approx(0.6652, abs=1e-4), "too_few")
    outcome = check_drift(town.con, town.catalogue)
    assert (outcome.passed, outcome.facts.items() >= {"shifted": 0, "too_few": 2}.items()) == (True, True)
    assert outcome.message.endswith("; 2 cannot be told, there are too few children")


def test_of_fewer_children_than_may_be_told_of_nothing_is_said(town):
    """Nine, none of whom stands where all stood: beyond chance, and yet no word."""
    weigh(town, VERSION, {(ITEM, LEVEL): 0.2})
    stood(town, THEN, [LEVEL] * 9)
    stood(town, NOW, ["not_applicable"] * 9)
    look(town)
    rows = town.rows(f"select psi > by_chance, verdict from new_drift where name = '{ITEM}' and against = 'fit'")
    assert rows == [(True, "too_few")]
    assert check_drift(town.con, town.catalogue).passed


def test_what_dagster_keeps_tells_no_index_of_few_children(town):
    """Of 100 children each: told, ln(2) / 2 + 0.495 ln(100) = 2.63; of nine: nothing."""
    moved(town, 0)
    told = tell_drift(town.con, town.catalogue)["動いた項目"]
    assert told.columns == ["against", "band", "kind", "name", "psi", "verdict", "in_model", "law"]
    assert told.fetchone() == ("fit", "upper", "item", ITEM, 2.63, "shifted", True, None)
    town.con.execute("update new_drift set children_now = 9")
    assert tell_drift(town.con, town.catalogue)["動いた項目"].fetchall() == []


def test_children_without_a_record_are_no_shift(town):
    """小4 have no survey on 1 April and one in September: of those who have one nothing moved."""
    weigh(town, VERSION, {(ITEM, LEVEL): 0.2})
    stood(town, THEN, [LEVEL, "not_applicable"] + ["no_record"] * 8)
    stood(town, NOW, [LEVEL] * 5 + ["not_applicable"] * 5)
    tenfold(town)
    look(town)
    assert indices(town, ITEM)["fit"] == 0.0


@provokes("no_drift", passed=True)
def test_what_moves_little_is_silent(town):
    """Half of the children then, three of ten now: 0.17."""
    moved(town, 3)
    assert check_drift(town.con, town.catalogue).passed
    assert town.rows(f"select verdict from new_drift where name = '{ITEM}' and against = 'fit'") == [("moderate",)]


def test_an_item_outside_the_weights_is_told_and_warns_of_nothing(town):
    moved(town, 5)
    town.con.execute("update features.levels set level = '10-19' where item = 'absence_days'")
    town.con.execute("update features.levels set level = '3' where item = 'many_children' and reference_date = $1", [NOW])  # fmt: skip
    look_again = previous_list(town.con, NOW)
    build_drift(town.con, town.catalogue, NOW, look_again)
    assert town.rows("select distinct verdict, in_model from new_drift where name = 'many_children'") == [("shifted", False)]  # fmt: skip
    assert check_drift(town.con, town.catalogue).passed


@pytest.mark.parametrize(
    ("item", "law"), [("child_rearing_allowance", "児童扶養手当法の改正（令和6年11月）"), (ITEM, None)]
)
def test_a_law_that_changed_in_between_is_said(town, item, law):
    """November 2024 lies between each earlier date and April 2025; nothing rests on it but the allowance."""
    moved(town, 1, item)
    assert town.rows(f"select distinct law from new_drift where name = '{item}'") == [(law,)]
    assert town.rows("select distinct law from new_drift where kind = 'score'") == [(law,)]
    assert ("児童扶養手当法" in check_drift(town.con, town.catalogue).message) == (law is not None)
    # the allowance is an item of the city, whether or not it is one of the weights
    assert tell_drift(town.con, town.catalogue)["法改正"] == "児童扶養手当法の改正（令和6年11月）"


def test_sex_and_nationality_stand_in_no_index(town):
    moved(town, 2)
    fairness = [item.id for item in town.catalogue.matrix_items if item.screen == "fairness"]
    assert fairness
    assert town.rows(f"select count(*) from new_drift where name in ({', '.join(map(repr, fairness))})") == [(0,)]


def scored(town: Followed, day: dt.date, scores: list[float], version: str = VERSION) -> None:
    for number, score in enumerate(scores, start=1):
        town.there(number, day, school_year=5)
        town.ranked(number, day, school_year=5, score=score, weights_version=version)


def test_scores_are_compared_by_the_tenths_of_those_before(town):
    """Ten scores, one a tenth; then all of them in the upper half, two a tenth."""
    weigh(town, VERSION, {(ITEM, LEVEL): 0.2})
    scored(town, THEN, [number / 10 for number in range(1, 11)])
    scored(town, NOW, [number / 10 for number in (6, 6, 7, 7, 8, 8, 9, 9, 10, 10)])
    tenfold(town, "screening.ranking")
    look(town)
    by_hand = 5 * (0.2 - 0.1) * log(0.2 / 0.1) + 5 * (0.005 - 0.1) * log(0.005 / 0.1)
    assert indices(town, "score") == {"fit": pytest.approx(by_hand), "last_term": pytest.approx(by_hand)}
    assert "upper 得点" in check_drift(town.con, town.catalogue).message


def test_scores_of_other_weights_are_on_no_common_scale(town):
    weigh(town, OLD, {(ITEM, LEVEL): 0.2})
    weigh(town, "2025-04-01.1", {(ITEM, LEVEL): 0.2})
    scored(town, TERM, [0.1, 0.2], OLD)
    scored(town, NOW, [0.1, 0.2], "2025-04-01.1")
    look(town)
    assert indices(town, "score") == {}
    # and on the day of the fit nothing has moved since
    assert indices(town, ITEM) == {"last_term": 0.0}


def test_the_first_list_has_nothing_to_compare_with(town):
    weigh(town, "2025-04-01.1", {(ITEM, LEVEL): 0.2})
    scored(town, NOW, [0.1, 0.2], "2025-04-01.1")
    look(town)
    assert town.rows("select count(*) from new_drift") == [(0,)]
    assert town.rows("select count(*) from new_list_changes") == [(0,)]
    assert check_drift(town.con, town.catalogue).passed


def on_list(town: Followed, number: int, day: dt.date, selected: bool, level: str, contribution: float, *, year: int = 5, version: str = VERSION) -> None:  # fmt: skip
    """A child on ``level`` whose score is 0.1 and the contribution of it."""
    town.there(number, day, school_year=year, levels={ITEM: level})
    town.ranked(number, day, selected=selected, school_year=year, score=0.1 + contribution, weights_version=version)
    for item, value, given in (("(base)", "(base)", 0.1), (ITEM, level, contribution)):
        town.insert("screening.contributions", reference_date=day, child_key=key(number), item=item, level=value, contribution=given)  # fmt: skip


def changes(town: Followed) -> dict[int, tuple]:
    rows = town.rows(
        "select ('0x' || left(child_key, 30))::integer, change, score_change, by_weights, by_child, strongest_item "
        "from new_list_changes"
    )
    return {row[0]: row[1:] for row in rows}


def near(*values: object) -> tuple:
    return tuple(pytest.approx(value) if isinstance(value, float) else value for value in values)


def test_under_the_same_weights_the_child_did_it_all(town):
    weigh(town, VERSION, {(ITEM, LEVEL): 0.2})
    on_list(town, 1, TERM, True, LEVEL, 0.2)
    on_list(town, 1, NOW, True, LEVEL, 0.2)  # stayed as it was
    on_list(town, 2, TERM, False, "not_applicable", 0.0)
    on_list(town, 2, NOW, True, LEVEL, 0.2)  # entered
    on_list(town, 3, TERM, True, LEVEL, 0.2)
    on_list(town, 3, NOW, False, "not_applicable", 0.0)  # left
    on_list(town, 4, TERM, True, LEVEL, 0.2)  # is no longer screened
    on_list(town, 5, NOW, True, LEVEL, 0.2)  # was not yet
    on_list(town, 6, TERM, False, LEVEL, 0.2)
    on_list(town, 6, NOW, False, LEVEL, 0.2)  # on neither list
    look(town)
    assert changes(town) == {
        1: near("stayed", 0.0, 0.0, 0.0, None),
        2: near("entered", 0.2, 0.0, 0.2, ITEM),
        3: near("left", -0.2, 0.0, -0.2, ITEM),
        4: ("not_screened", None, None, None, None),
        5: ("entered", None, None, None, None),
    }
    assert tell_list_changes(town.con) == {"entered": 2, "left": 1, "not_screened": 1, "stayed": 1}
    assert town.rows("select band, stayed, entered, left_list, not_screened, psi, verdict from new_drift where kind = 'list' order by band") == [
        ("upper", 1, 2, 1, 1, None, None),
        (None, 1, 2, 1, 1, None, None),
    ]  # fmt: skip


def test_what_other_weights_did_stands_apart_from_what_the_child_did(town):
    """The level went from 0.2 to 0.5, and the child from it to the next, which weighs 0.6: 0.3 and 0.1."""
    new = "2025-04-01.1"
    weigh(town, OLD, {(ITEM, LEVEL): 0.2})
    weigh(town, new, {(ITEM, LEVEL): 0.5, (ITEM, "20-29"): 0.6})
    on_list(town, 1, TERM, True, LEVEL, 0.2, version=OLD)
    on_list(town, 1, NOW, True, "20-29", 0.6, version=new)
    look(town)
    assert changes(town) == {1: near("stayed", 0.4, 0.3, 0.1, ITEM)}


def test_another_band_is_other_weights(town):
    """小3 to 小4 on the same level: what it weighs in the other band is no doing of the child's."""
    weigh(town, VERSION, {(ITEM, LEVEL): 0.2}, "lower")
    weigh(town, VERSION, {(ITEM, LEVEL): 0.35}, "upper")
    on_list(town, 1, TERM, True, LEVEL, 0.2, year=3)
    on_list(town, 1, NOW, True, LEVEL, 0.35, year=4)
    look(town)
    assert changes(town) == {1: near("stayed", 0.15, 0.15, 0.0, ITEM)}


def test_a_child_that_is_stopped_since_is_no_change_of_the_list(town):
    """利用停止: it stood on the list of last term, and neither stayed nor left nor is it no longer screened."""
    weigh(town, VERSION, {(ITEM, LEVEL): 0.2})
    on_list(town, 1, TERM, True, LEVEL, 0.2)
    on_list(town, 2, TERM, True, LEVEL, 0.2)
    on_list(town, 2, NOW, True, LEVEL, 0.2)
    town.stopped(1)
    look(town)
    assert changes(town).keys() == {2}
    assert town.rows("select distinct stayed, not_screened from new_drift where kind = 'list'") == [(1, 0)]
