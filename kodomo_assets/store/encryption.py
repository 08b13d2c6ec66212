"""The one place that knows of keys of kodomo.duckdb: which file holds them, and how an encrypted file is attached.

The key file holds a key a line, 64 hex digits. The first is the one that every new file is written under; those below
it are older ones, which a backup of before, or a rotation that was killed, may still need. A key is never a part of a
statement: it is bound, so that no message, log or list of DuckDB can quote it.
"""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
import threading
from collections.abc import Sequence
from pathlib import Path

import duckdb

from kodomo_assets.errors import KeyFileError, Said
from kodomo_assets.machine.cipher import TEMPORARY_FILES, load_cipher
from kodomo_assets.sql import literal, quoted
from kodomo_assets.store.key_files import read_key_file, write_key_file

#: The variable that names the key file; without it nothing is encrypted.
VARIABLE = "KODOMO_ENCRYPTION_KEY_FILE"
_WHAT = Said("encryption key")
_HARM = Said("Who has read it can read every file that was written under it")
_KEY_BYTES = 32
_KEY = re.compile(r"[0-9a-f]{64}")
# DuckDB's header: checksum, DUCK, version, flags
_FLAGS_AT, _ENCRYPTED = 20, 1
_WRONG_KEY = "Wrong encryption key"
_SHORT = 12

# of one process: path -> fingerprint of the key under which it was opened last; a plain one is not there
_under: dict[Path, str] = {}
_opening = threading.Lock()


def is_encrypted(database: Path) -> bool:
    """Whether the DuckDB file is an encrypted one; its header is not.

    Not while this process has it open: to close it here gives up the lock that DuckDB holds on it.
    """
    with database.open("rb") as file:
        start = file.read(_FLAGS_AT + 1)
    return len(start) > _FLAGS_AT and bool(start[_FLAGS_AT] & _ENCRYPTED)


def keys_in(path: Path) -> tuple[str, ...]:
    """The keys in the file ``path``, the one in force first.

    Raises:
        KeyFileError: there is none, it is not usable, or others than its owner may read it.
    """
    content = read_key_file(path, _WHAT, VARIABLE, _HARM)
    lines = content.decode("ascii", errors="replace").split()
    if not lines or any(_KEY.fullmatch(line) is None for line in lines):
        raise KeyFileError(
            "{path}: expected an encryption key a line, {digits} hex digits each, found {found}; put the key back from "
            "where it is kept",
            path=path,
            digits=2 * _KEY_BYTES,
            found=Said("something else") if lines else Said("an empty file"),
        )
    return tuple(lines)


def add_key(path: Path) -> None:
    """A new key as the one in force; those that are there stay below it. Whole or not at all.

    Raises:
        KeyFileError: the file is not usable, or cannot be written.
    """
    there = keys_in(path) if path.exists() else ()
    lines = "".join(f"{key}\n" for key in (secrets.token_hex(_KEY_BYTES), *there))
    write_key_file(path, lines, _WHAT, instead=bool(there))


def fingerprint(key: str) -> str:
    """What a key is known by: it tells nothing about the key."""
    digest = hmac.new(bytes.fromhex(key), b"fingerprint of an encryption key", hashlib.sha256)
    return digest.hexdigest()[:_SHORT]


def key_in_force(key_file: Path | None) -> str | None:
    """The key that a new file is written under; None where encryption is off.

    Raises:
        KeyFileError: as ``keys_in``.
    """
    return None if key_file is None else keys_in(key_file)[0]


def keys_for(database: Path, key_file: Path | None) -> tuple[str, ...]:
    """The keys to try on ``database``, none for a plain one; there need not be one yet.

    Raises:
        KeyFileError: it is plain though encryption is on, or the other way round, or the key is not usable.
    """
    if not database.exists():
        return () if key_file is None else _keys_to_begin_with(key_file)
    encrypted = is_encrypted(database)
    if encrypted and key_file is None:
        raise KeyFileError(
            "{database} is encrypted, and {variable} is not set: start every service and command with the file that "
            "holds its key; nothing was changed",
            database=database.name,
            variable=VARIABLE,
        )
    if key_file is not None and not encrypted:
        raise KeyFileError(
            "{database} is not encrypted, and {variable} is set: nothing was read. Give the command `kodomo encrypt`, "
            "which encrypts it, or take {variable} away",
            database=database.name,
            variable=VARIABLE,
        )
    return () if key_file is None else keys_in(key_file)


def _keys_to_begin_with(key_file: Path) -> tuple[str, ...]:
    if not key_file.exists():
        raise KeyFileError(
            "{key_file}: is missing, and {variable} names it: no database was made. Give the command `kodomo encrypt`, "
            "which makes the key, and keep a copy of it apart",
            key_file=key_file,
            variable=VARIABLE,
        )
    return keys_in(key_file)


def attach(con: duckdb.DuckDBPyConnection, path: Path, name: str, key: str | None, options: Sequence[str] = ()) -> None:
    """Attaches the file ``path`` as ``name``, made where there is none: encrypted under ``key`` unless that is None.

    Raises:
        KeyFileError: the extra is not installed.
        duckdb.Error: it cannot be attached; the text holds no key.
    """
    words = list(options)
    if key is not None:
        load_cipher(con)
        words.append("encryption_key $key")
    told = f" ({', '.join(words)})" if words else ""
    con.execute(f"attach {literal(str(path))} as {quoted(name)}{told}", {"key": key} if key is not None else None)


def open_plain(
    database: Path, config: dict[str, str | bool | int | float | list[str]], *, read_only: bool
) -> duckdb.DuckDBPyConnection:
    """A connection to the plain ``database``.

    Raises:
        duckdb.Error: it cannot be opened.
    """
    con = duckdb.connect(str(database), read_only=read_only, config=config)
    _under.pop(database.resolve(), None)
    return con


def open_encrypted(
    database: Path, keys: Sequence[str], config: dict[str, str | bool | int | float | list[str]], *, read_only: bool
) -> duckdb.DuckDBPyConnection:
    """A connection that uses the encrypted ``database``, under whichever of ``keys`` opens it.

    DuckDB takes a key for what is attached only. As with a plain file, all connections of one process that open it in
    the same way share one DuckDB, which what does not fit into memory is encrypted by too.

    Raises:
        KeyFileError: none of the keys opens it, or the extra is not installed.
        duckdb.Error: it cannot be opened; the text holds no key.
    """
    way = "read" if read_only else "write"
    with _opening:
        con = duckdb.connect(f":memory:{way}:{database.resolve()}", config={**config, TEMPORARY_FILES: True})
        try:
            load_cipher(con)
            there = con.execute("select 1 from duckdb_databases() where database_name = $1", [database.stem])
            if there.fetchone() is None:
                key = _attach_under_one(con, database, keys, ("read_only",) if read_only else ())
                _under[database.resolve()] = fingerprint(key)
            con.execute(f"use {quoted(database.stem)}")
        except BaseException:
            con.close()
            raise
    return con


def _attach_under_one(
    con: duckdb.DuckDBPyConnection, database: Path, keys: Sequence[str], options: Sequence[str]
) -> str:
    for key in keys:
        try:
            attach(con, database, database.stem, key, options)
        except duckdb.InvalidInputException as error:
            if _WRONG_KEY not in str(error):
                raise
        else:
            return key
    raise KeyFileError(
        "{database}: {variable} holds no key that opens it (fingerprints {held}); nothing was changed. Put the key "
        "that it was encrypted with back; the backup.json of a backup names the fingerprint of its own",
        database=database.name,
        variable=VARIABLE,
        held=", ".join(map(fingerprint, keys)),
    )


def opened_under(database: Path) -> str | None:
    """The fingerprint of the key that this process opened ``database`` under last; None where it was plain.

    Remembered, not looked up: who opens and closes the file gives up the lock that DuckDB holds on it.
    """
    return _under.get(database.resolve())
