"""A city.yaml that cannot be read stops schedules and sensors: the daemon says so where people look."""

from __future__ import annotations

import datetime as dt
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from zoneinfo import ZoneInfo

import dagster as dg
import pytest
from dagster_shared.error import SerializableErrorInfo

from kodomo_assets.catalogue import load_catalogue
from kodomo_assets.doors.loading import LookingMonitor, forget_the_future, watching_daemons
from kodomo_assets.doors.services import what_to_load
from kodomo_assets.internals import InstigatorState, InstigatorStatus, TickStatus, WorkspaceProcessContext
from kodomo_assets.machine.home import prepare_home
from kodomo_assets.refreshing.status import write_closed
from kodomo_assets.settings import Settings
from kodomo_assets.stages.papers.status import Closed
from kodomo_assets.store.own_settings import keep_own
from kodomo_assets_tests.internals import InstigatorType, SensorInstigatorData, TickData
from kodomo_assets_tests.papers.test_notices import server

__all__ = ["server"]

DAY = "2025-04-01"
STOPPED = "プログラムが設定を読み込めないので、更新も受信フォルダーの見回りも止まっています"


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """An installation to which one file was delivered."""
    for name, place in (
        ("KODOMO_DATA_DIR", "data"), ("KODOMO_KEY_FILE", "key/k"), ("DAGSTER_HOME", "home"),
    ):  # fmt: skip
        monkeypatch.setenv(name, str(tmp_path / place))
    delivered = tmp_path / "data" / "inbox" / DAY / "生活保護.csv"
    delivered.parent.mkdir(parents=True)
    delivered.write_text("宛名番号,開始日,廃止日\n1,2024-04-01,\n", "utf-8")
    found = Settings.from_environment()
    prepare_home(found)
    return found


@contextmanager
def loaded() -> Iterator[WorkspaceProcessContext]:
    """The program as the daemon loads it: in a code server of its own."""
    with dg.DagsterInstance.get() as instance, WorkspaceProcessContext(instance, what_to_load()) as context:
        yield context


def look(monitor: LookingMonitor) -> None:
    with loaded() as context:
        assert not [told for told in monitor.run_iteration(context) if told is not None]


def told(settings: Settings) -> str:
    folder = settings.outbox / DAY
    return (folder / "要対応.txt").read_text("utf-8-sig") + (folder / "状況.html").read_text("utf-8")


def test_what_cannot_be_loaded_is_told_on_page_and_notice_and_by_mail(settings, server):
    with dg.DagsterInstance.get() as instance:
        (monitor,) = (one for one in watching_daemons(instance) if isinstance(one, LookingMonitor))
    city = settings.data_dir / "city.yaml"
    notify = f"{{server: 127.0.0.1, port: {server.port}, sender: kodomo@city.example, to: [a@city.example]}}"
    city.write_text(f"notify: {notify}\n", "utf-8")
    # as a refresh leaves it
    keep_own(Settings.from_environment())
    look(monitor)
    assert not settings.outbox.exists()
    city.write_text(f"notify: {notify}\nscreening: {{share: 0.1}}\n", "utf-8")
    look(monitor)
    look(monitor)
    text = told(settings)
    assert text.count(STOPPED) == 2
    assert text.count("screening.share") == 3
    assert "設定（city.yaml）か、打った値の誤りです。上の文の場所を直してください" in text
    # to whom the last one that could be read says, once of each date that somebody waits for
    assert [(to, STOPPED in mailed) for to, _, mailed in server.mails] == [(["a@city.example"], True)] * 2


# ---- the looks of the sensor


def now() -> dt.datetime:
    """When it is asked: a file of tests may be loaded long before its turn comes."""
    return dt.datetime.now(dt.UTC)


def sensor_state(instance: dg.DagsterInstance, status: InstigatorStatus, last: dt.datetime) -> InstigatorState:
    """As the daemon keeps it of a sensor that last looked at ``last``."""
    with loaded() as context:
        ((_, location),) = context.create_request_context().get_code_location_entries().items()
        (repository,) = location.code_location.get_repositories().values()
        (sensor,) = repository.get_sensors()
    data = SensorInstigatorData(last_tick_timestamp=last.timestamp(), last_tick_start_timestamp=last.timestamp())
    state = InstigatorState(sensor.get_remote_origin(), InstigatorType.SENSOR, status, data)
    instance.add_instigator_state(state)
    return state


@pytest.fixture
def closed(settings) -> Callable[[dt.timedelta], str]:
    """What page and notice say after a look of the monitor that began so long ago; nothing where they say nothing."""
    (settings.outbox / DAY).mkdir(parents=True)
    (settings.outbox / DAY / "状況.html").write_text("of a look that was well", "utf-8")

    def found(began: dt.timedelta) -> str:
        with dg.DagsterInstance.get() as instance:
            (monitor,) = (one for one in watching_daemons(instance) if isinstance(one, LookingMonitor))
        monitor._since = now() - began
        look(monitor)
        notice = settings.outbox / DAY / "要対応.txt"
        return notice.read_text("utf-8-sig") if notice.exists() else ""

    return found


def test_a_sensor_that_is_switched_off_is_told(closed):
    with dg.DagsterInstance.get() as instance:
        sensor_state(instance, InstigatorStatus.STOPPED, now())
    assert "受信フォルダーの見回りが画面で止められているので" in closed(dt.timedelta(0))


def test_looks_that_come_to_no_end_are_told_but_not_at_the_start(closed):
    """As where the inbox lies on a share that hangs: Dagster ends the looks from outside."""
    since = now() - dt.timedelta(hours=2)
    with dg.DagsterInstance.get() as instance:
        state = sensor_state(instance, InstigatorStatus.RUNNING, now())
        for then, status in (
            (since, TickStatus.SKIPPED),
            (now() - dt.timedelta(minutes=1), TickStatus.FAILURE),
        ):
            instance.create_tick(
                TickData(
                    state.instigator_origin_id, "inbox_sensor", InstigatorType.SENSOR, status, then.timestamp(),
                    selector_id=state.selector_id, end_timestamp=then.timestamp(),
                    error=SerializableErrorInfo("timed out", [], None) if status == TickStatus.FAILURE else None,
                )
            )  # fmt: skip
    assert closed(dt.timedelta(minutes=5)) == ""
    told = closed(dt.timedelta(hours=1))
    begun = since.astimezone(ZoneInfo("Asia/Tokyo"))
    assert f"受信フォルダーの見回りが終わらないので（{begun:%Y-%m-%d %H:%M}から）、更新は止まっています" in told


def test_what_last_ran_in_the_future_begins_anew(settings):
    """A clock that was ahead for one look would silence the sensor until that time has come."""
    with dg.DagsterInstance.get() as instance:
        sensor_state(instance, InstigatorStatus.RUNNING, now() + dt.timedelta(days=10))
        assert forget_the_future(instance, now()) == 1
        assert instance.all_instigator_state() == []
        sensor_state(instance, InstigatorStatus.RUNNING, now())
        assert forget_the_future(instance, now()) == 0
        assert len(instance.all_instigator_state()) == 1


def test_a_clock_that_lost_the_time_takes_no_notice_away(settings):
    notice = settings.outbox / DAY / "要対応.txt"
    long_ago = dt.datetime(2015, 1, 1, tzinfo=dt.UTC)
    write_closed(settings, load_catalogue(), long_ago, Closed("止まっています", "理由", "why"))
    assert "止まっています" in notice.read_text("utf-8-sig")
    shutil.rmtree(settings.inbox / DAY)
    shutil.rmtree(settings.outbox / DAY)
    write_closed(settings, load_catalogue(), long_ago, Closed("止まっています", "理由", "why"))
    assert not settings.outbox.exists() or not [*settings.outbox.iterdir()]


def test_what_cannot_be_written_is_mailed_once_an_hour(settings, server):
    """As on a full disk: page and notice stand still, and say what was before."""
    notify = f"{{server: 127.0.0.1, port: {server.port}, sender: kodomo@city.example, to: [a@city.example]}}"
    (settings.data_dir / "city.yaml").write_text(f"notify: {notify}\n", "utf-8")
    keep_own(Settings.from_environment())
    # nothing can be put in its place
    (settings.outbox / DAY / "状況.html").mkdir(parents=True)
    (settings.outbox / DAY / "状況.html" / "x").write_text("", "utf-8")
    long_ago = (now() - dt.timedelta(hours=2)).timestamp()
    os.utime(settings.outbox / DAY / "状況.html", (long_ago, long_ago))
    with dg.DagsterInstance.get() as instance:
        state = sensor_state(instance, InstigatorStatus.RUNNING, now())
        instance.create_tick(
            TickData(
                state.instigator_origin_id, "inbox_sensor", InstigatorType.SENSOR, TickStatus.SKIPPED, now().timestamp(),
                selector_id=state.selector_id, end_timestamp=now().timestamp(),
            )
        )  # fmt: skip
        (monitor,) = (one for one in watching_daemons(instance) if isinstance(one, LookingMonitor))
    look(monitor)
    assert server.mails == []
    monitor._since = now() - dt.timedelta(hours=1)
    for _ in range(2):
        look(monitor)
    ((to, subject, text),) = server.mails
    assert (to, subject) == (["a@city.example"], "kodomo：要対応")
    assert "状況.htmlを作り直せません" in text
