"""The validation of a version: made once, with the version, and kept beside it (method §5, Validation)."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass

import duckdb
import pandas as pd
from threadpoolctl import threadpool_limits

from kodomo_assets.catalogue import Band, Catalogue
from kodomo_assets.errors import FitError
from kodomo_assets.sql import create_from_frame, literal
from kodomo_assets.stages.weights.afterwards import Version, children_of, version_in_force, why_not_now
from kodomo_assets.stages.weights.calibration import calibration, fitted
from kodomo_assets.stages.weights.data import excluded_items, folds
from kodomo_assets.stages.weights.design import Children
from kodomo_assets.stages.weights.fit import VALIDATED
from kodomo_assets.stages.weights.logistic import beside
from kodomo_assets.stages.weights.pooled import adopted
from kodomo_assets.stages.weights.serving import OWN
from kodomo_assets.stages.weights.validation import AUC, LIFT, PRECISION, RECALL, Row, validate_band

_VALIDATION, _CALIBRATION, _LOGISTIC = "weights.validation", "weights.calibration", "weights.logistic"
_CARD_FIGURES = {"cv_auc": AUC, "cv_precision_at_10": PRECISION, "cv_recall_at_10": RECALL, "cv_lift_at_10": LIFT}


@dataclass(frozen=True)
class Validated:
    """What a refresh did with the validation of the version in force.

    Attributes:
        version: the version in force.
        cards: version -> the temp table with its cards, figures filled in: of the version, and of an own fit that is
            kept beside it; empty where nothing was validated.
        reason: why it was, or was not, one phrase.
    """

    version: str
    cards: Mapping[str, str]
    reason: str


def refresh_validation(
    con: duckdb.DuckDBPyConnection,
    catalogue: Catalogue,
    reference_date: dt.date,
    report: Callable[[str], None] = lambda _: None,
) -> Validated:
    """Validates the version in force where its own refresh has just made it; makes ``new_validation``, the
    cards, ``new_calibration`` and ``new_logistic``.

    Args:
        report: called with one sentence on how far it is.

    Raises:
        FitError: matrix, labels or settings are no longer those of the version.
    """
    version = version_in_force(con, reference_date)
    reason = why_not_now(con, version, _VALIDATION, reference_date)
    if reason is not None:
        return Validated(version.name, {}, reason)
    children = children_of(con, catalogue, version, reference_date)
    # BLAS threads that wait for work beside DuckDB's take four times as long on two cores as one thread alone
    with threadpool_limits(limits=1, user_api="blas"):
        rows = _rows(con, catalogue, reference_date, version, children, report)
    frame = pd.DataFrame(rows, columns=list(Row.__dataclass_fields__)).assign(
        version=version.name, reference_date=reference_date
    )
    create_from_frame(con, "new_validation", frame, _types(catalogue, _VALIDATION))
    _make_calibration(con, catalogue, version, children, reference_date, report)
    return Validated(version.name, _cards(con, catalogue, version, rows), "made with the version")


def _rows(
    con: duckdb.DuckDBPyConnection,
    catalogue: Catalogue,
    reference_date: dt.date,
    version: Version,
    bands: Mapping[Band, Children],
    report: Callable[[str], None],
) -> list[Row]:
    excluded = excluded_items(catalogue, reference_date)
    pooled = adopted(con, catalogue, reference_date, excluded)
    return [
        row
        for band, children in bands.items()
        for row in validate_band(
            catalogue,
            band,
            children,
            folds(con, catalogue, children),
            excluded,
            version.origins[band],
            pooled.get(band),
            report,
        )
    ]


def _make_calibration(
    con: duckdb.DuckDBPyConnection,
    catalogue: Catalogue,
    version: Version,
    bands: Mapping[Band, Children],
    reference_date: dt.date,
    report: Callable[[str], None],
) -> None:
    """The temp tables ``new_calibration`` and ``new_logistic``: bands in which nothing was fitted have no rows."""
    by_tenth, beside_own = [], []
    decimals = catalogue.screening.score_decimals
    for band, children in bands.items():
        rows = con.execute(
            "select * from weights.coefficients where version = $1 and band = $2 order by item, level",
            [version.name, band],
        ).df()
        found = fitted(catalogue, rows, children)
        if found is None:
            continue
        by_tenth.append(calibration(found.values, children, decimals).assign(band=band))
        # the order of a count is that of its steps, whatever curve they are put on
        if version.origins[band] == OWN:
            try:
                agreement = beside(found.scores, found.columns, children, decimals)
            except FitError as error:
                # a comparison that fails stops no refresh
                report(f"band {band}: {error}; weights.logistic has no row")
            else:
                beside_own.append(pd.DataFrame([asdict(agreement)]).assign(band=band))
    for table, frames in {_CALIBRATION: by_tenth, _LOGISTIC: beside_own}.items():
        types = _types(catalogue, table)
        made = pd.concat(frames, ignore_index=True) if frames else pd.DataFrame(columns=list(types))
        named = made.assign(version=version.name, reference_date=reference_date)
        create_from_frame(con, f"new_{table.partition('.')[2]}", named, types)


def _cards(
    con: duckdb.DuckDBPyConnection, catalogue: Catalogue, version: Version, rows: Sequence[Row]
) -> dict[str, str]:
    """The cards of the version and of what is kept beside it, each with the figures of its own rule."""
    kept = con.execute(
        "select version, band, case when version = $1 then origin else $3 end from weights.versions "
        "where fingerprint = $2 and (version = $1 or in_force_from is null) order by version = $1, version, band",
        [version.name, version.fingerprint, OWN],
    ).fetchall()
    figures = pd.DataFrame(
        [{"version": of, "band": band} | _card_figures(catalogue, band, rule, rows) for of, band, rule in kept]
    )
    declared = _types(catalogue, "weights.model_cards")
    create_from_frame(con, "card_figures", figures, {name: declared[name] for name in figures.columns})
    replaced = ", ".join(f"f.{name} as {name}" for name in VALIDATED)
    cards = {}
    for number, of in enumerate(dict.fromkeys(of for of, *_ in kept)):
        cards[of] = f"new_cards_{number}"
        con.execute(
            f"create or replace temp table {cards[of]} as select c.* replace ({replaced}) "
            "from weights.model_cards as c join card_figures as f using (version, band) "
            f"where version = {literal(of)}"
        )
    return cards


def _card_figures(catalogue: Catalogue, band: Band, rule: str, rows: Sequence[Row]) -> dict[str, object]:
    of_rule = {row.measure: row for row in rows if (row.band, row.rule) == (band, rule)}
    precision, auc = of_rule[PRECISION], of_rule[AUC]
    rate = precision.events / precision.children
    return {
        **{column: of_rule[measure].value for column, measure in _CARD_FIGURES.items()},
        "cv_precision_low": precision.low,
        "cv_precision_high": precision.high,
        "cv_precision_rounded": precision.rounded,
        "cv_lift_rounded": of_rule[LIFT].rounded,
        "is_weak": is_weak(auc.value, precision.low, rate, catalogue.weights.min_cv_auc),
    }


def is_weak(auc: float, precision_low: float | None, rate: float, min_auc: float) -> bool:
    """Whether a list by these weights is hardly better than one drawn by lot.

    An AUC near a half orders the children hardly at all, however many they are; and in a small band a good AUC may be
    chance, so the precision of the top tenth has to lie above the rate of all with its whole interval.
    """
    return auc < min_auc or (precision_low or 0.0) <= rate


def _types(catalogue: Catalogue, table: str) -> dict[str, str]:
    return {column.name: column.type for column in catalogue.output(table).columns}
