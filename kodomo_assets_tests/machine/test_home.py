"""What must hold however Dagster is started: a private home, nothing kept that may quote a record (decision 15)."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from kodomo_assets.errors import ConfigurationError
from kodomo_assets.machine.home import CONFIGURATION, make_home, require_private_home, shipped_configuration
from kodomo_assets.settings import Settings

ROOT = Path(__file__).parents[2]


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings.from_environment(
        {"KODOMO_DATA_DIR": str(tmp_path / "data"), "DAGSTER_HOME": str(tmp_path / "new" / "home")}
    )


def test_a_home_is_made_whole_and_private(settings):
    make_home(settings)
    assert settings.dagster_home.stat().st_mode & 0o777 == 0o700
    assert [path.name for path in settings.dagster_home.iterdir()] == [CONFIGURATION]
    assert (settings.dagster_home / CONFIGURATION).read_bytes() == shipped_configuration()


def test_a_home_that_others_may_read_is_narrowed(settings):
    settings.dagster_home.mkdir(parents=True)
    settings.dagster_home.chmod(0o755)
    make_home(settings)
    assert settings.dagster_home.stat().st_mode & 0o777 == 0o700


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"telemetry": {"enabled": True}}, "telemetry.enabled: found True, expected False"),
        ({"telemetry": None}, "telemetry.enabled: found None, expected False"),
        ({"compute_logs": None}, "compute_logs.class: found None, expected 'NoOpComputeLogManager'"),
        ({"concurrency": {"runs": {"max_concurrent_runs": 2}}}, "max_concurrent_runs: found 2, expected 1"),
        (
            {"python_logs": {"managed_python_loggers": ["root"]}},
            r"managed_python_loggers: found \['root'\], expected None",
        ),
    ],
)
def test_a_configuration_that_keeps_data_is_refused_and_left_alone(settings, change, told):
    make_home(settings)
    path = settings.dagster_home / CONFIGURATION
    path.write_text(yaml.safe_dump({**yaml.safe_load(shipped_configuration()), **change}))
    changed = path.read_bytes()
    with pytest.raises(ConfigurationError, match=told):
        make_home(settings)
    assert path.read_bytes() == changed


@pytest.mark.parametrize("content", ["", "telemetry: [", "- a list"])
def test_a_configuration_that_says_nothing_is_refused(settings, content):
    make_home(settings)
    (settings.dagster_home / CONFIGURATION).write_text(content)
    with pytest.raises(ConfigurationError, match=r"dagster\.yaml"):
        make_home(settings)


def test_settings_of_the_citys_own_are_let_be(settings):
    make_home(settings)
    path = settings.dagster_home / CONFIGURATION
    path.write_text(yaml.safe_dump({**yaml.safe_load(shipped_configuration()), "retention": None, "nux": None}))
    make_home(settings)


def test_a_process_without_a_home_is_told_how_to_start():
    with pytest.raises(ConfigurationError, match=r"DAGSTER_HOME is not set.*python -m kodomo_assets ui"):
        require_private_home({})


def loaded(environment: dict[str, str]) -> subprocess.CompletedProcess[str]:
    """Loads the definitions as a Dagster code server does; prints whether errors are redacted then."""
    code = (
        "import os; from kodomo_assets.definitions import defs;"
        "found = defs().get_repository_def();"
        "print(found.has_job('yearly_refresh'), os.environ['DAGSTER_REDACT_USER_CODE_ERRORS'])"
    )
    return subprocess.run(
        [sys.executable, "-c", code],
        env={"PATH": "", **environment}, cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip


def test_what_dagster_loads_refuses_a_home_of_another_kind(settings, tmp_path):
    """~5 s: two processes that import all of Dagster, as its own commands do."""
    (tmp_path / "plain").mkdir()
    refused = loaded({"DAGSTER_HOME": str(tmp_path / "plain")})
    assert refused.returncode
    assert "dagster.yaml: is missing; start with `python -m kodomo_assets ui`" in refused.stderr
    assert "DAGSTER_HOME is not set" in loaded({}).stderr


def test_errors_are_redacted_whoever_starts_dagster(settings):
    make_home(settings)
    environment = {"DAGSTER_HOME": str(settings.dagster_home), "DAGSTER_REDACT_USER_CODE_ERRORS": "0"}
    assert loaded(environment).stdout == "True 1\n"


def test_importing_the_door_reads_no_environment(tmp_path):
    (tmp_path / "city.yaml").write_text("no such key: 1\n")
    code = "import kodomo_assets.definitions"
    environment = {"PATH": "", "KODOMO_DATA_DIR": str(tmp_path)}
    subprocess.run([sys.executable, "-c", code], env=environment, cwd=ROOT, check=True)
