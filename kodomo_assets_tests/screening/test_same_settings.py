"""Old weights score no new meaning (method §5), and no child scores for want of a weight."""

from __future__ import annotations

import datetime as dt

import pytest

from kodomo_assets.catalogue import load_catalogue
from kodomo_assets.errors import FitError
from kodomo_assets.stages.features.definitions import build_definitions
from kodomo_assets_tests.screening.conftest import CATALOGUE, VERSION, SmallCity

FITTED = dt.date(2025, 4, 1)


@pytest.fixture
def weighted(small_city):
    """Weights of 欠席日数 and 多子世帯 that were fitted with the catalogue as it is shipped; one child on a level of each."""
    small_city.base("lower", 0.05)
    absence = {"not_applicable": (0, 900), "10-19": (0.02, 60), "20-29": (0.05, 30), "30+": (0.1, 10)}
    small_city.weight("lower", "absence_days", 0.004, absence)
    small_city.weight("lower", "many_children", 0.01, {"not_applicable": (0, 900), "3": (0.1, 50), "4+": (0.1, 50)})
    small_city.child("a", {"absence_days": "30+"})
    small_city.con.executemany(
        "insert into weights.item_definitions values ($1, $2, $3)",
        [(VERSION, item, definition) for item, definition in CATALOGUE.definitions.items()],
    )
    return small_city


def refresh(city: SmallCity, overlay: str = "{}") -> None:
    """The matrix of the city's date under the configuration ``overlay``, and the list."""
    city.configure(overlay)
    build_definitions(city.con, city.catalogue, city.day)
    city.con.execute("insert into features.item_definitions by name from new_item_definitions")
    city.screen()


def test_the_same_settings_are_scored(weighted):
    refresh(weighted)
    assert weighted.ranked() == ["a"]


@pytest.mark.parametrize(
    ("overlay", "said"),
    [
        pytest.param(
            'items: {absence_days: {thresholds: {"30+": 25}}}',
            'items.absence_days.thresholds is {"10-19": 10.0, "20-29": 20.0, "30+": 25.0}, '
            'was {"10-19": 10.0, "20-29": 20.0, "30+": 30.0}',
            id="a threshold",
        ),
        pytest.param(
            "items: {absence_days: {window_months: 6}}", "items.absence_days.window_months is 6, was 12", id="a window"
        ),
        pytest.param(
            "linkage: {max_household_size: 10}",
            "linkage.max_household_size is 10, was 15",
            id="which households count",
        ),
        pytest.param(
            "bands: {lower: {school_years: [1, 2]}, upper: {school_years: [3, 4, 5, 6, 7, 8, 9]}}",
            "bands.lower.school_years is [1, 2], was [1, 2, 3]",
            id="who is scored by which model",
        ),
    ],
)
def test_a_changed_setting_of_what_the_version_weighs_is_an_error_with_its_key(weighted, overlay, said):
    with pytest.raises(FitError) as error:
        refresh(weighted, overlay)
    assert said in str(error.value)
    assert f"version {VERSION}" in str(error.value)
    assert "city.yaml, or refresh 2025-04-01" in str(error.value)
    assert weighted.ranked() == []


@pytest.mark.parametrize(
    "overlay",
    [
        'items: {untreated_teeth: {thresholds: {"3+": 4}}}',  # the version has no weight for it
        "screening: {share_percent: 20}",  # means nothing to a level
    ],
)
def test_a_setting_that_the_version_does_not_weigh_may_change(weighted, overlay):
    refresh(weighted, overlay)
    assert weighted.ranked() == ["a"]


def test_a_version_of_before_definitions_were_kept_still_scores(weighted):
    weighted.con.execute("delete from weights.item_definitions")
    refresh(weighted, 'items: {absence_days: {thresholds: {"30+": 25}}}')
    assert weighted.ranked() == ["a"]


def test_words_are_part_of_what_an_item_means(tmp_path):
    overlay = "items: {three_generations: {words: {grandparent: [祖父]}}}\nfeatures: {max_missing_change: 0.2}"
    (tmp_path / "city.yaml").write_text(overlay, "utf-8")
    city = load_catalogue(tmp_path / "city.yaml").definitions
    assert [item for item in city if city[item] != CATALOGUE.definitions[item]] == ["three_generations"]


def test_a_band_without_weights_is_an_error(weighted):
    """A child of 小5 where the version holds 小1 to 小3 only would stand on the list with no score."""
    weighted.child("b", school_year=5)
    with pytest.raises(FitError, match=r"no weight for level \(base\) of \(base\) in band upper"):
        weighted.screen()


def test_a_level_without_a_weight_is_an_error(weighted):
    weighted.con.execute("delete from weights.coefficients where level = '30+'")
    with pytest.raises(FitError, match=r"no weight for level 30\+ of absence_days in band lower"):
        weighted.screen()
