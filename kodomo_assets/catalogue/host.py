"""What a host that runs many cities is given of this one (docs/host-tables.md)."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field

from kodomo_assets.catalogue.base import Model

#: No cell of fewer people leaves the city, however few a city tells its own analysts.
LEAST_TOLD = 10


class Host(Model):
    """Empty: nothing leaves the city."""

    folder: Path | None = Field(
        description=(
            "folder in which every publication puts `aggregates.json` for the host: suppressed aggregates, no row of a "
            "child. Relative to `city.yaml`; its last part is the city's own code (`pool.code`). Empty: nothing is put "
            "anywhere"
        )
    )
