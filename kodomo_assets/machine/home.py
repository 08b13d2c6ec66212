"""Dagster's home: made for its owner only, with the shipped dagster.yaml; one that keeps people's data is refused.

What belongs here is what must hold before Dagster starts, however it is started (architecture, decisions 9 and 15).
"""

from __future__ import annotations

import logging
import os
from collections.abc import Mapping
from importlib.resources import files
from pathlib import Path
from typing import Any

import yaml

from kodomo_assets.errors import HomeError, Said
from kodomo_assets.machine.system_errors import explain
from kodomo_assets.settings import Settings

CONFIGURATION = "dagster.yaml"
#: What a dagster.yaml must say, and what it would cost to say something else.
_REQUIRED: Mapping[tuple[str, ...], tuple[object, str]] = {
    ("telemetry", "enabled"): (False, "Dagster would report its use over the internet"),
    ("compute_logs", "class"): ("NoOpComputeLogManager", "what a library prints may quote a record and would be kept"),
    ("concurrency", "runs", "max_concurrent_runs"): (1, "DuckDB lets one process write"),
    ("run_monitoring", "enabled"): (True, "nobody would end a run that hangs, nor say that nothing can be loaded"),
    ("python_logs", "managed_python_loggers"): (None, "a library's warning may quote a record and would be kept"),
}
_ALWAYS = {"DAGSTER_REDACT_USER_CODE_ERRORS": "1", "DAGSTER_DISABLE_TELEMETRY": "1"}


def prepare_home(settings: Settings) -> None:
    """DAGSTER_HOME for this process and its children, and what keeps their errors from telling about anyone.

    Raises:
        HomeError: see ``make_home``.
    """
    os.umask(0o077)
    make_home(settings)
    os.environ["DAGSTER_HOME"] = str(settings.dagster_home)
    protect_process()


def make_home(settings: Settings) -> None:
    """DAGSTER_HOME on the disk: made or set to mode 0700, with the shipped configuration where it has none.

    Raises:
        HomeError: the folder cannot be made, or its dagster.yaml lacks a setting that protects people.
    """
    home = settings.dagster_home
    target = home / CONFIGURATION
    try:
        home.mkdir(parents=True, mode=0o700, exist_ok=True)
        home.chmod(0o700)
        if not target.exists():
            # whole or not at all: a half one would be another configuration
            part = home / f".{CONFIGURATION}.{os.getpid()}"
            part.write_bytes(shipped_configuration())
            part.chmod(0o600)
            part.replace(target)
    except OSError as error:
        raise HomeError(
            "DAGSTER_HOME {home}: cannot be made private ({why}); expected a folder of the account that runs the "
            "refreshes",
            home=home,
            why=explain(error) or error.strerror,
        ) from None
    require_private_home({"DAGSTER_HOME": str(home)})


def require_private_home(environment: Mapping[str, str]) -> None:
    """Refuses a Dagster process whose DAGSTER_HOME is not configured to keep people's data out.

    Raises:
        HomeError: DAGSTER_HOME is not set, or its dagster.yaml is missing or lacks a setting.
    """
    remedy = Said("start with `python -m kodomo_assets ui` or `refresh`, which make it")
    if not environment.get("DAGSTER_HOME"):
        raise HomeError("DAGSTER_HOME is not set: Dagster would keep its logs anywhere; {remedy}", remedy=remedy)
    path = Path(environment["DAGSTER_HOME"]) / CONFIGURATION
    try:
        found = yaml.safe_load(path.read_bytes())
    except FileNotFoundError:
        raise HomeError("{path}: is missing; {remedy}", path=path, remedy=remedy) from None
    except (OSError, yaml.YAMLError) as error:
        raise HomeError(
            "{path}: cannot be read ({why}); take it away, then {remedy}",
            path=path,
            why=type(error).__name__,
            remedy=remedy,
        ) from None
    for key, (expected, why) in _REQUIRED.items():
        value = _value(found, key)
        if value != expected and not (expected is None and not value):
            raise HomeError(
                "{path}: {key}: found {found!r}, expected {expected!r} ({why}); mend the line, or take the file away "
                "and the shipped one is put there",
                path=path,
                key=".".join(key),
                found=value,
                expected=expected,
                why=Said(why),
            )


def protect_process() -> None:
    """Keeps the text of unexpected errors out of Dagster's event log and off the screen, here and in all children."""
    os.environ.update(_ALWAYS)
    # what Dagster redacts from the event log it would print here, whole
    logging.getLogger("dagster.redacted_errors").addFilter(_nothing)


def shipped_configuration() -> bytes:
    """The dagster.yaml of the package."""
    return files("kodomo_assets").joinpath(CONFIGURATION).read_bytes()


def is_on_postgres(home: Path) -> bool:
    """Whether the runs of ``home`` are kept in PostgreSQL, and not in files below it (hosts.md)."""
    try:
        found = yaml.safe_load((home / CONFIGURATION).read_bytes())
    except (OSError, yaml.YAMLError):
        # what is wrong with it is told by ``require_private_home``
        return False
    return _value(found, ("storage", "postgres")) is not None


def _nothing(_record: logging.LogRecord) -> bool:
    return False


def _value(found: Any, key: tuple[str, ...]) -> object:
    for name in key:
        found = found.get(name) if isinstance(found, dict) else None
    return found
