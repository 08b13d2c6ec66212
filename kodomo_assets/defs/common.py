"""What all assets share: specs and metadata, the guard on errors, and how results are stored and reported."""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import dagster as dg
import duckdb
from dagster_shared.error import DagsterError

from kodomo_assets.catalogue import Catalogue, OutputTable
from kodomo_assets.checks import CheckOutcome
from kodomo_assets.defs.resources import KodomoDuckDB
from kodomo_assets.errors import CheckFailedError, KodomoError
from kodomo_assets.internals import USER_FACING_ERROR_ID_ATTR_NAME
from kodomo_assets.machine.faults import explain, unexpected
from kodomo_assets.settings import Settings
from kodomo_assets.stages.sources.arrivals import FINGERPRINT
from kodomo_assets.stages.sources.readings import READINGS, create_reading
from kodomo_assets.store.tables import Check, PartitionValue, replace

Results = Iterator[dg.MaterializeResult | dg.AssetCheckResult]


@dataclass(frozen=True)
class House:
    """What the assets of every stage are built from."""

    catalogue: Catalogue
    settings: Settings
    partitions: dg.TimeWindowPartitionsDefinition

    @contextmanager
    def open(self, kodomo: KodomoDuckDB) -> Iterator[duckdb.DuckDBPyConnection]:
        """kodomo.duckdb with every declared table in it."""
        with kodomo.get_connection() as con:
            yield con

    def spec(
        self,
        table: str,
        description: str,
        *,
        deps: Sequence[str] = (),
        owner: str = "child_future_center",
        kinds: set[str] | None = None,
        metadata: Mapping[str, Any] | None = None,
        code_version: str | None = None,
    ) -> dg.AssetSpec:
        """The spec of the asset that is the table ``schema.table``; group, key and columns follow from its name."""
        declared = self.catalogue.outputs.get(table)
        facts: dict[str, Any] = dict(metadata or {})
        if declared is not None:
            description = f"{declared.ja}。{description}"
            facts["dagster/column_schema"] = column_schema(declared)
            facts["dagster/table_name"] = declared.qualified
        return dg.AssetSpec(
            key=asset_key(table),
            deps=[asset_key(name) for name in deps],
            description=description,
            group_name=table.split(".")[0],
            owners=[f"team:{owner}"],
            kinds={"duckdb"} | (kinds or set()),
            metadata=facts,
            partitions_def=self.partitions,
            code_version=code_version,
        )


def asset_key(table: str) -> dg.AssetKey:
    """The asset of table ``schema.name``."""
    return dg.AssetKey(table.split("."))


def column_schema(table: OutputTable) -> dg.TableSchema:
    """The declared columns as Dagster shows them."""
    return dg.TableSchema(
        columns=[
            dg.TableColumn(
                name=column.name,
                type=column.type,
                description=column.ja,
                constraints=dg.TableColumnConstraints(nullable=column.nullable),
            )
            for column in table.columns
        ]
    )


def check_spec(table: str, name: str, description: str, *, blocking: bool = False) -> dg.AssetCheckSpec:
    return dg.AssetCheckSpec(name=name, asset=asset_key(table), description=description, blocking=blocking)


def png(image: bytes) -> dg.MarkdownMetadataValue:
    """A picture that the UI draws in the metadata."""
    return dg.MetadataValue.md(f"![plot](data:image/png;base64,{base64.b64encode(image).decode('ascii')})")


def markdown_table(header: Sequence[str], rows: Sequence[Sequence[object]]) -> dg.MarkdownMetadataValue:
    lines = [" | ".join(header), " | ".join("---" for _ in header)]
    lines += [" | ".join("" if cell is None else str(cell) for cell in row) for row in rows]
    return dg.MetadataValue.md("\n".join(f"| {line} |" for line in lines))


@contextmanager
def guarded(context: dg.AssetExecutionContext) -> Iterator[None]:
    """Lets nothing but the project's own sentences into the event log.

    A library's message may quote a cell (DuckDB's conversion errors do), so of any other exception only its type and
    the place in the code are told; a fault of the machine is told in words of ours.
    """
    with _in_own_words(context.op_execution_context.op.name.replace("__", "."), ToldFailure):
        yield


@contextmanager
def told(place: str) -> Iterator[None]:
    """The same for a look of schedule or sensor; ``place`` says where an unforeseen error came from."""
    with _in_own_words(place, ToldTickError):
        yield


@contextmanager
def _in_own_words(place: str, failure: Callable[[str], Exception]) -> Iterator[None]:
    try:
        yield
    except KodomoError as error:
        raise failure(str(error)) from None
    except (dg.Failure, GeneratorExit):
        raise
    except Exception as error:
        raise failure(f"{place}: {explain(error) or unexpected(error)}") from None


class _Told(Exception):  # noqa: N818 (what it is comes from its other base)
    """In words of the project's own: Dagster has nothing to mask in it and no logs to send people to."""

    def __setattr__(self, name: str, value: object) -> None:
        if name != USER_FACING_ERROR_ID_ATTR_NAME:
            super().__setattr__(name, value)


class ToldFailure(_Told, dg.Failure):
    """A step that failed."""

    def __init__(self, description: str) -> None:
        super().__init__(description=description, allow_retries=False)


class ToldTickError(_Told, DagsterError):
    """A look that failed; Dagster wraps, and masks, whatever else is raised there."""


@dataclass(frozen=True)
class Written:
    """One table that an asset writes: new rows (None = they stand already), checks, and what to tell about it."""

    table: str
    source: str | None
    metadata: Callable[[duckdb.DuckDBPyConnection], Mapping[str, Any]] | Mapping[str, Any]
    checks: Sequence[Check] = ()


def store_results(
    con: duckdb.DuckDBPyConnection,
    house: House,
    partition: Mapping[str, PartitionValue],
    written: Sequence[Written],
    also: Sequence[tuple[str, str]] = (),
) -> Results:
    """Stores the tables of one step in one transaction and reports materializations and check results.

    Args:
        written: the tables that are assets.
        also: further pairs (declared table, relation) that go with them and are no assets of their own.

    Raises:
        CheckFailedError: after the results of all checks were reported; nothing was stored.
    """
    reports: dict[str, str] = {}

    def checked(table: str, check: Check) -> Check:
        def run(connection: duckdb.DuckDBPyConnection) -> Iterator[CheckOutcome]:
            for outcome in check(connection):
                reports[outcome.name] = table
                yield outcome

        return run

    pairs = [(entry.table, entry.source) for entry in written if entry.source] + list(also)
    for entry in written:
        if isinstance(entry.metadata, Mapping) and FINGERPRINT in entry.metadata:
            partition = {**partition, "asset": entry.table}
            create_reading(con, partition, str(entry.metadata[FINGERPRINT]), current_run())
            pairs.append((READINGS, "new_reading"))
    try:
        outcomes = replace(
            con,
            [(house.catalogue.output(table), source) for table, source in pairs],
            partition,
            [checked(entry.table, check) for entry in written for check in entry.checks],
        )
    except CheckFailedError as error:
        for outcome in error.outcomes:
            if outcome.name in reports:
                yield check_result(reports[outcome.name], outcome)
        raise
    for entry in written:
        metadata = dict(entry.metadata(con) if callable(entry.metadata) else entry.metadata)
        if entry.source:
            rows = con.execute(f"select count(*) from {entry.source}").fetchone()
            metadata["dagster/partition_row_count"] = rows[0] if rows else 0
        yield dg.MaterializeResult(asset_key=asset_key(entry.table), metadata=metadata)
    for outcome in outcomes:
        yield check_result(reports[outcome.name], outcome)


def current_run() -> str:
    """The id of the run that the calling step belongs to."""
    return str(dg.AssetExecutionContext.get().run.run_id)


def check_result(table: str, outcome: CheckOutcome) -> dg.AssetCheckResult:
    return dg.AssetCheckResult(
        asset_key=asset_key(table),
        check_name=outcome.name,
        passed=outcome.passed,
        severity=dg.AssetCheckSeverity.ERROR if outcome.blocking else dg.AssetCheckSeverity.WARN,
        description=outcome.message,
        metadata=dict(outcome.facts),
    )


def table_of(relation: duckdb.DuckDBPyRelation) -> dg.MarkdownMetadataValue:
    """A small result (aggregates, never people) as a table in the metadata."""
    return markdown_table(relation.columns, relation.fetchall())
