"""About whom a command asks: a 宛名番号 as somebody typed it, and whether anything is known of that person."""

from __future__ import annotations

import duckdb

from kodomo_assets.catalogue import Catalogue
from kodomo_assets.errors import RequestError
from kodomo_assets.japan.text import comparable
from kodomo_assets.settings import Settings
from kodomo_assets.store.pseudonyms import load_own_secret
from kodomo_assets.store.subjects import identify, rows_of
from kodomo_assets.vocabulary import RESIDENT


def resident_number(catalogue: Catalogue, given: str) -> str:
    """A 宛名番号 as it is stored, of what somebody typed: any width, zeros in front that Excel took away.

    Raises:
        RequestError: no 宛名番号 looks so.
    """
    digits = catalogue.tables["resident_register"].columns["resident_id"].digits or 0
    number = comparable(given).upper().zfill(digits)
    if not number.isascii() or not number.isalnum():
        raise _nobody()
    return number


def _nobody() -> RequestError:
    return RequestError(
        "ID: no table holds anything of such a person, expected a {resident} (no other number is one)",
        resident=RESIDENT,
    )


def require_known(
    con: duckdb.DuckDBPyConnection, settings: Settings, catalogue: Catalogue, resident_id: str
) -> dict[str, duckdb.DuckDBPyRelation]:
    """Identifies the person (``store.subjects``); table -> the rows about it, the register and log included.

    Raises:
        RequestError: no table holds anything of such a person, what was asked about it left aside.
    """
    identify(con, catalogue, load_own_secret(con, settings.key_file), resident_id)
    rows = rows_of(con, catalogue)
    if not any(relation.limit(1).fetchall() for name, relation in rows.items() if not name.startswith("rights.")):
        raise _nobody()
    return rows
