"""The picture of a version: every coefficient with its 95 % interval, in points, one panel per band."""

from __future__ import annotations

import pandas as pd
from matplotlib.figure import Figure

from kodomo_assets.catalogue import NO_RECORD, Catalogue
from kodomo_assets.office.plots import figure_png, japanese_font
from kodomo_assets.vocabulary import LEVEL_WORDS

_Z = 1.959964
_ROW = 0.2


def coefficient_plot(coefficients: pd.DataFrame, catalogue: Catalogue) -> bytes:
    """PNG of the rows of weights.coefficients of one version."""
    shown = coefficients[coefficients["std_error"].notna() & (coefficients["item"] != "(intercept)")]
    bands = [band for band in catalogue.bands if (shown["band"] == band).any()]
    rows = max((int((shown["band"] == band).sum()) for band in bands), default=1)
    figure = Figure(figsize=(7 * max(1, len(bands)), 1.5 + _ROW * rows), layout="constrained")
    for axis, band in zip(figure.subplots(1, max(1, len(bands)), squeeze=False)[0], bands, strict=True):
        part = shown[shown["band"] == band].sort_values("weight")
        at = range(len(part))
        axis.errorbar(
            part["weight"] * 1000,
            at,
            xerr=part["std_error"] * _Z * 1000,
            fmt="o",
            color="#4477aa",
            ecolor="#bbccdd",
            ms=4,
        )
        axis.axvline(0, color="#666666", linewidth=0.8)
        labels = [_label(catalogue, item, level) for item, level in zip(part["item"], part["level"], strict=True)]
        axis.set_yticks(list(at), labels, fontsize=7, fontfamily=japanese_font())
        axis.set_title(f"{band}: weight in points (x 1000) with 95 % interval", fontsize=10)
        axis.margins(y=0.01)
    return figure_png(figure)


def _label(catalogue: Catalogue, item: str, level: str) -> str:
    """Japanese where the machine has a font for it, else the ids."""
    if japanese_font() is None:
        return f"{item} {level}"
    if item.startswith("table:"):
        return f"{catalogue.tables[item.removeprefix('table:')].ja}の{LEVEL_WORDS[NO_RECORD]}"
    entry = catalogue.items[item]
    return f"{entry.ja} {entry.level_labels.get(level) or LEVEL_WORDS[level]}"
