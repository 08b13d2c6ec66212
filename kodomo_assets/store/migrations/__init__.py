"""The numbered steps that bring kodomo.duckdb of an earlier version to this one's tables (``store.migrate`` does them).

One file a step, ``NNNN_what_it_does.sql``, numbers without a gap. A step that was landed is never changed, renamed or
taken away: some database has done it. Steps are for tables that are there: a table that is missing is made afterwards,
as it is declared. So every ``alter table`` says ``if exists``, and no step makes an empty table.

All steps that are due share one transaction, in which DuckDB alters no table whose rows were updated before: change
values with ``alter column ... set data type ... using``, or make the table anew from a query.
"""
