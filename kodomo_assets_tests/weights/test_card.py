"""モデルカード.html: what it says of a version, in words worked out here, and what it must not tell."""

from __future__ import annotations

import datetime as dt
import html
import re

import numpy as np
import pytest

from kodomo_assets.stages.weights.card import Card, gather_card
from kodomo_assets.stages.weights.card_page import model_card
from kodomo_assets_tests.weights.test_fit import band_of
from kodomo_assets_tests.weights.test_serving import events
from kodomo_assets_tests.weights.test_versions import LOWER, UPPER, YEARLY, FittedCity, city

__all__ = ["city"]


def made(city: FittedCity) -> tuple[Card, str]:
    """The card and its text, without the tags."""
    city.refresh(YEARLY)
    city.validate(YEARLY)
    for table in ("calibration", "logistic"):
        city.con.execute(f"insert into weights.{table} by name from new_{table}")
    card = gather_card(city.con, city.catalogue, YEARLY)
    page = model_card(city.catalogue, card).decode()
    body = page.partition("<body>")[2]
    return card, re.sub(r"\s+", " ", re.sub(r"<[^>]+>", "", body))


def test_the_first_third_says_what_the_list_finds_and_what_it_misses(city):
    city.build(YEARLY, lower=band_of(3_000, seed=1), upper=UPPER)
    card, text = made(city)
    lower = card.bands[0]
    precision, recall = lower.figures["own"]["precision_at_10"], lower.figures["own"]["recall_at_10"]
    children, event = len(band_of(3_000, seed=1)), int(band_of(3_000, seed=1).event.sum())
    told = 5 * round(event / 5)
    assert f"児童{children:,}人のうち、児童相談記録のある{told}人" in text
    assert f"相談記録のある児童はおよそ{precision.value * 100:.0f}人（95%の幅" in text
    assert f"一覧に載るのはおよそ{recall.value * 100:.0f}人" in text
    assert f"くじ引きで選べば、およそ{told / children * 100:.0f}人です" in text
    assert "性別、国籍、住んでいる地区は、重みにも点にも使いません" in text
    assert "参考情報であり、判定ではありません" in text
    assert "%" not in text.partition("当たり方")[2].partition("見落とし")[0].replace("95%の幅", "")


def test_another_rule_is_better_worse_or_not_to_be_told_apart_by_its_whole_interval(city):
    city.build(YEARLY, lower=LOWER, upper=UPPER)
    made(city)
    for low, high, words in (
        (0.01, 0.05, "より多く見つけます（一覧100人あたり+3人、95%の幅 +1〜+5人）"),
        (-0.01, 0.05, "どちらがよいとも言えません（区別できない。"),
        (-0.05, -0.01, "確かに少なくなります（"),
    ):
        city.con.execute(
            "update weights.validation set value = 0.03, rounded = 0.03, low = $1, high = $2, found = 40 "
            "where measure = 'precision_difference' and rule = 'legacy' and band = 'lower'",
            [low, high],
        )
        page = model_card(city.catalogue, gather_card(city.con, city.catalogue, YEARLY)).decode()
        of_lower = page.partition("データベースみまもりの該当数で選ぶ一覧と比べると")[2].partition("</li>")[0]
        assert words in of_lower


def test_every_weight_stands_there_with_its_interval_and_the_reference_does_not(city):
    city.build(YEARLY, lower=band_of(3_000, seed=1), upper=UPPER)
    card, text = made(city)
    rows = city.con.execute(
        "select level, weight, std_error, children from weights.coefficients "
        "where band = 'lower' and item = 'public_assistance'"
    ).fetchall()
    ((weight, error, held),) = [(w, e, n) for level, w, e, n in rows if level == "applicable"]
    name = city.catalogue.items["public_assistance"].ja
    # worked out here: points, 1.96 standard errors, children to the next five
    low, high = ((weight + side * 1.959964 * error) * 1000 for side in (-1, 1))
    assert f"{name}該当{weight * 1000:+.1f} {low:+.1f}〜{high:+.1f} {5 * round(held / 5)}人" in text
    (item,) = [item for item in card.bands[0].items if item.ja == name]
    assert [level.ja for level in item.levels] == ["該当"]


def test_where_the_count_serves_or_nothing_was_fitted_it_says_so(city):
    city.configure("weights: {serves: {lower: {origin: count, decided_by: 課長, reason: 内緒の理由}}}")
    city.build(YEARLY, lower=LOWER, upper=events(UPPER, 3))
    _, text = made(city)
    assert text.count("当てはまる段階の数で順番を付けています") == 2
    assert "どれを用いるかは、理由を付けて人が決めました" in text
    assert "内緒の理由" not in text
    assert "課長" not in text
    # three events: neither they nor what is found of them
    assert "児童相談記録のある－" in text


def test_a_version_of_before_the_validation_says_that_nothing_is_known(city):
    city.build(YEARLY, lower=LOWER, upper=UPPER)
    city.refresh(YEARLY)
    text = model_card(city.catalogue, gather_card(city.con, city.catalogue, YEARLY)).decode()
    assert text.count("当たり方は、まだ確かめていません") == 2


def test_what_was_found_of_too_few_to_be_told_is_no_missing_validation(city):
    city.build(YEARLY, lower=LOWER, upper=UPPER)
    made(city)
    city.con.execute("update weights.validation set found = 3 where measure = 'precision_at_10' and band = 'lower'")
    text = model_card(city.catalogue, gather_card(city.con, city.catalogue, YEARLY)).decode()
    assert text.count("当たり方は、人数が少ないため示せません") == 1
    assert "まだ確かめていません" not in text


def judged(city: FittedCity, **strata: tuple[int, int, float, float, float]) -> str:
    for stratum, (children, decided, share, low, high) in strata.items():
        city.con.execute(
            "insert into evaluation.meeting_outcome values ($1, $2, 'a_or_b', $3, $4, $5, $3, $6, $7)",
            [YEARLY, stratum, children, decided, share, low, high],
        )
    text = model_card(city.catalogue, gather_card(city.con, city.catalogue, YEARLY)).decode()
    return text.partition("会議の判断")[2].partition("</p>")[0]


def test_the_meetings_verdict_is_told_coarsely(city):
    """39 of 170 is .229, told as 40 of 170; its interval .173 to .298 outwards to fives; none of 20 is not told."""
    city.build(YEARLY, lower=LOWER, upper=UPPER)
    made(city)
    said = judged(city, list=(39, 170, 39 / 170, 0.1726, 0.2982), sample=(0, 20, 0.0, 0.0, 0.2009), recall=(39, 39, 1.0, 0.109, 1.0))  # fmt: skip
    assert "一覧の児童のうちおよそ24%（95%の幅 15〜30%）" in said
    assert "検討した児童のうち示せないほど少数" in said
    # none of the sample: 100 % would be read as a list that misses nobody
    assert "一覧に載っていたのは、10〜100%のどこかとしか言えません" in said
    assert "およそ100%" not in said
    city.con.execute("delete from evaluation.meeting_outcome")
    said = judged(city, list=(39, 170, 39 / 170, 0.1726, 0.2982), recall=(30, 39, 0.77, 0.58, 0.91))
    assert "一覧に載っていたのはおよそ75%（95%の幅 55〜95%）と見込まれます" in said


def test_who_is_sure_and_who_is_borderline_is_counted_by_fives_or_not_at_all(city):
    city.build(YEARLY, lower=LOWER, upper=UPPER)
    made(city)
    for band, sure, borderline in (("lower", 33, 22), ("upper", 40, 9)):
        for number in range(sure + borderline):
            key = f"{band}{number}"
            city.con.execute(
                "insert into screening.ranking by name select * replace ($1 as child_key, $2 as band) from ("
                "select $3::date as reference_date, '2025-04-01.1' as weights_version, '' as band, 1 as cohort, "
                "1 as rank, '' as child_key, '000001' as school_code, 0.1 as score, 1 as own_levels, "
                "true as selected, 'cohort' as share_of, false as tied_at_cut, 0 as legacy_hits, "
                "false as newly_found_equal, false as open_consultation, false as known_before, "
                "false as incomplete_delivery, false as sibling_selected)",
                [key, band, YEARLY],
            )
            standing = "sure" if number < sure else "borderline"
            city.con.execute("insert into screening.stability values ($1, $2, 0.5, $3)", [YEARLY, key, standing])
    card = gather_card(city.con, city.catalogue, YEARLY)
    assert [dict(band.standing) for band in card.bands] == [{"sure": 35, "borderline": 20}, {}]
    text = model_card(city.catalogue, card).decode()
    assert "（確実）はおよそ35人" in text
    assert text.count("（境界）") == 1


def test_a_label_of_the_configuration_cannot_break_the_page(city):
    city.configure('items: {public_assistance: {ja: "<script>alert(1)</script>&"}}')
    city.build(YEARLY, lower=band_of(3_000, seed=1), upper=UPPER)
    made(city)
    page = model_card(city.catalogue, gather_card(city.con, city.catalogue, YEARLY)).decode()
    assert "&lt;script&gt;alert(1)" in page
    assert "<script" not in page
    assert "default-src 'none'" in html.unescape(page)


def test_the_same_facts_give_the_same_bytes(city):
    city.build(YEARLY, lower=LOWER, upper=UPPER)
    made(city)
    pages = {model_card(city.catalogue, gather_card(city.con, city.catalogue, YEARLY)) for _ in range(2)}
    assert len(pages) == 1


@pytest.mark.parametrize("day", [YEARLY])
def test_items_that_never_entered_stand_there_with_why(city, day: dt.date):
    city.build(day, lower=LOWER, upper=UPPER)
    card, text = made(city)
    assert "公平のため使わない項目：性別、国籍" in text
    assert set(card.bands[0].left_out["fairness"]) == {"性別", "国籍"}
    assert np.isfinite([item.strongest for item in card.bands[0].items]).all()


def test_groups_are_told_by_the_catalogues_words_and_schools_are_not_compared(city):
    """Rates of people by fives: 24 of 120 is 25, 12 of 24 is 10 of 25; eight of 17 are under ten and not told."""
    city.build(YEARLY, lower=LOWER, upper=UPPER)
    made(city)
    for attribute, group, children, selected, recorded in (
        ("sex", "female", 120, 24, 12),
        ("sex", "not_applicable", 130, 17, 10),
        ("single_parent", "applicable", 40, 20, 20),
        ("single_parent", "not_applicable", 210, 11, 12),
        ("school", "000001", 250, 31, 22),
    ):
        city.con.execute(
            "insert into evaluation.fairness by name select $1::date as reference_date, '2025-04-01.1' as version, "
            "$2 as attribute, $3 as group_name, $4::integer as children, $5::integer as selected, "
            "$6::integer as events, $4::integer - $6::integer as without_record, $5 / $4 as selection_rate, "
            "0.5 as precision, 0.5 as false_negative_rate, 0.5 as false_positive_rate, false as suppressed",
            [YEARLY, attribute, group, children, selected, recorded],
        )
    card = gather_card(city.con, city.catalogue, YEARLY)
    assert [(of.ja, [group.ja for group in of.groups]) for of in card.attributes] == [
        ("性別", ["女", "それ以外"]),
        ("ひとり親", ["該当", "それ以外"]),
    ]
    female, others = card.attributes[0].groups
    assert (female.children, female.selection_rate, female.precision) == (120, 25 / 120, 10 / 25)
    assert (others.selection_rate, others.precision) == (15 / 130, None)
    text = model_card(city.catalogue, card).decode()
    assert "だれを違って扱うか" in text
    assert "000001" not in text


def test_what_came_of_past_lists_is_told_of_all_of_them_together(city):
    city.build(YEARLY, lower=LOWER, upper=UPPER)
    made(city)
    for rule, version, band, followed, first in (
        ("list", None, None, 150, 30),
        ("legacy", None, None, 150, 20),
        ("cohort", None, None, 1_500, 60),
        ("list", "2024-04-01.1", None, 150, 75),
        ("list", None, "lower", 60, 30),
    ):
        city.con.execute(
            "insert into evaluation.backtest by name select $1::date as reference_date, $2 as version, "
            "case when $2 is not null then date '2024-04-01' end as list_date, 12 as horizon_months, $3 as rule, "
            "$4 as band, $5::integer as listed, 0 as known_before, $5::integer as followed, 0 as censored, "
            "$6::integer as first_consultations, 0 as bred, $6 / $5 as rate",
            [YEARLY, version, rule, band, followed, first],
        )
    text = model_card(city.catalogue, gather_card(city.con, city.catalogue, YEARLY)).decode()
    said = text.partition("過去の一覧の、その後12か月")[2].partition("</p>")[0]
    assert "一覧に載った児童100人あたりおよそ<strong>20人</strong>、全体では100人あたりおよそ4人" in said
    assert "データベースみまもりの該当数で選べば、およそ13人" in said


def told_late(city: FittedCity, *rows: tuple) -> str:
    for row in rows:
        city.con.execute(
            "insert into weights.leakage values ('2025-04-01.1', $1, 'lower', $2, $3, $3, $4, $5, $6, $7)",
            [YEARLY, *row],
        )
    page = model_card(city.catalogue, gather_card(city.con, city.catalogue, YEARLY)).decode()
    return re.sub(r"<[^>]+>", "|", page.partition("最初の相談より後の記録")[2].partition("</table>")[0])


def test_what_late_evidence_makes_of_a_weight_is_told_by_quarters(city):
    """Of .1000 there is .0635 left: nearer to three quarters than to a half. What lies beyond is said in words."""
    city.build(YEARLY, lower=LOWER, upper=UPPER)
    made(city)
    text = told_late(
        city,
        # item, children and dated, share after, by the days, weight, without
        ("public_assistance", 40, 0.75, 0.512, 0.1, 0.0635),
        # all of it late: no column is left
        ("ssw_family", 40, 1.0, 0.96, 0.05, None),
        # ten late of 19: a quarter of 19 would be fewer than five
        ("absence_days", 19, 10 / 19, 0.5, 0.08, 0.04),
        # nine late are told to nobody
        ("low_grades", 40, 9 / 40, 0.1, 0.03, 0.02),
        ("short_sleep", 40, 0.5, 0.5, 0.04, 0.05),
        ("household_care", 40, 0.25, 0.5, 0.04, -0.01),
    )
    cells = [[cell for cell in row.split("|") if cell.strip()] for row in text.split("\n")]
    names = {i: city.catalogue.items[i].ja for i in ("public_assistance", "ssw_family", "absence_days", "low_grades", "short_sleep", "household_care")}  # fmt: skip
    found = {row[-5]: row[-4:] for row in cells if len(row) >= 5 and row[-5] in names.values()}
    assert found == {
        names["ssw_family"]: ["100%", "100%", "+50.0", "－"],
        names["public_assistance"]: ["75%", "50%", "+100.0", "およそ4分の3（+75）"],
        names["absence_days"]: ["50%", "50%", "+80.0", "－"],
        names["short_sleep"]: ["50%", "50%", "+40.0", "減らない"],
        names["household_care"]: ["25%", "50%", "+40.0", "ほとんど残らない（+0）"],
    }
    assert list(found)[:2] == [names["ssw_family"], names["public_assistance"]]
    assert names["low_grades"] not in text


def moved(city: FittedCity, name: str, psi: float, verdict: str, children: int = 400, law: str | None = None) -> None:
    city.con.execute(
        "insert into evaluation.drift by name select $1::date as reference_date, $2 as kind, $3 as name, 'lower' as band, "
        "'fit' as against, date '2024-04-01' as previous_date, true as in_model, $4::integer as children_now, "
        "$4::integer as children_then, $5::double as psi, $6 as verdict, $7 as law",
        [YEARLY, "score" if name == "score" else "item", name, children, psi, verdict, law],
    )


def test_what_moved_is_told_with_its_law_and_an_index_of_few_is_not(city):
    city.build(YEARLY, lower=LOWER, upper=UPPER)
    made(city)
    moved(city, "public_assistance", 0.1234, "moderate", law="生活保護法の改正")
    moved(city, "score", 0.3, "shifted")
    moved(city, "short_sleep", 0.05, "stable")
    moved(city, "absence_days", 0.9, "too_few", children=9)
    moved(city, "low_grades", 0.3, "too_few", children=12)
    city.con.execute(
        "insert into evaluation.drift by name select $1::date as reference_date, 'list' as kind, 'list' as name, "
        "'last_term' as against, date '2025-01-01' as previous_date, true as in_model, 81 as stayed, 23 as entered, "
        "9 as left_list, 0 as not_screened",
        [YEARLY],
    )
    page = model_card(city.catalogue, gather_card(city.con, city.catalogue, YEARLY)).decode()
    text = re.sub(r"<[^>]+>", "|", page.partition("推定のときと前回から動いたもの")[2].partition("一覧の長さ")[0])
    rows = [[cell for cell in row.split("|") if cell.strip()] for row in text.split("\n")]
    name = city.catalogue.items["public_assistance"].ja
    assert [row for row in rows if "推定のとき" in row] == [
        ["小1〜小3", "得点", "推定のとき", "0.30", "大きく動いた"],
        ["小1〜小3", name, "推定のとき", "0.12", "やや動いた", "生活保護法の改正"],
    ]
    assert "両方にいる児童 80人、新たに載った児童 25人、載らなくなった児童 －" in text
    assert "（PSI）3個のうち" in text
    assert "ほかの1個は、児童が少なく、動いたとも動いていないとも言えない" in text


def test_nothing_that_moved_is_said_in_a_sentence(city):
    city.build(YEARLY, lower=LOWER, upper=UPPER)
    made(city)
    assert "推定のときと前回から動いたもの" not in model_card(city.catalogue, gather_card(city.con, city.catalogue, YEARLY)).decode()  # fmt: skip
    moved(city, "public_assistance", 0.0, "stable")
    page = model_card(city.catalogue, gather_card(city.con, city.catalogue, YEARLY)).decode()
    assert "前回からも、ほとんど動いていません" in page


def test_other_lengths_and_the_list_without_an_item_stand_there_coarsely(city):
    """Of 52 listed 13 with a record: 15 of 50 is .30; of 31 events 18 missed: 20 of 30; 38.71 % is 39 %."""
    city.build(YEARLY, lower=LOWER, upper=UPPER)
    made(city)
    city.con.execute(
        "insert into evaluation.list_lengths values ($1, '2025-04-01.1', 5, 52, 0, 48, 31, 13 / 52, 18 / 31, 0.3871)",
        [YEARLY],
    )
    city.con.execute(
        "insert into evaluation.without_items values ($1, '2025-04-01.1', 'child_disability', 100, 12, 12, 0.2, 0.24)",
        [YEARLY],
    )
    page = model_card(city.catalogue, gather_card(city.con, city.catalogue, YEARLY)).decode()
    text = re.sub(r"<[^>]+>", "|", page.partition("一覧の長さや項目を変えたとき")[2].partition("</table>")[0])
    rows = [[cell for cell in row.split("|") if cell.strip()] for row in text.split("\n")]
    assert ["学年の5%", "50人", "－", "50人", "30%", "67%", "39%"] in rows
    assert ["「本人の障害者手帳」を点に入れない", "100人", "10人", "10人", "25%", "－", "－"] in rows


def test_an_item_that_the_catalogue_has_no_more_keeps_its_rows_under_its_id(city):
    """Dropped from the configuration, or with another level than the version had: the card of the version stays whole."""
    city.build(YEARLY, lower=band_of(3_000, seed=1), upper=UPPER)
    made(city)
    for table in ("coefficients", "stability", "selection_log"):
        city.con.execute(f"update weights.{table} set item = 'former_item' where item = 'public_assistance'")
    city.con.execute("update weights.coefficients set level = 'former_level' where item = 'former_item' and level = 'applicable'")  # fmt: skip
    city.con.execute(
        "update weights.selection_log set item = 'former_sex', reason = 'former_reason' where item = 'sex'"
    )
    moved(city, "former_item", 0.3, "shifted")
    city.con.execute("insert into weights.leakage values ('2025-04-01.1', $1, 'lower', 'former_item', 40, 40, .5, .5, .1, .1)", [YEARLY])  # fmt: skip
    city.con.execute("insert into evaluation.without_items values ($1, '2025-04-01.1', 'former_item', 100, 12, 12, 0.2, 0.24)", [YEARLY])  # fmt: skip
    card = gather_card(city.con, city.catalogue, YEARLY)
    (item,) = [item for item in card.bands[0].items if item.ja == "former_item"]
    assert [level.ja for level in item.levels] == ["former_level"]
    assert "former_reason：former_sex" in model_card(city.catalogue, card).decode()


def test_figures_leave_with_as_many_places_as_are_declared(city):
    city.build(YEARLY, lower=LOWER, upper=UPPER)
    made(city)
    city.con.execute(
        "update weights.model_cards set r_squared = 0.123456, condition_number = 17.77, max_gvif = 1.2345, "
        "cv_auc = 0.76543 where band = 'lower'"
    )
    facts = gather_card(city.con, city.catalogue, YEARLY).bands[0].facts
    told = [facts[name] for name in ("r_squared", "condition_number", "max_gvif", "cv_auc")]
    assert told == [0.123, 17.8, 1.23, 0.77]
    page = model_card(city.catalogue, gather_card(city.con, city.catalogue, YEARLY)).decode()
    assert '決定係数 R²</th><td class="number">0.123</td>' in page
