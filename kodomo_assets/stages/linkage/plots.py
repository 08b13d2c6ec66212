"""The picture of the model: how the match weights of one example pair add up to its probability (synthetic values)."""

from __future__ import annotations

import math

from matplotlib.figure import Figure

from kodomo_assets.office.plots import figure_png, japanese_font
from kodomo_assets.stages.linkage.comparisons import COMPARISONS, Parameters

#: The example: a name that nobody bears, and on which level each comparison of its two sides stands.
EXAMPLE_SIDES = ("アアア イイガ  2015-05-05  男  甲小学校", "アアア イイカ  2015-05-05  男  乙小学校")
EXAMPLE_LEVELS = {"name": "folded", "birth": "same", "sex": "same", "school": "other"}
_LABEL_WIDTH = 10
_FOR, _AGAINST, _SUM = "#4477aa", "#cc6677", "#777777"


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
    """PNG: from the prior over every comparison to the sum, and what probability that is."""
    steps = example_weights(parameters)
    font = japanese_font()
    total = sum(weight for _, _, weight in steps)
    starts = [sum(weight for _, _, weight in steps[:position]) for position in range(len(steps))]
    figure = Figure(figsize=(8, 4.2), layout="constrained")
    axis = figure.subplots()
    for position, ((_, _, weight), start) in enumerate(zip(steps, starts, strict=True)):
        axis.bar(position, weight, bottom=start, color=_FOR if weight > 0 else _AGAINST, width=0.6)
        axis.annotate(
            f"{weight:+.1f}",
            (position, max(start, start + weight)),
            xytext=(0, 3),
            textcoords="offset points",
            ha="center",
            fontsize=9,
        )
    axis.bar(len(steps), total, color=_SUM, width=0.6)
    axis.annotate(
        f"{total:+.1f} bits\n= {1 / (1 + 2**-total):.4f}",
        (len(steps), max(total, 0)),
        xytext=(0, 3),
        textcoords="offset points",
        ha="center",
        fontsize=9,
    )
    axis.axhline(0, color="#444444", linewidth=0.8)
    names = [f"{comparison}\n{_wrapped(level)}" for comparison, level, _ in steps] if font else _plain_labels()
    axis.set_xticks(range(len(steps) + 1), [*names, "合計" if font else "sum"], fontsize=8, fontfamily=font)
    axis.set_ylabel("match weight (bits)")
    edges = [0.0, *starts, *(start + weight for (_, _, weight), start in zip(steps, starts, strict=True))]
    room = 0.15 * (max(edges) - min(edges))
    axis.set_ylim(min(edges) - room / 2, max(edges) + room)
    sides = "  /  ".join(EXAMPLE_SIDES) if font else "an example pair"
    axis.set_title(sides, fontsize=9, fontfamily=font)
    return figure_png(figure)


def _wrapped(label: str) -> str:
    """Every ten characters a new line: Japanese has no blanks to break at."""
    return "\n".join(label[at : at + _LABEL_WIDTH] for at in range(0, len(label), _LABEL_WIDTH))


def _plain_labels() -> list[str]:
    """For a machine without a Japanese font."""
    return ["prior", *(f"{comparison.name}\n{EXAMPLE_LEVELS[comparison.name]}" for comparison in COMPARISONS)]
