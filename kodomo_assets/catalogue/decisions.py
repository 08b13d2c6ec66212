"""What people decide of single items before the selection (method §5): leave one out, keep one, make levels one."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import combinations
from typing import Literal

from pydantic import Field

from kodomo_assets.catalogue.base import Band, Model, Sentence, Words, did_you_mean
from kodomo_assets.catalogue.items import Item
from kodomo_assets.errors import Said

Action = Literal["exclude", "keep", "merge"]


class ItemDecision(Model):
    """A person's word on one item of the selection."""

    item: str = Field(description="the item")
    action: Action = Field(
        description=(
            "`exclude`: it takes no part in the selection. `keep`: it stays whatever AIC and the test of significance "
            "say; what is rare, repeats other items, has no legal basis or lowers a score goes all the same. `merge`: "
            "neighbouring levels are one column from the start"
        )
    )
    levels: Words = Field(default=(), description="of `merge`: two or more of its own levels, each next to another")
    band: Band | None = Field(default=None, description="the band that it holds for; without it every one of the item")
    role: str = Field(description="the role of who decided, one of `meeting.roles`")
    reason: Sentence = Field(description="why")


def check_decisions(
    decisions: Sequence[ItemDecision],
    items: Mapping[str, Item],
    fixed: Mapping[Band, Sequence[str]],
    roles: Sequence[str],
) -> None:
    """Every decision has an effect, and no two contradict one another.

    Args:
        fixed: the bands whose items are named already.

    Raises:
        ValueError: one does not; the message names its key, what was found and what was expected.
    """
    for number, decision in enumerate(decisions):
        for problem in _problems(decision, items, fixed, roles):
            raise ValueError(Said("weights.decisions.{number}.{problem}", number=number, problem=problem))
    for (first, one), (second, other) in combinations(enumerate(decisions), 2):
        if not _bands(one, items) & _bands(other, items):
            continue
        keys = f"weights.decisions.{second}", f"weights.decisions.{first}"
        if one.item == other.item:
            _check_both(*keys, other, one)
        elif items[one.item].group is not None and items[one.item].group == items[other.item].group:
            _check_fact(*keys, other, one)


def _bands(decision: ItemDecision, items: Mapping[str, Item]) -> set[Band]:
    """Those that it holds for."""
    return {band for band in items[decision.item].bands if decision.band in (None, band)}


def _problems(
    decision: ItemDecision, items: Mapping[str, Item], fixed: Mapping[Band, Sequence[str]], roles: Sequence[str]
) -> Iterator[Said]:
    """Key and sentence of what is wrong with one decision alone."""
    item = items.get(decision.item)
    if item is None:
        yield Said("item: no item {name!r}{hint}", name=decision.item, hint=did_you_mean(decision.item, items))
        return
    if item.screen is not None or not item.levels:
        yield Said(
            "item: {item!r} is left out before any regression ({screen}), expected an item that may stay",
            item=item.id,
            screen=item.screen or "format",
        )
    if decision.band is not None and decision.band not in item.bands:
        yield Said(
            "band: no item {item!r} in band {band}, expected {known}",
            item=item.id,
            band=decision.band,
            known=", ".join(item.bands),
        )
    named = [band for band in item.bands if band in fixed and decision.band in (None, band)]
    if named and decision.action != "merge":
        yield Said(
            "action: found {action!r} for band {band}, whose items are named one by one (weights.fixed_items.{band}): "
            "change that list, or name the other band",
            action=decision.action,
            band=named[0],
        )
    for band in named if decision.action == "merge" else ():
        if item.id not in fixed[band]:
            yield Said(
                "item: weights.fixed_items.{band} leaves {item!r} out, expected one of its items: change that list, or "
                "name the other band",
                band=band,
                item=item.id,
            )
    yield from _wrong_levels(decision, item)
    if decision.role not in roles:
        yield Said(
            "role: found {role!r}, expected one of meeting.roles ({roles})", role=decision.role, roles="・".join(roles)
        )


def _wrong_levels(decision: ItemDecision, item: Item) -> Iterator[Said]:
    own = list(item.levels)
    if decision.action != "merge":
        if decision.levels:
            yield Said(
                "levels: found {levels}, expected none: {action!r} is about the whole item",
                levels=_told(decision.levels),
                action=decision.action,
            )
        return
    strange = [level for level in decision.levels if level not in own]
    if strange:
        yield Said(
            "levels: {item!r} has no level {levels}, expected some of {known}",
            item=item.id,
            levels=_told(strange),
            known=_told(own),
        )
        return
    at = sorted(own.index(level) for level in decision.levels)
    if len(at) < 2 or at != list(range(at[0], at[0] + len(at))):
        yield Said(
            "levels: found {levels}, expected two or more neighbours of {known} (mildest first), each once",
            levels=_told(decision.levels),
            known=_told(own),
        )


def _check_both(key: str, before: str, one: ItemDecision, other: ItemDecision) -> None:
    """Two decisions on one item that hold for the same band."""
    if one.action == other.action == "merge":
        both = [level for level in one.levels if level in other.levels]
        if both:
            raise ValueError(
                Said(
                    "{key}.levels: {levels} stands in {before} too, expected one decision for all of them",
                    key=key,
                    levels=_told(both),
                    before=before,
                )
            )
    elif one.action == other.action:
        raise ValueError(Said("{key}: the same as {before}, expected each decision once", key=key, before=before))
    elif "exclude" in (one.action, other.action):
        raise ValueError(
            Said(
                "{key}.action: found {action!r} of {item!r}, which {before} says to {other}; expected one of the two",
                key=key,
                action=one.action,
                item=one.item,
                before=before,
                other=other.action,
            )
        )


def _check_fact(key: str, before: str, one: ItemDecision, other: ItemDecision) -> None:
    """Two decisions on two items of one fact (``group``), which stay or go together."""
    if {one.action, other.action} == {"keep", "exclude"}:
        raise ValueError(
            Said(
                "{key}.action: found {action!r} of {item!r}, and {before} says to {other} {other_item!r}, which tells "
                "of the same fact; expected one of the two: items of one fact stay or go together",
                key=key,
                action=one.action,
                item=one.item,
                before=before,
                other=other.action,
                other_item=other.item,
            )
        )


def _told(levels: Sequence[str]) -> str:
    return ", ".join(map(repr, levels)) or Said("none")
