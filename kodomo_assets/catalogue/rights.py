"""Who may ask about one person by a command, and who confirms it (個人情報保護法 76条, 90条, 98条; method §8)."""

from __future__ import annotations

from typing import Self

from pydantic import Field, model_validator

from kodomo_assets.catalogue.base import Model, Words, did_you_mean


class Rights(Model):
    roles: Words = Field(
        min_length=2,
        description="roles of the centre whose `--role` may be at the commands that look at one person",
    )
    confirming: Words = Field(
        min_length=1,
        description=(
            "those of `roles` who may confirm (`--confirm`) what another of them asks about a protected child or an "
            "open case of abuse"
        ),
    )

    @model_validator(mode="after")
    def _confirming_are_roles(self) -> Self:
        for role in self.confirming:
            if role not in self.roles:
                raise ValueError(f"confirming: found {role!r}, expected one of roles{did_you_mean(role, self.roles)}")
        if any(not role.strip() for role in self.roles):
            raise ValueError("roles: found a blank one, expected what a role is called")
        return self
