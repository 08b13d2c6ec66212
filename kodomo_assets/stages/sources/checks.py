"""Checks of one delivery: no row is lost, and not too many are quarantined (method §2)."""

from __future__ import annotations

from kodomo_assets.catalogue import Catalogue
from kodomo_assets.checks import CheckOutcome
from kodomo_assets.stages.sources.read import DeliveryOutcome


def check_rows_conserved(outcome: DeliveryOutcome) -> CheckOutcome:
    """Rows in the files = rows accepted + rows quarantined."""
    kept = outcome.rows_accepted + outcome.rows_quarantined
    return CheckOutcome(
        name="rows_conserved",
        passed=outcome.rows_in == kept,
        blocking=True,
        message=f"{outcome.table.ja}: {outcome.rows_in} rows in, {outcome.rows_accepted} accepted and "
        f"{outcome.rows_quarantined} quarantined, expected the same sum",
        facts={
            "rows_in": outcome.rows_in,
            "rows_accepted": outcome.rows_accepted,
            "rows_quarantined": outcome.rows_quarantined,
        },
    )


def check_quarantined_share(outcome: DeliveryOutcome, catalogue: Catalogue) -> CheckOutcome:
    """At most the configured share of a table's delivery is quarantined (``ingest.max_quarantined_share``)."""
    limit = catalogue.ingest.max_quarantined_share
    share = outcome.rows_quarantined / outcome.rows_in if outcome.rows_in else 0.0
    return CheckOutcome(
        name="quarantined_share",
        passed=share <= limit,
        blocking=True,
        message=f"{outcome.table.ja}: {share:.1%} of {outcome.rows_in} rows quarantined, expected at most {limit:.1%}",
        facts={"share": round(share, 6), "limit": limit, "cells_quarantined": outcome.cells_quarantined},
    )
