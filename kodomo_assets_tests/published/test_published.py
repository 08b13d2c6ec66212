"""The analysts' database: what is in it, what never is, and that nobody ever sees half of it."""

from __future__ import annotations

import datetime as dt
import subprocess
import sys
from pathlib import Path

import duckdb
import pytest

from kodomo_assets.catalogue import load_catalogue
from kodomo_assets.checks import CheckOutcome
from kodomo_assets.errors import CheckFailedError
from kodomo_assets.stages.published.checks import check_published
from kodomo_assets.stages.published.derived import derive
from kodomo_assets.stages.published.views import create_views
from kodomo_assets.store.connection import connect
from kodomo_assets.store.publish import Stage, publish
from kodomo_assets_tests.template import create_tables, declared, fill, once

CATALOGUE = load_catalogue()
R = dt.date(2025, 4, 1)


@pytest.fixture
def kodomo(tmp_path: Path):
    """A confidential database with 12 children of one school and 3 of another."""
    with connect(tmp_path / "kodomo.duckdb") as con:
        fill(con, once(("fifteen children", declared(CATALOGUE)), fifteen_children))
        yield con, tmp_path / "analyst.duckdb"


def fifteen_children(con: duckdb.DuckDBPyConnection) -> None:
    create_tables(con, CATALOGUE)
    for number in range(15):
        school = "081001" if number < 12 else "081002"
        con.execute("insert into linkage.children values ($1, $2, $3, $4, $5, 4, 4, 'upper', false)", [R, f"{number:032x}", f"{number:010d}", "0000000999", school])  # fmt: skip
        con.execute("insert into sources.resident_register (reference_date, resident_id, household_id, name, birth_date, source_file, source_row, invalid_cells, unknown_cells) values ($1, $2, '0000000999', '架空　花子', date '2015-01-01', 'f', 1, [], [])", [R, f"{number:010d}"])  # fmt: skip


def build(con, target, check=None, catalogue=CATALOGUE):
    # while it is published, the database in use is another
    (home,) = con.execute("select current_database()").fetchone()
    check = check or (lambda c: check_published(c, catalogue, home))
    stage = Stage(lambda c: derive(c, catalogue), create_views, check)
    return publish(con, target, catalogue, "run1", stage)


def query(target: Path, sql: str) -> list[tuple]:
    with duckdb.connect(str(target), read_only=True) as con:
        return con.execute(sql).fetchall()


def test_private_columns_and_sources_are_left_out_and_the_checks_pass(kodomo):
    con, target = kodomo
    assert all(outcome.passed for outcome in build(con, target))
    columns = {
        row[0] for row in query(target, "select column_name from duckdb_columns() where table_name = 'children'")
    }
    assert columns == {"reference_date", "child_key", "school_code", "school_year", "legal_school_year", "band"}
    assert query(target, "select count(*) from duckdb_schemas() where schema_name = 'sources'") == [(0,)]
    assert query(target, "select count(*) from linkage.children") == [(15,)]
    assert target.stat().st_mode & 0o777 == 0o600


def test_every_table_column_and_view_has_a_japanese_comment(kodomo):
    con, target = kodomo
    build(con, target)
    assert query(target, "select table_name from duckdb_tables() where comment is null") == []
    assert query(target, "select view_name from duckdb_views() where not internal and comment is null") == []
    columns = "select {} from duckdb_columns() where not internal"
    assert query(target, f"{columns.format('table_name, column_name')} and coalesce(comment, '') = ''") == []
    described = query(target, "select table_schema, table_name, column_name from catalogue.columns order by all")
    assert described == query(target, f"{columns.format('schema_name, table_name, column_name')} order by all")
    assert query(target, "select ja, table_ja from catalogue.columns where table_name = 'why' and column_name = 'level'") == [("段階", "児童がその位置にある理由：項目ごとの寄与（大きい順、点＝得点×1000）")]  # fmt: skip


def test_a_cell_of_fewer_than_ten_children_is_suppressed(kodomo):
    con, target = kodomo
    build(con, target)
    # 12 and 3 children: with the 3 alone hidden, 15 - 12 would give them back; the total is told to the nearest five
    assert query(target, "select school_code, children from views.children_per_school") == [
        ("081001", None),
        ("081002", None),
    ]
    assert query(target, "select school_code, school_year, children from evaluation.children_per_school where school_code is null order by all") == [(None, 4, 15), (None, None, 15)]  # fmt: skip


def levels(con, item: str, no_record: int, blank: int, children: int = 12, cause: str | None = None) -> None:
    """Of the first children: so many without a record, then so many with a blank one; then the others."""
    for number in range(children):
        level = "no_record" if number < no_record else "blank" if number < no_record + blank else "not_applicable"
        con.execute(
            "insert into features.levels values ($1, $2, $3, $4, $5, null)", [R, f"{number:032x}", item, level, cause]
        )


def test_what_is_missing_is_told_per_item_and_school_where_it_is_not_few(kodomo):
    con, target = kodomo
    levels(con, "absence_days", no_record=0, blank=11, children=15)
    levels(con, "late_or_early_leave", no_record=12, blank=0)
    levels(con, "maternal_epds", no_record=12, blank=0, cause="other_band")
    levels(con, "sex", no_record=12, blank=0)
    assert all(outcome.passed for outcome in build(con, target))
    # 12 children of one school and 3 of another: with the 3 hidden, 15 - 12 would give them back
    assert query(target, "select school_code, item, item_ja, children, no_record, blank, blank_share from views.missing where item = 'absence_days' order by all") == [
        ("081001", "absence_days", "欠席日数", None, None, None, None),
        ("081002", "absence_days", "欠席日数", None, None, None, None),
        (None, "absence_days", "欠席日数", 15, None, 10, 0.67),
    ]  # fmt: skip
    # only the one school has records: nothing is hidden beside it
    assert query(target, "select school_code, children, no_record, blank, no_record_share from views.missing where item = 'late_or_early_leave' order by all") == [
        ("081001", 10, 10, None, 1.0), (None, 10, 10, None, 1.0)
    ]  # fmt: skip
    assert query(target, "select distinct item from views.missing order by all") == [
        ("absence_days",),
        ("late_or_early_leave",),
    ]


def test_a_school_of_few_children_has_no_name(kodomo):
    con, target = kodomo
    con.execute("insert into linkage.schools values ($1, '081001', '青葉小学校'), ($1, '081002', '架空　花子')", [R])
    build(con, target)
    assert query(target, "from catalogue.schools") == [("081001", "青葉小学校")]


def test_weights_have_their_intervals(kodomo):
    con, target = kodomo
    con.execute("insert into weights.in_force by name select $1 as reference_date, '2025-04-01.1' as version", [R])
    con.execute(
        "insert into weights.versions by name select '2025-04-01.1' as version, 'upper' as band, $1 as reference_date, "
        "'x' as fingerprint, 'ever' as label, now() as created_at, 'own' as origin, 'x' as reason",
        [R],
    )
    con.execute(
        "insert into weights.coefficients by name select '2025-04-01.1' as version, 'upper' as band, "
        "'absence_days' as item, '30+' as level, 0.02::double as weight, 0.01::double as std_error, "
        "$1 as reference_date, 12 as children, 0.01::double as mean_weight",
        [R],
    )
    build(con, target)
    # 20 - 1.96 x 10 and 20 + 1.96 x 10 points
    assert query(target, "select low_points, points, high_points from views.weights_in_force") == [(0.4, 20.0, 39.6)]


def test_an_open_reader_keeps_its_snapshot(kodomo):
    con, target = kodomo
    build(con, target)
    with duckdb.connect(str(target), read_only=True) as reader:
        con.execute("delete from linkage.children")
        build(con, target)
        assert reader.execute("select count(*) from linkage.children").fetchone() == (15,)
    assert query(target, "select count(*) from linkage.children") == [(0,)]


def test_a_failed_check_leaves_the_old_file_and_no_other(kodomo):
    con, target = kodomo
    build(con, target)
    before = target.read_bytes()
    failed = CheckOutcome("some", False, True, "something is wrong")
    with pytest.raises(CheckFailedError, match="something is wrong"):
        build(con, target, lambda _: [failed])
    assert target.read_bytes() == before
    assert sorted(path.name for path in target.parent.glob("analyst*")) == ["analyst.duckdb"]
    build(con, target)  # and the next one works: nothing is left attached


def test_why_tells_the_strongest_factor_first_in_japanese(kodomo):
    con, target = kodomo
    key = "0" * 32
    for item, level, level_ja, contribution, direction, table in (
        ("(base)", "(base)", "基準率", 0.05, "raises", None),
        ("absence_days", "30+", "30日以上", 0.0512, "raises", "attendance"),
        ("bullied", "not_applicable", "非該当", -0.06, "lowers", "school_survey"),
        ("table:ssw_records", "no_record", "記録なし", 0.0, "none", "ssw_records"),
    ):
        con.execute(
            "insert into explanation.factors by name select $1::date as reference_date, $2 as child_key, $3 as item, "
            "$4 as level, $5 as level_ja, $6 as contribution, $7 as direction, $8 as source_table, "
            "$1::date as delivered_on, '出欠_南小学校.csv' as file",
            [R, key, item, level, level_ja, contribution, direction, table],
        )
    build(con, target)
    assert query(target, "select column_name from duckdb_columns() where schema_name in ('explanation', 'views') and column_name = 'file'") == []  # fmt: skip
    assert query(target, "select source_table, delivered_on from views.why where factor = 2") == [("attendance", R)]
    assert query(target, "select factor, item_ja, level_ja, points, direction from views.why order by factor") == [
        (1, "いじめ被害", "非該当", -60.0, "下げる"),
        (2, "欠席日数", "30日以上", 51.2, "上げる"),
        (3, "SSW相談記録の記録", "記録なし", 0.0, "変えない"),
    ]


def test_what_moved_and_who_entered_is_told_in_points_and_japanese(kodomo):
    con, target = kodomo
    con.execute("insert into evaluation.list_changes by name select $1::date as reference_date, date '2025-01-01' as previous_date, $2 as child_key, 'upper' as band, 'entered' as change, 0.4 as score_change, 0.3 as by_weights, 0.1 as by_child, 'absence_days' as strongest_item", [R, "0" * 32])  # fmt: skip
    for kind, name, psi, law in (("item", "child_rearing_allowance", 0.41589, "児童扶養手当法の改正（令和6年11月）"), ("score", "score", 0.02, None), ("list", "list", None, None)):  # fmt: skip
        con.execute("insert into evaluation.drift by name select $1::date as reference_date, $2 as kind, $3 as name, 'upper' as band, 'fit' as against, date '2024-04-01' as previous_date, true as in_model, $4::double as psi, $5 as law, 9 as stayed, 40 as children_now, 12 as children_then", [R, kind, name, psi, law])  # fmt: skip
    build(con, target)
    assert query(target, "select change, points, points_by_weights, points_by_child, strongest_item_ja from views.list_changes") == [("entered", 400.0, 300.0, 100.0, "欠席日数")]  # fmt: skip
    assert query(target, "select kind, item, item_ja, psi, law from views.drift") == [
        ("item", "child_rearing_allowance", "児童扶養手当", 0.42, "児童扶養手当法の改正（令和6年11月）"),
        ("score", "score", "score", 0.02, None),
    ]
    assert query(target, "select distinct stayed from evaluation.drift") == [(None,)]


def test_an_index_tells_nobody_how_few_children_it_is_of(kodomo):
    """By chance (1/2 + 1/2) x (1 + 1.645 x sqrt(2)) of two levels: whoever reads it to its digits reads two and two."""
    con, target = kodomo
    for item, now, then in (
        ("absence_days", 2, 2),
        ("many_children", 40, 9),
        ("bullied", 9, 40),
        ("short_sleep", 13, 10),
    ):
        con.execute("insert into evaluation.drift by name select $1::date as reference_date, 'item' as kind, $2 as name, 'upper' as band, 'fit' as against, date '2024-04-01' as previous_date, true as in_model, $3 as children_now, $4 as children_then, 0.41589 as psi, 3.3264 as by_chance, 'shifted' as verdict", [R, item, now, then])  # fmt: skip
    build(con, target)
    assert query(target, "select name, children_now, children_then, psi, verdict from evaluation.drift order by 1") == [
        ("absence_days", None, None, None, "shifted"),
        ("bullied", None, 40, None, "shifted"),
        ("many_children", 40, None, None, "shifted"),
        ("short_sleep", 15, 10, 0.42, "shifted"),
    ]
    assert query(target, "select distinct column_name from duckdb_columns() where column_name = 'by_chance'") == []


def test_the_old_rule_stands_beside_what_was_decided_and_what_came_later(kodomo):
    """Of the backtests of two refreshes the newest one counts; of a list too young there is none."""
    con, target = kodomo
    then = "2024-04-01"
    for day in (then, str(R)):
        con.execute("insert into evaluation.legacy_comparison values ($1, 'upper', null, 50, 30, 20, 30, 10, 0, 40, 12, 15, 20, 25, 10)", [day])  # fmt: skip
    for made, found in (("2025-01-01", 10), (str(R), 15)):
        con.execute("insert into evaluation.backtest by name select $1::date as reference_date, '2024-04-01.1' as version, $2::date as list_date, 12 as horizon_months, 'only_list' as rule, 'upper' as band, 30 as listed, 0 as known_before, 30 as followed, 0 as censored, $3 as first_consultations, 0 as bred, $3 / 30 as rate", [made, then, found])  # fmt: skip
    build(con, target)
    compared = "select compared, children, supported, horizon_months, followed, first_consultations, rate from views.legacy_comparison where reference_date = '{}'"  # fmt: skip
    assert query(target, compared.format(then)) == [
        ("both", 20, 15, None, None, None, None),
        ("equal_both", 40, 25, None, None, None, None),
        ("equal_only_list", 10, 10, None, None, None, None),
        ("only_legacy", 10, None, None, None, None, None),
        ("only_list", 30, 20, 12, 30, 15, 0.5),
    ]
    assert query(target, f"{compared.format(R)} and horizon_months is not null") == []


def test_this_terms_list_is_that_of_the_newest_date_in_order(kodomo):
    con, target = kodomo
    rows = [
        (dt.date(2025, 1, 1), 1, 1, True),
        (R, 5, 2, True),
        (R, 5, 1, True),
        (R, 4, 1, True),
        (R, 4, 2, False),
    ]
    for number, (day, cohort, rank, selected) in enumerate(rows):
        con.execute("insert into screening.ranking (reference_date, weights_version, band, cohort, rank, child_key, school_code, score, own_levels, selected, share_of, tied_at_cut, newly_found_equal, legacy_hits, open_consultation, known_before, incomplete_delivery, sibling_selected) values ($1, '2025-04-01.1', 'upper', $2, $3, $4, '081001', 0.12345, 1, $5, 'cohort', false, false, 0, false, false, false, false)", [day, cohort, rank, f"{number:032x}", selected])  # fmt: skip
    build(con, target)
    listed = query(target, "select cohort, rank, child_key[-1], points from views.current_list")
    assert listed == [(4, 1, "3", 123.5), (5, 1, "2", 123.5), (5, 2, "1", 123.5)]


def test_a_record_number_that_looks_like_a_school_code_is_no_leak(kodomo):
    con, target = kodomo
    con.execute("insert into sources.school_register (reference_date, resident_id, school_code, school_name, source_file, source_row, invalid_cells, unknown_cells) values ($1, '0000000001', '081001', '架空小', 'f', 1, [], [])", [R])  # fmt: skip
    con.execute("insert into sources.ssw_records (reference_date, record_id, name_kana, birth_date, source_file, source_row, invalid_cells, unknown_cells) values ($1, '081001', 'カクウ', date '2015-01-01', 'f', 1, [], [])", [R])  # fmt: skip
    assert all(outcome.passed for outcome in build(con, target))


def test_a_number_that_stands_in_the_quarantine_only_is_an_identity(kodomo):
    con, target = kodomo
    con.execute("insert into sources.quarantine (reference_date, table_name, file, row_number, scope, reason, person_ref) values ($1, 'moves', 'f', 1, 'row', 'not_a_date', '0000000777')", [R])  # fmt: skip
    failed = check_file(con, target, "update linkage.children set school_code = '0000000777'")
    assert "linkage.children.school_code" in failed["no_identity_value"]


# -- the proof: it looks at the file as it lies there, whatever wrote it --


def check_file(con, target, change: str) -> dict[str, str]:
    """What the blocking checks that fail say after ``change`` was made to the published file."""
    build(con, target)
    con.execute(f"attach '{target}' as written")
    con.execute("use written")
    con.execute(change)
    outcomes = list(check_published(con, CATALOGUE, "kodomo"))
    con.execute("use kodomo")
    con.execute("detach written")
    return {outcome.name: outcome.message for outcome in outcomes if outcome.blocking and not outcome.passed}


@pytest.mark.parametrize(
    ("change", "check", "place"),
    [
        ("update linkage.children set school_code = '架空　花子'", "declared_words", "linkage.children.school_code"),
        ("update linkage.children set school_code = '0000000007'", "no_identity_value", "linkage.children.school_code"),
        (
            "alter table linkage.children add column resident_id varchar",
            "no_private_column",
            "linkage.children.resident_id",
        ),
        ("create table review.notes as select 'x' as note", "no_private_column", "review.notes.note"),
        ("create view views.people as select 'x' as name_kana", "no_private_column", "views.people.name_kana"),
        ("create view views.people as select 'x' as person_ref", "no_private_column", "views.people.person_ref"),
        (
            "insert into evaluation.children_per_school values (date '2025-04-01', null, null, 5)",
            "no_small_cell",
            "evaluation.children_per_school.children",
        ),
        (
            "insert into evaluation.children_per_school values (date '2025-04-01', null, null, 12)",
            "no_small_cell",
            "evaluation.children_per_school.children",
        ),
    ],
)
def test_the_proof_sees_what_slipped_into_the_file(kodomo, change, check, place):
    con, target = kodomo
    failed = check_file(con, target, change)
    assert place in failed[check]
    assert "花子" not in str(failed)
    assert "0000000007" not in str(failed)


WRITER = """
import duckdb, os, signal, sys
con = duckdb.connect(sys.argv[1])
con.execute("set wal_autocheckpoint = '1GB'; create table main.mine as select 1 as one")
os.kill(os.getpid(), signal.SIGKILL)
"""


def test_what_somebody_wrote_into_the_file_of_before_does_not_spoil_the_new_one(kodomo):
    """A killed writer leaves a .wal, beside which DuckDB opens no other file."""
    con, target = kodomo
    build(con, target)
    subprocess.run([sys.executable, "-c", WRITER, str(target)], check=False)
    assert target.with_name("analyst.duckdb.wal").exists()
    build(con, target)
    assert query(target, "select count(*) from linkage.children") == [(15,)]
    assert query(target, "select count(*) from duckdb_tables() where table_name = 'mine'") == [(0,)]


def test_nothing_of_a_row_that_is_gone_is_left_in_the_file(kodomo):
    """Not only no query gives it: the bytes of the file hold it no more."""
    con, target = kodomo
    gone = f"{3:032x}"
    build(con, target)
    assert gone.encode() in target.read_bytes()
    con.execute("delete from linkage.children where child_key = $1", [gone])
    build(con, target)
    assert gone.encode() not in target.read_bytes()
