"""All rows of one person, worked out by hand; no table that does not say whom it is about."""

from __future__ import annotations

import datetime as dt
import lzma
from pathlib import Path

import duckdb
import pytest
from pydantic import ValidationError

from kodomo_assets.catalogue import Catalogue, load_catalogue
from kodomo_assets.errors import RequestError
from kodomo_assets.store.connection import connect
from kodomo_assets.store.migrate import bring_up_to_date
from kodomo_assets.store.pseudonyms import child_key, load_secret
from kodomo_assets.store.register import Asker, note_access, register, set_state
from kodomo_assets.store.stops import stop
from kodomo_assets.store.subjects import identify, resident_of, rows_of
from kodomo_assets.store.tables import create_statement
from kodomo_assets_tests.template import create_tables

CATALOGUE = load_catalogue()
SECRET = bytes(32)
LAST_YEAR, R = dt.date(2024, 4, 1), dt.date(2025, 4, 1)
A, B, MOTHER = "0000000010", "0000000020", "0000000011"


def key(resident: str) -> str:
    return child_key(SECRET, resident)


class Register:
    """Rows as the stages leave them, told by a mark: ``row`` in a source, the file or item elsewhere."""

    def __init__(self, con: duckdb.DuckDBPyConnection) -> None:
        self.con = con
        create_tables(con, CATALOGUE)

    def insert(self, table: str, day: dt.date = R, **values: object) -> None:
        facts = {"reference_date": day} | values
        names, marks = ", ".join(facts), ", ".join("?" * len(facts))
        self.con.execute(f"insert into {table} ({names}) values ({marks})", list(facts.values()))

    def source(self, table: str, row: int, day: dt.date = R, **values: object) -> None:
        self.insert(f"sources.{table}", day, source_file="f", source_row=row, invalid_cells=[], unknown_cells=[], **values)  # fmt: skip

    def link(self, table: str, number: str, resident: str, day: dt.date = R) -> None:
        self.insert("linkage.links", day, table_name=table, person_ref=number, child_key=key(resident), method="kana_birth", probability=1.0)  # fmt: skip

    def child(self, resident: str, day: dt.date = R) -> None:
        self.insert("linkage.children", day, child_key=key(resident), resident_id=resident, household_id="0000000100", school_code="081001", school_year=4, legal_school_year=4, band="upper", protected=False)  # fmt: skip

    def asked(self, table: str, number: str, resident: str) -> None:
        self.insert("linkage.asked", table_name=table, person_ref=number, child_key=key(resident), asked_at=R)

    def quarantined(self, table: str, row: int, number: str | None) -> None:
        self.insert("sources.quarantine", table_name=table, file="f", row_number=row, scope="row", reason="not_a_date", person_ref=number)  # fmt: skip

    def delivered(self, day: dt.date) -> None:
        self.insert("sources.deliveries", day, table_name="attendance", file="f", sha256="", received_at=day, superseded=False, status="accepted", rows_in=0, rows_accepted=0, rows_quarantined=0, absent_columns=[], surplus_columns=[])  # fmt: skip


@pytest.fixture
def con():
    """Siblings A and B of one mother. Last year A went by 00000001, which is B's now; A's number is 00000002 now."""
    with duckdb.connect() as connection:
        town = Register(connection)
        for day in (LAST_YEAR, R):
            town.delivered(day)
        town.child(A, LAST_YEAR)
        town.child(A)
        town.child(B)
        for row, resident in enumerate((A, B, MOTHER), start=1):
            town.source("resident_register", row, resident_id=resident, household_id="0000000100", birth_date=R)
        town.source("child_rearing_allowance", 1, child_resident_id=A, recipient_resident_id=MOTHER, certified_on=R)
        town.source("child_rearing_allowance", 2, child_resident_id=B, recipient_resident_id=MOTHER, certified_on=R)
        town.link("school_roster", "00000001", A, LAST_YEAR)
        town.link("school_roster", "00000001", B)
        town.link("school_roster", "00000002", A)
        town.source("attendance", 1, LAST_YEAR, pupil_id="00000001", month=LAST_YEAR)
        town.source("attendance", 2, pupil_id="00000001", month=R)
        town.source("attendance", 3, pupil_id="00000002", month=R)
        # before the linkage knew it, and never anybody else's
        town.source("attendance", 4, LAST_YEAR - dt.timedelta(days=91), pupil_id="00000002", month=R)
        town.delivered(LAST_YEAR - dt.timedelta(days=91))
        town.link("ssw_records", "S-1", A)
        town.link("education_counselling", "S-1", B)  # another office numbers its records alike
        town.source("ssw_records", 1, record_id="S-1", birth_date=R)
        town.source("ssw_records", 2, record_id="S-2", birth_date=R)
        town.source("education_counselling", 1, reception_id="S-1", birth_date=R)
        # with 宛名番号, and by name; one record has a number like A's 宛名番号
        town.link("child_consultations", "C-1", A)
        town.link("child_consultations", A, B)
        town.source("child_consultations", 1, consultation_id="C-1", received_on=R)
        town.source("child_consultations", 2, consultation_id="C-2", child_resident_id=A, received_on=R)
        town.source("child_consultations", 3, consultation_id=A, received_on=R)
        town.quarantined("moves", 1, A)
        town.quarantined("moves", 2, B)
        town.quarantined("attendance", 3, "00000002")
        town.quarantined("attendance", 4, "00000001")
        town.quarantined("ssw_records", 5, None)
        town.asked("ssw_records", "S-1", B)  # asked whether A's record was B's
        town.asked("education_counselling", "S-1", B)
        town.insert("review.support", child_key=key(A), given_on=R, kind="声かけ", outcome="声かけ", step="spoken_to")
        town.insert("review.support", child_key=key(B), given_on=R, kind="声かけ", outcome="声かけ", step="spoken_to")
        yield connection


def found(con, resident, column="source_row"):
    """Table -> what tells its rows, of those that have any."""
    identify(con, CATALOGUE, SECRET, resident)
    told = {}
    for table, rows in rows_of(con, CATALOGUE).items():
        mark = {"sources.quarantine": "row_number", "sources.corrected": "request", "rights.corrections": "request", "linkage.links": "table_name || ' ' || person_ref", "linkage.asked": "table_name", "rights.requests": "request", "rights.stops_in_force": "request", "rights.accesses": "command"}  # fmt: skip
        name = mark.get(table, "source_row" if table.startswith("sources.") else "reference_date")
        values = sorted(value for (value,) in rows.select(duckdb.SQLExpression(name)).fetchall())
        if values:
            told[table] = values
    return told


def test_all_rows_of_a_child(con):
    assert found(con, A) == {
        "sources.resident_register": [1],
        "sources.child_rearing_allowance": [1],
        "sources.attendance": [1, 3, 4],
        "sources.ssw_records": [1],
        "sources.child_consultations": [1, 2],
        "sources.quarantine": [1, 3],
        "linkage.children": [LAST_YEAR, R],
        "linkage.links": [
            "child_consultations C-1",
            "school_roster 00000001",
            "school_roster 00000002",
            "ssw_records S-1",
        ],
        "linkage.asked": ["ssw_records"],
        "review.support": [R],
    }


def test_all_rows_of_the_sibling_who_has_the_number_now(con):
    assert found(con, B) == {
        "sources.resident_register": [2],
        "sources.child_rearing_allowance": [2],
        "sources.attendance": [2],
        "sources.education_counselling": [1],
        "sources.child_consultations": [3],
        "sources.quarantine": [2, 4],
        "linkage.children": [R],
        "linkage.links": [f"child_consultations {A}", "education_counselling S-1", "school_roster 00000001"],
        "linkage.asked": ["education_counselling", "ssw_records"],
        "review.support": [R],
    }


def test_what_was_asked_about_a_person_is_recorded_of_it(con):
    """The register and the log have no reference date."""
    asker = Asker("こども未来センター職員", "請求", "centre")
    register(con, asker, "rights disclose", MOTHER, kind="開示", state="受付", today=dt.date(2026, 3, 31))
    register(con, asker, "rights disclose", A, kind="開示", state="受付", today=dt.date(2026, 4, 1))
    assert register(con, asker, "rights stop", MOTHER, kind="利用停止", state="受付", today=R) == "2025-0002"
    note_access(con, asker, "forget", None)
    note_access(con, asker, "explain 2025-04-01", MOTHER, dry_run=True)
    of_mother = found(con, MOTHER)
    assert of_mother["rights.requests"] == ["2025-0001", "2025-0002"]
    assert of_mother["rights.accesses"] == ["explain 2025-04-01", "rights disclose", "rights stop"]
    assert found(con, A)["rights.requests"] == ["2026-0001"]
    stop(con, "2026-0001", A, key(A), dt.datetime(2026, 4, 1, tzinfo=dt.UTC))
    assert found(con, A)["rights.stops_in_force"] == ["2026-0001"]
    assert "rights.stops_in_force" not in found(con, MOTHER)


def test_a_request_is_registered_with_its_access_or_not_at_all(con):
    con.execute("alter table rights.accesses drop column account")
    with pytest.raises(duckdb.Error):
        register(con, Asker("r", "r", "a"), "c", A, kind="開示", state="受付", today=R)
    assert con.execute("from rights.requests").fetchall() == []
    with pytest.raises(RequestError, match="the request is not in the register"):
        set_state(con, "2025-0001", "取下げ")


def test_a_mother_has_her_own_row_and_those_that_name_her(con):
    assert found(con, MOTHER) == {"sources.resident_register": [3], "sources.child_rearing_allowance": [1, 2]}


def test_a_child_is_found_by_its_key(con):
    assert resident_of(con, key(A)) == A
    assert resident_of(con, "0" * 32) is None


def with_table(**facts: object) -> Catalogue:
    """The catalogue with one table more, ``review.new``."""
    base = {"db_schema": "review", "name": "new", "ja": "新しい表", "published": False}
    outputs = {name: table.model_dump() for name, table in CATALOGUE.outputs.items()} | {"review.new": base | facts}
    return Catalogue.model_validate(CATALOGUE.model_dump(by_alias=True) | {"outputs": outputs})


COLUMNS = {
    name: {"name": name, "type": "VARCHAR", "ja": name}
    for name in ("child_key", "household_id", "former_household_id", "pupil_id", "decided_by", "text")
}


@pytest.mark.parametrize(
    ("about", "columns", "expected"),
    [
        (None, ["text"], "`review.new`.about\n  Field required"),
        ("parent", ["text"], "Input should be 'child', 'household', 'resident', 'pupil', 'staff' or 'none'"),
        ("none", ["text", "child_key"], "found none, but child_key says whom a row is about"),
        ("none", ["former_household_id"], "found none, but former_household_id says whom a row is about"),
        ("child", ["pupil_id"], "found child, but no column says which one, expected child_key or person_ref"),
        ("resident", ["child_key"], "found resident, but no column says which one, expected resident_id or person_ref"),
        ("staff", ["text"], "found staff, but no column says which one, expected decided_by or filled_by"),
    ],
)
def test_a_table_that_does_not_say_whom_it_is_about_is_an_error(about, columns, expected):
    facts = {} if about is None else {"about": about}
    with pytest.raises(ValidationError) as error:
        with_table(**facts, columns=[COLUMNS[name] for name in columns])
    assert expected in str(error.value)


def test_nothing_that_tells_who_somebody_is_may_be_declared_for_publication():
    columns = [COLUMNS["child_key"] | {"words": "child_key"}, COLUMNS["pupil_id"] | {"words": ["x"]}]
    with pytest.raises(
        ValidationError, match=r"outputs\.review\.new\.pupil_id: tells who somebody is, or private: true"
    ):
        with_table(about="child", published=True, columns=columns)
    with pytest.raises(ValidationError, match=r"outputs\.review\.new: is about a pupil, expected published: false"):
        with_table(about="pupil", published=True, columns=[COLUMNS["pupil_id"] | {"private": True}])
    with_table(about="child", published=True, columns=[columns[0], columns[1] | {"private": True}])


def test_a_household_has_the_rows_of_tables_about_households_only(con):
    catalogue = with_table(about="household", columns=[COLUMNS["household_id"], {"name": "reference_date", "type": "DATE", "ja": "基準日"}])  # fmt: skip
    con.execute(create_statement(catalogue.output("review.new")))
    con.execute(f"insert into review.new values ('0000000100', date '{R}'), ('0000000200', date '{R}')")
    identify(con, catalogue, SECRET, MOTHER)
    rows = rows_of(con, catalogue)
    assert rows["review.new"].fetchall() == [("0000000100", R)]
    assert len(rows["sources.resident_register"].fetchall()) == 1


def test_every_table_of_a_played_city_is_covered(tmp_path):
    """The second landing's city, to the end of its meeting: what lies there is declared, about somebody or nobody."""
    stored = Path(__file__).parent / "second_landing"
    database, secret = tmp_path / "kodomo.duckdb", tmp_path / "key"
    database.write_bytes(lzma.decompress((stored / "kodomo.duckdb.xz").read_bytes()))
    secret.write_bytes((stored / "pseudonym.key").read_bytes())
    secret.chmod(0o600)
    catalogue = load_catalogue(stored / "city.yaml")
    with connect(database) as con:
        bring_up_to_date(con, catalogue)
        there = {
            name
            for (name,) in con.execute(
                "select schema_name || '.' || table_name from duckdb_tables() "
                "where database_name = current_database() and not temporary"
            ).fetchall()
        }
        assert there == {name for name, table in catalogue.outputs.items() if table.stored}
        (child,) = con.execute("select min(child_key) from review.support").fetchone()
        identify(con, catalogue, load_secret(secret), resident_of(con, child))
        rows = {name: len(found) for name, found in rows_of(con, catalogue).items()}
        assert rows.keys() == {name for name in there if catalogue.output(name).about != "none"}
        for name in ("features.matrix", "linkage.children", "screening.contributions", "review.decisions"):
            of_child = con.execute(f"select count(*) from {name} where child_key = $1", [child]).fetchone()
            assert (rows[name],) == of_child != (0,)
