"""With whom a city pools its sums, so that small cities have weights of many (docs/cities.md)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Self

from pydantic import Field, model_validator

from kodomo_assets.catalogue.base import Model, Sentence
from kodomo_assets.errors import Said

Fingerprint = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$", title="64 hex digits")]
Municipality = Annotated[str, Field(pattern=r"^[0-9]{6}$", title="six digits in quotes")]
# With fewer members a total tells too much of each; a decision may go down to the second number, never below.
_MEMBERS, _FEWEST = 10, 5


class Pool(Model):
    """Empty: the city pools with nobody."""

    code: Municipality | None = Field(description="the city's own 全国地方公共団体コード, in quotes")
    children: int | None = Field(
        ge=1, description="its children of school years 1 to 9 by the published statistics (学校基本調査)"
    )
    coordinator: Fingerprint | None = Field(
        description="fingerprint of the key of who adds the sums up, taken from him by telephone or on paper"
    )
    members: Mapping[Municipality, Fingerprint] = Field(
        description="with whom the city pools: code -> fingerprint of that city's key, taken from that city"
    )
    at_least: int = Field(
        ge=_FEWEST, description="with fewer members nothing is answered; under 10 only with `decided_by` and `reason`"
    )
    decided_by: Sentence | None = Field(description="the role of who decided on fewer than ten members (課長)")
    reason: Sentence | None = Field(description="why fewer")

    @model_validator(mode="after")
    def _a_key_each(self) -> Self:
        keys = [*self.members.values(), *([] if self.coordinator is None else [self.coordinator])]
        if twice := sorted({key for key in keys if keys.count(key) > 1}):
            raise ValueError(
                Said(
                    "{key}... stands there for two, expected the fingerprint of a key of each member's own, and "
                    "another one of the coordinator",
                    key=twice[0][:16],
                )
            )
        return self

    @model_validator(mode="after")
    def _fewer_by_a_person(self) -> Self:
        if self.at_least < _MEMBERS and (self.decided_by is None or self.reason is None):
            raise ValueError(
                Said(
                    "at_least: found {found}, expected {members} or more, or decided_by and reason beside it",
                    found=self.at_least,
                    members=_MEMBERS,
                )
            )
        return self
