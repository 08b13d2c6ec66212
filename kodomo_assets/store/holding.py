"""Who may write into a store in DuckLake: one run, with all its steps' processes, or one command (cities.md §1).

A file is locked by DuckDB itself. A lake lets everybody write, so who writes holds it: alone to begin with, then shared
with whoever says that it is of the same run. The lock is the process's: one that is killed leaves none. With a
PostgreSQL catalogue it is an advisory lock there, on whichever machine; with SQLite it is one on ``kodomo.lock``.
"""

from __future__ import annotations

import os
import socket
import sys
import uuid
from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

from kodomo_assets.errors import ConfigurationError, StoreBusyError
from kodomo_assets.store.lake import POSTGRES, Lake, unreachable

if TYPE_CHECKING:
    from psycopg2 import extensions

LOCK = "kodomo.lock"
# a session in which nothing is asked for minutes is one that a network forgets
_KEEP_ALIVE = {"keepalives": 1, "keepalives_idle": 30, "keepalives_interval": 10, "keepalives_count": 6}
# what this process holds
_held: list[Hold] = []
_ADVISORY = 7_305_531


class Hold(ABC):
    """A store that this process holds.

    Attributes:
        alone: nobody else does; False where the processes of the same run do.
    """

    alone: bool

    @abstractmethod
    def is_lost(self) -> bool:
        """Whether somebody else could have it by now."""

    @abstractmethod
    def share(self) -> None:
        """Lets the other processes of the run in, which say that they are of it; nobody else."""


@contextmanager
def held(folder: Path, lake: Lake, run: str | None) -> Iterator[Hold]:
    """Holds the store in the block.

    Args:
        folder: where ``kodomo.lake`` lies.
        run: the run that this process is a part of; None: a command of its own.

    Raises:
        StoreBusyError: another run or command holds it.
        StoreFaultError: the database of the catalogue cannot be reached.
    """
    # PostgreSQL shows no more than 63 bytes
    who = f"kodomo run {run}" if run else f"kodomo command {uuid.uuid4()}"
    with _in_postgres(lake, who) if lake.kind == POSTGRES else _on_file(folder / LOCK, who) as hold:
        _held.append(hold)
        try:
            yield hold
        finally:
            _held.remove(hold)


def require_held() -> None:
    """What this process holds it still holds; asked before anything is made to stay.

    Raises:
        StoreBusyError: the database of the catalogue ended the session that held it.
    """
    if any(hold.is_lost() for hold in _held):
        raise StoreBusyError(
            "kodomo.lake: the session that held the store was ended (PostgreSQL was started anew, or the network gave "
            "it up), and another run or command may write by now; what was stored before stands. Run it again"
        )


def is_held(folder: Path, lake: Lake) -> bool:
    """Whether a run or a command writes."""
    try:
        with held(folder, lake, None):
            return False
    except StoreBusyError:
        return True


def _busy(holder: str) -> StoreBusyError:
    return StoreBusyError(
        "kodomo.lake is held by {holder}: one run or command at a time may write; wait until it ends (analysts read "
        "analyst.duckdb, which is never locked)",
        holder=holder,
    )


class _HoldOfFile(Hold):
    """``flock`` on a file that names who holds it."""

    def __init__(self, file: TextIO, who: str) -> None:
        self._file = file
        self.alone = self._lock(exclusive=True)
        if self.alone:
            file.truncate(0)
            file.write(f"{who} ({socket.gethostname()}, process {os.getpid()})")
            file.flush()
        # whoever held it may have ended, and another begun, between the two looks
        elif not (self._is(who) and self._lock(exclusive=False) and self._is(who)):
            raise _busy(self._holder())

    def is_lost(self) -> bool:
        return False

    def share(self) -> None:
        # not in one go: another one may come in between, and then this one holds nothing
        if not self._lock(exclusive=False):
            raise _busy(self._holder())

    def _lock(self, *, exclusive: bool) -> bool:
        import fcntl

        try:
            fcntl.flock(self._file, (fcntl.LOCK_EX if exclusive else fcntl.LOCK_SH) | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True

    def _is(self, who: str) -> bool:
        return self._holder().startswith(f"{who} ")

    def _holder(self) -> str:
        self._file.seek(0)
        return self._file.read()


@contextmanager
def _on_file(path: Path, who: str) -> Iterator[Hold]:
    if sys.platform == "win32":
        raise ConfigurationError(
            "KODOMO_STORE: a store in DuckLake is not tried on Windows; leave the variable out: the tables lie in "
            "kodomo.duckdb"
        )
    with os.fdopen(os.open(path, os.O_RDWR | os.O_CREAT, 0o600), "r+", encoding="utf-8") as file:
        yield _HoldOfFile(file, who)


class _HoldInPostgres(Hold):
    """An advisory lock of the catalogue's database; who has it is what the session calls itself."""

    def __init__(self, cursor: extensions.cursor, who: str) -> None:
        self._cursor = cursor
        self.alone = self._ask("pg_try_advisory_lock")
        if self.alone:
            return
        # whoever held it may have ended, and another begun, between the two looks
        if self._others() != {who} or not self._ask("pg_try_advisory_lock_shared") or not self._others() <= {who}:
            raise _busy(", ".join(sorted(self._others() - {who})) or "another run")

    def is_lost(self) -> bool:
        import psycopg2

        try:
            self._cursor.execute(f"{_HOLDERS_BUT_NOT} l.pid = pg_backend_pid()")
            return self._cursor.fetchone() is None
        except psycopg2.Error:
            return True

    def share(self) -> None:
        # one session may have both, so that nobody comes in between
        self._ask("pg_try_advisory_lock_shared")
        self._ask("pg_advisory_unlock")

    def _ask(self, function: str) -> bool:
        self._cursor.execute(f"select {function}({_ADVISORY})")
        row = self._cursor.fetchone()
        return bool(row and row[0])

    def _others(self) -> set[str]:
        self._cursor.execute(_HOLDERS)
        return {str(name) for (name,) in self._cursor.fetchall()}


_HOLDERS_BUT_NOT = f"""
select a.application_name
from pg_locks as l
join pg_stat_activity as a using (pid)
where
    l.locktype = 'advisory' and l.granted and l.objid = {_ADVISORY} and l.classid = 0
    and l.database = (select oid from pg_database where datname = current_database()) and
"""
_HOLDERS = f"{_HOLDERS_BUT_NOT} l.pid <> pg_backend_pid()"


@contextmanager
def _in_postgres(lake: Lake, who: str) -> Iterator[Hold]:
    import psycopg2

    try:
        con = psycopg2.connect(lake.catalogue, application_name=who, **_KEEP_ALIVE)
    except psycopg2.Error as error:
        raise unreachable(error) from None
    with closing(con):
        # no transaction: it would keep PostgreSQL from tidying for as long as a run takes
        con.autocommit = True
        with con.cursor() as cursor:
            yield _HoldInPostgres(cursor, who)
