"""学年 against the legal school year (method §2): last year's register, and 1 to 3 of a junior high school."""

from __future__ import annotations

import datetime as dt

import duckdb

from kodomo_assets.catalogue import Catalogue, SourceTable
from kodomo_assets.checks import CheckOutcome
from kodomo_assets.sql import run_sql
from kodomo_assets.stages.sources.faults import Fault, acknowledge, acknowledged_files, check_faults

SCHOOL_YEAR = "school_year"
#: A row is at fault from this difference on; the register with more differing rows than both of these.
ROW_DIFFERENCE, MAX_DIFFERING_SHARE, MAX_DIFFERING_ROWS = 3, 0.02, 5


def school_year_faults(con: duckdb.DuckDBPyConnection, catalogue: Catalogue, reference_date: dt.date) -> list[Fault]:
    """Rows, and files, of 学齢簿 whose 学年 is not that of the birth date; reads the views of the delivered tables."""
    table = catalogue.tables["school_register"]
    run_sql(con, __package__, "school_years", {"reference_date": reference_date})
    compared = con.execute(
        """
        select
            c.source_file,
            d.sha256,
            count(*),
            list({'row': c.source_row, 'by': c.difference} order by c.source_row) filter (c.difference <> 0)
        from compared_school_years as c
        join sources.deliveries as d
            on d.table_name = 'school_register' and d.file = c.source_file and not d.superseded
        join delivered as i
            on i.table_name = d.table_name and i.delivered_on = d.reference_date
        group by c.source_file, d.sha256
        order by c.source_file
        """
    ).fetchall()
    files = [(file, sha256, rows, [(d["row"], d["by"]) for d in found or []]) for file, sha256, rows, found in compared]
    rows = [
        Fault(SCHOOL_YEAR, table.id, file, sha256, _row_found(by), row=row)
        for file, sha256, _, differing in files
        for row, by in differing
        if abs(by) >= ROW_DIFFERENCE
    ]
    single = acknowledge(rows, catalogue)
    let_in = {(fault.file, fault.row) for fault in single if fault.acknowledged is not None}
    left = [(f, sha, n, [(row, by) for row, by in found if (f, row) not in let_in]) for f, sha, n, found in files]
    return [*single, *acknowledge(_over_the_table(catalogue, table, left, reference_date), catalogue)]


def read_per_school(con: duckdb.DuckDBPyConnection, reference_date: dt.date) -> None:
    """Reads 1 to 3 of ``new_school_register`` as 7 to 9 where that is nearer (``school_year_style: per_school``)."""
    run_sql(con, "kodomo_assets.japan", "calendar")
    run_sql(con, __package__, "per_school", {"reference_date": reference_date})


def _row_found(by: int) -> str:
    return f"学年 differs from the legal school year by {by:+d}, expected less than {ROW_DIFFERENCE}"


def _over_the_table(
    catalogue: Catalogue,
    table: SourceTable,
    files: list[tuple[str, str, int, list[tuple[int, int]]]],
    reference_date: dt.date,
) -> list[Fault]:
    known = acknowledged_files(catalogue, table, SCHOOL_YEAR)
    faults = []
    for file, sha256, _, differing in files:
        together = [f for f in files if sha256 in known or f[1] not in known]
        rows, found = sum(f[2] for f in together), [by for f in together for _, by in f[3]]
        if differing and len(found) > MAX_DIFFERING_ROWS and len(found) > MAX_DIFFERING_SHARE * rows:
            told = (
                f"学年 of {len(found)} of {rows} rows ({len(found) / rows:.1%}) differs from the legal school year, "
                f"expected at most {MAX_DIFFERING_SHARE:.0%}{_why(catalogue, table, rows, found, reference_date)}"
            )
            faults.append(Fault(SCHOOL_YEAR, table.id, file, sha256, told))
    return faults


def _why(catalogue: Catalogue, table: SourceTable, rows: int, found: list[int], reference_date: dt.date) -> str:
    """What is most likely wrong, where the differences tell."""
    behind = sum(by == -1 for by in found)
    if catalogue.calendar.is_yearly(reference_date) and behind >= 0.9 * rows:
        return f": {behind} are one year behind, so this is last year's register; deliver the new one"
    per_school = sum(by == -6 for by in found)
    if per_school * 2 > len(found):
        return (
            f": {per_school} are six years behind, so 1 to 3 stand for junior high school years; "
            f"set tables.{table.id}.school_year_style: per_school"
        )
    return ""


def check_school_years(catalogue: Catalogue, faults: list[Fault]) -> CheckOutcome:
    """学年 of the register is the legal one but for a few children held back or placed lower (method §2)."""
    fine = "学年 is that of the birth date, but for a few children"
    of_years = [fault for fault in faults if fault.check == SCHOOL_YEAR]
    return check_faults(SCHOOL_YEAR, catalogue.tables["school_register"], of_years, fine)
