"""The picture of the model: how the match weights of one example pair add up to its probability (synthetic values)."""

from __future__ import annotations

import math

from kodomo_assets.office.plots import BLUE, GREY, Picture, Scale
from kodomo_assets.stages.linkage.comparisons import COMPARISONS, Parameters

#: The example: a name that nobody bears, and on which level each comparison of its two sides stands.
EXAMPLE_SIDES = ("アアア イイガ  2015-05-05  男  甲小学校", "アアア イイカ  2015-05-05  男  乙小学校")
EXAMPLE_LEVELS = {"name": "folded", "birth": "same", "sex": "same", "school": "other"}
_LABEL_WIDTH = 10
_FOR, _AGAINST, _SUM = BLUE, "#cc6677", GREY
_STEP, _BAR = 125.0, 75.0


def example_weights(parameters: Parameters) -> list[tuple[str, str, float]]:
    """(comparison, level, match weight in bits) of the example pair, the prior first."""
    prior = parameters.prior
    steps = [("事前確率", "任意の組", math.log2(prior / (1 - prior)))]
    for comparison in COMPARISONS:
        level = next(level for level in comparison.levels if level.name == EXAMPLE_LEVELS[comparison.name])
        key = (comparison.name, level.name)
        steps.append((comparison.ja, level.ja, math.log2(parameters.m[key] / parameters.u[key])))
    return steps


def waterfall_plot(parameters: Parameters) -> bytes:
    """SVG: from the prior over every comparison to the sum, and what probability that is."""
    steps = example_weights(parameters)
    total = sum(weight for _, _, weight in steps)
    starts = [sum(weight for _, _, weight in steps[:position]) for position in range(len(steps))]
    names = [f"{comparison}\n{_wrapped(level)}" for comparison, level, _ in steps]
    bars = [
        (name, start, start + weight, f"{weight:+.1f}", _FOR if weight > 0 else _AGAINST)
        for name, start, (_, _, weight) in zip(names, starts, steps, strict=True)
    ]
    bars.append(("合計", 0.0, total, f"{total:+.1f} ビット＝{1 / (1 + 2**-total):.4f}", _SUM))
    ends = [end for _, start, stop, *_ in bars for end in (start, stop)]
    picture = Picture(60 + _STEP * len(bars), 360)
    up = Scale(min(0.0, *ends), max(0.0, *ends), 285, 60)
    picture.text(10, 20, "  /  ".join(EXAMPLE_SIDES))
    for tick in up.ticks():
        picture.line(44, up.at(tick), 48, up.at(tick))
        picture.text(40, up.at(tick) + 4, f"{tick:g}", size=10, anchor="end")
    picture.text(10, 42, "一致の重み（ビット）", size=10)
    for position, (name, start, stop, told, colour) in enumerate(bars):
        middle = 50 + _STEP * (position + 0.5)
        picture.bar(middle - _BAR / 2, up.at(start), middle + _BAR / 2, up.at(stop), colour)
        picture.text(middle, min(up.at(start), up.at(stop)) - 5, told, size=11, anchor="middle")
        picture.text(middle, 310, name, size=10, anchor="middle")
    picture.line(48, up.at(0), picture.width - 10, up.at(0))
    return picture.svg()


def _wrapped(label: str) -> str:
    """Every ten characters a new line: Japanese has no blanks to break at."""
    return "\n".join(label[at : at + _LABEL_WIDTH] for at in range(0, len(label), _LABEL_WIDTH))
