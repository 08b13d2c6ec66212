"""``review.papers`` through Dagster: made without any delivery, remade with the registry, its checks said."""

import datetime as dt
from zoneinfo import ZoneInfo

from kodomo_assets_tests.defs.conftest import DAY, Office, checks, said


def outbox(office: Office) -> set[str]:
    return {path.name for path in (office.settings.outbox / DAY).iterdir()}


def test_papers_are_made_where_nothing_was_delivered(office):
    result = office.materialize("review.papers")
    assert result.success
    assert {name for name in outbox(office) if name.endswith(".html")} >= {
        "説明資料_社会福祉課.html",
        "説明資料_各学校.html",
    }
    assert "個人情報ファイル簿.xlsx" in outbox(office)
    assert checks(result)["registry_settled"] is False
    assert "registry.body" in said(result, "registry_settled")


def test_a_table_that_the_city_uses_beside_the_others_is_read_and_told(office):
    page = office.settings.outbox / DAY / "説明資料_こども未来センター.html"
    office.materialize("review.papers")
    assert "学習・生活支援事業" not in page.read_text("utf-8")
    office.configure("tables: {learning_support: {used: true}}")
    office.deliver(
        "学習・生活支援事業.csv", "宛名番号,利用開始日,利用終了日", "1,2024-05-01,", "2,令和6年5月1日,2025-03-31"
    )
    result = office.materialize("sources.learning_support", "review.papers")
    assert result.success
    assert office.query(
        "select resident_id, started_on::varchar, ended_on::varchar from sources.learning_support order by 1"
    ) == [
        ("0000000001", "2024-05-01", None),
        ("0000000002", "2024-05-01", "2025-03-31"),
    ]
    assert "支援のヒントを、利用中の児童には示さないため" in page.read_text("utf-8")


def test_a_change_of_the_registry_changes_the_papers(office):
    office.materialize("review.papers")
    page = office.settings.outbox / DAY / "説明資料_社会福祉課.html"
    assert "福社第12号" not in page.read_text("utf-8")
    office.configure(
        "sections: {disability_welfare: {ja: 障がい福祉課}}\n"
        "registry: {agreements: {social_welfare: {document: 福社第12号}}}"
    )
    office.materialize("review.papers")
    assert "福社第12号" in page.read_text("utf-8")
    # an edition of before was out: it is kept under another name, and so is that of an office with another name
    assert "福社第12号" not in page.with_name("説明資料_社会福祉課_旧1.html").read_text("utf-8")
    assert "説明資料_障がい福祉課.html" in outbox(office)
    assert "説明資料_障害福祉課.html" not in outbox(office)
    assert "説明資料_障害福祉課_旧1.html" in outbox(office)
    # and once more: what is old stays as it is
    before = outbox(office)
    office.materialize("review.papers")
    assert outbox(office) == before


def test_a_template_that_cannot_be_used_stops_nothing_and_is_said(office):
    office.materialize("review.papers")
    before = {path.name: path.read_bytes() for path in (office.settings.outbox / DAY).iterdir()}
    office.configure("registry: {templates: templates, body: 架空市長}")
    result = office.materialize("review.papers")
    assert result.success
    assert checks(result)["papers_made"] is False
    assert said(result, "papers_made") == (
        "no paper was made, those of before stand: registry.templates: templates is no folder"
    )
    assert {path.name: path.read_bytes() for path in (office.settings.outbox / DAY).iterdir()} == before


def test_the_days_to_the_end_of_a_basis_are_counted_from_today(office):
    # whatever day the test runs on
    soon = dt.datetime.now(ZoneInfo("Asia/Tokyo")).date() + dt.timedelta(days=30)
    office.configure(f"tables: {{public_assistance: {{legal: {{valid_until: {soon}}}}}}}")
    result = office.materialize("review.papers")
    assert checks(result)["bases_hold"] is False
    assert f"ends on {soon}, in 30 days: 社会福祉課 生活保護" in said(result, "bases_hold")


def test_papers_of_the_newest_date_that_say_something_else_than_now_are_named(office):
    office.materialize("review.papers")
    result = office.materialize("review.papers", day="2024-04-01")
    assert checks(result)["papers_current"] is True
    office.configure("registry: {body: 架空市長}")
    result = office.materialize("review.papers", day="2024-04-01")
    assert checks(result)["papers_current"] is False
    assert said(result, "papers_current") == (
        "the papers in outbox/2025-04-01/ are older than a change of what is read or of the registry: "
        "`after-meeting 2025-04-01` makes them anew"
    )
    office.materialize("review.papers")
    assert checks(office.materialize("review.papers", day="2024-04-01"))["papers_current"] is True
