"""A database that the first landing made (a synthetic city of 4,000 residents, played to the end of its meeting) opens.

``first_landing/`` holds it as the first landing left it, with that city's key and configuration; no newer version may
write into it.
"""

from __future__ import annotations

import lzma
from pathlib import Path

import pytest

from kodomo_assets.catalogue import load_catalogue
from kodomo_assets.store.connection import connect
from kodomo_assets.store.pseudonyms import child_key, load_secret
from kodomo_assets.store.tables import create_tables

FIRST_LANDING = Path(__file__).parent / "first_landing"

# counted in the file when it was made
ROWS = {
    "linkage.children": 1_196,
    "linkage.links": 1_518,
    "features.matrix": 1_196,
    "weights.coefficients": 104,
    "screening.ranking": 79,
    "review.decisions": 20,
    "review.personal_sheets": 20,
    "review.support": 8,
    "sources.deliveries": 335,
}


@pytest.fixture
def database(tmp_path: Path) -> Path:
    path = tmp_path / "kodomo.duckdb"
    path.write_bytes(lzma.decompress((FIRST_LANDING / "kodomo.duckdb.xz").read_bytes()))
    return path


def test_it_gains_what_is_new_and_keeps_its_rows(database):
    catalogue = load_catalogue(FIRST_LANDING / "city.yaml")
    with connect(database) as con:
        create_tables(con, catalogue)
        assert {name: con.execute(f"select count(*) from {name}").fetchone()[0] for name in ROWS} == ROWS
        for table in (table for table in catalogue.outputs.values() if table.stored):
            con.execute(f"select {', '.join(table.column_names)} from {table.qualified} limit 1").fetchall()


def test_its_children_are_known_by_their_key(database, tmp_path):
    key = tmp_path / "pseudonym.key"
    key.write_bytes((FIRST_LANDING / "pseudonym.key").read_bytes())
    key.chmod(0o600)
    secret = load_secret(key)
    with connect(database, read_only=True) as con:
        resident, child = con.execute("select resident_id, child_key from linkage.children limit 1").fetchone()
    assert child_key(secret, resident) == child
