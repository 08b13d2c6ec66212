"""``@asset`` and what its function is handed: an asset is its declaration and one call.

The decorator keeps the declaration as it stands; ``build`` makes the asset of it for one installation.
"""

import datetime as dt
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from zoneinfo import ZoneInfo

import dagster as dg
import duckdb

import kodomo_assets
from kodomo_assets.catalogue import Catalogue
from kodomo_assets.checks import CheckOutcome
from kodomo_assets.defs.failures import ToldFailure, guarded
from kodomo_assets.defs.house import House, asset_key
from kodomo_assets.defs.resources import KodomoDuckDB
from kodomo_assets.defs.shown import shown
from kodomo_assets.errors import CheckFailedError
from kodomo_assets.office.inbox import InboxFile, scan_inbox
from kodomo_assets.office.problems import TableRefusedError
from kodomo_assets.refreshing.forgetting import require_not_forgotten
from kodomo_assets.settings import Settings
from kodomo_assets.stages.sources.arrivals import FINGERPRINT
from kodomo_assets.stages.sources.in_force import create_delivered_views
from kodomo_assets.stages.sources.readings import READINGS, create_reading
from kodomo_assets.store.pseudonyms import load_secret
from kodomo_assets.store.tables import Check, PartitionValue, replace
from kodomo_assets.told import Told, in_both
from kodomo_assets.vocabulary import kinds_read_by

Results = Iterator[dg.MaterializeResult | dg.AssetCheckResult]


@dataclass(frozen=True)
class Written:
    """One table that a step writes: where its new rows are (None = they stand already), its checks, what to tell."""

    table: str
    source: str | None
    told: Callable[[duckdb.DuckDBPyConnection], Told] | Told = field(default_factory=dict)
    checks: Sequence[Check] = ()


@dataclass(frozen=True)
class Step:
    """One step of one run: the reference date, the city, and the open database."""

    house: House
    context: dg.AssetExecutionContext
    con: duckdb.DuckDBPyConnection
    # check -> the asset that it is of
    checks: Mapping[str, str]

    @property
    def catalogue(self) -> Catalogue:
        return self.house.catalogue

    @property
    def settings(self) -> Settings:
        return self.house.settings

    @property
    def day(self) -> dt.date:
        """The reference date that this step refreshes."""
        return dt.date.fromisoformat(self.context.partition_key)

    @property
    def run_id(self) -> str:
        return str(self.context.run.run_id)

    @cached_property
    def now(self) -> dt.datetime:
        return dt.datetime.now(dt.UTC)

    @property
    def today(self) -> dt.date:
        """In the calendar's time zone."""
        return self.now.astimezone(ZoneInfo(self.catalogue.calendar.timezone)).date()

    @cached_property
    def secret(self) -> bytes:
        return load_secret(self.settings.key_file)

    @property
    def outbox(self) -> Path:
        return self.settings.outbox / self.day.isoformat()

    def given(self, name: str) -> str:
        """What whoever started the run said."""
        return str(self.context.op_execution_context.op_config[name])

    def say(self, sentence: str) -> None:
        self.context.log.info(sentence)

    def warn(self, sentence: str) -> None:
        self.context.log.warning(sentence)

    def inbox(self) -> list[InboxFile]:
        """What lies in the reference date's folder."""
        return scan_inbox(self.settings.inbox / self.day.isoformat(), self.catalogue)

    def returned(self, asset: str) -> list[InboxFile]:
        """The files of it that came back and that ``asset`` reads."""
        return [file for file in self.inbox() if file.returned in kinds_read_by(asset)]

    def delivered(self) -> duckdb.DuckDBPyConnection:
        """The database with the views of the deliveries in force."""
        create_delivered_views(self.con, self.catalogue, self.day)
        return self.con

    def store(
        self,
        *written: Written,
        also: Sequence[tuple[str, str]] = (),
        partition: Mapping[str, PartitionValue] | None = None,
    ) -> Results:
        """Stores the tables of the step in one transaction and reports what was made and checked.

        Args:
            also: further pairs (declared table, relation) that go with them and are no assets of their own.
            partition: values of partition columns besides the reference date.

        Raises:
            CheckFailedError: a blocking check failed; nothing was stored.
        """
        values: dict[str, PartitionValue] = {"reference_date": self.day, **(partition or {})}
        pairs = [*((entry.table, entry.source) for entry in written if entry.source), *also]
        for entry in written:
            if isinstance(entry.told, Mapping) and FINGERPRINT in entry.told:
                values["asset"] = entry.table
                create_reading(self.con, values, str(entry.told[FINGERPRINT]), self.run_id)
                pairs.append((READINGS, "new_reading"))
        outcomes = replace(
            self.con,
            [(self.catalogue.output(table), source) for table, source in pairs],
            values,
            [check for entry in written for check in entry.checks],
        )
        for entry in written:
            told = dict(entry.told(self.con) if callable(entry.told) else entry.told)
            if entry.source:
                told["dagster/partition_row_count"] = len(self.con.table(entry.source))
            yield self.made(entry.table, told)
        yield from self.checked(outcomes)

    def made(self, asset: str, told: Told) -> dg.MaterializeResult:
        return dg.MaterializeResult(asset_key=asset_key(asset), metadata=shown(told))

    def stopped(self, error: CheckFailedError) -> ToldFailure:
        """The failure that says what stopped the step, who mends it and how."""
        lines = [
            line
            for outcome in error.outcomes
            if outcome.blocking and not outcome.passed and (asset := self.checks.get(outcome.name)) is not None
            for line in (
                f"{self.catalogue.assets[asset].ja}：{self.catalogue.remedies[outcome.name].tell(outcome.facts) or ''}",
                f"→ {'：'.join(self.catalogue.who_mends(asset, outcome.name))}",
            )
        ]
        return ToldFailure(in_both("\n".join(lines) or error.ja, str(error)))

    def refused(self, error: TableRefusedError) -> ToldFailure:
        """The failure that says which files cannot be read, as the office reads it in its 差戻し."""
        reasons = self.catalogue.reasons
        lines = [
            f"{problem.file}：{reason.ja}\n→ {reason.todo}"
            for problem in error.problems
            if (reason := reasons.get(problem.reason)) is not None
        ]
        return ToldFailure(in_both("\n".join([*lines, f"→ {error.remedy}"]), str(error)))

    def checked(self, outcomes: Sequence[CheckOutcome]) -> Results:
        """The outcomes of the checks that the step declares."""
        for outcome in outcomes:
            if outcome.name in self.checks:
                asset, remedy = self.checks[outcome.name], self.catalogue.remedies[outcome.name]
                who = "：".join(self.catalogue.who_mends(asset, outcome.name))
                to_do = {} if outcome.passed else {"どうするか": who}
                yield dg.AssetCheckResult(
                    asset_key=asset_key(asset),
                    check_name=outcome.name,
                    passed=outcome.passed,
                    severity=dg.AssetCheckSeverity.ERROR if outcome.blocking else dg.AssetCheckSeverity.WARN,
                    description=in_both(None if outcome.passed else remedy.tell(outcome.facts), outcome.message),
                    metadata={**to_do, **outcome.facts},
                )


#: What an asset declares, or how that follows from the catalogue.
Reads = Sequence[str] | Callable[[Catalogue], Sequence[str]]
Checks = Sequence[dg.AssetCheckSpec] | Callable[[Catalogue], Sequence[dg.AssetCheckSpec]]


@dataclass(frozen=True)
class Declared:
    """An asset, or several that one step makes, before it is known of which city."""

    names: tuple[str, ...]
    run: Callable[[Step], Results]
    reads: Reads = ()
    checks: Checks = ()
    # a step of a higher priority is begun before others that could begin as well
    priority: int = 0
    facts: Callable[[Catalogue], Told] = lambda _: {}
    # what whoever starts the run has to say
    config: Mapping[str, dg.Field] | None = None
    tags: Mapping[str, str] = field(default_factory=dict)

    @property
    def step_name(self) -> str:
        return f"{self.names[0].split('.')[0]}__{self.run.__name__}"


def asset(
    *names: str,
    reads: Reads = (),
    checks: Checks = (),
    priority: int = 0,
    config: Mapping[str, dg.Field] | None = None,
) -> Callable[[Callable[[Step], Results]], Declared]:
    """Declares that a function makes the assets ``names``.

    Args:
        reads: the assets whose tables it reads, as every step of it does (a test holds it against the SQL that runs).
        config: what whoever starts the run has to say; ``Step.given`` tells it.
    """
    return lambda run: Declared(names, run, reads, checks, priority, config=config)


def check(asset: str, name: str, description: str, *, blocking: bool = False) -> dg.AssetCheckSpec:
    return dg.AssetCheckSpec(name=name, asset=asset_key(asset), description=description, blocking=blocking)


def build(house: House, declared: Declared) -> dg.AssetsDefinition:
    """The asset of one installation."""
    reads = declared.reads(house.catalogue) if callable(declared.reads) else declared.reads
    checks = declared.checks(house.catalogue) if callable(declared.checks) else declared.checks
    checked = {spec.name: ".".join(spec.asset_key.path) for spec in checks}
    facts, code = declared.facts(house.catalogue), _code(declared.run)
    comes_back = all(house.catalogue.assets[name].phase == "after_meeting" for name in declared.names)

    @dg.multi_asset(
        name=declared.step_name,
        specs=[house.spec(name, reads, facts=facts, tags=declared.tags, code=code) for name in declared.names],
        check_specs=checks,
        config_schema=declared.config,
        op_tags={"dagster/priority": str(declared.priority)} if declared.priority else None,
    )
    def step(context: dg.AssetExecutionContext, kodomo: KodomoDuckDB) -> Results:
        with guarded(context), kodomo.get_connection() as con:
            this = Step(house, context, con, checked)
            if context.has_partition_key:
                require_not_forgotten(con, house.catalogue, this.day, comes_back=comes_back)
            try:
                yield from declared.run(this)
            except CheckFailedError as error:
                # what was found is told, of all checks, before the step fails
                yield from this.checked(error.outcomes)
                raise this.stopped(error) from None
            except TableRefusedError as error:
                raise this.refused(error) from None

    return step


def _code(run: Callable[[Step], Results]) -> dg.CodeReferencesMetadataValue:
    """Where the asset stands, from the project's folder: no path of a machine gets into the event log."""
    code = run.__code__
    place = Path(code.co_filename).relative_to(Path(kodomo_assets.__file__).parent.parent)
    with warnings.catch_warnings():
        # the only names of Dagster's beta that are used: the UI shows them, nothing else depends on them
        warnings.simplefilter("ignore", dg.BetaWarning)
        reference = dg.LocalFileCodeReference(file_path=place.as_posix(), line_number=code.co_firstlineno)
        return dg.CodeReferencesMetadataValue(code_references=[reference])
