"""What the evaluation shows as pictures: the funnel, one bar a step, and the backtest, one line a rule."""

from __future__ import annotations

from collections.abc import Sequence

import duckdb

from kodomo_assets.catalogue import SCHOOL_GROUP, Catalogue
from kodomo_assets.office.plots import BLUE, GREY, PALE, RED, Picture, Scale
from kodomo_assets.vocabulary import DECISION_STEPS, DECISIONS, FLAGS, RULES, UNDECIDED

_ROW, _BAR = 28.0, 20.0
_MOST_MOVED = 12
AGAINST = {"fit": "重みの資料と", "last_term": "前回と"}
_STEPS = {
    "screened": "対象",
    "selected": "抽出",
    **{step: f"{key} {DECISIONS[key]}" for key, step in DECISION_STEPS.items()},
    "undecided": UNDECIDED,
    "spoken_to": "声かけ",
    "offered": "案内",
    "taken_up": "利用開始",
    "supported": "支援継続",
}


# the rules of evaluation.backtest that are lists of one length, and everyone
_LISTS = {
    "list": "この一覧",
    "count": RULES["count"],
    "legacy": "データベースみまもり（同数）",
    "last_term": "前回の一覧",
    "cohort": "全員",
}


def backtest_plot(con: duckdb.DuckDBPyConnection) -> bytes:
    """SVG of the rates of ``new_backtest`` over all lists and bands with their intervals, one group a horizon."""
    rows = con.execute(
        "select horizon_months, rule, rate, low, high, first_consultations, followed from new_backtest "
        "where list_date is null and band is null and rate is not null and list_contains($1, rule) "
        "order by horizon_months, list_position($1, rule)",
        [list(_LISTS)],
    ).fetchall()
    picture = Picture(720, 80 + _ROW * len(rows))
    across = Scale(0, max([0.01, *(high for *_, high, _, _ in rows)]), 230, picture.width - 90)
    picture.text(10, 20, "一覧のあとに初めて相談記録ができた児童／追った児童（95%信頼区間）")
    for position, (months, rule, rate, low, high, events, followed) in enumerate(rows):
        y = 44 + _ROW * position
        colour = BLUE if rule == "list" else GREY
        picture.text(across.start - 8, y + 4, f"{months}か月  {_LISTS[rule]}", anchor="end")
        picture.line(across.at(low), y, across.at(high), y, colour)
        picture.dot(across.at(rate), y, colour)
        picture.text(across.at(high) + 6, y + 4, f"{events}/{followed}", size=10)
    picture.bottom_axis(across, 44 + _ROW * len(rows), "割合")
    return picture.svg()


def drift_plot(con: duckdb.DuckDBPyConnection, catalogue: Catalogue, bounds: Sequence[float]) -> bytes:
    """SVG of the largest indices of ``new_drift`` among the items and scores of the weights in force.

    Args:
        bounds: drawn as lines.
    """
    names = {item.id: item.ja for item in catalogue.matrix_items}
    rows = con.execute(
        "select name, band, against, psi from new_drift where in_model and least(children_now, children_then) >= $2 "
        "order by psi desc, name, band, against limit $1",
        [_MOST_MOVED, catalogue.publish.suppress_below],
    ).fetchall()
    picture = Picture(720, 80 + _ROW * len(rows))
    across = Scale(0, max([*bounds, *(psi for *_, psi in rows)]), 330, picture.width - 60)
    bottom = 40 + _ROW * len(rows)
    picture.text(10, 20, "分布の変化（PSI、大きい順）")
    for position, (name, band, against, psi) in enumerate(rows):
        top = 36 + _ROW * position
        picture.bar(across.start, top, across.at(psi), top + _BAR, RED if psi > max(bounds) else BLUE)
        picture.text(
            across.start - 8,
            top + 14,
            f"{names.get(name, '得点')}（{catalogue.bands[band].ja}、{AGAINST[against]}）",
            anchor="end",
        )
        picture.text(across.at(psi) + 6, top + 14, f"{psi:.2f}", size=10)
    for bound in bounds:
        picture.line(across.at(bound), 30, across.at(bound), bottom, dashed=True)
    picture.bottom_axis(across, bottom, "PSI")
    return picture.svg()


def fairness_plot(con: duckdb.DuckDBPyConnection, catalogue: Catalogue) -> bytes:
    """SVG of ``new_fairness`` but for the schools: how each group's rate differs from that of all others."""
    rows = con.execute(
        "select attribute, group_name, difference, difference_low, difference_high, selected, children "
        "from new_fairness "
        "where difference is not null and attribute <> $1 and group_name <> 'not_applicable' order by all",
        [SCHOOL_GROUP],
    ).fetchall()
    picture = Picture(720, 90 + _ROW * len(rows))
    picture.text(10, 20, "抽出率とほかの全員の抽出率との差（95%信頼区間）、抽出／児童数")
    values = [value for row in rows for value in row[2:5]]
    across = Scale(min([0.0, *values]), max([0.01, *values]), 230, picture.width - 110)
    picture.line(across.at(0), 32, across.at(0), 44 + _ROW * len(rows), GREY, dashed=True)
    for position, (attribute, group, difference, low, high, selected, children) in enumerate(rows):
        y = 44 + _ROW * position
        colour = GREY if low <= 0 <= high else BLUE
        named = f"{catalogue.fairness.groups[attribute].ja}：{catalogue.group_name(attribute, group)}"
        picture.text(across.start - 8, y + 4, named, anchor="end")
        picture.line(across.at(low), y, across.at(high), y, colour)
        picture.dot(across.at(difference), y, colour)
        picture.text(across.at(high) + 6, y + 4, f"{selected:,}/{children:,}", size=10)
    picture.bottom_axis(across, 44 + _ROW * len(rows), "差")
    return picture.svg()


def funnel_plot(con: duckdb.DuckDBPyConnection) -> bytes:
    """SVG of the counts over all schools in ``new_funnel``; the screened are left to a number, they dwarf the rest."""
    steps = [step for step in _STEPS if step != "screened"]
    newly = {step: "newly_found" if step == "selected" else f"newly_found_{step}" for step in steps}
    row = con.execute(
        f"select screened, {', '.join(steps)}, {', '.join(newly.values())} from new_funnel "
        "where school_code is null and school_year is null"
    ).fetchone() or (0,) * (1 + 2 * len(steps))
    screened, counts, found = row[0], row[1 : 1 + len(steps)], row[1 + len(steps) :]
    picture = Picture(720, 60 + _ROW * len(steps))
    across = Scale(0, max(1, *counts), 150, picture.width - 110)
    picture.text(10, 20, f"{_STEPS['screened']} {screened:,}人。段階ごとの児童数と（{FLAGS['newly_found']}）")
    for position, (step, count, new) in enumerate(zip(steps, counts, found, strict=True)):
        top = 40 + _ROW * position
        picture.bar(across.start, top, across.at(count), top + _BAR, PALE)
        picture.bar(across.start, top, across.at(new), top + _BAR, BLUE)
        picture.text(across.start - 8, top + 14, _STEPS[step], anchor="end")
        picture.text(across.at(count) + 6, top + 14, f"{count}  ({new})")
    return picture.svg()
