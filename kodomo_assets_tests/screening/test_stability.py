"""Sure, borderline, below: replicate weights written by hand, and lists that they make counted by hand."""

from __future__ import annotations

import numpy as np
import pytest
from threadpoolctl import threadpool_limits

from kodomo_assets.stages.screening.stability import build_stability, selected_of, tell_stability
from kodomo_assets_tests.screening.conftest import VERSION, SmallCity

NA, NO = "not_applicable", "no_record"


def resampled(city: SmallCity, band: str, item: str, level: str, weights: list[float]) -> None:
    city._insert(
        "weights.replicates",
        {
            "version": VERSION,
            "reference_date": "2025-04-01",
            "band": band,
            "item": item,
            "level": level,
            "weights": weights,
        },
    )


def own(city: SmallCity, band: str) -> None:
    city.counted(band)
    city.con.execute("update weights.versions set origin = 'own' where band = $1", [band])


def standing(city: SmallCity) -> dict[str, tuple[float | None, str]]:
    build_stability(city.con, city.catalogue, city.day)
    rows = city.rows("select child_key, selected_share, standing from new_stability")
    return {key: (share, found) for key, share, found in rows}


@pytest.fixture
def city(small_city: SmallCity) -> SmallCity:
    """Two items; ten replicates, in which the second one weighs more in so many as a test says."""
    small_city.base("lower", 0.1)
    small_city.weight("lower", "public_assistance", 0.03, {NA: (0, 900), "applicable": (0.3, 100)})
    small_city.weight("lower", "child_disability", 0.02, {NA: (0, 900), "applicable": (0.2, 100)})
    own(small_city, "lower")
    return small_city


@pytest.mark.parametrize(("wins", "first", "second"), [
    (0, (1.0, "sure"), (0.0, "below")),
    (1, (0.9, "sure"), (0.1, "below")),
    (2, (0.8, "borderline"), (0.2, "borderline")),
    (5, (0.5, "borderline"), (0.5, "borderline")),
    (9, (0.1, "below"), (0.9, "sure")),
])  # fmt: skip
def test_the_share_of_the_replicates_in_which_a_child_is_selected(city, wins, first, second):
    """Ten children, one place: of two children the one whose item weighs more."""
    resampled(city, "lower", "public_assistance", "applicable", [0.3] * 10)
    resampled(city, "lower", "child_disability", "applicable", [0.4] * wins + [0.2] * (10 - wins))
    city.child("assisted", {"public_assistance": "applicable"})
    city.child("disabled", {"child_disability": "applicable"})
    city.children("other", 8)
    city.screen()
    found = standing(city)
    assert (found["assisted"], found["disabled"], found["other00"]) == (first, second, (0.0, "below"))
    assert tell_stability(city.con) == {
        "selected": 1,
        "sure": int(first[1] == "sure"),
        "borderline": int(first[1] == "borderline"),
    }


def test_with_the_weights_of_the_version_itself_the_list_is_the_list(city):
    """Ties by own levels and then by lot, no record, a level that no fitted child held: as screening.ranking ranks."""
    city.weight("lower", "maternal_epds", 0.01, {NA: (0, 800), "applicable": (0.1, 100), NO: (0, 100), "blank": (0, 0)})
    city.weight("lower", "table:epds", 0.004, {NO: (0.04, 100), "recorded": (0, 900)})
    for item, level, weight in (
        ("public_assistance", "applicable", 0.3),
        ("child_disability", "applicable", 0.2),
        ("maternal_epds", "applicable", 0.1),
        ("table:epds", NO, 0.04),
    ):
        resampled(city, "lower", item, level, [weight] * 3)
    # the means of the replicates follow from the levels' children
    city.con.execute("update weights.coefficients set children = 1000 where item = '(base)'")
    shapes = [
        {}, {"maternal_epds": NO}, {"maternal_epds": "blank"}, {"maternal_epds": "applicable"},
        {"public_assistance": "applicable"}, {"child_disability": "applicable", "maternal_epds": "applicable"},
    ]  # fmt: skip
    for number in range(60):
        city.child(f"child{number:02}", shapes[number % 6])
    for number in range(30):
        city.child(f"alike{number:02}", {"maternal_epds": NO}, school_year=3)
    city.screen()
    shares = {key: share for key, (share, _) in standing(city).items()}
    selected = {key for key, share in shares.items() if share == 1.0}
    assert selected == set(city.ranked(where="selected"))
    assert {share for key, share in shares.items() if key not in selected} == {0.0}


def test_where_the_count_serves_the_cut_falls_among_the_borderline(small_city):
    """Twenty children, two places: one has three steps, four have two, and one of them is selected."""
    small_city.base("lower", 0.1)
    small_city.weight("lower", "absence_days", 0.0, {NA: (0, 900), "10-19": (0.1, 50), "20-29": (0.2, 30), "30+": (0.3, 20)})  # fmt: skip
    small_city.counted("lower")
    small_city.child("three", {"absence_days": "30+"})
    small_city.children("two", 4, levels={"absence_days": "20-29"})
    small_city.children("one", 15, levels={"absence_days": "10-19"})
    # a school year of nine selects nobody
    small_city.children("few", 9, levels={"absence_days": "30+"}, school_year=3)
    small_city.screen()
    found = standing(small_city)
    assert found["three"] == (None, "sure")
    assert {found[f"two{n:02}"] for n in range(4)} == {(None, "borderline")}
    assert {found[f"one{n:02}"] for n in range(15)} | {found[f"few{n:02}"] for n in range(9)} == {(None, "below")}
    assert tell_stability(small_city.con) == {"selected": 2, "sure": 1, "borderline": 1}


def test_a_version_without_replicates_says_nothing(city):
    city.children("other", 10)
    city.screen()
    assert standing(city) == {}


def test_of_equal_scores_the_earlier_row_is_selected():
    scores = np.array([[1.0, 2.0], [3.0, 2.0], [1.0, 2.0], [0.0, 5.0]] + [[0.0, 0.0]] * 16)
    nobody = np.zeros(20, dtype=bool)
    found = selected_of(scores, nobody, 10)
    assert found[:4].tolist() == [[True, True], [True, False], [False, False], [False, True]]
    assert not selected_of(scores[:9], nobody[:9], 10).any()


def test_children_of_a_missing_school_have_places_of_their_own():
    """Thirty children, ten of a missing school: one place of ten, and two of those of the other twenty.

    In the second replicate the three best of all are theirs: the common ranking would give them three.
    """
    missing = np.arange(30) < 10
    low, high = np.linspace(0.1, 0.0, 10), np.linspace(0.9, 0.5, 20)
    scores = np.column_stack([np.concatenate([low, high]), np.concatenate([low + 2, high])])
    found = selected_of(scores, missing, 10)
    assert np.flatnonzero(found[:, 0]).tolist() == [0, 10, 11]
    assert np.flatnonzero(found[:, 1]).tolist() == [0, 1, 2, 10, 11]


def test_the_number_of_threads_changes_nothing(city):
    rng = np.random.default_rng(2)
    resampled(city, "lower", "public_assistance", "applicable", list(rng.normal(0.3, 0.05, 200)))
    resampled(city, "lower", "child_disability", "applicable", list(rng.normal(0.25, 0.05, 200)))
    for number in range(40):
        city.child(f"child{number:02}", [{"public_assistance": "applicable"}, {"child_disability": "applicable"}, {}][number % 3])  # fmt: skip
    city.screen()
    found = []
    for threads in (1, 4):
        city.con.execute(f"set threads to {threads}")
        with threadpool_limits(limits=threads):
            found.append(standing(city))
    assert found[0] == found[1]
