"""The project as Dagster's own tool sees it: `dg check defs` loads the definitions as its code server does.

~5 s a test: the tool is a process that starts another one, and both import Dagster.
"""

from __future__ import annotations

import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import yaml

from kodomo_assets.doors.services import what_to_load
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


def test_every_tool_loads_one_module_under_one_name():
    """`dagster dev`, `dg dev` and `kodomo ui`: what is switched on in one is switched on in the others."""
    tools = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["tool"]
    (entry,) = yaml.safe_load((ROOT / "workspace.yaml").read_text("utf-8"))["load_from"]
    ours, project, by_python = what_to_load(), tools["dg"]["project"], entry["python_module"]
    assert {
        "kodomo": (ours.module_name, ours.location_name),
        "workspace.yaml": (by_python["module_name"], by_python["location_name"]),
        "[tool.dagster]": (tools["dagster"]["module_name"], tools["dagster"]["code_location_name"]),
        "[tool.dg.project]": (project["code_location_target_module"], project["code_location_name"]),
    } == dict.fromkeys(
        ("kodomo", "workspace.yaml", "[tool.dagster]", "[tool.dg.project]"),
        ("kodomo_assets.definitions", "kodomo_assets"),
    )
    assert project["root_module"] == "kodomo_assets"
    assert (by_python["working_directory"], ours.working_directory) == (".", str(ROOT))


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
