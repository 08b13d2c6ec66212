"""The keyed pseudonym of a child (method §3): HMAC-SHA256 of the 宛名番号; the secret lies outside every database."""

from __future__ import annotations

import datetime as dt
import hashlib
import hmac
import os
import secrets
from pathlib import Path

import duckdb
import pandas as pd

from kodomo_assets.errors import ConfigurationError
from kodomo_assets.sql import create_from_frame

_SECRET_BYTES = 32
_KEY_DIGITS = 32


def load_secret(path: Path) -> bytes:
    """The secret in ``path``, made at first use with mode 0600.

    Raises:
        ConfigurationError: the file is there but holds no usable secret.
    """
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        pass
    except FileNotFoundError:
        path.parent.mkdir(parents=True, mode=0o700, exist_ok=True)
        return load_secret(path)
    else:
        with os.fdopen(descriptor, "w", encoding="ascii") as file:
            file.write(secrets.token_hex(_SECRET_BYTES))
    try:
        secret = bytes.fromhex(path.read_text("ascii").strip())
    except (ValueError, UnicodeDecodeError):
        secret = b""
    if len(secret) < _SECRET_BYTES:
        raise ConfigurationError(f"{path.name}: expected at least {2 * _SECRET_BYTES} hex digits as the pseudonym key")
    return secret


def child_key(secret: bytes, resident_id: str) -> str:
    """The first 32 hex digits of HMAC-SHA256(secret, 宛名番号)."""
    return hmac.new(secret, resident_id.encode("ascii"), hashlib.sha256).hexdigest()[:_KEY_DIGITS]


def create_pseudonyms(con: duckdb.DuckDBPyConnection, secret: bytes, resident_ids: str) -> None:
    """Temp table ``pseudonyms(resident_id, child_key)`` for the ids in column ``resident_id`` of ``resident_ids``."""
    ids = con.execute(f"select distinct resident_id from {resident_ids} order by resident_id").fetchnumpy()
    known = ids["resident_id"].tolist()
    keys = [child_key(secret, resident_id) for resident_id in known]
    frame = pd.DataFrame({"resident_id": known, "child_key": keys}, dtype="object")
    create_from_frame(con, "pseudonyms", frame, {"resident_id": "varchar", "child_key": "varchar"})


# without characters that people take for one another
_SHEET_SIGNS = "23456789ABCDEFGHJKLMNPQRSTUVWXYZ"


def sheet_number(secret: bytes, reference_date: dt.date, child: str) -> str:
    """The 配布番号 of a child at a reference date, like ``7KQM-2XWP``: it tells nothing to who lacks the secret."""
    drawn = hmac.new(secret, f"sheet|{reference_date}|{child}".encode("ascii"), hashlib.sha256).digest()[:8]
    signs = "".join(_SHEET_SIGNS[byte % len(_SHEET_SIGNS)] for byte in drawn)
    return f"{signs[:4]}-{signs[4:]}"


def create_sheet_numbers(con: duckdb.DuckDBPyConnection, secret: bytes, reference_date: dt.date) -> None:
    """Temp table ``sheet_numbers(child_key, sheet_number, lot)`` of the ranked; ``lot`` orders a random draw."""
    ranked = con.execute(
        "select child_key from screening.ranking where reference_date = $1 order by child_key", [reference_date]
    ).fetchnumpy()
    children = ranked["child_key"].tolist()
    numbers = [sheet_number(secret, reference_date, child) for child in children]
    lots = [
        hmac.new(secret, f"sample|{reference_date}|{child}".encode("ascii"), hashlib.sha256).hexdigest()
        for child in children
    ]
    frame = pd.DataFrame({"child_key": children, "sheet_number": numbers, "lot": lots}, dtype="object")
    types = {"child_key": "varchar", "sheet_number": "varchar", "lot": "varchar"}
    create_from_frame(con, "sheet_numbers", frame, types)
