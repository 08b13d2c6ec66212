"""What a version of the weights hangs on: everything that changes the fit, and nothing else."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import pytest

from kodomo_assets.catalogue import Catalogue, load_catalogue
from kodomo_assets.stages.weights.data import fingerprint
from kodomo_assets_tests.template import in_memory

R = dt.date(2025, 4, 1)
DECISION = {"item": "absence_days", "action": "keep", "role": "社会福祉士", "reason": "登校しぶり"}


def hash_of(catalogue: Catalogue) -> str:
    """Of one child."""
    columns = [*(item.id for item in catalogue.matrix_items), "band", "school_year", "household_id", "event"]
    with in_memory() as con:
        con.execute("create schema weights; create table weights.pooled (version varchar, reference_date date)")
        con.execute(f"create temp table fit_data as select 'a' as child_key, {', '.join(f'1 as {c}' for c in columns)}")
        return fingerprint(con, catalogue, R, R)


def deciding(tmp_path: Path, **changed: str) -> Catalogue:
    decision = ", ".join(f"{key}: {value}" for key, value in (DECISION | changed).items())
    (tmp_path / "city.yaml").write_text(f"weights: {{decisions: [{{{decision}}}]}}", "utf-8")
    return load_catalogue(tmp_path / "city.yaml")


@pytest.mark.parametrize(
    ("changed", "same"),
    [
        ({"reason": "登校渋り"}, True),
        ({"role": "公認心理師"}, True),
        ({"action": "exclude"}, False),
        ({"item": "ssw_family"}, False),
        ({"band": "upper"}, False),
    ],
)
def test_a_slip_that_is_mended_in_a_decisions_reason_makes_no_new_weights(tmp_path, changed, same):
    before = hash_of(deciding(tmp_path))
    assert before != hash_of(load_catalogue())
    assert (hash_of(deciding(tmp_path, **changed)) == before) is same
