"""Files for people: written whole or not at all, readable by their owner and the group of their folder, if any."""

from __future__ import annotations

import errno
import os
import stat
import tempfile
from pathlib import Path

from kodomo_assets.errors import ConfigurationError
from kodomo_assets.vocabulary import CENTRE_FOLDER


def write_file(path: Path, content: bytes) -> None:
    """Puts ``content`` at ``path`` in one step: whoever opens it sees the old file or the new one.

    Mode 0600; in a folder that a group reads 0640 of that group.

    What is half written lies in the scratch folder of this process (``kodomo_assets.machine.scratch``).
    """
    make_folder(path.parent)
    try:
        _put(path, content, Path(tempfile.gettempdir()))
    except OSError as error:
        if error.errno != errno.EXDEV:
            raise
        # the folder is another disk (a share); what a kill leaves there is swept by its name
        _put(path, content, path.parent)


def write_into(path: Path, content: bytes) -> None:
    """Puts ``content`` at ``path`` in one step, made in its folder itself: it is of the folder's group from the start.

    So the account that writes need not be one of the group that reads. What a kill leaves there begins with a dot.
    """
    _put(path, content, path.parent)


def make_folder(folder: Path) -> None:
    """``folder``, where it is missing, shared as the one above it is (``store.modes``).

    But for センター限り: it is shared as the one that the outbox has for all dates.
    """
    if folder.exists():
        return
    make_folder(folder.parent)
    folder.mkdir(mode=0o700, exist_ok=True)
    example = folder.parent.parent / CENTRE_FOLDER if folder.name == CENTRE_FOLDER else folder.parent
    found = example.stat() if example.is_dir() else None
    if found is not None and found.st_mode & _SHARED == _SHARED:
        _give(folder, found.st_gid, 0o2700 | (found.st_mode & 0o070))
    elif folder.stat().st_mode & stat.S_ISGID:
        folder.chmod(0o700)


# whoever is in the folder's group may read what is in it
_SHARED = stat.S_ISGID | stat.S_IRGRP


def _give(path: Path, group: int, mode: int) -> None:
    try:
        os.chown(path, -1, group)
        path.chmod(mode)
    except PermissionError:
        raise ConfigurationError(
            "{file}: cannot be given to the group of its folder (number {group}), expected the account that refreshes "
            "to be a member: `accounts` tells the command (docs/operations.md)",
            file=path.name,
            group=group,
        ) from None


def share(path: Path, folder: Path) -> None:
    """Lets the group of ``folder`` read ``path``, which is to lie there, where it reads the folder; else nobody."""
    shared = folder.stat()
    if shared.st_mode & _SHARED == _SHARED:
        _give(path, shared.st_gid, 0o640)
    else:
        path.chmod(0o600)


def _put(path: Path, content: bytes, folder: Path) -> None:
    handle, name = tempfile.mkstemp(prefix=".", suffix=".part", dir=folder)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        share(Path(name), path.parent)
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


def link_new(whole: Path, target: Path) -> None:
    """Moves the finished file ``whole`` to ``target`` where there is none yet.

    Raises:
        FileExistsError: there is one; it is left alone.
    """
    try:
        os.link(whole, target)
    except FileExistsError:
        raise
    except OSError:
        # a disk without hard links: Windows' rename refuses an existing target, the others' needs the question
        if target.exists():
            raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), str(target)) from None
        whole.rename(target)
        return
    whole.unlink()


def remove_file(path: Path) -> None:
    """Takes a file away that says nothing any more."""
    path.unlink(missing_ok=True)
