"""Whether the weights in force order the children at all: what a meeting must know before it reads the list."""

from __future__ import annotations

import duckdb

from kodomo_assets.catalogue import Catalogue
from kodomo_assets.checks import CheckOutcome
from kodomo_assets.stages.weights.fit import is_weak, precision_interval


def check_better_than_chance(con: duckdb.DuckDBPyConnection, catalogue: Catalogue, version: str) -> CheckOutcome:
    """A warning for each band whose list is hardly better than one drawn by lot, at every date that the version scores.

    Figures are those of the version's cards; a card of before the verdict was kept is judged by the present setting.
    """
    cards = con.execute(
        "select band, children, events, cv_auc, cv_precision_at_10 from weights.model_cards where version = $1 "
        "order by band",
        [version],
    ).fetchall()
    said, weak = [], []
    for band, children, events, auc, precision in cards:
        low, high = precision_interval(precision, children)
        rate = events / children
        said.append(
            f"band {band}: AUC {auc:.2f}, precision of the top tenth {precision:.1%} ({low:.1%} to {high:.1%}), "
            f"rate of all {rate:.1%}"
        )
        if is_weak(auc, low, rate, catalogue.weights.min_cv_auc):
            weak.append(band)
    return CheckOutcome(
        name="better_than_chance",
        passed=not weak,
        blocking=False,
        message=f"version {version}: {'; '.join(said)}; expected an AUC of {catalogue.weights.min_cv_auc} or more and "
        "a precision whose interval lies above the rate"
        + (
            f". The list of band {', '.join(weak)} is hardly better than one drawn by lot: tell the meeting"
            if weak
            else ""
        ),
        facts={"weak_bands": len(weak)},
    )


def check_origin(con: duckdb.DuckDBPyConnection, version: str) -> CheckOutcome:
    """A warning for each band in which the count serves because its own fit rests on too little."""
    rows = con.execute(
        "select band, origin, decided_by is not null, reason from weights.versions where version = $1 order by band",
        [version],
    ).fetchall()
    # what a person wrote as the reason stands in the configuration
    said = [f"band {band}: {origin}" + (" (as decided)" if by else f" ({why})") for band, origin, by, why in rows]
    counted = [band for band, origin, by, _ in rows if origin == "count" and not by]
    return CheckOutcome(
        name="own_weights",
        passed=not counted,
        blocking=False,
        message=f"version {version}: {'; '.join(said)}"
        + (
            f". In band {', '.join(counted)} the number of own levels serves; its own fit, where there is one, is kept "
            "beside it. A person may decide otherwise (weights.serves)"
            if counted
            else ""
        ),
        facts={"counted_bands": len(counted)},
    )
