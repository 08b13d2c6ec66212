"""What Dagster is told (a snapshot of assets, checks, jobs, schedules), and when the schedules ask for a refresh."""

from __future__ import annotations

import datetime as dt
import os
import time
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import dagster as dg
import pytest

from kodomo_assets.definitions import build_defs
from kodomo_assets.settings import Settings
from kodomo_assets_tests.told_to_dagster import told

FORGOTTEN = ["store", "forgotten"]
SNAPSHOT = Path(__file__).with_name("definitions.snapshot.txt")
TOKYO = ZoneInfo("Asia/Tokyo")


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return configured(tmp_path, "ingest: {settle_seconds: 0}")


def configured(tmp_path: Path, overlay: str) -> Settings:
    (tmp_path / "city.yaml").write_text(overlay, "utf-8")
    return Settings.from_environment({"KODOMO_DATA_DIR": str(tmp_path), "KODOMO_KEY_FILE": str(tmp_path / "k")})


@pytest.fixture
def definitions(settings: Settings) -> dg.Definitions:
    return build_defs(settings)


def test_snapshot(definitions):
    """After a wanted change: ``python -m kodomo_assets_tests.test_definitions`` writes it anew."""
    assert told(definitions) == SNAPSHOT.read_text("utf-8")


def test_what_the_snapshot_tells():
    """Alike assets share a line; a selection, a blocking check, an edge, a partition, a tag or a default stands in one."""
    days = dg.DailyPartitionsDefinition("2025-04-01", timezone="Asia/Tokyo")

    def asset(name: str, deps: list[str], **facts: Any) -> dg.AssetsDefinition:
        keys = [dg.AssetKey(dep.split("/")) for dep in deps]

        @dg.asset(key=dg.AssetKey(name.split("/")), deps=keys, partitions_def=days, **facts)
        def made() -> dg.MaterializeResult: ...

        return made

    checks = [
        dg.AssetCheckSpec(name, asset=dg.AssetKey(["b", "z"]), blocking=name == "whole") for name in ("whole", "known")
    ]
    policy = dg.FreshnessPolicy.time_window(dt.timedelta(days=1))
    assets = [
        asset("a/x", [], owners=["team:one"], kinds={"duckdb"}),
        asset("a/y", [], owners=["team:two"], kinds={"duckdb"}, freshness_policy=policy),
        asset("b/z", ["a/x", "a/y"], check_specs=checks, tags={"phase": "late"}),
    ]
    job = dg.define_asset_job("late", selection="b/z", executor_def=dg.in_process_executor)
    definitions = dg.Definitions(
        assets, jobs=[job], schedules=[dg.ScheduleDefinition(name="nightly", job=job, cron_schedule="0 6 * * *")]
    )
    assert told(definitions).splitlines() == [
        "# partitions",
        "Daily, starting 2025-04-01 Asia/Tokyo.: all 3 assets",
        "# automation",
        "asked for only: all 3 assets",
        "# jobs",
        "late (in_process): b/z",
        "# schedules",
        "nightly (STOPPED): 0 6 * * * None -> late",
        "# sensors",
        "# assets <- what they depend on | kinds | checks",
        "a/* <- none | duckdb | none",
        "b/z <- a/* |  | known, whole!",
        "# owners",
        "team:one: a/x",
        "team:two: a/y",
        "# tags",
        "phase=late: b/z",
        "# freshness",
        f"{policy}: a/y",
    ]


def test_definitions_validate(definitions):
    dg.Definitions.validate_loadable(definitions)


def test_every_asset_has_both_languages_an_owner_and_the_reference_dates(definitions):
    graph = definitions.get_repository_def().asset_graph
    # what is forgotten is of no reference date
    partitions = {graph.get(key).partitions_def for key in graph.get_all_asset_keys() - {dg.AssetKey(FORGOTTEN)}}
    assert len(partitions) == 1
    assert partitions.pop().get_partition_keys(dt.datetime(2025, 4, 1, 0, 1, tzinfo=TOKYO)) == [
        "2024-04-01",
        "2024-09-01",
        "2025-01-01",
        "2025-04-01",
    ]
    for key in graph.get_all_asset_keys():
        description = graph.get(key).description or ""
        assert any("ぁ" <= c <= "鿿" for c in description), key
        assert any(word.isascii() and word.isalpha() and len(word) > 3 for word in description.split()), key
        assert graph.get(key).owners, key


def test_a_source_asset_shows_office_law_cadence_and_columns(definitions):
    spec = next(s for s in definitions.resolve_all_asset_specs() if s.key == dg.AssetKey(["sources", "attendance"]))
    assert spec.metadata["保有・管理主体"] == "各学校"
    assert spec.metadata["法的根拠"] == "個人情報保護法 第69条第2項第3号"
    assert spec.metadata["法的根拠の期限"] == "2027-03-31"
    assert spec.metadata["cadence"] == "termly"
    columns = {column.name: column.description for column in spec.metadata["dagster/column_schema"].columns}
    assert columns["absence_days"] == "欠席日数"


def deliver(settings: Settings, day: str, *tables: str) -> None:
    folder = settings.inbox / day
    folder.mkdir(parents=True, exist_ok=True)
    for table in tables:
        (folder / f"{table}.csv").write_text("x", "utf-8")


def tick(definitions: dg.Definitions, name: str, now: dt.datetime, instance: dg.DagsterInstance):
    schedule = definitions.get_repository_def().get_schedule_def(name)
    with dg.build_schedule_context(
        instance=instance, scheduled_execution_time=now, repository_def=definitions.get_repository_def()
    ) as context:
        return schedule.evaluate_tick(context)


def test_a_schedule_waits_until_the_files_are_whole(tmp_path):
    settings = configured(tmp_path, "ingest: {settle_seconds: 3600}")
    deliver(settings, "2025-09-01", "住民記録", "学齢簿")
    now = dt.datetime(2025, 9, 3, 6, 0, tzinfo=TOKYO)
    with dg.instance_for_test() as instance:
        waiting = tick(build_defs(settings), "termly_refresh_schedule", now, instance)
        assert waiting.skip_message == "2025-09-01: 2 files were written to just now and may not be whole yet"
        for path in (settings.inbox / "2025-09-01").iterdir():
            an_hour_ago = time.time() - 3601
            os.utime(path, (an_hour_ago, an_hour_ago))
        assert tick(build_defs(settings), "termly_refresh_schedule", now, instance).run_requests


def test_a_schedule_waits_for_the_required_files_and_then_asks_once(settings, definitions):
    now = dt.datetime(2025, 4, 10, 6, 0, tzinfo=TOKYO)
    with dg.instance_for_test() as instance:
        waiting = tick(definitions, "yearly_refresh_schedule", now, instance)
        assert not waiting.run_requests
        assert "2025-04-01 awaits 住民記録・児童相談記録・学齢簿" in waiting.skip_message
        deliver(settings, "2025-04-01", "住民記録", "学齢簿")
        assert "児童相談記録" in tick(definitions, "yearly_refresh_schedule", now, instance).skip_message
        deliver(settings, "2025-04-01", "児童相談記録")
        (asked,) = tick(definitions, "yearly_refresh_schedule", now, instance).run_requests
        assert asked.partition_key == "2025-04-01"
        assert asked.run_key.startswith("2025-04-01:")
        # until its run is there
        waiting = tick(definitions, "yearly_refresh_schedule", now, instance)
        assert waiting.skip_message == "2025-04-01: asked for a moment ago"


@pytest.mark.parametrize(
    ("job", "now", "asked"),
    [
        # 06:00 in Tokyo is 21:00 of the day before in UTC: the day counts in Tokyo
        ("yearly_refresh", dt.datetime(2025, 3, 31, 21, 0, tzinfo=dt.UTC), "2025-04-01"),
        ("yearly_refresh", dt.datetime(2025, 3, 31, 14, 0, tzinfo=dt.UTC), "2024-04-01"),
        ("termly_refresh", dt.datetime(2025, 3, 31, 21, 0, tzinfo=dt.UTC), "2025-01-01"),
        ("termly_refresh", dt.datetime(2025, 12, 31, 21, 0, tzinfo=dt.UTC), "2026-01-01"),
    ],
)
def test_the_newest_date_of_the_kind_in_tokyo(settings, definitions, job, now, asked):
    with dg.instance_for_test() as instance:
        assert tick(definitions, f"{job}_schedule", now, instance).skip_message.startswith(f"{asked} awaits")


def test_the_termly_date_does_not_wait_for_consultations(settings, definitions):
    deliver(settings, "2025-09-01", "住民記録", "学齢簿")
    now = dt.datetime(2025, 9, 3, 6, 0, tzinfo=TOKYO)
    with dg.instance_for_test() as instance:
        asked = tick(definitions, "termly_refresh_schedule", now, instance).run_requests
    assert [request.partition_key for request in asked] == ["2025-09-01"]


if __name__ == "__main__":
    SNAPSHOT.write_text(told(build_defs(Settings.from_environment({"KODOMO_DATA_DIR": "nowhere"}))), "utf-8")
