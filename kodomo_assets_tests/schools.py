"""The schools of registers that a test writes down, stored as the stage linkage stores them."""

from __future__ import annotations

import duckdb


def keep_schools(con: duckdb.DuckDBPyConnection) -> None:
    """linkage.schools anew, of every date that has a register or children."""
    con.execute("delete from linkage.schools")
    con.execute(
        """
        insert into linkage.schools by name
        with days as (
            select reference_date from sources.school_register
            union
            select reference_date from linkage.children
        ),

        registers as (select distinct reference_date as delivered_on from sources.school_register)

        select days.reference_date, school_code, min(school_name) as school_name
        from days
        asof join registers on registers.delivered_on <= days.reference_date
        join sources.school_register as s on s.reference_date = registers.delivered_on
        group by all
        """
    )
