"""The comparison with the truth, on numbers made by hand."""

from __future__ import annotations

from pathlib import Path

import duckdb
import pytest

from kodomo_assets.demo.truth import comparison

# 1 and 2 are twins, 3 to 6 single children
CHILDREN = {1: 10, 2: 10, 3: 30, 4: 40, 5: 50, 6: 60}
# number, true child, kind, linked to, candidates in review
ROSTER = [
    ("11", 1, "twin", 2, []),  # the pair swapped
    ("12", 2, "twin", None, [1, 2]),
    ("13", 3, "none", 3, []),
    ("14", 4, "typo", 4, []),
    ("15", 5, "typo", None, [3, 6]),  # the right one is no candidate
    ("16", 6, "date", None, []),
    ("17", None, "stranger", 5, []),
    ("18", None, "stranger", None, []),
    ("19", 7, "family_name", None, []),  # left the spine
]


@pytest.fixture
def data_dir(tmp_path: Path) -> Path:
    truth = tmp_path / "demo_truth"
    truth.mkdir()
    # a program that took the numbers for numbers lost the zeros
    owners = [("school_roster", ref, child, kind) for ref, child, kind, *_ in ROSTER]
    owners += [("school_roster", "99", 3, "typo"), ("ssw_records", "W1", 3, "family_name")]
    owners += [("child_consultations", "S1", 3, "none"), ("child_consultations", "S2", 4, "date")]
    lines = [f"{table},{ref},{child or ''},{kind}" for table, ref, child, kind in owners]
    (truth / "links.csv").write_text("\n".join(["table_name,person_ref,resident_id,kind", *lines, ""]), "utf-8")
    (truth / "weights.csv").write_text("band,item,level,weight\nlower,a,1,0.1\n", "utf-8")
    (truth / "cases.csv").write_text("case,plain,resident_id\n1,no,0000000003\n1,yes,0000000004\n", "utf-8")
    with duckdb.connect(str(tmp_path / "kodomo.duckdb")) as con:
        for schema in ("weights", "linkage", "sources", "screening", "features", "review", "evaluation"):
            con.execute(f"create schema {schema}")
        con.execute(
            "create table weights.versions as "
            "select '1' as version, 'lower' as band, date '2025-04-01' as reference_date, 'count' as origin, "
            "'26 events, expected 255 (5 per own level)' as reason, date '2025-04-01' as in_force_from"
        )
        con.execute("create table review.decisions (reference_date date, meeting_date date)")
        con.execute(
            "create table evaluation.indicators (reference_date date, indicator varchar, value double, target double)"
        )
        con.execute(
            "create table weights.selection_log as select '1' as version, 'lower' as band, 'a' as item, 'keep' as action"
        )
        con.execute(
            "create table screening.ranking "
            "(reference_date date, child_key varchar, cohort int, rank int, selected boolean, newly_found boolean)"
        )
        con.execute(
            "create table features.levels (reference_date date, child_key varchar, item varchar, level varchar)"
        )
        con.execute(
            "create table linkage.children "
            "(reference_date date, child_key varchar, resident_id varchar, household_id varchar)"
        )
        con.execute(
            "create table linkage.links (reference_date date, table_name varchar, person_ref varchar, child_key varchar)"
        )
        con.execute(
            "create table linkage.review "
            "(reference_date date, table_name varchar, person_ref varchar, child_key varchar, probability double)"
        )
        con.execute("create table sources.school_roster (reference_date date, pupil_id varchar)")
        con.execute("create table sources.ssw_records (reference_date date, record_id varchar)")
        con.execute("create table sources.education_counselling (reference_date date, reception_id varchar)")
        con.execute(
            "create table sources.child_consultations "
            "(reference_date date, consultation_id varchar, child_resident_id varchar)"
        )
        for child, household in CHILDREN.items():
            con.execute(
                "insert into linkage.children select d, $1, $2, $3 from (values (date '2025-01-01'), (date '2025-04-01')) as v (d)",
                [f"k{child}", f"{child:010d}", f"{household:010d}"],
            )
        for ref, _, _, linked, candidates in ROSTER:
            con.execute("insert into sources.school_roster values ('2025-04-01', $1)", [ref])
            if linked:
                con.execute(
                    "insert into linkage.links values ('2025-04-01', 'school_roster', $1, $2)", [ref, f"k{linked}"]
                )
            for child in candidates:
                con.execute(
                    "insert into linkage.review values ('2025-04-01', 'school_roster', $1, $2, 0.5)", [ref, f"k{child}"]
                )
        # not in force: an older roster, and what an older date made of a number
        con.execute("insert into sources.school_roster values ('2025-01-01', '99'), ('2025-01-01', '16')")
        con.execute("insert into linkage.links values ('2025-04-01', 'school_roster', '99', 'k1')")
        con.execute("insert into linkage.links values ('2025-01-01', 'school_roster', '16', 'k6')")
        # in force though it came earlier
        con.execute("insert into sources.ssw_records values ('2025-01-01', 'W1')")
        con.execute("insert into linkage.review values ('2025-04-01', 'ssw_records', 'W1', 'k3', 0.6)")
        # S1 has a 宛名番号, S2 not
        con.execute(
            "insert into sources.child_consultations values ('2025-04-01', 'S1', '3'), ('2025-04-01', 'S2', null)"
        )
        con.execute("insert into linkage.links values ('2025-04-01', 'child_consultations', 'S1', 'k3')")
        con.execute("insert into linkage.links values ('2025-04-01', 'child_consultations', 'S2', 'k4')")
    return tmp_path


def test_the_report_on_links_made_by_hand(data_dir):
    lines = [line for line in comparison(data_dir).splitlines() if "WARNING" not in line and "serve" not in line]
    assert lines[1] == "  lower: 1 of the 1 true items found, 0 kept that are truly zero"
    assert lines[2].split() == ["links", "by", "name", "people", "right", "wrong", "review", "unlinked"]
    assert [line.split() for line in lines[3:11]] == [
        ["none", "1", "1", "0", "0", "0"],
        ["typo", "2", "1", "0", "1", "0"],
        ["family_name", "1", "0", "0", "1", "0"],
        ["date", "2", "1", "0", "0", "1"],
        ["twin", "2", "0", "1", "1", "0"],
        ["stranger", "2", "0", "1", "0", "1"],
        ["gone", "1", "0", "0", "0", "1"],
        ["total", "11", "3", "2", "3", "3"],
    ]
    assert len({len(line) for line in lines[2:11]}) == 1
    # 3 of 5 links are right, of 8 numbers with a child; 12 and W1 have theirs among the candidates
    assert lines[11] == "  precision 60.00%, recall 37.50%; with right answers to the review 71.43%, 62.50%"
    # 3 of 11
    assert lines[12] == "  in review 27.27%; twins swapped: 1"


def test_the_world_stands_beside_the_figures_with_a_warning(data_dir):
    """A demo that its own class of truth flatters says so; another world is named by the file beside the truth."""
    first, second = comparison(data_dir).splitlines()[:2]
    assert first == "demo: held against the truth"
    assert second.startswith("  WARNING: world linear: risks add up level by level, as the method assumes")
    (data_dir / "demo_truth" / "world.txt").write_text("contact\n", "utf-8")
    assert (
        "  WARNING: world contact: needs of families that draw benefits are reported three times as often"
        in comparison(data_dir)
    )


def test_a_case_is_shown_with_all_its_levels(data_dir):
    """What else it stands on: a single parent without benefits alone, its plain twin, need be no case of the list."""
    with duckdb.connect(str(data_dir / "kodomo.duckdb")) as con:
        con.execute("insert into screening.ranking values ('2025-04-01', 'k3', 5, 1, true, true)")
        con.execute("insert into screening.ranking values ('2025-04-01', 'k4', 6, 31, false, false)")
        con.execute(
            "insert into features.levels values ('2025-04-01', 'k3', 'single_parent', 'without_allowance'), "
            "('2025-04-01', 'k3', 'nhi_arrears', '4+'), ('2025-04-01', 'k3', 'absence_days', 'not_applicable'), "
            "('2025-04-01', 'k3', 'overweight', 'no_record'), ('2025-01-01', 'k3', 'young_mother', 'applicable'), "
            "('2025-04-01', 'k4', 'single_parent', 'without_allowance')"
        )
    assert comparison(data_dir).splitlines()[-2:] == [
        "  case 1 of the report: school year 5, rank 1, selected, newly found; "
        "all its levels: nhi_arrears 4+, single_parent without_allowance",
        "    its plain twin: school year 6, rank 31, not selected; all its levels: single_parent without_allowance",
    ]


def test_what_serves_stands_beside_the_items_that_were_found(data_dir):
    """A small city's list is that of the count, whatever an own fit found."""
    assert comparison(data_dir).splitlines()[3] == (
        "  lower: the count of levels serves, no weights of its own: 26 events, expected 255 (5 per own level)"
    )


def test_the_demos_clock_is_that_of_its_own_meeting(data_dir):
    """From 1 April to 20 May; its files were written more than a year later, and that is what the indicator counts."""
    with duckdb.connect(str(data_dir / "kodomo.duckdb")) as con:
        con.execute("insert into screening.ranking values ('2025-04-01', 'k3', 5, 1, true, true)")
    assert "days to the school lists" not in comparison(data_dir)
    with duckdb.connect(str(data_dir / "kodomo.duckdb")) as con:
        con.execute("insert into review.decisions values ('2025-04-01', '2025-06-10'), ('2025-04-01', '2025-05-20')")
        con.execute("insert into review.decisions values ('2024-04-01', '2024-05-01')")
        con.execute("insert into evaluation.indicators values ('2025-04-01', 'days_to_school_list', 603, 60)")
        con.execute("insert into evaluation.indicators values ('2025-04-01', 'spoken_to_share', 0.9, 1)")
    assert comparison(data_dir).splitlines()[-1] == (
        "  days to the school lists: 49 to the demo's own meeting of 2025-05-20, expected at most 60; "
        "evaluation.indicators says 603, to the day the files were written"
    )
