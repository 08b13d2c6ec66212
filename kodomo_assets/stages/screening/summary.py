"""The funnel of a reference date in numbers, for the end of a refresh and for Dagster's metadata: counts, no person."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

import duckdb

from kodomo_assets.adopted import POOLED, Adoption, adoptions
from kodomo_assets.catalogue import Band, Catalogue
from kodomo_assets.errors import DeliveryError
from kodomo_assets.sql import has_table
from kodomo_assets.stages.screening.given_list import is_unlike_given
from kodomo_assets.stages.screening.plots import score_distribution_plot
from kodomo_assets.stages.sources.forgotten import forgotten
from kodomo_assets.told import Grid, Told
from kodomo_assets.vocabulary import CROSS_VALIDATION, CUT_POINTS, FLAGS, LINK_REVIEW, RULES, STOP, WITHOUT_THIS_CITY

_NO_VERSION = "none"


@dataclass(frozen=True)
class CohortCounts:
    """One school year: children ranked, children selected, and the score of the last selected one in points."""

    school_year: int
    screened: int
    selected: int
    cut_points: float | None


@dataclass(frozen=True)
class KeptItem:
    """One kept item of a band: its heaviest own level, that level's weight in points, the item's joint p value."""

    band: str
    item: str
    ja: str
    level: str
    points: float
    p_value: float


@dataclass(frozen=True)
class LinkedTable:
    """A table that links by name: persons or records, those that reached a child, those that a person must answer."""

    ja: str
    persons: int
    linked: int
    in_review: int


@dataclass(frozen=True)
class Compared:
    """How what serves in a band stands against another rule: precision of the top tenth, difference with interval."""

    band: str
    serves: str
    rule: str
    difference: float
    low: float
    high: float

    @property
    def verdict(self) -> str:
        if self.low <= 0 <= self.high:
            return "区別できない"
        return "用いる重みがよい" if self.low > 0 else "用いる重みが劣る"


@dataclass(frozen=True)
class ScreeningSummary:
    """What came out at a reference date.

    ``legacy_unknown`` = children with more than the share ``legacy_missing`` of the legacy rule's items missing;
    ``weak_bands`` = bands whose weights order the children hardly better than a draw by lot (weights.model_cards,
    ``is_weak``); ``counted_bands`` = those in which the number of own levels serves; ``pooled`` =
    those in which adopted weights of many cities do; ``compared`` = against
    which rules it was held (weights.validation; empty where the version was not validated); ``of_missing_schools`` =
    children whose school delivered nothing for the date, ranked among themselves; ``stopped`` = children whom 利用停止
    leaves out, in whatever school; ``shorter_by`` = places fewer on the list because of those of ranked schools;
    ``asked`` = what 名寄せ確認.xlsx asks, numbers of earlier rosters among it; ``unlike_given`` = the list that was
    decided on or handed out was another one (check ``list_as_given``).
    """

    reference_date: dt.date
    version: str
    cohorts: tuple[CohortCounts, ...]
    newly_found: int
    legacy_flagged: int
    legacy_unknown: int
    legacy_missing: float
    linked: tuple[LinkedTable, ...]
    items: tuple[KeptItem, ...]
    weak_bands: tuple[str, ...] = ()
    counted_bands: tuple[str, ...] = ()
    pooled: Mapping[Band, Adoption] = field(default_factory=dict)
    compared: tuple[Compared, ...] = ()
    of_missing_schools: int = 0
    stopped: int = 0
    shorter_by: int = 0
    asked: int = 0
    unlike_given: bool = False

    @property
    def screened(self) -> int:
        return sum(cohort.screened for cohort in self.cohorts)

    @property
    def selected(self) -> int:
        return sum(cohort.selected for cohort in self.cohorts)

    def text(self) -> str:
        """The summary as people read it on a screen."""
        return "\n".join(
            [*self._funnel(), *self._notes(), *self._compared(), *self._links(), *self._school_years(), *self._items()]
        )

    def _funnel(self) -> Iterator[str]:
        yield f"基準日 {self.reference_date}   重み weights {self.version}"
        yield f"  対象 screened               {self.screened:>7,}"
        yield f"  抽出 selected               {self.selected:>7,}"
        found = f"  {FLAGS['newly_found']} newly found      {self.newly_found:>7,}"
        yield f"{found}   selected, not flagged by データベースみまもり"
        yield f"  旧方式の該当 legacy flagged {self.legacy_flagged:>7,}   by データベースみまもり"
        missing = f"more than {self.legacy_missing:.0%} of its items are missing"
        yield f"  旧方式は不明 legacy unknown {self.legacy_unknown:>7,}   {missing}"

    def _notes(self) -> Iterator[str]:
        """What a reader must know before the list."""
        if self.unlike_given:
            yield "  注意 判定や学校に使われている一覧と違う not the list that is out (list_as_given)"
        for band in self.counted_bands:
            yield f"  注意 {band}: 項目ごとの重みではなく、該当する段階の数による the number of own levels serves"
        for band, one in self.pooled.items():
            yield f"  注意 {band}: {one.ja}による weights of many cities serve, as a person adopted them"
        for band in self.weak_bands:
            yield f"  注意 {band}: この重みの並べ方は、くじ引きとほとんど変わらない hardly better than a draw by lot"
        nobody = [str(cohort.school_year) for cohort in self.cohorts if cohort.selected == 0]
        if nobody:
            yield f"  注意 抽出なし nobody is selected in school years: {', '.join(nobody)}"
        if self.of_missing_schools:
            apart = "children of schools without a delivery, ranked apart"
            yield f"  注意 {FLAGS['school_missing']} {self.of_missing_schools:,} {apart}"
        if self.stopped:
            apart = f"left out, whatever they are; the list is {self.shorter_by:,} shorter for it"
            yield f"  注意 {STOP} {self.stopped:,} children {apart}"
        if not self.cohorts:
            yield "  注意 順位のつく児童がいない nobody is ranked"

    def _compared(self) -> Iterator[str]:
        """How sure it is that the list finds more than another one would."""
        if self.compared:
            told = "上位10%の適合率の差 precision of what serves less that of the rule"
            yield f"\n  {CROSS_VALIDATION} out of fold: {told}"
        if any(POOLED in (one.serves, one.rule) for one in self.compared):
            yield f"  {RULES[POOLED]} {POOLED}: {WITHOUT_THIS_CITY}で比べた judged by weights without this city's sums"
        for one in self.compared:
            interval = f"{one.difference:+6.1%} ({one.low:+.1%} .. {one.high:+.1%})"
            yield f"  {one.band} {one.serves}: {interval}   {RULES[one.rule]} {one.rule}: {one.verdict}"

    def _links(self) -> Iterator[str]:
        """Beside every list: a record that reached nobody is not "no record" (method §3)."""
        yield "\n  児童に結び付いた linked   確認待ち in review   表 table that links by name"
        for table in self.linked:
            linked = f"{table.linked:,} of {table.persons:,}"
            yield f"  {linked:>24}   {table.in_review:>18,}   {table.ja}"
        earlier = self.asked - sum(table.in_review for table in self.linked)
        if earlier > 0:
            told = f"以前の名簿の番号 numbers of earlier rosters; {LINK_REVIEW}.xlsx asks {self.asked:,} in all"
            yield f"  {'':>24}   {earlier:>18,}   {told}"

    def _school_years(self) -> Iterator[str]:
        yield f"\n  学年 school year   対象 screened   抽出 selected   {CUT_POINTS} cut in points"
        for cohort in self.cohorts:
            cut = "-" if cohort.cut_points is None else f"{cohort.cut_points:.1f}"
            yield f"  {cohort.school_year:>16}   {cohort.screened:>13,}   {cohort.selected:>13,}   {cut:>22}"

    def _items(self) -> Iterator[str]:
        for band in dict.fromkeys(item.band for item in self.items):
            kept = [item for item in self.items if item.band == band]
            yield f"\n  {band}: {len(kept)} items kept\n    points   p value   item (heaviest level)"
            for item in kept:
                yield f"  {item.points:>8.1f}  {item.p_value:8.2g}   {item.item} ({item.level})  {item.ja}"


def require_list(con: duckdb.DuckDBPyConnection, reference_date: dt.date) -> None:
    """Refuses to make anything of a list that is not there: empty files would take the place of those that are out.

    Raises:
        DeliveryError: the database holds no ranked child of ``reference_date``.
    """
    if (
        not has_table(con, "screening.ranking")
        or con.execute("select 1 from screening.ranking where reference_date = $1 limit 1", [reference_date]).fetchone()
        is None
    ):
        gone = forgotten(con).get(reference_date)
        if gone is not None and gone.list_too:
            raise DeliveryError(
                "{day}: its list was forgotten on {on}, being past retention: nothing of it is "
                "stored any more, and it is not made anew (docs/operations.md)",
                day=reference_date,
                on=gone.on,
            )
        raise DeliveryError(
            "{day}: kodomo.duckdb holds no list of this reference date, expected one; nothing "
            "was changed. Refresh it first (`python -m kodomo_assets refresh {day}`); where it "
            "was refreshed long ago, KODOMO_DATA_DIR is another folder, or its database was "
            "moved away",
            day=reference_date,
        )


def version_of(con: duckdb.DuckDBPyConnection, reference_date: dt.date) -> str:
    """The version of the weights that made the list of ``reference_date``."""
    row = con.execute(
        "select any_value(weights_version) from screening.ranking where reference_date = $1", [reference_date]
    ).fetchone()
    return str(row[0]) if row else ""


def funnel_summary(con: duckdb.DuckDBPyConnection, catalogue: Catalogue, reference_date: dt.date) -> ScreeningSummary:
    """Reads screening.ranking at ``reference_date`` and the weights that made it.

    Raises:
        DeliveryError: there is no list of ``reference_date``.
    """
    require_list(con, reference_date)
    cohorts = con.execute(
        """
        select
            cohort,
            count(*),
            count(*) filter (selected),
            round(min(score) filter (selected and share_of = 'cohort') * 1000, 1)
        from screening.ranking where reference_date = $1 group by cohort order by cohort
        """,
        [reference_date],
    ).fetchall()
    row = con.execute(
        """
        select
            any_value(weights_version),
            count(*) filter (newly_found),
            count(*) filter (legacy_flag),
            count(*) filter (legacy_flag is null),
            count(*) filter (share_of = 'missing')
        from screening.ranking where reference_date = $1
        """,
        [reference_date],
    ).fetchone()
    version, newly_found, legacy_flagged, legacy_unknown, of_missing_schools = row or (None, 0, 0, 0, 0)
    stopped, shorter_by = _stopped(con, catalogue, reference_date)
    return ScreeningSummary(
        reference_date=reference_date,
        version=version or _NO_VERSION,
        cohorts=tuple(CohortCounts(*cohort) for cohort in cohorts),
        newly_found=newly_found,
        legacy_flagged=legacy_flagged,
        legacy_unknown=legacy_unknown,
        legacy_missing=catalogue.legacy.max_missing_share,
        linked=_linked_tables(con, catalogue, reference_date),
        items=_kept_items(con, catalogue, version),
        weak_bands=_weak_bands(con, version),
        counted_bands=_counted_bands(con, version),
        pooled=adoptions(con, version),
        compared=_compared(con, version),
        of_missing_schools=of_missing_schools,
        stopped=stopped,
        shorter_by=shorter_by,
        asked=_asked(con, reference_date),
        unlike_given=is_unlike_given(con, reference_date),
    )


def tell_ranking(con: duckdb.DuckDBPyConnection, catalogue: Catalogue, reference_date: dt.date) -> Told:
    """The list in numbers, with the distribution of the scores as a picture."""
    summary = funnel_summary(con, catalogue, reference_date)
    return {
        "weights_version": summary.version,
        "screened": summary.screened,
        "selected": summary.selected,
        "newly_found": summary.newly_found,
        "stopped": summary.stopped,
        "shorter_by": summary.shorter_by,
        "score_distribution": score_distribution_plot(con, reference_date),
        "school_years": Grid(
            ["学年", "対象", "抽出", CUT_POINTS],
            [[c.school_year, c.screened, c.selected, c.cut_points] for c in summary.cohorts],
        ),
    }


def _stopped(con: duckdb.DuckDBPyConnection, catalogue: Catalogue, reference_date: dt.date) -> tuple[int, int]:
    """How many children 利用停止 leaves out, and by how many places the list is shorter: the top share of fewer."""
    row = con.execute(
        """
        with ranked as (
            select cohort, count(*) as children
            from screening.ranking
            where reference_date = $reference_date and share_of = 'cohort'
            group by cohort
        ),

        stopped as (
            select school_year as cohort, sum(children) as children
            from linkage.stopped
            where
                reference_date = $reference_date
                and school_code in (select school_code from screening.ranking where reference_date = $reference_date)
            group by school_year
        )

        select
            (select coalesce(sum(children), 0)::integer from linkage.stopped where reference_date = $reference_date),
            coalesce(
                sum((r.children + s.children) * $share // 100 - r.children * $share // 100),
                0
            )::integer
        from ranked as r
        join stopped as s using (cohort)
        """,
        {"reference_date": reference_date, "share": catalogue.screening.share_percent},
    ).fetchone()
    return row or (0, 0)


def _weak_bands(con: duckdb.DuckDBPyConnection, version: str | None) -> tuple[str, ...]:
    rows = con.execute("select band from weights.model_cards where version = $1 and is_weak order by band", [version])
    return tuple(band for (band,) in rows.fetchall())


def _counted_bands(con: duckdb.DuckDBPyConnection, version: str | None) -> tuple[str, ...]:
    rows = con.execute(
        "select band from weights.versions where version = $1 and origin = 'count' order by band", [version]
    )
    return tuple(band for (band,) in rows.fetchall())


def _compared(con: duckdb.DuckDBPyConnection, version: str | None) -> tuple[Compared, ...]:
    rows = con.execute(
        """
        select
            d.band,
            v.origin,
            d.rule,
            d.value,
            d.low,
            d.high
        from weights.validation as d
        join weights.versions as v using (version, band)
        where version = $1 and d.measure = 'precision_difference' and d.low is not null
        order by d.band, d.rule
        """,
        [version],
    ).fetchall()
    return tuple(Compared(*row) for row in rows)


def _linked_tables(
    con: duckdb.DuckDBPyConnection, catalogue: Catalogue, reference_date: dt.date
) -> tuple[LinkedTable, ...]:
    rows = con.execute(
        """
        select
            table_name,
            sum(persons)::integer,
            sum(linked)::integer,
            coalesce(sum(in_review), 0)::integer
        from linkage.coverage
        where reference_date = $1
        group by table_name
        """,
        [reference_date],
    ).fetchall()
    counts = {table: tuple(numbers) for table, *numbers in rows}
    return tuple(LinkedTable(t.ja, *counts[t.id]) for t in catalogue.tables.values() if t.id in counts)


def _asked(con: duckdb.DuckDBPyConnection, reference_date: dt.date) -> int:
    row = con.execute(
        "select count(distinct (table_name, person_ref)) from linkage.review where reference_date = $1",
        [reference_date],
    ).fetchone()
    return row[0] if row else 0


def _kept_items(con: duckdb.DuckDBPyConnection, catalogue: Catalogue, version: str | None) -> tuple[KeptItem, ...]:
    """Heaviest items first; the joint p value stands in the log of the selection."""
    rows = con.execute(
        """
        select
            c.band,
            c.item,
            c.level,
            c.weight * 1000 as points,
            coalesce(s.p_value, c.p_value)
        from weights.coefficients as c
        left join weights.selection_log as s
            on s.version = c.version and s.band = c.band and s.item = c.item and s.reason = 'selected'
        where
            c.version = $1
            and not starts_with(c.item, 'table:')
            and not starts_with(c.item, '(')
            and c.level not in ('not_applicable', 'blank', 'no_record')
            and c.p_value is not null
        qualify row_number() over (partition by c.band, c.item order by abs(c.weight) desc, c.level) = 1
        order by c.band, points desc, c.item
        """,
        [version],
    ).fetchall()
    return tuple(
        KeptItem(band, item, catalogue.item_name(item), catalogue.level_name(item, level), points, p)
        for band, item, level, points, p in rows
    )
