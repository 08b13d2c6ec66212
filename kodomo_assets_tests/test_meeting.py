"""From the list to the child, through Dagster and the files that people use: sheets out and back, decisions, lists.

~3 s for every ``after_meeting`` in a test, and twice that for the meeting that several tests look at.
"""

from __future__ import annotations

import csv
import datetime as dt
import re
import stat
from pathlib import Path

import dagster as dg
import duckdb
import openpyxl
import pytest

from kodomo_assets.catalogue import load_catalogue
from kodomo_assets.definitions import build_defs
from kodomo_assets.demo.year import play_meeting, play_support
from kodomo_assets.stages.papers.results import try_results
from kodomo_assets_tests.conftest import DATES, City

APRIL = DATES[-1]
AFTER = {"review/decisions", "review/support", "review/school_lists", "evaluation/funnel", "evaluation/indicators"}


@pytest.fixture(scope="module")
def listed_city(refreshed_city, tmp_path_factory) -> City:
    return refreshed_city.copy(tmp_path_factory.mktemp("listed") / "city")


@pytest.fixture(scope="module")
def met_city(refreshed_city, tmp_path_factory) -> City:
    """The small city after its meeting of April 2025."""
    city = refreshed_city.copy(tmp_path_factory.mktemp("met") / "city")
    play_meeting(city.settings.data_dir)
    assert city.after_meeting(APRIL)
    play_support(city.settings.data_dir)
    assert city.after_meeting(APRIL)
    return city


def whole_text(path: Path) -> str:
    book = openpyxl.load_workbook(path)
    return "\n".join(
        str(cell) for sheet in book for row in sheet.iter_rows(values_only=True) for cell in row if cell is not None
    )


def test_every_refresh_holds_every_asset_and_after_meeting_what_follows_from_what_came_back(tmp_path):
    from kodomo_assets.settings import Settings

    settings = Settings.from_environment({"KODOMO_DATA_DIR": str(tmp_path), "KODOMO_KEY_FILE": str(tmp_path / "k")})
    definitions = build_defs(settings)
    selected = {
        name: {key.to_user_string() for key in definitions.resolve_job_def(name).asset_layer.selected_asset_keys}
        for name in ("yearly_refresh", "termly_refresh", "after_meeting")
    }
    graph = definitions.get_repository_def().asset_graph
    assert selected["yearly_refresh"] == selected["termly_refresh"]
    # but what a person deletes
    made = {key.to_user_string() for key in graph.materializable_asset_keys}
    assert made - selected["yearly_refresh"] == {"store/forgotten"}
    assert selected["yearly_refresh"] <= made
    assert selected["yearly_refresh"] >= AFTER | {"review/meeting_page", "review/meeting_workbook"}
    assert selected["after_meeting"] >= AFTER | {"review/meeting_page", "review/meeting_workbook", "published/analyst"}
    assert not {key for key in selected["after_meeting"] if key.startswith(("sources", "linkage", "weights"))}


def test_nothing_hangs_below_the_school_lists_and_the_log_of_exports_is_read_as_a_table(tmp_path):
    from kodomo_assets.settings import Settings

    settings = Settings.from_environment({"KODOMO_DATA_DIR": str(tmp_path), "KODOMO_KEY_FILE": str(tmp_path / "k")})
    graph = build_defs(settings).get_repository_def().asset_graph

    def parents(name: str) -> set[str]:
        return {key.to_user_string() for key in graph.get(dg.AssetKey(name.split("/"))).parent_keys}

    assert "review/exports" in parents("evaluation/funnel")
    # the numbers of children in the schools' files would tell the analysts of 支援措置
    assert "review/exports" not in parents("published/analyst")
    funnel_and_page = [("evaluation", "funnel"), ("review", "meeting_page"), ("published", "analyst")]
    below = {key.to_user_string() for key in graph.get(dg.AssetKey(["review", "school_lists"])).child_keys}
    assert not below & {"/".join(name) for name in funnel_and_page}


def test_a_refresh_writes_the_meetings_files_and_a_sheet_for_every_child(listed_city):
    outbox = listed_city.outbox(APRIL)
    assert {"判定会議.html", "判定会議.xlsx"} <= {path.name for path in outbox.iterdir()}
    listed = listed_city.query(
        "select count(*) from review.meeting_list join linkage.children using (reference_date, child_key) "
        f"where reference_date = '{APRIL}' and not protected"
    )[0][0]
    sheets = [openpyxl.load_workbook(path) for path in outbox.glob("個人票_*.xlsx")]
    numbers = [name for book in sheets for name in book.sheetnames if re.fullmatch(r"[2-9A-Z]{4}-[2-9A-Z]{4}", name)]
    assert len(numbers) == len(set(numbers)) == listed
    assert not list(outbox.glob("支援対象者_*"))
    for path in outbox.rglob("*"):
        assert stat.S_IMODE(path.stat().st_mode) == (0o700 if path.is_dir() else 0o600), path.name


def test_the_centre_has_a_key_to_every_number(listed_city):
    path = listed_city.outbox(APRIL) / "センター限り" / "配布番号一覧.xlsx"
    rows = [row[:3] for row in openpyxl.load_workbook(path).worksheets[0].iter_rows(min_row=5, values_only=True)]
    known = listed_city.query(
        "select l.sheet_number, r.name, r.resident_id from review.meeting_list as l "
        "join linkage.children as c using (reference_date, child_key) "
        "join sources.resident_register as r using (reference_date, resident_id) "
        f"where l.reference_date = '{APRIL}' order by l.sheet_number"
    )
    assert rows == known
    logged = listed_city.query(
        f"select file, children from review.exports where kind = '配布番号一覧' and reference_date = '{APRIL}'"
    )
    assert logged == [("センター限り/配布番号一覧.xlsx", len(known))]


def test_schools_report_on_their_lists_whom_they_spoke_to(met_city):
    rows = met_city.query(
        "select count(*), count(*) filter (report is not null), count(distinct given_on) from review.support "
        "where kind = '声かけ' and outcome = '声かけ済み'"
    )
    told = met_city.query(
        "select count(*) from review.decisions join linkage.children using (reference_date, child_key) "
        "where decision = 'b' and not protected"
    )[0][0]
    assert rows[0][0] == rows[0][1]
    assert 0 < rows[0][0] <= told
    assert met_city.query("select count(*) from review.rejections") == [(0,)]
    assert "report" not in {
        name
        for (name,) in met_city.query(
            "select column_name from duckdb_columns() where table_name = 'support'",
            met_city.settings.analyst_database,
        )
    }


def test_the_sample_below_the_cut_is_drawn_in_april_only_and_hides_the_scores(listed_city):
    rows = listed_city.query(
        "select reference_date, origin, count(*), count(*) filter (selected) from review.meeting_list "
        "join screening.ranking using (reference_date, child_key) group by all order by all"
    )
    samples = {day: (n, selected) for day, origin, n, selected in rows if origin == "sample"}
    assert samples == {DATES[0]: (20, 0), APRIL: (20, 0)}
    assert all(n == selected for _, origin, n, selected in rows if origin == "selected")
    april = (listed_city.outbox(APRIL) / "判定会議.html").read_text("utf-8")
    january = (listed_city.outbox(DATES[2]) / "判定会議.html").read_text("utf-8")
    points = [
        f"{row[0]:.1f}"
        for row in listed_city.query(
            "select round(score * 1000, 1) from review.meeting_list join screening.ranking "
            f"using (reference_date, child_key) where reference_date = '{APRIL}' and score > 0.1"
        )
    ]
    assert points
    assert not [number for number in points if re.search(rf"(?<![\d.]){re.escape(number)}(?!\d)", april)]
    assert "点数を表示" in january


def test_without_decisions_no_school_list_is_made_and_all_the_rest_is(listed_city, tmp_path, capfd):
    city = listed_city.copy(tmp_path / "city")
    # the refresh itself, without decisions: funnel, page and publication are there
    assert city.query("select count(*) > 0, count(distinct reference_date) from evaluation.funnel") == [(True, 4)]
    assert (city.settings.data_dir / "analyst.duckdb").is_file()
    assert city.after_meeting(APRIL)
    said = capfd.readouterr().err
    assert "0 decisions at 2025-04-01, expected at least 1" in said
    assert not list(city.outbox(APRIL).glob("支援対象者_*"))
    assert city.query(
        "select selected = undecided and below_cut = below_cut_undecided from evaluation.funnel "
        f"where reference_date = '{APRIL}' and school_code is null and school_year is null"
    ) == [(True,)]


def test_every_child_of_the_list_is_decided_and_the_funnel_adds_up(met_city):
    listed, decided = met_city.query(
        "select (select count(*) from review.meeting_list where reference_date = '2025-04-01'), "
        "(select count(*) from review.decisions)"
    )[0]
    assert listed == decided
    assert met_city.query("select count(*) from review.rejections") == [(0,)]
    rows = met_city.query(
        "select selected, accepted + preventive + follow_up + not_supported + undecided, screened "
        "from evaluation.funnel where reference_date = '2025-04-01'"
    )
    assert all(people == decisions for people, decisions, _ in rows)
    total = met_city.query(
        "select screened, selected, below_cut, undecided, accepted, spoken_to, offered, taken_up, supported "
        "from evaluation.funnel "
        "where reference_date = '2025-04-01' and school_code is null and school_year is null"
    )[0]
    selected = met_city.query("select count(*) from screening.ranking where reference_date = '2025-04-01' and selected")
    # of a small city's list the demo takes every kind of decision, a and b among them
    assert total[1:4] == (selected[0][0], 20, 0)
    assert total[4] > 0
    assert total[5] > 0
    assert total[5] >= total[6] >= total[7] >= total[8]


def test_the_sheets_that_came_back_stand_beside_the_factors(met_city):
    listed = met_city.query("select count(*) from review.meeting_list where reference_date = '2025-04-01'")
    assert met_city.query("select count(*) from review.personal_sheets") == listed
    assert "週に一度、担任が声をかけている。" in (met_city.outbox(APRIL) / "判定会議.html").read_text("utf-8")


def test_a_schools_list_holds_its_own_children_their_decision_and_no_score(met_city):
    paths = sorted(met_city.outbox(APRIL).glob("支援対象者_*.xlsx"))
    told = 0
    for path in paths:
        text = whole_text(path)
        school = path.stem.removeprefix("支援対象者_")
        expected = {
            row[0]
            for row in met_city.query(
                "select l.sheet_number from review.decisions as d "
                "join review.meeting_list as l using (reference_date, child_key) "
                "join linkage.children as c using (reference_date, child_key) "
                "join sources.school_register as s on s.resident_id = c.resident_id and s.reference_date = d.reference_date "
                f"where d.decision <> 'd' and not c.protected and s.school_name = '{school}'"
            )
        }
        assert set(re.findall(r"[2-9A-Z]{4}-[2-9A-Z]{4}", text)) == expected
        told += len(expected)
        for word in ("点", "順位", "手当", "生活保護", "就学援助", "滞納"):
            assert word not in text
    assert told > 0


def test_what_the_meeting_saw_is_kept_and_a_second_run_writes_nothing(met_city, tmp_path):
    city = met_city.copy(tmp_path / "city")
    outbox = city.outbox(APRIL)
    assert {"判定会議_旧1.html", "判定会議_旧1.xlsx"} <= {path.name for path in outbox.iterdir()}
    # 状況.html tells when somebody looked last
    (outbox / "状況.html").unlink()
    before = {path.name: path.stat().st_mtime_ns for path in outbox.iterdir()}
    exports = city.table("review.exports")
    decisions = city.table("review.decisions")
    assert city.after_meeting(APRIL)
    (outbox / "状況.html").unlink()
    assert {path.name: path.stat().st_mtime_ns for path in outbox.iterdir()} == before
    assert city.table("review.exports") == exports
    assert city.table("review.decisions") == decisions
    assert {kind for (kind,) in city.query("select distinct kind from review.exports")} == {
        "個人票",
        "判定会議",
        "支援対象者",
        "支援記録",
        "配布番号一覧",
        "モデルカード",
    }


def test_a_wrong_row_is_told_by_sheet_and_row_and_changes_nothing(met_city, tmp_path):
    city = met_city.copy(tmp_path / "city")
    before = city.table("review.decisions")
    child = city.query("select child_key from review.meeting_list where reference_date = '2025-04-01' limit 1")[0][0]
    path = city.inbox(APRIL) / "判定_追加.csv"
    with path.open("w", encoding="cp932", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["child_key", "会議日", "判定", "理由", "支援の方向性", "判定者"])
        writer.writerow([child, "2025-06-01", "e", "", "", "会議"])
        writer.writerow(["0" * 32, "2025-06-01", "a", "", "", "会議"])
    assert city.after_meeting(APRIL)
    assert city.table("review.decisions") == before
    problems = city.query("select file, row_number, problem from review.rejections order by row_number")
    assert [(file, row) for file, row, _ in problems] == [("判定_追加.csv", 2), ("判定_追加.csv", 3)]
    assert "expected one of a, b, c, d" in problems[0][2]
    assert not any(child in problem for _, _, problem in problems)


def test_a_later_meeting_wins_and_the_earlier_decision_stays(met_city, tmp_path):
    city = met_city.copy(tmp_path / "city")
    child = city.query("select child_key from review.decisions where decision = 'd' order by child_key limit 1")[0][0]
    (city.inbox(APRIL) / "判定_6月.csv").write_text(
        f"児童キー,会議日,判定,理由,支援の方向性,判定者\n{child},令和7年6月10日,b,学校からの相談,学校での見守り,社会福祉士\n",
        "utf-8",
    )
    preventive = (
        "select preventive + below_cut_preventive from evaluation.funnel "
        "where reference_date = '2025-04-01' and school_code is null and school_year is null"
    )
    before = city.query(preventive)[0][0]
    assert city.after_meeting(APRIL)
    rows = city.query(f"select meeting_date, decision from review.decisions where child_key = '{child}' order by 1")
    assert rows == [(dt.date(2025, 5, 20), "d"), (dt.date(2025, 6, 10), "b")]
    assert city.query(preventive)[0][0] == before + 1


def test_the_analysts_see_decisions_without_words_about_anybody(met_city):
    columns = met_city.query(
        "select table_name || '.' || column_name from duckdb_columns() where schema_name in ('review', 'evaluation')",
        met_city.settings.analyst_database,
    )
    names = {name for (name,) in columns}
    assert {"decisions.decision", "personal_sheets.concern", "support.outcome", "funnel.preventive"} <= names
    assert not names & {"decisions.reason", "personal_sheets.teacher_note", "meeting_list.sheet_number", "support.kind"}


def test_the_program_declares_all_words_of_its_own_and_the_roles_of_the_meeting_are_kept(met_city):
    """その他 stands nowhere in a whole year's file: what stages write is declared, and the demo's meeting writes roles."""
    file = met_city.settings.analyst_database
    texts = met_city.query(
        "select schema_name || '.' || table_name, column_name from duckdb_columns() "
        "where not internal and data_type = 'VARCHAR' and schema_name not in ('catalogue', 'views')",
        file,
    )
    assert len(texts) > 100
    others = " union all ".join(f"select '{table}.{column}' from {table} where \"{column}\" = 'その他'" for table, column in texts)  # fmt: skip
    assert met_city.query(others, file) == []
    assert met_city.query("select distinct decided_by from review.decisions", file) == [("社会福祉士・公認心理師・子ども家庭支援員",)]  # fmt: skip


def test_the_years_report_tells_what_is_published_and_nothing_exact(met_city):
    page = (met_city.outbox(APRIL) / "成果報告.html").read_text("utf-8")
    cells = dict(re.findall(r'<tr><th>([^<]+)</th><td class="number">([^<]*)</td></tr>', page))
    told = "screened, selected, preventive, follow_up, spoken_to, offered, below_cut"
    totals = f"select {told} from evaluation.funnel where reference_date = date '{APRIL}' and coalesce(school_code, school_year::varchar) is null"
    (published,) = met_city.query(totals, met_city.settings.analyst_database)
    steps = (
        "対象",
        "抽出",
        "b 予防的支援",
        "c 経過観察",
        "声かけをした",
        "支援を案内した",
        "境界より下で会議にかけた（無作為抽出、会議での追加）",
    )
    assert [cells[step] for step in steps] == ["＊" if number is None else f"{number:,}" for number in published]
    (exact,) = met_city.query(totals)
    assert exact != published
    # room for the words of people, and nothing that runs
    assert page.count('contenteditable="true"') > 20
    assert "<script" not in page


def test_before_the_meeting_there_is_no_report(listed_city):
    assert not (listed_city.outbox(APRIL) / "成果報告.html").exists()


def test_a_template_of_the_report_that_cannot_be_used_stops_nothing(met_city, tmp_path):
    (tmp_path / "templates").mkdir()
    (tmp_path / "templates" / "results.html").write_text("{{ no_such_fact }}", "utf-8")
    (tmp_path / "city.yaml").write_text("registry: {templates: templates}", "utf-8")
    catalogue = load_catalogue(tmp_path / "city.yaml")
    with duckdb.connect(str(met_city.settings.analyst_database), read_only=True) as con:
        made, outcome = try_results(con, catalogue, APRIL, decided=True)
    assert (made, outcome.passed, outcome.blocking) == ({}, False, False)
    assert "registry.templates: results.html: 'no_such_fact' is undefined" in outcome.message
