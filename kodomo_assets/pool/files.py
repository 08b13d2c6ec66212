"""The folder of the exchanged files: what is called how. Nothing is believed because of its name."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

from kodomo_assets.errors import PoolError, Said
from kodomo_assets.pool.documents import CONTRIBUTION, JOIN, PLAN, RESULT, TOTAL, WITHDRAWAL


def join_name(date: dt.date, member: str) -> str:
    return f"{JOIN}-{date}-{member}.json"


def withdrawal_name(date: dt.date, member: str) -> str:
    return f"{WITHDRAWAL}-{date}-{member}.json"


def plan_name(date: dt.date, number: int) -> str:
    return f"{PLAN}-{date}-{number:02}.json"


def contribution_name(date: dt.date, number: int, member: str) -> str:
    return f"{CONTRIBUTION}-{date}-{number:02}-{member}.json"


def total_name(date: dt.date, number: int) -> str:
    return f"{TOTAL}-{date}-{number:02}.json"


def result_name(date: dt.date) -> str:
    return f"{RESULT}-{date}.json"


def files_of(folder: Path, kind: str, date: dt.date | None = None) -> list[Path]:
    """The files of a kind in ``folder``, oldest date and first round first."""
    start = f"{kind}-" if date is None else f"{kind}-{date}"
    return sorted(folder.glob(f"{start}*.json"))


def newest(folder: Path, kind: str) -> Path:
    """The file of a kind of the latest date and round.

    Raises:
        PoolError: there is none.
    """
    found = files_of(folder, kind)
    if not found:
        raise PoolError(
            "{folder}: holds no {kind} ({names}), expected the one that was sent",
            folder=folder,
            kind=Said(kind),
            names=f"{kind}-*.json",
        )
    return found[-1]
