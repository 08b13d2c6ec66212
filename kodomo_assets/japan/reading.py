"""What reading one cell gives: a value, "nobody knows", or the reason why it cannot be read."""

from __future__ import annotations

from typing import Generic, NamedTuple, TypeVar

T = TypeVar("T")

#: The cell says that nobody knows (不詳, 00000000): missing, and no mistake.
UNKNOWN = "unknown"


class Reading(NamedTuple, Generic[T]):
    """``value`` where the cell could be read; else ``problem``, which is ``UNKNOWN`` or a stable reason word."""

    value: T | None
    problem: str | None = None
