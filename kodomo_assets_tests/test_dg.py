"""The project as Dagster's own tool sees it: `dg check defs` loads the definitions as its code server does."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from kodomo_assets.machine.home import make_home
from kodomo_assets.settings import Settings

ROOT = Path(__file__).parents[1]


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    found = {
        "KODOMO_DATA_DIR": str(tmp_path / "data"),
        "KODOMO_KEY_FILE": str(tmp_path / "pseudonym.key"),
        "DAGSTER_HOME": str(tmp_path / "dagster"),
    }
    make_home(Settings.from_environment(found))
    # what dg remembers of itself goes there
    return {"PATH": "", "HOME": str(tmp_path), **found}


def check_defs(environment: dict[str, str]) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", "from dagster_dg_cli.cli import main; main()", "check", "defs"]
    return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)


def test_the_definitions_load(environment, tmp_path):
    found = check_defs(environment)
    assert found.returncode == 0, found.stdout + found.stderr
    assert "All definitions loaded successfully." in found.stdout
    # neither the warning of another environment nor a file for Dagster's use statistics
    assert "does not match" not in found.stdout + found.stderr
    assert not list(tmp_path.rglob(".telemetry"))


def test_a_mistake_in_the_configuration_is_told(environment, tmp_path):
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "city.yaml").write_text("screening: {share: 5}")
    found = check_defs(environment)
    assert found.returncode == 1
    assert "city.yaml: unknown key screening.share" in found.stdout + found.stderr


def test_without_the_private_home_it_refuses(environment):
    found = check_defs({**environment, "DAGSTER_HOME": ""})
    assert found.returncode == 1
    assert "DAGSTER_HOME is not set" in found.stdout + found.stderr
