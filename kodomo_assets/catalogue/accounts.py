"""Whose account may read or write what: groups of the machine, for the roles of the national report (method §8).

総括管理主体 (the centre), 保有・管理主体 (the offices), 分析主体 (the analysts: ``publish.group``).
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Annotated, Self

from pydantic import Field, model_validator

from kodomo_assets.catalogue.base import Model, did_you_mean
from kodomo_assets.errors import Said

_Group = Annotated[str, Field(min_length=1)]


class Accounts(Model):
    outbox: _Group | None = Field(
        description=(
            "group of the machine whose people read `outbox/` (the centre's): folders 2750, files 0640. Without it the "
            "account that refreshes alone does"
        )
    )
    centre: _Group | None = Field(
        description=(
            "group that reads the folders センター限り too; its people are in the group of `outbox` as well. Without "
            "it the account that refreshes alone does"
        )
    )
    offices: Mapping[str, _Group] = Field(
        description=(
            "office (a key of `sections`): the group that delivers into its own folder `inbox/<office>/`, which no "
            "other office can look into ([deliveries.md](deliveries.md))"
        )
    )

    @model_validator(mode="after")
    def _outbox_leads_to_the_centre(self) -> Self:
        if self.centre is not None and self.outbox is None:
            raise ValueError(
                Said("centre: found a group but none of outbox, expected both: its folders lie in outbox/")
            )
        return self

    def check(self, sections: Collection[str], others: Mapping[str, str | None]) -> None:
        """Raises ValueError where an office is named that there is not, or one group is of two roles.

        Args:
            others: key of the configuration -> the group that stands there.
        """
        for office in self.offices:
            if office not in sections:
                raise ValueError(
                    Said(
                        "accounts.offices: no section {name!r}{hint}", name=office, hint=did_you_mean(office, sections)
                    )
                )
        roles = {"accounts.outbox": self.outbox, "accounts.centre": self.centre, **others}
        taken = {group: key for key, group in roles.items() if group is not None}
        analysts = roles["publish.group"]
        if analysts is not None and analysts in {self.outbox, self.centre}:
            raise ValueError(
                Said("publish.group: found {group!r}, which reads outbox/ too; expected one of its own", group=analysts)
            )
        for office, group in self.offices.items():
            if group in taken:
                raise ValueError(
                    Said(
                        "accounts.offices.{office}: found {group!r}, the group of {other} too; expected one of its "
                        "own, or each could read what the other delivers",
                        office=office,
                        group=group,
                        other=taken[group],
                    )
                )
            taken[group] = f"accounts.offices.{office}"
