"""The databases that earlier landings made (synthetic cities, played to the end of their meeting) are brought to today.

``first_landing/`` and ``second_landing/`` hold each as it was left, with that city's key and configuration; nothing
newer may write into them (the first: 4,000 residents, the second: 2,000, commit 0708415). Whoever changes a declared table adds a numbered step, or these tests fail.
"""

from __future__ import annotations

import lzma
import shutil
from dataclasses import dataclass
from pathlib import Path

import pytest

from kodomo_assets.catalogue import Catalogue, load_catalogue
from kodomo_assets.settings import Settings
from kodomo_assets.stages.evaluation.funnel import build_funnel
from kodomo_assets.store.connection import connect, in_memory
from kodomo_assets.store.migrate import known_steps
from kodomo_assets.store.opening import open_to_write
from kodomo_assets.store.pseudonyms import child_key, load_secret
from kodomo_assets.store.tables import create_tables

# counted in each file when it was made
ROWS = {
    "first_landing": {
        "linkage.children": 1_196,
        "linkage.links": 1_518,
        "features.matrix": 1_196,
        "weights.coefficients": 104,
        "screening.ranking": 79,
        "review.decisions": 20,
        "review.personal_sheets": 20,
        "review.support": 8,
        "sources.deliveries": 335,
    },
    "second_landing": {
        "linkage.children": 739,
        "linkage.links": 943,
        "linkage.asked": 1,
        "features.matrix": 739,
        "weights.coefficients": 57,
        "screening.ranking": 59,
        "review.decisions": 17,
        "review.personal_sheets": 17,
        "review.support": 8,
        "sources.attendance": 7_210,
        "sources.deliveries": 435,
        "sources.readings": 90,
        "published.refreshes": 90,
    },
}
LANDINGS = sorted(ROWS)
# schools times dates
SCHOOLS = {"first_landing": 49 * 3, "second_landing": 49 * 4}


@dataclass
class Landed:
    """A data folder whose database an earlier landing made, and what opening it told."""

    name: str
    settings: Settings
    catalogue: Catalogue
    told: list[str]

    def open(self):
        return open_to_write(self.settings, self.catalogue, self.told.append)

    def query(self, sql: str) -> list[tuple]:
        with connect(self.settings.database, read_only=True) as con:
            return con.execute(sql).fetchall()


def lay(name: str, root: Path) -> Landed:
    stored, data, key = Path(__file__).parent / name, root / "data", root / "key" / "pseudonym.key"
    data.mkdir(mode=0o700)
    key.parent.mkdir(mode=0o700)
    shutil.copyfile(stored / "pseudonym.key", key)
    key.chmod(0o600)
    shutil.copyfile(stored / "city.yaml", data / "city.yaml")
    (data / "kodomo.duckdb").write_bytes(lzma.decompress((stored / "kodomo.duckdb.xz").read_bytes()))
    settings = Settings.from_environment({"KODOMO_DATA_DIR": str(data), "KODOMO_KEY_FILE": str(key)})
    return Landed(name, settings, load_catalogue(settings.overlay), [])


@pytest.fixture(params=LANDINGS)
def landed(request: pytest.FixtureRequest, tmp_path: Path) -> Landed:
    return lay(request.param, tmp_path)


# columns that a step added stand behind the others: every reader and writer takes columns by name
SCHEMA = (
    "select schema_name || '.' || table_name as name, column_name, data_type, is_nullable, comment "
    "from duckdb_columns() where database_name = current_database() and not internal "
    "union all select schema_name || '.' || table_name, '', '', false, comment "
    "from duckdb_tables() where database_name = current_database() and not internal order by all"
)


def test_its_tables_become_those_of_a_new_database_and_its_rows_stay(landed):
    with in_memory() as new:
        create_tables(new, landed.catalogue)
        declared = new.execute(SCHEMA).fetchall()
    with landed.open():
        pass
    assert landed.query(SCHEMA) == declared
    for table, rows in ROWS[landed.name].items():
        assert landed.query(f"select count(*) from {table}") == [(rows,)]


def test_what_was_done_is_told_by_number_and_done_once(landed):
    with landed.open():
        pass
    assert landed.told == [f"kodomo.duckdb was brought to this version: step {step} is done" for step in known_steps()]
    assert landed.told[0].endswith("step 0001 columns_of_the_second_landing is done")
    numbers = landed.query("select number, name from store.migrations order by number")
    assert numbers == [(step.number, step.name) for step in known_steps()]
    landed.told.clear()
    with landed.open():
        pass
    assert landed.told == []


def test_its_children_are_known_by_their_key(landed):
    resident, child = landed.query("select resident_id, child_key from linkage.children limit 1")[0]
    assert child_key(load_secret(landed.settings.key_file), resident) == child


def test_what_it_read_and_refreshed_stays_on_record(landed):
    """Nothing is read anew because the tables were changed."""
    if landed.name == "first_landing":
        pytest.skip("it kept no such record")
    record = "select * from sources.readings union all by name select * from published.refreshes order by all"
    before = landed.query(record)
    assert before
    with landed.open():
        pass
    assert landed.query(record) == before


def test_its_levels_are_those_of_its_matrix(landed):
    """Old dates can be shown and scored again: the meeting and the list read features.levels."""
    items = [item.id for item in landed.catalogue.matrix_items]
    with landed.open():
        pass
    counted = landed.query("select count(*), count(distinct item), count(cause) from features.levels")
    assert counted == [(ROWS[landed.name]["features.matrix"] * len(items), len(items), 0)]
    wide = landed.query(f"select reference_date, child_key, {', '.join(items)} from features.matrix order by all")
    cells = ", ".join(f"any_value(level) filter (item = '{item}')" for item in items)
    assert wide == landed.query(
        f"select reference_date, child_key, {cells} from features.levels group by all order by all"
    )


def test_its_funnels_and_lists_are_those_that_this_version_would_make(landed):
    """The selected apart from who came from below the cut; newly found against as long a list by legacy hits."""
    with landed.open() as con:
        for (day,) in con.execute("select distinct reference_date from screening.ranking").fetchall():
            build_funnel(con, landed.catalogue, day)
            stored = f"select * from evaluation.funnel where reference_date = '{day}'"
            columns = ", ".join(landed.catalogue.output("evaluation.funnel").column_names)
            assert con.execute(f"select count(*) from ({stored})").fetchone() != (0,)
            for one, other in ((stored, "from new_funnel"), ("from new_funnel", stored)):
                left = f"select {columns} from ({one}) except all select {columns} from ({other})"
                assert con.execute(left).fetchall() == []
        equal = (
            "select count(*) filter (selected), sum(places) from (select *, (selected and not newly_found_equal) "
            "= (rank_by_hits <= chosen and selected) as places from (select *, row_number() over (partition by "
            "reference_date, cohort order by legacy_hits desc, sha256(reference_date::varchar || '|' || child_key)) as "
            "rank_by_hits, count(*) filter (selected) over (partition by reference_date, cohort) as chosen "
            "from screening.ranking)) where share_of = 'cohort'"
        )
        children = con.execute("select count(*) from screening.ranking").fetchone()
        assert con.execute(equal).fetchone()[1:] == children


def test_what_counts_of_its_decisions_is_known(landed):
    """One row per decided child, of its last meeting; the first landing knew no release without a decision."""
    with landed.open():
        pass
    last = (
        "select reference_date, child_key, arg_max({}, (meeting_date, read_at)) from review.decisions "
        "group by all order by all"
    )
    for column, table in (("decision", "decisions_in_force"), ("release", "releases_in_force")):
        counted = landed.query(f"select reference_date, child_key, {column} from review.{table} order by all")
        assert len(counted) > 10
        assert counted == landed.query(last.format(column))


def test_its_schools_have_the_names_of_the_register_of_each_date(landed):
    """Every date that was linked; each of these cities delivers its register for every date, in one spelling."""
    with landed.open():
        pass
    named = landed.query("from linkage.schools order by all")
    assert named == landed.query(
        "select distinct reference_date, school_code, school_name from sources.school_register "
        "where reference_date in (select reference_date from linkage.children) order by all"
    )
    assert len(named) == SCHOOLS[landed.name]
