"""`kodomo doctor`: what is wrong is found, said to who can mend it, and nothing else is; nothing is changed by looking."""

from __future__ import annotations

import datetime as dt
import errno
import os
import shutil
import socket
import subprocess
import sys
from collections import namedtuple
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib import metadata
from pathlib import Path

import dagster as dg
import pytest

from kodomo_assets.__main__ import main
from kodomo_assets.catalogue import load_catalogue
from kodomo_assets.doors.doctor import NOTE, WELL, WRONG, Finding, examine, page
from kodomo_assets.machine.home import make_home
from kodomo_assets.machine.ports import listeners, reachable_from_elsewhere
from kodomo_assets.settings import Settings
from kodomo_assets.store.backups import back_up
from kodomo_assets.store.connection import connect
from kodomo_assets.store.opening import open_to_write
from kodomo_assets.store.own_settings import keep_own
from kodomo_assets_tests.defs.conftest import started
from kodomo_assets_tests.holder import held
from kodomo_assets_tests.internals import DaemonHeartbeat

NOW = dt.datetime.now(dt.UTC)


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """An installation that was set up and not refreshed yet."""
    for name, place in (("KODOMO_DATA_DIR", "data"), ("KODOMO_KEY_FILE", "key/k"), ("DAGSTER_HOME", "home")):
        monkeypatch.setenv(name, str(tmp_path / place))
    made = Settings.from_environment()
    make_home(made)
    started(made)
    with open_to_write(made, load_catalogue()):
        pass
    (made.data_dir / "city.yaml").write_text("{}", "utf-8")
    (made.data_dir / "city.yaml").chmod(0o600)
    return Settings.from_environment()


@pytest.fixture
def port() -> int:
    """One on which nobody listens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def found(settings: Settings, what: str, port: int = 1, now: dt.datetime = NOW) -> list[Finding]:
    return [one for one in examine(settings, port, now) if one.what == what]


def content_of(root: Path) -> dict[str, bytes]:
    return {path.as_posix(): path.read_bytes() for path in root.rglob("*") if path.is_file()}


def test_of_a_new_installation_it_says_what_is_still_to_do_and_changes_nothing(settings, tmp_path, port, capsys):
    before = content_of(tmp_path)
    assert main(["doctor", "--port", str(port)]) == 2
    told = capsys.readouterr().out
    assert content_of(tmp_path) == before
    marks = {line.split("：")[0] for line in told.splitlines() if line[:1] in (WELL, NOTE, WRONG)}
    assert marks == {
        f"{WELL} プログラム", f"{WELL} 場所", f"{WELL} 設定", f"{NOTE if os.geteuid() == 0 else WELL} アカウント",
        f"{WELL} 権限", f"{WELL} データベース", f"{WELL} 途中で止まったコマンド", f"{WELL} 暗号化", f"{WELL} 仮名の鍵", f"{WELL} 分析用のデータベース", f"{WELL} ディスク",
        f"{WELL} メモリー", f"{WELL} 時計", f"{WELL} 時間帯", f"{WELL} 文字コード", f"{NOTE} 画面", f"{WRONG} デーモン",
        f"{WELL} 予定", f"{NOTE} 状況のページ", f"{WRONG} バックアップ",
    } | ({f"{NOTE} 時計"} & marks)  # fmt: skip
    assert "直すもの（×）2" in told


def test_where_nothing_is_it_says_so(tmp_path, monkeypatch, capsys):
    for name in ("KODOMO_DATA_DIR", "KODOMO_KEY_FILE", "DAGSTER_HOME"):
        monkeypatch.setenv(name, str(tmp_path / "nowhere" / name))
    assert main(["doctor"]) == 2
    told = capsys.readouterr().out
    assert f"× 場所：KODOMO_DATA_DIR：{tmp_path / 'nowhere' / 'KODOMO_DATA_DIR'} がありません" in told
    assert "unexpected" not in told
    assert list(tmp_path.iterdir()) == []


def test_a_variable_that_is_not_set_is_told(settings, monkeypatch):
    monkeypatch.delenv("KODOMO_KEY_FILE")
    first, *_ = found(Settings.from_environment(), "場所")
    assert first.mark == NOTE
    assert first.found.startswith("KODOMO_KEY_FILE が設定されていないので")


def broken_configuration(settings: Settings) -> None:
    (settings.data_dir / "city.yaml").write_text("screening: {top_shar: 0.1}", "utf-8")


def lost_key(settings: Settings) -> None:
    settings.key_file.unlink()


def another_key(settings: Settings) -> None:
    settings.key_file.write_text("ab" * 32, "ascii")


def open_key(settings: Settings) -> None:
    settings.key_file.chmod(0o644)


def newer_database(settings: Settings) -> None:
    with connect(settings.database) as con:
        con.execute("insert into store.migrations values (9999, 'of_tomorrow', now())")


def no_database_at_all(settings: Settings) -> None:
    settings.database.write_bytes(b"x" * 5000)


def readable_inbox(settings: Settings) -> None:
    settings.data_dir.chmod(0o755)
    settings.inbox.chmod(0o755)


def another_home(settings: Settings) -> None:
    path = settings.dagster_home / "dagster.yaml"
    path.write_text(path.read_text("utf-8").replace("enabled: false", "enabled: true"), "utf-8")


def inbox_away(settings: Settings) -> None:
    settings.inbox.rename(settings.data_dir / "away")


def lost_settings(settings: Settings) -> None:
    file = settings.data_dir / "city.yaml"
    file.write_text("screening: {share_percent: 7}", "utf-8")
    keep_own(Settings.from_environment())
    file.write_bytes(b"")


@pytest.mark.parametrize(
    ("spoil", "what", "told"),
    [
        (broken_configuration, "設定", "top_shar"),
        (lost_key, "仮名の鍵", "ありません"),
        (another_key, "仮名の鍵", "このデータの鍵ではありません"),
        (open_key, "仮名の鍵", "ほかの人も開けます（mode 0644）"),
        (newer_database, "データベース", "9999 of_tomorrow"),
        (no_database_at_all, "データベース", "DuckDBのデータベースではありません"),
        (readable_inbox, "権限", "設定と違うところが"),
        (another_home, "場所", "telemetry.enabled"),
        (inbox_away, "場所", "ここから読んだデータがあります"),
        (lost_settings, "設定", "city.yaml: is empty, but"),
    ],
)
def test_what_is_wrong_is_found(settings: Settings, spoil: Callable[[Settings], None], what: str, told: str):
    (before,) = found(settings, what)
    assert before.mark == WELL
    spoil(settings)
    (wrong,) = [one for one in found(settings, what) if one.mark == WRONG]
    assert told in wrong.found
    assert wrong.remedy


def test_what_nobody_can_reach_is_no_fault_to_be_mended_now(settings):
    (settings.inbox / "2025-04-01").mkdir()
    (settings.inbox / "2025-04-01").chmod(0o755)
    (closed,) = found(settings, "権限")
    assert closed.mark == NOTE
    assert closed.found.endswith("誰にも見えないところが 1 か所")


def test_a_database_that_is_cut_off_is_told_with_its_name_and_who_puts_the_backup_back(settings):
    content = settings.database.read_bytes()
    settings.database.write_bytes(content[: len(content) // 3])
    (cut,) = found(settings, "データベース")
    assert cut.mark == WRONG
    assert cut.found.startswith("kodomo.duckdb")
    assert "kodomo restore" in cut.remedy
    # no refresh ends that would make it
    (published,) = found(settings, "分析用のデータベース")
    assert published.mark == NOTE
    assert "読めないので" in published.found


def test_a_home_that_knows_nothing_of_the_refresh_is_told(settings, instance, tmp_path, monkeypatch):
    run = instance.create_run_for_job(dg.job(name="any")(lambda: None)).run_id
    with connect(settings.database) as con:
        columns = {"run_id": run, "asset": "x", "reference_date": "2025-04-01", "files_state": "", "finished_at": NOW}
        placed = ", ".join(f"${number}" for number in range(1, 1 + len(columns)))
        con.execute(f"insert into published.refreshes ({', '.join(columns)}) values ({placed})", [*columns.values()])
    (own,) = found(settings, "実行の記録")
    assert own.mark == WELL
    for home in (tmp_path / "another", settings.key_file):
        monkeypatch.setenv("DAGSTER_HOME", str(home))
        (other,) = found(Settings.from_environment(), "実行の記録")
        assert other.mark == WRONG
        assert "記録がありません" in other.found
    assert f"{settings.key_file} はフォルダーではありません" in [
        one.found for one in found(Settings.from_environment(), "場所")
    ]


def test_an_account_that_may_see_nothing_is_told_that_and_nothing_else(settings, monkeypatch):
    real = Path.stat

    def closed(path: Path, *, follow_symlinks: bool = True) -> os.stat_result:
        if path != settings.data_dir and path.is_relative_to(settings.data_dir):
            raise PermissionError(errno.EACCES, "", str(path))
        return real(path, follow_symlinks=follow_symlinks)

    monkeypatch.setattr(Path, "stat", closed)
    owner = os.geteuid()
    monkeypatch.setattr(os, "geteuid", lambda: owner + 4321)
    told = examine(Settings.from_environment(), 1, NOW)
    assert told[-1].what == "アカウント"
    assert "このコマンドを動かしているアカウントと違います" in told[-1].found
    assert [one.what for one in told if one.mark == WRONG] == ["アカウント"]


def test_the_page_is_told_in_any_locale(settings, port):
    """By a program of its own: the locale is read when it starts."""
    environment = {**os.environ, "LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
    command = [sys.executable, "-m", "kodomo_assets", "doctor", "--port", str(port)]
    done = subprocess.run(command, env=environment, capture_output=True, check=False, timeout=600)
    assert done.returncode == 2
    assert "× 文字コード：ファイル名の文字コードが ascii です" in done.stdout.decode()


@pytest.mark.parametrize("command", [["accounts"], ["backup", "DISK"]])
def test_a_reader_that_goes_away_is_no_fault(settings, tmp_path, monkeypatch, capsys, command):
    read, write = os.pipe()
    os.close(read)
    with os.fdopen(write, "w") as gone:
        monkeypatch.setattr(sys, "stdout", gone)
        assert main([word.replace("DISK", str(tmp_path / "disk")) for word in command]) == 141
    assert "error" not in capsys.readouterr().err


def test_a_package_of_another_version_is_named(settings, monkeypatch):
    version = metadata.version
    monkeypatch.setattr(metadata, "version", lambda name: "0.1" if name == "duckdb" else version(name))
    (program,) = found(settings, "プログラム")
    assert program.mark == WRONG
    assert "duckdb 0.1（<2.1,>=1.5.5）" in program.found


def test_a_full_disk_is_told_before_a_refresh_meets_it(settings, monkeypatch):
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage(10**12, 10**12, 10**8))
    wrong = [one for one in found(settings, "ディスク") if one.mark == WRONG]
    assert [one.found.partition(" ")[0] for one in wrong] == [str(settings.data_dir), str(settings.dagster_home)]
    assert "空き 0.1 GB（必要 2.0 GB）" in wrong[0].found


def test_a_clock_that_was_set_back_is_told(settings):
    (clock,) = found(settings, "時計", now=dt.datetime(2020, 1, 1, tzinfo=dt.UTC))
    assert clock.mark == WRONG
    assert "いまは 2020-01-01 09:00 だと言っていますが" in clock.found


@contextmanager
def listening(address: str) -> Iterator[int]:
    with socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET) as server:
        server.bind((address, 0))
        server.listen()
        yield int(server.getsockname()[1])


@pytest.mark.parametrize(
    ("address", "elsewhere"),
    [("127.0.0.1", False), ("127.0.0.9", False), ("0.0.0.0", True), ("::1", False), ("::", True)],
)
def test_where_a_port_is_listened_on_is_known(address: str, elsewhere: bool):
    try:
        with listening(address) as port:
            assert listeners(port) == [address]
            assert reachable_from_elsewhere(address) is elsewhere
    except OSError:
        if ":" not in address:
            raise
        pytest.skip("this machine has no IPv6")


def test_another_program_at_the_port_is_told_and_whether_others_reach_it(settings):
    with socket.socket() as server:
        server.bind(("0.0.0.0", 0))
        server.listen()
        port = int(server.getsockname()[1])
        script = (
            "import socket, sys\nserver = socket.socket(fileno=int(sys.argv[1]))\n"
            "while True:\n    one, _ = server.accept(); one.sendall(b'hello\\r\\n'); one.close()"
        )
        os.set_inheritable(server.fileno(), True)
        with subprocess.Popen([sys.executable, "-c", script, str(server.fileno())], close_fds=False) as other:
            first, second = found(settings, "画面", port)
            other.kill()
    assert (first.mark, second.mark) == (WRONG, WRONG)
    assert "ほかの機械からも開けます（0.0.0.0）" in first.found
    assert "別のプログラムが使っています" in second.found


@pytest.fixture
def instance(settings: Settings) -> Iterator[dg.DagsterInstance]:
    with dg.DagsterInstance.get() as instance:
        # what a daemon makes on its first day
        instance.get_runs()
        yield instance


@pytest.mark.parametrize(
    ("age", "mark", "told"),
    [
        (10, WELL, "動いています"),
        (3600, WRONG, "止まっています"),
        (-864_000, WRONG, "これから来る時刻（"),
    ],
)
def test_whether_the_daemon_lives_is_told(settings, instance, age, mark, told):
    instance.add_daemon_heartbeat(DaemonHeartbeat(NOW.timestamp() - age, "SENSOR", "x", []))
    (daemon,) = found(settings, "デーモン")
    assert daemon.mark == mark
    assert daemon.found.startswith(told)


def test_a_page_of_tomorrow_and_a_mail_that_was_not_sent_are_told(settings):
    folder = settings.outbox / "2025-04-01"
    folder.mkdir(parents=True)
    (folder / "状況.html").write_text("", "utf-8")
    (folder / "要対応.txt").write_text("要対応\r\nメール：まだ送れていません（3回）\r\n", "utf-8")
    tomorrow = NOW.timestamp() + 86_400
    os.utime(folder / "状況.html", (tomorrow, tomorrow))
    assert [(one.mark, one.found.partition("：")[0]) for one in found(settings, "状況のページ")] == [
        (WRONG, "知らせのメールが送れていません"),
        (WRONG, "これから来る時刻に作ったことになっています"),
    ]


def test_where_no_variable_names_the_home_it_is_the_usual_one(settings, instance, monkeypatch):
    instance.add_daemon_heartbeat(DaemonHeartbeat(NOW.timestamp(), "SENSOR", "x", []))
    monkeypatch.delenv("DAGSTER_HOME")
    marks = {one.what: one.mark for one in examine(settings, 1, NOW)}
    assert (marks["デーモン"], marks["予定"]) == (WELL, WELL)


def test_a_schedule_that_was_turned_off_is_named(settings):
    (before,) = found(settings, "予定")
    assert before.mark == WELL
    # as a person does in the UI, by Dagster's own command
    dagster = Path(sys.executable).with_name("dagster")
    command = [dagster, "schedule", "stop", "termly_refresh_schedule", "-m", "kodomo_assets.definitions"]
    subprocess.run(command, check=True, capture_output=True, timeout=600)
    (after,) = found(settings, "予定")
    assert after.mark == WRONG
    assert after.found == "切ってあります：termly_refresh_schedule"


def test_a_refresh_under_way_hides_nothing_else(settings):
    part = settings.outbox / "2025-04-01" / ".x.part"
    part.parent.mkdir(parents=True)
    part.write_bytes(b"x")
    with held(settings.database):
        everything = {one.what: one.mark for one in examine(settings, 1, NOW)}
    afterwards = {one.what: one.mark for one in examine(settings, 1, NOW)}
    assert everything["データベース"] == NOTE
    assert everything.keys() == afterwards.keys()
    # what is half written is the refresh's own until nobody writes
    left = "途中で止まったコマンド"
    assert (everything[left], afterwards[left]) == (WELL, NOTE)


def test_the_last_backup_is_told_and_one_that_is_old(settings, tmp_path):
    back_up(settings, load_catalogue(), tmp_path / "disk", now=NOW)
    (fresh,) = found(settings, "バックアップ")
    assert fresh.mark == NOTE
    assert fresh.found.startswith("データと同じディスクにあります：最後は ")
    (old,) = found(settings, "バックアップ", now=NOW + dt.timedelta(days=8))
    assert old.mark == WRONG
    assert "7 日より前です" in old.found
    shutil.rmtree(tmp_path / "disk")
    (gone,) = found(settings, "バックアップ")
    assert gone.mark == NOTE


def test_nobody_is_on_the_page(begun_city, tmp_path):
    """Every name and number of the city, held against the page: ~2 s."""
    city = begun_city.copy(tmp_path / "city")
    text = "\n".join(page(city.settings, examine(city.settings, 1, NOW), NOW))
    people = city.query("select distinct resident_id, name from sources.resident_register")
    assert len(people) > 1000
    assert [number for number, name in people if number in text or (name and name in text)] == []
    assert "○ データベース" in text
    assert text.count("最後の更新") == 1
