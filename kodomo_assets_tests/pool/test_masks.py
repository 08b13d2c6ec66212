"""Masks cancel over all members and hide everything of one, by the primitives and by a construction of our own."""

from __future__ import annotations

import hashlib
import hmac
import struct

import numpy as np
import pytest
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from scipy.stats import kstest

from kodomo_assets.errors import PoolError
from kodomo_assets.pool.masks import masked
from kodomo_assets.pool.vectors import added, decoded, encoded, negated

CODES = [f"0810{number:02}" for number in range(11)]
PLAN = hashlib.sha256(b"a plan").digest()


@pytest.fixture(scope="module")
def keys():
    return {code: X25519PrivateKey.generate() for code in CODES}


def contribution(numbers, code, keys, plan=PLAN):
    others = {other: key.public_key() for other, key in keys.items() if other != code}
    return masked(encoded(numbers), code, keys[code], others, plan)


def test_the_total_of_all_members_is_the_sum_and_of_all_but_one_it_is_noise(keys):
    numbers = {code: [1.0, float(at), -at / 7] for at, code in enumerate(CODES)}
    total = encoded([0.0, 0.0, 0.0])
    for code in CODES:
        total = added(total, contribution(numbers[code], code, keys))
    sums = np.array(list(numbers.values())).sum(axis=0)
    assert decoded(total) == pytest.approx(sums, abs=1e-12)
    without = added(total, negated(contribution(numbers[CODES[3]], CODES[3], keys)))
    assert abs(decoded(without)).min() > 1e6


def test_one_contribution_is_uniform_whatever_it_holds(keys):
    """Both words of 4,000 numbers, of a vector of zeros and of one of large sums: no test tells them from chance."""
    for held in (0.0, 1e15):
        one = contribution([held] * 4_000, CODES[0], keys)
        for word in (0, 1):
            assert kstest(one[:, word].astype(float) / 2.0**64, "uniform").pvalue > 1e-4
        bits = np.unpackbits(one.astype("<u8").view(np.uint8))
        # 512,000 fair coins: six standard deviations
        assert abs(bits.mean() - 0.5) < 6 * 0.5 / len(bits) ** 0.5


def test_with_any_vector_another_set_of_masks_gives_the_same_contribution(keys):
    """What is seen fits every vector equally well: the difference of two is taken up by one mask."""
    seen = contribution([5.0, 6.0], CODES[0], keys)
    other = encoded([123.0, -4.0])
    mask = added(seen, negated(other))
    assert (added(other, mask) == seen).all()


def test_each_plan_has_masks_of_its_own(keys):
    one = contribution([0.0] * 8, CODES[0], keys)
    other = contribution([0.0] * 8, CODES[0], keys, hashlib.sha256(b"another plan").digest())
    assert not (one == other).any()


def test_a_mask_is_what_the_contract_says(keys):
    """X25519, HKDF-SHA256 by hand (RFC 5869), ChaCha20 by hand (RFC 8439, 2.3), 16 bytes little-endian a number."""
    one, two = CODES[:2]
    shared = keys[one].exchange(keys[two].public_key())
    extracted = hmac.new(PLAN, shared, hashlib.sha256).digest()
    pair = b"".join(code.encode() + keys[code].public_key().public_bytes_raw() for code in (one, two))
    key = hmac.new(extracted, b"kodomo pool mask 1" + pair + b"\x01", hashlib.sha256).digest()
    stream = chacha20_block(key, 0) + chacha20_block(key, 1)
    expected = [int.from_bytes(stream[at : at + 16], "little") for at in range(0, 96, 16)]
    pair = {code: keys[code] for code in (one, two)}
    added_by_the_smaller = contribution([0.0] * 6, one, pair)
    subtracted_by_the_larger = contribution([0.0] * 6, two, pair)
    assert [int(low) | int(high) << 64 for low, high in added_by_the_smaller] == expected
    assert [-(int(low) | int(high) << 64) % (1 << 128) for low, high in subtracted_by_the_larger] == expected


def test_members_that_copy_the_public_keys_of_others_do_not_cancel_their_masks(keys):
    """Of five the last two join with the keys of the first two, as they are or with the bit that X25519 ignores."""
    first, second, third, *copies = CODES[:5]
    public = {code: key.public_key() for code, key in keys.items()}
    copied = [bytearray(public[code].public_bytes_raw()) for code in (first, second)]
    for flipped in (0, 0x80):
        for each in copied:
            each[31] ^= flipped
        others = {first: public[first], second: public[second]} | {
            code: X25519PublicKey.from_public_bytes(bytes(each)) for code, each in zip(copies, copied, strict=True)
        }
        held = encoded([1.0, 634.0, 29.0])
        assert not (masked(held, third, keys[third], others, PLAN) == held).any()


def test_a_public_key_that_makes_every_mask_the_same_is_refused(keys):
    weak = X25519PublicKey.from_public_bytes(bytes(32))
    with pytest.raises(PoolError, match="member 081001: its X25519 key is no key"):
        masked(encoded([1.0]), CODES[0], keys[CODES[0]], {"081001": weak}, PLAN)


def chacha20_block(key, counter):
    state = [0x61707865, 0x3320646E, 0x79622D32, 0x6B206574, *struct.unpack("<8I", key), counter, 0, 0, 0]
    working = list(state)

    def turn(x, by):
        return (x << by | x >> (32 - by)) & 0xFFFFFFFF

    def quarter(a, b, c, d):
        for first, second, third, by in ((a, b, d, 16), (c, d, b, 12), (a, b, d, 8), (c, d, b, 7)):
            working[first] = (working[first] + working[second]) & 0xFFFFFFFF
            working[third] = turn(working[third] ^ working[first], by)

    for _ in range(10):
        for at in range(4):
            quarter(at, 4 + at, 8 + at, 12 + at)
        for at in range(4):
            quarter(at, 4 + (at + 1) % 4, 8 + (at + 2) % 4, 12 + (at + 3) % 4)
    return struct.pack("<16I", *((a + b) & 0xFFFFFFFF for a, b in zip(working, state, strict=True)))
