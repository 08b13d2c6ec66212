"""What stands in the files of a pool, and that nothing else does."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from kodomo_assets.errors import PoolError, Said
from kodomo_assets.pool.documents import JOIN, TOTAL, WITHDRAWAL, Document, verified

Hex = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
Code = Annotated[str, Field(pattern=r"^[0-9]{6}$")]


class Content(BaseModel):
    """Base of the contents: an unknown key is an error, as a missing one is."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    def said(self) -> dict[str, Any]:
        """As it stands in the file."""
        return self.model_dump(mode="json")


class Join(Content):
    """A city takes part: nothing of its children but their published number.

    Attributes:
        exchange: its X25519 public key for this pool.
        tables: the tables that it delivers.
        entering: what of the catalogue enters the fit, by name and hash.
        data: hash of the data under a salt that the member keeps: they are frozen by it.
        children: of school years 1 to 9 by the published school statistics.
    """

    date: dt.date
    member: Code
    exchange: Hex
    tables: tuple[str, ...]
    entering: Mapping[str, Hex]
    data: Hex
    children: int = Field(ge=1)


class Withdrawal(Content):
    """A member that joined goes before the first plan."""

    date: dt.date
    member: Code


class AskedContent(Content):
    """What a round asks (``pool.rounds.Asked``)."""

    name: str
    content: Mapping[str, Any]
    length: int = Field(ge=0)


class Plan(Content):
    """A round: who is asked what, until when, and what the rounds before came to."""

    date: dt.date
    round: int = Field(ge=1)
    last_day: dt.date
    joins: tuple[Mapping[str, Any], ...]
    withdrawals: tuple[Mapping[str, Any], ...]
    asked: AskedContent
    totals: tuple[Mapping[str, Any], ...]


class Contribution(Content):
    """A member's masked vector; ``plan`` is the digest of the plan that it answers."""

    date: dt.date
    round: int
    member: Code
    plan: Hex
    vector: str


class Total(Content):
    """The sum of all members' vectors, and the digest of the file of each."""

    date: dt.date
    round: int
    plan: Hex
    contributions: Mapping[Code, Hex]
    vector: str


class ResultContent(Content):
    """What came of it, with the last plan and the last total: every member can work it out again."""

    date: dt.date
    plan: Mapping[str, Any]
    total: Mapping[str, Any]
    result: Mapping[str, Any]


_C = TypeVar("_C", bound=Content)


def content_of(document: Document, kind: type[_C]) -> _C:
    """The content of a file.

    Raises:
        PoolError: a key is missing, unknown or has another value than it may have.
    """
    try:
        return kind.model_validate(document.content)
    except ValidationError as error:
        key = ".".join(map(str, error.errors(include_url=False)[0]["loc"]))
        raise PoolError(
            "{file}: {key} is missing or not what a {kind} holds there: its sender needs this version of the program",
            file=document.name,
            key=key,
            kind=Said(document.kind),
        ) from None


@dataclass(frozen=True)
class Round:
    """A plan whose every part is signed by whom the configuration names.

    Attributes:
        joins, withdrawals: by member.
        totals: of the rounds before, in order.
    """

    document: Document
    plan: Plan
    joins: Mapping[str, Join]
    withdrawals: Mapping[str, Withdrawal]
    totals: Sequence[tuple[Document, Total]]

    @property
    def delivered(self) -> dict[str, tuple[str, ...]]:
        """Member -> the tables that it delivers."""
        return {member: join.tables for member, join in self.joins.items()}


def opened_round(document: Document, members: Mapping[str, str], coordinator: str) -> Round:
    """The plan in ``document``, with the files that stand in it.

    Args:
        members: code -> fingerprint of the key, by this office's own list.
        coordinator: fingerprint of the key that signs plans and totals.

    Raises:
        PoolError: a file in it is altered, of another date, or signed by another key; a member is not on the list,
            or stands there twice.
    """
    plan = content_of(document, Plan)
    joins = joins_of([verified(one, document.name, JOIN) for one in plan.joins], members, plan.date)
    withdrawals = withdrawals_of(
        [verified(one, document.name, WITHDRAWAL) for one in plan.withdrawals], members, plan.date
    )
    totals = [verified(one, document.name, TOTAL, coordinator) for one in plan.totals]
    return Round(document, plan, joins, withdrawals, [(one, content_of(one, Total)) for one in totals])


def joins_of(documents: Sequence[Document], members: Mapping[str, str], date: dt.date) -> dict[str, Join]:
    """Member -> what its joining file says, in the order of codes; as ``opened_round``."""
    return _by_member(documents, Join, members, date)


def withdrawals_of(documents: Sequence[Document], members: Mapping[str, str], date: dt.date) -> dict[str, Withdrawal]:
    """Member -> its withdrawal; as ``opened_round``."""
    return _by_member(documents, Withdrawal, members, date)


def _by_member(
    documents: Sequence[Document], kind: type[_C], members: Mapping[str, str], date: dt.date
) -> dict[str, _C]:
    found: dict[str, _C] = {}
    for document in documents:
        content = content_of(document, kind)
        said = document.content
        member, file = str(said["member"]), document.name
        if member not in members:
            raise PoolError(
                "{file}: holds a {kind} of {member}, expected members of pool.members alone: whom this city's list "
                "does not have it does not pool with; nothing was answered",
                file=file,
                kind=Said(document.kind),
                member=member,
            )
        require_signer(document, member, members)
        if said["date"] != date.isoformat():
            raise PoolError(
                "{file}: the {kind} of {member} is of {found}, expected {date}",
                file=file,
                kind=Said(document.kind),
                member=member,
                found=said["date"],
                date=date,
            )
        if member in found:
            raise PoolError(
                "{file}: there are two {kind}s of {member}, expected one",
                file=file,
                kind=Said(document.kind),
                member=member,
            )
        found[member] = content
    return dict(sorted(found.items()))


def require_signer(document: Document, member: str, members: Mapping[str, str]) -> None:
    """Raises PoolError where another key signed than that of ``member``."""
    if document.fingerprint != members[member]:
        raise PoolError(
            "{file}: the {kind} of {member} is signed by the key {found}..., expected {expected}... (pool.members): it "
            "comes from somebody else, or that city has a new key. Ask it by telephone, and never take the fingerprint "
            "from the file",
            file=document.name,
            kind=Said(document.kind),
            member=member,
            found=document.fingerprint[:16],
            expected=members[member][:16],
        )
