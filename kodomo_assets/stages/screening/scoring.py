"""Scores, ranks and flags of a reference date (method §6); the steps stand in scoring.sql."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import duckdb

from kodomo_assets.catalogue import Catalogue
from kodomo_assets.checks import CheckOutcome
from kodomo_assets.errors import FitError, Said, together
from kodomo_assets.sql import run_sql
from kodomo_assets.stages.screening.completeness import build_completeness
from kodomo_assets.stages.screening.summary import version_of

_MAX_DIFFERENCE = 1e-9


@dataclass(frozen=True)
class ScreeningCounts:
    """The version of weights that scored, and how many children were ranked and selected."""

    version: str
    screened: int
    selected: int


def build_screening(con: duckdb.DuckDBPyConnection, catalogue: Catalogue, reference_date: dt.date) -> ScreeningCounts:
    """Makes the temp tables ``new_contributions``, ``new_ranking`` and ``new_difficulty_scores``.

    Reads features.levels, features.labels, linkage.children, linkage.links and weights.in_force at the reference date,
    the coefficients of the version in force, and the views of the delivered tables.

    Raises:
        FitError: no version of weights is in force at the reference date, or it was fitted with other definitions of
            its items than those of the matrix, or weighs an item that is by now for fairness alone, or lacks a band or
            a level that a child of the matrix has.
    """
    version = _version_in_force(con, reference_date)
    _require_same_definitions(con, reference_date, version)
    _require_no_item_of_fairness(con, catalogue, version)
    _load_model(con, catalogue, version)
    _load_rules(con, catalogue)
    build_completeness(con, catalogue, reference_date)
    parameters = {
        "reference_date": reference_date,
        "version": version,
        "all_schools": catalogue.schools.screened == "all",
        "share_percent": catalogue.screening.share_percent,
        "score_decimals": catalogue.screening.score_decimals,
        "own_share": catalogue.screening.missing_school == "own_share",
    }
    run_sql(con, __package__, "screened", parameters)
    run_sql(con, __package__, "child_levels", {"levels_at": reference_date})
    _require_whole_model(con, version)
    run_sql(con, __package__, "contributions", parameters)
    run_sql(con, __package__, "scoring", parameters)
    row = con.execute("select count(*), count(*) filter (selected) from new_ranking").fetchone()
    screened, selected = row or (0, 0)
    return ScreeningCounts(version=version, screened=screened, selected=selected)


def rescore(
    con: duckdb.DuckDBPyConnection, catalogue: Catalogue, reference_date: dt.date, previous_date: dt.date | None
) -> None:
    """Makes the temp table ``rescored``: what children of an earlier list score with the weights of a later one.

    A row per child of either list that was ranked at both dates: on its levels of ``previous_date``, with the weights
    and in the band of ``reference_date``. What that differs from its score of then is what the weights changed.
    """
    _load_model(con, catalogue, version_of(con, reference_date))
    parameters = {"reference_date": reference_date, "previous_date": previous_date}
    run_sql(con, __package__, "rescored", parameters)
    run_sql(con, __package__, "child_levels", {"levels_at": previous_date})
    run_sql(con, __package__, "contributions", parameters)
    con.execute(
        "create or replace temp table rescored as "
        "select child_key, sum(contribution::decimal(18, 15))::double as score "
        "from new_contributions group by child_key"
    )


def check_scores(con: duckdb.DuckDBPyConnection) -> Iterable[CheckOutcome]:
    """Every screened child has a score, and its contributions sum to it (1e-9)."""
    row = con.execute(
        """
        select
            count(*),
            count(*) filter (r.score is null or s.total is null or abs(s.total - r.score) > $max_difference)
        from screened_children as c
        left join new_ranking as r using (child_key)
        left join (select child_key, sum(contribution) as total from new_contributions group by child_key) as s
            using (child_key)
        """,
        {"max_difference": _MAX_DIFFERENCE},
    ).fetchone()
    children, wrong = row or (0, 0)
    yield CheckOutcome(
        name="sums_to_score",
        passed=wrong == 0,
        blocking=True,
        message=f"the contributions of {wrong} of {children} children do not sum to their score, expected 0",
        facts={"children": children, "wrong": wrong},
    )


def check_ranks(con: duckdb.DuckDBPyConnection, catalogue: Catalogue) -> Iterable[CheckOutcome]:
    """Ranks are 1..n without gaps, and of those who share places the floor of the share is selected.

    Children of schools without a delivery have at least the places that the common ranking would give them.
    """
    cohorts = con.execute(
        """
        select
            cohort,
            count(*) filter (share_of = 'cohort'),
            count(*) filter (share_of = 'cohort' and selected),
            count(*) filter (share_of = 'missing'),
            count(*) filter (share_of = 'missing' and selected),
            count(distinct rank) = count(*) and min(rank) = 1 and max(rank) = count(*)
        from new_ranking group by cohort order by cohort
        """
    ).fetchall()
    share = catalogue.screening.share_percent
    within = dict(
        con.execute(
            """
            select cohort, count(*)
            from new_ranking as r
            where
                share_of = 'missing'
                and rank <= (select count(*) from new_ranking as a where a.cohort = r.cohort) * $1 // 100
            group by cohort
            """,
            [share],
        ).fetchall()
    )
    wrong = [
        cohort
        for cohort, n, selected, missing, missing_selected, complete in cohorts
        if not complete
        or selected != n * share // 100
        or missing_selected != max(missing * share // 100, within.get(cohort, 0))
    ]
    yield CheckOutcome(
        name="ranks_complete",
        passed=not wrong,
        blocking=True,
        message=f"school years with gaps or a wrong number selected: {_listed(wrong)}, expected none",
        facts={"school_years": len(cohorts), "wrong": len(wrong), "named": ", ".join(map(str, wrong))},
    )


def check_list(con: duckdb.DuckDBPyConnection, catalogue: Catalogue, reference_date: dt.date) -> Iterable[CheckOutcome]:
    """Somebody is ranked (blocking: an empty list must not replace one), and every school year selects somebody."""
    row = con.execute("select count(*) from linkage.children where reference_date = $1", [reference_date]).fetchone()
    children = row[0] if row else 0
    cohorts = con.execute(
        "select cohort, count(*), count(*) filter (selected) from new_ranking group by cohort order by cohort"
    ).fetchall()
    ranked, selected = sum(n for _, n, _ in cohorts), sum(chosen for *_, chosen in cohorts)
    yield CheckOutcome(
        name="somebody_ranked",
        passed=ranked > 0,
        blocking=True,
        message=f"{ranked} of {children} children are ranked, expected at least one"
        + ("" if ranked or catalogue.schools.screened == "all" else "; is schools.screened right (named_schools)?"),
        facts={"ranked": ranked, "children": children},
    )
    nobody = [f"{cohort} ({n})" for cohort, n, chosen in cohorts if chosen == 0]
    share = catalogue.screening.share_percent
    yield CheckOutcome(
        name="every_year_selects",
        passed=selected > 0 and not nobody,
        blocking=False,
        message=f"{selected} of {ranked} children are selected"
        + (
            f"; too few children to select {share} % of in school years (children): {_listed(nobody)}" if nobody else ""
        ),
        facts={"selected": selected, "selecting_nobody": len(nobody), "named": ", ".join(nobody)},
    )


def _listed(names: Iterable[object]) -> str:
    return ", ".join(map(str, names)) or "none"


def _version_in_force(con: duckdb.DuckDBPyConnection, reference_date: dt.date) -> str:
    row = con.execute("select version from weights.in_force where reference_date = $1", [reference_date]).fetchone()
    if row is None:
        raise FitError(
            "no version of weights is in force at {day}, expected one in weights.in_force", day=reference_date
        )
    return str(row[0])


def _require_same_definitions(con: duckdb.DuckDBPyConnection, reference_date: dt.date, version: str) -> None:
    """Old weights must not score a new meaning: only what the version weighs counts.

    A matrix or a version of before definitions were kept has none, and nothing is compared.
    """
    differing = con.execute(
        """
        select m.item, m.definition, w.definition
        from features.item_definitions as m
        join weights.item_definitions as w using (item)
        where
            m.reference_date = $1
            and w.version = $2
            and m.definition <> w.definition
            and (m.item = '(bands)' or m.item in (select item from weights.coefficients where version = $2))
        order by m.item
        """,
        [reference_date, version],
    ).fetchall()
    if differing:
        changes = [change for row in differing for change in _changes(*row)]
        raise FitError(
            "version {version} of the weights was fitted with other settings than the matrix of {day}: {changes}. "
            "Weights hold for the settings that they were fitted with: put the former ones back into city.yaml, or "
            "refresh {fitted_at} with the new ones first",
            version=version,
            day=reference_date,
            changes=together(changes),
            fitted_at=version.split(".")[0],
        )


def _require_no_item_of_fairness(con: duckdb.DuckDBPyConnection, catalogue: Catalogue, version: str) -> None:
    """What nobody is to be judged by stands in no score, though a former setting fitted a weight to it."""
    weighed = con.execute("select distinct item from weights.coefficients where version = $1 order by all", [version])
    items = [
        item for (item,) in weighed.fetchall() if item in catalogue.items and catalogue.items[item].screen == "fairness"
    ]
    if items:
        raise FitError(
            "version {version} of the weights weighs {items}, which by now is for fairness alone (items.<item>.screen) "
            "and stands in no score. Refresh {fitted_at} with this setting first, which fits weights without it, or "
            "put the former one back into city.yaml",
            version=version,
            items=", ".join(items),
            fitted_at=version.split(".")[0],
        )


def _changes(item: str, now: str, fitted: str) -> Iterator[Said]:
    """The keys of the configuration whose value changed."""
    settings, former = json.loads(now), json.loads(fitted)
    for name in sorted(settings.keys() | former.keys()):
        if settings.get(name) != former.get(name):
            key = f"bands.{name}.school_years" if item == "(bands)" else f"items.{item}.{name}"
            key = name if name.startswith("linkage.") else key
            yield Said(
                "{key} is {now}, was {then}", key=key, now=_shown(settings.get(name)), then=_shown(former.get(name))
            )


def _shown(value: object) -> str:
    return json.dumps(value, ensure_ascii=False)


def _require_whole_model(con: duckdb.DuckDBPyConnection, version: str) -> None:
    """Every child's band and every own level that a child has must stand in the version: nobody scores 0 in silence."""
    lacking = con.execute(
        """
        select distinct c.band, '(base)', '(base)'
        from screened_children as c
        anti join model_levels as m on m.band = c.band and m.item = '(base)'
        union all
        select distinct l.band, l.item, l.level
        from child_levels as l
        semi join model_items using (band, item)
        anti join model_levels using (band, item, level)
        where l.level not in ('not_applicable', 'blank', 'no_record')
        order by all
        """
    ).fetchall()
    if lacking:
        raise FitError(
            "version {version} of the weights has no weight for {levels}; expected one for every level that a screened "
            "child has. Refresh the yearly date of this version anew",
            version=version,
            levels=together(
                Said("level {level} of {item} in band {band}", level=level, item=item, band=band)
                for band, item, level in lacking
            ),
        )


def _load_model(con: duckdb.DuckDBPyConnection, catalogue: Catalogue, version: str) -> None:
    """The coefficients of ``version``: model_levels, and from them model_items and model_tables; counted_bands."""
    con.execute(
        "create or replace temp table model_levels as "
        "select band, item, level, weight, mean_weight, children from weights.coefficients where version = $1",
        [version],
    )
    _fill(
        con, "first_tables", "item varchar, first_table varchar", [(i.id, i.tables[0]) for i in catalogue.matrix_items]
    )
    con.execute(
        "create or replace temp table model_items as "
        "select band, item, first_table, any_value(mean_weight) as mean_weight "
        "from model_levels join first_tables using (item) group by band, item, first_table"
    )
    con.execute(
        "create or replace temp table model_tables as "
        "select band, item, any_value(mean_weight) as mean_weight "
        "from model_levels where starts_with(item, 'table:') group by band, item"
    )
    con.execute(
        "create or replace temp table counted_bands as "
        "select band from weights.versions where version = $1 and origin = 'count'",
        [version],
    )


def _load_rules(con: duckdb.DuckDBPyConnection, catalogue: Catalogue) -> None:
    """Who is screened, what each item is about, and the legacy rule."""
    items, legacy = catalogue.matrix_items, catalogue.legacy
    schools = () if catalogue.schools.screened == "all" else catalogue.schools.screened
    _fill(con, "screened", "school_code varchar", [(code,) for code in schools])
    _fill(con, "difficulties", "difficulty varchar", [(name,) for name in catalogue.difficulties])
    _fill(
        con,
        "difficulty_items",
        "difficulty varchar, item varchar",
        [(name, item.id) for item in items for name in item.about],
    )
    _fill(
        con,
        "legacy_items",
        "band varchar, item varchar, hit_levels varchar[]",
        [(band, i.id, list(i.at_least(i.legacy))) for i in items if i.legacy is not None for band in i.bands],
    )
    _fill(
        con,
        "legacy_settings",
        "band varchar, min_hits integer, max_missing_share double",
        [(band, hits, legacy.max_missing_share) for band, hits in legacy.min_hits.items()],
    )


def _fill(con: duckdb.DuckDBPyConnection, table: str, columns: str, rows: list[tuple]) -> None:
    con.execute(f"create or replace temp table {table} ({columns})")
    if rows:
        con.executemany(f"insert into {table} values ({', '.join('?' * len(rows[0]))})", rows)
