"""Who may look into which folder: what is confidential is made or set to its owner's only (mode 0700 and 0600).

Where the system knows no modes (Windows) a file's access list is looked at instead, by names that no language changes.
"""

from __future__ import annotations

import os
import re
import stat
import subprocess
import tempfile
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

from kodomo_assets.catalogue import Catalogue
from kodomo_assets.errors import ConfigurationError
from kodomo_assets.machine.system_errors import explain
from kodomo_assets.settings import Settings
from kodomo_assets.vocabulary import CENTRE_FOLDER

_OTHERS = 0o077
_HAS_MODES = os.name != "nt"


def others_may(path: Path) -> str:
    """Who else may use ``path``, in words; empty where nobody but its owner (and the system itself) may."""
    if not _HAS_MODES:
        return ", ".join(_windows_others(path))
    mode = stat.S_IMODE(path.stat().st_mode)
    return f"mode {mode:04o}" if mode & _OTHERS else ""


def make_private(folder: Path) -> None:
    """``folder`` made, or set, to mode 0700.

    Raises:
        ConfigurationError: it cannot be made, belongs to another account, or everybody writes into it.
    """
    try:
        folder.mkdir(parents=True, mode=0o700, exist_ok=True)
        if _HAS_MODES and folder.stat().st_mode & stat.S_ISVTX:
            raise ConfigurationError(
                "{folder}: everybody writes into this folder; expected one of the account's own for confidential files",
                folder=folder,
            )
        if _HAS_MODES and others_may(folder):
            folder.chmod(0o700)
    except OSError as error:
        raise ConfigurationError(
            "{path}: cannot be made private: {why}", path=folder, why=explain(error) or error.strerror
        ) from None


@dataclass(frozen=True)
class Share:
    """Who shares a place with the account that refreshes: a group of the machine (None: nobody), and the modes of both.

    Attributes:
        key: where the configuration names the group.
        folder, file: modes; of what offices deliver a file may have less.
    """

    group: str | None
    key: str
    folder: int
    file: int


_OWN = Share(None, "", 0o700, 0o600)
# whoever is in the group finds what is there, and what is made there belongs to the group
_READ, _DELIVER = (0o2750, 0o640), (0o2770, 0o660)
#: Passing is no looking: nobody lists such a folder.
PASS = 0o011


@dataclass(frozen=True)
class Shares:
    """What every place of an installation is to be, by method §3 and the configuration."""

    settings: Settings
    catalogue: Catalogue

    @cached_property
    def groups(self) -> Mapping[str, str]:
        """Key of the configuration -> group, of those that are named."""
        accounts = self.catalogue.accounts
        named = {
            "publish.group": self.catalogue.publish.group,
            "ingest.group": self.catalogue.ingest.group,
            "accounts.outbox": accounts.outbox,
            "accounts.centre": accounts.centre,
            **{f"accounts.offices.{office}": group for office, group in accounts.offices.items()},
        }
        return {key: group for key, group in named.items() if group is not None}

    @cached_property
    def data(self) -> Share:
        """0710 of the one group; several can only all pass where everybody may (0711): nobody can list it even so."""
        for key, group in self.groups.items():
            return Share(group, key, 0o711 if len(set(self.groups.values())) > 1 else 0o710, 0o600)
        return _OWN

    @cached_property
    def inbox(self) -> Share:
        """Where offices have folders of their own everybody may pass, each to its own."""
        pass_on = PASS if self.catalogue.accounts.offices else 0
        shared = _shared(self.catalogue.ingest.group, "ingest.group", _DELIVER)
        return replace(shared, folder=shared.folder | pass_on)

    @cached_property
    def outbox(self) -> Share:
        return _shared(self.catalogue.accounts.outbox, "accounts.outbox", _READ)

    @cached_property
    def centre(self) -> Share:
        return _shared(self.catalogue.accounts.centre, "accounts.centre", _READ)

    @cached_property
    def published(self) -> Share:
        return _shared(self.catalogue.publish.group, "publish.group", _READ)

    @cached_property
    def analyst_database(self) -> Path:
        """Where it lies; the configuration may say so by a way around (``../analysts``)."""
        folder, file = self.catalogue.publish.folder, self.settings.analyst_database
        return file if folder is None else folder.resolve() / file.name

    @cached_property
    def offices(self) -> Mapping[str, Share]:
        """Name of an office's own folder in inbox/ -> who delivers into it."""
        return {
            self.catalogue.sections[office].ja: _shared(group, f"accounts.offices.{office}", _DELIVER)
            for office, group in self.catalogue.accounts.offices.items()
        }

    def of(self, path: Path) -> Share:
        """What a file or folder of the data folder is to be; outside of it everything is its owner's only."""
        if path == self.analyst_database or (self.catalogue.publish.folder and path == self.analyst_database.parent):
            return self.published
        if not path.is_relative_to(self.settings.data_dir):
            return _OWN
        place = path.relative_to(self.settings.data_dir).parts
        if not place:
            return self.data
        if place[0] == self.settings.inbox.name:
            below = replace(self.inbox, folder=self.inbox.folder & ~0o001 if self.inbox.group else _OWN.folder)
            return self.inbox if len(place) == 1 else self.offices.get(unicodedata.normalize("NFC", place[1]), below)
        if place[0] == self.settings.outbox.name:
            return self.centre if CENTRE_FOLDER in place else self.outbox
        return _OWN


def _shared(group: str | None, key: str, modes: tuple[int, int]) -> Share:
    return _OWN if group is None else Share(group, key, *modes)


def keep_private(settings: Settings, catalogue: Catalogue) -> None:
    """The folders of the installation as method §3 and the configuration want them; an inbox that is there is let be.

    ``data/`` is its owner's only, or passable for the groups of the configuration; then everything else in it is its
    owner's only, but for what is shared (``Shares``).

    Raises:
        ConfigurationError: a folder cannot be made private, or a group of the configuration does not exist.
    """
    shares = Shares(settings, catalogue)
    data, key_folder = settings.data_dir, settings.key_file.parent
    new_inbox = not settings.inbox.exists()
    if not shares.groups or not _HAS_MODES:
        make_private(data)
    else:
        _make_passable(data, shares.data, catalogue.publish.folder)
    if new_inbox:
        make_private(settings.inbox)
        if shares.inbox.group is not None and _HAS_MODES:
            give(settings.inbox, shares.inbox.group, shares.inbox.folder)
    _keep_offices_apart(settings, shares)
    if shares.outbox.group is None:
        make_private(settings.outbox)
    settings.outbox.mkdir(mode=0o700, exist_ok=True)
    if shares.centre.group is not None:
        # whose group and mode every folder of its name is given when it is made
        (settings.outbox / CENTRE_FOLDER).mkdir(mode=0o700, exist_ok=True)
    _keep_outbox(settings, shares)
    # made with the key only; a folder above data/ must stay passable for the group, and the key in it is closed itself
    if key_folder.exists() and not (data.is_relative_to(key_folder) and shares.groups):
        make_private(key_folder)


def _keep_offices_apart(settings: Settings, shares: Shares) -> None:
    """The folder of each office, made and given to its group; the inbox may be passed to come there.

    What else lies in it was closed by the inbox until then, and is closed itself first.

    Raises:
        ConfigurationError: everybody may use a folder of another account in it.
    """
    if not shares.offices or not _HAS_MODES:
        return
    mode = stat.S_IMODE(settings.inbox.stat().st_mode)
    for path in settings.inbox.iterdir():
        found = path.lstat()
        if not found.st_mode & 0o007 or stat.S_ISLNK(found.st_mode):
            continue
        if found.st_uid == os.geteuid():
            set_what_was_seen(path, found, stat.S_IMODE(found.st_mode) & ~0o007)
        elif mode | PASS != mode:
            raise ConfigurationError(
                "accounts.offices: {inbox}/ would be opened for passing, and everybody may use {inbox}/{name} of "
                "another account; expected it closed: chmod o-rwx",
                inbox=settings.inbox.name,
                name=path.name,
            )
    if mode | PASS != mode:
        settings.inbox.chmod(mode | PASS)
    for name, share in shares.offices.items():
        folder = settings.inbox / name
        if not folder.is_symlink():
            folder.mkdir(mode=0o700, exist_ok=True)
        if share.group is not None:
            _give_own(folder, share.group, share.folder, share.key)


def _give_own(folder: Path, group: str, mode: int, key: str) -> None:
    """As ``give``, of the very folder: who delivers into the inbox may put a link to any other one in its place.

    Raises:
        ConfigurationError: it is a link, or cannot be given.
    """
    found, number = folder.lstat(), group_number(group, key)
    if stat.S_ISLNK(found.st_mode):
        raise ConfigurationError(
            "{key}: {folder} is a link to another place, expected a folder: take the link away, and look who put it "
            "there; nothing was given to anybody",
            key=key,
            folder=f"{folder.parent.name}/{folder.name}",
        )
    if (found.st_gid, stat.S_IMODE(found.st_mode)) != (number, mode) and not set_what_was_seen(
        folder, found, mode, number
    ):
        raise ConfigurationError(
            "{key}: {folder} cannot be given to group {group}, expected a folder of the account that refreshes; the "
            "account must be a member of the group",
            key=key,
            folder=folder.name,
            group=group,
        )


def _keep_outbox(settings: Settings, shares: Shares) -> None:
    """What an earlier configuration, a backup or a hand left otherwise; another account's is told of, not changed."""
    if not _HAS_MODES:
        return
    own = os.geteuid()
    for place, folders, files in os.walk(settings.outbox):
        for path in [Path(place), *(Path(place) / name for name in files)]:
            found = path.lstat()
            if found.st_uid != own or stat.S_ISLNK(found.st_mode):
                continue
            share = shares.of(path)
            mode = share.folder if stat.S_ISDIR(found.st_mode) else share.file
            if share.group is not None:
                give(path, share.group, mode, share.key)
            elif stat.S_IMODE(found.st_mode) != mode:
                path.chmod(mode)
        folders.sort()


def who_else_reads_the_inbox(settings: Settings, catalogue: Catalogue) -> str | None:
    """A sentence for people where deliveries can be read by more than the configuration says."""
    inbox, share = settings.inbox, Shares(settings, catalogue).inbox
    if not inbox.is_dir():
        return None
    found = others_may(inbox)
    if found and _HAS_MODES:
        status = inbox.stat()
        its_own = share.group is None or status.st_gid == group_number(share.group, share.key)
        if its_own and not stat.S_IMODE(status.st_mode) & _OTHERS & ~share.folder:
            return None
    if not found:
        return None
    expected = f"group {share.group} ({share.key}) and nobody else" if share.group else "its owner only (mode 0700)"
    return (
        f"inbox/ can be read by others ({found}), expected {expected}; it is left as it is: narrow it, or name the "
        "group of the offices' share in ingest.group"
    )


def _make_passable(data: Path, share: Share, published: Path | None) -> None:
    if not data.exists():
        make_private(data)
    if share.group is not None:
        give(data, share.group, share.folder, share.key)
    shared = ("inbox", "outbox")
    for path in data.iterdir():
        if path.name.startswith("analyst.duckdb") or path.name in shared or path.is_symlink() or not others_may(path):
            continue
        if published is not None and path.resolve() == published.resolve():
            continue
        try:
            path.chmod(0o700 if path.is_dir() else 0o600)
        except OSError as error:
            raise ConfigurationError(
                "{path}: cannot be made private: {why}", path=path, why=explain(error) or error.strerror
            ) from None


def give(path: Path, group: str, mode: int, key: str = "ingest.group") -> None:
    """``path`` gets ``group`` and ``mode``; what has both already may be another account's.

    Raises:
        ConfigurationError: ``group`` is none of this machine, or may not be given.
    """
    number = group_number(group, key)
    found = path.stat()
    if (found.st_gid, stat.S_IMODE(found.st_mode)) == (number, mode):
        return
    try:
        os.chown(path, -1, number)
        path.chmod(mode)
    except OSError as error:
        raise ConfigurationError(
            "{key}: {name} cannot be given to group {group}: {why}; the account must be a member of the group",
            key=key,
            name=path.name,
            group=group,
            why=explain(error) or error.strerror,
        ) from None


def set_what_was_seen(
    path: Path | None, seen: os.stat_result | None, mode: int | None, group: int | None = None
) -> bool:
    """Gives the very file that ``seen`` is of its mode and group; whether it could be done.

    Where others may write somebody could put a link in its place after it was looked at: that is not followed.
    """
    if path is None or seen is None or mode is None:
        return False
    try:
        handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except OSError:
        return False
    try:
        found = os.fstat(handle)
        if (found.st_ino, found.st_dev) != (seen.st_ino, seen.st_dev):
            return False
        if group is not None:
            os.fchown(handle, -1, group)
        os.fchmod(handle, mode)
    except OSError:
        return False
    finally:
        os.close(handle)
    return True


def group_number(name: str, key: str) -> int:
    """The number of a group.

    Raises:
        ConfigurationError: it is none of this machine.
    """
    import grp

    try:
        return grp.getgrnam(name).gr_gid
    except KeyError:
        raise ConfigurationError(
            "{key}: found {name!r}, expected a group of this machine", key=key, name=name
        ) from None


# -- Windows: not tried on the machines where this was written; what reads the access list is tested with real ones ---

# SYSTEM, the administrators, who creates it, the owner: they may everywhere
_EVERYWHERE = {"SY", "BA", "CO", "OW", "S-1-5-18", "S-1-5-32-544", "S-1-3-0", "S-1-3-4"}
_KNOWN = {"WD": "Everyone", "BU": "Users", "AU": "Authenticated Users", "IU": "Interactive", "S-1-1-0": "Everyone"}
_ENTRY = re.compile(r"\((?P<kind>A|OA);[^;()]*;[^;()]*;[^;()]*;[^;()]*;(?P<who>[^;()]+)\)")


def others_in(sddl: str, own: str) -> list[str]:
    """Whom an access list (SDDL) lets in, but for the account ``own`` (a SID), the system and its administrators."""
    discretionary = sddl.partition("D:")[2].partition("S:")[0]
    if "D:" not in sddl or "NO_ACCESS_CONTROL" in discretionary:
        return ["Everyone (no access list)"]
    found = {entry["who"] for entry in _ENTRY.finditer(discretionary)}
    return sorted(_KNOWN.get(who, who) for who in found - _EVERYWHERE - {own})


def _windows_others(path: Path) -> list[str]:
    root = Path(os.environ.get("SYSTEMROOT", r"C:\Windows")) / "System32"
    with tempfile.TemporaryDirectory(prefix="kodomo-") as folder:
        saved = Path(folder) / "acl"
        subprocess.run([root / "icacls.exe", path, "/save", saved], check=True, capture_output=True)  # noqa: S603
        lines = saved.read_text("utf-16-le").lstrip("\ufeff").splitlines()
    who = subprocess.run(  # noqa: S603
        [root / "whoami.exe", "/user", "/fo", "csv", "/nh"], check=True, capture_output=True, text=True
    )
    return others_in(lines[-1], who.stdout.strip().rpartition(",")[2].strip('"'))
