"""What every start of the command line looks at before it reads a delivery: the key, and where temporary files go."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from kodomo_assets.__main__ import main
from kodomo_assets.catalogue import load_catalogue
from kodomo_assets.settings import Settings
from kodomo_assets.store.opening import open_to_write

ROOT = Path(__file__).parents[2]
DAY = "2025-04-01"


class Installation:
    def __init__(self, root: Path) -> None:
        self.root = root
        self.environment = {
            "KODOMO_DATA_DIR": str(root / "data"),
            "KODOMO_KEY_FILE": str(root / "key" / "k"),
            "DAGSTER_HOME": str(root / "home"),
        }

    @property
    def settings(self) -> Settings:
        return Settings.from_environment(self.environment)

    def run(self, *command: str, **environment: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, *command], cwd=self.root, capture_output=True, text=True, check=False,
            env={"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT), **self.environment, **environment},
        )  # fmt: skip


@pytest.fixture
def installation(tmp_path: Path) -> Installation:
    """With a database that has a key, and a delivery."""
    found = Installation(tmp_path)
    with open_to_write(found.settings, load_catalogue()):
        pass
    folder = found.settings.inbox / DAY
    folder.mkdir()
    (folder / "生活保護.csv").write_text("宛名番号,開始日,廃止日\n0000000001,2024-04-01,\n", "utf-8")
    return found


def replaced(key: Path) -> None:
    key.write_text("ab" * 32)


def opened_to_all(key: Path) -> None:
    key.chmod(0o666)


def emptied(key: Path) -> None:
    key.write_text("")


def shortened(key: Path) -> None:
    key.write_text(key.read_text()[:20])


@pytest.mark.parametrize(
    ("spoil", "told"),
    [
        (Path.unlink, "the pseudonym key is missing"),
        (replaced, "is not the pseudonym key that kodomo.duckdb was made with"),
        (opened_to_all, "others may read the pseudonym key (mode 0666)"),
        (emptied, "found an empty file"),
        (shortened, "expected at least 64 hex digits"),
    ],
)
def test_a_wrong_key_is_refused_before_anything_is_read(
    installation: Installation,
    spoil: Callable[[Path], None],
    told: str,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    spoil(installation.settings.key_file)
    before = installation.settings.database.read_bytes()
    monkeypatch.chdir(installation.root)
    for variable, value in installation.environment.items():
        monkeypatch.setenv(variable, value)
    for command in ("refresh", "after-meeting"):
        assert main([command, DAY]) == 2
        refused = capfd.readouterr().err
        assert refused.count("\n") == 3
        assert told in refused
    assert installation.settings.database.read_bytes() == before
    assert spoil is not Path.unlink or not installation.settings.key_file.exists()


def test_a_service_started_from_another_folder_makes_no_key_of_its_own(installation: Installation) -> None:
    """It knows the data folder, and looks for the key where it was started."""
    refused = installation.run(
        "-m", "kodomo_assets", "refresh", DAY, KODOMO_KEY_FILE=str(installation.root / "x" / "k")
    )
    assert refused.returncode == 2
    assert "start every service with the same KODOMO_KEY_FILE" in refused.stderr
    assert not (installation.root / "x").exists()


WATCHED = """
import json, os, sys, tempfile
made = set()
def watch(event, arguments):
    if event in ("tempfile.mkstemp", "tempfile.mkdtemp", "os.mkdir"):
        made.add(str(arguments[0]))
    if event == "open" and isinstance(arguments[0], str) and arguments[2] & (os.O_WRONLY | os.O_RDWR | os.O_CREAT):
        made.add(str(arguments[0]))
sys.addaudithook(watch)
from kodomo_assets.__main__ import main
main(["refresh", sys.argv[1]])
print(json.dumps(sorted(made)))
"""


def test_a_refresh_writes_nothing_outside_its_folders(installation: Installation) -> None:
    """Nothing that any library opens to write: ~7 s, a process of its own that imports and runs all of it."""
    run = installation.run("-c", WATCHED, DAY, MPLCONFIGDIR=str(installation.root / "home"))
    assert "生活保護: 1 rows in" in run.stderr
    written = json.loads(run.stdout.splitlines()[-1])
    assert any("/data/.scratch/" in path for path in written)
    outside = [
        path for path in written
        if not path.startswith((str(installation.root), "/dev/"))
        and not path.endswith(".pyc") and "__pycache__" not in path and "/.cache/" not in path
    ]  # fmt: skip
    assert outside == []


AT_ONCE = """
import os, sys
from kodomo_assets.defs.running import dagster_of
from kodomo_assets.machine.home import prepare_home
from kodomo_assets.settings import Settings
settings = Settings.from_environment()
prepare_home(settings)
waits, goes = os.pipe()
children = []
for _ in range(8):
    if not (child := os.fork()):
        os.close(goes)
        os.read(waits, 1)
        with dagster_of(settings) as instance:
            instance.get_runs(), instance.get_daemon_heartbeats(), instance.event_log_storage.get_maximum_record_id()
        os._exit(0)
    children.append(child)
os.close(goes)
sys.exit(sum(os.waitpid(child, 0)[1] != 0 for child in children))
"""


def test_services_that_a_machine_starts_together_make_one_home(installation: Installation) -> None:
    """The databases of Dagster's home, by eight processes at once: without a gate some fail, and the home is spoilt."""
    # from Python 3.12 on a fork beside threads warns; the children do nothing with these
    run = installation.run("-W", "ignore::DeprecationWarning", "-c", AT_ONCE)
    assert (run.returncode, run.stderr) == (0, "")
