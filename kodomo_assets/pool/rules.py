"""Who may pool with whom, and what a total may be (cities.md, 2): the same for a member and for the coordinator."""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection, Mapping

import numpy as np
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from numpy.typing import NDArray

from kodomo_assets.catalogue import Catalogue, Pool
from kodomo_assets.errors import PoolError, Said
from kodomo_assets.japan.calendar import years_before
from kodomo_assets.pool.contents import Join, Round
from kodomo_assets.pool.masks import shared
from kodomo_assets.pool.rounds import MOST_ROUNDS
from kodomo_assets.pool.vectors import LIMIT, decoded, of_text

_THIRD = 3
#: Two totals whose members differ by one or two are those members' numbers, nearly.
_LEAST_OTHERS = 3
#: So long the members of a pool stay the same.
_YEARS = 3


def require_configured(pool: Pool) -> None:
    """Raises PoolError where the configuration does not say with whom, and whose plans, this office pools."""
    lacking = [key for key in ("coordinator", "members", "code", "children") if not getattr(pool, key)]
    if lacking:
        raise PoolError(
            "city.yaml: {keys} is empty, expected with whom this city pools and whose plans it answers "
            "(docs/cities.md)",
            keys=", ".join(f"pool.{key}" for key in lacking),
        )
    if pool.code not in pool.members:
        raise PoolError("city.yaml: pool.members lacks {code}, the city's own code (pool.code)", code=pool.code)


def require_code(pool: Pool) -> None:
    """Raises PoolError where the configuration lacks the city's own code or its published number of children."""
    if pool.code is None or pool.children is None:
        raise PoolError(
            "city.yaml: pool.code or pool.children is empty, expected the city's own code and its children by the "
            "published school statistics"
        )


def require_yearly(catalogue: Catalogue, date: dt.date) -> None:
    """Raises PoolError for a date at which no weights are fitted."""
    if not catalogue.calendar.is_yearly(date):
        raise PoolError(
            "{date}: found another date, expected a yearly one ({month_day}): only those are pooled",
            date=date,
            month_day=catalogue.calendar.yearly,
        )


def require_members(pool: Pool, joins: Mapping[str, Join], withdrawn: Collection[str]) -> None:
    """Raises PoolError where these members are too few, one is too large, or one left without saying so."""
    if both := sorted(joins.keys() & set(withdrawn)):
        raise PoolError("{member}: joins and withdraws, expected one of them", member=both[0])
    if lacking := sorted(pool.members.keys() - joins.keys() - set(withdrawn)):
        raise PoolError(
            "{members}: neither joins nor withdraws, expected a signed file of every member of pool.members: no total "
            "leaves a member out that did not say so",
            members=", ".join(lacking),
        )
    if len(joins) < pool.at_least:
        raise PoolError(
            "found {found} members, expected at least {least} (pool.at_least): a total of few tells of each",
            found=len(joins),
            least=pool.at_least,
        )
    everyone = sum(join.children for join in joins.values())
    for member, join in joins.items():
        if _THIRD * join.children > everyone:
            raise PoolError(
                "{member}: has {children:,} of {everyone:,} children by the published school statistics, expected at "
                "most a third: the total would be nearly its own",
                member=member,
                children=join.children,
                everyone=everyone,
            )


def require_keys(joins: Mapping[str, Join]) -> None:
    """Raises PoolError where a member's key for the masks is none, so that no member could answer."""
    for member, join in joins.items():
        public = X25519PublicKey.from_public_bytes(bytes.fromhex(join.exchange))
        shared(X25519PrivateKey.generate(), public, member)


def require_same_catalogue(own: Mapping[str, str], joins: Mapping[str, Join]) -> None:
    """Raises PoolError that names what differs between ``own`` and the joining file of a member."""
    for member, join in joins.items():
        if names := differing(own, join.entering):
            raise PoolError(
                "{member}: differs in {names}, expected the same in all cities that pool: agree on it, change "
                "city.yaml, refresh and join again",
                member=member,
                names=", ".join(names),
            )


def differing(one: Mapping[str, str], other: Mapping[str, str]) -> list[str]:
    """The names under which two catalogues differ, or that one of them lacks."""
    return [name for name in {**one, **other} if one.get(name) != other.get(name)]


def require_like_before(members: Collection[str], date: dt.date, before: Mapping[dt.date, Collection[str]]) -> None:
    """Raises PoolError where the members differ by one or two from those of a date of the last three years.

    Args:
        before: date -> the members of its pool, as this city answered them.
    """
    for day, then in before.items():
        if day == date or day <= years_before(date, _YEARS):
            continue
        new, gone = sorted(set(members) - set(then)), sorted(set(then) - set(members))
        for differ, what in ((new, Said("come new")), (gone, Said("are gone"))):
            if 0 < len(differ) < _LEAST_OTHERS:
                raise PoolError(
                    "{members}: {what} since the pool of {day}, expected none or at least {least} at once: two totals "
                    "that differ by few tell of these few",
                    members=", ".join(differ),
                    what=what,
                    day=day,
                    least=_LEAST_OTHERS,
                )


def require_round(found: Round, today: dt.date | None) -> None:
    """Raises PoolError for a ninth round, totals that do not lead to it, or a last day that is over.

    Args:
        today: None: the last day does not count (nothing is answered).
    """
    file, plan = found.document.name, found.plan
    if plan.round > MOST_ROUNDS:
        raise PoolError(
            "{file}: asks a round {round}, expected at most {most}; nothing was answered",
            file=file,
            round=plan.round,
            most=MOST_ROUNDS,
        )
    rounds = [(total.date, total.round) for _, total in found.totals]
    if rounds != [(plan.date, number) for number in range(1, plan.round)]:
        raise PoolError(
            "{file}: round {round} holds the totals of rounds {found}, expected those of every round before it, once "
            "each and in order",
            file=file,
            round=plan.round,
            found=", ".join(str(number) for _, number in rounds) or Said("none"),
        )
    if today is not None and today > plan.last_day:
        raise PoolError(
            "{file}: the last day of round {round} was {last_day}: the pool of {date} has ended, and its totals stay "
            "unused",
            file=file,
            round=plan.round,
            last_day=plan.last_day,
            date=plan.date,
        )


def total_numbers(text: str, length: int, members: int, name: str) -> NDArray[np.float64]:
    """The numbers of a total without the first one, which counts the members.

    Args:
        length: how many numbers the round asked for.

    Raises:
        PoolError: it has another length, does not begin with the number of members, or a number is out of range.
    """
    numbers = decoded(of_text(text, length + 1, name))
    if numbers[0] != members:
        raise PoolError(
            "{file}: the total does not begin with the number of members ({members}): a contribution is missing, "
            "stands there twice or was masked for others; the pool cannot go on with it",
            file=name,
            members=members,
        )
    bad = np.flatnonzero(~(np.abs(numbers) < members * LIMIT))
    if len(bad):
        raise PoolError(
            "{file}: number {number} of the total is out of range, expected less than {members} times 2^64: a mask "
            "stands in it still; the pool cannot go on with it",
            file=name,
            number=bad[0] + 1,
            members=members,
        )
    return numbers[1:]
