"""A town of a few children up to the meeting's list, written row by row, and the files that come back about them."""

from __future__ import annotations

import datetime as dt
import io
import os
from collections.abc import Callable, Mapping, Sequence
from copy import copy
from pathlib import Path

import openpyxl

from kodomo_assets.catalogue import NOT_APPLICABLE, Catalogue, load_catalogue
from kodomo_assets.office.inbox import InboxFile, scan_inbox
from kodomo_assets.sql import run_sql
from kodomo_assets.stages.explanation.factors import build_factors
from kodomo_assets.stages.outcomes.decisions import build_decisions
from kodomo_assets.stages.outcomes.personal_sheets import build_personal_sheets
from kodomo_assets.stages.outcomes.support import build_support
from kodomo_assets.stages.outcomes.taking import BESIDE, Taken
from kodomo_assets.stages.review.children import create_numbered_children
from kodomo_assets.stages.review.gathering import gather_meeting
from kodomo_assets.stages.review.meeting import Meeting
from kodomo_assets.stages.review.meeting_list import build_listed_children, build_meeting_list
from kodomo_assets.stages.review.meeting_workbook import meeting_workbook
from kodomo_assets.stages.sources.in_force import create_delivered_views
from kodomo_assets.store.pseudonyms import create_lots, create_sheet_numbers, sheet_number
from kodomo_assets.store.tables import replace
from kodomo_assets_tests.levels import keep_levels
from kodomo_assets_tests.schools import keep_schools
from kodomo_assets_tests.template import create_tables, fill, in_memory, save

R = dt.date(2025, 4, 1)
TODAY = dt.date(2025, 6, 30)
SECRET = bytes(32)
VERSION = "2025-04-01.1"
MADE_BY = "プログラム 0.1.0（p）  設定 c"
SOUTH, NORTH = "081001", "081002"
SCHOOLS = {SOUTH: "南小学校", NORTH: "北小学校"}
CATALOGUE = load_catalogue()
_BEGUN: dict[Callable[[Town], None], tuple[Town, Path]] = {}


def key(number: int) -> str:
    """The 児童キー of child ``number``: 32 hex digits, among them letters."""
    return f"{number:030x}ab"


def number_of(number: int, day: dt.date = R) -> str:
    """The 配布番号 of child ``number``."""
    return sheet_number(SECRET, day, key(number))


class Town:
    """Children by number; an inbox of its own. What every stage makes is stored as the assets store it."""

    def __init__(self, root: Path, day: dt.date = R) -> None:
        self.day, self.root = day, root
        self.catalogue: Catalogue = CATALOGUE
        self.con = in_memory()
        create_tables(self.con, self.catalogue)
        self.clock = dt.datetime(2025, 6, 2, 9, 0, tzinfo=dt.UTC)
        self._row = 0
        self.inbox = root / "inbox"
        self.inbox.mkdir(parents=True, exist_ok=True)
        for table in ("school_register", "resident_register", "school_roster"):
            self.deliver(table, day)

    @classmethod
    def begun(cls, root: Path, begin: Callable[[Town], None]) -> Town:
        """A town after ``begin``, which puts nothing into its inbox: it is carried out once in this process, and every
        town has a copy of what it stored."""
        if begin not in _BEGUN:
            first = cls(root)
            begin(first)
            _BEGUN[begin] = first, save(first.con)
        first, rows = _BEGUN[begin]
        town = copy(first)
        town.root, town.inbox = root, root / "inbox"
        town.inbox.mkdir(parents=True, exist_ok=True)
        town.con = in_memory()
        fill(town.con, rows)
        return town

    def configure(self, text: str) -> None:
        overlay = self.root / "city.yaml"
        overlay.write_text(text, "utf-8")
        self.catalogue = load_catalogue(overlay)

    # what the earlier stages left

    def insert(self, table: str, **values: object) -> None:
        names, marks = ", ".join(f'"{name}"' for name in values), ", ".join("?" * len(values))
        self.con.execute(f"insert into {table} ({names}) values ({marks})", list(values.values()))

    def deliver(self, table: str, day: dt.date) -> None:
        self.insert("sources.deliveries", reference_date=day, table_name=table, file=f"{table}{day}.csv", sha256="", received_at=day, superseded=False, status="accepted", rows_in=0, rows_accepted=0, rows_quarantined=0, absent_columns=[], surplus_columns=[])  # fmt: skip

    def source(self, table: str, day: dt.date, **values: object) -> None:
        self._row += 1
        self.insert(f"sources.{table}", reference_date=day, source_file="f", source_row=self._row, invalid_cells=[], unknown_cells=[], **values)  # fmt: skip

    def registered(self, number: int, school: str = SOUTH, school_year: int = 4, day: dt.date | None = None) -> None:
        self.source("school_register", day or self.day, resident_id=f"{number:010d}", school_code=school, school_name=SCHOOLS.get(school, f"{school}小学校"), school_year=school_year)  # fmt: skip

    def resident(self, number: int, name: str | None = None, day: dt.date | None = None, protection: bool = False) -> None:  # fmt: skip
        self.source("resident_register", day or self.day, resident_id=f"{number:010d}", household_id=f"{number:010d}", birth_date=dt.date(2015, 5, 5), name=name or f"氏名 {number}", protection=protection)  # fmt: skip

    def in_class(self, number: int, name: str, class_name: str, school: str = SOUTH, day: dt.date | None = None) -> None:  # fmt: skip
        day = day or self.day
        self.source("school_roster", day, pupil_id=f"{number:08d}", school_code=school, class_name=class_name, name=name, birth_date=dt.date(2015, 5, 5))  # fmt: skip
        self.insert("linkage.links", reference_date=day, table_name="school_roster", person_ref=f"{number:08d}", child_key=key(number), method="kana_birth", probability=1.0)  # fmt: skip

    def child(
        self,
        number: int,
        *,
        school: str = SOUTH,
        school_year: int = 4,
        selected: bool | None = False,
        score: float = 0.1,
        rank: int | None = None,
        household: int | None = None,
        protected: bool = False,
        newly_found: bool = False,
        levels: Mapping[str, str] | None = None,
        contributions: Mapping[str, tuple[str, float]] | None = None,
    ) -> None:
        """``selected`` None: not screened. ``contributions``: item -> level and contribution."""
        place = {"reference_date": self.day, "child_key": key(number)}
        band = self.catalogue.band_of(school_year)
        self.insert("linkage.children", **place, resident_id=f"{number:010d}", household_id=f"{household or number:010d}", school_code=school, school_year=school_year, legal_school_year=school_year, band=band, protected=protected)  # fmt: skip
        self.registered(number, school, school_year)
        self.resident(number)
        defaults = {item.id: NOT_APPLICABLE for item in self.catalogue.matrix_items}
        self.insert("features.matrix", **(place | defaults | dict(levels or {})))
        keep_levels(self.con)
        self.insert("features.labels", **place, known_before=False, open_consultation=False)
        if selected is None:
            return
        self.insert("screening.ranking", **place, weights_version=VERSION, band=band, cohort=school_year, rank=rank or number, school_code=school, score=score, own_levels=0, selected=selected, share_of="cohort", tied_at_cut=False, newly_found_equal=False, legacy_hits=0, legacy_flag=False, newly_found=newly_found, open_consultation=False, known_before=False, incomplete_delivery=False, sibling_selected=False)  # fmt: skip
        for item, (level, contribution) in (contributions or {}).items():
            self.insert("screening.contributions", **place, item=item, level=level, contribution=contribution)

    # what comes back

    def write(self, name: str, content: str | bytes, encoding: str = "utf-8") -> Path:
        path = self.inbox / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode(encoding))
        os.utime(path, (self.clock.timestamp(), self.clock.timestamp()))
        return path

    def files(self, *kinds: str) -> list[InboxFile]:
        return [file for file in scan_inbox(self.inbox, self.catalogue) if file.returned in kinds]

    def list(self) -> dict[str, int]:
        """The meeting's list, stored."""
        self.prepare()
        create_lots(self.con, SECRET, self.day)
        counts = build_meeting_list(self.con, self.catalogue, self.day)
        build_listed_children(self.con, self.day)
        self._store("review.meeting_list", "new_meeting_list")
        self._store("review.listed_children", "new_listed_children")
        return counts

    def prepare(self) -> None:
        keep_schools(self.con)
        create_delivered_views(self.con, self.catalogue, self.day)
        create_sheet_numbers(self.con, SECRET, self.day)
        create_numbered_children(self.con, self.day)

    def meeting(self) -> Meeting:
        self.explain()
        return gather_meeting(self.con, self.catalogue, self.day)

    def explain(self, *, anew: bool = True) -> None:
        """The factors of everyone, stored as a refresh makes them that read the tables, or a run after the meeting."""
        run_id = f"{self.clock}" if anew else "after the meeting"
        if anew and not self.rows(f"from sources.readings where run_id = '{run_id}'"):
            self.insert("sources.readings", reference_date=self.day, asset="sources.moves", files_state="", run_id=run_id, read_at=self.clock)  # fmt: skip
        self.prepare()
        build_factors(self.con, self.catalogue, self.day, run_id, MADE_BY)
        self._store("explanation.factors", "new_factors")

    def workbook(self) -> openpyxl.Workbook:
        """判定会議.xlsx as it is sent to the meeting now."""
        content = meeting_workbook(self.meeting(), tuple(self.catalogue.meeting.directions))
        return openpyxl.load_workbook(io.BytesIO(content))

    def read_decisions(self, today: dt.date = TODAY) -> Taken:
        """One run of review.decisions, a minute after the last."""
        self.clock += dt.timedelta(minutes=1)
        self.prepare()
        counts = build_decisions(self.con, self.catalogue, self.files("判定会議", "判定"), self.day, self.clock, today)
        self._store("review.decisions", "new_decisions")
        self._store("review.releases", "new_releases")
        self._keep_in_force()
        self._keep_rejections("decisions")
        return counts

    def read_sheets(self, today: dt.date = TODAY) -> Taken:
        self.prepare()
        taken = build_personal_sheets(self.con, self.catalogue, self.files("個人票"), self.day, today)
        self._store("review.personal_sheets", "new_personal_sheets")
        self._keep_rejections("personal_sheets")
        return taken

    def read_support(self, today: dt.date = TODAY) -> Taken:
        self.prepare()
        taken = build_support(self.con, self.catalogue, self.files("支援記録", "支援対象者"), self.day, today)
        self._store("review.support", "new_support")
        self._keep_rejections("support")
        return taken

    def decide(self, number: int, decision: str, meeting: dt.date = dt.date(2025, 5, 20), *, direction: str | None = None, release: bool = False) -> None:  # fmt: skip
        """A decision that was read before."""
        self.clock += dt.timedelta(minutes=1)
        self.insert("review.decisions", reference_date=self.day, child_key=key(number), meeting_date=meeting, decision=decision, direction=direction, decided_by="所長", release=release, file="判定.csv", row_number=2, read_at=self.clock)  # fmt: skip
        for name in ("decisions", "releases"):
            self.con.execute(f"create or replace temp table new_{name} as from review.{name} where reference_date = $1", [self.day])  # fmt: skip
        run_sql(self.con, "kodomo_assets.stages.outcomes", "decisions_in_force")
        self._keep_in_force()

    # what a test looks at

    def rows(self, sql: str) -> Sequence[tuple]:
        return self.con.execute(sql).fetchall()

    def decisions(self, columns: str = "decision") -> Sequence[tuple]:
        """(child's number, columns ...) in the order of meeting and reading."""
        return self.rows(
            f"select ('0x' || left(child_key, 30))::integer, {columns} from review.decisions "
            "order by 1, meeting_date, read_at"
        )

    def rejected(self) -> Sequence[tuple]:
        """(file, sheet, row, problem) of every row that was not taken."""
        return self.rows("select file, sheet, row_number, problem from review.rejections order by all")

    def _keep_in_force(self) -> None:
        for name in ("decisions_in_force", "releases_in_force"):
            self._store(f"review.{name}", f"new_{name}")

    def _store(self, table: str, source: str) -> None:
        replace(self.con, [(self.catalogue.output(table), source)], {"reference_date": self.day})

    def _keep_rejections(self, kind: str) -> None:
        replace(
            self.con,
            [(self.catalogue.output(table), source) for table, source in BESIDE],
            {"reference_date": self.day, "kind": kind},
        )
