"""Who may ask about one person by a command, who confirms it, and what may speak against disclosing it.

個人情報保護法 76条, 78条, 90条, 98条; method §8.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Literal, Self

from pydantic import Field, model_validator

from kodomo_assets.catalogue.base import Model, Words, did_you_mean
from kodomo_assets.errors import Said

#: Numbers of 78条1項 that a city's records may meet: harm to who asks or is asked for, other people, deliberation,
#: the office's work.
Ground = Literal["1号", "2号", "3号", "5号", "6号", "7号"]


class Rights(Model):
    roles: Words = Field(
        min_length=2,
        description="roles of the centre whose `--role` may be at the commands that look at one person",
    )
    confirming: Words = Field(
        min_length=1,
        description=(
            "those of `roles` who may confirm what another of them asks about a protected child or an open case of "
            "abuse"
        ),
    )
    abuse: Words = Field(
        description=(
            "相談種別 that are a case of abuse: 児童相談記録 without 終結日 and SSW相談記録 (which has no such column) "
            "stop a 開示 until a second role confirms"
        )
    )
    grounds: Mapping[str, tuple[Ground, ...]] = Field(
        description=(
            "stored table: numbers of 78条1項 that may apply to its rows, shown to the officer beside each; a table "
            "that is left out has none; what tells of other people gets `2号` by itself, and every row of a protected "
            "child or an open case of abuse `1号`"
        )
    )

    @model_validator(mode="after")
    def _confirming_are_roles(self) -> Self:
        for role in self.confirming:
            if role not in self.roles:
                raise ValueError(
                    Said(
                        "confirming: found {found!r}, expected one of roles{hint}",
                        found=role,
                        hint=did_you_mean(role, self.roles),
                    )
                )
        if any(not role.strip() for role in self.roles):
            raise ValueError(Said("roles: found a blank one, expected what a role is called"))
        for role in self.roles:
            if role != role.strip():
                raise ValueError(
                    Said(
                        "roles: found {found!r}, which no `--role` equals; take away the blanks at its ends", found=role
                    )
                )
        if len(set(self.roles)) < len(self.roles):
            raise ValueError(
                Said(
                    "roles: found one twice, expected each once: who asks does not confirm, which takes two roles at "
                    "least"
                )
            )
        return self

    def check(self, tables: Collection[str], consultations: Collection[str]) -> None:
        """Raises ValueError where a table or a kind of consultation is named that there is not."""
        for name in self.grounds:
            if name not in tables:
                raise ValueError(
                    Said("rights.grounds: no table {name!r}{hint}", name=name, hint=did_you_mean(name, tables))
                )
        for kind in self.abuse:
            if kind not in consultations:
                raise ValueError(
                    Said("rights.abuse: no 相談種別 {name!r}{hint}", name=kind, hint=did_you_mean(kind, consultations))
                )
