"""What a proposal for the weights would change, for people to read: figures of both versions side by side.

Who enters or leaves the list is counted, never named.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from math import log, pi

import duckdb

from kodomo_assets.catalogue import Band, Catalogue
from kodomo_assets.vocabulary import RULES

_FACTS = {
    "serves": "用いる重み serves（own＝この市、pooled＝複数の市、count＝該当する段階の数）",
    "children": "推定に用いた児童 children",
    "events": "相談記録のある児童 events",
    "items": "項目 items",
    "columns": "列 columns",
    "events_per_column": "列あたりの相談記録 events per column",
    "r_squared": "決定係数 R²",
    "aic": "項目ごとの重みのAIC of the own fit（低いほどよい lower is better）",
}
_FIGURES = {"precision_at_10": "上位10%の適合率 precision", "recall_at_10": "上位10%の再現率 recall", "auc": "AUC"}
_LISTS = ["対象 screened", "現行 in force", "提案 proposed", "両方 both", "入る enter", "出る leave"]


@dataclass(frozen=True)
class InForce:
    """The version in force at a yearly date, and what it stands for under the settings of today.

    Attributes:
        is_of_today: whether data and settings of today, without the proposal, would make this version.
        moved: children whom its list of today selects and the stored list does not, or the other way round.
    """

    reference_date: dt.date
    version: str
    is_of_today: bool
    moved: int


@dataclass(frozen=True)
class Compared:
    """The version in force and the one that the proposal makes, of the data of one yearly date.

    Attributes:
        is_new: whether the proposal makes a version that there was not before.
    """

    in_force: InForce
    proposed: str
    is_new: bool


def told(con: duckdb.DuckDBPyConnection, catalogue: Catalogue, compared: Compared, name: str) -> list[str]:
    """Line by line; reads the tables of the weights and the temp tables ``in_force_ranking`` and ``new_ranking``.

    Args:
        catalogue: the settings with the proposal.
        name: of the proposal's file.
    """
    in_force = compared.in_force
    proposed = "残さない版 not kept" if compared.is_new else compared.proposed
    lines = [
        f"{name}: 基準日 {in_force.reference_date} の資料で試した。何も変えていない nothing was changed",
        f"  現行 in force: {in_force.version}   提案 proposed: {proposed}",
        *_since_then(in_force),
    ]
    if compared.proposed == in_force.version:
        return [*lines, "  提案は現行と同じ重みになる the proposal makes the version in force"]
    for band in catalogue.bands:
        lines += _band(con, catalogue, compared, band)
    return [*lines, *_lists(con)]


def _since_then(in_force: InForce) -> Iterator[str]:
    """What lies between the version in force and today without any proposal."""
    if not in_force.is_of_today:
        yield (
            f"  注意 city.yaml（weights、items等）か資料が {in_force.version} の後に変わった。その分も差に入る "
            f"settings or data changed since {in_force.version}: that is part of the difference; refresh first to see "
            "the proposal alone"
        )
    if in_force.moved:
        yield (
            f"  注意 保存された一覧とは {in_force.moved:,}人が違う。現行も提案も、いまの city.yaml で並べた "
            f"{in_force.moved:,} children stand otherwise in the stored list: both lists are made with city.yaml as it "
            "is now"
        )


def _band(con: duckdb.DuckDBPyConnection, catalogue: Catalogue, compared: Compared, band: Band) -> Iterator[str]:
    cards = [_card(con, version, band) for version in (compared.in_force.version, compared.proposed)]
    yield f"\n{band} {catalogue.bands[band].ja}\n{'現行 in force':>13}{'提案 proposed':>15}"
    for fact, ja in _FACTS.items():
        yield f"{_shown(cards[0][fact]):>15}{_shown(cards[1][fact]):>17}   {ja}"
    if any(cards[0][fact] != cards[1][fact] for fact in ("children", "events")):
        yield "  注意 児童数か相談記録が違うので、AICは比べられない the AIC are of other children or events"
    yield from _figures(con, compared, band)
    yield from _decisions(con, catalogue, compared, band)
    yield "  重み（点）weights in points"
    for item, level, before, after in _weights(con, compared, band):
        yield f"{_shown(before):>15}{_shown(after):>17}   {item} ({level})  {_named(catalogue, item, level)}"


def _card(con: duckdb.DuckDBPyConnection, version: str, band: Band) -> Mapping[str, object]:
    """The facts of ``_FACTS``: of what serves, but for the AIC, which the own fit has whether it serves or not."""
    row = con.execute(
        "select v.origin, c.children, c.events, c.items, c.columns, c.events_per_column, c.r_squared "
        "from weights.model_cards as c join weights.versions as v using (version, band) "
        "where version = $1 and band = $2",
        [version, band],
    ).fetchone()
    if row is None:
        return dict.fromkeys(_FACTS)
    fit = con.execute(
        """
        select
            c.children,
            c.events,
            c.columns + (
                select count(*)
                from weights.coefficients as w
                where w.version = c.version and w.band = c.band and w.item = '(school_year)'
            ),
            c.r_squared
        from weights.model_cards as c
        where c.version = $1 and c.band = $2
        """,
        [own_fit(con, version, band), band],
    ).fetchone()
    return dict(zip(_FACTS, (*row, None if fit is None else aic(*fit)), strict=True))


def own_fit(con: duckdb.DuckDBPyConnection, version: str, band: Band) -> str | None:
    """The version that holds the band's own fit: ``version`` where that serves, else the one kept beside it."""
    row = con.execute(
        "select version from weights.versions where band = $2 and origin = 'own' "
        "and fingerprint = (select any_value(fingerprint) from weights.versions where version = $1) "
        "order by version = $1 desc, version limit 1",
        [version, band],
    ).fetchone()
    return row[0] if row else None


def aic(children: int, events: int, columns: int, r_squared: float) -> float:
    """n ln(2 pi RSS / n) + n + 2 k (method §5) of a fit whose residual sum its R² tells.

    Args:
        columns: the intercepts included.
    """
    residual_sum = (1 - r_squared) * events * (1 - events / children)
    return children * log(2 * pi * residual_sum / children) + children + 2 * columns


def _figures(con: duckdb.DuckDBPyConnection, compared: Compared, band: Band) -> Iterator[str]:
    """What serves on children whom the fit did not see, where both were validated."""
    rows = con.execute(
        """
        select f.measure, f.value, f.low, f.high, version = $proposed as proposed
        from weights.validation as f
        join weights.versions as v using (version, band)
        where version in ($in_force, $proposed) and band = $band and f.rule = v.origin
        """,
        {"in_force": compared.in_force.version, "proposed": compared.proposed, "band": band},
    ).fetchall()
    found = {(measure, proposed): _interval(*figure) for measure, *figure, proposed in rows}
    if not any(proposed for _, proposed in found):
        return
    yield "  交差検証 out of fold: 値（95%信頼区間）: 現行 in force, 提案 proposed"
    for measure, ja in _FIGURES.items():
        both = [found.get((measure, proposed), "-") for proposed in (False, True)]
        yield f"{both[0]:>25}{both[1]:>25}   {ja}"


def _interval(value: float, low: float | None, high: float | None) -> str:
    return f"{value:.3f}" if low is None or high is None else f"{value:.3f} ({low:.3f}-{high:.3f})"


def _decisions(con: duckdb.DuckDBPyConnection, catalogue: Catalogue, compared: Compared, band: Band) -> Iterator[str]:
    """What people decided of single items, with the AIC that each costs; not what a list of fixed items leaves out."""
    rows = con.execute(
        "select action, item, level, statistic from weights.selection_log "
        "where version = $1 and band = $2 and reason = 'person' and list_contains($3, item) order by sequence",
        [
            own_fit(con, compared.proposed, band),
            band,
            [of.item for of in catalogue.weights.decisions if of.band in (None, band)],
        ],
    ).fetchall()
    if rows:
        yield "  人が決めたこと decided by people: それによるAICの差（正＝当てはまりが悪くなる）change of the AIC"
        ((origin,),) = con.execute(
            "select origin from weights.versions where version = $1 and band = $2", [compared.proposed, band]
        ).fetchall()
        if origin != "own":
            yield f"  注意 いまは{RULES[origin]}で並べるので、一覧は変わらない the {origin} serves: they change no list"
    for action, item, level, cost in rows:
        of_level = f" ({level})" if level else ""
        yield f"{_shown(cost):>15}{action:>17}   {item}{of_level}  {catalogue.items[item].ja}"
    yield from _kept_in_vain(con, catalogue, compared, band)


def _kept_in_vain(
    con: duckdb.DuckDBPyConnection, catalogue: Catalogue, compared: Compared, band: Band
) -> Iterator[str]:
    """What people keep and no fit can weigh: it is rare, repeats others, or all its levels stand on 非該当."""
    kept = [of.item for of in catalogue.weights.decisions if of.action == "keep" and of.band in (None, band)]
    rows = con.execute(
        "select item, reason from weights.selection_log "
        "where version = $1 and band = $2 and action = 'drop' and list_contains($3, item) order by sequence",
        [own_fit(con, compared.proposed, band), band, kept],
    ).fetchall()
    for item, reason in rows:
        yield (
            f"  注意 残すと決めた {item} {catalogue.items[item].ja} に重みはつかない（{reason}） "
            f"kept by people, and without a weight all the same ({reason})"
        )


def _weights(
    con: duckdb.DuckDBPyConnection, compared: Compared, band: Band
) -> list[tuple[str, str, float | None, float | None]]:
    """Item, level and points in both versions of every level that one of them weighs; the heaviest items first."""
    return con.execute(
        """
        with points as (
            select
                item,
                level,
                any_value(weight * 1000) filter (version = $in_force) as before,
                any_value(weight * 1000) filter (version = $proposed) as after,
                bool_or(std_error is not null or weight <> 0) as is_weighed
            from weights.coefficients
            where band = $band and version in ($in_force, $proposed) and not starts_with(item, '(')
            group by item, level
        )
        select item, level, before, after
        from points
        where is_weighed
        order by max(abs(coalesce(after, before))) over (partition by item) desc, item, coalesce(after, before), level
        """,
        {"in_force": compared.in_force.version, "proposed": compared.proposed, "band": band},
    ).fetchall()


def _named(catalogue: Catalogue, item: str, level: str) -> str:
    return f"{catalogue.item_name(item)} {catalogue.level_name(item, level)}"


def _lists(con: duckdb.DuckDBPyConnection) -> Iterator[str]:
    """Per school year, band and in all: how many stand on both lists, enter and leave, and who of them are known."""
    rows = con.execute(
        """
        select
            a.band,
            a.cohort,
            count(*),
            count(*) filter (b.selected),
            count(*) filter (a.selected),
            count(*) filter (a.selected and b.selected),
            count(*) filter (a.selected and not b.selected) as entering,
            count(*) filter (b.selected and not a.selected) as leaving,
            count(*) filter (a.selected and not b.selected and a.known_before),
            count(*) filter (b.selected and not a.selected and a.known_before)
        from new_ranking as a
        join in_force_ranking as b using (child_key)
        group by rollup (a.band, a.cohort)
        order by a.band nulls last, a.cohort nulls last
        """
    ).fetchall()
    yield "\n一覧 list: 児童の数 numbers of children, うち相談記録あり of them with a record"
    yield "   " + "   ".join(_LISTS) + "   学年 school year"
    for band, cohort, *counts, known_entering, known_leaving in rows:
        who = f"{cohort}" if cohort is not None else (f"{band} 計 all" if band is not None else "全体 all")
        numbers = [f"{number:,}" for number in counts]
        numbers[-2] += f" ({known_entering:,})"
        numbers[-1] += f" ({known_leaving:,})"
        widths = (11, 14, 15, 10, 13, 13)
        yield "".join(f"{number:>{width}}" for number, width in zip(numbers, widths, strict=True)) + f"   {who}"


def _shown(value: object) -> str:
    if value is None:
        return "-"
    if isinstance(value, float):
        return f"{value:,.1f}" if abs(value) >= 1 else f"{value:.3g}"
    return f"{value:,}" if isinstance(value, int) else str(value)
