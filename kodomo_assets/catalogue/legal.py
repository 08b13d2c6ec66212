"""Who holds a table, and on what legal basis, for what and until when it may be used (method §8)."""

from __future__ import annotations

import datetime as dt

from pydantic import Field

from kodomo_assets.catalogue.base import Model


class Section(Model):
    """An office that holds a table (保有・管理主体) and the legal basis on which it provides it."""

    ja: str = Field(
        min_length=1,
        max_length=40,
        pattern=r"""^[^/\\:*?"<>|\x00-\x1f]*$""",
        description="the office's name, as its files, sheets and 差戻し workbooks show it: it stands in names of files",
    )
    basis: str = Field(description="the legal basis on which the office provides its tables")


class Legal(Model):
    """Legal facts of a table (method §8)."""

    reason: str = Field(description="why the table is used, as the record of processing has it")
    permanent: bool = Field(description="`true`: the table may be used without a last day (住民記録)")
    valid_until: dt.date | None = Field(
        description="last day on which the table may be used; after it the items of the table leave the refresh"
    )
    sensitive: bool = Field(description="`true`: 要配慮個人情報, shown with the asset")
    retention_years: int = Field(
        ge=1,
        le=100,
        description=(
            "school years that rows and files are kept after the one of their reference date; files of an older date "
            "that are gone were not withdrawn"
        ),
    )

    def in_force(self, day: dt.date) -> bool:
        """Whether the table may be used on ``day`` (the last day of ``valid_until`` included)."""
        return self.permanent or self.valid_until is None or day <= self.valid_until
