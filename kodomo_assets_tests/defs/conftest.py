"""A data folder that a test fills by hand, and its assets through Dagster."""

from __future__ import annotations

import shutil
import tempfile
from functools import cache, lru_cache
from pathlib import Path

import dagster as dg
import openpyxl
import pytest

from kodomo_assets.catalogue import load_catalogue
from kodomo_assets.definitions import build_defs
from kodomo_assets.settings import Settings
from kodomo_assets.store.connection import connect
from kodomo_assets.store.opening import open_to_write
from kodomo_assets.told import parted
from kodomo_assets_tests.internals import instance_in_memory

DAY = "2025-04-01"


class Office:
    """Delivers files for one reference date and materializes single tables."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.settings = settings_in(root)
        self.settings.data_dir.mkdir(exist_ok=True)
        self.instance = instance_in_memory(root)
        self.configure("{}")

    def configure(self, overlay: str) -> None:
        (self.settings.data_dir / "city.yaml").write_text(overlay, "utf-8")
        self.settings = settings_in(self.root)

    @property
    def definitions(self) -> dg.Definitions:
        """Loaded anew when city.yaml says something else, as a code server is restarted then."""
        return loaded(self.root, self._overlay)

    @property
    def _overlay(self) -> str:
        return (self.settings.data_dir / "city.yaml").read_text("utf-8")

    def deliver(self, name: str, *lines: str, day: str = DAY) -> Path:
        path = self.settings.inbox / day / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("\n".join([*lines, ""]), "utf-8")
        return path

    def materialize(self, *tables: str, day: str = DAY) -> dg.ExecuteInProcessResult:
        self._open()
        job = job_of(self.root, self._overlay, tables)
        return job.execute_in_process(partition_key=day, instance=self.instance, raise_on_error=False)

    def copy(self, root: Path) -> Office:
        """The same folder elsewhere, with runs of its own: none yet."""
        shutil.copytree(self.root, root)
        office = Office(root)
        office.configure((self.settings.data_dir / "city.yaml").read_text("utf-8"))
        return office

    def _open(self) -> None:
        if not self.settings.database.exists() and not self.settings.key_file.exists():
            started(self.settings)

    def query(self, sql: str) -> list[tuple]:
        with connect(self.settings.database, read_only=True) as con:
            return con.execute(sql).fetchall()

    def returned(self, office: str, day: str = DAY) -> list[list[object]] | None:
        """The lines of an office's 差戻し workbook, None where there is none."""
        path = self.settings.outbox / day / f"差戻し_{office}.xlsx"
        if not path.exists():
            return None
        return [list(row) for row in openpyxl.load_workbook(path).active.iter_rows(min_row=5, values_only=True)]


def settings_in(root: Path) -> Settings:
    return Settings.from_environment({"KODOMO_DATA_DIR": str(root / "data"), "KODOMO_KEY_FILE": str(root / "key")})


# as many as the tests of one file ask for
@lru_cache(maxsize=8)
def loaded(root: Path, overlay: str) -> dg.Definitions:
    """The definitions over ``root`` whose city.yaml holds ``overlay``: they know paths and settings, nothing that lies
    there, and serve every test that begins in that folder."""
    assert (root / "data" / "city.yaml").read_text("utf-8") == overlay
    return build_defs(settings_in(root))


@lru_cache(maxsize=16)
def job_of(root: Path, overlay: str, tables: tuple[str, ...]) -> dg.JobDefinition:
    """What makes ``tables`` of what lies in the inbox."""
    keys = (dg.AssetKey(table.split(".")) for table in tables)
    return (
        loaded(root, overlay)
        .resolve_implicit_global_asset_job_def()
        .get_subset(asset_selection={dg.AssetKey(["sources", "inbox"]), *keys})
    )


def started(settings: Settings) -> None:
    """Lays the database and the key of a first start, which would take ten times as long as to copy them."""
    for new, made in zip((settings.database, settings.key_file), first_start(), strict=True):
        new.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        shutil.copy2(made, new)


@cache
def first_start() -> tuple[Path, Path]:
    """Database and key as the first start of the default configuration leaves them, made once in this process."""
    root = Path(_FOLDER.name)
    settings = settings_in(root)
    with open_to_write(settings, load_catalogue()):
        pass
    return settings.database, settings.key_file


_FOLDER = tempfile.TemporaryDirectory(prefix="first-start-")  # goes with the process


@pytest.fixture
def office_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Empty, and the same for every test of this process: what was loaded over it is loaded."""
    folder = tmp_path_factory.getbasetemp() / "office"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(mode=0o700)
    return folder


@pytest.fixture
def office(office_folder: Path) -> Office:
    return Office(office_folder)


def checks(result: dg.ExecuteInProcessResult) -> dict[str, bool]:
    return {check.check_name: check.passed for check in result.get_asset_check_evaluations()}


def said(result: dg.ExecuteInProcessResult, name: str) -> str:
    """What a check said, in English."""
    return next(parted(c.description or "")[1] for c in result.get_asset_check_evaluations() if c.check_name == name)
