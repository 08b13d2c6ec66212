"""Says where people look that the program cannot be loaded: then no schedule and no sensor runs that could say it."""

from __future__ import annotations

import datetime as dt

import dagster as dg
from dagster_shared.error import SerializableErrorInfo

from kodomo_assets.catalogue import Catalogue, load_catalogue
from kodomo_assets.defs.failures import ToldLoadError
from kodomo_assets.errors import OF_MACHINE, KodomoError, with_remedy
from kodomo_assets.internals import (
    DaemonIterator,
    DagsterDaemon,
    IWorkspaceProcessContext,
    MonitoringDaemon,
    create_daemons_from_instance,
)
from kodomo_assets.refreshing.status import write_closed
from kodomo_assets.settings import Settings
from kodomo_assets.stages.papers.status import Closed
from kodomo_assets.told import parted

_STOPPED = "プログラムが設定を読み込めないので、更新も受信フォルダーの見回りも止まっています"


def watching_daemons(instance: dg.DagsterInstance) -> list[DagsterDaemon]:
    """Dagster's daemons; the one that looks after runs also looks how the loading of the program went."""
    daemons = create_daemons_from_instance(instance)
    interval = instance.run_monitoring_poll_interval_seconds
    return [LoadingMonitor(interval) if isinstance(one, MonitoringDaemon) else one for one in daemons]


class LoadingMonitor(MonitoringDaemon):
    """Dagster loads the program anew every minute; that it could not is told here.

    City and mail are those of the last city.yaml that could be read since the daemon began; the packaged ones before.
    A daemon of our own kind would be one that Dagster warns of every minute, as it expects it nowhere.
    """

    def __init__(self, interval_seconds: int) -> None:
        super().__init__(interval_seconds)
        self._read: tuple[float, Catalogue] | None = None

    def run_iteration(self, workspace_process_context: IWorkspaceProcessContext) -> DaemonIterator:
        """Looks once how the last loading went, and after the runs."""
        self._look(workspace_process_context)
        yield from super().run_iteration(workspace_process_context)

    def _look(self, workspace_process_context: IWorkspaceProcessContext) -> None:
        settings = Settings.from_environment()
        errors = workspace_process_context.create_request_context().code_location_errors()
        if errors:
            catalogue = self._read[1] if self._read else load_catalogue()
            write_closed(settings, catalogue, dt.datetime.now(dt.UTC), Closed(_STOPPED, *_words(errors[0])))
        else:
            self._remember(settings)

    def _remember(self, settings: Settings) -> None:
        changed = settings.overlay.stat().st_mtime if settings.overlay else 0.0
        if self._read and self._read[0] == changed:
            return
        try:
            self._read = changed, load_catalogue(settings.overlay)
        except KodomoError:
            # it changed a moment ago: the next loading says so
            return


def _words(error: SerializableErrorInfo) -> tuple[str, str]:
    """In Japanese and in English; the text of an error that is not the project's own may quote anything."""
    found: SerializableErrorInfo | None = error
    while found is not None:
        if found.cls_name == ToldLoadError.__name__:
            return parted(found.message.partition(": ")[2].strip())
        found = found.cause
    return with_remedy(None, OF_MACHINE), f"the program could not be loaded ({error.cls_name}): ask `kodomo doctor`"
