"""What each round asks of every member, what a member answers, and what comes of the totals (cities.md, 2).

What is asked follows from the catalogue and the totals of the rounds before, so that every member works it out again
and nobody can ask for anything else. The selection is that of one city, on other evidence.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
import pandas as pd
from threadpoolctl import threadpool_limits

from kodomo_assets.catalogue import NO_RECORD, Band, Catalogue, Item
from kodomo_assets.errors import FitError, PoolError, Said
from kodomo_assets.pool.counting import CELLS, CHILDREN, EVENTS, HOUSEHOLDS, MEMBERS, Key, by_table, candidates, counts
from kodomo_assets.pool.differences import Difference, answered, differences
from kodomo_assets.pool.totals import Model, MomentsOfTotals, OfTotals
from kodomo_assets.stages.weights.data import excluded_items
from kodomo_assets.stages.weights.design import Children, Column
from kodomo_assets.stages.weights.moments import MomentsOfChildren
from kodomo_assets.stages.weights.regression import Array, predicted, scores_squared
from kodomo_assets.stages.weights.selection import Selected, Selection
from kodomo_assets.stages.weights.serving import needed_events

COUNTS, MOMENTS, ERRORS, HOMOGENEITY = "counts", "moments", "errors", "homogeneity"
#: A member answers no ninth round; and errors of so many models of a band in one.
MOST_ROUNDS = 8
_MOST_MODELS = 12
#: Under so many children of the band a member says too little to be told from the others.
_ENOUGH_EACH = 500
#: No count below it is shown.
_FEWEST = 10
# far more than there are anywhere, and whole numbers as floats
_MOST_CHILDREN = 2**50
_SAME = 1e-9
_NOTHING = 1e-6


@dataclass(frozen=True)
class Asked:
    """What one round asks.

    Attributes:
        name: counts, moments, errors or homogeneity.
        content: of which items, columns and models; what a plan holds, and all that answering needs.
        length: how many numbers a member answers.
    """

    name: str
    content: dict[str, Any]
    length: int


@dataclass(frozen=True)
class PooledFit:
    """The weights of one band.

    Attributes:
        levels: item, level, weight, std_error, p_value and children (None where they are few) of every level.
        columns: item and levels of each column, in the order of ``covariance``.
        log: the rows of the selection's log.
        card: what the card of a version tells of a fit.
        homogeneity: per item; empty where members are too small for it.
    """

    levels: list[dict[str, Any]]
    columns: list[dict[str, Any]]
    covariance: list[list[float]]
    log: list[list[Any]]
    card: dict[str, Any]
    homogeneity: list[dict[str, Any]]


@dataclass(frozen=True)
class Result:
    """What the pool comes to; ``failed`` says why a band has no weights."""

    bands: Mapping[Band, PooledFit]
    failed: Mapping[Band, Said]

    @property
    def content(self) -> dict[str, Any]:
        return {
            "bands": {band: asdict(fit) for band, fit in self.bands.items()},
            "failed": {band: str(why) for band, why in self.failed.items()},
        }


def ask(
    catalogue: Catalogue,
    reference_date: dt.date,
    delivered: Mapping[str, Collection[str]],
    totals: Sequence[Array],
) -> Asked | Result:
    """What the next round asks, or the result.

    Args:
        delivered: code of every member -> the tables that it delivers.
        totals: of each round before, without the number of members.

    Raises:
        PoolError: a total cannot be one of children, or follows the result.
    """
    with threadpool_limits(limits=1):  # the same to the last digit for every member
        rounds = _Rounds(catalogue, reference_date, delivered)
        for number, total in enumerate(totals, start=1):
            asked = rounds.next(number)
            if isinstance(asked, Result):
                raise PoolError("round {number}: the pool has its result already, expected no round", number=number)
            rounds.take(number, asked, total)
        return rounds.next(len(totals) + 1)


def left_out(
    catalogue: Catalogue,
    reference_date: dt.date,
    delivered: Mapping[str, Collection[str]],
    totals: Sequence[Array],
    bands: Mapping[Band, Children],
) -> dict[Band, list[float]]:
    """Of each band with weights those of its columns had the member with these children not been there.

    Columns and selection stay; the sums of this member are taken out of the totals.
    """
    with threadpool_limits(limits=1):
        rounds = _Rounds(catalogue, reference_date, delivered)
        for number, total in enumerate(totals, start=1):
            asked = rounds.next(number)
            if isinstance(asked, Asked):
                rounds.take(number, asked, total)
        rounds.next(len(totals) + 1)
        return rounds.left_out(bands)


def answer(catalogue: Catalogue, bands: Mapping[Band, Children], asked: Asked) -> Array:
    """What a member with these children adds to the total of ``asked``; zeros for a band without children."""
    with threadpool_limits(limits=1):
        parts = [
            _answered(catalogue, asked.name, bands[band], content) for band, content in asked.content["bands"].items()
        ]
    return np.concatenate(parts) if parts else np.empty(0)


def same(one: Asked, other: Asked) -> str | None:
    """The first place in which ``other`` asks for something else; None where there is none. Numbers count to 1e-9."""
    whole = ({"name": asked.name, "length": asked.length, "content": asked.content} for asked in (one, other))
    return next(_differences("", *whole), None)


def _differences(place: str, one: object, other: object) -> Iterator[str]:
    if isinstance(one, dict) and isinstance(other, dict):
        if one.keys() != other.keys():
            yield place or "the plan"
        for key in sorted(one.keys() & other.keys()):
            yield from _differences(f"{place} {key}".strip(), one[key], other[key])
    elif isinstance(one, list) and isinstance(other, list):
        if len(one) != len(other):
            yield place
        for number, (mine, theirs) in enumerate(zip(one, other, strict=False), start=1):
            yield from _differences(f"{place} {number}", mine, theirs)
    elif isinstance(one, float) and isinstance(other, (int, float)):
        if not abs(one - other) <= _SAME * max(1.0, abs(one)):
            yield place
    elif one != other:
        yield place


# ---- what a member adds


def _answered(catalogue: Catalogue, name: str, children: Children, content: Mapping[str, Any]) -> Array:
    """Of one band."""
    if name == COUNTS:
        items = [catalogue.items[item] for item in content["items"]]
        return np.array(list(counts(catalogue, items, children).values()), dtype=float)
    if name == ERRORS:
        meats = (
            _meat(children, _columns(model["columns"]), np.array(model["coefficients"])) for model in content["models"]
        )
        return np.concatenate([_upper(meat) for meat in meats])
    moments = MomentsOfChildren(children)
    xx, xy, yy = moments.centred(moments.positions(_columns(content["columns"])))
    if name == MOMENTS:
        return np.concatenate([_upper(xx), xy, [yy]])
    return answered(Difference(**content["total"]), content["items"], xx, xy)


def _meat(children: Children, columns: Sequence[Column], coefficients: Array) -> Array:
    """The sum over households of s s', s = X'u over its children; columns and outcome centred within school years."""
    if not len(children):
        return np.zeros((len(columns), len(columns)))
    first = len(children.years)
    design = children.design(columns)
    of_year = np.array([[column[year].mean() for column in design[first:]] for year in children.intercepts])
    rates = np.array([children.event[year].mean() for year in children.intercepts])
    weights = np.concatenate([rates - of_year @ coefficients, coefficients])
    residuals = children.event - predicted(design, weights)
    meat, _ = scores_squared(design, residuals, children.household)
    # the score of a centred column is its own less the means times those of the years
    centring = np.hstack([-of_year.T, np.eye(len(columns))])
    return np.asarray(centring @ meat @ centring.T)


# ---- what comes of the totals


@dataclass
class _Band:
    """How far one band is."""

    items: list[Item]
    tables: dict[str, tuple[str, ...]]
    keys: list[Key]
    counts: dict[Key, int] = field(default_factory=dict)
    columns: list[Column] = field(default_factory=list)
    moments: MomentsOfTotals | None = None
    meats: dict[Model, Array] = field(default_factory=dict)
    selected: Selected | None = None
    failed: Said | None = None
    homogeneity: list[dict[str, Any]] | None = None


class _Rounds:
    def __init__(self, catalogue: Catalogue, reference_date: dt.date, delivered: Mapping[str, Collection[str]]) -> None:
        self._catalogue = catalogue
        self._excluded = excluded_items(catalogue, reference_date)
        self._members = len(delivered)
        self._bands: dict[Band, _Band] = {}
        for band in catalogue.bands:
            items = candidates(catalogue, band, self._excluded, delivered)
            keys = list(counts(catalogue, items, _nobody(items)))
            self._bands[band] = _Band(items, by_table(catalogue, items), keys)

    @property
    def _live(self) -> dict[Band, _Band]:
        return {band: of for band, of in self._bands.items() if of.failed is None}

    def _evidence(self, of: _Band) -> OfTotals:
        return OfTotals(of.counts, of.tables, self._catalogue.weights, self._members, of.moments, of.meats)

    def _selection(self, band: Band, evidence: OfTotals) -> Selection:
        return Selection(self._catalogue, band, evidence, self._excluded)

    # ---- asking

    def next(self, number: int) -> Asked | Result:
        """What round ``number`` asks."""
        if not all(of.counts for of in self._bands.values()):
            items = {band: {"items": [item.id for item in of.items]} for band, of in self._bands.items()}
            return Asked(COUNTS, {"bands": items}, sum(len(of.keys) for of in self._bands.values()))
        for band, of in self._live.items():
            if not of.columns:
                self._divide(band, of)
        if any(of.moments is None for of in self._live.values()):
            columns = {band: {"columns": _told(of.columns)} for band, of in self._live.items()}
            return Asked(MOMENTS, {"bands": columns}, sum(_of_moments(len(of.columns)) for of in self._live.values()))
        models = {band: self._models(band, of, number) for band, of in self._live.items() if of.selected is None}
        models = {band: of for band, of in models.items() if of}
        if models:
            width = sum(_triangle(len(model["columns"])) for of in models.values() for model in of)
            return Asked(ERRORS, {"bands": {band: {"models": of} for band, of in models.items()}}, width)
        return self._differences() or Result(
            {band: self._fit(of) for band, of in self._live.items()},
            {band: of.failed for band, of in self._bands.items() if of.failed is not None},
        )

    def _divide(self, band: Band, of: _Band) -> None:
        """Which columns there are, by the counts; or why there are none."""
        events, needed = of.counts[EVENTS,], needed_events(self._catalogue, band)
        if events < needed:
            if events < _FEWEST:
                of.failed = Said("fewer than {few} events, expected {needed:g}", few=_FEWEST, needed=needed)
                return
            each = self._catalogue.weights.min_events_per_level
            of.failed = Said(
                "{events} events, expected {needed:g} ({each:g} per own level)", events=events, needed=needed, each=each
            )
            return
        of.columns = self._selection(band, self._evidence(of)).columns_to_sum()
        if not of.columns:
            of.failed = Said("no item is held by enough children and members, expected at least one")

    def _models(self, band: Band, of: _Band, number: int) -> list[dict[str, Any]]:
        """Of which models the path of orders and drops needs the errors and has none; the path stands without any."""
        evidence = self._evidence(of)
        try:
            selected = self._selection(band, evidence).run()
        except FitError as error:
            of.failed = error.said
            return []
        if not evidence.guessed:
            of.selected = selected
            return []
        if number >= MOST_ROUNDS:
            of.failed = Said(
                "the selection is not settled after {found} rounds, expected at most {most}",
                found=number - 1,
                most=MOST_ROUNDS,
            )
            return []
        guessed = {design.columns: design for design in evidence.guessed}
        return [
            {"columns": _told(design.columns), "coefficients": evidence.solved(design).coefficients.tolist()}
            for design in list(guessed.values())[:_MOST_MODELS]
        ]

    def _differences(self) -> Asked | None:
        """The last round: whether members differ by more than chance; None where it is over or says nothing."""
        asked = {}
        for band, of in self._live.items():
            if of.homogeneity is not None or of.counts[CHILDREN,] < _ENOUGH_EACH * of.counts[MEMBERS,]:
                continue
            design = _of(of.selected).design
            evidence = self._evidence(of)
            xx, _ = evidence.products(design)
            total = Difference(xx.tolist(), evidence.meat(design).tolist(), _of(of.selected).fit.coefficients.tolist())
            asked[band] = {
                "columns": _told(design.columns),
                "items": {entry.item.id: design.positions(entry.item.id, own_only=True) for entry in design.items},
                "total": asdict(total),
            }
        if not asked:
            return None
        return Asked(HOMOGENEITY, {"bands": asked}, sum(2 * len(of["items"]) for of in asked.values()))

    def left_out(self, bands: Mapping[Band, Children]) -> dict[Band, list[float]]:
        found = {}
        for band, of in self._live.items():
            design = _of(of.selected).design
            xx, xy = self._evidence(of).products(design)
            own = MomentsOfChildren(bands[band])
            xx_own, xy_own, _ = own.centred(own.positions(design.columns))
            # the shortest one where nobody else holds a column
            found[band] = np.linalg.lstsq(xx - xx_own, xy - xy_own, rcond=None)[0].tolist()
        return found

    # ---- totals

    def take(self, number: int, asked: Asked, total: Array) -> None:
        """Raises PoolError where ``total`` cannot be one of children: what a member sent alone, nobody can tell."""
        if len(total) != asked.length:
            self._refuse(number, Said("{found} numbers, expected {length}", found=len(total), length=asked.length))
        left = total
        for band, content in asked.content["bands"].items():
            of = self._bands[band]
            if asked.name == COUNTS:
                left = self._take_counts(number, of, left)
            elif asked.name == MOMENTS:
                left = self._take_moments(number, of, left)
            elif asked.name == ERRORS:
                for model in content["models"]:
                    columns = tuple(_columns(model["columns"]))
                    width = _triangle(len(columns))
                    of.meats[columns] = self._positive(number, _square(left[:width], len(columns)))
                    left = left[width:]
            else:
                width = 2 * len(content["items"])
                sums = left[:width].reshape(-1, 2)
                if (sums < -_NOTHING).any():
                    self._refuse(number, Said("a sum of squares below 0"))
                of.homogeneity = differences(content["items"], sums)
                left = left[width:]

    def _take_counts(self, number: int, of: _Band, left: Array) -> Array:
        found = np.rint(left[: len(of.keys)])
        if (
            (np.abs(found - left[: len(of.keys)]) > _NOTHING).any()
            or (found < 0).any()
            or (found > _MOST_CHILDREN).any()
        ):
            self._refuse(number, Said("a number of children that is none"))
        of.counts = dict(zip(of.keys, found.astype(np.int64).tolist(), strict=True))
        children = of.counts[CHILDREN,]
        for item in of.items:
            if sum(of.counts[CHILDREN, item.id, level] for level in item.every_level) != children:
                self._refuse(number, Said("the levels of {item} do not add up to the children", item=item.id))
        if of.counts[EVENTS,] > children or of.counts[HOUSEHOLDS,] > children or of.counts[MEMBERS,] > self._members:
            self._refuse(number, Said("more events, households or members than there are"))
        return left[len(of.keys) :]

    def _take_moments(self, number: int, of: _Band, left: Array) -> Array:
        size = len(of.columns)
        width = _triangle(size)
        xx = self._positive(number, _square(left[:width], size))
        xy, yy = left[width : width + size], float(left[width + size])
        if not 0 <= yy <= of.counts[EVENTS,] or (np.diag(xx) > of.counts[CHILDREN,] / 4 + _NOTHING).any():
            self._refuse(number, Said("a sum of squares that so many children cannot have"))
        of.moments = MomentsOfTotals(of.columns, xx, xy, yy, of.counts[CHILDREN,], of.counts[CELLS,])
        return left[_of_moments(size) :]

    def _positive(self, number: int, matrix: Array) -> Array:
        if np.linalg.eigvalsh(matrix).min(initial=0.0) < -_NOTHING * max(1.0, np.abs(matrix).max(initial=0.0)):
            self._refuse(number, Said("a sum of squares below 0"))
        return matrix

    def _refuse(self, number: int, found: Said) -> None:
        raise PoolError(
            "round {number}: the total holds {found}: one member sent what is no sum over its children, or another "
            "version of this program; nobody can tell which. Expected the sums of the plan: the pool ends",
            number=number,
            found=found,
        )

    # ---- the result

    def _fit(self, of: _Band) -> PooledFit:
        selected, counted = _of(of.selected), of.counts
        design, fit = selected.design, selected.fit
        levels: list[dict[str, Any]] = []

        def rows_of(item: str, held: Mapping[str, int], placed: Mapping[str, int]) -> None:
            shown = _shown(held)
            for level in held:
                at = placed.get(level)
                weight, error, p_value = (
                    (0.0, None, None)
                    if at is None
                    else (float(fit.coefficients[at]), float(fit.std_errors[at]), float(fit.p_values[at]))
                )
                row = {"item": item, "level": level, "weight": weight, "std_error": error, "p_value": p_value}
                levels.append({**row, "children": shown[level]})

        for entry in design.items:
            item = entry.item
            placed = {level: at for at in design.positions(item.id) for level in design.columns[at].levels}
            rows_of(item.id, {level: counted[CHILDREN, item.id, level] for level in item.every_level}, placed)
        for at, column in enumerate(design.columns):
            if column.is_table:
                missing = counted[CHILDREN, column.item.removeprefix("table:")]
                rows_of(column.item, {NO_RECORD: missing, "recorded": counted[CHILDREN,] - missing}, {NO_RECORD: at})
        worst = max(selected.gvif, key=lambda item: selected.gvif[item])
        card = {
            "members": counted[MEMBERS,],
            "children": counted[CHILDREN,],
            "events": counted[EVENTS,],
            "households": counted[HOUSEHOLDS,],
            "items": len(design.items),
            "columns": len(design.columns),
            "events_per_column": counted[EVENTS,] / len(design.columns),
            "r_squared": fit.r_squared,
            "condition_number": selected.condition_number,
            "max_gvif": selected.gvif[worst],
            "max_gvif_item": worst,
        }
        log = [list(row) for row in selected.log.rows]
        return PooledFit(levels, _told(design.columns), fit.covariance.tolist(), log, card, of.homogeneity or [])


def _shown(held: Mapping[str, int]) -> dict[str, int | None]:
    """The counts that may be told: none under ten, and none that would tell the only one left out."""
    small = [level for level, children in held.items() if children < _FEWEST]
    if len(small) == 1:
        small.append(min((level for level in held if level not in small), key=lambda level: held[level]))
    return {level: None if level in small else children for level, children in held.items()}


def _of(selected: Selected | None) -> Selected:
    if selected is None:
        raise RuntimeError("the result of a band is asked for before its selection is settled")
    return selected


def _nobody(items: Sequence[Item]) -> Children:
    none = np.zeros(0, dtype=np.int64)
    levels = pd.DataFrame({item.id: pd.Categorical([], list(item.every_level)) for item in items})
    return Children(levels, none.astype(bool), none, none)


def _told(columns: Sequence[Column]) -> list[dict[str, Any]]:
    return [{"item": one.item, "levels": list(one.levels), "among": list(one.among)} for one in columns]


def _columns(told: Sequence[Mapping[str, Any]]) -> list[Column]:
    return [Column(one["item"], tuple(one["levels"]), tuple(one["among"])) for one in told]


def _upper(matrix: Array) -> Array:
    return matrix[np.triu_indices(len(matrix))]


def _square(upper: Array, size: int) -> Array:
    found = np.zeros((size, size))
    found[np.triu_indices(size)] = upper
    return found + np.triu(found, 1).T


def _triangle(size: int) -> int:
    return size * (size + 1) // 2


def _of_moments(size: int) -> int:
    return _triangle(size) + size + 1
