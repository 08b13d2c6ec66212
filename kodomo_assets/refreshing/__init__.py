"""What a refresh does with stages and store together, and which refresh a date needs. No Dagster.

A stage makes new rows and the store keeps them; where one step does that several times, or in an order of its own,
it stands here.
"""

from __future__ import annotations

import datetime as dt
from typing import Protocol

import duckdb

from kodomo_assets.catalogue import Catalogue
from kodomo_assets.settings import Settings


class Work(Protocol):
    """What a step is handed: the reference date, the city, the open database, and who is told of what goes on."""

    @property
    def con(self) -> duckdb.DuckDBPyConnection: ...
    @property
    def catalogue(self) -> Catalogue: ...
    @property
    def settings(self) -> Settings: ...
    @property
    def day(self) -> dt.date: ...
    @property
    def today(self) -> dt.date: ...
    @property
    def run_id(self) -> str: ...
    def say(self, sentence: str) -> None: ...
    def warn(self, sentence: str) -> None: ...
