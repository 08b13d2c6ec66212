"""DuckDB's extensions as the packages bring them: loaded from where a package lies, never installed or downloaded."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import duckdb

from kodomo_assets.errors import Said


def extension(name: str) -> Path | Said:
    """The file of the extension ``name`` for this version of DuckDB, or why there is none, to follow "which"."""
    found = importlib.util.find_spec(f"duckdb_extension_{name}")
    folders = [] if found is None else list(found.submodule_search_locations or ())
    there = [Path(folder) / "extensions" / f"v{duckdb.__version__}" / f"{name}.duckdb_extension" for folder in folders]
    for path in there:
        if path.is_file():
            return path
    return Said("is of another version") if there else Said("is not installed")
