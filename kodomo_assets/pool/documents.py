"""Signed files between the members of a pool and its coordinator: JSON whose words cannot be altered unseen.

What is signed (Ed25519) is the kind of the file and its content in one canonical form, so that white space and order
of keys do not count and no file passes for one of another kind.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from kodomo_assets.errors import PoolError, Said
from kodomo_assets.machine.system_errors import explain

_EDITION = 1
#: No file of a round is larger; what is, is none of ours and is not read into memory.
_MOST_BYTES = 1 << 30
_KEYS = {"edition", "kind", "content", "key", "signature"}
JOIN, WITHDRAWAL, PLAN, CONTRIBUTION, TOTAL, RESULT = "join", "withdrawal", "plan", "contribution", "total", "result"


@dataclass(frozen=True)
class Document:
    """A file of a round whose signature holds.

    Attributes:
        name: the file's name.
        kind: join, withdrawal, plan, contribution, total or result.
        content: what it says.
        fingerprint: of the key that signed it.
        digest: SHA-256 of what was signed, as hex; a plan is known by it.
        whole: the file as it was read: it can stand in another one.
    """

    name: str
    kind: str
    content: dict[str, Any]
    fingerprint: str
    digest: str
    whole: Mapping[str, Any]


def fingerprint(key: Ed25519PublicKey) -> str:
    """What people compare of a key: the SHA-256 of its 32 bytes, as 64 hex digits."""
    return hashlib.sha256(key.public_bytes_raw()).hexdigest()


def signed(kind: str, content: Mapping[str, Any], key: Ed25519PrivateKey) -> bytes:
    """The file of ``kind`` that says ``content``; the same bytes every time."""
    document = {
        "edition": _EDITION,
        "kind": kind,
        "content": content,
        "key": key.public_key().public_bytes_raw().hex(),
        "signature": base64.b64encode(key.sign(_canonical(kind, content))).decode("ascii"),
    }
    return (json.dumps(document, ensure_ascii=False, indent=1, allow_nan=False) + "\n").encode()


def opened(path: Path, kind: str, signer: str | None = None) -> Document:
    """The file at ``path``.

    Args:
        signer: the fingerprint of the key that must have signed it; None: whoever did.

    Raises:
        PoolError: it is no file of this kind, was altered, or somebody else signed it.
    """
    try:
        if path.stat().st_size > _MOST_BYTES:
            raise PoolError(
                "{file}: is larger than any file of a pool; expected a {kind}", file=path.name, kind=_(kind)
            )
        content = path.read_bytes()
    except OSError as error:
        raise PoolError(
            "{file}: cannot be read: {why}", file=path.name, why=explain(error) or type(error).__name__
        ) from None
    return read(content, path.name, kind, signer)


def read(content: bytes, name: str, kind: str, signer: str | None = None) -> Document:
    """The file ``name`` that holds ``content``; as ``opened``."""
    try:
        document = json.loads(content)
    except (ValueError, RecursionError):
        raise PoolError(
            "{file}: is no JSON file, or was cut; expected a {kind}: ask for it again", file=name, kind=_(kind)
        ) from None
    return verified(document, name, kind, signer)


def verified(document: object, name: str, kind: str, signer: str | None = None) -> Document:
    """A file that stands in the file ``name``, or is it; as ``opened``."""
    if not isinstance(document, dict) or document.keys() != _KEYS or not isinstance(document["content"], dict):
        raise PoolError("{file}: is no file of a pool; expected a {kind}", file=name, kind=_(kind))
    if document["edition"] != _EDITION:
        raise PoolError(
            "{file}: is of another edition of these files, expected {edition}: all members and the coordinator need "
            "the same version of this program",
            file=name,
            edition=_EDITION,
        )
    if document["kind"] != kind:
        raise PoolError("{file}: is another file of a pool, expected a {kind}", file=name, kind=_(kind))
    key = _require_signature(name, document)
    if signer is not None and fingerprint(key) != signer:
        raise PoolError(
            "{file}: the {kind} is signed by the key {found}..., expected {expected}...: it comes from somebody else, "
            "or its sender has a new key. Ask by telephone, and never take the fingerprint from the file",
            file=name,
            kind=_(kind),
            found=fingerprint(key)[:16],
            expected=signer[:16],
        )
    message = _canonical(kind, document["content"])
    return Document(name, kind, document["content"], fingerprint(key), hashlib.sha256(message).hexdigest(), document)


def _require_signature(name: str, document: dict[str, Any]) -> Ed25519PublicKey:
    try:
        key = Ed25519PublicKey.from_public_bytes(bytes.fromhex(document["key"]))
        key.verify(
            base64.b64decode(document["signature"], validate=True), _canonical(document["kind"], document["content"])
        )
    except (InvalidSignature, binascii.Error, ValueError, TypeError):
        raise PoolError(
            "{file}: the signature of the {kind} does not hold: it was altered on the way; ask for it again",
            file=name,
            kind=_(document["kind"]),
        ) from None
    return key


def _(kind: str) -> Said:
    """The name of a kind, as people read it."""
    return Said(kind)


def _canonical(kind: str, content: Mapping[str, Any]) -> bytes:
    text = json.dumps([_EDITION, kind, content], ensure_ascii=False, sort_keys=True, separators=(",", ":"))
    return b"kodomo pool\n" + text.encode()
