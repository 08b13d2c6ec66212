"""Reads the .sql files that stand beside the stages' modules."""

from __future__ import annotations

from functools import cache
from importlib import resources


@cache
def read_sql(package: str, name: str) -> str:
    """The text of ``<name>.sql`` in ``package`` (pass ``__package__``)."""
    return resources.files(package).joinpath(f"{name}.sql").read_text("utf-8")
