"""Files for people: written whole or not at all, readable by their owner only."""

from __future__ import annotations

import errno
import os
import tempfile
from pathlib import Path


def write_file(path: Path, content: bytes) -> None:
    """Puts ``content`` at ``path`` in one step: whoever opens it sees the old file or the new one, mode 0600.

    What is half written lies in the scratch folder of this process (``kodomo_assets.machine.scratch``).
    """
    path.parent.mkdir(parents=True, mode=0o700, exist_ok=True)
    try:
        _put(path, content, Path(tempfile.gettempdir()))
    except OSError as error:
        if error.errno != errno.EXDEV:
            raise
        # the folder is another disk (a share); what a kill leaves there is swept by its name
        _put(path, content, path.parent)


def _put(path: Path, content: bytes, folder: Path) -> None:
    handle, name = tempfile.mkstemp(prefix=".", suffix=".part", dir=folder)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
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
