"""What is told of the weights of a reference date: whether the fit did, the coefficients, the cards."""

from __future__ import annotations

import duckdb

from kodomo_assets.adopted import adoptions
from kodomo_assets.catalogue import Catalogue
from kodomo_assets.checks import CheckOutcome
from kodomo_assets.stages.weights.plots import calibration_plot, coefficient_plot
from kodomo_assets.stages.weights.validation import DIFFERENCE
from kodomo_assets.stages.weights.versions import WeightsOutcome
from kodomo_assets.told import Lines, Told
from kodomo_assets.vocabulary import RULES


def check_outcome(outcome: WeightsOutcome) -> list[CheckOutcome]:
    """Whether a due fit did, and whether dates are refreshed in their order."""
    return [
        CheckOutcome(
            name="fit_succeeded",
            passed=outcome.fit_error is None,
            blocking=False,
            message=str(outcome.fit_error or "the weights are fitted or reused as the calendar says"),
            facts={"why": (outcome.fit_error and outcome.fit_error.ja) or ""},
        ),
        CheckOutcome(
            name="in_order",
            passed=outcome.later_version is None,
            blocking=False,
            message=f"a later reference date already has version {outcome.later_version}"
            if outcome.later_version
            else "no later reference date has a version",
            facts={"version": outcome.later_version or ""},
        ),
    ]


def tell_in_force(con: duckdb.DuckDBPyConnection, catalogue: Catalogue, outcome: WeightsOutcome) -> Told:
    """The version that serves, and of every band what serves in it, of an adopted version who adopted it."""
    pooled = adoptions(con, outcome.version)
    rows = con.execute(
        "select band, origin from weights.versions where version = $1 order by band", [outcome.version]
    ).fetchall()
    return {
        "version": outcome.version,
        "refitted": outcome.refitted,
        "reason": outcome.reason,
        "stopped": outcome.stopped,
        "serves": Lines(
            [
                f"{catalogue.bands[band].ja}：{pooled[band].ja if band in pooled else RULES[origin]}"
                for band, origin in rows
            ]
        ),
    }


def tell_coefficients(con: duckdb.DuckDBPyConnection, catalogue: Catalogue, version: str) -> Told:
    """The coefficients of ``version`` as a picture."""
    frame = con.execute(
        "select * from weights.coefficients where version = $1 order by band, item, level", [version]
    ).df()
    return {"version": version, "coefficients": coefficient_plot(frame, catalogue)}


def tell_cards(con: duckdb.DuckDBPyConnection, version: str) -> Told:
    """The model cards of ``version``."""
    cards = con.sql(
        """
        select
            band,
            children,
            events,
            items,
            columns,
            round(r_squared, 3) as r_squared,
            round(condition_number, 1) as condition_number
        from weights.model_cards
        where version = $1
        order by band
        """,
        params=[version],
    )
    return {"version": version, "model_cards": cards}


def tell_validation(con: duckdb.DuckDBPyConnection, version: str) -> Told:
    """Every figure of ``version`` with its interval, and which rules cannot be told from what serves."""
    figures = con.sql(
        """
        select
            band,
            rule,
            measure,
            round(value, 3) as value,
            round(low, 3) as low,
            round(high, 3) as high
        from weights.validation
        where version = $1
        order by band, rule, measure
        """,
        params=[version],
    )
    alike = con.execute(
        "select band, rule from weights.validation "
        "where version = $1 and measure = $2 and low <= 0 and high >= 0 order by all",
        [version, DIFFERENCE],
    ).fetchall()
    return {
        "version": version,
        "validation": figures,
        "not_told_apart": Lines([f"{band}: {RULES[rule]}と区別できない" for band, rule in alike]),
    }


def tell_calibration(con: duckdb.DuckDBPyConnection, catalogue: Catalogue, version: str) -> Told:
    """What was promised and what was found, tenth by tenth, as a picture."""
    rows = con.execute("select * from weights.calibration where version = $1 order by band, tenth", [version]).df()
    return {"version": version, "calibration": calibration_plot(rows, catalogue)}


def tell_logistic(con: duckdb.DuckDBPyConnection, version: str) -> Told:
    """How far a logistic regression of the same columns agrees."""
    agreement = con.sql(
        """
        select
            band,
            method,
            round(rank_correlation, 3) as rank_correlation,
            round(overlap_at_10, 3) as overlap_at_10
        from weights.logistic
        where version = $1
        order by band
        """,
        params=[version],
    )
    return {"version": version, "logistic": agreement}
