"""Files for people: written whole or not at all, readable by their owner only."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path


def write_file(path: Path, content: bytes) -> None:
    """Puts ``content`` at ``path`` in one step: whoever opens it sees the old file or the new one, mode 0600."""
    path.parent.mkdir(parents=True, mode=0o700, exist_ok=True)
    handle, name = tempfile.mkstemp(prefix=".", suffix=".part", dir=path.parent)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


def remove_file(path: Path) -> None:
    """Takes a file away that says nothing any more."""
    path.unlink(missing_ok=True)
