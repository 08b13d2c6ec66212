"""Whether the weights in force order the children at all: what a meeting must know before it reads the list."""

from __future__ import annotations

import duckdb

from kodomo_assets.adopted import adoptions
from kodomo_assets.catalogue import Catalogue
from kodomo_assets.checks import CheckOutcome
from kodomo_assets.stages.weights.validated import is_weak
from kodomo_assets.stages.weights.validation import DIFFERENCE
from kodomo_assets.vocabulary import RULES

#: Of the children with the event who hold an own level: more of them with evidence only after it are too many ...
MOST_AFTER = 0.5
#: ... where they are this many standard errors more than the days alone would give.
STANDARD_ERRORS = 3.0


def check_better_than_chance(con: duckdb.DuckDBPyConnection, catalogue: Catalogue, version: str) -> CheckOutcome:
    """A warning for each band whose list is hardly better than one drawn by lot, at every date that the version scores.

    Figures are those of the version's cards, judged by the present setting; a card without them says nothing.
    """
    cards = con.execute(
        "select band, events / children, cv_auc, cv_precision_at_10, cv_precision_low, cv_precision_high "
        "from weights.model_cards where version = $1 and cv_auc is not null order by band",
        [version],
    ).fetchall()
    said, weak = [], []
    for band, rate, auc, precision, low, high in cards:
        interval = "" if low is None else f" ({low:.1%} to {high:.1%})"
        said.append(
            f"band {band}: AUC {auc:.2f}, precision of the top tenth {precision:.1%}{interval}, rate of all {rate:.1%}"
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
        facts={"weak_bands": len(weak), "bands": ", ".join(catalogue.bands[band].ja for band in weak)},
    )


def check_no_rule_is_better(con: duckdb.DuckDBPyConnection, catalogue: Catalogue, version: str) -> CheckOutcome:
    """A warning for each rule than which what serves is surely worse: the whole interval lies below 0."""
    rows = con.execute(
        "select d.band, v.origin, d.rule, d.value, d.low, d.high from weights.validation as d "
        "join weights.versions as v using (version, band) where version = $1 and d.measure = $2 order by all",
        [version, DIFFERENCE],
    ).fetchall()
    said = [
        f"band {band}: {origin} less {rule} {value:+.1%}" + ("" if low is None else f" ({low:+.1%} to {high:+.1%})")
        for band, origin, rule, value, low, high in rows
    ]
    better = [(band, rule) for band, _, rule, _, _, high in rows if high is not None and high < 0]
    worse = [f"{rule} in band {band}" for band, rule in better]
    return CheckOutcome(
        name="no_rule_is_better",
        passed=not worse,
        blocking=False,
        message=f"version {version}, precision of the top tenth: {'; '.join(said) or 'not validated'}; expected no "
        "interval wholly below 0"
        + (
            f". {', '.join(worse)} finds more than what serves: tell the meeting, and let a person decide "
            "(weights.serves)"
            if worse
            else ""
        ),
        facts={
            "better_rules": len(better),
            "rules": "、".join(f"{RULES[rule]}（{catalogue.bands[band].ja}）" for band, rule in better),
        },
    )


def check_evidence_before(con: duckdb.DuckDBPyConnection, catalogue: Catalogue, version: str) -> CheckOutcome:
    """A warning for each item of the model that is on record mostly because a consultation was.

    The share of children whose evidence is all dated after their first consultation lies above a half, and by three
    standard errors above what the days alone would give (what is asked every year is after most consultations). Of
    fewer children than may be told of nothing is said.
    """
    rows = con.execute(
        """
        select
            band,
            item,
            after_share,
            by_dates_share,
            weight,
            weight_without
        from weights.leakage
        where
            version = $1
            and weight is not null
            and after_share > $2
            and after_share - by_dates_share > $3 * sqrt(by_dates_share * (1 - by_dates_share) / dated)
            and after_share * dated >= $4
        order by band, item
        """,
        [version, MOST_AFTER, STANDARD_ERRORS, catalogue.publish.suppress_below],
    ).fetchall()
    said = [
        f"{item} in band {band}: {after:.0%} (by the days alone {by_dates:.0%}), weight {weight:+.3f}"
        + ("" if without is None else f", without them {without:+.3f}")
        for band, item, after, by_dates, weight, without in rows
    ]
    return CheckOutcome(
        name="evidence_before",
        passed=not rows,
        blocking=False,
        message=f"version {version}, children with a consultation whose evidence of an item is all dated after their "
        f"first one: {'; '.join(said) or 'no item above the bounds'}; expected no more than {MOST_AFTER:.0%}, or what "
        "the days alone give"
        + (
            ". These weights partly tell of the consultation itself: tell the meeting, and let a person decide "
            "(weights.decisions excludes an item; weights.label: incident_12m fits to what was not yet known)"
            if rows
            else ""
        ),
        facts={
            "late_items": len(rows),
            "named": ", ".join(f"{catalogue.item_name(item)} {after:.0%}" for _, item, after, *_ in rows),
        },
    )


def check_origin(con: duckdb.DuckDBPyConnection, catalogue: Catalogue, version: str) -> CheckOutcome:
    """A warning for each band in which the count serves because its own fit rests on too little.

    Weights of many cities that a person adopted are told, and are no warning.
    """
    pooled = adoptions(con, version)
    rows = con.execute(
        "select band, origin, decided_by is not null, reason from weights.versions where version = $1 order by band",
        [version],
    ).fetchall()
    # what a person wrote as the reason stands in the configuration, of an adoption in weights.versions
    said = [
        f"band {band}: {origin} ({one.version}, adopted by {one.role}; own: {one.lacking})"
        if (one := pooled.get(band))
        else f"band {band}: {origin}" + (" (as decided)" if by else f" ({why})")
        for band, origin, by, why in rows
    ]
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
        facts={
            "counted_bands": len(counted),
            "bands": "、".join(catalogue.bands[band].ja for band in counted),
            "pooled": "、".join(one.ranks(catalogue.bands[band].ja) for band, one in pooled.items()),
        },
    )
