"""成果報告.html: a school year's list, meeting and support in the order of the city's own report (outputs.md).

Every figure is one of analyst.duckdb, where small cells are hidden and people are rounded (``disclosure``): the page
may leave the centre. What figures cannot say is written into it by people.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence

import duckdb

from kodomo_assets.catalogue import Catalogue
from kodomo_assets.checks import CheckOutcome
from kodomo_assets.disclosure import ROUND_TO
from kodomo_assets.errors import ConfigurationError
from kodomo_assets.japan.calendar import fiscal_year
from kodomo_assets.sql import named_rows
from kodomo_assets.stages.papers.entries import entries
from kodomo_assets.stages.papers.pages import Pages
from kodomo_assets.vocabulary import DECISION_STEPS, DECISIONS, RESULTS

_FUNNEL = "evaluation.funnel"
#: The funnel of those whom the list selected, in the order in which a child goes through it.
_STEPS = (
    "screened",
    "selected",
    *DECISION_STEPS.values(),
    "undecided",
    "spoken_to",
    "offered",
    "taken_up",
    "supported",
    "newly_found",
    "newly_found_preventive",
    "below_cut",
)
_LATER = {"list": "この一覧", "legacy": "データベースみまもりの上位から同じ人数", "cohort": "対象の全員"}
_GROUPS = {
    "list": "抽出した児童",
    "sample": "境界より下の無作為抽出",
    "recall": "支援の対象とされる児童のうち、一覧にあった割合",
}


def results_page(con: duckdb.DuckDBPyConnection, catalogue: Catalogue, day: dt.date) -> bytes:
    """The page about the school year of ``day``, up to that day.

    Args:
        con: analyst.duckdb.

    Raises:
        ConfigurationError: a template of the city's own cannot be used.
    """
    registry = entries(catalogue, day)
    year = fiscal_year(day)
    days = [
        found
        for (found,) in con.execute(
            "select distinct reference_date from evaluation.funnel where reference_date between $1 and $2 order by all",
            [dt.date(year, 4, 1), day],
        ).fetchall()
    ]
    facts = {
        "days": days,
        "funnel": _funnel(con, catalogue, days),
        "fits": named_rows(
            con,
            """
            select c.band, c.version, c.children, c.events, c.items, c.cv_auc, c.cv_precision_at_10, c.cv_recall_at_10
            from weights.in_force as f
            join weights.model_cards as c using (version)
            where f.reference_date = $1
            order by c.band
            """,
            [day],
        ),
        "indicators": named_rows(
            con,
            "select reference_date, ja, value, target, indicator from evaluation.indicators "
            "where list_contains($1, reference_date) and value is not null order by ja, reference_date",
            [days],
        ),
        "judged": named_rows(
            con,
            "select stratum, decision, children, decided, share from evaluation.meeting_outcome "
            "where reference_date = $1 and decision = 'a_or_b' order by stratum",
            [day],
        ),
        "legacy": named_rows(
            con,
            'select band, selected, legacy_flagged, "both", only_new, only_legacy from evaluation.legacy_comparison '
            "where reference_date = $1 and school_year is null order by band",
            [day],
        ),
        "later": named_rows(
            con,
            # the sum of several lists stands beside them, that of one is that one
            """
            select list_date, horizon_months, rule, listed, followed, first_consultations, rate
            from evaluation.backtest
            where reference_date = $1 and band is null and list_contains($2, rule)
            qualify list_date is not null or count(distinct list_date) over (partition by horizon_months) > 1
            order by list_date, horizon_months, rule desc
            """,
            [day, list(_LATER)],
        ),
        "bands": {name: band.ja for name, band in catalogue.bands.items()},
        "groups": _GROUPS,
        "rules": _LATER,
        "decisions": [f"{letter}　{ja}" for letter, ja in DECISIONS.items()],
        "roles": catalogue.meeting.roles,
        "least": catalogue.publish.suppress_below,
        "round_to": ROUND_TO,
    }
    return Pages(catalogue, day).render("results.html", f"{RESULTS}　{year}年度", registry, facts)


def try_results(
    con: duckdb.DuckDBPyConnection, catalogue: Catalogue, day: dt.date, *, decided: bool
) -> tuple[dict[str, bytes], CheckOutcome]:
    """Name -> ``results_page``, and whether it could be made; nothing before the first decision of the date."""
    made, passed, message = {}, True, f"no decision at {day} yet: nothing to report"
    if decided:
        try:
            made, message = {f"{RESULTS}.html": results_page(con, catalogue, day)}, f"{RESULTS}.html was made"
        except ConfigurationError as error:
            passed, message = False, f"{RESULTS}.html was not made, the one of before stands: {error}"
    return made, CheckOutcome("results_made", passed, False, message, {"files": len(made)})


def _funnel(
    con: duckdb.DuckDBPyConnection, catalogue: Catalogue, days: Sequence[dt.date]
) -> list[tuple[str, list[int | None]]]:
    """Each step in words, with its people at each date; None = not to be told."""
    declared = {column.name: column.ja for column in catalogue.output(_FUNNEL).columns}
    rows = named_rows(
        con,
        f"select {', '.join(_STEPS)} from {_FUNNEL} where list_contains($1, reference_date) "
        "and school_code is null and school_year is null order by reference_date",
        [list(days)],
    )
    return [(declared[step], [row[step] for row in rows]) for step in _STEPS]
