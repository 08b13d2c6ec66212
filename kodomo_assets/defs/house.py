"""What the assets of every stage are built from: the city's catalogue, its settings, the reference dates."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import dagster as dg

from kodomo_assets.catalogue import Catalogue, OutputFile, OutputTable
from kodomo_assets.defs.shown import column_schema, shown
from kodomo_assets.settings import Settings
from kodomo_assets.told import Told

#: The tag by which jobs select (``Output.phase``).
PHASE = "phase"
#: The phase, and the job, of what is of no reference date: no refresh makes it.
FORGET = "forget"
#: The schema of what analysts read, and of what says that a refresh came to its end.
_PUBLISHED = "published"


@dataclass(frozen=True)
class House:
    """One installation."""

    catalogue: Catalogue
    settings: Settings
    partitions: dg.TimeWindowPartitionsDefinition

    def spec(
        self,
        name: str,
        reads: Sequence[str],
        *,
        facts: Told | None = None,
        tags: Mapping[str, str] | None = None,
        code: dg.CodeReferencesMetadataValue | None = None,
    ) -> dg.AssetSpec:
        """The asset ``schema.name``: what it is comes from the catalogue."""
        declared = self.catalogue.assets[name]
        metadata: dict[str, Any] = shown(facts or {})
        if isinstance(declared, OutputTable):
            metadata["dagster/column_schema"] = column_schema(declared)
            metadata["dagster/table_name"] = declared.qualified
        if code is not None:
            metadata["dagster/code_references"] = code
        return dg.AssetSpec(
            key=asset_key(name),
            deps=[asset_key(read) for read in reads],
            description=f"{declared.ja}。{declared.description}",
            group_name=declared.db_schema,
            owners=[f"team:{declared.owner}"],
            kinds={"duckdb", *declared.kinds},
            tags={PHASE: declared.phase, "data": _sensitivity(declared), **(tags or {})},
            metadata=metadata,
            partitions_def=None if declared.phase == FORGET else self.partitions,
            freshness_policy=self._freshness if declared.db_schema == _PUBLISHED else None,
        )

    @property
    def _freshness(self) -> dg.FreshnessPolicy:
        """What analysts read is of the reference date that came last, a month after it at the latest."""
        deadline, since = self.catalogue.calendar.due
        return dg.FreshnessPolicy.cron(deadline, since, self.catalogue.calendar.timezone)


def asset_key(name: str) -> dg.AssetKey:
    """The asset ``schema.name``."""
    return dg.AssetKey(name.split("."))


def _sensitivity(declared: OutputTable | OutputFile) -> str:
    """``pseudonymised``: nothing in it tells who somebody is."""
    if isinstance(declared, OutputFile):
        return "pseudonymised" if declared.pseudonymised else "confidential"
    private = not declared.published or any(column.private for column in declared.columns)
    return "confidential" if private else "pseudonymised"
