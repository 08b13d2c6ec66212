"""A city of a few children in an in-memory database, written level by level and weight by weight."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import duckdb
import pytest

from kodomo_assets.catalogue import NOT_APPLICABLE, load_catalogue
from kodomo_assets.stages.screening.scoring import ScreeningCounts, build_screening
from kodomo_assets.stages.sources.in_force import create_delivered_views
from kodomo_assets_tests.levels import keep_levels
from kodomo_assets_tests.schools import keep_schools
from kodomo_assets_tests.template import create_tables, in_memory

R = dt.date(2025, 9, 1)
VERSION = "2025-04-01.1"
SCHOOL = "000001"

CATALOGUE = load_catalogue()

Levels = Mapping[str, tuple[float, int]]


class SmallCity:
    """Children, weights and deliveries that a test puts in, and the list that comes out of them."""

    def __init__(self, con: duckdb.DuckDBPyConnection, overlay: Path, day: dt.date = R) -> None:
        self.con, self.day, self._overlay = con, day, overlay
        self.catalogue = CATALOGUE
        create_tables(con, self.catalogue)
        self._insert("weights.in_force", {"reference_date": day, "version": VERSION})

    def configure(self, text: str) -> None:
        self._overlay.write_text(text, "utf-8")
        self.catalogue = load_catalogue(self._overlay)

    def child(
        self,
        key: str,
        levels: Mapping[str, str] | None = None,
        *,
        school_year: int = 2,
        school: str = SCHOOL,
        household: str | None = None,
        known_before: bool = False,
        open_consultation: bool = False,
    ) -> None:
        place = {"reference_date": self.day, "child_key": key}
        self._insert(
            "linkage.children",
            place
            | {
                "resident_id": f"r-{key}",
                "household_id": household or f"h-{key}",
                "school_code": school,
                "school_year": school_year,
                "legal_school_year": school_year,
                "band": self.catalogue.band_of(school_year),
                "protected": False,
            },
        )
        defaults = {item.id: NOT_APPLICABLE for item in self.catalogue.matrix_items}
        self._insert("features.matrix", place | defaults | dict(levels or {}))
        keep_levels(self.con)
        self._insert(
            "features.labels",
            place | {"known_before": known_before, "open_consultation": open_consultation, "first_received_on": None},
        )

    def children(self, prefix: str, count: int, **facts: Any) -> None:
        for number in range(count):
            self.child(f"{prefix}{number:02}", **facts)

    def weight(self, band: str, item: str, mean_weight: float, levels: Levels) -> None:
        """``levels``: level -> (weight, children that the fit had on it)."""
        for level, (weight, children) in levels.items():
            self._insert(
                "weights.coefficients",
                {
                    "version": VERSION,
                    "reference_date": dt.date(2025, 4, 1),
                    "band": band,
                    "item": item,
                    "level": level,
                    "weight": weight,
                    "std_error": None if level == NOT_APPLICABLE else 0.01,
                    "p_value": None if level == NOT_APPLICABLE else 0.001,
                    "children": children,
                    "mean_weight": mean_weight,
                },
            )

    def keep(self, band: str, item: str, p_value: float) -> None:
        self._insert(
            "weights.selection_log",
            {
                "version": VERSION,
                "band": band,
                "sequence": 1,
                "round": 0,
                "step": 3,
                "item": item,
                "action": "keep",
                "reason": "selected",
                "p_value": p_value,
            },
        )

    def pooled(self, band: str) -> None:
        """In ``band`` weights of many cities serve."""
        self.counted(band)
        self.con.execute(
            "update weights.versions set origin = 'pooled', decided_by = '課長', reason = "
            "'(2023-04-01.pooled.1; を、やめて) (2024-04-01.pooled.2; 9 events, expected 210 (5 per own level))' "
            "where band = $1",
            [band],
        )

    def counted(self, band: str) -> None:
        """In ``band`` the number of own levels serves."""
        self._insert(
            "weights.versions",
            {
                "version": VERSION,
                "band": band,
                "reference_date": dt.date(2025, 4, 1),
                "fingerprint": "",
                "label": "ever",
                "created_at": dt.datetime(2025, 4, 1, tzinfo=dt.UTC),
                "origin": "count",
                "in_force_from": dt.date(2025, 4, 1),
                "reason": "9 events",
            },
        )

    def base(self, band: str, rate: float) -> None:
        self.weight(band, "(base)", rate, {"(base)": (rate, 1000)})

    def deliver(self, table: str, day: dt.date | None = None, rows: Sequence[Mapping[str, object]] = ()) -> None:
        day = day or self.day
        self._insert(
            "sources.deliveries",
            {
                "reference_date": day,
                "table_name": table,
                "file": f"{table}.csv",
                "sha256": "0",
                "received_at": dt.datetime.combine(day, dt.time(), dt.UTC),
                "superseded": False,
                "status": "accepted",
                "rows_in": len(rows),
                "rows_accepted": len(rows),
                "rows_quarantined": 0,
                "absent_columns": [],
                "surplus_columns": [],
            },
        )
        trace = {"source_file": f"{table}.csv", "invalid_cells": [], "unknown_cells": []}
        for number, row in enumerate(rows, start=2):
            self._insert(f"sources.{table}", {"reference_date": day, "source_row": number} | trace | dict(row))

    def link(self, pupil_id: str, child_key: str) -> None:
        self._insert(
            "linkage.links",
            {
                "reference_date": self.day,
                "table_name": "school_roster",
                "person_ref": pupil_id,
                "child_key": child_key,
                "method": "kana_birth",
                "probability": 1.0,
            },
        )

    def screen(self) -> ScreeningCounts:
        """Runs the stage and copies what it made into the declared tables."""
        keep_schools(self.con)
        create_delivered_views(self.con, self.catalogue, self.day)
        counts = build_screening(self.con, self.catalogue, self.day)
        for table in ("contributions", "ranking", "difficulty_scores"):
            self.con.execute(f"insert into screening.{table} by name select * from new_{table}")
        return counts

    def rows(self, sql: str) -> list[tuple]:
        return self.con.execute(sql).fetchall()

    def ranked(self, columns: str = "child_key", where: str = "true") -> list[Any]:
        """``columns`` of the ranking in the order of the list; of one column the bare values."""
        found = self.rows(f"select {columns} from screening.ranking where {where} order by cohort, rank")
        return [row[0] for row in found] if "," not in columns else found

    def _insert(self, table: str, row: Mapping[str, object]) -> None:
        names = ", ".join(f'"{name}"' for name in row)
        marks = ", ".join("?" * len(row))
        self.con.execute(f"insert into {table} ({names}) values ({marks})", list(row.values()))


@pytest.fixture
def small_city(tmp_path: Path) -> Iterator[SmallCity]:
    with in_memory() as con:
        yield SmallCity(con, tmp_path / "city.yaml")


@pytest.fixture
def april_city(tmp_path: Path) -> Iterator[SmallCity]:
    with in_memory() as con:
        yield SmallCity(con, tmp_path / "city.yaml", day=dt.date(2025, 4, 1))
