"""Which day the evidence of an own level bears: the first of the rows that say so, NULL where nothing dates them."""

from __future__ import annotations

import datetime as dt

from kodomo_assets.catalogue import load_catalogue
from kodomo_assets.stages.features.matrix import build_matrix
from kodomo_assets.stages.sources.in_force import create_delivered_views
from kodomo_assets_tests.dozen import Deliveries, R, key, load_dozen, person, pupil
from kodomo_assets_tests.template import in_memory

CATALOGUE = load_catalogue()
D = dt.date

#: Nothing dates what they say: a household as it is, arrears of a whole 年度 or of an insurance, the lack of something.
UNDATED = {
    "single_parent",
    "many_children",
    "three_generations",
    "sex",
    "nationality",
    "nhi_arrears",
    "nursery_fee_arrears",
    "lunch_fee_arrears",
    "low_grades",
    "no_medical_visits",
}


def test_every_item_is_dated_or_known_not_to_be():
    """On the dozen, on whom every own level of every item occurs."""
    with in_memory() as con:
        load_dozen(con, CATALOGUE)
        create_delivered_views(con, CATALOGUE, R)
        build_matrix(con, CATALOGUE, R)
        dated = dict(
            con.execute(
                "select item, count(evidence_on) from new_levels where cause = 'found' group by item"
            ).fetchall()
        )
        assert {item for item, children in dated.items() if not children} == UNDATED
        assert set(dated) == {item.id for item in CATALOGUE.matrix_items}
        late = con.execute("select count(*) from new_levels where evidence_on > $1", [R]).fetchone()
        assert late == (0,)
        assert con.execute("select count(evidence_on) from new_levels where cause <> 'found'").fetchone() == (0,)


def test_the_first_row_that_says_so_and_no_other_one():
    with in_memory() as con:
        d = Deliveries(con, CATALOGUE)
        d.child(1, 5)
        d.child(2, 5)
        d.link("school_roster", pupil(1), 1)
        # of another kind, then いじめ twice
        for ref, kind, day in (
            ("W1", "発達", D(2020, 5, 1)),
            ("W2", "いじめ", D(2023, 6, 2)),
            ("W3", "いじめ", D(2022, 7, 3)),
        ):
            d.row("ssw_records", record_id=ref, birth_date=D(2013, 10, 1), consultation_type=kind, consulted_on=day)
            d.link("ssw_records", ref, 1)
        # one of two without a day: it may be the older one
        for ref, day in (("W4", None), ("W5", D(2024, 1, 1))):
            d.row("ssw_records", record_id=ref, birth_date=D(2013, 10, 1), consultation_type="虐待", consulted_on=day)
            d.link("ssw_records", ref, 2)
        # a month without an absence says nothing, one before the window does not count
        for month, days in ((D(2024, 3, 1), 9), (D(2024, 5, 1), 0), (D(2024, 9, 1), 6), (D(2025, 1, 1), 7)):
            d.row("attendance", pupil_id=pupil(1), month=month, absence_days=days)
        # the latest check in which the cell is filled
        d.row("school_health_checks", pupil_id=pupil(1), conducted_on=D(2023, 5, 1), untreated_teeth=4, vision="C")
        d.row("school_health_checks", pupil_id=pupil(1), conducted_on=D(2024, 5, 1), untreated_teeth=3)
        # over before R, and still going
        d.row("public_assistance", resident_id=person(1), started_on=D(2018, 1, 1), ended_on=D(2019, 1, 1))
        d.row("public_assistance", resident_id=person(1), started_on=D(2021, 1, 1))
        for day in (D(2024, 8, 8), D(2023, 8, 8)):
            d.row("moves", resident_id=person(1), moved_on=day, move_type="転居")
        # attended, missed, missed later
        for kind, month, attended in (
            ("4か月", D(2014, 2, 1), D(2014, 2, 9)),
            ("3歳", D(2016, 10, 1), None),
            ("5歳", D(2018, 10, 1), None),
        ):
            d.row("infant_checkups", resident_id=person(1), checkup_type=kind, due_month=month, attended_on=attended)
        create_delivered_views(con, CATALOGUE, R)
        build_matrix(con, CATALOGUE, R)
        found = con.execute("select child_key, item, evidence_on from new_levels where cause = 'found'").fetchall()
    days = {(child, item): day for child, item, day in found}
    assert days[key(1), "ssw_bullying"] == D(2022, 7, 3)
    assert days[key(2), "ssw_family"] is None
    assert days[key(1), "absence_days"] == D(2024, 9, 1)
    assert days[key(1), "untreated_teeth"] == D(2024, 5, 1)
    assert days[key(1), "low_vision"] == D(2023, 5, 1)
    assert days[key(1), "public_assistance"] == D(2021, 1, 1)
    assert days[key(1), "residential_moves"] == D(2023, 8, 8)
    assert days[key(1), "missed_checkups"] == D(2016, 10, 1)
