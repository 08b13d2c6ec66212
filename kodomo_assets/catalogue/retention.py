"""How long what is stored is kept: the one owner of "past retention" (method §8), counted in school years."""

from __future__ import annotations

import datetime as dt

from pydantic import Field

from kodomo_assets.catalogue.base import Model
from kodomo_assets.japan.calendar import fiscal_year


class Retention(Model):
    """What is kept how long; of people in school years after that of the reference date, 0 the running one alone."""

    school_years: int | None = Field(
        ge=0,
        le=100,
        description=(
            "school years that rows and files of all tables are kept after the one of their reference date, instead of "
            "each table's own `legal.retention_years`; 0: the running school year alone"
        ),
    )
    outputs: int | None = Field(
        ge=0,
        le=100,
        description=(
            "school years that everything else of a reference date is kept: links, answers, levels, list, decisions, "
            "support, files for people. Empty: as long as the table that is kept longest"
        ),
    )
    run_days: int = Field(
        ge=30,
        le=36500,
        description=(
            "days that Dagster keeps a run and its log. Longer: the newest run of each reference date, and those that "
            "made what stands"
        ),
    )


def first_day_kept(school_years: int, today: dt.date) -> dt.date:
    """1 April of the oldest school year that is kept on ``today``: whatever is of a day before is past retention."""
    return dt.date(fiscal_year(today) - school_years, 4, 1)


def day_it_goes(school_years: int, reference_date: dt.date) -> dt.date:
    """The first day on which what is of ``reference_date`` is past retention."""
    return dt.date(fiscal_year(reference_date) + school_years + 1, 4, 1)
