"""A date of which nothing changed is left alone when its refresh is asked for; in doubt it is made anew (issue: speed)."""

from __future__ import annotations

import datetime as dt
import shutil
from collections.abc import Callable
from pathlib import Path

import dagster as dg
import duckdb
import pytest

from kodomo_assets.__main__ import main
from kodomo_assets.defs.running import PARTITION, last_run
from kodomo_assets.refreshing.completions import is_complete
from kodomo_assets.refreshing.needs import REFRESHED, Need, need
from kodomo_assets.stages.sources.arrivals import Hashes
from kodomo_assets.stages.sources.readings import accounts
from kodomo_assets.store.connection import connect
from kodomo_assets_tests.conftest import DATES, City

DAY = DATES[0]


@pytest.fixture
def done(begun_city: City, tmp_path: Path) -> City:
    return begun_city.copy(tmp_path / "city")


def complete(city: City) -> bool:
    with city.instance() as instance:
        newest = last_run(instance, city.catalogue.calendar.dates_until(DAY))
        return is_complete(city.settings, city.catalogue, DAY, newest)


def run_of(city: City, day: dt.date) -> None:
    """A run that failed at its first step."""
    with city.instance() as instance:
        tags = {PARTITION: day.isoformat()}
        instance.add_run(dg.DagsterRun(job_name="yearly_refresh", status=dg.DagsterRunStatus.FAILURE, tags=tags))


def append(path: Path, content: bytes) -> None:
    path.write_bytes(path.read_bytes() + content)


def change(city: City, sql: str) -> None:
    with connect(city.settings.database) as con:
        con.execute(sql)


def published_by_another_run(city: City) -> None:
    with duckdb.connect(str(city.settings.analyst_database)) as con:
        con.execute("update catalogue.publication set run_id = 'x'")


def logged(city: City, state: str) -> None:
    """A file that was written after the refresh, by what came back from the meeting."""
    change(
        city,
        f"insert into review.exports values (date '{DAY}', '支援対象者', '支援対象者_青葉小学校.xlsx', now(), 1, 'x', "
        f"'x', '{state}')",
    )


def withdrawn_earlier(city: City) -> None:
    """A delivery of an earlier date that this one, which has decisions, rests on is gone: only a person does it anew."""
    change(
        city,
        f"""
        insert into published.rests_on values (date '{DAY}', 'delivery', 'attendance@2024-01-01', 'x');
        insert into sources.deliveries by name
        select * replace (date '2024-01-01' as reference_date, true as superseded, true as withdrawn)
        from sources.deliveries
        where table_name = 'attendance'
        limit 1;
        insert into review.decisions by name
        select
            reference_date, child_key, reference_date as meeting_date, 'c' as decision, '係長' as decided_by,
            false as release, 'x' as file, 1 as row_number, now() as read_at
        from screening.ranking
        limit 1;
        """,
    )


CHANGES: dict[str, Callable[[City], object]] = {
    "a corrected file": lambda city: append(next(city.inbox(DAY).glob("出欠_*")), b"\n"),
    "a file that was taken away": lambda city: next(city.inbox(DAY).glob("出欠_*")).unlink(),
    "a word for people": lambda city: (city.settings.data_dir / "city.yaml").write_text(
        "sections: {child_policy: {ja: こども課}}\n", "utf-8"
    ),
    "another number of places": lambda city: (city.settings.data_dir / "city.yaml").write_text(
        "screening: {share_percent: 11}\n", "utf-8"
    ),
    "another program": lambda city: change(city, "update published.completions set state = 'x' where kind = 'program'"),
    "a list that was taken away": lambda city: (city.outbox(DAY) / "判定会議.xlsx").unlink(),
    "a list that somebody wrote into": lambda city: append(city.outbox(DAY) / "判定会議.html", b" "),
    "a send-back that was taken away": lambda city: next(city.outbox(DAY).glob("差戻し_*")).unlink(),
    "a key list that was taken away": lambda city: next(city.outbox(DAY).rglob("配布番号一覧.xlsx")).unlink(),
    "a school's list that was taken away": lambda city: logged(city, "0" * 64),
    "no file for the analysts": lambda city: (city.settings.analyst_database).unlink(),
    "another file for the analysts": lambda city: published_by_another_run(city),
    "a run that failed since": lambda city: run_of(city, DAY),
    "no record of runs": lambda city: shutil.rmtree(city.settings.dagster_home),
    "an earlier delivery that awaits a person": withdrawn_earlier,
    "a database of before": lambda city: change(city, "delete from published.completions"),
}


@pytest.mark.parametrize("what", CHANGES)
def test_whatever_changed_makes_the_date_anew(done, what):
    assert complete(done)
    CHANGES[what](done)
    assert not complete(done)


def test_a_later_date_concerns_none_before_it(done):
    run_of(done, DATES[1])
    assert complete(done)


def test_the_command_leaves_it_alone_and_says_so(done, monkeypatch, capsys):
    """In the words that the operator reads; not one byte of the database or the lists is another one."""
    for folder in done.settings.inbox.iterdir():
        if folder.name != DAY.isoformat():
            folder.rename(done.root / folder.name)
    monkeypatch.setenv("KODOMO_DATA_DIR", str(done.settings.data_dir))
    monkeypatch.setenv("KODOMO_KEY_FILE", str(done.settings.key_file))
    monkeypatch.setenv("DAGSTER_HOME", str(done.settings.dagster_home))

    def state() -> dict[str, bytes]:
        kept = [done.settings.database, done.settings.analyst_database, *done.outbox(DAY).rglob("*.*")]
        return {path.name: path.read_bytes() for path in kept if path.is_file()}

    before = state()
    for given in (DAY.isoformat(), "--all"):
        assert main(["refresh", given]) == 0
        said = capsys.readouterr()
        assert f"refresh {DAY}: nothing changed since its last refresh; --anew makes it again" in said.err
        assert "ok sources" not in said.err
        assert "該当" in said.out  # the funnel is shown all the same
    assert state() == before


def test_anew_is_anew(done, monkeypatch, capsys):
    asked: list[dt.date] = []

    def refresh(_settings: object, _catalogue: object, day: dt.date, _instance: object) -> bool:
        asked.append(day)
        return True

    monkeypatch.setenv("KODOMO_DATA_DIR", str(done.settings.data_dir))
    monkeypatch.setenv("KODOMO_KEY_FILE", str(done.settings.key_file))
    monkeypatch.setenv("DAGSTER_HOME", str(done.settings.dagster_home))
    monkeypatch.setattr("kodomo_assets.defs.refresh.refresh", refresh)
    assert main(["refresh", DAY.isoformat()]) == 0
    assert asked == []
    assert main(["refresh", DAY.isoformat(), "--anew"]) == 0
    assert asked == [DAY]


def test_a_change_of_the_registry_alone_has_the_newest_papers_made_anew(done):
    """By the job that reads no delivery; what the list rests on stays as it was."""

    def needed() -> Need | str:
        with connect(done.settings.database, read_only=True) as con:
            return need(done.settings, done.catalogue, DAY, accounts(con), Hashes({}))

    paper = done.outbox(DAY) / "説明資料_社会福祉課.html"
    assert needed() == REFRESHED
    (done.settings.data_dir / "city.yaml").write_text(
        "registry: {agreements: {social_welfare: {document: 福社第12号}}}\n", "utf-8"
    )
    asked = needed()
    assert isinstance(asked, Need)
    assert (asked.job, asked.part, asked.why) == ("after_meeting", None, "has papers that are out of date")
    assert "福社第12号" not in paper.read_text("utf-8")
    ranking = done.table("screening.ranking")
    assert done.after_meeting(DAY)
    assert "福社第12号" in paper.read_text("utf-8")
    assert done.table("screening.ranking") == ranking
    assert needed() == REFRESHED
