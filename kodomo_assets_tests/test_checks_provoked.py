"""Every check of what is worked out has a test in which it warns or fails, and one in which it is silent."""

from __future__ import annotations

from pathlib import Path

from kodomo_assets.catalogue import load_catalogue
from kodomo_assets.defs import declared
from kodomo_assets_tests.provoked import marks_in

# what is read, linked and returned has its own tests of every way to be wrong (sources, linkage, outcomes, published)
STAGES = ("features", "weights", "screening", "explanation", "evaluation")


def test_every_declared_check_is_provoked_both_ways():
    catalogue = load_catalogue()
    checks = {
        spec.name
        for one in declared(catalogue)
        for spec in (one.checks(catalogue) if callable(one.checks) else one.checks)
        if spec.asset_key.path[0] in STAGES
    }
    marks = set().union(*(marks_in(path) for path in sorted(Path(__file__).parent.rglob("test_*.py"))))
    assert len(checks) > 20
    assert marks == {(check, passed) for check in checks for passed in (True, False)}
