"""モデルカード.html: for parents in its first third, for a statistician in its last; works without a network."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache, partial
from importlib import resources
from typing import TYPE_CHECKING, Any

import pandas as pd

from kodomo_assets.adopted import POOLED
from kodomo_assets.catalogue import Catalogue
from kodomo_assets.disclosure import ROUND_TO
from kodomo_assets.intervals import Z
from kodomo_assets.office.pages import policy
from kodomo_assets.office.written import Export
from kodomo_assets.stages.weights.card import BandCard, Card, Figure, Level
from kodomo_assets.stages.weights.card_beside import QUARTERS, Late
from kodomo_assets.stages.weights.measures import REPLICATES
from kodomo_assets.stages.weights.plots import calibration_plot
from kodomo_assets.vocabulary import CROSS_VALIDATION, MODEL_CARD, NO_JUDGEMENT, RULES, WITHOUT_THIS_CITY

if TYPE_CHECKING:
    from jinja2 import Template

_UNTOLD = "－"
_LABELS = {
    "ever": "基準日までに児童相談記録があるか",
    "incident_12m": "基準日から12か月のうちに初めての児童相談記録があるか",
}
_MEASURES = {
    "precision_at_10": "上位10%の適合率",
    "recall_at_10": "再現率",
    "lift_at_10": "リフト",
    "auc": "AUC",
    "precision_difference": "差",
}
#: Why an item never entered the search (weights.selection_log, step 1), in words.
_REASONS = {
    "fairness": "公平のため使わない項目",
    "no_causal_path": "困りごとにつながる道筋が考えにくいため使わない項目",
    "format": "記録の形が重みに合わない項目",
    "no_legal_basis": "法令上の根拠がない、または切れた項目",
    "person": "人が決めて外した項目",
    "no_variation": "児童による違いがない項目",
    "rare": "当てはまる児童か相談記録が少なすぎる項目",
    "no_reference": "非該当の児童が少なすぎる項目",
    "school_year": "学年でほぼ決まる項目",
    "gvif": "ほかの項目とほぼ同じことを言う項目",
}
# of weights.model_cards; with how many places a figure leaves is declared there
_FACTS = {
    "children": "児童",
    "events": "相談記録のある児童",
    "households": "世帯",
    "events_per_column": "列あたりの相談記録のある児童",
    "r_squared": "決定係数 R²",
    "condition_number": "条件数",
    "max_gvif": "最大のGVIF^(1/(2 df))",
    "negative_fitted_share": "予測値が負の児童の割合",
}
_AGAINST = {"fit": "推定のとき", "last_term": "前回"}
_VERDICTS = {"moderate": "やや動いた", "shifted": "大きく動いた"}
_QUARTERS = ("ほとんど残らない", "およそ4分の1", "およそ半分", "およそ4分の3", "ほぼ同じ")


def model_card(catalogue: Catalogue, card: Card) -> bytes:
    """One UTF-8 HTML file without a program in it."""
    style = _packaged("card.css")
    facts = {column.name: column for column in catalogue.output("weights.model_cards").columns}
    return (
        _template()
        .render(
            card=card,
            title=MODEL_CARD,
            policy=policy(style=style),
            style=style,
            no_judgement=NO_JUDGEMENT,
            share_percent=catalogue.screening.share_percent,
            suppress_below=catalogue.publish.suppress_below,
            round_to=ROUND_TO,
            folds=catalogue.weights.cross_validation_folds,
            replicates=f"{REPLICATES:,}",
            label=_LABELS[card.label],
            rules=RULES,
            pooled_rule=POOLED,
            cross_validation=CROSS_VALIDATION,
            without_this_city=WITHOUT_THIS_CITY,
            measures=_MEASURES,
            reasons=_REASONS,
            fact_rows=[(name, ja, facts[name].places) for name, ja in _FACTS.items()],
            against=_AGAINST,
            verdicts=_VERDICTS,
            calibration=_calibration(card, catalogue),
        )
        .encode()
    )


@cache
def _template() -> Template:
    """Compiled once in a process, not for each reference date."""
    # imported late: only who writes the card needs it
    from jinja2 import Environment, StrictUndefined

    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    environment.filters |= _FILTERS
    return environment.from_string(_packaged("card.html"))


def _packaged(name: str) -> str:
    return resources.files(__package__).joinpath(name).read_text("utf-8")


def card_file(catalogue: Catalogue, card: Card) -> Export:
    """モデルカード.html."""
    settings = (catalogue.screening, catalogue.publish, catalogue.weights)
    return Export(MODEL_CARD, f"{MODEL_CARD}.html", partial(model_card, catalogue, card), 0, repr((card, settings)))


def _calibration(card: Card, catalogue: Catalogue) -> str:
    rows = [row for band in card.bands for row in band.calibration if None not in row.values()]
    return calibration_plot(pd.DataFrame(rows), catalogue).decode() if rows else ""


def _people(number: int | None, unit: str = "人") -> str:
    return _UNTOLD if number is None else f"{number:,}{unit}"


def _points(weight: float) -> str:
    # no -0.0
    return f"{round(weight * 1000, 1) + 0.0:+.1f}"


def _error(level: Level) -> str:
    if level.std_error is None:
        return _UNTOLD
    half = level.std_error * Z
    return f"{_points(level.weight - half)}〜{_points(level.weight + half)}"


def _percent(share: float | None) -> str:
    return _UNTOLD if share is None else f"{share:.0%}"


def _hundred(share: float) -> str:
    return f"{share * 100:.0f}"


def _range(figure: Figure) -> str:
    if figure.low is None or figure.high is None:
        return "幅は示せません"
    return f"95%の幅 {_hundred(figure.low)}〜{_hundred(figure.high)}人"


def _by_lot(band: BandCard) -> str:
    # told beside a precision, which a validation made: so these are there
    return _hundred(band.here["events"] / band.here["children"]) if band.here else _UNTOLD


def _compared(figure: Figure) -> str:
    """In words, by the whole interval."""
    if figure.value is None or figure.low is None or figure.high is None:
        return "比べられるだけの記録がありません"
    size = f"一覧100人あたり{_more(figure.value)}人、95%の幅 {_more(figure.low)}〜{_more(figure.high)}人"
    if figure.beyond > 0:
        return f"相談記録のある児童を、より多く見つけます（{size}）。"
    if figure.beyond < 0:
        return f"相談記録のある児童を見つける数が、確かに少なくなります（{size}）。"
    return f"どちらがよいとも言えません（区別できない。{size}）。"


def _more(share: float) -> str:
    # no -0
    return f"{round(share * 100) + 0:+d}"


def _judged(figure: Figure) -> str:
    if figure.value is None or figure.low is None or figure.high is None:
        return "示せないほど少数"
    return f"およそ{figure.value:.0%}（95%の幅 {_ends(figure)}）"


def _ends(figure: Figure) -> str:
    return f"{(figure.low or 0) * 100:.0f}〜{figure.high or 0:.0%}"


def _figure(value: float | None, places: int | None) -> str:
    """``places`` None: people."""
    if value is None:
        return _UNTOLD
    return f"{value:,}" if places is None else f"{value:.{places}f}"


def _left(late: Late) -> str:
    """What is left of a weight, in points and in words."""
    if late.quarters is None or late.weight_without is None:
        return _UNTOLD
    if late.quarters > QUARTERS:
        return "減らない"
    return f"{_QUARTERS[late.quarters]}（{late.weight_without * 1000:+.0f}）"


_FILTERS: Mapping[str, Callable[..., Any]] = {
    "people": _people,
    "points": _points,
    "error": _error,
    "percent": _percent,
    "hundred": _hundred,
    "range": _range,
    "by_lot": _by_lot,
    "compared": _compared,
    "judged": _judged,
    "ends": _ends,
    "figure": _figure,
    "left": _left,
}
