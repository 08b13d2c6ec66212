"""Whom the list selects, finds and misses, group by group; and what it would be without single items (method §6).

Sex and nationality are read here and at publication, and nowhere else: what comes out are rates of groups.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable

import duckdb

from kodomo_assets.catalogue import GROUP_OF_SEVERAL, SCHOOL_GROUP, UNKNOWN_GROUP, Catalogue
from kodomo_assets.checks import CheckOutcome
from kodomo_assets.intervals import create_intervals
from kodomo_assets.sql import run_sql
from kodomo_assets.stages.evaluation.plots import fairness_plot
from kodomo_assets.told import Told

#: Per cent of a school year at which the list is looked at beside the one in use (method §6).
LENGTHS = (5, 15)
# as many as a sentence holds
_MOST_TOLD = 10


def build_fairness(con: duckdb.DuckDBPyConnection, catalogue: Catalogue, reference_date: dt.date) -> None:
    """Makes the temp tables ``new_fairness``, ``new_without_items`` and ``new_list_lengths``.

    Reads the list, the contributions, the levels and the labels.

    A row of the first per attribute and group of ranked children. Rates have Wilson's intervals (1927), differences to
    all others Newcombe's (1998, method 10). A record is what counts as an event in the fit (features.labels), by the
    reference date: precision and misses are of what is known, no forecast. Of groups of fewer children than
    ``publish.suppress_below`` no rate is worked out.

    A row of the second per item of ``fairness.without``: the list without the item's contributions. The other weights
    stay, so it tells what the item does in this list, not what a fit without it would give.

    A row of the third per length of the list (``LENGTHS``, and the one in use): its precision and misses, and which
    share of what raises the scores of those on it comes from items about the household or others in it.
    """
    items = catalogue.items
    con.execute(
        "create or replace temp table fairness_items "
        "(attribute varchar, item varchar, group_name varchar, own_levels varchar[])"
    )
    con.executemany(
        "insert into fairness_items values ($1, $2, $3, $4)",
        [
            (name, item, _group_name(catalogue, group.items), list(items[item].levels))
            for name, group in catalogue.fairness.groups.items()
            for item in group.items
        ],
    )
    con.execute("create or replace temp table fairness_without (item varchar, own_levels varchar[])")
    if catalogue.fairness.without:
        con.executemany(
            "insert into fairness_without values ($1, $2)",
            [(item, list(items[item].levels)) for item in catalogue.fairness.without],
        )
    con.execute(
        "create or replace temp table list_shares as select distinct unnest($1::integer[]) as share_percent",
        [[*LENGTHS, catalogue.screening.share_percent]],
    )
    con.execute(
        "create or replace temp table household_items as select unnest($1::varchar[]) as item",
        [[item.id for item in catalogue.matrix_items if item.who != "child"]],
    )
    parameters = {
        "reference_date": reference_date,
        "suppress_below": catalogue.publish.suppress_below,
        "score_decimals": catalogue.screening.score_decimals,
        "unknown": UNKNOWN_GROUP,
        "school": SCHOOL_GROUP,
    }
    create_intervals(con)
    for name in ("fairness", "without_items", "list_lengths"):
        run_sql(con, __package__, name, parameters)


def _group_name(catalogue: Catalogue, items: tuple[str, ...]) -> str:
    """A single level's own name (female, foreign); of several levels, that one of them applies."""
    levels = [level for item in items for level in catalogue.items[item].levels]
    return levels[0] if len(levels) == 1 else GROUP_OF_SEVERAL


def check_fairness(con: duckdb.DuckDBPyConnection, catalogue: Catalogue) -> Iterable[CheckOutcome]:
    """No group is selected otherwise than all others: by an interval that excludes 0, and a ratio out of bounds."""
    fairness = catalogue.fairness
    rows = con.execute(
        """
        select attribute, group_name, selection_rate, difference, difference_low, difference_high, ratio
        from new_fairness
        where
            -- whoever is of no group is compared by it
            not suppressed and difference is not null and group_name <> 'not_applicable'
        order by abs(difference) desc, attribute, group_name
        """
    ).fetchall()
    unlike = []
    for attribute, group, rate, difference, low, high, ratio in rows:
        known = fairness.groups.get(attribute)
        least, most = fairness.bounds(attribute)
        # where nobody else is selected there is no ratio, and it is beyond every bound
        if not low <= 0 <= high and (ratio is None or not least <= ratio <= most):
            name = known.ja if known else "学校"
            interval = f"difference {difference:+.1%}, {low:+.1%} to {high:+.1%}"
            unlike.append(f"{name} {group}: {rate:.1%} selected, all others {rate - difference:.1%} ({interval})")
    more = f"; and {len(unlike) - _MOST_TOLD} more" if len(unlike) > _MOST_TOLD else ""
    yield CheckOutcome(
        name="groups_alike",
        passed=not unlike,
        blocking=False,
        message=f"{len(unlike)} of {len(rows)} groups are selected otherwise than all others, expected none beyond "
        f"{fairness.min_ratio:g} to {fairness.max_ratio:g} times"
        + (f": {'; '.join(unlike[:_MOST_TOLD])}{more}" if unlike else ""),
        facts={"groups": len(rows), "unlike": len(unlike)},
    )


def tell_fairness(con: duckdb.DuckDBPyConnection) -> Told:
    """``new_fairness`` but for the schools as a table, and the differences as a picture."""
    return {
        "集団ごと": con.sql(
            "select attribute, group_name, children, round(selection_rate, 3) as selection_rate, "
            "round(difference, 3) as difference, round(difference_low, 3) as low, round(difference_high, 3) as high, "
            "round(precision, 3) as precision, round(false_negative_rate, 3) as false_negative_rate, "
            "round(false_positive_rate, 3) as false_positive_rate "
            f"from new_fairness where not suppressed and attribute <> '{SCHOOL_GROUP}' order by all"
        ),
        "differences": fairness_plot(con),
    }


def tell_without_items(con: duckdb.DuckDBPyConnection) -> Told:
    """``new_without_items`` as a table."""
    return {
        "項目なしの一覧": con.sql(
            "select item, selected, entered, left_list, round(precision, 3) as precision, "
            "round(precision_without, 3) as precision_without from new_without_items order by item"
        )
    }


def tell_list_lengths(con: duckdb.DuckDBPyConnection) -> Told:
    """``new_list_lengths`` as a table."""
    return {
        "一覧の長さ": con.sql(
            "select share_percent, listed, entered, left_list, round(precision, 3) as precision, "
            "round(false_negative_rate, 3) as false_negative_rate, round(household_share, 3) as household_share "
            "from new_list_lengths order by share_percent"
        )
    }
