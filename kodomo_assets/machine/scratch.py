"""Temporary files: each process's in a folder of its own inside the data folder, and what a killed one left is swept.

Cleaning up in ``finally`` is not enough: a killed process leaves clear text (architecture, decision 21).
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

#: Inside the data folder.
SCRATCH = ".scratch"
_ALIVE, _GATE = "alive", ".gate"


@contextmanager
def scratch(root: Path) -> Iterator[Path]:
    """A folder in ``root`` where every temporary file of this process goes until the block ends, the libraries' too."""
    root.mkdir(parents=True, mode=0o700, exist_ok=True)
    root.chmod(0o700)
    # nobody sweeps a folder that is just being made
    with gate(root):
        own = Path(tempfile.mkdtemp(prefix="p", dir=root))
        alive = (own / _ALIVE).open("wb")
        _lock(alive, wait=False)
    before, tempfile.tempdir = tempfile.tempdir, str(own)
    try:
        yield own
    finally:
        # another block may have begun inside this one and end after it: its folder stays, and no ended one comes back
        if tempfile.tempdir == str(own):
            tempfile.tempdir = before if before is not None and Path(before).is_dir() else None
        alive.close()
        shutil.rmtree(own, ignore_errors=True)


def sweep(root: Path) -> None:
    """Removes what processes left in ``root`` that are no more; a living one's folder is let be."""
    if not root.is_dir():
        return
    with gate(root):
        for left in _left(root):
            if left.is_dir() and not left.is_symlink():
                shutil.rmtree(left, ignore_errors=True)
            else:
                left.unlink(missing_ok=True)


def left_behind(root: Path) -> list[Path]:
    """What ``sweep`` would remove."""
    if not root.is_dir():
        return []
    with gate(root):
        return _left(root)


def _left(root: Path) -> list[Path]:
    return [one for one in root.iterdir() if one.name != _GATE and not _lives(one)]


def _lives(folder: Path) -> bool:
    try:
        with (folder / _ALIVE).open("r+b") as alive:
            return not _lock(alive, wait=False)
    except OSError:
        return False


@contextmanager
def alone(path: Path) -> Iterator[bool]:
    """Whether nobody else is in such a block on ``path``, a file; a process that is killed leaves it, too."""
    with path.open("ab") as file:
        yield _lock(file, wait=False)


@contextmanager
def gate(root: Path) -> Iterator[None]:
    """One process at a time is in such a block on the folder ``root``; the others wait."""
    with (root / _GATE).open("ab") as file:
        _lock(file, wait=True)
        yield


def _lock(file: IO[bytes], *, wait: bool) -> bool:
    """Takes the lock on ``file`` until it is closed or the process ends; whether it was free."""
    if os.name == "nt":
        import msvcrt  # not tried on the machines where this was written

        with suppress(OSError):
            file.seek(0)
            msvcrt.locking(file.fileno(), msvcrt.LK_LOCK if wait else msvcrt.LK_NBLCK, 1)  # type: ignore[attr-defined]
            return True
        return False
    import fcntl

    with suppress(BlockingIOError):
        fcntl.flock(file, fcntl.LOCK_EX if wait else fcntl.LOCK_EX | fcntl.LOCK_NB)
        return True
    return False
