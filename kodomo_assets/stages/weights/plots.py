"""The pictures of a version: every coefficient with its interval; what fitted values promise and what is found."""

from __future__ import annotations

import pandas as pd

from kodomo_assets.catalogue import Band, Catalogue
from kodomo_assets.intervals import Z
from kodomo_assets.office.plots import BLUE, GREY, PALE, Picture, Scale

_SIDE, _EDGE = 300.0, 50.0
# two panels fit into the dialogue in which the UI shows a picture, on a small screen too
_ROW, _LABELS, _PANEL, _TOP = 16.0, 230.0, 500.0, 40.0


def coefficient_plot(coefficients: pd.DataFrame, catalogue: Catalogue) -> bytes:
    """SVG of the rows of weights.coefficients of one version."""
    shown = coefficients[coefficients["std_error"].notna() & ~coefficients["item"].str.startswith("(")]
    bands = [band for band in catalogue.bands if (shown["band"] == band).any()]
    rows = max((int((shown["band"] == band).sum()) for band in bands), default=1)
    picture = Picture(_PANEL * max(1, len(bands)), _TOP + _ROW * rows + 45)
    for number, band in enumerate(bands):
        part = shown[shown["band"] == band].sort_values("weight")
        _panel(picture, number * _PANEL, band, part, catalogue)
    return picture.svg()


def _panel(picture: Picture, left: float, band: Band, part: pd.DataFrame, catalogue: Catalogue) -> None:
    """The coefficients of one band, the largest on top."""
    points, reach = part["weight"] * 1000, part["std_error"] * Z * 1000
    low, high = min(0.0, (points - reach).min()), max(0.0, (points + reach).max())
    across = Scale(float(low), float(high), left + _LABELS, left + _PANEL - 20)
    bottom = _TOP + _ROW * len(part)
    picture.text(left + 10, 20, f"{catalogue.bands[band].ja}：重み（点、95%信頼区間）")
    lines = zip(part["item"], part["level"], points, reach, strict=True)
    for position, (item, level, point, half) in enumerate(lines):
        y = bottom - _ROW * (position + 0.5)
        picture.text(across.start - 8, y + 3, _label(catalogue, item, level), size=9, anchor="end")
        picture.line(across.at(point - half), y, across.at(point + half), y, PALE)
        picture.dot(across.at(point), y, BLUE)
    picture.line(across.at(0), _TOP, across.at(0), bottom, GREY)
    picture.bottom_axis(across, bottom + 4, "点")


def _label(catalogue: Catalogue, item: str, level: str) -> str:
    return f"{catalogue.item_name(item)} {catalogue.level_name(item, level)}"


def calibration_plot(rows: pd.DataFrame, catalogue: Catalogue) -> bytes:
    """SVG of the rows of weights.calibration of one version: a dot per tenth, on the line where both are equal."""
    bands = list(dict.fromkeys(rows["band"]))
    picture = Picture((_SIDE + 2 * _EDGE) * max(1, len(bands)), _SIDE + 2 * _EDGE)
    for number, band in enumerate(bands):
        part = rows[rows["band"] == band]
        promised, found = part["fitted"] * 1000, part["events"] / part["children"] * 1000
        low, high = min(0.0, float(promised.min())), max(float(promised.max()), float(found.max())) * 1.05
        left = number * (_SIDE + 2 * _EDGE) + _EDGE
        across, up = Scale(low, high, left, left + _SIDE), Scale(low, high, _EDGE + _SIDE, _EDGE)
        picture.text(left, 20, f"{catalogue.bands[band].ja}：相談記録のある児童（千人あたり）")
        picture.line(across.at(low), up.at(low), across.at(high), up.at(high), PALE, dashed=True)
        for tick in up.ticks():
            picture.line(left - 4, up.at(tick), left, up.at(tick))
            picture.text(left - 8, up.at(tick) + 3, f"{tick:g}", size=10, anchor="end")
        picture.line(left, up.start, left, up.end)
        for x, y in zip(promised, found, strict=True):
            picture.dot(across.at(x), up.at(y), BLUE)
        picture.bottom_axis(across, _EDGE + _SIDE + 4, "予測値（点、十分位の平均）")
    return picture.svg()
