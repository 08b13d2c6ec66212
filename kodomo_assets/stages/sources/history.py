"""The history of deliveries: a file that was corrected or withdrawn stays on record as superseded."""

from __future__ import annotations

import datetime as dt

import duckdb

from kodomo_assets.catalogue import SourceTable


def keep_superseded(con: duckdb.DuckDBPyConnection, table: SourceTable, reference_date: dt.date) -> None:
    """Adds to ``new_deliveries`` the files of earlier readings of this date that are not there any more, by content.

    A file is known by its name and its SHA-256: a corrected one has the old name and a new content. What comes back
    as it was is in force again.
    """
    con.execute(
        """
        insert into new_deliveries by name
        select old.* replace (true as superseded)
        from sources.deliveries as old
        anti join new_deliveries as new
            on new.file = old.file
            and new.sha256 = old.sha256
        where
            old.reference_date = $reference_date
            and old.table_name = $table_name
        """,
        {"reference_date": reference_date, "table_name": table.id},
    )
