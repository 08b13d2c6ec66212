"""A city of a few people, written out row by row: what linkage reads, and whom it links."""

from __future__ import annotations

import datetime as dt

import duckdb

from kodomo_assets.catalogue import load_catalogue
from kodomo_assets.stages.linkage.children import build_children
from kodomo_assets.stages.linkage.links import build_links
from kodomo_assets.stages.sources.in_force import create_delivered_views
from kodomo_assets.store.pseudonyms import create_pseudonyms
from kodomo_assets.store.tables import replace
from kodomo_assets_tests.template import create_tables, declared, fill, in_memory, once

R = dt.date(2025, 4, 1)
EARLIER = dt.date(2025, 1, 1)
SECRET = bytes(32)
D = dt.date
CATALOGUE = load_catalogue()


class Register:
    """住民記録 and 学齢簿 as delivered, and what links to them by name."""

    def __init__(self, catalogue=None, secret: bytes = SECRET, threads: int | None = None) -> None:
        self.catalogue = catalogue or CATALOGUE
        self.secret = secret
        self.number = 0
        rows = once(("register", declared(self.catalogue)), self._begin)
        self.con = duckdb.connect(config={"threads": threads}) if threads else in_memory()
        fill(self.con, rows)

    def _begin(self, con: duckdb.DuckDBPyConnection) -> None:
        """Every table is delivered."""
        self.con = con
        create_tables(con, self.catalogue)
        for table in self.catalogue.tables:
            self.deliver(table, R)

    def deliver(self, table: str, day: dt.date) -> None:
        self.insert("sources.deliveries", reference_date=day, table_name=table, file=f"{table}{day}.csv", sha256="", received_at=day, superseded=False, status="accepted", rows_in=0, rows_accepted=0, rows_quarantined=0, absent_columns=[], surplus_columns=[])  # fmt: skip

    def insert(self, table: str, **values) -> None:
        names = ", ".join(values)
        self.con.execute(
            f"insert into {table} ({names}) values ({', '.join('?' for _ in values)})", list(values.values())
        )

    def row(self, table: str, day: dt.date = R, **values) -> None:
        self.number += 1
        self.insert(f"sources.{table}", reference_date=day, source_file="f", source_row=self.number, invalid_cells=[], unknown_cells=[], **values)  # fmt: skip

    def resident(self, who: int, household: int = 1, birth: dt.date = D(2015, 5, 5), **values) -> None:
        self.row(
            "resident_register", resident_id=f"{who:010d}", household_id=f"{household:010d}", birth_date=birth, **values
        )

    def child(self, who: int, kana: str | None = None, birth: dt.date = D(2015, 5, 5), sex: str | None = "男", school: str = "081001", household: int | None = None, school_year: int | None = 4, **values) -> None:  # fmt: skip
        self.resident(who, household or who, birth, name_kana=kana, sex=sex, **values)
        self.registered(who, school, school_year)

    def registered(self, who: int, school: str = "081001", school_year: int | None = 4) -> None:
        self.row("school_register", resident_id=f"{who:010d}", school_code=school, school_name=f"{school}小学校", school_year=school_year)  # fmt: skip

    def build(self):
        create_delivered_views(self.con, self.catalogue, R)
        create_pseudonyms(self.con, self.secret, "delivered_school_register")
        counts = build_children(self.con, self.catalogue, R)
        for name in ("residents", "children"):
            replace(self.con, [(self.catalogue.output(f"linkage.{name}"), f"new_{name}")], {"reference_date": R})
        return counts

    def link(self) -> dict[tuple[str, str], tuple[int, str]]:
        """(table, number) -> (resident, method) of every link."""
        self.build()
        self.counts = build_links(self.con, self.catalogue, R)
        rows = self.con.execute(
            "select table_name, person_ref, resident_id::integer, method from new_links "
            "join linkage.children using (child_key)"
        ).fetchall()
        return {(table, ref): (who, method) for table, ref, who, method in rows}

    def pupil(self, number: int, kana: str | None, birth: dt.date = D(2015, 5, 5), sex: str | None = "男", school: str = "081001", day: dt.date = R) -> None:  # fmt: skip
        self.row(
            "school_roster",
            day,
            pupil_id=f"{number:08d}",
            name_kana=kana,
            birth_date=birth,
            sex=sex,
            school_code=school,
        )

    def children(self, columns: str) -> list[tuple]:
        return self.con.execute(f"select {columns} from new_children order by resident_id").fetchall()
