"""The keyed pseudonym of a child (method §3): HMAC-SHA256 of the 宛名番号; the secret lies outside every database."""

from __future__ import annotations

import datetime as dt
import hashlib
import hmac
import os
import re
import secrets
from collections.abc import Sequence
from pathlib import Path

import duckdb
import pandas as pd

from kodomo_assets.catalogue import Catalogue, OutputTable
from kodomo_assets.errors import KeyFileError, Said
from kodomo_assets.sql import create_from_frame, create_mapped, has_table
from kodomo_assets.store.key_files import read_key_file, unfinished, write_key_file
from kodomo_assets.store.tables import create_statement, transaction

_SECRET_BYTES = 32
_WHAT = Said("pseudonym key")
_HARM = Said("Who has read it can work out who a child of analyst.duckdb is")
_KEY_DIGITS = 32


def load_secret(path: Path) -> bytes:
    """The secret in ``path``.

    Raises:
        KeyFileError: there is none, it is not usable, or others than its owner may read it.
    """
    text = read_key_file(path, _WHAT, "KODOMO_KEY_FILE", _HARM)
    try:
        secret = bytes.fromhex(text.decode("ascii").strip())
    except (ValueError, UnicodeDecodeError):
        secret = b""
    if len(secret) < _SECRET_BYTES:
        raise KeyFileError(
            "{path}: expected at least {digits} hex digits as the pseudonym key, found {found}; put the key back from "
            "where it is kept",
            path=path,
            digits=2 * _SECRET_BYTES,
            found=Said("something else") if text.strip() else Said("an empty file"),
        )
    return secret


def make_secret(path: Path) -> None:
    """A new secret at ``path``, mode 0600: whole or not at all, and never over one that is there.

    Raises:
        KeyFileError: it cannot be written there.
    """
    write_key_file(path, secrets.token_hex(_SECRET_BYTES), _WHAT)


def check_value(secret: bytes) -> str:
    """What the database knows its key by; it tells nothing about the key, and no 宛名番号 gives it."""
    return hmac.new(secret, b"check value of the pseudonym key", hashlib.sha256).hexdigest()


def require_key(con: duckdb.DuckDBPyConnection, catalogue: Catalogue, path: Path) -> None:
    """Refuses to go on with another key than the one that the database's children have; makes one for a new database.

    Raises:
        KeyFileError: the key is another, missing beside a filled database, open to others or not usable.
    """
    unfinished(path).unlink(missing_ok=True)
    stored, keyed = _stored_check_value(con), _keyed_children(con)
    if not os.path.lexists(path):
        if stored is not None or keyed:
            raise KeyFileError(
                "{path}: the pseudonym key is missing, and kodomo.duckdb belongs to one: nothing was read, no new key "
                "was made. {remedy}",
                path=path,
                remedy=_REMEDY,
            )
        make_secret(path)
    secret = load_secret(path)
    value = check_value(secret)
    if stored is None and (not keyed or any(child_key(secret, number) == key for number, key in keyed)):
        _store_check_value(con, catalogue.output("store.key_check"), value)
    elif stored != value:
        raise _another_key(path)


def load_own_secret(con: duckdb.DuckDBPyConnection, path: Path) -> bytes:
    """For who only reads a database of this version: the secret in ``path``, which is the one it was made with.

    Raises:
        KeyFileError: as ``load_secret``; the key is another.
    """
    secret = load_secret(path)
    if _stored_check_value(con) != check_value(secret):
        raise _another_key(path)
    return secret


def _another_key(path: Path) -> KeyFileError:
    return KeyFileError(
        "{path}: is not the pseudonym key that kodomo.duckdb was made with: nothing was read. {remedy}",
        path=path,
        remedy=_REMEDY,
    )


_REMEDY = Said(
    "Put the key of this data folder back from where it is kept, and start every service with the same KODOMO_KEY_FILE "
    "and KODOMO_DATA_DIR. With another key every child would be a new one, without decisions, answers and sheets; if "
    "the key is lost for good: docs/operations.md"
)


def _stored_check_value(con: duckdb.DuckDBPyConnection) -> str | None:
    if not has_table(con, "store.key_check"):
        return None
    row = con.execute("select check_value from store.key_check").fetchone()
    return str(row[0]) if row else None


def _store_check_value(con: duckdb.DuckDBPyConnection, table: OutputTable, value: str) -> None:
    with transaction(con):
        if not has_table(con, table.qualified):
            con.execute(f"create schema if not exists {table.db_schema}")
            con.execute(create_statement(table))
        con.execute(f"insert into {table.qualified} (check_value) values ($1)", [value])


def _keyed_children(con: duckdb.DuckDBPyConnection) -> list[tuple[str, str]]:
    """A child of each reference date with its key: a database of the first edition has no check value."""
    if not has_table(con, "linkage.children"):
        return []
    return con.execute(
        "select min(resident_id), arg_min(child_key, resident_id) from linkage.children group by reference_date"
    ).fetchall()


def child_key(secret: bytes, resident_id: str) -> str:
    """The first 32 hex digits of HMAC-SHA256(secret, 宛名番号)."""
    return hmac.new(secret, resident_id.encode("ascii"), hashlib.sha256).hexdigest()[:_KEY_DIGITS]


def create_pseudonyms(con: duckdb.DuckDBPyConnection, secret: bytes, resident_ids: str) -> None:
    """Temp table ``pseudonyms(resident_id, child_key)`` for the ids in column ``resident_id`` of ``resident_ids``."""
    create_mapped(
        con,
        "pseudonyms",
        f"select distinct resident_id from {resident_ids} order by resident_id",
        ("child_key", lambda resident_id: child_key(secret, resident_id)),
    )


# without characters that people take for one another
_SHEET_SIGNS = "23456789ABCDEFGHJKLMNPQRSTUVWXYZ"


def sheet_number(secret: bytes, reference_date: dt.date, child: str) -> str:
    """The 配布番号 of a child at a reference date, like ``7KQM-2XWP``: it tells nothing to who lacks the secret."""
    drawn = hmac.new(secret, f"sheet|{reference_date}|{child}".encode("ascii"), hashlib.sha256).digest()[:8]
    signs = "".join(_SHEET_SIGNS[byte % len(_SHEET_SIGNS)] for byte in drawn)
    return f"{signs[:4]}-{signs[4:]}"


def create_sheet_numbers(con: duckdb.DuckDBPyConnection, secret: bytes, reference_date: dt.date) -> None:
    """Temp table ``sheet_numbers(child_key, sheet_number)``: of the ranked, and of whoever stood on the date's list or
    was decided: a school's list must name the child, and the school's report too."""
    children = _children(
        con,
        reference_date,
        "screening.ranking",
        "review.meeting_list",
        "review.listed_children",
        "review.decisions",
    )
    numbers = [sheet_number(secret, reference_date, child) for child in children]
    _create_drawn(con, "sheet_numbers", children, "sheet_number", numbers)


def create_lots(con: duckdb.DuckDBPyConnection, secret: bytes, reference_date: dt.date) -> None:
    """Temp table ``lots(child_key, lot)`` of the ranked; ``lot`` orders a random draw that anybody with the key may
    repeat."""
    children = _children(con, reference_date, "screening.ranking")
    lots = [
        hmac.new(secret, f"sample|{reference_date}|{child}".encode("ascii"), hashlib.sha256).hexdigest()
        for child in children
    ]
    _create_drawn(con, "lots", children, "lot", lots)


def _children(con: duckdb.DuckDBPyConnection, reference_date: dt.date, *tables: str) -> list[str]:
    """The 児童キー that stand in ``tables`` at the reference date, in order."""
    union = " union ".join(f"select child_key from {table} where reference_date = $1" for table in tables)
    found: list[str] = con.execute(f"{union} order by child_key", [reference_date]).fetchnumpy()["child_key"].tolist()
    return found


def _create_drawn(
    con: duckdb.DuckDBPyConnection, table: str, children: Sequence[str], column: str, drawn: Sequence[str]
) -> None:
    frame = pd.DataFrame({"child_key": children, column: drawn}, dtype="object")
    create_from_frame(con, table, frame, {"child_key": "varchar", column: "varchar"})


# enough that nobody guesses the mark of a pair that was never asked
_MARK_SIGNS = 16
_MARK = re.compile(rf"(\d{{8}})-([{_SHEET_SIGNS}]{{{_MARK_SIGNS}}})")


def asked_mark(secret: bytes, asked_on: dt.date, table: str, person: str, child: str) -> str:
    """The 確認符号 of a pair in 名寄せ確認, like ``20250401-7KQM2XWP9RTYHNBC``: it proves that this pair was asked at
    that reference date, to whoever has the secret and even where the database was made anew."""
    told = f"asked|{asked_on}|{table}|{child}|{person}".encode("utf-8", "surrogatepass")
    drawn = hmac.new(secret, told, hashlib.sha256).digest()[:_MARK_SIGNS]
    return f"{asked_on:%Y%m%d}-" + "".join(_SHEET_SIGNS[byte % len(_SHEET_SIGNS)] for byte in drawn)


def asked_on(secret: bytes, mark: str, table: str, person: str, child: str) -> dt.date | None:
    """The reference date at which ``mark`` proves that the pair was asked; None where it proves nothing."""
    found = _MARK.fullmatch(mark)
    if found is None:
        return None
    try:
        day = dt.datetime.strptime(found[1], "%Y%m%d").date()  # noqa: DTZ007 (a day has no time zone)
    except ValueError:
        return None
    return day if hmac.compare_digest(mark, asked_mark(secret, day, table, person, child)) else None
