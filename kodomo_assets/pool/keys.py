"""The keys of a pool: a member's lie beside the key of its pseudonyms, the coordinator's in a folder of its own.

Neither lies in a data folder or in a backup. What masks the sums is made for one pool and goes with its result.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import hmac
import json
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from kodomo_assets.errors import KeyFileError, Said
from kodomo_assets.pool.documents import fingerprint
from kodomo_assets.store.key_files import read_key_file, write_key_file

_WHAT = Said("keys of the pool")
_HARM = Said("Who has read them can sign in this office's name, and take the masks off its sums")
_FILE = "pool.key"


@dataclass(frozen=True)
class OfPool:
    """What is made for the pool of one date: the key of the masks, and the salt under which the data are frozen.

    Attributes:
        answered: round -> digest of the plan that was answered: what a restored database does not know.
    """

    exchange: X25519PrivateKey = field(repr=False)
    salt: bytes = field(repr=False)
    answered: Mapping[int, str] = field(default_factory=dict)

    def frozen(self, state: str) -> str:
        """The hash of the data that the joining file holds; nobody without the salt can try one out."""
        return hmac.new(self.salt, state.encode(), hashlib.sha256).hexdigest()


@dataclass(frozen=True)
class Keys:
    """The keys of an office: the one that it signs with, and those of the pools that have no result yet.

    Attributes:
        over: the dates whose pools have their result.
    """

    path: Path
    signing: Ed25519PrivateKey = field(repr=False)
    pools: Mapping[dt.date, OfPool] = field(repr=False)
    over: frozenset[dt.date] = frozenset()

    def has_begun(self, date: dt.date) -> bool:
        """Whether a round of the pool of ``date`` was answered."""
        return date in self.over or (date in self.pools and bool(self.pools[date].answered))

    def noted(self, date: dt.date, number: int, plan: str) -> Keys:
        """With the plan that round ``number`` answers.

        Raises:
            KeyFileError: they cannot be written.
        """
        own = self.pools[date]
        return self._stored({**self.pools, date: replace(own, answered={**own.answered, number: plan})}, self.over)

    @property
    def fingerprint(self) -> str:
        """Of the key that signs: what this office tells the others by telephone."""
        return fingerprint(self.signing.public_key())

    def joined(self, date: dt.date) -> Keys:
        """With keys for the pool of ``date``: those that are there, else new ones, which are stored.

        Raises:
            KeyFileError: they cannot be written.
        """
        if date in self.pools:
            return self
        made = OfPool(X25519PrivateKey.generate(), secrets.token_bytes(32))
        return self._stored({**self.pools, date: made}, self.over)

    def ended(self, date: dt.date) -> Keys:
        """Without those of the pool of ``date``: nobody can take the masks off its sums any more.

        Raises:
            KeyFileError: they cannot be written.
        """
        if date not in self.pools:
            return self
        return self._stored({day: kept for day, kept in self.pools.items() if day != date}, self.over | {date})

    def _stored(self, pools: Mapping[dt.date, OfPool], over: frozenset[dt.date]) -> Keys:
        keys = replace(self, pools=pools, over=over)
        write_key_file(self.path, keys._text(), _WHAT, instead=True)
        return keys

    def _text(self) -> str:
        pools = {
            day.isoformat(): {
                "exchange": kept.exchange.private_bytes_raw().hex(),
                "salt": kept.salt.hex(),
                "answered": {str(number): plan for number, plan in kept.answered.items()},
            }
            for day, kept in sorted(self.pools.items())
        }
        # no white space: a backup that meets a copy of this file knows it by the whole of it
        held = {"signing": self.signing.private_bytes_raw().hex(), "pools": pools}
        return json.dumps(held | {"over": sorted(day.isoformat() for day in self.over)}, separators=(",", ":"))


def load_keys(path: Path, variable: str) -> Keys:
    """The keys in ``path``.

    Args:
        variable: what names the place of the file.

    Raises:
        KeyFileError: there are none, they are not usable, or others than the owner may read them.
    """
    try:
        held = json.loads(read_key_file(path, _WHAT, variable, _HARM))
        pools = {
            dt.date.fromisoformat(day): OfPool(
                X25519PrivateKey.from_private_bytes(bytes.fromhex(kept["exchange"])),
                bytes.fromhex(kept["salt"]),
                {int(number): str(plan) for number, plan in kept["answered"].items()},
            )
            for day, kept in held["pools"].items()
        }
        over = frozenset(map(dt.date.fromisoformat, held["over"]))
        return Keys(path, Ed25519PrivateKey.from_private_bytes(bytes.fromhex(held["signing"])), pools, over)
    except (ValueError, KeyError, TypeError, AttributeError):
        raise KeyFileError(
            "{path}: holds no keys of a pool, or not all of them; put it back from where it is kept", path=path
        ) from None


def made_keys(path: Path, variable: str) -> tuple[Keys, bool]:
    """The keys in ``path``, new ones where there is no file, and whether they are new; as ``load_keys``."""
    if path.exists():
        return load_keys(path, variable), False
    keys = Keys(path, Ed25519PrivateKey.generate(), {})
    write_key_file(path, keys._text(), _WHAT)
    return keys, True


def coordinator_file(home: Path) -> Path:
    """Where the coordinator's key lies."""
    return home / _FILE
