"""The reference dates (基準日): the one partitions definition that every asset has (architecture, decision 8)."""

from __future__ import annotations

import dagster as dg

from kodomo_assets.catalogue import Calendar

DATE_FORMAT = "%Y-%m-%d"


def reference_dates(calendar: Calendar) -> dg.TimeWindowPartitionsDefinition:
    """One partition per reference date, the current term's included."""
    return dg.TimeWindowPartitionsDefinition(
        start=calendar.first_reference_date.strftime(DATE_FORMAT),
        fmt=DATE_FORMAT,
        cron_schedule=calendar.cron_schedule,
        timezone=calendar.timezone,
        end_offset=1,
    )
