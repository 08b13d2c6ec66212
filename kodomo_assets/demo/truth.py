"""Holds the last refresh of the synthetic city against its truth: items found, links, the report's two cases."""

from __future__ import annotations

from pathlib import Path

import duckdb

from kodomo_assets.demo.footprint import TRUTH, database_in, key_file, require_refreshed, world_of
from kodomo_assets.demo.worlds import LINEAR, WORLDS
from kodomo_assets.sql import read_sql
from kodomo_assets.store.connection import connect


def comparison(data_dir: Path) -> str:
    """A few lines on the newest version of weights, the newest list and its links. Synthetic people only."""
    require_refreshed(data_dir)
    with connect(database_in(data_dir), key_file(), read_only=True) as con:
        truth = data_dir / TRUTH
        return "\n".join(
            [
                "demo: held against the truth",
                _world(data_dir),
                *_items(con, truth),
                *_serving(con),
                *_links(con, truth),
                *_cases(con, truth),
                *_days(con),
            ]
        )


def _world(data_dir: Path) -> str:
    """In which world the city lies, and what its figures are worth."""
    world = world_of(data_dir, LINEAR)
    return f"  WARNING: world {world}: {WORLDS[world]}"


def _items(con: duckdb.DuckDBPyConnection, truth: Path) -> list[str]:
    rows = con.execute(
        """
        with kept as (
            select distinct band, item
            from weights.selection_log
            join weights.versions as v using (version, band)
            where action = 'keep' and v.reference_date = (select max(reference_date) from weights.versions)
        ),
        true_items as (select distinct band, item from read_csv($1))
        select
            band,
            count(true_items.item) as true_items,
            count(true_items.item) filter (kept.item is not null) as found,
            count(*) filter (true_items.item is null) as false_items
        from true_items full join kept using (band, item)
        group by band order by band
        """,
        [str(truth / "weights.csv")],
    ).fetchall()
    return [
        f"  {band}: {found} of the {of} true items found, {false} kept that are truly zero"
        for band, of, found, false in rows
    ]


def _serving(con: duckdb.DuckDBPyConnection) -> list[str]:
    """What the newest list was ranked by: in a small city the count, whatever an own fit found."""
    rows = con.execute(
        "select band, origin, reason from weights.versions where in_force_from is not null "
        "qualify row_number() over (partition by band order by in_force_from desc, version desc) = 1 order by band"
    ).fetchall()
    words = {"own": "the city's own weights serve", "count": "the count of levels serves, no weights of its own"}
    return [f"  {band}: {words.get(origin, origin)}: {reason}" for band, origin, reason in rows]


def _days(con: duckdb.DuckDBPyConnection) -> list[str]:
    """How long the school lists took by the demo's own clock; nothing before its meeting.

    Its files are written today, whatever day its people meet on, and the indicator counts to when they were written.
    """
    row = con.execute(
        "select min(d.meeting_date), min(d.meeting_date) - d.reference_date, any_value(i.value), any_value(i.target) "
        "from review.decisions as d left join evaluation.indicators as i "
        "on i.reference_date = d.reference_date and i.indicator = 'days_to_school_list' "
        "where d.reference_date = (select max(reference_date) from screening.ranking) group by d.reference_date"
    ).fetchone()
    if row is None:
        return []
    meeting, days, indicator, target = row
    told = (
        "" if indicator is None else f"; evaluation.indicators says {indicator:.0f}, to the day the files were written"
    )
    expected = "" if target is None else f", expected at most {target:.0f}"
    return [f"  days to the school lists: {days} to the demo's own meeting of {meeting}{expected}{told}"]


def _links(con: duckdb.DuckDBPyConnection, truth: Path) -> list[str]:
    """How numbers without 宛名番号 were linked, per kind of what is written wrong, and what that makes in all.

    Strangers and ``gone`` (children who left the spine) have no child to be found: for them unlinked is right.
    """
    kinds = con.execute(read_sql(__package__, "links"), [str(truth / "links.csv")]).fetchall()
    counts = {kind: dict(zip(_COUNTS, numbers, strict=True)) for kind, *numbers in kinds}
    total = {name: sum(of_kind[name] for of_kind in counts.values()) for name in _COUNTS}
    shown = _COUNTS[:5]
    table = [
        f"{kind:<12}" + "".join(f"{of_kind[name]:>10,}" for name in shown)
        for kind, of_kind in (counts | {"total": total}).items()
    ]
    right, wrong, children = total["right"], total["wrong"], total["with_child"]
    answered = right + total["review_right"]
    return [
        f"  {'links by name':<14}" + "".join(f"{name:>10}" for name in shown),
        *(f"    {line}" for line in table),
        f"  precision {_share(right, right + wrong)}, recall {_share(right, children)}; with right answers to the review "
        f"{_share(answered, answered + wrong)}, {_share(answered, children)}",
        f"  in review {_share(total['review'], total['people'])}; twins swapped: {total['swapped']:,}",
    ]


_COUNTS = ("people", "right", "wrong", "review", "unlinked", "with_child", "review_right", "swapped")


def _share(part: int, of: int) -> str:
    return f"{part / of:.2%}" if of else "-"


def _cases(con: duckdb.DuckDBPyConnection, truth: Path) -> list[str]:
    rows = con.execute(
        """
        select
            t."case",
            r.cohort,
            r.rank,
            r.selected,
            r.newly_found,
            string_agg(l.item || ' ' || l.level, ', ' order by l.item),
            t.plain = 'yes' as plain
        from read_csv($1, all_varchar = true) as t
        join linkage.children as c on c.resident_id = t.resident_id
        join screening.ranking as r using (reference_date, child_key)
        left join features.levels as l
            on
                l.reference_date = r.reference_date
                and l.child_key = r.child_key
                and l.level not in ('not_applicable', 'blank', 'no_record')
        where r.reference_date = (select max(reference_date) from screening.ranking)
        group by all
        order by t."case", plain
        """,
        [str(truth / "cases.csv")],
    ).fetchall()
    return [
        f"  {'  its plain twin' if plain else f'case {case} of the report'}: school year {cohort}, rank {rank}, "
        f"{'selected' if selected else 'not selected'}{', newly found' if new else ''}; all its levels: {levels or 'none'}"
        for case, cohort, rank, selected, new, levels, plain in rows
    ]
