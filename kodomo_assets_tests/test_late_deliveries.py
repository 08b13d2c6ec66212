"""A table that is late, that never came, or without which there is no refresh: on a whole city, through Dagster.

Each test makes the list (or what it looks at above it) of a city of 18,000 residents, in which the flagged children are
some and not all: 5 to 10 s a test.
"""

from __future__ import annotations

import dagster as dg
import pytest

from kodomo_assets.defs import build_definitions
from kodomo_assets_tests.conftest import DATES

APRIL_24, SEPTEMBER, *_ = DATES

# the children whose row of April stands in for one of September
_STANDING_IN = {
    "生活保護": """
        select c.child_key
        from linkage.children as c
        join linkage.residents as m using (reference_date, household_id)
        join sources.public_assistance as p on p.resident_id = m.resident_id
        where c.reference_date = date '2024-09-01' and p.reference_date = date '2024-04-01'
    """,
    "出欠": """
        select l.child_key
        from linkage.links as l
        join sources.attendance as a on a.pupil_id = l.person_ref
        where
            l.table_name = 'school_roster'
            and l.reference_date = date '2024-09-01'
            and a.reference_date = date '2024-04-01'
    """,
}


@pytest.mark.parametrize("table", ["生活保護", "出欠"])
def test_a_termly_table_that_is_late_is_replaced_by_its_last_delivery(begun_city, tmp_path, table):
    """Flagged are the children who have a row in the delivery that stands in, and no others (method §1)."""
    city = begun_city.copy(tmp_path / "city")
    for file in city.inbox(SEPTEMBER).glob(f"{table}*"):
        file.unlink()
    assert city.make("screening.ranking", SEPTEMBER)
    ranked = f"from screening.ranking where reference_date = date '{SEPTEMBER}'"
    flagged = city.query(f"select child_key {ranked} and incomplete_delivery order by 1")
    expected = city.query(f"select child_key {ranked} and child_key in ({_STANDING_IN[table]}) order by 1")
    assert flagged == expected != []
    assert len(flagged) < len(city.query(f"select child_key {ranked}"))


def test_a_table_that_never_came_is_missing_for_everyone(delivered_city, tmp_path):
    city = delivered_city.copy(tmp_path / "city")
    for file in city.inbox(APRIL_24).glob("要介護認定*"):
        file.unlink()
    assert city.make("features.matrix", APRIL_24)
    assert city.query("select distinct household_care from features.matrix") == [("no_record",)]


@pytest.mark.parametrize("table", ["住民記録", "学齢簿", "児童相談記録"])
def test_without_a_required_table_there_is_no_refresh_and_the_error_says_what_is_awaited(
    delivered_city, tmp_path, capfd, table
):
    """No child is taken from the registers, and so nothing of what rests on the children is made."""
    city = delivered_city.copy(tmp_path / "city")
    for file in city.inbox(APRIL_24).glob(f"{table}*"):
        file.unlink()
    assert not city.make("linkage.children", APRIL_24)
    assert f"inbox/2024-04-01/{table}" in capfd.readouterr().err
    assert city.query("select count(*) from linkage.children") == [(0,)]


def test_every_result_rests_on_the_children(delivered_city):
    graph = build_definitions(delivered_city.settings, delivered_city.catalogue).resolve_asset_graph()
    below = dg.AssetSelection.assets(dg.AssetKey(["linkage", "children"])).downstream().resolve(graph)
    made = {key.to_user_string() for key in graph.materializable_asset_keys - below}
    # made before it, in its step; what the registry says; what no refresh makes
    assert {name for name in made if not name.startswith("sources/")} == {
        "linkage/residents",
        "review/papers",
        "store/forgotten",
    }
