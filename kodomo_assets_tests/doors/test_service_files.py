"""Webserver and daemon, started by what `install-services` wrote and by nothing else: no variable of this shell is there.

~40 s: both start twice, each with a code server of its own.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
import xml.etree.ElementTree as ElementTree
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from kodomo_assets.__main__ import main
from kodomo_assets.catalogue import load_catalogue
from kodomo_assets.doors.service_files import Installation, install, services
from kodomo_assets.errors import ConfigurationError
from kodomo_assets.settings import Settings
from kodomo_assets_tests.offline import asked, healthy, heard, wait_for

#: Names that systemd, a shell and XML each read otherwise than they stand there.
ROOT_NAME = "100% 市役所 & $HOME 'こども' 第2"


@pytest.fixture
def installation(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """With its folders, before the first start; the variables of its environment."""
    root = tmp_path / ROOT_NAME
    for name in ("データ", "key", "home"):
        (root / name).mkdir(parents=True, mode=0o700)
    variables = {"KODOMO_DATA_DIR": "データ", "KODOMO_KEY_FILE": "key/鍵", "DAGSTER_HOME": "home"}
    for name, path in variables.items():
        monkeypatch.setenv(name, str(root / path))
    monkeypatch.delenv("KODOMO_CONFIG", raising=False)
    return Settings.from_environment()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Unit:
    """A unit as systemd reads it (systemd.syntax, systemd.service, systemd.exec): what is started, with what, where."""

    def __init__(self, path: Path) -> None:
        lines = [line for line in path.read_text("utf-8").splitlines() if line and line[0] not in "#["]
        self.settings: dict[str, list[str]] = {}
        for line in lines:
            name, _, value = line.partition("=")
            self.settings.setdefault(name, []).append(value)
        self.command = [word.replace("$$", "$") for word in self.words("ExecStart")]
        self.environment = dict(word.split("=", 1) for word in self.words("Environment"))
        self.folder = self.one("WorkingDirectory").replace("%%", "%")

    def one(self, name: str) -> str:
        (value,) = self.settings[name]
        return value

    def words(self, name: str) -> list[str]:
        found = re.findall(r'"((?:[^"\\]|\\.)*)"', " ".join(self.settings[name]))
        assert not re.sub(r'"(?:[^"\\]|\\.)*"', "", " ".join(self.settings[name])).strip()
        assert not any(re.search(r"(?<!%)(?:%%)*%(?!%)", word) for word in found)
        return [re.sub(r"\\(.)", r"\1", word).replace("%%", "%") for word in found]


@contextmanager
def started(unit: Unit) -> Iterator[subprocess.Popen[str]]:
    """As systemd starts it: nothing but the unit's own variables. Ended with all its children, as a unit's are."""
    process = subprocess.Popen(
        unit.command, cwd=unit.folder, env=unit.environment, text=True, start_new_session=True,
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    )  # fmt: skip
    try:
        yield process
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGTERM)
        # seen where the test failed
        sys.stdout.write(process.communicate(timeout=120)[0] or "")


def killed(process: subprocess.Popen[str]) -> None:
    os.killpg(process.pid, signal.SIGKILL)
    assert process.wait(60) == -signal.SIGKILL


def test_units_start_both_again_after_a_crash_and_once_only(installation, tmp_path, monkeypatch, capsys):
    port = free_port()
    monkeypatch.setattr("kodomo_assets_tests.offline.UI", f"http://127.0.0.1:{port}")
    to = tmp_path / "units"
    assert main(["install-services", "--to", str(to), "--port", str(port)]) == 0
    assert "systemctl enable kodomo-ui kodomo-daemon\n" in capsys.readouterr().out
    assert sorted(path.name for path in to.iterdir()) == ["kodomo-daemon.service", "kodomo-ui.service"]
    for variable in ("KODOMO_DATA_DIR", "KODOMO_KEY_FILE", "DAGSTER_HOME"):
        monkeypatch.delenv(variable)
    ui, daemon = Unit(to / "kodomo-ui.service"), Unit(to / "kodomo-daemon.service")
    # or no run could be ended from the UI: the code server's socket lies in the daemon's /tmp
    assert ui.one("JoinsNamespaceOf") == "kodomo-daemon.service"
    for unit in (ui, daemon):
        root = tmp_path / ROOT_NAME
        assert unit.environment == {"KODOMO_DATA_DIR": f"{root}/データ", "KODOMO_KEY_FILE": f"{root}/key/鍵", "DAGSTER_HOME": f"{root}/home", "PYTHONUTF8": "1"}  # fmt: skip
        assert unit.words("ReadWritePaths") == [f"{root}/{name}" for name in ("データ", "key", "home")]
        assert (unit.one("Restart"), unit.one("StartLimitIntervalSec"), unit.one("WantedBy"), unit.one("UMask")) == ("always", "0", "multi-user.target", "0077")  # fmt: skip
        assert unit.one("User") == installation.data_dir.owner()
        # the folder of the package, which no delivery reaches
        assert not Path(unit.folder).is_relative_to(installation.data_dir)

    with started(ui) as first, started(daemon) as beating:
        wait_for("the UI answers and all parts of the daemon beat", healthy)
        for unit, told in ((ui, "is another UI running?"), (daemon, "another daemon of it runs already")):
            with started(unit) as second:
                assert told in second.communicate(timeout=120)[0]
                assert second.returncode == 2
        killed(first)
        killed(beating)
    since = time.time()
    with started(ui), started(daemon):
        wait_for("the UI answers", lambda: bool(asked("{ version }")["version"]))
        wait_for("the daemon beats anew", lambda: heard() > since)
    assert [
        path.name for path in installation.data_dir.parent.iterdir() if path.name not in ("データ", "key", "home")
    ] == []


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="no systemd: its own opinion was not asked")
def test_systemd_itself_finds_nothing_to_say(installation, tmp_path):
    (tmp_path / "backups").mkdir()
    command = [
        "install-services",
        "--to",
        str(tmp_path / "units"),
        "--backup-to",
        str(tmp_path / "backups"),
        "--keep",
        "30",
    ]
    assert main(command) == 0
    units = sorted(map(str, (tmp_path / "units").iterdir()))
    said = subprocess.run(["systemd-analyze", "verify", *units], capture_output=True, text=True, check=False)
    own = [line for line in said.stderr.splitlines() if "kodomo" in line]
    assert (said.returncode, own) == (0, [])


def test_a_backup_is_a_timer_and_writes_where_it_goes(installation, tmp_path, capsys):
    to = tmp_path / "backups"
    command = ["install-services", "--to", str(tmp_path / "units"), "--backup-to", str(to), "--keep", "30"]
    assert main(command) == 2
    assert f"no folder {to}" in capsys.readouterr().err
    to.mkdir()
    assert main(command) == 0
    assert "enable kodomo-ui kodomo-daemon kodomo-backup.timer" in capsys.readouterr().out
    unit = Unit(tmp_path / "units" / "kodomo-backup.service")
    assert unit.command[1:] == ["-m", "kodomo_assets", "backup", str(to), "--keep", "30"]
    assert unit.words("ReadWritePaths")[-1] == str(to)
    assert (unit.one("Type"), "Restart" in unit.settings, "WantedBy" in unit.settings) == ("oneshot", False, False)
    timer = (tmp_path / "units" / "kodomo-backup.timer").read_text("utf-8")
    assert "OnCalendar=*-*-* 03:00:00 Asia/Tokyo\nPersistent=yes\n" in timer


def test_what_was_changed_by_hand_is_kept_and_told(installation, tmp_path, capsys):
    command = ["install-services", "--to", str(tmp_path / "units")]
    assert main(command) == 0
    unit = tmp_path / "units" / "kodomo-ui.service"
    written = unit.read_text("utf-8")
    unit.write_text(f"{written}# by hand\n", "utf-8")
    capsys.readouterr()
    assert main(command) == 0
    told = capsys.readouterr().out
    assert "kodomo-ui.service_旧1 として残しました" in told
    assert f"変わっていません：{unit.with_name('kodomo-daemon.service')}" in told
    assert unit.read_text("utf-8") == written
    assert unit.with_name("kodomo-ui.service_旧1").read_text("utf-8").endswith("# by hand\n")


def test_the_city_s_own_configuration_and_published_folder_go_with_it(installation, tmp_path, monkeypatch):
    (tmp_path / "for analysts").mkdir()
    (tmp_path / "082201").mkdir()
    overlay = f"publish: {{folder: '{tmp_path}/for analysts'}}\nhost: {{folder: '082201'}}\npool: {{code: '082201'}}\n"
    (tmp_path / "city.yaml").write_text(overlay, "utf-8")
    monkeypatch.setenv("KODOMO_CONFIG", str(tmp_path / "city.yaml"))
    assert main(["install-services", "--to", str(tmp_path / "units"), "--allow-host", "kodomo.city.example"]) == 0
    unit = Unit(tmp_path / "units" / "kodomo-ui.service")
    assert unit.environment["KODOMO_CONFIG"] == str(tmp_path / "city.yaml")
    assert unit.words("ReadWritePaths")[-2:] == [str(tmp_path / "for analysts"), str(tmp_path / "082201")]
    assert unit.command[-2:] == ["--allow-host", "kodomo.city.example"]


def test_nothing_leaves_the_machine_but_the_mails_that_a_city_asks_for(installation, tmp_path):
    for name, overlay in {
        "none": "",
        "mails": "notify: {server: mail.city.example, sender: a@city.example, to: [b@city.example]}\n",
    }.items():
        (installation.data_dir / "city.yaml").write_text(overlay, "utf-8")
        assert main(["install-services", "--to", str(tmp_path / name)]) == 0
    closed, open_to_mails = (Unit(tmp_path / name / "kodomo-daemon.service").settings for name in ("none", "mails"))
    assert (closed["IPAddressDeny"], closed["IPAddressAllow"]) == (["any"], ["localhost"])
    assert "IPAddressDeny" not in open_to_mails


def test_a_folder_that_is_missing_is_named_with_its_command_and_nothing_is_written(installation, tmp_path, capsys):
    installation.key_file.parent.rmdir()
    assert main(["install-services", "--to", str(tmp_path / "units")]) == 2
    told = capsys.readouterr().err
    assert f'install -d -m 700 -o <account> -g <account> "{installation.key_file.parent}"' in told
    assert not (tmp_path / "units").exists()


def test_a_path_that_no_unit_can_hold_is_refused(installation, tmp_path):
    there = Installation.of(installation, load_catalogue())
    broken = {"KODOMO_DATA_DIR": "/srv/a\nExecStart=/bin/sh"}
    of = replace(there, environment=broken)
    with pytest.raises(ConfigurationError, match="cannot stand in a unit"):
        install(tmp_path / "units", of, services(port=3000, allowed=(), backup_to=None, keep=None), windows=False)
    assert not (tmp_path / "units").exists()


# -- Windows: what the tasks start is started here; the Task Scheduler itself is not tried ----------------------------

TASK = "{http://schemas.microsoft.com/windows/2004/02/mit/task}"


def task(path: Path) -> dict[str, str]:
    """The settings of a task by their names, without those that stand in it twice."""
    root = ElementTree.fromstring(path.read_bytes())
    return {element.tag.removeprefix(TASK): element.text or "" for element in root.iter()}


def windows_words(text: str) -> list[str]:
    """As Windows takes a command apart, of paths that hold no quotes."""
    return [quoted or plain for quoted, plain in re.findall(r'"([^"]*)"|(\S+)', text)]


def test_a_task_starts_the_command_with_its_variables_and_keeps_what_it_says(installation, tmp_path, monkeypatch):
    """Beside a UI that listens already: the task's ends at once, and says in its log what it met."""
    to = tmp_path / "タスク 1"
    of = Installation.of(installation, load_catalogue())
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        told = install(to, of, services(port=port, allowed=(), backup_to=None, keep=None), windows=True)
        assert f'  schtasks /Create /F /TN kodomo-ui /XML "{to}/kodomo-ui.xml" /RU "{of.account}" /RP *' in told
        assert sorted(path.name for path in to.iterdir()) == [f"kodomo-{one}" for one in ("daemon.json", "daemon.xml", "ui.json", "ui.xml")]  # fmt: skip
        assert (to / "kodomo-ui.xml").read_bytes()[:2] in (b"\xff\xfe", b"\xfe\xff")
        said = task(to / "kodomo-ui.xml")
        assert (said["UserId"], said["ExecutionTimeLimit"], said["MultipleInstancesPolicy"]) == (
            of.account,
            "PT0S",
            "IgnoreNew",
        )
        assert {"BootTrigger", "TimeTrigger", "RestartOnFailure"} <= set(said)
        assert (said["DisallowStartIfOnBatteries"], said["StopIfGoingOnBatteries"]) == ("false", "false")
        command = [said["Command"], *windows_words(said["Arguments"])]
        ended = subprocess.run(
            command, cwd=said["WorkingDirectory"], env={}, capture_output=True, text=True, check=False
        )
    assert (ended.returncode, ended.stdout, ended.stderr) == (2, "", "")
    log = installation.dagster_home / "kodomo-ui.log"
    assert f"--port {port}: cannot be listened on" in log.read_text("utf-8")
    assert log.stat().st_mode & 0o077 == 0
    # it had the variables: the home was made ready
    assert (installation.dagster_home / "dagster.yaml").is_file()


def test_a_task_once_a_day(installation, tmp_path):
    of = Installation.of(installation, load_catalogue())
    (tmp_path / "b").mkdir()
    install(tmp_path / "t", of, services(port=1, allowed=(), backup_to=tmp_path / "b", keep=None), windows=True)
    said = task(tmp_path / "t" / "kodomo-backup.xml")
    assert (said["StartBoundary"][11:], said["DaysInterval"], "BootTrigger" in said) == ("03:00:00", "1", False)
    assert json.loads((tmp_path / "t" / "kodomo-backup.json").read_text("utf-8"))["arguments"] == [
        "backup",
        str(tmp_path / "b"),
    ]


def test_a_long_log_is_kept_once(tmp_path):
    file, log = tmp_path / "x.json", tmp_path / "x.log"
    file.write_text(json.dumps({"environment": {}, "arguments": ["refresh"], "log": str(log)}), "utf-8")
    log.write_bytes(b"x" * 5_000_001)
    subprocess.run([sys.executable, "-m", "kodomo_assets.doors.task", str(file)], check=False)
    assert "refresh needs a reference date" in log.read_text("utf-8")
    assert (tmp_path / "x.log.1").stat().st_size == 5_000_001
