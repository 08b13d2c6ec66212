"""A backup of the whole installation, of one moment, and the way back from it to any folder or machine.

A backup is a folder: the data folder (deliveries, files for people, both databases, the city's configuration),
DAGSTER_HOME, and ``backup.json``, which names every file with its size and SHA-256. The keys are never in it.
It is written under another name and renamed when all of it is on the disk.

It is one that can be read: of a damaged database none is made, and none of before goes.

Nobody waits for a slow target: the lock of kodomo.duckdb is held while the databases are copied beside it on their own
disk and the files for people, which are replaced and never changed, are linked there. Deliveries are copied after that,
so that one that comes meanwhile is a new one for whoever restores, and never one that was read and is gone.
"""

from __future__ import annotations

import datetime as dt
import errno
import hashlib
import json
import os
import re
import shutil
import socket
import sqlite3
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack, closing, contextmanager, suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any

import duckdb

from kodomo_assets import __version__
from kodomo_assets.catalogue import Catalogue, load_catalogue
from kodomo_assets.errors import BackupError, ConfigurationError, KeyFileError, KodomoError, Said, StoreBusyError
from kodomo_assets.machine.processes import lives
from kodomo_assets.machine.scratch import SCRATCH, scratch
from kodomo_assets.machine.system_errors import explain
from kodomo_assets.settings import Settings
from kodomo_assets.sql import quoted
from kodomo_assets.store.accounts import refreshing_account
from kodomo_assets.store.connection import connect
from kodomo_assets.store.encryption import VARIABLE, fingerprint, keys_in, opened_under
from kodomo_assets.store.holding import LOCK, held
from kodomo_assets.store.lake import read_lake, require_the_store, size_of
from kodomo_assets.store.migrate import require_known
from kodomo_assets.store.modes import others_may
from kodomo_assets.store.pseudonyms import load_own_secret
from kodomo_assets.store.publish import published_file
from kodomo_assets.store.rewriting import every_row, rewritten

#: What makes a folder a backup.
MANIFEST = "backup.json"
#: In the data folder: a line for each backup that was made, where and when; nothing of anybody.
MADE = "backups.jsonl"
_FORMAT = 1
_SAYS = {"made", "data_dir", "left_out", "files"}
_DATA, _HOME = "data", "dagster"
#: Where ``restore`` puts DAGSTER_HOME, in the new data folder.
RESTORED_HOME = ".dagster"
_NAME, _NAMES = "kodomo-backup-{:%Y%m%dT%H%M%S}", r"kodomo-backup-\d{8}T\d{6}"
_UNFINISHED = ".unfinished"
# SQLite's own, of the file beside it: what they hold is in the copy
_OF_SQLITE = ("-wal", "-shm", "-journal")
_OWNER_ONLY = 0o077
_ON_WINDOWS = os.name == "nt"
# no key file is longer, that of a thousand rotations neither; what is is not read to look for a key
_KEY_AT_MOST = 1 << 16
_BLOCK = 1 << 20
_LOOK_AGAIN_SECONDS = 5
_TOLD = 5


@dataclass(frozen=True)
class Entry:
    """One file of a backup: its place (with ``/``), bytes, SHA-256, and when it was last changed (ns since 1970)."""

    path: str
    size: int
    sha256: str
    changed: int


@dataclass(frozen=True)
class Made:
    """A backup that was made.

    Attributes:
        folder: where it is.
        left_out: what could not be copied, each with why; a backup with any of it is told as not whole.
        locked: how long no refresh could begin, seconds.
        dropped: older backups that were removed.
    """

    folder: Path
    files: int
    size: int
    locked: float
    left_out: tuple[str, ...]
    dropped: tuple[Path, ...]


@dataclass
class _Content:
    """What goes into a backup, while it is put together: place -> its entry, and place -> why it is left out.

    Attributes:
        secrets: the keys, which are in no file of it.
    """

    secrets: tuple[bytes, ...]
    entries: dict[str, Entry] = field(default_factory=dict)
    left_out: dict[str, str] = field(default_factory=dict)


def back_up(
    settings: Settings,
    catalogue: Catalogue,
    folder: Path,
    *,
    now: dt.datetime,
    keep: int | None = None,
    patience: float = 0,
    tell: Callable[[str], None] = lambda _text: None,
) -> Made:
    """Makes a backup in ``folder``, which is made where it is missing.

    Args:
        keep: so many backups of this installation are left in ``folder``, the newest; None: all.
        patience: how long it waits for a refresh that is under way, seconds.
        tell: is told that it waits.

    Raises:
        BackupError: there is nothing to back up, it is another account's, ``folder`` lies in the data folder, others
            may open what is made in it, the disk has no room, or deliveries were taken away meanwhile.
        StoreBusyError: a refresh is still under way after ``patience``.
    """
    _require_installation(settings, folder)
    _require_own(settings)
    os.umask(_OWNER_ONLY)
    folder.mkdir(parents=True, mode=0o700, exist_ok=True)
    target = folder / _NAME.format(now)
    if target.exists():
        raise BackupError("{name}: a backup of this second is there already; give the command again", name=target.name)
    with _unfinished(target, _NAMES) as building:
        others = others_may(building)
        if others:
            raise BackupError(
                "{folder}: others may open what is made here ({others}), and a backup holds everybody's records; "
                "expected a place that this account alone opens (a share: mounted with dir_mode=0700,file_mode=0600)",
                folder=folder,
                others=others,
            )
        _require_room(settings, folder)
        content = _Content(tuple(_secrets(settings)))
        with scratch(settings.data_dir / SCRATCH) as own:
            with _at_rest(settings, patience, tell) as con:
                began = time.monotonic()
                expected = _deliveries(settings)
                steps, under = _steps(con), opened_under(settings.database)
                _hold_fast(settings, catalogue, own, con)
                locked = time.monotonic() - began
            _require_readable(own / _DATA / settings.file_database.name, settings.encryption_key_file)
            for name in (_DATA, _HOME):
                _copy_tree(own / name, building / name, name, content)
            _copy_rest(settings, building / _DATA, content)
        left_out = [f"{place}：{why}" for place, why in content.left_out.items()]
        gone = expected - content.entries.keys() - content.left_out.keys()
        if gone:
            # whoever restores would take them for withdrawn
            raise BackupError(
                "inbox/: {number} files were taken away while the backup was made; give the command again",
                number=len(gone),
            )
        manifest = {
            "format": _FORMAT,
            "made": now.isoformat(timespec="seconds"),
            "program": __version__,
            "steps": steps,
            "encrypted_under": under,
            "in_lake": settings.store is not None,
            "host": socket.gethostname(),
            "data_dir": str(settings.data_dir),
            "left_out": left_out,
            "files": [asdict(entry) for entry in content.entries.values()],
        }
        text = json.dumps(manifest, ensure_ascii=False, indent=1)
        _write(building / MANIFEST, text.encode())
    made = Made(
        target,
        len(content.entries),
        sum(entry.size for entry in content.entries.values()),
        locked,
        tuple(left_out),
        _drop_older(settings, target, keep),
    )
    _note(settings, now, target)
    return made


def restore(backup: Path, target: Path, key_file: Path, encryption_key_file: Path | None = None) -> list[str]:
    """Makes the data folder ``target`` of ``backup``, with DAGSTER_HOME in it; every file is held against its SHA-256.

    Args:
        key_file: where the pseudonym key is expected.
        encryption_key_file: what holds the key that the backup was made under; needed to look into it only.

    Returns:
        what a person has to do or know now, in words.

    Raises:
        BackupError: ``backup`` is none, is damaged or unfinished, or ``target`` holds something.
        StoreVersionError: a newer version of the program wrote it.
    """
    manifest = _read_manifest(backup)
    if target.exists() and (not target.is_dir() or any(target.iterdir())):
        raise BackupError(
            "{target}: holds something already; expected for --to an empty folder, or one that is not there yet "
            "(nothing is put back over the present data: give that another name first)",
            target=target,
        )
    if target.resolve().is_relative_to(backup.resolve()) or backup.resolve().is_relative_to(target.resolve()):
        raise BackupError("{target}: lies in the backup, or holds it; expected another folder for --to", target=target)
    if target.is_mount():
        raise BackupError(
            "{target}: a disk is mounted there, in whose place nothing can be put; expected for --to a folder on it "
            "({below}, say)",
            target=target,
            below=target / "data",
        )
    os.umask(_OWNER_ONLY)
    with _unfinished(target, re.escape(target.name)) as building:
        _require_space(building, sum(entry.size for entry in _entries(manifest)))
        for entry in _entries(manifest):
            _put_back(backup, entry, building)
        for name in ("inbox", "outbox"):
            (building / name).mkdir(mode=0o700, exist_ok=True)
        restored = Settings(data_dir=building, key_file=key_file, overlay=None, dagster_home=building / RESTORED_HOME)
        told = [
            *_left_out_then(manifest),
            *([_LAKE_NOW_A_FILE] if manifest.get("in_lake") else []),
            *_about_keys(restored, encryption_key_file, manifest.get("encrypted_under")),
            *_about_configuration(building),
        ]
        if target.exists():
            target.rmdir()
    _note(
        Settings(data_dir=target, key_file=key_file, overlay=None, dagster_home=target / RESTORED_HOME),
        dt.datetime.fromisoformat(str(manifest["made"])),
        backup.resolve(),
    )
    if not _ON_WINDOWS and os.geteuid() == 0:
        told.append(f"root のものです。サービスを動かすアカウントのものにしてください：chown -R <account>: {target}")
    return told


def made_backups(settings: Settings) -> list[tuple[dt.datetime, Path]]:
    """When and where backups of this installation were made, as it noted it; oldest first."""
    try:
        lines = (settings.data_dir / MADE).read_text("utf-8").splitlines()
    except FileNotFoundError:
        return []
    noted = []
    for line in lines:
        # a line that a full disk cut off
        with suppress(ValueError, KeyError, TypeError):
            found = json.loads(line)
            noted.append((dt.datetime.fromisoformat(found["made"]), Path(found["folder"])))
    return sorted(noted)


def _note(settings: Settings, now: dt.datetime, folder: Path) -> None:
    path = settings.data_dir / MADE
    if (now, folder) in made_backups(settings):
        return
    with path.open("a", encoding="utf-8") as file:
        path.chmod(0o600)
        file.write(f"{json.dumps({'made': now.isoformat(timespec='seconds'), 'folder': str(folder)})}\n")


# -- making one --------------------------------------------------------------------------------------------------------


def _require_installation(settings: Settings, folder: Path) -> None:
    if folder.exists() and not folder.is_dir():
        raise BackupError("{folder}: is no folder; expected one on another disk", folder=folder)
    require_the_store(settings)
    if not settings.database.exists():
        raise BackupError(
            "{database}: is not in KODOMO_DATA_DIR ({folder}) yet: there is nothing to back up",
            database=settings.database.name,
            folder=settings.data_dir,
        )
    if settings.data_dir.resolve().is_relative_to(settings.dagster_home.resolve()):
        raise BackupError(
            "KODOMO_DATA_DIR lies in DAGSTER_HOME ({home}); expected that to hold the records of runs and nothing else",
            home=settings.dagster_home,
        )
    for what, place in (("KODOMO_DATA_DIR", settings.data_dir), ("DAGSTER_HOME", settings.dagster_home)):
        if folder.resolve().is_relative_to(place.resolve()):
            raise BackupError(
                "{folder}: lies in {what}: what is beside the data is lost with them; expected another disk",
                folder=folder,
                what=what,
            )


def _require_own(settings: Settings) -> None:
    """Whoever else makes one leaves files that the account of the installation can neither read nor remove."""
    owner = refreshing_account(settings)
    if not _ON_WINDOWS and owner.number != os.geteuid():
        raise BackupError(
            "the data are those of {account}; give the command as that account: sudo -u {account} kodomo backup",
            account=owner.name,
        )


def _key_files(settings: Settings) -> list[Path]:
    files = (settings.key_file, settings.pool_key_file, settings.encryption_key_file)
    return [path for path in files if path is not None]


def _secrets(settings: Settings) -> Iterator[bytes]:
    for path in _key_files(settings):
        with suppress(FileNotFoundError):
            yield from path.read_bytes().split()


def _require_readable(database: Path, key_file: Path | None) -> None:
    """Every row can be read: DuckDB holds each block that it reads against its checksum.

    Raises:
        BackupError: it is damaged.
        StoreFaultError: it cannot even be opened.
    """
    with connect(database, key_file, read_only=True) as con:
        try:
            names = con.execute(
                "select schema_name, table_name from duckdb_tables() "
                "where database_name = current_database() and not internal"
            ).fetchall()
            for schema, name in names:
                con.execute(f"select bit_xor(hash(found)) from {quoted(schema)}.{quoted(name)} as found").fetchall()
        except duckdb.Error as error:
            raise BackupError(
                "{database}: a part of it cannot be read ({why}). No backup was made; the ones before stand (`kodomo "
                "doctor`)",
                database=database.name,
                why=explain(error) or type(error).__name__,
            ) from None


def _require_room(settings: Settings, folder: Path) -> None:
    """Says before the first byte that the disk is too small, rather than fill it."""
    history = _size(settings.dagster_home)
    # the databases lie aside on their own disk until they are in the backup
    _require_space(folder, _size(settings.data_dir) + history)
    rows = settings.database.stat().st_size if settings.store is None else _LAKE_AS_FILE * _size_of_lake(settings)
    _require_space(settings.data_dir, rows + history)


_LAKE_NOW_A_FILE = (
    "表は DuckLake ではなく kodomo.duckdb に戻しました：KODOMO_STORE を外すか、`kodomo move-store` で移してください"
)
# the rows of a lake are packed closer than those of a file
_LAKE_AS_FILE = 10


def _size_of_lake(settings: Settings) -> int:
    with connect(settings.database, settings.encryption_key_file, read_only=True) as con:
        return size_of(con)


def _require_space(place: Path, needed: int) -> None:
    free = shutil.disk_usage(place).free
    if needed > free:
        raise BackupError(
            "{place}: has too little room (needed {needed}, free {free}); make some (old backups, what nobody needs)",
            place=place,
            needed=_megabytes(needed),
            free=_megabytes(free),
        )


def _size(folder: Path) -> int:
    size = 0
    for path in _files(folder):
        # a refresh that is under way, and will be waited for, makes and removes files all the time
        with suppress(FileNotFoundError):
            size += path.lstat().st_size
    return size


def _megabytes(size: int) -> str:
    return f"{size / 1e6:,.0f} MB"


@contextmanager
def _at_rest(settings: Settings, patience: float, tell: Callable[[str], None]) -> Iterator[duckdb.DuckDBPyConnection]:
    """kodomo.duckdb while nobody writes it: a reader, whom every writer has to let finish."""
    until = time.monotonic() + patience
    waits = False
    with ExitStack() as stack:
        while True:
            try:
                if settings.store is not None:
                    # whoever reads a lake keeps nobody from writing
                    stack.enter_context(held(settings.data_dir, read_lake(settings.lake_file), None))
                con = stack.enter_context(connect(settings.database, settings.encryption_key_file, read_only=True))
                break
            except StoreBusyError:
                if time.monotonic() >= until:
                    raise
                if not waits:
                    tell("更新が動いています。終わるのを待ちます")
                waits = True
                time.sleep(_LOOK_AGAIN_SECONDS)
        yield con


def _steps(con: duckdb.DuckDBPyConnection) -> list[str]:
    """The migrations that the database has done, for whoever asks which program can read it."""
    try:
        return [
            f"{number:04} {name}"
            for number, name in con.execute("select number, name from store.migrations order by number").fetchall()
        ]
    except duckdb.CatalogException:  # of one of the first two landings
        return []


def _hold_fast(settings: Settings, catalogue: Catalogue, own: Path, con: duckdb.DuckDBPyConnection) -> None:
    """What must be of one moment, put aside on the same disk; of a lake its tables as a file.

    kodomo.duckdb comes last: to close a file gives up every lock that this process has on it.
    """
    data, home = own / _DATA, own / _HOME
    data.mkdir(mode=0o700)
    home.mkdir(mode=0o700)
    keys = {path.resolve() for path in _key_files(settings)}
    for path in _files(settings.outbox):
        _link(path, data / settings.outbox.name / path.relative_to(settings.outbox))
    for path in _files(settings.dagster_home):
        if path.name.endswith(_OF_SQLITE) or path.is_symlink() or path.resolve() in keys:
            continue
        copied = home / path.relative_to(settings.dagster_home)
        copied.parent.mkdir(parents=True, mode=0o700, exist_ok=True)
        if path.suffix == ".db":
            _copy_sqlite(path, copied)
        else:
            shutil.copy2(path, copied)
    published = published_file(settings, catalogue)
    if published.exists():
        # replaced whole, never changed
        _link(published, data / settings.analyst_database.name)
    if settings.store is not None:
        with rewritten(con, data / settings.file_database.name, None, every_row):
            pass
        return
    wal = settings.database.with_name(f"{settings.database.name}.wal")
    for path in (wal, settings.database):
        if path.exists():
            shutil.copy2(path, data / path.name)


def _link(path: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, mode=0o700, exist_ok=True)
    if path.is_symlink():
        return
    try:
        os.link(path, target)
    except OSError:
        # another account's file, another disk, or one without hard links
        shutil.copy2(path, target)


def _copy_sqlite(path: Path, target: Path) -> None:
    """Consistent also while Dagster's daemon writes it."""
    with closing(sqlite3.connect(path)) as source, closing(sqlite3.connect(target)) as copied:
        source.backup(copied)


def _deliveries(settings: Settings) -> set[str]:
    return {_place(_DATA, settings, path) for path in _files(settings.inbox) if not path.is_symlink()}


def _place(top: str, settings: Settings, path: Path) -> str:
    return str(PurePosixPath(top, *path.relative_to(settings.data_dir).parts))


def _copy_rest(settings: Settings, target: Path, content: _Content) -> None:
    """Deliveries, the configuration and whatever else lies in the data folder, but what belongs to this computer."""
    database, analyst = settings.database.name, settings.analyst_database.name
    apart = {SCRATCH, settings.outbox.name, database, f"{database}.wal", f"{database}.tmp", analyst}
    lake = [] if settings.store is None else [settings.data_dir / LOCK, *read_lake(settings.lake_file).places]
    kept_out = {path.resolve() for path in (*_key_files(settings), settings.dagster_home, *lake)}
    for path in sorted(settings.data_dir.iterdir()):
        if path.name in apart or path.name.startswith(f"{analyst}."):
            continue
        _copy_tree(path, target / path.name, f"{_DATA}/{path.name}", content, kept_out)
    overlay = settings.overlay
    if overlay is not None and overlay.resolve() != (settings.data_dir / _CITY).resolve():
        # KODOMO_CONFIG: in force, whatever lies in the data folder
        _copy_tree(overlay, target / _CITY, f"{_DATA}/{_CITY}", content)


_CITY = "city.yaml"


def _copy_tree(source: Path, target: Path, place: str, content: _Content, kept_out: Iterable[Path] = ()) -> None:
    """Copies ``source``, a file or a folder; a link below the first one is not followed, and told."""
    for path in [source] if source.is_file() else _files(source):
        below = path.relative_to(source).parts
        name = str(PurePosixPath(place, *below))
        resolved = path.resolve()
        if any(resolved.is_relative_to(kept) for kept in kept_out):
            continue
        if path.is_symlink() and path != source:
            content.left_out[name] = "リンクなので写していません"
            continue
        if _holds(path, content.secrets):
            content.left_out[name] = "鍵の写しなので入れていません。データとは別のところに移してください"
            continue
        try:
            content.entries[name] = _copy(path, target.joinpath(*below), name)
        except FileNotFoundError:
            continue
        except OSError as error:
            if error.errno not in (errno.EACCES, errno.EPERM, errno.EIO):
                raise
            said = explain(error)
            content.left_out[name] = f"読めません（{(said and said.ja) or os.strerror(error.errno)}）"


def _holds(path: Path, secrets: Iterable[bytes]) -> bool:
    try:
        if path.stat().st_size > _KEY_AT_MOST:
            return False
        # a copy that Windows' editor saved as "Unicode" has a zero after each letter
        content = path.read_bytes().replace(b"\0", b"")
        return any(secret in content for secret in secrets)
    except OSError:
        # whoever copies it meets it again, and says so
        return False


def _copy(source: Path, target: Path, name: str) -> Entry:
    target.parent.mkdir(parents=True, mode=0o700, exist_ok=True)
    digest, size = hashlib.sha256(), 0
    with source.open("rb") as read, target.open("wb") as written:
        target.chmod(0o600)
        while block := read.read(_BLOCK):
            digest.update(block)
            written.write(block)
            size += len(block)
        changed = os.fstat(read.fileno()).st_mtime_ns
        written.flush()
        os.fsync(written.fileno())
    os.utime(target, ns=(changed, changed))
    return Entry(name, size, digest.hexdigest(), changed)


def _files(folder: Path) -> list[Path]:
    """All files and links below ``folder``, in order; what is no file is left out."""
    found = []
    for place, folders, files in os.walk(folder):
        links = [name for name in folders if (Path(place) / name).is_symlink()]
        folders[:] = sorted(set(folders) - set(links))
        paths = [Path(place) / name for name in sorted(files + links)]
        found += [path for path in paths if path.is_symlink() or path.is_file()]
    return found


@contextmanager
def _unfinished(target: Path, like: str) -> Iterator[Path]:
    """Where ``target`` is put together; renamed to it at the end, removed where it does not come to it.

    Its name tells its process: what a process of this computer left that ended goes too, of a target that is ``like``
    (a pattern); never that of one that works, nor anything else.
    """
    for left in _never_finished(target.parent, like):
        shutil.rmtree(left, ignore_errors=True)
    building = target.with_name(f"{target.name}.{socket.gethostname()}-{os.getpid()}{_UNFINISHED}")
    try:
        building.mkdir(parents=True, mode=0o700)
        yield building
        if hasattr(os, "sync"):
            os.sync()
        building.rename(target)
    finally:
        shutil.rmtree(building, ignore_errors=True)


def _never_finished(folder: Path, like: str) -> list[Path]:
    made_by = re.compile(rf"(?:{like})\.{re.escape(socket.gethostname())}-(\d+){re.escape(_UNFINISHED)}")
    named = [(left, made_by.fullmatch(left.name)) for left in folder.iterdir()] if folder.is_dir() else []
    return [left for left, found in named if found and not lives(int(found[1]))]


def unfinished_backups(folder: Path) -> list[Path]:
    """What backups left in ``folder`` whose process ended in the middle; the next one there removes it."""
    return _never_finished(folder, _NAMES)


def _write(path: Path, content: bytes) -> None:
    with path.open("wb") as file:
        path.chmod(0o600)
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


def _drop_older(settings: Settings, made: Path, keep: int | None) -> tuple[Path, ...]:
    """Removes all but the ``keep`` newest; never the one just ``made``, whatever the clock says.

    Where that is not whole, the newest that is stays, too.
    """
    if keep is None:
        return ()
    older: list[tuple[Path, bool]] = []
    for path in made.parent.glob(f"kodomo-backup-*/{MANIFEST}"):
        with suppress(BackupError):
            manifest = _read_manifest(path.parent)
            if path.parent != made and manifest.get("data_dir") == str(settings.data_dir):
                older.append((path.parent, not manifest["left_out"]))
    older.sort(reverse=True)
    kept = {path for path, _ in older[: keep - 1]}
    whole = next((path for path, is_whole in older if is_whole), None)
    if _read_manifest(made)["left_out"] and whole is not None:
        kept.add(whole)
    dropped = tuple(path for path, _ in reversed(older) if path not in kept)
    for old in dropped:
        # no backup from here on, whatever ends this
        (old / MANIFEST).unlink()
        shutil.rmtree(old)
    return dropped


# -- the way back ------------------------------------------------------------------------------------------------------


def _read_manifest(backup: Path) -> Mapping[str, Any]:
    if backup.name.endswith(_UNFINISHED):
        raise BackupError("{backup}: a backup that was stopped before its end; use another one", backup=backup)
    path = backup / MANIFEST
    try:
        found = json.loads(path.read_text("utf-8"))
    except FileNotFoundError:
        raise BackupError(
            "{backup}: is no backup (it has no {manifest}); expected a folder kodomo-backup-... that `backup` made",
            backup=backup,
            manifest=MANIFEST,
        ) from None
    except (OSError, ValueError) as error:
        raise BackupError(
            "{path}: cannot be read ({why}); use another backup", path=path, why=explain(error) or type(error).__name__
        ) from None
    if not isinstance(found, dict) or found.get("format") != _FORMAT or not found.keys() >= _SAYS:
        raise BackupError(
            "{path}: of a form that this version of the program ({version}) does not know; restore it with the version "
            "that made it, or a later one",
            path=path,
            version=__version__,
        )
    return found


def _entries(manifest: Mapping[str, Any]) -> Iterator[Entry]:
    for found in manifest["files"]:
        yield Entry(**found)


def _put_back(backup: Path, entry: Entry, building: Path) -> None:
    """One file to its place, if it is what was saved.

    Raises:
        BackupError: it is missing or another, or its place is none of the new folder.
    """
    top, *below = PurePosixPath(entry.path).parts
    if top not in (_DATA, _HOME) or not below or ".." in below:
        raise BackupError("{path}: no place that a backup's list can name: this one was tampered with", path=entry.path)
    target = building.joinpath(*((RESTORED_HOME,) if top == _HOME else ()), *below)
    try:
        copied = _copy(backup.joinpath(top, *below), target, entry.path)
    except FileNotFoundError:
        raise BackupError("{path}: is not in the backup. {damaged}", path=entry.path, damaged=Said(_DAMAGED)) from None
    if (copied.size, copied.sha256) != (entry.size, entry.sha256):
        raise BackupError("{path}: is not what was saved. {damaged}", path=entry.path, damaged=Said(_DAMAGED))
    os.utime(target, ns=(entry.changed, entry.changed))


_DAMAGED = "This backup is damaged; nothing was put back: use another one"


def _left_out_then(manifest: Mapping[str, Any]) -> list[str]:
    left_out = manifest["left_out"]
    if not left_out:
        return []
    return [f"作ったときに写せなかったもの：{len(left_out)} 個", *(f"  {text}" for text in left_out[:_TOLD])]


def _about_keys(restored: Settings, key_file: Path | None, needed: str | None) -> list[str]:
    """Whether the keys that lie where they are expected are this database's; without that of the encryption nothing
    else is known of it.
    """
    if needed is None:
        told = _about_key(restored)
        if key_file is not None:
            told.append(f"このバックアップは暗号化されていません。更新の前に `kodomo encrypt` を（{VARIABLE}）")
        return told
    try:
        here = [fingerprint(key) for key in keys_in(key_file)] if key_file is not None else []
    except KeyFileError as error:
        return [_needs(needed), *error.ja.splitlines()]
    if needed not in here:
        return [_needs(needed), f"{VARIABLE} の鍵：{'指紋 ' + '、'.join(here) if here else 'ありません'}"]
    told = [f"このデータは、{key_file} の鍵（指紋 {needed}）で暗号化されています"]
    if needed != here[0]:
        told.append("前の鍵なので、更新の前に `kodomo encrypt` でいまの鍵に書き直してください")
    return [*told, *_about_key(restored.model_copy(update={"encryption_key_file": key_file}))]


def _needs(needed: str) -> str:
    return (
        f"このデータは指紋 {needed} の鍵で暗号化されています。戻しましたが、その鍵がないと読めません"
        f"（中は確かめていません）。別に保管してあるその鍵のファイルを {VARIABLE} に指定してください"
    )


def _about_key(restored: Settings) -> list[str]:
    """Whether the key that lies where it is expected is this database's; the database must be one for this program."""
    with connect(restored.database, restored.encryption_key_file, read_only=True) as con:
        require_known(con)
        if not restored.key_file.exists():
            return [
                f"仮名の鍵は、バックアップに入っていません。別に保管してある鍵を {restored.key_file} に置いてください"
                "（モード 0600）。鍵がないと更新できません"
            ]
        try:
            load_own_secret(con, restored.key_file)
        except ConfigurationError:
            return [
                f"{restored.key_file} は、このデータの鍵ではありません（または、ほかの人も開けます）。"
                "このデータの鍵を、別のファイルとして KODOMO_KEY_FILE に指定してください"
            ]
    return [f"仮名の鍵 {restored.key_file} は、このデータの鍵です"]


def _about_configuration(building: Path) -> list[str]:
    """Where the restored configuration writes or reads outside of the new folder."""
    city = building / _CITY
    try:
        catalogue = load_catalogue(city if city.is_file() else None)
    except KodomoError:
        return [f"{_CITY} は、この版のプログラムでは読めません。`check-config` で見てください"]
    places = {
        "publish.folder": catalogue.publish.folder,
        "registry.templates": catalogue.registry.templates,
        "ingest.password_file": catalogue.ingest.password_file,
        **{f"tables.{name}.password_file": table.password_file for name, table in catalogue.tables.items()},
    }
    return [
        f"{_CITY} の {key} は {place} です。ここはバックアップに入っていません。"
        "元の機械でまだ動いているなら、更新の前に別の場所に変えてください"
        for key, place in places.items()
        if place is not None and not place.resolve().is_relative_to(building.resolve())
    ]
