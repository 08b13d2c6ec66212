"""Holds the last refresh of the synthetic city against its truth: items found, links, the report's two cases."""

from __future__ import annotations

from pathlib import Path

import duckdb

TRUTH = "demo_truth"


def comparison(data_dir: Path) -> str:
    """A few lines on the newest version of weights, the newest list and its links. Synthetic people only."""
    with duckdb.connect(str(data_dir / "kodomo.duckdb"), read_only=True) as con:
        truth = data_dir / TRUTH
        return "\n".join(["demo: held against the truth", *_items(con, truth), _links(con, truth), *_cases(con, truth)])


def _items(con: duckdb.DuckDBPyConnection, truth: Path) -> list[str]:
    rows = con.execute(
        """
        with kept as (
            select distinct band, item
            from weights.selection_log
            where action = 'keep' and version = (select max_by(version, reference_date) from weights.versions)
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


def _links(con: duckdb.DuckDBPyConnection, truth: Path) -> str:
    row = con.execute(
        """
        select
            count(*),
            count(*) filter (t.resident_id is distinct from c.resident_id)
        from linkage.links as l
        join linkage.children as c using (reference_date, child_key)
        left join (
            select table_name, person_ref, lpad(resident_id, 10, '0') as resident_id
            from read_csv($1, all_varchar = true)
        ) as t on t.table_name = l.table_name and t.person_ref = l.person_ref
        where l.reference_date = (select max(reference_date) from linkage.links)
        """,
        [str(truth / "links.csv")],
    ).fetchone()
    links, wrong = row or (0, 0)
    return f"  links: {links:,} made, {wrong} of them to a wrong child"


def _cases(con: duckdb.DuckDBPyConnection, truth: Path) -> list[str]:
    rows = con.execute(
        """
        select t."case", r.cohort, r.rank, r.selected, r.newly_found
        from read_csv($1, all_varchar = true) as t
        join linkage.children as c on c.resident_id = t.resident_id
        join screening.ranking as r using (reference_date, child_key)
        where r.reference_date = (select max(reference_date) from screening.ranking)
        order by 1
        """,
        [str(truth / "cases.csv")],
    ).fetchall()
    return [
        f"  case {case} of the report: school year {cohort}, rank {rank}, {'selected' if selected else 'not selected'}"
        f"{', newly found' if new else ''}"
        for case, cohort, rank, selected, new in rows
    ]
