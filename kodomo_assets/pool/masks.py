"""Masks that two members share and nobody else knows: one adds what the other subtracts (cities.md, 2).

Each pair of members has one key for each plan, from the X25519 exchange of their public keys in the joining files. The
stream that it gives is as long as the plan's vector, and adding it makes every vector equally likely: a contribution
alone tells nothing. (Bonawitz et al. 2017, "Practical Secure Aggregation", without recovery: who drops out ends it.)

Codes and public keys of the pair enter its key. Else a member that joins with the public key of another one has the
other's masks, and where one is added and the other subtracted they cancel in the answer of a third.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import ChaCha20
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from kodomo_assets.errors import PoolError
from kodomo_assets.pool.vectors import WIDTH, Vector, added, negated, of_bytes

_INFO = b"kodomo pool mask 1"
_KEY_BYTES = 32
# a key gives one stream only: counter and nonce may begin at nothing
_NONCE = bytes(16)


def masked(
    vector: Vector, own: str, private: X25519PrivateKey, others: Mapping[str, X25519PublicKey], plan: bytes
) -> Vector:
    """``vector`` with one mask per other member; over all members the masks are zeros.

    Args:
        own: this member's code (全国地方公共団体コード).
        others: code -> public key of every other member.
        plan: SHA-256 of the round's plan.

    Raises:
        PoolError: the public key of a member is none.
    """
    result = vector
    here = own.encode() + private.public_key().public_bytes_raw()
    for code, public in others.items():
        there = code.encode() + public.public_bytes_raw()
        pair = here + there if own < code else there + here
        mask = _mask(shared(private, public, code), plan, pair, len(vector))
        result = added(result, mask if own < code else negated(mask))
    return result


def shared(private: X25519PrivateKey, public: X25519PublicKey, code: str) -> bytes:
    """The secret that two members share.

    Args:
        code: whose ``public`` is.

    Raises:
        PoolError: the public key is none.
    """
    try:
        return private.exchange(public)
    except ValueError:  # a point of low order: the key of everyone would be the same
        raise PoolError(
            "member {code}: its X25519 key is no key, expected one that `kodomo pool join` made; nothing was "
            "answered: ask that member for its joining file again",
            code=code,
        ) from None


def _mask(secret: bytes, plan: bytes, pair: bytes, length: int) -> Vector:
    key = HKDF(algorithm=SHA256(), length=_KEY_BYTES, salt=plan, info=_INFO + pair).derive(secret)
    stream = Cipher(ChaCha20(key, _NONCE), mode=None).encryptor()
    return of_bytes(stream.update(np.zeros(WIDTH * length, dtype=np.uint8).tobytes()))
