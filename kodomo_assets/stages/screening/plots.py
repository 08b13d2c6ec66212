"""The picture of a list: how scores are distributed in each school year, and where the cut lies. Shows no person."""

from __future__ import annotations

import datetime as dt

import duckdb
from matplotlib.figure import Figure

from kodomo_assets.office.plots import figure_png

_BINS = 40
_COLUMNS = 3
_BAR, _CUT = "#4477aa", "#cc3311"


def score_distribution_plot(con: duckdb.DuckDBPyConnection, reference_date: dt.date) -> bytes:
    """PNG: a histogram of scores in points per school year of screening.ranking, with the cut and the counts."""
    cohorts = con.execute(
        """
        select
            cohort,
            list(score * 1000) as points,
            count(*) filter (selected) as selected,
            min(score * 1000) filter (selected) as cut
        from screening.ranking where reference_date = $1 group by cohort order by cohort
        """,
        [reference_date],
    ).fetchall()
    rows = max(1, -(-len(cohorts) // _COLUMNS))
    figure = Figure(figsize=(12, 2.8 * rows + 0.5), layout="constrained")
    axes = list(figure.subplots(rows, _COLUMNS, squeeze=False, sharex=True).flat)
    for axis, (cohort, points, selected, cut) in zip(axes, cohorts, strict=False):
        axis.hist(points, bins=_BINS, color=_BAR)
        # Few children stand above the cut; on a linear scale nobody would see them.
        axis.set_yscale("symlog", linthresh=1)
        axis.set_title(f"school year {cohort}: {selected:,} of {len(points):,} selected", fontsize=10)
        axis.set_xlabel("points (score x 1000)")
        axis.set_ylabel("children")
        axis.tick_params(labelbottom=True)
        if cut is not None:
            axis.axvline(cut, color=_CUT, linestyle="--")
            axis.annotate(
                f" cut {cut:.1f}", (cut, 0.95), xycoords=("data", "axes fraction"), color=_CUT, verticalalignment="top"
            )
    for unused in axes[len(cohorts) :]:
        unused.set_visible(False)
    figure.suptitle(f"Scores per school year, reference date {reference_date}")
    return figure_png(figure)
