"""A date reads deliveries of earlier ones: a correction there concerns it too; other settings are said, not applied.

What is asked for after a run is the question, and so most tests need several runs of Dagster, half a second each.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from kodomo_assets_tests.defs.conftest import Office
from kodomo_assets_tests.defs.test_sensor import ASSISTANCE, REGISTER, Watcher
from kodomo_assets_tests.defs.test_withdrawn import decide

EARLIER, LATER = "2025-01-01", "2025-09-01"
SCHOOLS = ["宛名番号,学校コード,学校名,学年", "1,082201,第1小学校,4"]
ROSTER = ["学籍番号,学校コード,学年,氏名カナ,生年月日,性別", "61,082201,4,ヤマダ タロウ,2015-04-01,男"]
TABLES = ("resident_register", "school_register", "school_roster", "public_assistance")
# a mended cell or one more row
CORRECTED = {
    "住民記録.csv": [REGISTER[0], "1,1,2015-04-02,1,子,,×"],
    "学齢簿.csv": [SCHOOLS[0], "1,082201,第1小学校,3"],
    "校務支援学籍.csv": [*ROSTER, "62,082201,4,スズキ ハナ,2015-06-01,女"],
    "生活保護.csv": [*ASSISTANCE, "2,2024-04-01"],
}


@pytest.fixture(scope="module")
def refreshed_once(tmp_path_factory: pytest.TempPathFactory) -> Office:
    """Two dates, refreshed to their end; the later one has no 生活保護 of its own. Do not change it: copy it."""
    office = Office(tmp_path_factory.mktemp("refreshed"))
    office.configure("ingest: {settle_seconds: 0}")
    for day in (EARLIER, LATER):
        office.deliver("住民記録.csv", *REGISTER, day=day)
        office.deliver("学齢簿.csv", *SCHOOLS, day=day)
        office.deliver("校務支援学籍.csv", *ROSTER, day=day)
    office.deliver("生活保護.csv", *ASSISTANCE, day=EARLIER)
    for day in (EARLIER, LATER):
        refresh(office, day)
    return office


@pytest.fixture
def refreshed(refreshed_once: Office, office_folder: Path) -> Office:
    office_folder.rmdir()
    return refreshed_once.copy(office_folder)


def refresh(office: Office, day: str) -> None:
    """The begin and the end of a refresh, without the fit between them."""
    made = (*(f"sources.{table}" for table in TABLES), "review.papers", "review.calendar", "published.refreshes")
    assert office.materialize(*made, day=day).success


def asked(watcher: Watcher) -> tuple[list[str], str]:
    """The dates that are asked for once the files were seen twice, and what is said."""
    # nothing lies there anew where another date's run made the difference, and so the first look asks
    requests, _ = watcher.look()
    more, said = watcher.look()
    requests += more
    assert all(request.asset_selection is None for request in requests)
    return [str(request.partition_key) for request in requests], said


@pytest.mark.parametrize(
    ("name", "later_too"),
    [
        # in force at the later date, which has none of its own
        ("生活保護.csv", True),
        # numbers of pupils, and households of persons who cannot be read, are looked for in every earlier one
        ("校務支援学籍.csv", True),
        ("住民記録.csv", True),
        # the later date has its own
        ("学齢簿.csv", False),
    ],
)
def test_a_correction_in_an_older_folder_asks_every_date_that_reads_it_again(refreshed, name, later_too):
    watcher = Watcher(refreshed)
    assert asked(watcher) == ([], "no change")
    refreshed.deliver(name, *CORRECTED[name], day=EARLIER)
    assert asked(watcher)[0] == [EARLIER]
    refresh(refreshed, EARLIER)
    assert asked(watcher)[0] == [LATER] * later_too
    refresh(refreshed, LATER)
    assert asked(watcher) == ([], "no change")


def test_a_delivery_that_comes_late_for_a_date_between_is_read_by_the_later_one(refreshed):
    watcher = Watcher(refreshed)
    for name, lines in {
        "住民記録.csv": REGISTER,
        "学齢簿.csv": SCHOOLS,
        "生活保護.csv": CORRECTED["生活保護.csv"],
    }.items():
        refreshed.deliver(name, *lines, day="2025-04-01")
    refreshed.deliver("児童相談記録.csv", "相談番号,受付日", "1,2024-06-01", day="2025-04-01")
    assert asked(watcher)[0] == ["2025-04-01"]
    refresh(refreshed, "2025-04-01")
    assert LATER in asked(watcher)[0]


def test_a_file_put_back_under_another_name_changes_nothing(refreshed):
    folder = refreshed.settings.inbox / EARLIER
    (folder / "生活保護.csv").rename(folder / "生活保護_0401.csv")
    watcher = Watcher(refreshed)
    assert asked(watcher)[0] == [EARLIER]
    refresh(refreshed, EARLIER)
    assert asked(watcher) == ([], "no change")


def test_a_withdrawal_in_an_older_folder_waits_where_the_later_date_has_decisions(refreshed):
    decide(refreshed, LATER)
    (refreshed.settings.inbox / EARLIER / "生活保護.csv").unlink()
    watcher = Watcher(refreshed)
    assert asked(watcher)[0] == [EARLIER]
    refresh(refreshed, EARLIER)
    assert asked(watcher) == (
        [],
        f"{LATER} rests on files that were taken away since (生活保護 of {EARLIER}) and has decisions; "
        f"`refresh {LATER}` makes it anew",
    )
    refresh(refreshed, LATER)
    assert asked(watcher) == ([], "no change")


def test_after_meeting_leaves_what_the_refresh_rested_on(refreshed):
    before = refreshed.query("select * from published.rests_on order by all")
    refreshed.configure("ingest: {settle_seconds: 0}\nscreening: {share_percent: 15}")
    assert refreshed.materialize("published.refreshes", day=LATER).success
    assert refreshed.query("select * from published.rests_on order by all") == before


def test_dates_that_were_made_with_other_settings_keep_their_list_and_are_said(refreshed):
    watcher = Watcher(refreshed)
    # who may read what, or waits how long, decides no result
    refreshed.configure("ingest: {settle_seconds: 0, group: nobody}\npublish: {suppress_below: 20}")
    assert asked(watcher) == ([], "no change")
    refreshed.configure(
        "ingest: {settle_seconds: 0}\nitems: {absence_days: {thresholds: {30+: 25}}}\nscreening: {min_school_coverage: 0.4}"
    )
    assert asked(watcher) == (
        [],
        f"{LATER} was made with other settings of items.absence_days, screening; `refresh {LATER}` makes it anew; "
        f"{EARLIER} was made with other settings of items.absence_days, screening; `refresh {EARLIER}` makes it anew",
    )
    refresh(refreshed, EARLIER)
    assert asked(watcher)[1].startswith(f"{LATER} was made with other settings")
    assert EARLIER not in asked(watcher)[1]


def test_a_setting_of_one_table_has_that_table_alone_read_again(refreshed):
    """Of the newest date, as ever; an acknowledgement, codes and words of an item too."""
    for overlay, table in {
        "tables: {public_assistance: {era_scheme: '13579'}}": "public_assistance",
        "items: {single_parent: {words: {spouse: [妻, 夫]}}}": "resident_register",
    }.items():
        refreshed.configure(f"ingest: {{settle_seconds: 0}}\n{overlay}")
        result = refreshed.materialize(*(f"sources.{table}" for table in TABLES), day=EARLIER)
        assert result.success
        read = [
            name
            for name in TABLES
            for found in result.asset_materializations_for_node(f"sources__{name}")
            if "読み直し" not in found.metadata
        ]
        assert read == [table]
        refreshed.configure("ingest: {settle_seconds: 0}")
        assert refreshed.materialize(*(f"sources.{table}" for table in TABLES), day=EARLIER).success
