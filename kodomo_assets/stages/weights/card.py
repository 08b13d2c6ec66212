"""What モデルカード.html says, as facts that may leave the centre: no cell of an aggregate tells of under ten children.

Everything is read through ``disclosure``, as the analysts' database is: the card goes to the assembly and to parents.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import ceil, floor
from typing import Any

import duckdb

from kodomo_assets.adopted import POOLED, adoptions
from kodomo_assets.catalogue import Band, Catalogue
from kodomo_assets.disclosure import told_count, told_rows
from kodomo_assets.sql import literal
from kodomo_assets.stages.weights.card_beside import Beside, gather_beside
from kodomo_assets.stages.weights.validation import AUC, CHANCE, DIFFERENCE, LIFT, PRECISION, RECALL
from kodomo_assets.vocabulary import RULES, SUPPORTED

_HUNDREDTHS, _TWENTIETHS = 100, 20

Row = Mapping[str, Any]


@dataclass(frozen=True)
class Figure:
    """A figure with its 95 % interval, where it may be told; ``beyond``: on which side of 0 the whole interval lies.

    An exact interval tells the exact counts: both ends stand outwards, to the next hundredth or twentieth.
    """

    value: float | None
    low: float | None = None
    high: float | None = None
    beyond: int = 0

    @property
    def is_vague(self) -> bool:
        """Whether its interval is wider than a half of all: the figure itself would be read as more than it is."""
        return self.low is not None and self.high is not None and self.high - self.low > 0.5

    @classmethod
    def outwards(cls, value: float | None, low: float | None, high: float | None, steps: int) -> Figure:
        """``steps``: into how many a whole is divided."""
        if value is None or low is None or high is None:
            return cls(value)
        # a half of the last digit that a float has: .3 * 100 is above 30
        ends = floor(low * steps + 1e-9) / steps, ceil(high * steps - 1e-9) / steps
        return cls(value, *ends, beyond=(low > 0) - (high < 0))


@dataclass(frozen=True)
class Level:
    """A level of an item: its weight with the standard error, and how many children stood on it (None = untold)."""

    ja: str
    weight: float
    std_error: float | None
    children: int | None


@dataclass(frozen=True)
class ItemCard:
    """An item, or a table in which a child has no record, with its levels and how often it would have been chosen."""

    ja: str
    levels: tuple[Level, ...]
    inclusion_share: float | None
    sign_share: float | None

    @property
    def strongest(self) -> float:
        return max((abs(level.weight) for level in self.levels), default=0.0)


@dataclass(frozen=True)
class BandCard:
    """What is said of one band.

    Attributes:
        origin: the rule that serves, as in ``vocabulary.RULES``; ``decided``: a person decided on it.
        adopted: the version of the weights of many cities that serves, else None.
        facts: its row of weights.model_cards; where adopted weights serve the counts are of all cities together.
        here: children and events of this city, None where nobody counted them yet.
        figures: rule -> measure -> figure; without a validation empty.
        calibration: tenth, children, events, fitted.
        logistic: method, rank correlation and overlap, or None.
        left_out: reason -> the items that never entered the search.
        standing: of the selected of the reference date, how many are sure and borderline (None = untold).
    """

    band: Band
    ja: str
    origin: str
    decided: bool
    adopted: str | None
    facts: Row
    here: Row | None
    figures: Mapping[str, Mapping[str, Figure]]
    items: tuple[ItemCard, ...]
    calibration: tuple[Row, ...]
    logistic: Row | None
    left_out: Mapping[str, tuple[str, ...]]
    standing: Mapping[str, int | None]

    @property
    def serves(self) -> Mapping[str, Figure]:
        return self.figures.get(self.origin, {})

    @property
    def is_held_against_pooled(self) -> bool:
        """Whether weights of many cities stand among the figures, serving or not."""
        return POOLED in self.figures

    @property
    def compared(self) -> Mapping[str, Figure]:
        """The other rules in words -> how much more of its top tenth what serves finds than theirs."""
        return {RULES[rule]: of[DIFFERENCE] for rule, of in self.figures.items() if rule != CHANCE and DIFFERENCE in of}


@dataclass(frozen=True)
class Judged:
    """The newest meeting in which everyone was decided: of the list and of the random sample below the cut the share
    whom it would support, and of all whom it would support the share that stood on the list.
    """

    reference_date: dt.date
    list: Figure
    sample: Figure
    recall: Figure


@dataclass(frozen=True)
class Group:
    """How the list treats a group of the ranked children; what may not be told is None."""

    ja: str
    children: int | None
    selection_rate: float | None
    precision: float | None
    false_negative_rate: float | None


@dataclass(frozen=True)
class Attribute:
    """A way to tell children apart, and its groups: whoever belongs to it, and whoever does not."""

    ja: str
    groups: tuple[Group, ...]


@dataclass(frozen=True)
class Followed:
    """What came of past lists within so many months: by rule the share with a first consultation (None = untold)."""

    horizon_months: int
    rates: Mapping[str, float | None]


@dataclass(frozen=True)
class Card:
    """The whole card of a reference date.

    Attributes:
        made_for: the reference date whose refresh made the version.
        beside: evidence that came too late, what moved, and the list at other lengths.
    """

    reference_date: dt.date
    version: str
    made_for: dt.date
    label: str
    fingerprint: str
    bands: tuple[BandCard, ...]
    attributes: tuple[Attribute, ...]
    followed: tuple[Followed, ...]
    judged: Judged | None
    beside: Beside


def gather_card(con: duckdb.DuckDBPyConnection, catalogue: Catalogue, reference_date: dt.date) -> Card:
    """The card of the version in force at ``reference_date``."""

    def told(table: str, condition: str) -> list[dict[str, Any]]:
        return told_rows(con, catalogue.output(table), condition, catalogue.publish.suppress_below)

    row = con.execute("select version from weights.in_force where reference_date = $1", [reference_date]).fetchone()
    version = str(row[0]) if row else ""
    of_version = f"version = {literal(version)}"
    of_day = f"reference_date = {literal(reference_date.isoformat())}::date"
    described = {row["band"]: row for row in told("weights.versions", of_version)}
    decided = dict(
        con.execute(
            "select band, decided_by is not null from weights.versions where version = $1", [version]
        ).fetchall()
    )
    tables = {
        name: told(f"weights.{name}", of_version)
        for name in ("model_cards", "validation", "coefficients", "stability", "calibration", "logistic")
    }
    standing, pooled = _standing(con, catalogue, reference_date), adoptions(con, version)
    bands = tuple(
        BandCard(
            band=band,
            ja=catalogue.bands[band].ja,
            origin=of["origin"],
            decided=decided[band],
            adopted=pooled[band].version if band in pooled else None,
            facts=_of(tables["model_cards"], band)[0],
            here=next(iter(_of(tables["validation"] if band in pooled else tables["model_cards"], band)), None),
            figures=_figures(_of(tables["validation"], band), _intervals(con, version, band)),
            items=_items(catalogue, _of(tables["coefficients"], band), _of(tables["stability"], band)),
            calibration=tuple(_of(tables["calibration"], band)),
            logistic=next(iter(_of(tables["logistic"], band)), None),
            left_out=_left_out(con, catalogue, version, band),
            standing=standing.get(band, {}),
        )
        for band, of in described.items()
    )
    first = next(iter(described.values()))
    return Card(
        reference_date=reference_date,
        version=version,
        made_for=first["reference_date"],
        label=first["label"],
        fingerprint=first["fingerprint"],
        bands=bands,
        attributes=_attributes(catalogue, told("evaluation.fairness", of_day)),
        # past lists together, whatever their version and band
        followed=_followed(
            told("evaluation.backtest", f"{of_day} and coalesce(version, list_date::varchar, band) is null")
        ),
        judged=_judged(con, catalogue, reference_date),
        beside=gather_beside(con, catalogue, version, reference_date, told),
    )


def _of(rows: Sequence[Row], band: Band) -> list[Row]:
    return [row for row in rows if row["band"] == band]


def _intervals(con: duckdb.DuckDBPyConnection, version: str, band: Band) -> dict[tuple[str, str], tuple[float, float]]:
    rows = con.execute(
        "select rule, measure, low, high from weights.validation where version = $1 and band = $2", [version, band]
    ).fetchall()
    return {(rule, measure): (low, high) for rule, measure, low, high in rows}


def _figures(
    rows: Sequence[Row], intervals: Mapping[tuple[str, str], tuple[float, float]]
) -> dict[str, dict[str, Figure]]:
    found: dict[str, dict[str, Figure]] = {}
    order = list(RULES)
    for row in sorted(rows, key=lambda row: order.index(row["rule"])):
        if row["measure"] in (PRECISION, RECALL, LIFT, AUC, DIFFERENCE):
            ends = intervals[row["rule"], row["measure"]]
            found.setdefault(row["rule"], {})[row["measure"]] = Figure.outwards(row["value"], *ends, _HUNDREDTHS)
    return found


def _items(catalogue: Catalogue, rows: Sequence[Row], stability: Sequence[Row]) -> tuple[ItemCard, ...]:
    """The items of the model, the heaviest first; levels as the catalogue orders them, without the reference."""
    stable = {row["item"]: row for row in stability}
    names = [name for name in dict.fromkeys(row["item"] for row in rows) if not name.startswith("(")]
    cards = []
    for name in names:
        of_item = {row["level"]: row for row in rows if row["item"] == name}
        # what the version had and no setting has any more comes last, as it was stored
        known = catalogue.items[name].every_level if name in catalogue.items else ()
        order = [level for level in dict.fromkeys((*known, *of_item)) if level in of_item]
        levels = tuple(
            Level(catalogue.level_name(name, level), row["weight"], row["std_error"], row["children"])
            for level in order
            # a level that no column tells of counts as the reference, like 非該当
            if (row := of_item[level])["weight"] or row["std_error"] is not None
        )
        of = stable.get(name, {})
        if levels:
            cards.append(ItemCard(catalogue.item_name(name), levels, of.get("inclusion_share"), of.get("sign_share")))
    return tuple(sorted(cards, key=lambda card: -card.strongest))


def _left_out(
    con: duckdb.DuckDBPyConnection, catalogue: Catalogue, version: str, band: Band
) -> dict[str, tuple[str, ...]]:
    rows = con.execute(
        "select reason, list(item order by sequence) from weights.selection_log "
        "where version = $1 and band = $2 and step = 1 and action = 'drop' and level is null "
        "and not starts_with(item, 'table:') "
        "group by reason order by min(sequence)",
        [version, band],
    ).fetchall()
    return {reason: tuple(map(catalogue.item_name, items)) for reason, items in rows}


def _attributes(catalogue: Catalogue, rows: Sequence[Row]) -> tuple[Attribute, ...]:
    """The groups of the configuration, not the schools: a card is no comparison of schools."""
    found = []
    for name, group in catalogue.fairness.groups.items():
        of_group = [row for row in rows if row["attribute"] == name]
        if of_group:
            found.append(Attribute(group.ja, tuple(_group(catalogue, row) for row in of_group)))
    return tuple(found)


def _group(catalogue: Catalogue, row: Row) -> Group:
    told = (row[name] for name in ("children", "selection_rate", "precision", "false_negative_rate"))
    return Group(catalogue.group_name(row["attribute"], row["group_name"]), *told)


def _followed(rows: Sequence[Row]) -> tuple[Followed, ...]:
    horizons = sorted({row["horizon_months"] for row in rows})
    return tuple(
        Followed(months, {row["rule"]: row["rate"] for row in rows if row["horizon_months"] == months})
        for months in horizons
    )


def _standing(
    con: duckdb.DuckDBPyConnection, catalogue: Catalogue, reference_date: dt.date
) -> dict[Band, dict[str, int | None]]:
    """Band -> standing -> selected children, told like every count that leaves; both hidden where one would be."""
    rows = con.execute(
        """
        select
            r.band,
            s.standing,
            count(*) as children
        from screening.ranking as r
        join screening.stability as s using (reference_date, child_key)
        where
            r.reference_date = $1
            and r.selected
        group by r.band, s.standing
        qualify min(count(*)) over (partition by r.band) >= $2
        """,
        [reference_date, catalogue.publish.suppress_below],
    ).fetchall()
    found: dict[Band, dict[str, int | None]] = {}
    for band, standing, children in rows:
        found.setdefault(band, {})[standing] = told_count(children)
    return found


def _judged(con: duckdb.DuckDBPyConnection, catalogue: Catalogue, reference_date: dt.date) -> Judged | None:
    row = con.execute(
        "select max(reference_date) from evaluation.meeting_outcome where reference_date <= $1", [reference_date]
    ).fetchone()
    if row is None or row[0] is None:
        return None
    of_meeting = f"reference_date = {literal(row[0].isoformat())}::date and decision = {literal(SUPPORTED)}"
    outcome = catalogue.output("evaluation.meeting_outcome")
    told = told_rows(con, outcome, of_meeting, catalogue.publish.suppress_below)
    shares = {of["stratum"]: of["share"] for of in told}
    intervals = con.execute(f"select stratum, low, high from evaluation.meeting_outcome where {of_meeting}").fetchall()
    figures = {of: Figure.outwards(shares[of], low, high, _TWENTIETHS) for of, low, high in intervals}
    return Judged(row[0], *(figures.get(stratum, Figure(None)) for stratum in ("list", "sample", "recall")))
