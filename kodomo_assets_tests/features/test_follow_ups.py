"""Whoever was ever on a spine is followed by its 宛名番号, whether or not it is on one now (method §5)."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from pathlib import Path

import pytest

from kodomo_assets.errors import FitError
from kodomo_assets.stages.weights.data import load_fit_data, stopped
from kodomo_assets_tests.followed import JUNE, NOW, OCTOBER, TERM, THEN, Followed
from kodomo_assets_tests.town import key


@pytest.fixture
def town(tmp_path: Path) -> Iterator[Followed]:
    made = Followed(tmp_path)
    yield made
    made.con.close()


def test_a_graduate_is_followed_by_its_number(town):
    """Of 1 in 中3 a year ago a record came in October; of 2 none; both are residents, on no spine of now."""
    town.there(1, THEN, TERM, resident=(NOW,))
    town.consulted(1, OCTOBER)
    town.there(2, THEN, TERM, resident=(NOW,))
    town.there(3, THEN, TERM, NOW, school_year=5)
    assert town.follow() == {
        1: (OCTOBER, OCTOBER, 0, None, NOW),
        2: (None, None, 0, None, NOW),
        3: (None, None, 0, None, NOW),
    }
    # the labels stay what they are: those of the spine of now
    assert town.rows("select child_key from features.labels") == [(key(3),)]


def test_who_moved_away_was_there_until_the_register_says_or_was_last_seen(town):
    town.there(1, THEN, TERM)
    town.left(1, OCTOBER)
    town.there(2, THEN, TERM)
    town.there(3, THEN)
    assert {number: row[-1] for number, row in town.follow().items()} == {1: OCTOBER, 2: TERM, 3: THEN}


def test_a_record_without_a_number_is_whose_it_was_when_the_child_was_on_a_spine(town):
    town.there(1, THEN, TERM, resident=(NOW,))
    town.consulted(1, JUNE, known_as=False, linked=(TERM,))
    town.there(2, THEN, TERM, resident=(NOW,))
    town.consulted(2, OCTOBER, known_as=False)
    found = town.follow()
    assert (found[1][0], found[2][0]) == (JUNE, None)


def test_of_a_child_of_now_only_the_links_of_now_count(town):
    """A person said that the record is not this child's: its 宛名番号 does not bring it back."""
    town.there(1, THEN, NOW, school_year=5)
    town.consulted(1, JUNE, linked=(THEN,))
    assert town.follow()[1][0] is None


def test_a_record_after_the_list_led_somewhere_is_set_aside(town):
    town.there(1, THEN, resident=(NOW,))
    town.consulted(1, OCTOBER)
    town.insert("review.support", reference_date=THEN, child_key=key(1), given_on=JUNE, kind="面談", outcome="継続", step="spoken_to")  # fmt: skip
    assert town.follow()[1] == (OCTOBER, None, 1, JUNE, NOW)


INCIDENT = "weights: {label: incident_12m}"


def events(town: Followed) -> dict[int, bool]:
    town.follow()
    load_fit_data(town.con, town.catalogue, NOW)
    return dict(town.rows("select ('0x' || left(child_key, 30))::integer, event from fit_data"))


def test_incident_12m_follows_the_children_of_the_features_date(town):
    """Those of 中3 too, who are on no spine a year later; whoever moved away without a record is left out."""
    town.configure(INCIDENT)
    town.there(1, THEN, TERM, resident=(NOW,))  # graduated, with a record in October
    town.consulted(1, OCTOBER)
    town.there(2, THEN, TERM, resident=(NOW,))  # graduated, without
    town.there(3, THEN, TERM, NOW, school_year=5)  # still at school, with
    town.consulted(3, JUNE, linked=(TERM, NOW))
    town.there(4, THEN, TERM)  # moved away in October, without
    town.left(4, OCTOBER)
    town.there(5, THEN, TERM)  # moved away in October, with one in June
    town.left(5, OCTOBER)
    town.consulted(5, JUNE)
    town.there(6, THEN, TERM, resident=(NOW,))  # known before
    town.consulted(6, dt.date(2024, 4, 1))
    town.there(7, NOW, school_year=1)  # not there a year ago
    assert events(town) == {1: True, 2: False, 3: True, 5: True}


def test_incident_12m_needs_what_became_of_the_children(town):
    town.configure(INCIDENT)
    town.there(1, THEN, NOW, school_year=5)
    with pytest.raises(FitError, match="lacks 1 of 1 children"):
        load_fit_data(town.con, town.catalogue, NOW)


def test_a_child_that_is_stopped_since_is_in_no_fit_on_older_features(town):
    """利用停止: its row of a year ago stands, and is read by nobody any more; it is counted."""
    town.configure(INCIDENT)
    for number in (1, 2):
        town.there(number, THEN, resident=(NOW,))
        town.consulted(number, JUNE)
    assert events(town) == {1: True, 2: True}
    assert stopped(town.con, THEN) == 0
    town.stopped(1)
    assert events(town) == {2: True}
    assert town.follow().keys() == {2}
    assert stopped(town.con, THEN) == 1
