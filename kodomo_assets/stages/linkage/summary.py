"""What is told of the linkage of a reference date: methods, expected precision and recall, changes, the model."""

from __future__ import annotations

import duckdb

from kodomo_assets.stages.linkage.comparisons import BLOCKING_RULES
from kodomo_assets.stages.linkage.links import LinkCounts
from kodomo_assets.stages.linkage.plots import waterfall_plot
from kodomo_assets.told import Grid, Told


def tell_links(counts: LinkCounts) -> Told:
    """Per table: linked by each method, to be answered, linked to nobody."""
    linked = {f"{table}: {method}": number for (table, method), number in counts.linked.items()}
    in_review = {f"{table}: in_review": number for table, number in counts.in_review.items()}
    return linked | in_review | {f"{table}: unlinked": counts.unlinked(table) for table in counts.persons}


def tell_expected(con: duckdb.DuckDBPyConnection) -> Told:
    """Precision and recall that the match probabilities lead to expect."""
    expected = con.sql(
        """
        select
            table_name,
            count(*) as persons,
            count(*) filter (is_linked) as linked,
            count(*) filter (method = 'in_review') as in_review,
            round(sum(probability) filter (is_linked)::double / nullif(linked, 0), 5) as expected_precision,
            round(
                sum(probability) filter (is_linked)::double / nullif(sum(probability), 0)::double,
                5
            ) as expected_recall
        from persons_in_force
        group by table_name
        order by table_name
        """
    )
    return {"見込まれる適合率・再現率": expected}


def tell_methods(con: duckdb.DuckDBPyConnection) -> Told:
    """The share of each method per table."""
    methods = con.sql(
        """
        select
            table_name,
            method,
            sum(persons)::integer as persons,
            round(sum(persons) / sum(sum(persons)) over (partition by table_name), 4) as share
        from new_quality
        group by table_name, method
        order by table_name, persons desc, method
        """
    )
    return {"結び付け方": methods}


def tell_changes(con: duckdb.DuckDBPyConnection) -> Told:
    """What changed since the last refresh."""
    changes = con.sql(
        """
        select
            previous_date,
            table_name,
            change,
            count(*) as links
        from new_changes
        group by all
        order by all
        """
    )
    return {"変化": changes}


def tell_model(con: duckdb.DuckDBPyConnection, counts: LinkCounts) -> Told:
    """The parameters, the blocking rules, and a picture of the weights."""
    scored = counts.scored
    levels = con.sql(
        """
        select
            comparison_ja,
            level_ja,
            m,
            u,
            round(weight, 1) as bits
        from new_model
        order by comparison, position
        """
    )
    return {
        "estimated": scored.estimated,
        "persons_compared": scored.persons,
        "comparisons": scored.comparisons,
        "blocking_rules": Grid(["#", "rule"], [[n, rule] for n, rule in enumerate(BLOCKING_RULES, start=1)]),
        "m_u": levels,
        "waterfall": waterfall_plot(scored.parameters),
    }
