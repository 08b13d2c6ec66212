"""The OpenSSL that DuckDB writes encrypted files with: it is no part of DuckDB but of its extension httpfs.

The extension comes as a wheel (the extra ``encryption``) and is loaded from there; nothing is installed or downloaded,
and what else it can do, to read from the network, is switched off.
"""

from __future__ import annotations

import duckdb

from kodomo_assets.errors import KeyFileError, Said
from kodomo_assets.machine.extensions import extension
from kodomo_assets.sql import literal

_EXTENSION = "httpfs"
_NETWORK = "HTTPFileSystem,S3FileSystem,HuggingFaceFileSystem"
#: DuckDB's setting for what does not fit into memory.
TEMPORARY_FILES = "temp_file_encryption"


def load_cipher(con: duckdb.DuckDBPyConnection) -> None:
    """Lets the database of ``con`` write encrypted files; every other one of this process has to be told for itself.

    Raises:
        KeyFileError: the extra is not installed, is of another version than DuckDB, or does not load here.
    """
    found = extension(_EXTENSION)
    if isinstance(found, Said):
        raise _lacking(found)
    try:
        con.execute(f"load {literal(str(found))}")
    except duckdb.Error:
        raise _lacking(Said("does not load on this machine")) from None
    con.execute(f"set disabled_filesystems = {literal(_NETWORK)}")


def _lacking(what: Said) -> KeyFileError:
    return KeyFileError(
        "KODOMO_ENCRYPTION_KEY_FILE: encryption needs the package duckdb-extension-httpfs, which {what}; expected the "
        "version of DuckDB, {version}: install the extra `kodomo_assets[encryption]`, or the archive's "
        "requirements-encryption.lock (docs/operations.md)",
        what=what,
        version=duckdb.__version__,
    )
