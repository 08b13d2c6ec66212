"""支援記録 as it comes back: what was done for a child, and the step of the funnel that it is."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from pathlib import Path

import pytest

from kodomo_assets.errors import ConfigurationError
from kodomo_assets.stages.outcomes.taking import check_taken
from kodomo_assets.stages.review.schools import school_lists
from kodomo_assets_tests.sources.office_files import book
from kodomo_assets_tests.town import TODAY, VERSION, R, Town, key, number_of

D = dt.date
HEADERS = "child_key,実施日,支援内容,成果"
OUTCOMES = "声かけ済み・案内済み・辞退・利用開始・支援中・支援終了"


def begin(town: Town) -> None:
    town.configure("meeting: {sample_below_cut: 0}")
    town.child(1, selected=True)
    town.child(2, selected=True)
    town.child(3)
    town.list()


@pytest.fixture
def town(tmp_path: Path) -> Iterator[Town]:
    made = Town.begun(tmp_path, begin)
    yield made
    made.con.close()


def csv(*lines: str, headers: str = HEADERS) -> str:
    return "\n".join([headers, *lines]) + "\n"


def stored(town: Town, columns: str = "given_on, kind, outcome, step") -> list[tuple]:
    return town.rows(
        f"select ('0x' || left(child_key, 30))::integer, {columns} from review.support order by child_key, given_on"
    )


@pytest.mark.parametrize(
    ("outcome", "step"),
    [
        ("声かけ済み", "spoken_to"),
        ("案内済み", "offered"),
        ("辞退", "declined"),
        ("利用開始", "taken_up"),
        ("支援中", "supported"),
        ("支援終了", "ended"),
    ],
)
def test_the_words_of_the_configuration_are_steps(town, outcome, step):
    town.write("支援記録.csv", csv(f"{key(1)},2025-06-01,面談,{outcome}"))
    assert town.read_support().rows == 1
    assert stored(town) == [(1, D(2025, 6, 1), "面談", outcome, step)]


def test_the_step_is_that_of_the_citys_configuration(town):
    town.configure("meeting: {outcomes: {案内済み: spoken_to}}")
    town.write("支援記録.csv", csv(f"{key(1)},2025-06-01,面談,案内済み"))
    town.read_support()
    assert stored(town, "outcome, step") == [(1, "案内済み", "spoken_to")]


def test_a_city_has_words_of_its_own(town):
    failed = None
    try:
        town.configure("meeting: {outcomes: {つながった: taken_up}}")
    except ConfigurationError as error:
        failed = error
    assert failed is None


@pytest.mark.parametrize("encoding", ["utf-8", "cp932"])
@pytest.mark.parametrize(
    ("header", "who"), [("child_key", key(1)), ("児童キー", key(1).upper()), ("配布番号", number_of(1))]
)
def test_a_csv_names_a_child_by_key_or_number(town, encoding, header, who):
    text = csv(f"{who},令和7年6月1日,面談,案内済み", headers=f"{header},実施日,支援内容,成果")
    town.write("支援記録.csv", text, encoding)
    town.read_support()
    assert stored(town, "given_on, step") == [(1, D(2025, 6, 1), "offered")]


def test_a_workbook(town):
    rows = [["支援の記録"], ["配布番号", "実施日", "支援内容", "成果"], [number_of(2), D(2025, 6, 1), "面談", "辞退"]]
    town.write("支援記録_6月.xlsx", book({"6月": rows})())
    town.read_support()
    assert stored(town, "given_on, step") == [(2, D(2025, 6, 1), "declined")]


def test_a_child_below_the_cut_is_supported_too(town):
    town.write("支援記録.csv", csv(f"{key(3)},2025-06-01,面談,支援中"))
    town.read_support()
    assert stored(town, "step") == [(3, "supported")]


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        (
            f"{key(99)},2025-06-01,ひみつ,案内済み",
            "child unknown at this reference date, expected a 児童キー or 配布番号 of it (one under 利用停止 has none)",
        ),
        (",2025-06-01,ひみつ,案内済み", "児童キー and 配布番号 are blank, expected one of them"),
        (f"{key(1)},,ひみつ,案内済み", "実施日 is blank, expected the day of the support"),
        (f"{key(1)},そのうち,ひみつ,案内済み", "実施日 is no date, expected the day of the support"),
        (f"{key(1)},2025-03-31,ひみつ,案内済み", "実施日 lies before the reference date"),
        (
            f"{key(1)},2025-07-01,ひみつ,案内済み",
            "実施日 lay in the future when this file was first read, expected a day up to then",
        ),
        (f"{key(1)},2025-06-01,,案内済み", "支援内容 is blank, expected what was done"),
        (f"{key(1)},2025-06-01,ひみつ,", f"成果 is blank, expected one of {OUTCOMES} (meeting.outcomes)"),
        (f"{key(1)},2025-06-01,ひみつ,できた", f"成果 is another word, expected one of {OUTCOMES} (meeting.outcomes)"),
    ],
)
def test_a_wrong_row_is_named_and_costs_no_other(town, line, problem):
    town.write("支援記録.csv", csv(f"{key(2)},2025-06-01,面談,案内済み", line))
    taken = town.read_support()
    assert stored(town, "step") == [(2, "offered")]
    assert town.rejected() == [("支援記録.csv", None, 3, problem)]
    message = check_taken(town.con, "support_read", taken).message
    assert message == f"1 rows were not taken, 1 were, expected 0 not taken: 支援記録.csv, row 3: {problem}"


@pytest.mark.parametrize("day", [R, TODAY])
def test_the_first_and_the_last_day(town, day):
    town.write("支援記録.csv", csv(f"{key(1)},{day},面談,案内済み"))
    town.read_support()
    assert stored(town, "given_on") == [(1, day)]


def test_one_record_in_two_files_is_one(town):
    line = f"{key(1)},2025-06-01,面談,案内済み"
    town.write("支援記録_a.csv", csv(line))
    town.write("支援記録_b.csv", csv(line, f"{key(1)},2025-06-08,面談,利用開始"))
    assert town.read_support().rows == 2
    assert stored(town, "given_on, step") == [(1, D(2025, 6, 1), "offered"), (1, D(2025, 6, 8), "taken_up")]


def test_support_whose_file_was_taken_away_leaves_and_is_said(town):
    town.write("支援記録_a.csv", csv(f"{key(1)},2025-06-01,面談,案内済み"))
    town.write("支援記録_b.csv", csv(f"{key(2)},2025-06-01,面談,案内済み"))
    town.read_support()
    # a corrected day is no loss
    town.write("支援記録_a.csv", csv(f"{key(1)},2025-06-02,面談,案内済み"))
    taken = town.read_support()
    assert check_taken(town.con, "support_read", taken).passed
    (town.inbox / "支援記録_b.csv").unlink()
    taken = town.read_support()
    outcome = check_taken(town.con, "support_read", taken)
    assert (outcome.passed, outcome.facts["gone"]) == (False, 1)


def test_a_file_without_the_headers_is_named(town):
    town.write("支援記録.csv", "児童,いつ\nひみつ,2025-06-01\n")
    assert town.read_support().rows == 0
    problem = "found no row with the headers 実施日・支援内容・成果, expected them as they were sent"
    assert town.rejected() == [("支援記録.csv", None, None, problem)]


def test_an_added_child_by_the_number_of_the_schools_list(town):
    town.decide(3, "b")
    town.prepare()
    assert f"'{number_of(3)}'" in school_lists(town.con, town.catalogue, R, VERSION).files[0].made_from
    town.write(
        "支援記録.csv", csv(f"{number_of(3)},2025-06-01,面談,声かけ済み", headers="配布番号,実施日,支援内容,成果")
    )
    town.read_support()
    assert stored(town, "step") == [(3, "spoken_to")]


def test_a_row_that_names_two_children_is_not_taken(town):
    headers = "child_key,配布番号,実施日,支援内容,成果"
    town.write("支援記録.csv", csv(f"{key(1)},{number_of(2)},2025-06-01,面談,案内済み", headers=headers))
    assert town.read_support().rows == 0


def test_support_of_a_day_to_come_is_refused_for_good(town):
    text = csv(f"{key(1)},2025-06-10,面談,案内済み")
    town.write("支援記録.csv", text)
    for day in (D(2025, 6, 9), D(2025, 6, 30)):
        assert town.read_support(today=day).rows == 0
        assert len(town.rejected()) == 1
    town.write("支援記録.csv", text + "\n")
    assert town.read_support(today=D(2025, 6, 30)).rows == 1
