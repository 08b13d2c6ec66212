"""``encrypt``: kodomo.duckdb from plain to encrypted, to a new key, or back to plain; whole or not at all."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path

from kodomo_assets.catalogue import Catalogue
from kodomo_assets.errors import KeyFileError, StoreFaultError
from kodomo_assets.settings import Settings
from kodomo_assets.store.accounts import refreshing_account
from kodomo_assets.store.encryption import VARIABLE, add_key, fingerprint, is_encrypted, keys_in, opened_under
from kodomo_assets.store.opening import open_to_write
from kodomo_assets.store.rewriting import every_row, put_in_place, rewritten

_KEEP_KEY = (
    "鍵の写しを、データともバックアップとも別のところに保管してください。"
    "鍵を失うと、このデータもバックアップも誰にも読めません"
)
_EVERYWHERE = "すべてのサービスとコマンドの環境変数"
_LEFT_ON_DISK = (
    "前のファイルは消しましたが、ディスクの空いたところに残っていることがあり、前のバックアップはもとのままです"
    "（docs/ja/operations.md）"
)


def encrypt(
    settings: Settings, catalogue: Catalogue, *, rotate: bool, off: bool, tell: Callable[[str], None]
) -> list[str]:
    """Writes kodomo.duckdb anew under the key in force, under a new one (``rotate``), or plain (``off``).

    Where there is no database yet its key is made, and the first refresh makes it encrypted.

    Returns:
        what was done and what a person has to do now, in words.

    Raises:
        KeyFileError: no key file is named, or a key is missing, another or open to others.
        StoreBusyError: another process holds the database.
        StoreFaultError: the disk has no room, or the new file is not what the old one is. Nothing was changed.
    """
    key_file, database = settings.encryption_key_file, settings.database
    if settings.store is not None:
        raise KeyFileError(
            "KODOMO_STORE is set: the rows of a store in DuckLake are always encrypted, under keys that its catalogue "
            "holds; encrypt the disk of the catalogue instead (docs/stores.md). Nothing was changed"
        )
    if key_file is None:
        raise KeyFileError(
            "{variable} is not set, expected the file that holds the key of the encryption, or that it is to be made "
            "in: set it for this command and for every service; nothing was changed",
            variable=VARIABLE,
        )
    _require_own(settings)
    encrypted = database.exists() and is_encrypted(database)
    if off and not encrypted:
        return [f"暗号化されていません。{_EVERYWHERE}から {VARIABLE} を外してください"]
    if not database.exists():
        return _before_the_first_refresh(key_file, rotate=rotate)
    before = settings if encrypted else settings.model_copy(update={"encryption_key_file": None})
    with open_to_write(before, catalogue, tell) as con:
        _require_room(database)
        under = opened_under(database)
        # of a rotation that was ended on its way the new key is there already
        if not key_file.exists() or (rotate and under == fingerprint(keys_in(key_file)[0])):
            add_key(key_file)
        key = None if off else keys_in(key_file)[0]
        if key is not None and under == fingerprint(key):
            return [f"すでに、いまの鍵（指紋 {fingerprint(key)}）で暗号化されています。何も変えていません"]
        new = Path(tempfile.gettempdir()) / database.name
        with rewritten(con, new, key, every_row):
            pass
        put_in_place(con, new, database)
    if key is None:
        return [
            f"{database.name} の暗号化をやめました。{_EVERYWHERE}から {VARIABLE} を外してください",
            f"暗号化していたときのバックアップを戻すには、{key_file} の鍵がまだ要ります",
        ]
    return [
        f"{database.name} を暗号化しました（鍵の指紋 {fingerprint(key)}）",
        f"{_EVERYWHERE}で {VARIABLE}={key_file} としてください",
        _KEEP_KEY,
        *_older(key_file),
        _LEFT_ON_DISK,
    ]


def _require_own(settings: Settings) -> None:
    """Whoever else writes key and database leaves files that the account of the installation cannot read; one file for
    both keys is spoilt by the first rotation.
    """
    owner = refreshing_account(settings)
    if os.name != "nt" and owner.number != os.geteuid():
        raise KeyFileError(
            "the data are those of {account}; give the command as that account: sudo -u {account} kodomo encrypt; "
            "nothing was changed",
            account=owner.name,
        )
    if settings.encryption_key_file == settings.key_file:
        raise KeyFileError(
            "{path}: is the file of the pseudonym key too, expected another one in {variable}; nothing was changed",
            path=settings.key_file,
            variable=VARIABLE,
        )


def _before_the_first_refresh(key_file: Path, *, rotate: bool) -> list[str]:
    if rotate or not key_file.exists():
        add_key(key_file)
    key = keys_in(key_file)[0]
    return [
        f"データベースはまだありません。鍵は {key_file}（指紋 {fingerprint(key)}）で、最初の更新が暗号化して作ります",
        _KEEP_KEY,
    ]


def _older(key_file: Path) -> list[str]:
    older = [fingerprint(key) for key in keys_in(key_file)[1:]]
    if not older:
        return []
    return [
        f"前の鍵（指紋 {'、'.join(older)}）は {key_file} の下の行に残してあります。その鍵のバックアップを"
        "すべて消したら、その行も消してください"
    ]


def _require_room(database: Path) -> None:
    # the new file, and its log beside it
    needed, free = 2 * database.stat().st_size, shutil.disk_usage(database.parent).free
    if needed > free:
        raise StoreFaultError(
            "{database}: the disk has {free} MB left, expected {needed} MB for the new file beside the old one: make "
            "room on it; nothing was changed",
            database=database.name,
            free=f"{free / 1e6:,.0f}",
            needed=f"{needed / 1e6:,.0f}",
        )
