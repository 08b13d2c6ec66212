"""A city.yaml that cannot be read stops schedules and sensors: the daemon says so where people look."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import dagster as dg
import pytest

from kodomo_assets.doors.loading import LoadingMonitor, watching_daemons
from kodomo_assets.doors.services import what_to_load
from kodomo_assets.internals import WorkspaceProcessContext
from kodomo_assets.machine.home import prepare_home
from kodomo_assets.settings import Settings
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


def look(monitor: LoadingMonitor) -> None:
    with loaded() as context:
        assert not [told for told in monitor.run_iteration(context) if told is not None]


def told(settings: Settings) -> str:
    folder = settings.outbox / DAY
    return (folder / "要対応.txt").read_text("utf-8-sig") + (folder / "状況.html").read_text("utf-8")


def test_what_cannot_be_loaded_is_told_on_page_and_notice_and_by_mail(settings, server):
    with dg.DagsterInstance.get() as instance:
        (monitor,) = (one for one in watching_daemons(instance) if isinstance(one, LoadingMonitor))
    city = settings.data_dir / "city.yaml"
    notify = f"{{server: 127.0.0.1, port: {server.port}, sender: kodomo@city.example, to: [a@city.example]}}"
    city.write_text(f"notify: {notify}\n", "utf-8")
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
