"""The words that a published text may be made of: where each vocabulary comes from (outputs.md, analyst.duckdb).

A text that a person typed leaves only as one of these; whatever else stands in its place becomes その他.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import combinations
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from kodomo_assets.catalogue.models import Catalogue, Item

#: What stands in the place of a text that is none of its declared words.
OTHER = "その他"

#: Levels that no item lists itself.
MISSING = ("no_record", "blank", "not_applicable")
# levels of the rows that stand beside the items
_BESIDE = ("recorded", "(base)", "(intercept)")

_LINK_METHODS = (
    "review",
    "resident_id",
    "kana_birth_school",
    "kana_birth_sex_school",
    "kana_birth",
    "splink",
    "in_review",
    "unlinked",
)
_COMPARISON_LEVELS = (
    "same",
    "folded",
    "reversed",
    "slip",
    "two_slips",
    "given",
    "swapped",
    "digit",
    "other",
    "unknown",
)
_SHEET_ANSWERS = ("気になることはない", "少し気になる", "気になる", "分からない")


@dataclass(frozen=True)
class Vocabulary:
    """What a text may be.

    Attributes:
        listed: the words.
        shape: a regular expression instead, for keys that no text of a person has the form of.
        joined: several of the words may stand together (社会福祉士・公認心理師).
        typed: a person types here, so that other words are nothing to wonder at.
    """

    listed: tuple[str, ...] = ()
    shape: str | None = None
    joined: bool = False
    typed: bool = False


def vocabularies(catalogue: Catalogue) -> Mapping[str, Vocabulary]:
    """Every vocabulary by its name, as the city's configuration makes them."""
    items = tuple(catalogue.items)
    tables = tuple(catalogue.tables)
    return {
        "child_key": Vocabulary(shape="[0-9a-f]{32}"),
        # blank: persons whose school is unknown
        "school_code": Vocabulary(shape=_school_code(catalogue)),
        "version": Vocabulary(shape=r"\d{4}-\d{2}-\d{2}\.\d{1,4}"),
        "fingerprint": Vocabulary(shape="[0-9a-f]{64}"),
        "table": Vocabulary(tables),
        "item": Vocabulary((*items, *(f"table:{table}" for table in tables), "(base)", "(intercept)", "(school_year)")),
        "fairness_item": Vocabulary(tuple(i.id for i in catalogue.matrix_items if i.screen == "fairness")),
        "level": Vocabulary(tuple(dict.fromkeys(_levels(catalogue)))),
        "log_level": Vocabulary(tuple(dict.fromkeys(_log_levels(catalogue)))),
        "link_method": Vocabulary(_LINK_METHODS),
        "comparison_level": Vocabulary(_COMPARISON_LEVELS),
        "sheet_answer": Vocabulary(_SHEET_ANSWERS, typed=True),
        "band": Vocabulary(tuple(catalogue.bands)),
        "difficulty": Vocabulary(tuple(catalogue.difficulties)),
        "direction": Vocabulary(tuple(catalogue.meeting.directions), typed=True),
        "role": Vocabulary(catalogue.meeting.roles, joined=True, typed=True),
        "outcome": Vocabulary(tuple(catalogue.meeting.outcomes), typed=True),
    }


def _school_code(catalogue: Catalogue) -> str:
    column = catalogue.tables["school_register"].columns["school_code"]
    # letters stand before many digits (B108254200026), or a name in Latin capitals would be a code
    return "([A-Z]{0,2}[0-9]{6,14})?" if column.letters else f"([0-9]{{{column.digits}}})?"


def _levels(catalogue: Catalogue) -> Iterator[str]:
    for item in catalogue.matrix_items:
        yield from item.levels
    yield from MISSING
    yield from _BESIDE
    # the intercepts of the school years
    yield from (str(year) for band in catalogue.bands.values() for year in band.school_years)


def _log_levels(catalogue: Catalogue) -> Iterator[str]:
    """Levels as the selection's log writes them: alone, one joining another, and neighbours pooled."""
    yield from _levels(catalogue)
    # a table's missing records join those of another one
    yield from (f"no_record -> table:{table}" for table in catalogue.tables)
    for item in catalogue.matrix_items:
        yield from _joins(item)


def _joins(item: Item) -> Iterator[str]:
    levels = (*MISSING, "recorded", *item.levels)
    for left, right in combinations(levels, 2):
        yield f"{left} -> {right}"
        yield f"{right} -> {left}"
    scale = ("not_applicable", *item.levels)
    for first, last in combinations(range(len(scale)), 2):
        yield "+".join(scale[first : last + 1])
