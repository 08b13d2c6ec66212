"""How far items, scores and the list moved since the weights were fitted and since last term (method §6)."""

from __future__ import annotations

import datetime as dt
from statistics import NormalDist

import duckdb

from kodomo_assets.catalogue import Catalogue
from kodomo_assets.checks import CheckOutcome
from kodomo_assets.sql import run_sql
from kodomo_assets.stages.evaluation.plots import AGAINST, drift_plot
from kodomo_assets.told import Told

#: Population stability index above which a shift is some, and much (Siddiqi 2006).
MODERATE, SHIFTED = 0.1, 0.25
# of 100 indices without any shift 95 stay below the mean and so many deviations
_QUANTILE = NormalDist().inv_cdf(0.95)


def previous_list(con: duckdb.DuckDBPyConnection, reference_date: dt.date) -> dt.date | None:
    """The date of the list before, None where there is none."""
    row = con.execute(
        "select max(reference_date) from screening.ranking where reference_date < $1", [reference_date]
    ).fetchone()
    return row[0] if row else None


def build_list_changes(con: duckdb.DuckDBPyConnection, reference_date: dt.date, previous_date: dt.date | None) -> None:
    """Makes the temp table ``new_list_changes``: a row per child on this list or on the one before.

    ``score_change`` = ``by_weights`` + ``by_child``; NULL for a child that was ranked at one of the dates only. Needs
    the temp table ``rescored`` (``stages.screening.scoring``).
    """
    parameters = {"reference_date": reference_date, "previous_date": previous_date}
    run_sql(con, __package__, "list_changes", parameters)


def build_drift(
    con: duckdb.DuckDBPyConnection, catalogue: Catalogue, reference_date: dt.date, previous_date: dt.date | None
) -> None:
    """Makes the temp table ``new_drift``; needs ``new_list_changes``.

    A row per item and band, of the children with a record; one for the scores of a band, one for its list. Sex and
    nationality have none.
    """
    items = [item for item in catalogue.matrix_items if item.screen != "fairness"]
    con.execute("create or replace temp table band_items (band varchar, item varchar)")
    con.executemany("insert into band_items values ($1, $2)", [(band, i.id) for i in items for band in i.bands])
    con.execute("create or replace temp table law_changes (item varchar, day date, law varchar)")
    changes = [
        (item.id, day, law)
        for item in items
        for table in item.tables
        for day, law in catalogue.tables[table].law_changes.items()
    ]
    if changes:
        con.executemany("insert into law_changes values ($1, $2, $3)", changes)
    row = con.execute(
        "select any_value(weights_version) from screening.ranking where reference_date = $1", [reference_date]
    ).fetchone()
    parameters = {
        "reference_date": reference_date,
        "previous_date": previous_date,
        "version": row[0] if row else None,
        "moderate": MODERATE,
        "shifted": SHIFTED,
        "quantile": _QUANTILE,
        "suppress_below": catalogue.publish.suppress_below,
    }
    run_sql(con, __package__, "drift", parameters)


def check_drift(con: duckdb.DuckDBPyConnection, catalogue: Catalogue) -> CheckOutcome:
    """No item of the weights in force, and no band's scores, moved much; those that did are named, with the law.

    Of how many too few children are there to tell is said beside it.
    """
    rows = con.execute(
        "select kind, name, band, against, psi, law from new_drift "
        "where in_model and verdict = 'shifted' order by new_drift.psi desc, name, band, against"
    ).fetchall()
    found = [
        f"{band} {catalogue.item_name(name) if kind == 'item' else '得点'} {psi:.2f} ({against}"
        + (f"; {law})" if law else ")")
        for kind, name, band, against, psi, law in rows
    ]
    named = [
        f"{catalogue.item_name(name) if kind == 'item' else '得点'} {psi:.2f}"
        f"（{catalogue.bands[band].ja}、{AGAINST[against]}比べて{f'、{law}' if law else ''}）"
        for kind, name, band, against, psi, law in rows
    ]
    row = con.execute("select count(*) from new_drift where in_model and verdict = 'too_few'").fetchone()
    too_few = row[0] if row else 0
    open_ones = f"; {too_few} cannot be told, there are too few children" if too_few else ""
    return CheckOutcome(
        name="no_drift",
        passed=not found,
        blocking=False,
        message=(
            f"population stability index above {SHIFTED}, expected none: {', '.join(found)}. Did an office deliver "
            "otherwise than before, or a law change? Weights that were fitted before it may mean something else"
            if found
            else f"no population stability index is above {SHIFTED}"
        )
        + open_ones,
        facts={"shifted": len(found), "too_few": too_few, "above": SHIFTED, "named": "、".join(named)},
    )


def tell_list_changes(con: duckdb.DuckDBPyConnection) -> Told:
    """``new_list_changes`` in numbers."""
    return dict(con.execute("select change, count(*) from new_list_changes group by change order by change").fetchall())


def tell_drift(con: duckdb.DuckDBPyConnection, catalogue: Catalogue) -> Told:
    """What moved most of ``new_drift``, as a table and a picture; and which laws changed in between.

    An index of few children is left out, and what is chance: both would tell how many they are.
    """
    laws = con.execute("select distinct law from new_drift where law is not null order by law").fetchall()
    return {
        "動いた項目": con.sql(
            "select against, band, kind, name, round(psi, 2) as psi, verdict, in_model, law "
            f"from new_drift where least(children_now, children_then) >= {catalogue.publish.suppress_below} "
            "order by new_drift.psi desc, name, band, against limit 20"
        ),
        "drift": drift_plot(con, catalogue, (MODERATE, SHIFTED)),
        **({"法改正": "、".join(law for (law,) in laws)} if laws else {}),
    }
