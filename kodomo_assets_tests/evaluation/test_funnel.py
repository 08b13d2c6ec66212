"""The funnel of a town of nine children, counted by hand."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from pathlib import Path

import pytest

from kodomo_assets.stages.evaluation.funnel import build_funnel, funnel_text
from kodomo_assets.store.tables import replace
from kodomo_assets_tests.town import NORTH, SOUTH, R, Town, key

D = dt.date
MAY, JUNE = D(2025, 5, 20), D(2025, 6, 10)


def support(town: Town, number: int, step: str, day: dt.date) -> None:
    town.insert("review.support", reference_date=R, child_key=key(number), given_on=day, kind="面談", outcome=step, step=step)  # fmt: skip


def funnel(town: Town, columns: str, where: str = "school_code is null and school_year is null") -> list[tuple]:
    build_funnel(town.con, town.catalogue, R)
    for table, source in (("evaluation.funnel", "new_funnel"), ("evaluation.indicators", "new_indicators")):
        replace(town.con, [(town.catalogue.output(table), source)], {"reference_date": R})
    return town.rows(f"select {columns} from evaluation.funnel where {where} order by school_code, school_year")


def indicators(town: Town) -> dict[str, tuple]:
    funnel(town, "*")
    rows = town.rows("select indicator, value, target from evaluation.indicators")
    return {name: (value, target) for name, value, target in rows}


def begin(town: Town) -> None:
    """South, 4: 1 to 4 and 9; south, 5: 5 and 6; north, 4: 7 and 8. The sample is 6; the meeting added 3 and 9."""
    town.configure("meeting: {sample_below_cut: 0}")
    town.child(1, selected=True, newly_found=True)
    town.child(2, selected=True)
    town.child(3)
    town.child(4)
    town.child(5, selected=True, school_year=5)
    town.child(6, school_year=5)
    town.child(7, selected=True, school=NORTH, newly_found=True)
    town.child(8, selected=True, school=NORTH)
    town.child(9, selected=None)
    town.list()
    town.insert("review.meeting_list", reference_date=R, child_key=key(6), origin="sample", sheet_number="SAMPLE-6")
    town.decide(1, "a", JUNE)
    town.decide(1, "d", MAY)  # read later, of an earlier meeting
    town.decide(2, "b")
    town.decide(3, "b")  # added by the meeting
    town.decide(5, "c")
    town.decide(7, "b")
    town.decide(9, "d")  # added, and not screened at all


@pytest.fixture
def town(tmp_path: Path) -> Iterator[Town]:
    made = Town.begun(tmp_path, begin)
    yield made
    made.con.close()


# worked by hand: 5 is c, 8 is undecided; below the cut 3 is b, 9 is d, 6 (sample) is undecided; 4 is on no list
COUNTS = "screened, selected, below_cut, accepted, preventive, follow_up, not_supported, undecided"
ALL = (8, 5, 3, 1, 2, 1, 0, 1)
BELOW = "below_cut_accepted, below_cut_preventive, below_cut_follow_up, below_cut_not_supported, below_cut_undecided"


def test_the_counts_of_all(town):
    assert funnel(town, COUNTS) == [ALL]


def test_the_command_line_tells_what_was_decided_and_what_came_of_it(town):
    assert funnel_text(town.con, town.catalogue, R) == ""
    support(town, 2, "taken_up", JUNE)
    funnel(town, COUNTS)
    lines = funnel_text(town.con, town.catalogue, R).splitlines()
    numbers = {line.split()[-1]: int(line.split()[0]) for line in lines[2:]}
    told = ["accepted", "preventive", "follow_up", "not_supported", "undecided", "spoken_to", "offered", "taken_up"]
    assert numbers == dict(zip([*told, "supported"], (1, 3, 1, 1, 2, 1, 1, 1, 1), strict=True))


def test_the_counts_of_each_school_and_year(town):
    assert funnel(town, f"school_code, school_year, {COUNTS}", "true") == [
        (SOUTH, 4, 4, 2, 2, 1, 1, 0, 0, 0),
        (SOUTH, 5, 2, 1, 1, 0, 0, 1, 0, 0),
        (SOUTH, None, 6, 3, 3, 1, 1, 1, 0, 0),
        (NORTH, 4, 2, 2, 0, 0, 1, 0, 0, 1),
        (NORTH, None, 2, 2, 0, 0, 1, 0, 0, 1),
        (None, 4, 6, 4, 2, 1, 2, 0, 0, 1),
        (None, 5, 2, 1, 1, 0, 0, 1, 0, 0),
        (None, None, *ALL),
    ]
    assert funnel(town, BELOW) == [(0, 1, 0, 1, 1)]


def test_everyone_on_the_list_or_decided_is_decided_or_undecided(town):
    decided = "accepted + preventive + follow_up + not_supported + undecided"
    rows = funnel(town, f"selected, {decided}, below_cut, {BELOW.replace(',', ' +')}", "true")
    assert len(rows) == 8
    assert all((one, below) == (other, other_below) for one, other, below, other_below in rows)


def test_what_came_of_the_sample_is_counted_apart(town):
    town.decide(6, "c")
    support(town, 6, "taken_up", JUNE)
    counted = "below_cut_follow_up, below_cut_undecided, below_cut_offered, below_cut_supported"
    assert funnel(town, f"follow_up, offered, supported, {counted}") == [(1, 0, 0, 1, 0, 1, 1)]


def test_once_all_are_decided_the_command_line_tells_both_sides_of_the_cut(town):
    town.decide(6, "c")
    town.decide(8, "d")
    support(town, 6, "spoken_to", JUNE)
    funnel(town, COUNTS)
    lines = funnel_text(town.con, town.catalogue, R).splitlines()
    assert "selected, and from below the cut" in lines[1]
    numbers = {line.split()[-1]: tuple(int(n) for n in line.split()[:2]) for line in lines[2:]}
    assert numbers["follow_up"] == (1, 1)
    assert numbers["preventive"] == (2, 1)
    assert numbers["spoken_to"] == (0, 1)
    assert numbers["undecided"] == (0, 0)


def test_the_newly_found(town):
    columns = "newly_found, newly_found_accepted, newly_found_preventive, newly_found_follow_up, newly_found_not_supported, newly_found_undecided"  # fmt: skip
    assert funnel(town, columns) == [(2, 1, 1, 0, 0, 0)]


STEPS = "spoken_to, offered, taken_up, supported"


@pytest.mark.parametrize(
    ("steps", "counts"),
    [
        (["spoken_to"], (1, 0, 0, 0)),
        (["offered"], (1, 1, 0, 0)),
        (["spoken_to", "offered", "declined"], (1, 1, 0, 0)),
        (["declined"], (1, 1, 0, 0)),
        (["taken_up"], (1, 1, 1, 1)),
        (["taken_up", "supported"], (1, 1, 1, 1)),
        (["taken_up", "supported", "ended"], (1, 1, 1, 0)),
        (["taken_up", "ended", "taken_up"], (1, 1, 1, 1)),
        (["taken_up", "declined"], (1, 1, 1, 0)),
    ],
)
def test_who_takes_something_up_was_offered_it_and_spoken_to(town, steps, counts):
    for days, step in enumerate(steps):
        support(town, 1, step, D(2025, 6, 1) + dt.timedelta(days))
    assert funnel(town, STEPS) == [counts]
    assert funnel(town, ", ".join(f"newly_found_{step}" for step in STEPS.split(", "))) == [counts]


def test_of_one_day_the_later_step_counts(town):
    support(town, 1, "ended", JUNE)
    support(town, 1, "supported", JUNE)
    assert funnel(town, STEPS) == [(1, 1, 1, 0)]


def test_a_supported_child_counts_once(town):
    for day in (D(2025, 6, 1), D(2025, 6, 8), D(2025, 6, 15)):
        support(town, 1, "supported", day)
        support(town, 2, "spoken_to", day)
    assert funnel(town, STEPS) == [(2, 1, 1, 1)]
    assert funnel(town, STEPS, f"school_code = '{NORTH}' and school_year is null") == [(0, 0, 0, 0)]


def test_a_talk_during_the_support_does_not_end_it(town):
    support(town, 1, "supported", D(2025, 6, 1))
    support(town, 1, "spoken_to", D(2025, 6, 8))
    assert funnel(town, STEPS) == [(1, 1, 1, 1)]


def test_another_reference_date_counts_nowhere(town):
    other = D(2025, 1, 1)
    town.insert("review.decisions", reference_date=other, child_key=key(8), meeting_date=D(2025, 6, 20), decision="a", decided_by="所長", release=False, file="f", row_number=2, read_at=town.clock)  # fmt: skip
    town.insert("review.support", reference_date=other, child_key=key(8), given_on=JUNE, kind="面談", outcome="x", step="supported")  # fmt: skip
    assert funnel(town, COUNTS) == [ALL]
    assert funnel(town, STEPS) == [(0, 0, 0, 0)]


# indicators


def exported(town: Town, kind: str, at: str) -> None:
    town.insert("review.exports", reference_date=R, kind=kind, file=f"{kind}_{at}.xlsx", exported_at=at, children=1, weights_version="1", fingerprint="")  # fmt: skip


def test_before_any_list_there_are_no_days(town):
    assert indicators(town)["days_to_school_list"] == (None, 60.0)


def test_the_days_to_the_first_list(town):
    exported(town, "支援対象者", "2025-05-31 12:00:00+09:00")
    exported(town, "支援対象者", "2025-05-21 12:00:00+09:00")
    exported(town, "個人票", "2025-04-02 12:00:00+09:00")
    assert indicators(town)["days_to_school_list"] == (50.0, 60.0)


def test_the_day_of_a_list_is_that_of_japan(town):
    town.con.execute("set timezone = 'UTC'")
    exported(town, "支援対象者", "2025-05-21 08:00:00+09:00")
    assert indicators(town)["days_to_school_list"] == (50.0, 60.0)


def test_the_share_of_b_who_were_spoken_to(town):
    # 2, 3 and 7 are b; 1 is a
    support(town, 1, "spoken_to", JUNE)
    support(town, 3, "taken_up", JUNE)
    assert indicators(town)["spoken_to_share"] == (pytest.approx(1 / 3), 1.0)


def test_without_a_b_there_is_no_share(town):
    town.con.execute("delete from review.decisions_in_force where decision = 'b'")
    assert indicators(town)["spoken_to_share"] == (None, 1.0)


def test_the_share_of_those_with_a_leaflet_who_were_offered_it(town):
    """2 and 3 are b and the meeting named a direction that has one; the centre's own 案内 counts as the school's does."""
    assert "leaflets_share" not in indicators(town)
    for number, direction in ((2, "居場所の紹介"), (3, "学習・生活支援事業の紹介"), (7, "学校での見守り")):
        town.con.execute(
            "update review.decisions_in_force set direction = $1 where child_key = $2", [direction, key(number)]
        )
    assert indicators(town)["leaflets_share"] == (0.0, 1.0)
    support(town, 2, "spoken_to", JUNE)
    support(town, 3, "offered", JUNE)
    support(town, 7, "offered", JUNE)
    assert indicators(town)["leaflets_share"] == (0.5, 1.0)
    town.configure("meeting: {sample_below_cut: 0, leaflets: {居場所のちらし: []}}")
    assert indicators(town)["leaflets_share"] == (1.0, 1.0)


def test_the_meetings_hours_per_b_where_its_minutes_are_configured(town):
    """Six children decided, 20 minutes each: two hours for three b; without the setting, or a b, there is none."""
    assert "hours_per_preventive" not in indicators(town)
    town.configure("meeting: {sample_below_cut: 0, minutes_per_case: 20}")
    assert indicators(town)["hours_per_preventive"] == (pytest.approx(2 / 3), None)
    town.con.execute("delete from review.decisions_in_force where decision = 'b'")
    assert indicators(town)["hours_per_preventive"] == (None, None)
