"""Pseudonyms are keyed, stable, and their secret is a private file that the database knows by a check value."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import duckdb
import pytest

from kodomo_assets.catalogue import load_catalogue
from kodomo_assets.errors import ConfigurationError
from kodomo_assets.store.connection import connect
from kodomo_assets.store.pseudonyms import (
    check_value,
    child_key,
    create_pseudonyms,
    load_secret,
    make_secret,
    require_key,
)

ROOT = Path(__file__).parents[2]


def test_known_answer():
    # openssl dgst -sha256 -hmac: RFC 4231 test case 2 (key "Jefe", data "what do ya want for nothing?")
    assert child_key(b"Jefe", "what do ya want for nothing?") == "5bdcc146bf60754e6a042426089575c7"


def test_the_check_value_is_no_child_key_and_stays():
    # openssl dgst -sha256 -hmac Jefe over "check value of the pseudonym key"
    assert check_value(b"Jefe") == "e26ee060f0d40ae30a58fe5f4780acdad28963ed2d1de0064ca4063428686bb3"


def test_the_secret_is_made_once_and_is_private(tmp_path):
    path = tmp_path / "keys" / "pseudonym.key"
    make_secret(path)
    first = load_secret(path)
    with pytest.raises(ConfigurationError, match="cannot be written"):
        make_secret(path)
    assert load_secret(path) == first
    assert len(first) == 32
    assert path.stat().st_mode & 0o777 == 0o600
    assert path.parent.stat().st_mode & 0o777 == 0o700
    make_secret(tmp_path / "other" / "other.key")
    assert load_secret(tmp_path / "other" / "other.key") != first


@pytest.mark.parametrize("content", ["", "\n", "abcd", "ab" * 31, "not hexadecimal", "鍵"])
def test_a_spoilt_secret_is_an_error(tmp_path, content):
    path = tmp_path / "pseudonym.key"
    path.write_text(content, "utf-8")
    path.chmod(0o600)
    with pytest.raises(
        ConfigurationError, match=r"pseudonym\.key: expected at least 64 hex digits.*from where it is kept"
    ):
        load_secret(path)


@pytest.mark.parametrize("mode", [0o666, 0o644, 0o640, 0o660, 0o602])
def test_a_secret_that_others_may_use_is_refused(tmp_path, mode):
    path = tmp_path / "k" / "pseudonym.key"
    make_secret(path)
    path.chmod(mode)
    with pytest.raises(ConfigurationError, match=f"others may read the pseudonym key .mode {mode:04o}.*chmod 600"):
        load_secret(path)


CATALOGUE = load_catalogue()


class Installation:
    """A database and its key."""

    def __init__(self, root: Path) -> None:
        self.database, self.key = root / "data" / "kodomo.duckdb", root / "key" / "pseudonym.key"

    def start(self) -> None:
        with connect(self.database) as con:
            require_key(con, CATALOGUE, self.key)

    def fill(self, *children: tuple[str, str, str]) -> None:
        """Children as the first edition stored them: (reference date, 宛名番号, key)."""
        with connect(self.database) as con:
            con.execute("create schema linkage")
            con.execute("create table linkage.children (reference_date date, resident_id varchar, child_key varchar)")
            for child in children:
                con.execute("insert into linkage.children values ($1, $2, $3)", list(child))

    def stored(self) -> list[tuple]:
        with connect(self.database, read_only=True) as con:
            return con.execute("from store.key_check").fetchall()

    def without_check_value(self) -> bool:
        with connect(self.database, read_only=True) as con:
            return not con.execute("select 1 from duckdb_tables() where schema_name = 'store'").fetchall()


@pytest.fixture
def installation(tmp_path: Path) -> Installation:
    return Installation(tmp_path)


def test_a_new_database_makes_its_key_and_knows_it(installation):
    installation.start()
    secret = load_secret(installation.key)
    assert installation.stored() == [(check_value(secret),)]
    installation.start()
    assert load_secret(installation.key) == secret


def test_a_missing_key_is_not_made_anew(installation):
    installation.start()
    installation.key.unlink()
    with pytest.raises(
        ConfigurationError, match=r"pseudonym key is missing.*no new key was made.*from where it is kept"
    ):
        installation.start()
    assert not installation.key.exists()


def test_a_missing_folder_of_the_key_is_not_made_anew(installation):
    """A disk that is not there today."""
    installation.start()
    installation.key.unlink()
    installation.key.parent.rmdir()
    with pytest.raises(ConfigurationError, match="is missing"):
        installation.start()
    assert not installation.key.parent.exists()


def test_another_key_is_refused(installation, tmp_path):
    installation.start()
    before = installation.stored()
    installation.key.unlink()
    make_secret(installation.key)
    with pytest.raises(ConfigurationError, match=r"is not the pseudonym key that kodomo.duckdb was made with"):
        installation.start()
    assert installation.stored() == before


def test_the_first_editions_database_knows_its_key_by_any_child(installation):
    make_secret(installation.key)
    secret = load_secret(installation.key)
    installation.fill(
        ("2024-04-01", "0000000001", "0" * 32), ("2025-04-01", "0000000002", child_key(secret, "0000000002"))
    )
    installation.start()
    assert installation.stored() == [(check_value(secret),)]


def test_the_first_editions_database_refuses_another_key_and_writes_no_value(installation):
    make_secret(installation.key)
    installation.fill(("2025-04-01", "0000000002", child_key(bytes(32), "0000000002")))
    with pytest.raises(ConfigurationError, match="is not the pseudonym key"):
        installation.start()
    assert installation.without_check_value()


def test_the_first_editions_database_gets_no_new_key(installation):
    installation.fill(("2025-04-01", "0000000002", child_key(bytes(32), "0000000002")))
    with pytest.raises(ConfigurationError, match="is missing"):
        installation.start()
    assert not installation.key.exists()


def test_a_database_in_which_no_child_was_stored_yet_may_have_a_new_key(installation):
    installation.fill()
    installation.start()
    assert installation.stored() == [(check_value(load_secret(installation.key)),)]


KILLED = """
import os, signal, sys
from pathlib import Path
from kodomo_assets_tests.store.test_pseudonyms import Installation

call, real = sys.argv[2], getattr(os, sys.argv[2])

def killed(first, *rest):
    if call != "open":
        os.kill(os.getpid(), signal.SIGKILL)
    made = real(first, *rest)
    if str(first).endswith(".key.new"):
        os.kill(os.getpid(), signal.SIGKILL)
    return made

setattr(os, call, killed)
installation = Installation(Path(sys.argv[1]))
installation.start()
"""


@pytest.mark.parametrize("call", ["open", "fsync", "link"])
def test_a_kill_while_the_key_is_made_leaves_none_or_a_whole_one(installation, call):
    with connect(installation.database):
        pass
    killed = subprocess.run(
        [sys.executable, "-c", KILLED, str(installation.key.parents[1]), call],
        cwd=ROOT, env={**os.environ, "PYTHONPATH": str(ROOT)}, check=False,
    )  # fmt: skip
    assert killed.returncode == -signal.SIGKILL
    assert not installation.key.exists()
    installation.start()
    assert installation.stored() == [(check_value(load_secret(installation.key)),)]
    assert [path.name for path in installation.key.parent.iterdir()] == ["pseudonym.key"]


def test_one_pseudonym_per_resident():
    secret = bytes(32)
    with duckdb.connect() as con:
        con.execute("create table register as select unnest(['0000000001', '0000000002', '0000000001']) as resident_id")
        create_pseudonyms(con, secret, "register")
        rows = con.execute("from pseudonyms order by resident_id").fetchall()
    assert rows == [(i, child_key(secret, i)) for i in ("0000000001", "0000000002")]
