"""The reference dates of a city."""

from __future__ import annotations

import datetime as dt
from typing import Annotated, Self
from zoneinfo import ZoneInfo

from pydantic import AfterValidator, Field, model_validator

from kodomo_assets.catalogue.base import Model
from kodomo_assets.errors import Said

TermDate = Annotated[str, Field(pattern=r"^(0[1-9]|1[0-2])-(0[1-9]|1\d|2[0-8])$", title="MM-DD, DD 01 to 28")]


def _time_zone(name: str) -> str:
    try:
        ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        raise ValueError(
            Said("found {found!r}, expected the name of a time zone such as 'Asia/Tokyo'", found=name)
        ) from None
    return name


class Calendar(Model):
    timezone: Annotated[str, AfterValidator(_time_zone)] = Field(
        description="time zone of reference dates and schedules"
    )
    first_reference_date: dt.date = Field(description="the oldest date that can be refreshed; one of `terms`")
    terms: tuple[TermDate, ...] = Field(
        min_length=1, description="month and day of the reference dates; all on one day of the month"
    )
    yearly: TermDate = Field(description="the term at which weights are fitted; one of `terms`")

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if self.yearly not in self.terms:
            raise ValueError(
                Said("yearly {found!r} is none of the terms {terms}", found=self.yearly, terms=list(self.terms))
            )
        if len(set(self.terms)) < len(self.terms):
            raise ValueError(Said("terms: found {found}, expected each date once", found=list(self.terms)))
        if len({term[3:] for term in self.terms}) > 1:
            raise ValueError(Said("all terms must lie on one day of the month"))
        if f"{self.first_reference_date:%m-%d}" not in self.terms:
            raise ValueError(Said("first_reference_date must be one of the terms"))
        return self

    @property
    def cron_schedule(self) -> str:
        """The reference dates as a cron expression, midnight in ``timezone``."""
        return self._cron(self._months)

    @property
    def due(self) -> tuple[str, dt.timedelta]:
        """By when each reference date is refreshed (cron, a month after it), and since when a refresh is one of it."""
        due = {month % 12 + 1 for month in self._months}
        # a month is 28 to 31 days; of two due dates in a row the later one's month begins after the earlier one
        return self._cron(due), dt.timedelta(days=28 if due & self._months else 31)

    @property
    def _months(self) -> set[int]:
        return {int(term[:2]) for term in self.terms}

    def _cron(self, months: set[int]) -> str:
        return f"0 0 {int(self.terms[0][3:])} {','.join(map(str, sorted(months)))} *"

    def is_reference_date(self, day: dt.date) -> bool:
        return day >= self.first_reference_date and f"{day:%m-%d}" in self.terms

    def previous_reference_date(self, day: dt.date) -> dt.date:
        """The last of the terms before ``day``, whether or not the city was refreshed then."""
        dates = [dt.date.fromisoformat(f"{year}-{term}") for year in (day.year - 1, day.year) for term in self.terms]
        return max(date for date in dates if date < day)

    def next_reference_date(self, day: dt.date) -> dt.date:
        """The first of the terms after ``day``."""
        dates = [dt.date.fromisoformat(f"{year}-{term}") for year in (day.year, day.year + 1) for term in self.terms]
        return min(date for date in dates if date > day)

    def due_on(self, day: dt.date) -> dt.date:
        """By when the list of the reference date ``day`` is there: a month after it, as ``due`` has it."""
        # no month is longer, and no term lies behind the 28th
        return (day + dt.timedelta(days=31)).replace(day=day.day)

    def dates_until(self, day: dt.date) -> list[dt.date]:
        """Every reference date up to ``day``, itself too."""
        years = range(self.first_reference_date.year, day.year + 1)
        dates = [dt.date.fromisoformat(f"{year}-{term}") for year in years for term in self.terms]
        return sorted(date for date in dates if self.first_reference_date <= date <= day)

    def is_yearly(self, day: dt.date) -> bool:
        return f"{day:%m-%d}" == self.yearly
