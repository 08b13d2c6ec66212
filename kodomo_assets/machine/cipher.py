"""The OpenSSL that DuckDB writes encrypted files with: it is no part of DuckDB but of its extension httpfs.

The extension comes as a wheel (the extra ``encryption``) and is loaded from there; nothing is installed or downloaded,
and what else it can do, to read from the network, is switched off.
"""

from __future__ import annotations

import importlib.util
from pathlib import Path

import duckdb

from kodomo_assets.errors import KeyFileError, Said
from kodomo_assets.sql import literal

_PACKAGE = "duckdb_extension_httpfs"
_NETWORK = "HTTPFileSystem,S3FileSystem,HuggingFaceFileSystem"
#: DuckDB's setting for what does not fit into memory.
TEMPORARY_FILES = "temp_file_encryption"


def load_cipher(con: duckdb.DuckDBPyConnection) -> None:
    """Lets the database of ``con`` write encrypted files; every other one of this process has to be told for itself.

    Raises:
        KeyFileError: the extra is not installed, is of another version than DuckDB, or does not load here.
    """
    extension = _extension()
    try:
        con.execute(f"load {literal(str(extension))}")
    except duckdb.Error:
        raise _lacking(Said("does not load on this machine")) from None
    con.execute(f"set disabled_filesystems = {literal(_NETWORK)}")


def _extension() -> Path:
    found = importlib.util.find_spec(_PACKAGE)
    folders = [] if found is None else list(found.submodule_search_locations or ())
    there = [Path(folder) / "extensions" / f"v{duckdb.__version__}" / "httpfs.duckdb_extension" for folder in folders]
    for path in there:
        if path.is_file():
            return path
    raise _lacking(Said("is of another version") if there else Said("is not installed"))


def _lacking(what: Said) -> KeyFileError:
    return KeyFileError(
        "KODOMO_ENCRYPTION_KEY_FILE: encryption needs the package duckdb-extension-httpfs, which {what}; expected the "
        "version of DuckDB, {version}: install the extra `kodomo_assets[encryption]`, or the archive's "
        "requirements-encryption.lock (docs/operations.md)",
        what=what,
        version=duckdb.__version__,
    )
