"""Which process is which: a process id is given anew once its process has ended, so its start belongs to its name."""

from __future__ import annotations

import importlib
import os
import socket
import subprocess
from pathlib import Path
from typing import NamedTuple, Self

_PROC = Path("/proc/self")


class Process(NamedTuple):
    """A process of one computer: its id, and when it started as the system tells it (no unit, compared only)."""

    host: str
    pid: int
    started: str

    @classmethod
    def own(cls) -> Self:
        """The process that asks."""
        return cls(socket.gethostname(), os.getpid(), _started(os.getpid()) or "")

    @property
    def is_of_this_computer(self) -> bool:
        return self.host == socket.gethostname()

    @property
    def has_ended(self) -> bool:
        """Whether this very process runs no more; False for one of another computer, of which nothing is known."""
        return self.is_of_this_computer and _started(self.pid) != self.started


def lives(pid: int) -> bool:
    """Whether a process of this computer has the id now; it may be another one than had it once."""
    return _started(pid) is not None


def _started(pid: int) -> str | None:
    """When the process started, None where there is none of this id (or only its remains)."""
    if _PROC.is_dir():
        return _started_linux(pid)
    try:
        psutil = importlib.import_module("psutil")  # Dagster brings it on Windows
    except ImportError:
        return _started_posix(pid)
    try:
        return str(psutil.Process(pid).create_time())
    except psutil.NoSuchProcess:
        return None


def _started_linux(pid: int) -> str | None:
    try:
        told = Path(f"/proc/{pid}/stat").read_text("utf-8", errors="replace")
        boot = Path("/proc/sys/kernel/random/boot_id").read_text("ascii").strip()
    except OSError:
        return None
    # the name in brackets may hold anything; behind it: state ... start in clock ticks since boot (field 22)
    fields = told.rpartition(")")[2].split()
    return None if fields[0] in {"Z", "X"} else f"{boot}:{fields[19]}"


def _started_posix(pid: int) -> str | None:
    found = subprocess.run(  # noqa: S603 (a number is the only argument)
        ["ps", "-o", "lstart=", "-p", str(pid)],  # noqa: S607
        capture_output=True,
        text=True,
        check=False,
    )
    return found.stdout.strip() or None
