"""Whom the list selects, finds and misses, group by group; and what it would be without single items (method §6).

Sex and nationality are read here and at publication, and nowhere else: what comes out are rates of groups.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable
from dataclasses import dataclass
from statistics import NormalDist

import duckdb

from kodomo_assets.catalogue import GROUP_OF_SEVERAL, SCHOOL_GROUP, UNKNOWN_GROUP, Catalogue
from kodomo_assets.checks import CheckOutcome
from kodomo_assets.intervals import Z, create_intervals
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


@dataclass(frozen=True)
class _Compared:
    """A row of ``new_fairness`` against all others.

    Attributes:
        alike: how many groups of the attribute are compared.
        before: the difference on the list before, None where there was none.
    """

    attribute: str
    group: str
    rate: float
    difference: float
    low: float
    high: float
    ratio: float | None
    is_weighed: bool
    alike: int
    before: float | None

    def differs(self, bounds: tuple[float, float]) -> bool:
        """By the interval and by the ratio; where nobody else is selected there is none, and it is beyond every bound.

        Of many schools one in twenty would differ by chance: the interval is that of all of them together (Bonferroni),
        the one of the table stretched.
        """
        stretch = NormalDist().inv_cdf(1 - 0.025 / self.alike) / Z
        least, most = bounds
        low = self.difference - (self.difference - self.low) * stretch
        high = self.difference + (self.high - self.difference) * stretch
        return not low <= 0 <= high and (self.ratio is None or not least <= self.ratio <= most)

    @property
    def grew(self) -> bool:
        """Surely farther from all others than on the list before, to the same side."""
        return self.before is not None and (self.low > self.before >= 0 or self.high < self.before <= 0)

    def told(self, name: str) -> str:
        interval = f"difference {self.difference:+.1%}, {self.low:+.1%} to {self.high:+.1%}"
        others = f"all others {self.rate - self.difference:.1%}"
        return f"{name} {self.group}: {self.rate:.1%} selected, {others} ({interval})"


def check_fairness(con: duckdb.DuckDBPyConnection, catalogue: Catalogue) -> Iterable[CheckOutcome]:
    """No group is selected otherwise than all others: by an interval that excludes 0, and a ratio out of bounds.

    A group that an item of the weights makes is selected otherwise by design, to the side to which they push it. It is
    named beside, and warns where it stands farther off than on the list before, or beyond bounds that somebody set for
    it. One on the other side warns, and so does who is of no group for want of a record.
    """
    fairness = catalogue.fairness
    rows = _compared(con)
    unlike, by_design, named = [], [], []
    for row in rows:
        known = fairness.groups.get(row.attribute)
        bounds = fairness.bounds(row.attribute)
        if not row.differs(bounds):
            continue
        told = f"{row.told(known.ja if known else '学校')}, beyond {bounds[0]:g} to {bounds[1]:g} times"
        if row.is_weighed and not row.grew and not (known and known.has_bounds):
            by_design.append(told)
        else:
            group = catalogue.group_name(row.attribute, row.group)
            named.append(f"{known.ja if known else '学校'} {group} {row.rate:.1%}")
            unlike.append(f"{told}, more than on the list before" if row.is_weighed and row.grew else told)
    yield CheckOutcome(
        name="groups_alike",
        passed=not unlike,
        blocking=False,
        message=f"{len(unlike)} of {len(rows)} groups are selected otherwise than all others, expected none"
        + _first(": ", unlike)
        + _first(". Because items of the weights make them, told and no warning: ", by_design),
        facts={
            "groups": len(rows),
            "unlike": len(unlike),
            "by_design": len(by_design),
            "named": ", ".join(named[:_MOST_TOLD]),
        },
    )


def _compared(con: duckdb.DuckDBPyConnection) -> list[_Compared]:
    """Every group that is compared, the largest difference first."""
    rows = con.execute(
        """
        select
            n.attribute,
            n.group_name,
            n.selection_rate,
            n.difference,
            n.difference_low,
            n.difference_high,
            n.ratio,
            n.is_weighed,
            count(*) over (partition by n.attribute),
            b.difference
        from new_fairness as n
        left join evaluation.fairness as b
            on
                b.attribute = n.attribute
                and b.group_name = n.group_name
                and b.reference_date = (
                    select max(e.reference_date) from evaluation.fairness as e where e.reference_date < n.reference_date
                )
        where
            -- whoever is of no group is compared by it
            not n.suppressed and n.difference is not null and n.group_name <> 'not_applicable'
        order by abs(n.difference) desc, n.attribute, n.group_name
        """
    ).fetchall()
    return [_Compared(*row) for row in rows]


def _first(introduction: str, told: list[str]) -> str:
    more = f"; and {len(told) - _MOST_TOLD} more" if len(told) > _MOST_TOLD else ""
    return f"{introduction}{'; '.join(told[:_MOST_TOLD])}{more}" if told else ""


def tell_fairness(con: duckdb.DuckDBPyConnection, catalogue: Catalogue) -> Told:
    """``new_fairness`` but for the schools as a table, and the differences as a picture."""
    return {
        "集団ごと": con.sql(
            "select attribute, group_name, children, round(selection_rate, 3) as selection_rate, "
            "round(difference, 3) as difference, round(difference_low, 3) as low, round(difference_high, 3) as high, "
            "round(precision, 3) as precision, round(false_negative_rate, 3) as false_negative_rate, "
            "round(false_positive_rate, 3) as false_positive_rate "
            f"from new_fairness where not suppressed and attribute <> '{SCHOOL_GROUP}' order by all"
        ),
        "differences": fairness_plot(con, catalogue),
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
