"""One child's factors as the centre reads them on a terminal: place, points, what raises and lowers them, and whence.

Nothing of who the child is but its school year and school; of a child under 支援措置 no school either, and no file,
whose name may hold one.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from dataclasses import dataclass

import duckdb

from kodomo_assets.catalogue import Catalogue
from kodomo_assets.stages.explanation.factors import tables_ja
from kodomo_assets.vocabulary import (
    BASE_RATE,
    DO_NOT_PASS_ON,
    FACTOR_DIRECTIONS,
    FLAGS,
    NO_JUDGEMENT,
    PROTECTED,
    RULES,
    school_year_ja,
)

_BASE = "(base)"
_UNKNOWN = "作成 当時の版は残っていません（項目と表の名前は今の設定のものです）"
_MOST_CHANGED = 5
_HIDDEN = (
    "判定が済むまで、会議の資料はこの順位・得点・寄与を示しません。センター限りとし、判定する人に見せないでください"
)


@dataclass(frozen=True)
class Place:
    """Where a child stands on the list of a date; ``origin`` as in weights.versions, None where it is not known."""

    rank: int
    ranked: int
    points: float
    selected: bool
    standing: str | None
    version: str
    origin: str | None


@dataclass(frozen=True)
class Factor:
    """A row of explanation.factors, in points."""

    item: str
    level_ja: str
    points: float
    direction: str
    source_table: str | None
    delivered_on: dt.date | None
    file: str | None
    #: Of its time; None of what a version told that did not keep it.
    item_ja: str | None = None
    tables_ja: str | None = None
    sha256: str | None = None
    made_by: str | None = None


@dataclass(frozen=True)
class Explanation:
    """Why one child stands where it stands; ``place`` is None of a child that is not ranked."""

    reference_date: dt.date
    school_year: int
    school: str
    protected: bool
    hidden: bool
    place: Place | None
    factors: tuple[Factor, ...]
    #: Keys of the configuration that stand otherwise by now.
    changed: tuple[str, ...] = ()


def read_place(con: duckdb.DuckDBPyConnection, reference_date: dt.date, child_key: str) -> Place | None:
    """The child's place on the list of ``reference_date``, None where it has none."""
    row = con.execute(
        """
        select
            r.rank,
            (select count(*) from screening.ranking as c where c.reference_date = $day and c.cohort = r.cohort),
            round(r.score * 1000, 1),
            r.selected,
            s.standing,
            r.weights_version,
            v.origin
        from screening.ranking as r
        left join screening.stability as s using (reference_date, child_key)
        left join weights.versions as v on v.version = r.weights_version and v.band = r.band
        where r.reference_date = $day and r.child_key = $child
        """,
        {"day": reference_date, "child": child_key},
    ).fetchone()
    return Place(*row) if row else None


def read_maker(con: duckdb.DuckDBPyConnection, reference_date: dt.date) -> str | None:
    """Which program and configuration made the list of ``reference_date``; None where an earlier version did."""
    row = con.execute(
        "select any_value(made_by) from explanation.factors where reference_date = $1", [reference_date]
    ).fetchone()
    return row[0] if row else None


def read_factors(con: duckdb.DuckDBPyConnection, reference_date: dt.date, child_key: str) -> tuple[Factor, ...]:
    """The child's rows of explanation.factors, the strongest first."""
    rows = con.execute(
        """
        select
            item,
            level_ja,
            round(contribution * 1000, 1),
            direction,
            source_table,
            delivered_on,
            file,
            item_ja,
            tables_ja,
            sha256,
            made_by
        from explanation.factors
        where reference_date = $1 and child_key = $2
        order by abs(contribution) desc, item
        """,
        [reference_date, child_key],
    ).fetchall()
    return tuple(Factor(*row) for row in rows)


def told(catalogue: Catalogue, explanation: Explanation) -> str:
    """The explanation in Japanese, line by line."""
    return "\n".join([*_head(explanation), "", *_factors(catalogue, explanation), *_made(explanation)])


def _head(explanation: Explanation) -> Iterator[str]:
    school = PROTECTED if explanation.protected else explanation.school
    yield f"基準日 {explanation.reference_date}   {school_year_ja(explanation.school_year)}   {school}"
    place = explanation.place
    if place is None:
        yield "順位なし（抽出の対象となる学校の児童ではない）"
    else:
        selected = "抽出" if place.selected else "抽出されていない"
        standing = FLAGS.get(place.standing or "")
        yield (
            f"順位 {place.rank} / {place.ranked}   得点 {place.points:.1f}点   {selected}"
            + (f"（{standing}）" if standing else "")
        )
        yield f"重み {place.version}" + (f"（{RULES[place.origin]}）" if place.origin else "")
    yield f"{NO_JUDGEMENT}。得点は確率ではありません"
    yield DO_NOT_PASS_ON
    if explanation.hidden:
        yield _HIDDEN


def _factors(catalogue: Catalogue, explanation: Explanation) -> Iterator[str]:
    items = [factor for factor in explanation.factors if factor.item != _BASE]
    yield "得点の内訳（点、強い順）"
    for factor in explanation.factors:
        if factor.item == _BASE:
            yield f"{factor.points:+8.1f}  {BASE_RATE}（だれにも同じ）"
    for factor in items:
        if factor.direction != "none":
            yield _line(catalogue, factor, explanation)
    beside = [factor for factor in items if factor.direction == "none"]
    if beside:
        yield ""
        yield f"得点を{FACTOR_DIRECTIONS['none']}もの（該当、欠損）"
    for factor in beside:
        yield _line(catalogue, factor, explanation)


def _line(catalogue: Catalogue, factor: Factor, explanation: Explanation) -> str:
    points = f"{factor.points:+8.1f}  {FACTOR_DIRECTIONS[factor.direction]}"
    told_level = f"{factor.item_ja or catalogue.item_name(factor.item)}：{factor.level_ja}"
    delivered = f"{factor.delivered_on}の納品" if factor.delivered_on else "納品なし"
    table = factor.tables_ja or tables_ja(catalogue, factor.item, factor.source_table)
    shown = [*([table] if table else []), delivered]
    if explanation.protected:
        shown.append(f"ファイルは示さない（{PROTECTED}）")
    elif factor.file:
        shown.append(factor.file)
    return f"{points}  {told_level}   [{'  '.join(shown)}]"


def _made(explanation: Explanation) -> Iterator[str]:
    """What made the list: the files by their hash, program and configuration, and what is another setting by now."""
    files = sorted({(factor.file, factor.sha256) for factor in explanation.factors if factor.file and factor.sha256})
    if files and not explanation.protected:
        yield ""
        yield "もとのファイルのSHA-256（当時のもの）"
        for names, hashes in files:
            yield f"  {names}   {hashes}"
    made_by = next((factor.made_by for factor in explanation.factors if factor.made_by), None)
    yield ""
    yield f"作成 {made_by}" if made_by else _UNKNOWN
    if explanation.changed:
        more = len(explanation.changed) - _MOST_CHANGED
        told = [*explanation.changed[:_MOST_CHANGED], *([f"ほか{more}件"] if more > 0 else [])]
        yield f"この一覧のあとに変わった設定（上の重みと得点は当時のまま）：{'、'.join(told)}"
