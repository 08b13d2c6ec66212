"""The picture of a list: how scores are distributed in each school year, and where the cut lies. Shows no person."""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Sequence

import duckdb

from kodomo_assets.office.plots import BLUE, GREY, RED, Picture, Scale
from kodomo_assets.sql import run_sql
from kodomo_assets.vocabulary import CUT_POINTS, SCHOOL_YEARS

_BINS = 40
_COLUMNS = 3
_WIDTH, _HEIGHT, _TOP = 310.0, 215.0, 30.0


def score_distribution_plot(con: duckdb.DuckDBPyConnection, reference_date: dt.date) -> bytes:
    """SVG: a histogram of scores in points per school year of screening.ranking, with the cut and the counts."""
    run_sql(con, __package__, "plots", {"reference_date": reference_date, "bins": _BINS})
    cohorts = con.execute("from score_distribution order by cohort").fetchall()
    rows = max(1, -(-len(cohorts) // _COLUMNS))
    picture = Picture(_COLUMNS * _WIDTH, _TOP + rows * _HEIGHT)
    picture.text(10, 20, f"学年ごとの得点の分布　基準日 {reference_date}（縦は人数、10倍ごとの目盛り）", size=14)
    tallest = max((max(counts) for *_, counts in cohorts), default=1)
    for number, (cohort, children, selected, cut, low, high, counts) in enumerate(cohorts):
        left, top = number % _COLUMNS * _WIDTH, _TOP + number // _COLUMNS * _HEIGHT
        across = Scale(low, high, left + 45, left + _WIDTH - 15)
        # few children stand above the cut: on a linear scale nobody would see them
        up = Scale(0, math.log10(1 + tallest), top + _HEIGHT - 45, top + 25)
        picture.text(across.start, top + 14, f"{SCHOOL_YEARS[cohort]}：{children:,}人のうち{selected:,}人を抽出")
        _bars(picture, across, up, counts)
        picture.bottom_axis(across, up.start, "点数（得点×1000）")
        if cut is not None:
            picture.line(across.at(cut), up.start, across.at(cut), up.end, RED, dashed=True)
            right = across.at(cut) > (across.start + across.end) / 2
            place = across.at(cut) + (-4 if right else 4)
            picture.text(
                place, up.end + 10, f"{CUT_POINTS} {cut:.1f}", size=11, anchor="end" if right else "start", colour=RED
            )
    return picture.svg()


def _bars(picture: Picture, across: Scale, up: Scale, counts: Sequence[int]) -> None:
    """One bar a bin, with a tick at every power of ten on the left."""
    width = (across.end - across.start) / _BINS
    for place, count in enumerate(counts):
        if count:
            left = across.start + place * width
            picture.bar(left, up.at(math.log10(1 + count)), left + width - 0.5, up.start, BLUE)
    for count in (0, *(10**power for power in range(math.ceil(up.high)))):
        y = up.at(math.log10(1 + count))
        picture.line(across.start - 4, y, across.start, y, GREY)
        picture.text(across.start - 7, y + 4, f"{count:,}", size=10, anchor="end")
