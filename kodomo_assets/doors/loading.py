"""Says where people look what the sensor cannot say: that it cannot be loaded, is off, or comes to no end."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from zoneinfo import ZoneInfo

import dagster as dg
from dagster_shared.error import SerializableErrorInfo

from kodomo_assets.defs.failures import ToldLoadError, ToldTickError, own_words
from kodomo_assets.defs.running import has_a_run
from kodomo_assets.defs.sensors import NAME as SENSOR
from kodomo_assets.errors import OF_MACHINE, with_remedy
from kodomo_assets.internals import (
    DaemonIterator,
    DagsterDaemon,
    InstigatorState,
    InstigatorStatus,
    IWorkspaceProcessContext,
    MonitoringDaemon,
    TickStatus,
    create_daemons_from_instance,
)
from kodomo_assets.refreshing.notices import mail_alone
from kodomo_assets.refreshing.status import write_closed
from kodomo_assets.settings import Settings
from kodomo_assets.stages.papers.status import Closed
from kodomo_assets.store.own_settings import load_kept
from kodomo_assets.told import parted
from kodomo_assets.vocabulary import STATUS

_STOPPED = "プログラムが設定を読み込めないので、更新も受信フォルダーの見回りも止まっています"
_SWITCHED_OFF = "受信フォルダーの見回りが画面で止められているので、届いた資料は読まれません"
_HANGS = "受信フォルダーの見回りが終わらないので（{since}から）、更新は止まっています"
_NOT_WRITTEN = "状況.htmlを作り直せません。資料が届いたか、更新が動いたかは、ここからは分かりません"
_PAGE_STANDS = "the looks come to their ends, and 状況.html is not new: is there room, may it be written?"
_PAGE_OLD, _MAILED_AGAIN = dt.timedelta(minutes=30), dt.timedelta(hours=1)
_TICKS = 50
_SENSOR_OFF = "inbox_sensor is stopped in the UI: nothing that is delivered is read, and nothing is told"
_SENSOR_HANGS = "no tick of inbox_sensor has come to its end: is the inbox's share or the mail server answering?"
_LOOK_FOR = (
    "受信フォルダーの共有かメールのサーバーが答えていないことがあります。"
    "機械の管理者に、共有がつながっているか、画面の Automation の inbox_sensor に何と出ているかを見てもらってください"
)
# a look comes every minute and has a minute's time
_LATE = dt.timedelta(minutes=10)


def watching_daemons(instance: dg.DagsterInstance) -> list[DagsterDaemon]:
    """Dagster's daemons; the one that looks after runs also looks after the loading and the sensor."""
    daemons = create_daemons_from_instance(instance)
    interval = instance.run_monitoring_poll_interval_seconds
    return [LookingMonitor(interval) if isinstance(one, MonitoringDaemon) else one for one in daemons]


class LookingMonitor(MonitoringDaemon):
    """Says what the sensor cannot say itself: that it cannot be loaded, is switched off, or does not come to its end.

    Dagster loads the program anew every minute. City and mail are those of the last city.yaml that could be read. A
    daemon of our own kind would be one that Dagster warns of every minute, as it expects it nowhere.
    """

    def __init__(self, interval_seconds: int) -> None:
        super().__init__(interval_seconds)
        self._since = dt.datetime.now(dt.UTC)
        self._mailed: dt.datetime | None = None

    def run_iteration(self, workspace_process_context: IWorkspaceProcessContext) -> DaemonIterator:
        """Looks once, and after the runs."""
        try:
            self._look(workspace_process_context)
        except Exception as error:
            # a full disk, say: the runs are looked after all the same
            japanese, english = own_words("monitor", error)
            self._logger.warning(english)
            self._mail_alone([_NOT_WRITTEN, *japanese.splitlines()])
        yield from super().run_iteration(workspace_process_context)

    def _look(self, workspace_process_context: IWorkspaceProcessContext) -> None:
        settings, now = Settings.from_environment(), dt.datetime.now(dt.UTC)
        instance = workspace_process_context.instance
        forget_the_future(instance, now)
        errors = workspace_process_context.create_request_context().code_location_errors()
        closed = Closed(_STOPPED, *_words(errors[0])) if errors else self._late(instance, settings, now)
        if closed is not None:
            # the share of the inbox may be what hangs
            write_closed(settings, load_kept(settings), now, closed, asks_inbox=bool(errors))

    def _mail_alone(self, lines: Sequence[str]) -> None:
        """A mail without the notice that would keep it from going out twice: once an hour as long as it lasts."""
        now = dt.datetime.now(dt.UTC)
        if self._mailed is not None and now - self._mailed < _MAILED_AGAIN:
            return
        self._mailed = now
        try:
            mail_alone(load_kept(Settings.from_environment()), lines)
        except Exception as error:
            self._logger.warning(own_words("mail", error)[1])

    def _late(self, instance: dg.DagsterInstance, settings: Settings, now: dt.datetime) -> Closed | None:
        """What is wrong with the looks of the sensor; None where they end, or said themselves why not."""
        found = [one for one in instance.all_instigator_state() if one.instigator_name == SENSOR]
        if not found:
            return None
        state = found[0]
        if state.status == InstigatorStatus.STOPPED:
            return Closed(
                _SWITCHED_OFF, "→ データ担当：画面の Automation で inbox_sensor を入れてください", _SENSOR_OFF
            )
        ticks = instance.get_ticks(state.instigator_origin_id, state.selector_id, limit=_TICKS)
        if ticks and ticks[0].error is not None and ticks[0].error.cls_name == ToldTickError.__name__:
            return None
        ended = [tick.timestamp for tick in ticks if tick.status in (TickStatus.SUCCESS, TickStatus.SKIPPED)]
        since = dt.datetime.fromtimestamp(ended[0], dt.UTC) if ended else self._since
        if now - max(since, self._since) < _LATE:
            return None if has_a_run(instance) else _not_written(settings, now, self._since)
        zone = ZoneInfo(load_kept(settings).calendar.timezone)
        return Closed(_HANGS.format(since=f"{since.astimezone(zone):%Y-%m-%d %H:%M}"), _LOOK_FOR, _SENSOR_HANGS)


def _not_written(settings: Settings, now: dt.datetime, since: dt.datetime) -> Closed | None:
    """Where the looks come to their ends and write no page: what keeps them says whoever writes it next."""
    made = [path.stat().st_mtime for path in settings.outbox.glob(f"*/{STATUS}.html")]
    if not made or now.timestamp() - max(*made, since.timestamp()) <= _PAGE_OLD.total_seconds():
        return None
    return Closed(_NOT_WRITTEN, "→ 機械の管理者：ディスクの空きと outbox を見てください", _PAGE_STANDS)


def forget_the_future(instance: dg.DagsterInstance, now: dt.datetime) -> int:
    """Sensor and schedules begin anew where they last ran in the future: else they wait until it has come.

    A clock that was ahead for one look would silence them for as long.

    Returns:
        How many.
    """
    ahead = [state for state in instance.all_instigator_state() if _is_ahead(state, now + _LATE)]
    for state in ahead:
        instance.delete_instigator_state(state.instigator_origin_id, state.selector_id)
    return len(ahead)


def _is_ahead(state: InstigatorState, latest: dt.datetime) -> bool:
    """Whether a sensor or schedule that is on last ran after ``latest``."""
    data = state.instigator_data
    names = ("last_tick_timestamp", "last_tick_start_timestamp", "last_iteration_timestamp", "start_timestamp")
    known = [value for name in names if (value := getattr(data, name, None)) is not None]
    return state.status != InstigatorStatus.STOPPED and max(known, default=0.0) > latest.timestamp()


def _words(error: SerializableErrorInfo) -> tuple[str, str]:
    """In Japanese and in English; the text of an error that is not the project's own may quote anything."""
    found: SerializableErrorInfo | None = error
    while found is not None:
        if found.cls_name == ToldLoadError.__name__:
            return parted(found.message.partition(": ")[2].strip())
        found = found.cause
    return with_remedy(None, OF_MACHINE), f"the program could not be loaded ({error.cls_name}): ask `kodomo doctor`"
