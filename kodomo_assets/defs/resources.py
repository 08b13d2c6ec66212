"""The DuckDB resource: dagster-duckdb's, with its connection opened and closed by the store (decision 3)."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager

import dagster as dg
import duckdb
from dagster_duckdb import DuckDBResource
from pydantic import PrivateAttr

from kodomo_assets.catalogue import Catalogue
from kodomo_assets.defs.running import mark_run, process_of
from kodomo_assets.settings import Settings
from kodomo_assets.store.connection import cursor_of
from kodomo_assets.store.modes import who_else_reads_the_inbox
from kodomo_assets.store.opening import open_to_write


class KodomoDuckDB(DuckDBResource):
    """kodomo.duckdb, opened by the first step of a run that wants it, held to the end of the run, then closed.

    The base class leaves the connection open when a step fails, and hides a lock behind ten silent retries. Holding the
    file for the whole run keeps a second refresh from slipping in between two steps.
    """

    _settings: Settings = PrivateAttr()
    _catalogue: Catalogue = PrivateAttr()
    _held: ExitStack = PrivateAttr(default_factory=ExitStack)
    _tell: Callable[[str], None] = PrivateAttr()
    _run: str | None = PrivateAttr()
    _connection: duckdb.DuckDBPyConnection | None = PrivateAttr(default=None)

    def __init__(self, settings: Settings, catalogue: Catalogue, tell: Callable[[str], None], run: str | None) -> None:
        super().__init__(database=str(settings.database))
        self._settings, self._catalogue, self._tell, self._run = settings, catalogue, tell, run

    @contextmanager
    def get_connection(self) -> Iterator[duckdb.DuckDBPyConnection]:
        """A connection of the step's own: what it leaves in temp tables ends with the step."""
        if self._connection is None:
            opened = open_to_write(self._settings, self._catalogue, self._tell, self._run)
            self._connection = self._held.enter_context(opened)
        with cursor_of(self._connection) as cursor:
            yield cursor

    def close(self) -> None:
        self._connection = None
        self._held.close()


def kodomo_resource(settings: Settings, catalogue: Catalogue) -> dg.ResourceDefinition:
    """The resource of all assets. A launch cannot configure it: its paths are the installation's, whoever launches."""

    @dg.resource(
        config_schema={}, description="kodomo.duckdb of this installation; it takes no configuration at launch"
    )
    def kodomo(context: dg.InitResourceContext) -> Iterator[KodomoDuckDB]:
        tell = context.log.info if context.log is not None else (lambda _text: None)
        run = context.run
        if not _is_marked(settings, context.instance, run):
            # however it was started, a run says in which process it is carried out
            mark_run(context.instance, run.run_id if run else None)
            warning = who_else_reads_the_inbox(settings, catalogue)
            if warning is not None and context.log is not None:
                context.log.warning(warning)
        held = KodomoDuckDB(settings, catalogue, tell, run.run_id if run else None)
        try:
            yield held
        finally:
            held.close()

    return kodomo


def _is_marked(settings: Settings, instance: dg.DagsterInstance | None, run: dg.DagsterRun | None) -> bool:
    """Whether this is a step in a process of its own: the run has the mark of the one that waits for all of them."""
    if settings.executor is None or instance is None or run is None:
        return False
    # a step is handed the run as it was before it was marked
    found = instance.get_run_by_id(run.run_id)
    return found is not None and process_of(found) is not None
