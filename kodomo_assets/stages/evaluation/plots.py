"""The funnel as a picture: one bar a step, the newly found ones in another colour."""

from __future__ import annotations

import duckdb

from kodomo_assets.office.plots import BLUE, PALE, Picture, Scale
from kodomo_assets.vocabulary import DECISION_STEPS, DECISIONS, UNDECIDED

_ROW, _BAR = 28.0, 20.0
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
    picture.text(10, 20, f"{screened:,} screened; children per step, (newly found)")
    for position, (step, count, new) in enumerate(zip(steps, counts, found, strict=True)):
        top = 40 + _ROW * position
        picture.bar(across.start, top, across.at(count), top + _BAR, PALE)
        picture.bar(across.start, top, across.at(new), top + _BAR, BLUE)
        picture.text(across.start - 8, top + 14, _STEPS[step], anchor="end")
        picture.text(across.at(count) + 6, top + 14, f"{count}  ({new})")
    return picture.svg()
