"""The papers say what is read, field by field, and what the registry knows; nothing else, and nothing of a person."""

from __future__ import annotations

import datetime as dt
import html
import io
import re
from pathlib import Path

import openpyxl
import pytest
import yaml

from kodomo_assets.catalogue import Catalogue, load_catalogue
from kodomo_assets.errors import ConfigurationError
from kodomo_assets.stages.papers.entries import check_bases, check_settled
from kodomo_assets.stages.papers.files import papers, papers_state
from kodomo_assets.stages.papers.pages import RISKS

DAY = dt.date(2025, 4, 1)
SOURCES = Path(__file__).parents[2] / "kodomo_assets" / "catalogue" / "sources.yaml"
SETTLED = """
registry:
  body: 架空市長
  unit: こども部センター
  requests: こども部センター（架空市1-1）
  agreements:
    social_welfare: {agreed_by: 社会福祉課長, agreed_on: 2025-02-03, document: 福社第12号, told_purpose: 保護の決定のため}
    public_assistance: {assessment: 会議の資料に限る, document: 福社第13号}
"""


def city(tmp_path: Path, overlay: str) -> Catalogue:
    path = tmp_path / "city.yaml"
    path.write_text(overlay, "utf-8")
    return load_catalogue(path)


def sheets(catalogue: Catalogue, day: dt.date = DAY) -> dict[str, list[tuple]]:
    book = openpyxl.load_workbook(io.BytesIO(papers(catalogue, day)["個人情報ファイル簿.xlsx"]))
    return {sheet.title: list(sheet.iter_rows(values_only=True)) for sheet in book}


def table(rows: list[tuple]) -> list[dict[str, object]]:
    """The rows below the headers, which stand in the fourth line."""
    return [dict(zip(rows[3], row, strict=True)) for row in rows[4:]]


def text(page: bytes) -> str:
    body = page.decode().partition("<body>")[2]
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", body))


def test_the_register_has_the_lines_of_the_official_form_in_its_order(tmp_path):
    rows = sheets(city(tmp_path, SETTLED))["個人情報ファイル簿"]
    form = {label: content for label, content, *_ in rows[3:] if label}
    # the form of the commission (標準様式), typed from it
    assert list(form) == [
        "個人情報ファイルの名称",
        "行政機関等の名称",
        "個人情報ファイルが利用に供される事務をつかさどる組織の名称",
        "個人情報ファイルの利用目的",
        "記録項目",
        "記録範囲",
        "記録情報の収集方法",
        "要配慮個人情報が含まれるときは、その旨",
        "記録情報の経常的提供先",
        "開示請求等を受理する組織の名称及び所在地",
        "訂正及び利用停止に関する他の法律又はこれに基づく命令の規定による特別の手続等",
        "個人情報ファイルの種別",
        "行政機関等匿名加工情報の提案の募集をする個人情報ファイルである旨",
        "行政機関等匿名加工情報の提案を受ける組織の名称及び所在地",
        "行政機関等匿名加工情報の概要",
        "作成された行政機関等匿名加工情報に関する提案を受ける組織の名称及び所在地並びに提案をすることができる期間",
        "備考",
    ]
    assert form["行政機関等の名称"] == "架空市長"
    assert form["開示請求等を受理する組織の名称及び所在地"] == "こども部センター（架空市1-1）"
    # 支援措置 makes 住民記録 one of them
    assert form["要配慮個人情報が含まれるときは、その旨"].startswith("含む（住民記録、障害者手帳、")


def test_every_field_that_is_read_stands_there_once_and_no_other(tmp_path):
    contract = yaml.safe_load(SOURCES.read_text("utf-8"))
    names = {key: section["ja"] for key, section in contract["sections"].items()}
    expected = [
        (names[one["section"]], one["ja"], column["ja"])
        for one in contract["tables"].values()
        for column in one["columns"].values()
        if (one["ja"], column["ja"]) != ("生活保護", "扶助種別") and one.get("used") is not False
    ]
    without = "tables: {public_assistance: {without: {aid_type: 提供されない}}}"
    rows = table(sheets(city(tmp_path, without))["記録項目"])
    found = [(row["保有・管理主体"], row["データ"], row["記録項目"]) for row in rows]
    assert sorted(found) == sorted(expected)
    assert [row["番号"] for row in rows] == list(range(1, len(expected) + 1))


def test_a_field_says_what_it_is_for(tmp_path):
    used = {(row["データ"], row["記録項目"]): row["用途"] for row in table(sheets(city(tmp_path, "{}"))["記録項目"])}
    assert used["EPDS", "合計点"] == "母のEPDS"
    assert used["住民記録", "住所"] == "本人の確認、名簿の表示、名寄せの確認"
    assert used["住民記録", "支援措置"] == "支援措置の対象者の保護"
    # sex and nationality have no weight
    assert used["住民記録", "国籍"] == "公平の点検（点数には使わない）"
    assert used["住民記録", "性別"] == "公平の点検（点数には使わない）、記録と児童の照合（名寄せ）"
    assert used["学校健診", "身長"] == "項目の判定には使わない（確認や表示に使うことがある）"


def test_a_basis_and_its_agreement_stand_there_as_the_registry_has_them(tmp_path):
    rows = {row["データ"]: row for row in table(sheets(city(tmp_path, SETTLED))["根拠と合意"])}
    assert {key: value for key, value in rows["生活保護"].items() if key != "利用の理由"} == {
        "保有・管理主体": "社会福祉課",
        "データ": "生活保護",
        "根拠": "個人情報保護法 第69条第2項第2号",
        "合意した者": "社会福祉課長",
        "合意した日": dt.datetime(2025, 2, 3),  # noqa: DTZ001  (Excel knows no time zone)
        # its own goes before its office's
        "文書番号": "福社第13号",
        "取得時に示した利用目的（62条）": "保護の決定のため",
        "69条2項ただし書の検討": "会議の資料に限る",
        "期限": "2027-03-31まで",
        "要配慮個人情報": "含まない",
        "保存年数": 5,
    }
    assert rows["住民記録"]["期限"] == "恒常的"
    assert rows["住民記録"]["合意した者"] == "（空欄）"
    # 61条1項: no harm has to be weighed
    assert rows["住民記録"]["69条2項ただし書の検討"] is None
    assert rows["障害者手帳"]["69条2項ただし書の検討"] == "（空欄）"


def test_a_table_whose_basis_ended_is_told_with_its_end_and_parents_are_told_of_what_is_used(tmp_path):
    catalogue = city(tmp_path, "tables: {public_assistance: {legal: {valid_until: 2025-03-31}}}")
    book = sheets(catalogue)
    # rows of before are still held
    assert {"生活保護（2025-03-31に終了）"} == {
        row["データ"] for row in table(book["記録項目"]) if "生活保護" in row["データ"]
    }
    ended = {row["データ"]: row["期限"] for row in table(book["根拠と合意"])}
    assert ended["生活保護"] == "2025-03-31に終了"
    page = text(papers(catalogue, DAY)["説明資料_社会福祉課.html"])
    assert "根拠が終了：2025-04-01以後は読み取りません（以前の記録は残っています）" in page
    assert "生活保護" not in text(papers(catalogue, DAY)["保護者向けお知らせ.html"])
    # on its last day it is read
    assert any(row["データ"] == "生活保護" for row in table(sheets(catalogue, dt.date(2025, 3, 31))["記録項目"]))


def test_an_office_gets_what_is_read_of_it_and_nothing_of_another(tmp_path):
    catalogue = city(tmp_path, SETTLED)
    pages = {name: text(page) for name, page in papers(catalogue, DAY).items() if name.startswith("説明資料_")}
    assert len(pages) == 14
    page = pages["説明資料_社会福祉課.html"]
    for said in (
        "生活保護",
        "扶助種別",
        "個人情報保護法 第69条第2項第2号",
        "2027-03-31まで",
        "福社第13号",
        "2025-02-03",
        "参考情報であり、判定ではありません",
        "児童生徒が在籍する学校",
        "「差戻し」",
        "こども部センター（架空市1-1）",
    ):
        assert said in page
    others = [one.ja for one in catalogue.tables.values() if one.section != "social_welfare"]
    assert [ja for ja in others if ja in page] == []


def test_parents_read_which_records_are_used_on_what_right_and_whom_to_ask(tmp_path):
    catalogue = city(tmp_path, SETTLED + "tables: {nhi_households: {legal: {valid_until: 2025-03-31}}}")
    page = text(papers(catalogue, DAY)["保護者向けお知らせ.html"])
    assert page.startswith(" こどもの困りごとに早く気づくために（保護者の皆さまへ）")
    assert "架空市長は、" in page
    assert "健康増進課 妊娠届※、乳幼児健診※、EPDS※ 2027-03-31まで" in page
    assert "市民窓口課 住民記録※、異動履歴 恒常的、2027-03-31まで" in page
    # whose basis ended: nothing of it is used
    assert "国民健康保険" not in page
    assert "貧困、虐待、ヤングケアラー、不登校、産後うつに関わる記録" in page
    assert "窓口：こども部センター（架空市1-1）" in page
    assert "開示" in page


def test_the_impact_sheet_counts_what_is_read_and_leaves_room_for_people(tmp_path):
    page = papers(city(tmp_path, SETTLED), DAY)["影響評価.html"]
    # four columns of 生活保護, its agreement whole; five entries of 障害者手帳 are empty
    assert "社会福祉課 生活保護 4 － 個人情報保護法 第69条第2項第2号 2027-03-31まで 5学年度 －" in text(page)
    assert "障害者手帳 5 含む" in text(page)
    assert text(page).count("69条2項ただし書の検討") == 21
    assert page.decode().count('<td class="write"></td>') == 9
    assert page.decode().count('<td class="lines"></td>') == 5


def test_what_stands_in_the_impact_sheet_as_evidence_is_an_asset(tmp_path):
    catalogue = load_catalogue()
    for risk in RISKS:
        for name in re.findall(r"[a-z_]+\.[a-z_]+", risk.evidence):
            assert name in catalogue.assets


def test_the_register_of_algorithms_says_what_decides_and_what_is_used(tmp_path):
    page = text(papers(city(tmp_path, SETTLED), DAY)["アルゴリズム台帳.html"])
    contract = yaml.safe_load(SOURCES.read_text("utf-8"))["tables"]
    columns = sum(len(one["columns"]) for one in contract.values() if one.get("used") is not False)
    assert f"使うデータ 24種類、{columns}項目（「個人情報ファイル簿」の「記録項目」）" in page
    assert "何を決めるか 何も決めない。" in page
    assert "上位10%の一覧。参考情報であり、判定ではありません。" in page


def test_a_city_puts_templates_of_its_own_in_place(tmp_path):
    folder = tmp_path / "templates"
    folder.mkdir()
    (folder / "notice.html").write_text(
        '{% extends "paper.html" %}{% block paper %}市からのお知らせ {{ registry.body }}{% endblock %}', "utf-8"
    )
    made = papers(city(tmp_path, SETTLED + "  templates: templates"), DAY)
    assert text(made["保護者向けお知らせ.html"]).strip().endswith("市からのお知らせ 架空市長")
    assert "おそれと、しくみに組み込まれた対策" in made["影響評価.html"].decode()


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("notice.html", "{{ registry.body }}\n{% if %}", "registry.templates: notice.html, line 2: "),
        ("notice.html", "{{ 1 / 0 }}", "registry.templates: notice.html cannot be rendered (ZeroDivisionError"),
        (
            "notice.html",
            '{% extends "notice.html" %}',
            "registry.templates: notice.html cannot be rendered (RecursionError",
        ),
        ("notice.html", "", "registry.templates: notice.html: the page lacks its content security policy"),
        (
            "notice.html",
            "<p>お知らせ</p>",
            "registry.templates: notice.html: the page lacks its content security policy",
        ),
        # nothing of the machine can be reached
        ("notice.html", "{{ cycler.__init__.__globals__.os.getcwd() }}", "registry.templates: notice.html: access to"),
        ("notice.html", "{{ registry.templates.name }}", "has no attribute 'templates'"),
        ("Notice.HTM", "", "registry.templates: Notice.HTM: no such template"),
        ("notice.html", "{{ no_such_fact }}", "registry.templates: notice.html: 'no_such_fact' is undefined"),
        ("letter.html", "", "registry.templates: letter.html: no such template, expected some of office.html"),
    ],
)
def test_a_template_that_cannot_be_used_is_said_with_its_line(tmp_path, name, content, said):
    folder = tmp_path / "templates"
    folder.mkdir()
    (folder / name).write_text(content, "utf-8")
    with pytest.raises(ConfigurationError, match=re.escape(said)):
        papers(city(tmp_path, "registry: {templates: templates}"), DAY)


def test_templates_that_are_no_folder_or_no_text_are_said(tmp_path):
    catalogue = city(tmp_path, "registry: {templates: templates}")
    with pytest.raises(ConfigurationError, match=re.escape("registry.templates: templates is no folder")):
        papers(catalogue, DAY)
    (tmp_path / "templates").mkdir()
    (tmp_path / "templates" / "notice.html").write_bytes("お知らせ".encode("cp932"))
    with pytest.raises(ConfigurationError, match="save it as UTF-8"):
        papers(catalogue, DAY)


def test_a_page_reaches_no_network(tmp_path):
    for name, page in papers(city(tmp_path, "{}"), DAY).items():
        if name.endswith(".html"):
            assert "default-src 'none'" in html.unescape(page.decode())
            assert b"<script" not in page
            assert not re.search(rb"(src|href)=|url\(|@import", page)


@pytest.mark.parametrize(
    ("today", "within", "words"),
    [
        (dt.date(2026, 10, 1), (0, 0, 0, 0, 0), "every legal basis holds for more than 180 days"),  # 181 days before
        (dt.date(2026, 10, 2), (1, 0, 0, 0, 0), "ends on 2027-03-31, in 180 days: 社会福祉課 生活保護"),
        (dt.date(2027, 1, 30), (1, 1, 0, 0, 0), "in 60 days"),
        (dt.date(2027, 3, 31), (1, 1, 1, 0, 0), "in 0 days"),
        (dt.date(2027, 4, 1), (0, 0, 0, 1, 0), "ended on 2027-03-31, not read for dates after it: 社会福祉課 生活保護"),
    ],
)
def test_the_end_of_a_basis_is_said_180_60_and_0_days_before(tmp_path, today, within, words):
    catalogue = load_catalogue()
    later = {name: {"legal": {"valid_until": "2030-03-31"}} for name in catalogue.tables if name != "public_assistance"}
    outcome = check_bases(city(tmp_path, yaml.safe_dump({"tables": later})), today)
    assert outcome.passed is (not any(within))
    assert not outcome.blocking
    # beside the numbers stand what is named and what has no end
    assert tuple(fact for fact in outcome.facts.values() if isinstance(fact, int)) == within
    assert words in outcome.message


def test_papers_are_out_of_date_on_the_day_of_a_notice_and_with_what_they_say(tmp_path):
    catalogue = load_catalogue()

    def on(*day: int) -> str:
        return papers_state(catalogue, DAY, dt.date(*day))

    # every basis but one ends on 2027-03-31: said 180, 60 and 0 days before it, and when it has ended
    assert on(2026, 1, 1) == on(2026, 10, 1)
    assert len({on(2026, 10, 1), on(2026, 10, 2), on(2027, 1, 30), on(2027, 3, 31), on(2027, 4, 1)}) == 5
    assert on(2026, 10, 2) == on(2026, 10, 3) == on(2027, 1, 29)
    settled = city(tmp_path, "registry: {body: 架空市長}")
    assert papers_state(settled, DAY, dt.date(2026, 1, 1)) != on(2026, 1, 1)


@pytest.mark.parametrize("legal", ["{valid_until: null}", "{permanent: true}"])
def test_use_beside_the_task_without_a_last_day_is_said(tmp_path, legal):
    catalogue = city(tmp_path, f"tables: {{public_assistance: {{legal: {legal}}}}}")
    outcome = check_bases(catalogue, DAY)
    assert not outcome.passed
    assert outcome.facts["without_last_day"] == 1
    assert "has no last day, though 69条2項 is for temporary use only: 社会福祉課 生活保護" in outcome.message
    rows = {row["データ"]: row for row in table(sheets(catalogue)["根拠と合意"])}
    assert rows["生活保護"]["期限"] == ("恒常的" if "permanent" in legal else "期限の定めなし")


def test_whether_harm_has_to_be_weighed_follows_from_the_article_alone(tmp_path):
    wide = "sections: {social_welfare: {basis: 個人情報保護法 第６９条第２項（第61条第3項によらない）}}"
    assert "生活保護: 合意した者、合意した日、文書番号、取得時に示した利用目的（62条）、69条2項ただし書の検討" in (
        check_settled(city(tmp_path, wide), DAY).message
    )


def test_what_is_not_settled_is_named_and_nothing_when_all_is(tmp_path):
    outcome = check_settled(city(tmp_path, SETTLED), DAY)
    assert not outcome.passed
    assert "障害福祉課 障害者手帳: 合意した者、合意した日、文書番号" in outcome.message
    assert "生活保護" not in outcome.message
    assert "registry." not in outcome.message.partition("docs/configuration.md")[2]
    # 24 tables: 2 of 61条1項 with four entries each, one settled, 21 with five
    assert outcome.facts.items() >= {"empty": 2 * 4 + 21 * 5, "tables": 23}.items()
    whole = {
        "agreed_by": "課長",
        "agreed_on": "2025-02-03",
        "document": "1号",
        "told_purpose": "目的",
        "assessment": "無",
    }
    settled = {
        "registry": {
            "body": "市長",
            "unit": "部",
            "requests": "部（市）",
            "agreements": dict.fromkeys(load_catalogue().sections, whole),
        }
    }
    outcome = check_settled(city(tmp_path, yaml.safe_dump(settled, allow_unicode=True)), DAY)
    assert outcome.passed
    assert outcome.facts.items() >= {"empty": 0, "tables": 0}.items()


@pytest.mark.parametrize(
    ("overlay", "said"),
    [
        (
            "registry: {agreements: {social_welfar: {agreed_by: 課長}}}",
            "no office and no table 'social_welfar'; did you mean 'social_welfare'?",
        ),
        ("registry: {agreements: {social_welfare: {agreed: 課長}}}", "agreed"),
        ("registry: {notice_days: [60, 180]}", "found [60, 180], expected each once, the longest first"),
        ("registry: {body: ''}", "registry.body"),
        (
            "registry: {agreements: {social_welfare: {agreed_on: 2205-01-01}}}",
            "registry.agreements.social_welfare.agreed_on: found 2205-01-01; expected a day on or before today",
        ),
        ("sections: {schools: {ja: 学務課}}", "another office is called '学務課' too"),
        ("sections: {schools: {ja: 各/学校}}", "sections.schools.ja"),
    ],
)
def test_what_the_registry_cannot_mean_is_refused(tmp_path, overlay, said):
    with pytest.raises(ConfigurationError, match=re.escape(said)):
        city(tmp_path, overlay)
