"""The inbox's sensor: it waits for whole files and asks once for what is not read yet, by content."""

from __future__ import annotations

import json
import os
import time

import dagster as dg
import pytest

from kodomo_assets.catalogue import load_catalogue
from kodomo_assets.defs.asking import kept_hashes
from kodomo_assets_tests.defs.conftest import DAY, Office, checks, said

ASSISTANCE = ["宛名番号,開始日,廃止日", "1,2024-04-01"]
REGISTER = ["宛名番号,世帯番号,生年月日,性別,続柄,国籍,支援措置", "1,1,2015-04-01"]
SCHOOLS = ["宛名番号,学校コード,学校名", "1,082201,第1小学校"]
CONSULTATIONS = ["相談番号,受付日", "1,2024-06-01"]


class Watcher:
    """Evaluates the sensor tick by tick, with its cursor."""

    def __init__(self, office: Office) -> None:
        self.office = office
        self.cursor: str | None = None

    def look(self) -> tuple[list[dg.RunRequest], str]:
        definitions = self.office.definitions
        repository = definitions.get_repository_def()
        sensor = repository.get_sensor_def("inbox_sensor")
        with dg.build_sensor_context(
            instance=self.office.instance, cursor=self.cursor, repository_def=repository, sensor_name="inbox_sensor"
        ) as context:
            data = sensor.evaluate_tick(context)
        self.cursor = data.cursor
        return list(data.run_requests or []), data.skip_message or ""

    def asked(self) -> set[str]:
        """Tables and more that are requested once the files were seen twice."""
        self.look()
        requests, _ = self.look()
        return {key.to_user_string() for request in requests for key in request.asset_selection or []}


@pytest.fixture
def watcher(office) -> Watcher:
    office.configure("ingest: {settle_seconds: 0}")
    return Watcher(office)


def test_an_empty_inbox_asks_for_nothing(watcher):
    assert watcher.look() == ([], "no change")


def test_files_are_asked_for_when_two_looks_saw_the_same(office, watcher):
    office.deliver("生活保護.csv", *ASSISTANCE)
    requests, why = watcher.look()
    assert requests == []
    assert why.startswith(f"waiting for whole files: {DAY}: 1 files")
    # more of the file has come
    office.deliver("生活保護.csv", *ASSISTANCE, "2,2024-04-01")
    assert watcher.look()[0] == []
    requests, _ = watcher.look()
    assert [request.partition_key for request in requests] == [DAY]
    assert watcher.look() == ([], f"{DAY}: asked for a moment ago")


def test_a_file_that_was_just_written_to_is_left_alone(office, watcher):
    office.configure("ingest: {settle_seconds: 3600}")
    path = office.deliver("生活保護.csv", *ASSISTANCE)
    for _ in range(3):
        requests, why = watcher.look()
        assert requests == []
        assert "1 written to just now" in why
    an_hour_ago = time.time() - 3601
    os.utime(path, (an_hour_ago, an_hour_ago))
    watcher.look()
    assert len(watcher.look()[0]) == 1


def test_a_file_from_a_clock_that_is_ahead_is_read_all_the_same(office, watcher):
    office.configure("ingest: {settle_seconds: 60}")
    path = office.deliver("生活保護.csv", *ASSISTANCE)
    next_year = time.time() + 365 * 86400
    os.utime(path, (next_year, next_year))
    assert "sources/public_assistance" in watcher.asked()


def test_a_cursor_holds_no_file(office, watcher):
    """Every tick keeps a copy of it for days, and the UI shows it whole."""
    path = office.deliver("生活保護.csv", *ASSISTANCE)
    watcher.asked()
    assert watcher.cursor is not None
    assert "csv" not in watcher.cursor
    assert len(watcher.cursor) < 100
    # what was hashed once is known at the next look, though no cursor says so
    (place,) = kept_hashes(office.instance).all_known
    assert place == f"{DAY}/{path.name}"


def test_hidden_files_of_a_copy_under_way_are_not_seen(office, watcher):
    office.deliver(".生活保護.csv.part", *ASSISTANCE)
    assert watcher.look() == ([], "waiting for whole files: 2025-04-01: 0 files, 0 written to just now")
    assert watcher.look() == ([], "2025-04-01 awaits 住民記録・児童相談記録・学齢簿 in inbox/2025-04-01/")


def test_only_the_tables_while_a_required_one_is_awaited_then_everything(office, watcher):
    """What came is read early, so that its office hears of faults; the rest of the same selection waits."""
    tables = {"sources/inbox", *(f"sources/{table}" for table in load_catalogue().tables)}
    office.deliver("生活保護.csv", *ASSISTANCE)
    assert watcher.asked() == tables
    assert office.materialize("sources.public_assistance").success
    assert watcher.look() == ([], "2025-04-01 awaits 住民記録・児童相談記録・学齢簿 in inbox/2025-04-01/")
    office.deliver("住民記録.csv", *REGISTER)
    office.deliver("学齢簿.csv", *SCHOOLS)
    assert watcher.asked() == tables
    assert office.materialize("sources.resident_register", "sources.school_register").success
    office.deliver("児童相談記録.csv", *CONSULTATIONS)
    watcher.look()
    (request,), _ = watcher.look()
    assert (request.job_name, request.asset_selection) == ("yearly_refresh", None)


def test_what_was_read_is_not_asked_for_again_and_a_corrected_file_is(office, watcher):
    path = office.deliver("生活保護.csv", *ASSISTANCE)
    assert office.materialize("sources.public_assistance").success
    assert watcher.asked() == set()
    path.write_text(path.read_text("utf-8") + "3,2024-05-01\n", "utf-8")
    assert "sources/public_assistance" in watcher.asked()


def test_folders_of_other_days_are_no_deliveries(office, watcher):
    office.deliver("生活保護.csv", *ASSISTANCE, day="2025-04-02")
    assert watcher.look() == ([], "no change")


def test_the_oldest_date_is_asked_for_first(office, watcher):
    office.deliver("生活保護.csv", *ASSISTANCE)
    office.deliver("生活保護.csv", *ASSISTANCE, day="2024-09-01")
    watcher.look()
    assert [request.partition_key for request in watcher.look()[0]] == ["2024-09-01", DAY]
    assert set(json.loads(watcher.cursor or "{}")["listings"]) == {"2024-09-01", DAY}


def test_a_copied_or_restored_folder_asks_for_nothing_and_is_not_read_again(office, watcher):
    """New times, same bytes: nothing is new."""
    path = office.deliver("生活保護.csv", *ASSISTANCE)
    assert office.materialize("sources.public_assistance").success
    before = office.query("select files_state, run_id, outcomes from sources.readings")
    os.utime(path, (1_600_000_000, 1_600_000_000))
    watcher.look()
    requests, why = watcher.look()
    assert requests == []
    assert "awaits" in why
    result = office.materialize("sources.public_assistance")
    assert result.success
    (again,) = result.asset_materializations_for_node("sources__public_assistance")
    assert again.metadata["読み直し"].value == "なし（同じ内容）"
    assert again.metadata["dagster/partition_row_count"].value == 1
    # what the checks said stands; the run stands for the reading
    assert checks(result)["headers"] is False
    after = office.query("select files_state, run_id, outcomes from sources.readings")
    assert (before[0][0], before[0][2]) == (after[0][0], after[0][2])
    assert after[0][1] == result.run_id


def test_the_same_file_is_read_again_when_the_contract_changed(office):
    office.deliver("生活保護.csv", "宛名番号,始まり,廃止日", "1,2024-04-01")
    office.configure("tables: {public_assistance: {headers: {始まり: 開始日}}}")
    assert office.materialize("sources.public_assistance").success
    office.configure("tables: {public_assistance: {headers: {始まり: 開始日}, era_scheme: '13579'}}")
    (again,) = office.materialize("sources.public_assistance").asset_materializations_for_node(
        "sources__public_assistance"
    )
    assert "読み直し" not in again.metadata


def test_the_same_file_is_read_again_when_what_it_is_compared_with_changed(office):
    office.deliver("生活保護.csv", *ASSISTANCE)
    assert office.materialize("sources.public_assistance").success
    office.deliver("住民記録.csv", REGISTER[0], "2,1,2015-04-01")
    assert office.materialize("sources.resident_register").success
    result = office.materialize("sources.public_assistance")
    assert "0.0% of 1 宛名番号" in said(result, "known_residents")
