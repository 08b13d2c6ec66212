"""The words that a published text may be made of: where each vocabulary comes from (docs/analysts.md).

A text that a person typed leaves only as one of these; whatever else stands in its place becomes その他.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

from kodomo_assets.catalogue.items import BLANK, NO_RECORD, NOT_APPLICABLE
from kodomo_assets.vocabulary import BASE_RATE, COMPARISON_LEVELS, LEVEL_WORDS, LINK_METHODS, SHEET_ANSWERS

#: What stands in the place of a text that is none of its declared words.
OTHER = "その他"

#: Levels that no item lists itself.
MISSING = (NO_RECORD, BLANK, NOT_APPLICABLE)
#: Children are compared by their schools too, beside the groups that the configuration names.
SCHOOL_GROUP = "school"
#: How those are called whom an own level of several puts into a group, and those of whom nobody knows.
GROUP_OF_SEVERAL, UNKNOWN_GROUP = "applicable", "unknown"
#: What people read for them, and for all others.
GROUP_WORDS = {GROUP_OF_SEVERAL: "該当", NOT_APPLICABLE: "それ以外", UNKNOWN_GROUP: "不明"}
#: What stands before a table's id where the table itself, not an item, has a weight: of whom it has no record.
TABLE_RECORD = "table:"
# levels of the rows that stand beside the items
_BESIDE = ("recorded", "(base)", "(intercept)")


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


@dataclass(frozen=True)
class CityWords:
    """What a city's configuration names, as far as it may stand in a published text.

    Attributes:
        levels: item that has levels -> its own levels, mildest first.
        level_labels: how people read the own levels of all items.
        fairness_groups: what children are compared by (evaluation.fairness).
        fairness_items: those of them that nobody who decides may see.
        school_code: a regular expression.
        school_years: of all bands.
    """

    items: Sequence[str]
    levels: Mapping[str, Sequence[str]]
    level_labels: Sequence[str]
    fairness_groups: Sequence[str]
    fairness_items: Sequence[str]
    tables: Sequence[str]
    school_code: str
    bands: Sequence[str]
    school_years: Sequence[int]
    difficulties: Sequence[str]
    directions: Sequence[str]
    roles: Sequence[str]
    outcomes: Sequence[str]
    laws: Sequence[str]


def vocabularies(city: CityWords) -> Mapping[str, Vocabulary]:
    """Every vocabulary by its name, as the city's configuration makes them."""
    of_tables = (f"{TABLE_RECORD}{table}" for table in city.tables)
    return {
        "child_key": Vocabulary(shape="[0-9a-f]{32}"),
        "school_code": Vocabulary(shape=city.school_code),
        "version": Vocabulary(shape=r"\d{4}-\d{2}-\d{2}\.(pooled\.)?\d{1,4}"),
        "fingerprint": Vocabulary(shape="[0-9a-f]{64}"),
        "table": Vocabulary(tuple(city.tables)),
        "item": Vocabulary((*city.items, *of_tables, "(base)", "(intercept)", "(school_year)")),
        "drift_subject": Vocabulary((*city.items, "score", "list")),
        "fairness_attribute": Vocabulary(tuple(city.fairness_groups)),
        "fairness_group": Vocabulary(shape="|".join([city.school_code, *map(re.escape, _each_once(_groups(city)))])),
        "fairness_item": Vocabulary(tuple(city.fairness_items)),
        "level": Vocabulary(_each_once(_levels(city))),
        # a city may have called a level otherwise when the row was made
        "level_ja": Vocabulary(_each_once((*city.level_labels, *LEVEL_WORDS.values(), BASE_RATE)), typed=True),
        "log_level": Vocabulary(_each_once(_log_levels(city))),
        "link_method": Vocabulary(LINK_METHODS),
        "comparison_level": Vocabulary(COMPARISON_LEVELS),
        "sheet_answer": Vocabulary(SHEET_ANSWERS, typed=True),
        "band": Vocabulary(tuple(city.bands)),
        "difficulty": Vocabulary(tuple(city.difficulties)),
        "direction": Vocabulary(tuple(city.directions), typed=True),
        "role": Vocabulary(tuple(city.roles), joined=True, typed=True),
        "outcome": Vocabulary(tuple(city.outcomes), typed=True),
        "law": Vocabulary(_each_once(city.laws), joined=True),
    }


def school_code(digits: int | None, *, letters: bool) -> str:
    """The form of a school's code; blank: persons whose school is unknown."""
    # letters stand before many digits (B108254200026), or a name in Latin capitals would be a code
    return "([A-Z]{0,2}[0-9]{6,14})?" if letters else f"([0-9]{{{digits}}})?"


def _each_once(words: Iterable[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(words))


def _levels(city: CityWords) -> Iterator[str]:
    for own in city.levels.values():
        yield from own
    yield from MISSING
    yield from _BESIDE
    # the intercepts of the school years
    yield from map(str, city.school_years)


def _groups(city: CityWords) -> Iterator[str]:
    yield from (GROUP_OF_SEVERAL, UNKNOWN_GROUP, NOT_APPLICABLE)
    for own in city.levels.values():
        yield from own


def _log_levels(city: CityWords) -> Iterator[str]:
    """Levels as the selection's log writes them: alone, one joining another, and neighbours pooled."""
    yield from _levels(city)
    # a table's missing records join those of another one
    yield from (f"no_record -> table:{table}" for table in city.tables)
    for own in city.levels.values():
        yield from _joins(own)


def _joins(own: Sequence[str]) -> Iterator[str]:
    levels = (*MISSING, "recorded", *own)
    for left, right in combinations(levels, 2):
        yield f"{left} -> {right}"
        yield f"{right} -> {left}"
    scale = ("not_applicable", *own)
    for first, last in combinations(range(len(scale)), 2):
        yield "+".join(scale[first : last + 1])
