"""状況.html, written at every look and after every run: what is missing, what was sent back, what is red, who mends it."""

from __future__ import annotations

import datetime as dt
import html
import json
import re
import uuid
from zoneinfo import ZoneInfo

import dagster as dg
import pytest

from kodomo_assets.catalogue import load_catalogue
from kodomo_assets.defs.asking import ask
from kodomo_assets.defs.failures import ToldTickError
from kodomo_assets.defs.house import House
from kodomo_assets.defs.partitions import reference_dates
from kodomo_assets.defs.running import PARTITION, failed_run
from kodomo_assets.defs.status import check_specs
from kodomo_assets.errors import StoreFaultError
from kodomo_assets.machine.home import make_home
from kodomo_assets.refreshing.needs import job_name, need, read_accounts
from kodomo_assets.settings import Settings
from kodomo_assets.stages.papers import status
from kodomo_assets.stages.sources.arrivals import Hashes
from kodomo_assets.store.connection import connect
from kodomo_assets.store.exports import made_files
from kodomo_assets_tests.conftest import City
from kodomo_assets_tests.defs.conftest import DAY, Office
from kodomo_assets_tests.defs.test_asking import run_of
from kodomo_assets_tests.defs.test_sensor import ASSISTANCE, REGISTER, Watcher
from kodomo_assets_tests.holder import held
from kodomo_assets_tests.internals import core_execute_run, program

NAME = "状況.html"


@pytest.fixture
def watcher(office) -> Watcher:
    office.configure("ingest: {settle_seconds: 0}")
    return Watcher(office)


def page(office: Office, day: str = DAY) -> str:
    return (office.settings.outbox / day / NAME).read_text("utf-8")


def rows(text: str) -> list[list[str]]:
    """The cells of every line of every table, in words."""
    lines = re.findall(r"<tr>(.*?)</tr>", text, re.DOTALL)
    cells = (
        [re.sub(r"<[^>]+>", "", cell) for cell in re.findall(r"<t[hd].*?>(.*?)</t[hd]>", x, re.DOTALL)] for x in lines
    )
    return [[html.unescape(cell).strip() for cell in line] for line in cells]


def states(text: str) -> dict[str, str]:
    """Table -> its state, of the offices' tables."""
    return {line[1]: line[2] for line in rows(text) if len(line) == 6 and line[1] != "資料"}


def test_nothing_is_told_of_a_city_that_has_nothing(office, watcher):
    watcher.look()
    assert not office.settings.outbox.exists()


def test_what_is_missing_is_told_before_anything_was_read(office, watcher):
    office.deliver("生活保護.csv", *ASSISTANCE)
    office.deliver("なぞの表.csv", "a", "1")
    watcher.look()
    found = states(page(office))
    assert found["生活保護"] == "届いた。まだ読んでいない"
    assert (found["住民記録"], found["学齢簿"], found["児童相談記録"]) == ("まだ届いていない",) * 3
    assert found["EPDS"] == "一度も届いていない"
    assert ["なぞの表.csv", "どの表か、名前から分かりません。表の名前で始まる名前にしてください"] in rows(page(office))
    assert "届いていない、または受け取れない資料 3件" in page(office)
    # the reference date that has come since is looked at too
    later = [path.parent.name for path in office.settings.outbox.glob(f"*/{NAME}")]
    assert len(later) == 2
    assert set(states(page(office, max(later))).values()) <= {
        "まだ届いていない",
        "一度も届いていない",
        "法令上の根拠の期限が切れ、読まない",
    }


def test_a_database_that_cannot_be_read_is_told_on_the_page_until_it_can(office, watcher):
    office.deliver("生活保護.csv", *ASSISTANCE)
    office.settings.database.write_bytes(b"no database")
    with pytest.raises(ToldTickError, match=r"kodomo\.duckdb is no DuckDB database"):
        watcher.look()
    notice = office.settings.outbox / DAY / "要対応.txt"
    said = "kodomo.duckdbは、DuckDBのデータベースではありません（同じ名前の別のファイルです）。何も変えていません"
    closed = "データベースが読めないので、更新は止まっています"
    first, second, third = notice.read_text("utf-8-sig").splitlines()[1:4]
    assert (first, second.startswith(f"・{said}"), third) == (f"・{closed}", True, f"・→ {StoreFaultError.remedy}")
    assert (closed in page(office), said in page(office), "まだ届いていない" in page(office)) == (True, True, False)
    office.settings.database.unlink()
    watcher.look()
    assert closed not in page(office) + notice.read_text("utf-8-sig")


def test_what_was_sent_back_and_which_checks_do_not_hold(office, watcher):
    office.deliver("生活保護.csv", *ASSISTANCE, *(f"{n},2024-04-01" for n in range(2, 41)), "41,いつか")
    office.deliver("住民記録.csv", "宛名番号,世帯番号", "1,1")
    office.deliver("なぞの表.csv", "a", "1")
    office.deliver("給食費.csv", "宛名番号,年度,滞納月数", "1,いつか,1")
    office.materialize("sources.public_assistance", "sources.resident_register", "sources.school_lunch_fees")
    with connect(office.settings.database) as con:
        con.execute(
            "insert into weights.versions by name select '2025-04-01.3' as version, 'lower' as band, $1::date as "
            "reference_date, '' as fingerprint, 'ever' as label, now() as created_at, 'pooled' as origin, "
            "$1::date as in_force_from, '課長' as decided_by, "
            "'内緒 (2024-04-01.pooled.1; 9 events, expected 210 (5 per own level))' as reason",
            [DAY],
        )
        con.execute("insert into weights.in_force by name select $1::date as reference_date, '2025-04-01.3' as version", [DAY])  # fmt: skip
    watcher.look()
    assert "<p>小1〜小3の順位は、複数の市で推定した重み（2024-04-01.pooled.1、課長が採用）によります。</p>" in page(
        office
    )
    assert "内緒" not in page(office)
    lines = {line[1]: line for line in rows(page(office)) if len(line) == 6}
    assert lines["生活保護"][3:5] == ["40", "1"]
    assert (
        lines["生活保護"][5] == "日付として読めません（1か所）→「2025-04-01」または「令和7年4月1日」の形にしてください"
    )
    assert (lines["住民記録"][2], lines["給食費"][2]) == ("受け取れない。直して出し直してもらう",) * 2
    notice = (office.settings.outbox / DAY / "要対応.txt").read_text("utf-8-sig")
    assert [line for line in notice.splitlines() if "受け取れません" in line] == [
        "・市民窓口課の住民記録が受け取れません。差し戻しました",
        "・健康教育課の給食費が受け取れません。差し戻しました",
    ]
    (found,) = [line for line in rows(page(office)) if len(line) == 5 and line[1].startswith("どの表のものでもない")]
    assert "読まなかったファイルが1件：なぞの表.csv。" in found[1]
    assert found[2:4] == ["センター", "ファイルの名前を表の名前で始まるように直すか、受信フォルダーから出してください"]


def test_what_lies_in_no_folder_of_a_date_is_told(office, watcher):
    office.deliver("生活保護.csv", *ASSISTANCE)
    office.deliver("給食費.csv", "a", day="2025-4-1")
    office.deliver("給食費.csv", "a", day="2023-04-01")  # a roster may have come alone to a date of long ago
    (office.settings.inbox / "住民記録.csv").write_text("x")
    (office.settings.inbox / "学務課").mkdir()
    (office.settings.inbox / "学務課" / "学齢簿.csv").write_text("x")
    (office.settings.inbox / ".DS_Store").write_text("x")
    watcher.look()
    told = [line[0] for line in rows(page(office)) if line[1:] == [status._NO_DATE]]
    assert told == ["2025-4-1/", "住民記録.csv", "学務課/学齢簿.csv"]


def test_a_file_that_is_gone_and_the_name_of_a_refused_one_are_told(office, watcher):
    attendance = "学籍番号,年月,授業日数,欠席日数,遅刻回数,早退回数,保健室利用回数"
    second = office.deliver("出欠_B校.csv", attendance, "2,2025-01,18,0")
    for name in "ACDEFGHIJKL":
        office.deliver(f"出欠_{name}校.csv", attendance, f"{ord(name)},2025-01,18,0")
    assert office.materialize("sources.attendance").success
    second.unlink()
    office.deliver("なぞの表.csv", "a", "1")
    watcher.look()
    assert states(page(office))["出欠"].startswith("読んだファイルが受信フォルダーからなくなっている")
    office.deliver("出欠_B校.csv", "なに", "1")
    assert office.materialize("sources.attendance").success
    watcher.look()
    (line,) = [line for line in rows(page(office)) if len(line) == 6 and line[1] == "出欠"]
    assert line[2] == "受け取れない。直して出し直してもらう"
    assert "（1か所：出欠_B校.csv）" in line[5]


def test_before_the_first_list_every_step_has_its_day(office, watcher):
    office.deliver("生活保護.csv", *ASSISTANCE)
    watcher.look()
    steps = {line[0]: line[1:] for line in rows(page(office)) if len(line) == 4}
    assert steps["判定会議で全員の判定を終える"] == ["2025-05-17", "", "期日を過ぎています"]
    assert list(steps)[1:] == ["各課の資料がそろう", "更新（一覧を作る）", "判定会議で全員の判定を終える", "次の基準日"]
    # whom to ask stands in the notice too
    first, *rest = (office.settings.outbox / DAY / "要対応.txt").read_text("utf-8-sig").splitlines()[1:]
    awaited = "市民窓口課の住民記録、こども未来センターの児童相談記録、学務課の学齢簿"
    # what waits for the list waits for them
    after = "このあとの2件の期日も、そのために過ぎています"
    assert first == f"・各課の資料がそろう：期日（2025-04-19）を過ぎています。届いていない資料：{awaited}。{after}"
    assert [line for line in rest if "期日" in line] == []


def test_what_a_check_said_stands_until_it_is_made_again(office, watcher):
    office.deliver("なぞの表.csv", "a", "1")
    office.deliver("生活保護.csv", *ASSISTANCE, "1,2024-04-01")
    office.materialize("sources.public_assistance")
    watcher.look()
    before = {line[1] for line in rows(page(office)) if len(line) == 5}
    # a run that plans the same checks and fails before it comes to them
    office.deliver("住民記録.csv", "なに", "1")
    office.configure("publish: {group: no-such-group}\ningest: {settle_seconds: 0}")
    assert not office.materialize("sources.public_assistance").success
    office.configure("ingest: {settle_seconds: 0}")
    watcher.look()
    assert before <= {line[1] for line in rows(page(office)) if len(line) == 5}


def test_a_run_that_failed_is_told_with_its_sentence(office, watcher):
    office.deliver("住民記録.csv", *REGISTER)
    office.materialize("linkage.children", "linkage.residents")
    watcher.look()
    told = page(office)
    assert "最後の更新が失敗しました" in told
    assert "学齢簿" in re.search(r"<ul>(.*?)</ul>", told, re.DOTALL)[1]


def test_a_run_that_never_came_to_a_step_is_told_with_what_it_failed_of(office, watcher, monkeypatch):
    """As where city.yaml was spoilt after the daemon began: the run's own process loads the program anew."""
    office.deliver("生活保護.csv", *ASSISTANCE)
    assert office.materialize("sources.public_assistance").success
    for name, place in {"KODOMO_DATA_DIR": office.settings.data_dir, "DAGSTER_HOME": office.root / "home"}.items():
        monkeypatch.setenv(name, str(place))
    make_home(Settings.from_environment())
    overlay = office.settings.data_dir / "city.yaml"
    before = overlay.read_bytes()
    overlay.write_text("screening: {top_shar: 0.1}", "utf-8")

    def fail(module: str, why: str) -> tuple[str, str]:
        run = run_of(office.instance, job_name="yearly_refresh", tags={PARTITION: DAY})
        with pytest.raises(Exception, match=why):
            list(core_execute_run(program("yearly_refresh", module), run, office.instance, inject_env_vars=False))
        overlay.write_bytes(before)
        watcher.look()
        return page(office), (office.settings.outbox / DAY / "要対応.txt").read_text("utf-8-sig")

    for text in fail("kodomo_assets.definitions", "unknown key"):
        assert "どの手順にも入らずに失敗しました。city.yaml：screening.top_sharというキーはありません" in text
        assert "→ 設定（city.yaml）か、打った値の誤りです" in text
        assert "途中で終わりました" not in text
    # of an error of others, whose text may hold anything, only the kind
    for text in fail("no_such_program", "No module"):
        assert "どの手順にも入らずに失敗しました（DagsterImportError）" in text
        assert "no_such_program" not in text


def test_a_run_that_dagster_found_dead_is_told_in_japanese(office, watcher):
    office.deliver("生活保護.csv", *ASSISTANCE)
    assert office.materialize("sources.public_assistance").success
    tags = {PARTITION: DAY}
    run = run_of(office.instance, job_name="yearly_refresh", status=dg.DagsterRunStatus.STARTED, tags=tags)
    office.instance.report_run_failed(run)
    watcher.look()
    assert "途中で終わりました（止められたか、機械の電源が切れました）" in page(office)
    assert "from outside the execution context" not in page(office)
    notice = (office.settings.outbox / DAY / "要対応.txt").read_text("utf-8-sig")
    assert "途中で終わりました" in notice


def test_while_somebody_holds_the_database_the_page_stays(office, watcher):
    office.deliver("生活保護.csv", *ASSISTANCE)
    office.materialize("sources.public_assistance")
    watcher.look()
    before = page(office)
    with held(office.settings.database):
        _, why = watcher.look()
    assert "a refresh is under way" in why
    assert page(office) == before


def test_a_tool_that_keeps_the_database_open_is_told_until_it_goes(office, watcher):
    office.deliver("生活保護.csv", *ASSISTANCE)
    office.materialize("sources.public_assistance")
    watcher.look()
    before = notice(office)
    with held(office.settings.database) as process:
        watcher.look()
        begun = dt.datetime.fromisoformat(json.loads(watcher.cursor)["busy"])
        # half an hour ago, by the sensor's own note
        watcher.cursor = json.dumps(
            json.loads(watcher.cursor) | {"busy": (begun - dt.timedelta(minutes=30)).isoformat()}
        )
        watcher.look()
        since = (begun - dt.timedelta(minutes=30)).astimezone(ZoneInfo("Asia/Tokyo"))
        stopped = f"ほかの道具がデータベースを開いたままなので（{since:%Y-%m-%d %H:%M}から）、更新は止まっています"
        first = (notice(office), page(office))
        assert all(stopped in text and str(process) in text for text in first)
        watcher.look()
        # the same: a mail goes out when it changes
        assert notice(office) == first[0]
        # a run is given its time, however long ago it was found open
        run_of(office.instance, job_name="yearly_refresh", status=dg.DagsterRunStatus.STARTED, tags={PARTITION: DAY})
        watcher.look()
        assert dt.datetime.fromisoformat(json.loads(watcher.cursor)["busy"]) > begun
    watcher.look()
    assert "busy" not in json.loads(watcher.cursor)
    assert stopped not in page(office)
    assert notice(office) == before


def test_a_look_that_fails_is_told_where_people_look(office, watcher):
    office.deliver("生活保護.csv", *ASSISTANCE)
    office.materialize("sources.public_assistance")
    watcher.look()
    away = office.settings.inbox.rename(office.root / "away")
    with pytest.raises(ToldTickError, match="is a drive not connected"):
        watcher.look()
    failed = "受信フォルダーの見回りが失敗したので、更新は止まっています"
    for text in (page(office), notice(office)):
        assert failed in text
        assert "受信フォルダー" in text.partition(failed)[2]
    away.rename(office.settings.inbox)
    watcher.look()
    assert failed not in page(office)


def test_a_database_of_another_version_is_told_where_people_look(office, watcher):
    office.deliver("生活保護.csv", *ASSISTANCE)
    office.materialize("sources.public_assistance")
    watcher.look()
    with connect(office.settings.database) as con:
        con.execute("delete from store.migrations where number = (select max(number) from store.migrations)")
    _, why = watcher.look()
    assert "of an earlier version of this program" in why
    assert "どうなっているかが分からなくなっています" in page(office)
    assert "kodomo.duckdbは、このプログラムの前の版のものです" in page(office) + notice(office)


def notice(office: Office) -> str:
    return (office.settings.outbox / DAY / "要対応.txt").read_text("utf-8-sig")


def test_a_refresh_leaves_the_page_and_it_says_nothing_of_anybody(city: City):
    (day,) = city.query("select max(reference_date) from screening.ranking")[0]
    text = (city.outbox(day) / NAME).read_text("utf-8")
    assert {line[1]: line[2][:3] for line in rows(text) if len(line) == 6}["住民記録"] == "届いた"
    private = city.query(
        "select distinct unnest([name, name_kana, address, resident_id]) from sources.resident_register"
    )
    assert len(private) > 100
    assert not [value for (value,) in private if value and value in text]
    # it is another one every minute, and no result
    assert NAME not in made_files(city.outbox(day))


def test_the_day_after_something_was_due_asks_for_what_says_so(city: City):
    (day,) = city.query("select max(reference_date) from screening.ranking")[0]

    def needed() -> object:
        return need(city.settings, city.catalogue, day, read_accounts(city.settings), Hashes({}))

    assert needed() == "is refreshed"
    (code,) = city.query("select min(school_code) from screening.ranking")[0]
    # one more day of the calendar that is over by now
    overlay = city.settings.data_dir / "city.yaml"
    before = overlay.read_text("utf-8") if overlay.exists() else ""
    first = day + dt.timedelta(days=50)
    window = f'interviews: {{windows: {{"{code}": [{{from: "{first:%m-%d}", until: "{first:%m-%d}"}}]}}}}\n'
    overlay.write_text(before + window, "utf-8")
    found = needed()
    assert (found.job, found.why) == ("after_meeting", "has a day of its calendar behind it")


def test_every_check_says_who_mends_what_it_found(office):
    names = {spec.name for spec in check_specs(office.definitions.get_repository_def())}
    assert names == load_catalogue().remedies.keys()


def test_a_later_run_of_another_date_takes_nothing_red_away(office, watcher):
    office.deliver("生活保護.csv", *ASSISTANCE, "2,いつか", "3,いつか")
    assert not office.materialize("sources.public_assistance").success
    office.deliver("生活保護.csv", *ASSISTANCE, day="2025-01-01")
    assert office.materialize("sources.public_assistance", day="2025-01-01").success
    watcher.look()
    (line,) = [line for line in rows(page(office)) if line[0] == "生活保護（受け入れた行）" and "止まって" in line[1]]
    assert "基準日" not in line[4]
    assert "止まっている検査 1件" in page(office)


def test_what_an_older_date_found_is_told_with_its_date(office, watcher):
    office.deliver("生活保護.csv", *ASSISTANCE)
    assert office.materialize("sources.public_assistance").success
    office.deliver("生活保護.csv", *ASSISTANCE, "2,いつか", "3,いつか", day="2025-01-01")
    assert not office.materialize("sources.public_assistance", day="2025-01-01").success
    watcher.look()
    (line,) = [line for line in rows(page(office)) if line[0] == "生活保護（受け入れた行）" and "止まって" in line[1]]
    assert line[4].endswith("（基準日 2025-01-01）")


def test_a_refresh_that_failed_is_told_until_a_refresh_mends_it_and_asked_for_again(city: City):
    (day,) = city.query("select max(reference_date) from screening.ranking")[0]
    job = job_name(city.catalogue.calendar, day)
    house = House(catalogue=city.catalogue, settings=city.settings, partitions=reference_dates(city.catalogue.calendar))
    with dg.DagsterInstance.ephemeral() as instance:

        def run(name: str, status: dg.DagsterRunStatus) -> None:
            tags = {"dagster/partition": day.isoformat()}
            instance.add_run(dg.DagsterRun(job_name=name, run_id=str(uuid.uuid4()), status=status, tags=tags))

        def asked() -> str | None:
            now = dt.datetime.now(dt.UTC)
            answer = ask(house, instance, day, read_accounts(city.settings), Hashes({}), now)
            return answer.request.job_name if answer.request else None

        run(job, dg.DagsterRunStatus.SUCCESS)
        assert (failed_run(instance, day, job), asked()) == (None, None)
        run(job, dg.DagsterRunStatus.FAILURE)
        run("after_meeting", dg.DagsterRunStatus.SUCCESS)
        assert failed_run(instance, day, job).dagster_run.job_name == job
        assert asked() == job
        run(job, dg.DagsterRunStatus.SUCCESS)
        assert (failed_run(instance, day, job), asked()) == (None, None)
