"""Pseudonyms are keyed, stable, and their secret is a private file."""

from __future__ import annotations

import duckdb
import pytest

from kodomo_assets.errors import ConfigurationError
from kodomo_assets.store.pseudonyms import child_key, create_pseudonyms, load_secret


def test_known_answer():
    # openssl dgst -sha256 -hmac: RFC 4231 test case 2 (key "Jefe", data "what do ya want for nothing?")
    assert child_key(b"Jefe", "what do ya want for nothing?") == "5bdcc146bf60754e6a042426089575c7"


def test_the_secret_is_made_once_and_is_private(tmp_path):
    path = tmp_path / "keys" / "pseudonym.key"
    first = load_secret(path)
    assert load_secret(path) == first
    assert len(first) == 32
    assert path.stat().st_mode & 0o777 == 0o600
    assert load_secret(tmp_path / "other.key") != first


@pytest.mark.parametrize("content", ["", "abcd", "not hexadecimal", "鍵"])
def test_a_spoilt_secret_is_an_error(tmp_path, content):
    path = tmp_path / "pseudonym.key"
    path.write_text(content, "utf-8")
    with pytest.raises(ConfigurationError, match=r"pseudonym\.key"):
        load_secret(path)


def test_one_pseudonym_per_resident():
    secret = bytes(32)
    with duckdb.connect() as con:
        con.execute("create table register as select unnest(['0000000001', '0000000002', '0000000001']) as resident_id")
        create_pseudonyms(con, secret, "register")
        rows = con.execute("from pseudonyms order by resident_id").fetchall()
    assert rows == [(i, child_key(secret, i)) for i in ("0000000001", "0000000002")]
