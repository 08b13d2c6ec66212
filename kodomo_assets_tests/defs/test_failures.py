"""What a failed run says: the one cause in the project's words, no logs that are not kept, nobody's data."""

from __future__ import annotations

import datetime as dt
import re

import dagster as dg
import duckdb
import pytest

from kodomo_assets.catalogue import load_catalogue
from kodomo_assets.defs.failures import guarded
from kodomo_assets.defs.refresh import refresh
from kodomo_assets_tests.defs.conftest import DAY


@pytest.fixture(autouse=True)
def _redacted(monkeypatch):
    """As every start of ours has it."""
    monkeypatch.setenv("DAGSTER_REDACT_USER_CODE_ERRORS", "1")


def failures(office) -> list[str]:
    """The whole text of every failure in the event log, as the UI shows it."""
    with office.instance as instance:
        (run,) = instance.get_runs(limit=1)
        return [
            str(entry.dagster_event.event_specific_data)
            for entry in instance.all_logs(run.run_id)
            if entry.dagster_event and entry.dagster_event.is_failure
        ]


def test_another_key_stops_the_run_before_anything_is_read(office):
    office.deliver("生活保護.csv", "宛名番号,開始日,廃止日", "0000000001,2024-04-01,")
    assert office.materialize("sources.inbox").success
    office.settings.key_file.write_text("ab" * 32)
    before = office.query("select count(*) from sources.deliveries")
    result = office.materialize("sources.public_assistance")
    assert not result.success
    (step,) = [event for event in result.all_events if event.is_step_failure]
    assert step.step_key == "sources__inbox"
    told = str(step.step_failure_data)
    assert "is not the pseudonym key that kodomo.duckdb was made with: nothing was read" in told
    assert "ab" * 32 not in told
    assert office.query("select count(*) from sources.deliveries") == before


def test_a_failure_of_ours_is_told_whole(office):
    office.settings.database.write_bytes(b"another file" * 100)
    assert not office.materialize("sources.inbox").success
    told = " ".join(failures(office))
    assert "kodomo.duckdb is no DuckDB database" in told
    assert "masked" not in told
    assert "Search in logs" not in told


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (duckdb.IOException("IO Error: Could not write file \"x\": No space left on device"), "the disk is full"),
        (OSError(36, "File name too long", "/o/名簿.xlsx"), "名簿.xlsx: the name is longer"),
        (duckdb.ConversionException("Could not convert string '山田 太郎' to INT32"), "unexpected ConversionException"),
    ],
)  # fmt: skip
def test_what_an_asset_meets_is_told_as_far_as_it_quotes_nobody(error, told):
    @dg.asset
    def broken(context) -> None:
        with guarded(context):
            raise error

    result = dg.materialize([broken], raise_on_error=False)
    (step,) = [event for event in result.all_events if event.is_step_failure]
    said = str(step.step_failure_data)
    assert told in said
    assert "masked" not in said
    assert "山田" not in said
    assert "Nothing was changed" not in said


def test_the_terminal_tells_the_one_cause(office, capsys):
    """Two steps meet the cause, and a dozen wait for them: it is told once."""
    office.settings.database.write_bytes(b"another file" * 100)
    day = dt.date.fromisoformat(DAY)
    assert not refresh(office.settings, load_catalogue(office.settings.overlay), day, office.instance)
    said = capsys.readouterr().err
    assert said.count("FAILED") == 1, said
    assert re.search(r"  FAILED sources\.\w+: kodomo\.duckdbは、DuckDBのデータベースではありません", said)
    assert "kodomo.duckdb is no DuckDB database" in said
    assert "Not executing" not in said
    assert "Search in logs" not in said
