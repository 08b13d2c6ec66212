"""Residents of school age whom 学齢簿 does not know: counted for the centre, Japanese and not, and told when they grow."""

from __future__ import annotations

import datetime as dt

import pytest

from kodomo_assets.checks import CheckOutcome
from kodomo_assets.stages.linkage.checks import check_unregistered
from kodomo_assets.stages.linkage.children import build_children
from kodomo_assets.stages.sources.in_force import create_delivered_views
from kodomo_assets.store.pseudonyms import create_pseudonyms
from kodomo_assets.store.tables import replace
from kodomo_assets_tests.linkage.test_linkage import SECRET, D, R, Register, quarantine

EARLIER, LATER = D(2025, 1, 1), D(2025, 9, 1)
# legal school years at R: born 2 April 2018 to 1 April 2019 is the first, 2 April 2009 to 1 April 2010 the ninth
FIRST, LAST = D(2019, 4, 1), D(2010, 4, 2)


@pytest.fixture
def register() -> Register:
    return Register()


def counted(register: Register, day: dt.date = R) -> CheckOutcome:
    """Counts and keeps the date; what the check says."""
    create_delivered_views(register.con, register.catalogue, day)
    create_pseudonyms(register.con, SECRET, "delivered_school_register")
    register.counts = build_children(register.con, register.catalogue, day)
    replace(
        register.con,
        [(register.catalogue.output(f"linkage.{n}"), f"new_{n}") for n in ("residents", "children", "unregistered")],
        {"reference_date": day},
    )
    (outcome,) = check_unregistered(register.con, day)
    return outcome


def test_residents_of_school_age_without_a_row_are_counted_japanese_and_not(register):
    register.child(1)
    register.resident(2, birth=FIRST, nationality="日本")
    register.resident(3, birth=FIRST, nationality="ベトナム")
    register.resident(4, birth=FIRST, nationality="ブラジル")
    # a blank 国籍 is Japanese, as everywhere
    register.resident(5, birth=D(2010, 4, 2))
    # too young and too old by a day, and not resident at the date
    register.resident(6, birth=D(2019, 4, 2))
    register.resident(7, birth=D(2010, 4, 1))
    register.resident(8, birth=FIRST, removed_on=R)
    register.resident(9, birth=FIRST, resident_since=D(2025, 4, 2))
    # 学齢簿 knows it, though its row was sent back
    register.resident(10, birth=FIRST)
    quarantine(register, "school_register", 7, 10, "blank")
    outcome = counted(register)
    rows = register.con.execute(
        "select legal_school_year, nationality, residents from linkage.unregistered where residents > 0 order by all"
    ).fetchall()
    assert rows == [(1, "japanese", 1), (1, "other", 2), (9, "japanese", 1)]
    assert register.counts.unregistered == 4
    assert outcome.passed
    assert not outcome.blocking
    assert outcome.message == "residents of school age without a row in 学齢簿: 2 Japanese and 2 not Japanese"
    assert outcome.facts.items() >= {"unregistered_japanese": 2, "unregistered_other": 2, "grown": 0}.items()


def test_the_check_warns_when_either_grows_since_the_last_date(register):
    register.deliver("resident_register", LATER)
    register.deliver("school_register", LATER)
    register.resident(2, birth=D(2015, 5, 5))
    assert counted(register).passed
    for who, nationality in ((2, "日本"), (3, "フィリピン")):
        register.row(
            "resident_register",
            LATER,
            resident_id=f"{who:010d}",
            household_id="1",
            birth_date=D(2015, 5, 5),
            nationality=nationality,
        )
    outcome = counted(register, LATER)
    assert not outcome.passed
    assert "1 Japanese (after 1) and 1 not Japanese (after 0); expected no more than at 2025-04-01" in outcome.message
    assert outcome.facts["grown"] == 1
    # read again, April is still the date before
    assert not counted(register, LATER).passed


def test_a_database_that_never_counted_them_gives_no_alarm(register):
    """The first edition made no such table: its dates are not taken for dates at which nobody was missing."""
    register.insert("linkage.children", reference_date=EARLIER, child_key="k", resident_id="1", household_id="1", school_code="081001", school_year=1, legal_school_year=1, band="lower", protected=False)  # fmt: skip
    register.resident(2, birth=FIRST)
    outcome = counted(register)
    assert outcome.passed
    assert "after" not in outcome.message


def test_one_fewer_is_no_alarm_and_none_is_a_count(register):
    register.deliver("resident_register", LATER)
    register.deliver("school_register", LATER)
    register.resident(2, birth=FIRST, nationality="ペルー")
    counted(register)
    outcome = counted(register, LATER)
    assert outcome.passed
    assert "0 Japanese (after 0) and 0 not Japanese (after 1)" in outcome.message
