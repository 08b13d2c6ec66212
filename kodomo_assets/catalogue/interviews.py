"""The 面談 of the schools, and the days by which what comes before them has to be done, counted back from them."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from itertools import pairwise
from typing import Annotated, Literal, Self, get_args

from pydantic import AfterValidator, Field, model_validator

from kodomo_assets.catalogue.base import Model
from kodomo_assets.catalogue.method import SchoolCode
from kodomo_assets.errors import Said

#: What has to be done before the 面談, in this order.
Preparation = Literal["deliveries", "refresh", "sheets_out", "sheets_back", "meeting", "school_list"]
PREPARATIONS: tuple[Preparation, ...] = get_args(Preparation)
_NO_LEAP_YEAR = 2001


def _month_and_day(text: str) -> str:
    try:
        if len(text) == len("MM-DD"):
            _day(_NO_LEAP_YEAR, text)
            return text
    except ValueError:
        pass
    raise ValueError(Said("found {found!r}, expected MM-DD, a day of every year", found=text))


def _day(year: int, text: str) -> dt.date:
    return dt.date.fromisoformat(f"{year}-{text}")


MonthDay = Annotated[str, AfterValidator(_month_and_day), Field(title="MM-DD")]


class Window(Model):
    """From when to when a school speaks with its pupils, every year."""

    first: MonthDay = Field(alias="from", description="month and day on which the 面談 begin")
    last: MonthDay = Field(alias="until", description="their last day; of the next year where it lies before `from`")

    def after(self, day: dt.date) -> tuple[dt.date, dt.date]:
        """First and last day of the next one that begins after ``day``."""
        first = next(d for year in (day.year, day.year + 1) if (d := _day(year, self.first)) > day)
        last = _day(first.year, self.last)
        return first, last if last >= first else _day(first.year + 1, self.last)


class Interviews(Model):
    windows: Mapping[SchoolCode, tuple[Window, ...]] = Field(
        description=(
            "学校コード: when the school holds its 面談; the first that begins after the reference date and "
            "not after the next one counts. "
            "Of a school without one they begin `meeting.interview_window_days` after the reference date"
        )
    )
    days_before: Mapping[Preparation, int] = Field(
        description=(
            "days before the first day of the 面談 by which each has to be done: the deliveries, the refresh, 個人票 "
            "out and back, the meeting, 支援対象者 at the schools"
        )
    )

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if lacking := [step for step in PREPARATIONS if step not in self.days_before]:
            raise ValueError(
                Said(
                    "days_before: lacks {lacking}, expected every one of {steps}",
                    lacking=", ".join(lacking),
                    steps=", ".join(PREPARATIONS),
                )
            )
        for step, later in pairwise(PREPARATIONS):
            if self.days_before[step] < self.days_before[later]:
                raise ValueError(
                    Said(
                        "days_before: {step} {days} lies after {later} {fewer}, expected as many days or more",
                        step=step,
                        days=self.days_before[step],
                        later=later,
                        fewer=self.days_before[later],
                    )
                )
        if self.days_before[PREPARATIONS[-1]] < 0:
            raise ValueError(Said("days_before.{step}: expected 0 or more days before the 面談", step=PREPARATIONS[-1]))
        return self

    def window(self, school: str, reference_date: dt.date, following: dt.date) -> tuple[dt.date, dt.date] | None:
        """First and last day of the school's 面談 between two reference dates; None where none is configured."""
        windows = (window.after(reference_date) for window in self.windows.get(school, ()))
        return min((one for one in windows if one[0] <= following), default=None)
