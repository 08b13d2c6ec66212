"""The event log of tests answers what Dagster's own would: before it stores anything, and of what it stored."""

import dagster as dg
import pytest

from kodomo_assets_tests.internals import instance_in_memory

FIRST, SECOND = "2024-04-01", "2025-04-01"
DATES = dg.StaticPartitionsDefinition([FIRST, SECOND])
MADE = dg.DagsterEventType.ASSET_MATERIALIZATION


@dg.asset(partitions_def=DATES)
def delivered() -> dg.MaterializeResult:
    return dg.MaterializeResult(metadata={"rows": 2}, data_version=dg.DataVersion("two rows"))


@dg.asset(partitions_def=DATES, deps=[delivered], check_specs=[dg.AssetCheckSpec("whole", asset="linked")])
def linked(context: dg.AssetExecutionContext) -> dg.MaterializeResult:
    return dg.MaterializeResult(check_results=[dg.AssetCheckResult(passed=context.partition_key == SECOND)])


@pytest.fixture(params=["in memory", "ephemeral"])
def instance(request, tmp_path):
    with instance_in_memory(tmp_path) if request.param == "in memory" else dg.DagsterInstance.ephemeral() as made:
        job = dg.Definitions(assets=[delivered, linked]).resolve_implicit_global_asset_job_def()
        for day in (FIRST, SECOND, FIRST):
            assert job.execute_in_process(partition_key=day, instance=made).success
        yield made


def test_what_is_asked_of_it_before_anything_is_stored(instance):
    """Three runs of two assets: the first date's third run is the last that made them."""
    log, key = instance.event_log_storage, delivered.key
    runs = [run.run_id for run in reversed(instance.get_runs())]
    (of_first,) = log.fetch_materializations(dg.AssetRecordsFilter(key, asset_partitions=[FIRST]), limit=1).records
    (of_second,) = log.fetch_materializations(dg.AssetRecordsFilter(key, asset_partitions=[SECOND]), limit=1).records
    assert (of_first.run_id, of_second.run_id) == (runs[2], runs[1])
    assert of_first.asset_materialization.metadata["rows"].value == 2
    records = {record.asset_entry.asset_key: record.asset_entry for record in log.get_asset_records()}
    assert records.keys() == {delivered.key, linked.key}
    assert records[key].last_materialization_record == of_first
    assert records[key].last_run_id == runs[2]
    assert log.get_latest_tags_by_partition(
        key, MADE, ["dagster/data_version"], asset_partitions=[FIRST, "2023-04-01"]
    ) == {FIRST: {"dagster/data_version": "two rows"}}
    assert log.get_asset_records([dg.AssetKey("never")]) == []
    assert log.fetch_observations(key, limit=1).records == []
    # what a check said last, of any date; and earlier
    whole, never_made = dg.AssetCheckKey(linked.key, "whole"), dg.AssetCheckKey(linked.key, "never")
    ((of_check, newest),) = log.get_latest_asset_check_execution_by_key([whole, never_made]).items()
    assert (of_check, newest.run_id, newest.partition, newest.status.value) == (whole, runs[2], None, "FAILED")
    assert newest.evaluation.asset_check_key == whole
    assert newest.event.timestamp == pytest.approx(newest.create_timestamp, abs=60)
    told = log.get_asset_check_execution_history(whole, limit=9)
    assert told[0] == newest
    assert [(one.id, one.run_id, one.status.value) for one in told] == [
        (3, runs[2], "FAILED"), (2, runs[1], "SUCCEEDED"), (1, runs[0], "FAILED"),
    ]  # fmt: skip
    assert log.get_asset_check_execution_history(whole, limit=1, cursor=3, status={newest.status}) == [told[2]]
    assert log.get_asset_check_execution_history(never_made, limit=1) == []
    never = dg.AssetRecordsFilter(dg.AssetKey("never"), asset_partitions=[FIRST])
    assert log.fetch_materializations(never, limit=1).records == []


def test_what_is_asked_of_the_whole_log(instance):
    log = instance.event_log_storage
    last = log.fetch_materializations(dg.AssetRecordsFilter(linked.key, asset_partitions=[FIRST]), limit=1).records[0]
    in_order = log.fetch_materializations(linked.key, limit=10, ascending=True).records
    assert [record.partition_key for record in in_order] == [FIRST, SECOND, FIRST]
    # as it stood, and as it was written and read
    assert in_order[-1] == last
    (check,) = log.get_asset_check_execution_history(dg.AssetCheckKey(linked.key, "whole"), limit=1)
    assert check.evaluation.passed is False
    assert len(instance.all_logs(instance.get_runs()[0].run_id, of_type=MADE)) == 2


def test_an_observation_is_no_materialization(instance):
    instance.report_runless_asset_event(dg.AssetObservation(delivered.key, partition=SECOND))
    (found,) = instance.fetch_observations(delivered.key, limit=1).records
    assert found.partition_key == SECOND
    (entry,) = (record.asset_entry for record in instance.get_asset_records([delivered.key]))
    assert entry.last_materialization_record.partition_key == FIRST
