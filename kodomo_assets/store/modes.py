"""Who may look into which folder: what is confidential is made or set to its owner's only (mode 0700 and 0600).

Where the system knows no modes (Windows) a file's access list is looked at instead, by names that no language changes.
"""

from __future__ import annotations

import os
import re
import stat
import subprocess
import tempfile
from pathlib import Path

from kodomo_assets.catalogue import Catalogue
from kodomo_assets.errors import ConfigurationError
from kodomo_assets.machine.system_errors import explain
from kodomo_assets.settings import Settings

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
                f"{folder}: everybody writes into this folder; expected one of the account's own for confidential files"
            )
        if _HAS_MODES and others_may(folder):
            folder.chmod(0o700)
    except OSError as error:
        raise ConfigurationError(f"{folder}: cannot be made private: {explain(error) or error.strerror}") from None


def keep_private(settings: Settings, catalogue: Catalogue) -> None:
    """The folders of the installation as method §3 and the configuration want them; an inbox that is there is let be.

    ``data/`` is its owner's only, or passable (0710) for the group that reads ``analyst.duckdb`` or delivers into
    ``inbox/``; then everything else in it is its owner's only.

    Raises:
        ConfigurationError: a folder cannot be made private, or a group of the configuration does not exist.
    """
    readers, offices = catalogue.publish.group, catalogue.ingest.group
    data, key_folder = settings.data_dir, settings.key_file.parent
    new_inbox = not settings.inbox.exists()
    if (readers is None and offices is None) or not _HAS_MODES:
        make_private(data)
    else:
        _make_passable(data, readers, offices, catalogue.publish.folder)
    for folder in (settings.inbox, settings.outbox):
        if folder == settings.outbox or new_inbox:
            make_private(folder)
    if new_inbox and offices is not None:
        give(settings.inbox, offices, 0o2770)
    # made with the key only; a folder above data/ must stay passable for the group, and the key in it is closed itself
    if key_folder.exists() and not (data.is_relative_to(key_folder) and (readers or offices)):
        make_private(key_folder)


def who_else_reads_the_inbox(settings: Settings, catalogue: Catalogue) -> str | None:
    """A sentence for people where deliveries can be read by more than the configuration says."""
    inbox, allowed = settings.inbox, catalogue.ingest.group
    if not inbox.is_dir():
        return None
    found = others_may(inbox)
    if found and allowed is not None and _HAS_MODES:
        status = inbox.stat()
        if status.st_gid == _group(allowed, "ingest.group") and not status.st_mode & 0o007:
            return None
    if not found:
        return None
    expected = f"group {allowed} (ingest.group) and nobody else" if allowed else "its owner only (mode 0700)"
    return (
        f"inbox/ can be read by others ({found}), expected {expected}; it is left as it is: narrow it, or name the "
        "group of the offices' share in ingest.group"
    )


def _make_passable(data: Path, readers: str | None, offices: str | None, published: Path | None) -> None:
    """0710 of the one group; two groups can only both pass where everybody may (0711): nobody can list it even so."""
    if not data.exists():
        make_private(data)
    first = readers or offices
    if first is not None:
        key = "publish.group" if readers else "ingest.group"
        give(data, first, 0o711 if readers and offices and readers != offices else 0o710, key)
    for path in data.iterdir():
        if path.name.startswith("analyst.duckdb") or path.name == "inbox" or path.is_symlink() or not others_may(path):
            continue
        if published is not None and path.resolve() == published.resolve():
            continue
        try:
            path.chmod(0o700 if path.is_dir() else 0o600)
        except OSError as error:
            raise ConfigurationError(f"{path}: cannot be made private: {explain(error) or error.strerror}") from None


def give(path: Path, group: str, mode: int, key: str = "ingest.group") -> None:
    """``path`` gets ``group`` and ``mode``; what has both already may be another account's.

    Raises:
        ConfigurationError: ``group`` is none of this machine, or may not be given.
    """
    number = _group(group, key)
    found = path.stat()
    if (found.st_gid, stat.S_IMODE(found.st_mode)) == (number, mode):
        return
    try:
        os.chown(path, -1, number)
        path.chmod(mode)
    except OSError as error:
        raise ConfigurationError(
            f"{key}: {path.name} cannot be given to group {group}: {explain(error) or error.strerror}; the account "
            "must be a member of the group"
        ) from None


def _group(name: str, key: str) -> int:
    import grp

    try:
        return grp.getgrnam(name).gr_gid
    except KeyError:
        raise ConfigurationError(f"{key}: found {name!r}, expected a group of this machine") from None


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
