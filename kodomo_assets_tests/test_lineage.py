"""Lineage is what is read (architecture, 17): the tables that a step's SQL really reads against what it declares.

One reference date is refreshed for this and test_relations.py, ~20 s: every statement of every step is recorded.
"""

from __future__ import annotations

from fnmatch import fnmatch

import pytest

from kodomo_assets.catalogue import Catalogue, load_catalogue
from kodomo_assets.defs import declared
from kodomo_assets.defs.step import Declared
from kodomo_assets_tests.reads import Reads, names_in
from kodomo_assets_tests.relations import Relations

# (step, table, why it is read and not declared); both may have *
NOT_DECLARED = [
    ("features__labels", "review.*", "what earlier lists led to: records that they may have caused do not count"),
    ("linkage__answers", "linkage.asked", "what the refreshes before asked; links, which writes it, reads the answers"),
    ("*", "rights.*", "written by commands, at any time: no step makes it"),
    ("weights__*", "weights.pooled", "adopted by a command: no step makes it"),
    ("*", "review.exports", "a step that writes files reads what it wrote before: the log hangs below none of them"),
    (
        "linkage__answers",
        "linkage.review",
        "what the refreshes before asked; links, which writes it, reads the answers",
    ),
    ("review__meeting_files", "sources.deliveries", "the page says from when every table is; the list hangs below all"),
    ("review__calendar", "sources.deliveries", "when every table came; the list hangs below all"),
    ("review__calendar", "sources.returns", "whether a file of a table was refused; the list hangs below all"),
    ("review__meeting_list", "review.decisions", "what earlier dates decided; decisions are on the list's children"),
    ("published__analyst", "rights.*", "that none of their numbers got through; commands write them, no step"),
    ("screening__ranking", "review.decisions", "whether its list is out; decisions are on the list's children"),
    ("screening__ranking", "published.rests_on", "the settings with which the list was made that it replaces"),
    ("*", "store.forgotten", "what is deleted, being past retention: no refresh writes it"),
    ("sources__inbox", "published.rests_on", "whether a date that is past retention is still there"),
    ("sources__inbox", "sources.deliveries", "whether a date that is past retention is still there"),
    ("sources__*", "sources.resident_register", "compared with it: read first by priority, and its fault stops none"),
    ("sources__*", "sources.school_register", "compared with it: read first by priority, and its fault stops none"),
]
# (step, asset, why it is declared and not read)
NOT_READ = [
    ("sources__*", "sources.inbox", "files: the step reads the folder once the inbox was looked at whole"),
    ("linkage__answers", "sources.inbox", "files: the step reads the folder once the inbox was looked at whole"),
    ("review__*", "sources.inbox", "files: the step reads the folder once the inbox was looked at whole"),
    ("*", "sources.earlier_rosters", "its rows lie in sources.school_roster, under their own date"),
    ("linkage__answers", "linkage.children", "read where an answer came back; none did here"),
    ("review__results_report", "published.analyst", "a file, which is opened apart"),
    ("published__aggregates", "published.analyst", "a file, which is opened apart"),
    ("screening__ranking", "sources.*", "read of a table that is late or has faults"),
    ("published__refreshes", "*", "the end of a refresh: everything is done; what was read stands in sources.readings"),
]


@pytest.fixture(scope="module")
def reads(recorded_date: tuple[Reads, Relations]) -> Reads:
    return recorded_date[0]


def test_what_a_statement_reads():
    reads = Reads(frozenset({"a.x", "a.y", "b.z"}))
    reads.add(
        "step",
        [
            "create or replace temp view v as select * from a.x -- not b.z",
            "insert into b.z by name select 'a.y' as text",
            "delete from b.z where n = $1",
        ],
    )
    assert reads.read == {"step": set()}
    reads.add(
        "step", ["create temp view v as from a.x", "create temp table t as select v.n from v join memory.a.y using (n)"]
    )
    assert reads.read == {"step": {"a.x", "a.y"}}
    assert reads.written == {"step": {"b.z"}}
    reads.add("again", ['insert into a.y select n from "a"."y" where exists (from b.z)'])
    assert reads.read["again"] == {"a.y", "b.z"}
    assert names_in("select 'a.b', c.d /* e.f */ from 表.x") == ["select", "c.d", "from", "表.x"]


def edges(catalogue: Catalogue) -> dict[str, tuple[Declared, set[str]]]:
    return {d.step_name: (d, set(d.reads(catalogue) if callable(d.reads) else d.reads)) for d in declared(catalogue)}


def excused(exceptions: list[tuple[str, str, str]], step: str, table: str) -> bool:
    return any(fnmatch(step, steps) and fnmatch(table, tables) for steps, tables, _ in exceptions)


def undeclared(reads: Reads, catalogue: Catalogue) -> list[tuple[str, str]]:
    """What is read and not declared. A table that is no asset is of the steps that write it: one of them is declared."""
    known = edges(catalogue)
    step_of = {name: step for step, (one, _) in known.items() for name in one.names}
    found = []
    for step, (one, deps) in known.items():
        above = {step, *(step_of[dep] for dep in deps if dep in step_of)}
        for table in reads.read.get(step, set()) - deps - set(one.names):
            writers = {writer for writer, tables in reads.written.items() if table in tables}
            if table in catalogue.assets or not writers & above:
                found.append((step, table))
    return sorted(found)


def unread(reads: Reads, catalogue: Catalogue) -> list[tuple[str, str]]:
    """What is declared and not read: neither the asset's table nor one that only its step writes beside it."""
    known = edges(catalogue)
    beside: dict[str, set[str]] = {}
    for step, (one, _) in known.items():
        others = {table for other, tables in reads.written.items() if other != step for table in tables}
        for name in one.names:
            alone = reads.written.get(step, set()) - others - set(catalogue.assets)
            beside[name] = {name} | alone
    return sorted(
        (step, dep)
        for step, (_, deps) in known.items()
        for dep in deps
        if not reads.read.get(step, set()) & beside.get(dep, {dep})
    )


def test_every_read_is_declared(reads):
    assert [pair for pair in undeclared(reads, load_catalogue()) if not excused(NOT_DECLARED, *pair)] == []


def test_everything_declared_is_read(reads):
    assert [pair for pair in unread(reads, load_catalogue()) if not excused(NOT_READ, *pair)] == []


def test_every_exception_is_needed(reads):
    catalogue = load_catalogue()
    for exceptions, pairs in [(NOT_DECLARED, undeclared(reads, catalogue)), (NOT_READ, unread(reads, catalogue))]:
        for exception in exceptions:
            assert any(excused([exception], *pair) for pair in pairs), exception
