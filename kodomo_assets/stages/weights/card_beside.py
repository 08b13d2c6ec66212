"""What モデルカード.html says beside the fit: evidence that came too late, what moved, and the list at other lengths.

Told coarsely: a weight without some children's evidence, beside the weight with it, would tell how many they are.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import duckdb

from kodomo_assets.catalogue import Band, Catalogue
from kodomo_assets.disclosure import ROUND_TO
from kodomo_assets.sql import literal

#: Into how many parts of a weight is told what stays of it.
QUARTERS = 4
# of so many dated children a part is as many as counts are rounded to
_FEWEST = QUARTERS * ROUND_TO

#: Table and condition -> its rows as they may be told.
Tell = Callable[[str, str], list[dict[str, Any]]]


@dataclass(frozen=True)
class Late:
    """An item of the model whose evidence is dated after the first consultation of ten children or more.

    Attributes:
        share: of the children with an event and dated evidence, of whom it is all later.
        by_dates: what the days alone would give, in tenths.
        weight: of its strongest level.
        quarters: how much of the weight is left without that evidence, None where it may not be told.
    """

    ja: str
    share: float
    by_dates: float | None
    weight: float
    quarters: int | None

    @property
    def weight_without(self) -> float | None:
        return None if self.quarters is None else self.weight * self.quarters / QUARTERS


@dataclass(frozen=True)
class Moved:
    """An item of the model, or the scores, of a band that moved: the index, and the laws that changed since."""

    band_ja: str
    ja: str
    against: str
    psi: float
    verdict: str
    law: str | None


@dataclass(frozen=True)
class Drift:
    """What moved since the fit and last term; of how many indices, and of how many too few children can tell.

    Counts of the list.
    """

    compared: int
    too_few: int
    moved: tuple[Moved, ...]
    stayed: int | None
    entered: int | None
    left: int | None


@dataclass(frozen=True)
class Length:
    """The list at another length, or without an item: who enters and leaves; what may not be told is None."""

    ja: str
    listed: int | None
    entered: int | None
    left: int | None
    precision: float | None
    false_negative_rate: float | None = None
    household_share: float | None = None


@dataclass(frozen=True)
class Beside:
    """All of it; ``late`` by band."""

    late: dict[Band, tuple[Late, ...]]
    drift: Drift | None
    lengths: tuple[Length, ...]
    without: tuple[Length, ...]


def gather_beside(
    con: duckdb.DuckDBPyConnection, catalogue: Catalogue, version: str, reference_date: dt.date, told: Tell
) -> Beside:
    """What stands in weights.leakage of ``version`` and in the evaluation of ``reference_date``."""
    of_day = f"reference_date = {literal(reference_date.isoformat())}::date"
    return Beside(
        late=_late(con, catalogue, version, told),
        drift=_drift(catalogue, told("evaluation.drift", f"{of_day} and in_model")),
        lengths=tuple(
            Length(
                ja=f"学年の{row['share_percent']}%",
                listed=row["listed"],
                entered=row["entered"],
                left=row["left_list"],
                precision=row["precision"],
                false_negative_rate=row["false_negative_rate"],
                household_share=row["household_share"],
            )
            for row in told("evaluation.list_lengths", of_day)
        ),
        without=tuple(
            Length(
                ja=f"「{catalogue.item_name(row['item'])}」を点に入れない",
                listed=row["selected"],
                entered=row["entered"],
                left=row["left_list"],
                precision=row["precision_without"],
            )
            for row in told("evaluation.without_items", of_day)
        ),
    )


def _late(
    con: duckdb.DuckDBPyConnection, catalogue: Catalogue, version: str, told: Tell
) -> dict[Band, tuple[Late, ...]]:
    """By band the items of the model, most of whose evidence is late first."""
    private = {
        (band, item): (by_dates, quarters)
        for band, item, by_dates, quarters in con.execute(
            """
            select
                band,
                item,
                round(by_dates_share, 1),
                -- a level that would turn round keeps nothing
                case
                    when dated >= $2 and weight_without is not null
                        then greatest(round($3 * weight_without / nullif(weight, 0)), 0)::integer
                end
            from weights.leakage
            where version = $1
            """,
            [version, _FEWEST, QUARTERS],
        ).fetchall()
    }
    rows = [
        row
        for row in told("weights.leakage", f"version = {literal(version)} and weight is not null")
        if row["after_share"] is not None
    ]
    found: dict[Band, tuple[Late, ...]] = {}
    for row in sorted(rows, key=lambda row: -row["after_share"]):
        by_dates, quarters = private[row["band"], row["item"]]
        late = Late(catalogue.item_name(row["item"]), row["after_share"], by_dates, row["weight"], quarters)
        found[row["band"]] = (*found.get(row["band"], ()), late)
    return found


def _drift(catalogue: Catalogue, rows: list[dict[str, Any]]) -> Drift | None:
    """None where there is nothing to compare with; an index of few children is none."""
    told_ones = [row for row in rows if row["psi"] is not None]
    indices = [row for row in told_ones if row["verdict"] != "too_few"]
    lists = [row for row in rows if row["kind"] == "list" and row["band"] is None]
    if not told_ones and not lists:
        return None
    of_list = lists[0] if lists else {}
    return Drift(
        compared=len(indices),
        too_few=len(told_ones) - len(indices),
        moved=tuple(
            Moved(
                band_ja=catalogue.bands[row["band"]].ja,
                ja="得点" if row["kind"] == "score" else catalogue.item_name(row["name"]),
                against=row["against"],
                psi=row["psi"],
                verdict=row["verdict"],
                law=row["law"],
            )
            for row in sorted(indices, key=lambda row: -row["psi"])
            if row["verdict"] in ("moderate", "shifted")
        ),
        stayed=of_list.get("stayed"),
        entered=of_list.get("entered"),
        left=of_list.get("left_list"),
    )
