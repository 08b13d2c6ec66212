"""The funnel as a picture: one bar a step, the newly found ones in another colour."""

from __future__ import annotations

import duckdb
from matplotlib.figure import Figure

from kodomo_assets.office.plots import figure_png, japanese_font
from kodomo_assets.vocabulary import DECISION_STEPS, DECISIONS, UNDECIDED

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
    """PNG of the counts over all schools in ``new_funnel``; the screened are left to a number, they dwarf the rest."""
    steps = [step for step in _STEPS if step != "screened"]
    newly = {step: "newly_found" if step == "selected" else f"newly_found_{step}" for step in steps}
    row = con.execute(
        f"select screened, {', '.join(steps)}, {', '.join(newly.values())} from new_funnel "
        "where school_code is null and school_year is null"
    ).fetchone() or (0,) * (1 + 2 * len(steps))
    screened, counts, found = row[0], row[1 : 1 + len(steps)], row[1 + len(steps) :]
    font = japanese_font()
    figure = Figure(figsize=(8, 4), layout="constrained")
    axis = figure.subplots()
    at = range(len(steps))
    axis.barh(at, counts, color="#bbccdd", label="all")
    axis.barh(at, found, color="#4477aa", label="newly found")
    for position, (count, new) in enumerate(zip(counts, found, strict=True)):
        axis.annotate(f" {count}  ({new})", (count, position), va="center", fontsize=9)
    axis.set_yticks(list(at), [_STEPS[step] if font else step for step in steps], fontfamily=font)
    axis.invert_yaxis()
    axis.margins(x=0.12)
    axis.set_title(f"{screened:,} screened; children per step, (newly found)", fontsize=10)
    axis.legend(loc="lower right", fontsize=9)
    return figure_png(figure)
