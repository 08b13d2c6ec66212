"""Signed files: what they say comes back, and whatever is altered, cut, of another kind or sender is refused."""

from __future__ import annotations

import json

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from kodomo_assets.errors import PoolError
from kodomo_assets.pool.documents import fingerprint, opened, signed

KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
CONTENT = {"municipality": "082201", "tables": ["住民記録", "就学援助"], "coefficients": [0.1, -2.5e-9], "round": 3}


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "plan.json"
    path.write_bytes(signed("plan", CONTENT, KEY))
    return path


def test_what_was_signed_comes_back_with_signer_and_digest(file):
    found = opened(file, "plan", fingerprint(KEY.public_key()))
    assert (found.name, found.kind, found.content) == ("plan.json", "plan", CONTENT)
    assert found.fingerprint == fingerprint(KEY.public_key())
    assert signed("plan", CONTENT, KEY) == file.read_bytes()


def test_white_space_and_the_order_of_keys_do_not_count(file):
    before = opened(file, "plan")
    document = json.loads(file.read_text("utf-8"))
    document["content"] = dict(reversed(document["content"].items()))
    file.write_text(json.dumps(document), "utf-8")
    assert opened(file, "plan") == before


def alter(path, **changes):
    document = json.loads(path.read_text("utf-8"))
    path.write_text(json.dumps(document | changes), "utf-8")


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"content": CONTENT | {"round": 4}}, "the signature of the plan does not hold"),
        ({"signature": "AAAA"}, "the signature of the plan does not hold"),
        ({"signature": "no base64"}, "the signature of the plan does not hold"),
        ({"signature": None}, "the signature of the plan does not hold"),
        ({"key": "00" * 31}, "the signature of the plan does not hold"),
        ({"key": 5}, "the signature of the plan does not hold"),
        ({"kind": "total"}, "is another file of a pool, expected a plan"),
        ({"edition": 2}, "is of another edition"),
        ({"more": 1}, "is no file of a pool"),
        ({"content": []}, "is no file of a pool"),
    ],
)
def test_an_altered_file_is_refused(file, changes, said):
    alter(file, **changes)
    with pytest.raises(PoolError, match=f"plan.json: {said}"):
        opened(file, "plan")


def test_a_file_of_one_kind_does_not_pass_for_another(file):
    """The kind is signed: renaming it inside the file breaks the signature."""
    alter(file, kind="total")
    with pytest.raises(PoolError, match="the signature of the total does not hold"):
        opened(file, "total")


def test_another_signer_is_refused_by_fingerprints(file):
    other = Ed25519PrivateKey.generate()
    with pytest.raises(PoolError, match=r"plan is signed by the key [0-9a-f]{16}\.\.\., expected [0-9a-f]{16}\.\.\."):
        opened(file, "plan", fingerprint(other.public_key()))


@given(st.integers(0, 400))
def test_a_cut_file_is_refused_with_a_sentence(tmp_path_factory, length):
    path = tmp_path_factory.getbasetemp() / "cut.json"
    content = signed("plan", CONTENT, KEY)
    path.write_bytes(content[: min(length, len(content) - 2)])
    with pytest.raises(PoolError, match=r"cut.json: is no JSON file, or was cut"):
        opened(path, "plan")


def test_a_missing_file_and_a_pit_of_brackets_are_refused_with_a_sentence(tmp_path):
    with pytest.raises(PoolError, match=r"none\.json: cannot be read"):
        opened(tmp_path / "none.json", "plan")
    deep = tmp_path / "deep.json"
    deep.write_text("[" * 100_000, "utf-8")
    with pytest.raises(PoolError, match=r"deep\.json: is no JSON file"):
        opened(deep, "plan")
