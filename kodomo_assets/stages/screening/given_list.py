"""Whether a list that people have in their hands is still the one that is stored (docs/operations.md).

A correction, other settings or another program make an old date's list anew where a person or a correction asks for it:
what the meeting decided on, or a later date came after, does not change without a word.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence

import duckdb

from kodomo_assets.checks import CheckOutcome
from kodomo_assets.sql import run_sql

CHECK = "list_as_given"
_MOST_SETTINGS = 5
# what people see of a list, as a hash
_STATE = (
    "sha256(string_agg(concat_ws(' ', child_key, cohort, rank, selected, round(score * 1000, 1)), ',' "
    "order by child_key))[:16]"
)


def note_given_list(con: duckdb.DuckDBPyConnection, reference_date: dt.date, decided: bool) -> bool:
    """Makes the temp table ``noted_completions``, with the list that is out noted; whether one is.

    Reads the temp table ``new_ranking``, and screening.ranking before it is replaced.

    Args:
        decided: decisions lie in the inbox, which this run reads when the list is made.
    """
    con.execute(
        f"create or replace temp table standing_list as select {_STATE} as state from screening.ranking "
        "where reference_date = $1",
        [reference_date],
    )
    run_sql(con, __package__, "given_list", {"reference_date": reference_date, "decided": decided})
    return con.execute("select count(*) > 0 from noted_completions where kind = 'list'").fetchone() == (True,)


def compare_lists(con: duckdb.DuckDBPyConnection, reference_date: dt.date, changed: Sequence[str]) -> CheckOutcome:
    """The check, of ``new_ranking``: asked before it is stored.

    Args:
        changed: the keys of the configuration that stand otherwise than when the stored list was made.
    """
    row = con.execute(
        """
        select
            count(*) filter (n.selected and not coalesce(o.selected, false)),
            count(*) filter (o.selected and not coalesce(n.selected, false)),
            count(*) filter ((n.rank, round(n.score, 4)) is distinct from (o.rank, round(o.score, 4)))
        from new_ranking as n
        full join (from screening.ranking where reference_date = $1) as o using (child_key)
        """,
        [reference_date],
    ).fetchone()
    same = con.execute(
        f"select c.state = n.state from noted_completions as c, (select {_STATE} as state from new_ranking) as n "
        "where c.kind = 'list'"
    ).fetchone()
    passed = same is None or same == (True,)
    added, removed, moved = row or (0, 0, 0)
    named = _named(changed)
    return CheckOutcome(
        name=CHECK,
        passed=passed,
        blocking=False,
        message=(
            f"the list of {reference_date} is the one that is out, if any is"
            if passed
            else f"the list of {reference_date} is another one than that which was decided on or handed out, expected "
            f"the same: against the one that stood before this run {added} children came onto it, {removed} left it, "
            f"{moved} have another rank or score; settings changed since then: {named or 'none'}. The files that are "
            "out are kept under other names (docs/operations.md)"
        ),
        facts={"added": added, "removed": removed, "moved": moved, "settings": named},
    )


def is_unlike_given(con: duckdb.DuckDBPyConnection, reference_date: dt.date) -> bool:
    """Whether the stored list is another one than that which is out; False where none was made anew since."""
    row = con.execute(
        f"select c.state is distinct from n.state from published.completions as c, (select {_STATE} as state "
        "from screening.ranking where reference_date = $1) as n where c.kind = 'list' and c.reference_date = $1",
        [reference_date],
    ).fetchone()
    return row == (True,)


def _named(keys: Sequence[str]) -> str:
    more = [f"+{len(keys) - _MOST_SETTINGS}"] if len(keys) > _MOST_SETTINGS else []
    return ", ".join([*keys[:_MOST_SETTINGS], *more])
