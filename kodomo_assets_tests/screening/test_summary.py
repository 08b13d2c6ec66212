"""The funnel in numbers and the picture of the scores."""

from __future__ import annotations

import pytest

from kodomo_assets.errors import DeliveryError
from kodomo_assets.stages.screening.plots import score_distribution_plot
from kodomo_assets.stages.screening.summary import CohortCounts, KeptItem, LinkedTable, funnel_summary


@pytest.fixture
def ranked(small_city):
    city = small_city
    for band in ("lower", "upper"):
        city.base(band, 0.05)
        city.weight(band, "table:attendance", 0.0, {"recorded": (0, 900), "no_record": (0.01, 100)})
        city.weight(
            band,
            "absence_days",
            0.0,
            {"not_applicable": (0, 9), "10-19": (0.02, 6), "20-29": (0.05, 4), "30+": (0.05, 1)},
        )
    city.weight("upper", "bullied", 0.0, {"not_applicable": (0, 900), "applicable": (-0.03, 100)})
    city.keep("upper", "bullied", 0.02)
    city.child("one", {"absence_days": "30+"}, school_year=1)
    city.children("first", 9, school_year=1)
    city.children("ninth", 5, school_year=9)
    city.screen()
    return city


def test_the_summary_counts(ranked):
    summary = funnel_summary(ranked.con, ranked.catalogue, ranked.day)
    assert summary.version == "2025-04-01.1"
    assert (summary.screened, summary.selected) == (15, 1)
    assert summary.cohorts == (CohortCounts(1, 10, 1, 100.0), CohortCounts(9, 5, 0, None))
    assert (summary.newly_found, summary.legacy_flagged, summary.legacy_unknown) == (1, 0, 0)
    assert summary.items == (
        KeptItem("lower", "absence_days", "欠席日数", "20〜29日", 50.0, 0.001),
        KeptItem("upper", "absence_days", "欠席日数", "20〜29日", 50.0, 0.001),
        KeptItem("upper", "bullied", "いじめ被害", "該当", -30.0, 0.02),
    )


def test_what_the_list_is_worth_is_said_before_it(ranked):
    """小9 has five children and selects nobody; the weights of one band order nobody."""
    card = dict.fromkeys(("children", "events", "items", "columns", "households", "children_without_school_records"), 0)
    figures = "events_per_column r_squared condition_number negative_fitted_share cv_auc cv_precision_at_10 cv_recall_at_10 cv_lift_at_10"  # fmt: skip
    card |= dict.fromkeys(figures.split(), 0.0) | {"version": "2025-04-01.1", "reference_date": "2025-04-01"}
    for band, weak in (("lower", False), ("upper", True)):
        row = card | {"band": band, "is_weak": weak}
        marks = ", ".join("?" * len(row))
        ranked.con.execute(f"insert into weights.model_cards ({', '.join(row)}) values ({marks})", list(row.values()))
    ranked.counted("lower")
    text = funnel_summary(ranked.con, ranked.catalogue, ranked.day).text()
    assert "注意 lower: 項目ごとの重みではなく、該当する段階の数による" in text
    assert "注意 upper: 項目ごと" not in text
    assert "注意 upper: この重みの並べ方は、くじ引きとほとんど変わらない" in text
    assert "注意 lower: この" not in text
    assert "nobody is selected in school years: 9" in text


def test_weights_of_many_cities_are_named_with_who_adopted_them_and_how_they_were_judged(ranked):
    ranked.pooled("lower")
    ranked.con.execute(
        "insert into weights.validation values ('2025-04-01.1', '2025-04-01', 'lower', 'count', 'precision_difference', "
        "0.01, 0.01, -0.02, 0.03, 900, 50, 20)"
    )
    text = funnel_summary(ranked.con, ranked.catalogue, ranked.day).text()
    assert "注意 lower: 複数の市で推定した重み（2024-04-01.pooled.2、課長が採用）による weights of many cities" in text
    assert "注意 upper: 複数" not in text
    assert "複数の市で推定した重み pooled: この市を除いて推定した重みで比べた" in text
    assert "やめて" not in text


def test_what_a_stop_does_to_the_list_is_said_in_numbers(ranked):
    """小1: 9 children more would be 19 and one place, as now; 小9: five more make ten, and one place instead of none. A
    child of a school that is not screened makes no place."""
    assert "利用停止" not in funnel_summary(ranked.con, ranked.catalogue, ranked.day).text()
    ((school,),) = ranked.con.execute("select distinct school_code from screening.ranking").fetchall()
    for code, year, children in ((school, 1, 9), (school, 9, 5), ("999999", 9, 1)):
        ranked.con.execute("insert into linkage.stopped values ($1, $2, $3, $4)", [ranked.day, code, year, children])
    summary = funnel_summary(ranked.con, ranked.catalogue, ranked.day)
    assert (summary.stopped, summary.shorter_by) == (15, 1)
    assert "注意 利用停止 15 children left out, whatever they are; the list is 1 shorter for it" in summary.text()


def test_how_sure_the_list_is_of_being_better_is_said(ranked):
    """Intervals that hold 0, lie above and lie below; a difference without one says nothing."""
    ranked.counted("lower")
    for rule, value, low, high in (("own", 0.01, -0.02, 0.03), ("legacy", 0.05, 0.01, 0.09), ("chance", -0.02, -0.03, -0.01)):  # fmt: skip
        ranked.con.execute(
            "insert into weights.validation values ('2025-04-01.1', '2025-04-01', 'lower', $1, 'precision_difference', "
            "$2, $2, $3, $4, 900, 50, 20)",
            [rule, value, low, high],
        )
    summary = funnel_summary(ranked.con, ranked.catalogue, ranked.day)
    assert [(one.rule, one.verdict) for one in summary.compared] == [
        ("chance", "用いる重みが劣る"), ("legacy", "用いる重みがよい"), ("own", "区別できない"),
    ]  # fmt: skip
    assert "lower count:  +1.0% (-2.0% .. +3.0%)   この市で推定した重み own: 区別できない" in summary.text()


def test_the_links_of_every_table_stand_beside_the_list(ranked):
    ranked.con.execute(
        "insert into linkage.coverage (reference_date, table_name, school_code, persons, linked, unlinked, in_review) "
        "values ($1, 'ssw_records', '', 5, 3, 2, 1), ($1, 'school_roster', '081001', 1000, 990, 10, 4), "
        "($1, 'school_roster', '081002', 500, 500, 0, null), ('2025-04-01', 'school_roster', '081001', 7, 7, 0, 0)",
        [ranked.day],
    )
    summary = funnel_summary(ranked.con, ranked.catalogue, ranked.day)
    assert set(summary.linked) == {LinkedTable("SSW相談記録", 5, 3, 1), LinkedTable("校務支援学籍", 1500, 1490, 4)}
    assert "1,490 of 1,500" in summary.text()


def test_the_text_tells_every_number_and_no_child(ranked):
    text = funnel_summary(ranked.con, ranked.catalogue, ranked.day).text()
    for expected in ("2025-09-01", "2025-04-01.1", "100.0", "upper: 2 items kept", "-30.0", "bullied", "いじめ被害"):
        assert expected in text
    assert "first00" not in text


def test_a_date_without_a_list_has_no_summary_and_says_what_to_do(small_city):
    with pytest.raises(DeliveryError, match=rf"{small_city.day}: .* holds no list of this reference date.*Refresh it"):
        funnel_summary(small_city.con, small_city.catalogue, small_city.day)


def test_the_plot_counts_the_children_of_each_stretch_of_points(ranked):
    """Fourteen children have the 50 points of the base, one has 100: the ends of the scale."""
    picture = score_distribution_plot(ranked.con, ranked.day).decode()
    rows = ranked.con.execute("select * exclude (low, high) from score_distribution order by cohort").fetchall()
    assert rows == [(1, 10, 1, 100, [9, *[0] * 38, 1]), (9, 5, 0, None, [5, *[0] * 39])]
    assert "小1：10人のうち1人を抽出" in picture
    assert picture.count(">境界の点 100.0<") == 1
    # the ground, and the three stretches in which somebody stands
    assert picture.count("<rect") == 1 + 3


def test_the_plot_of_an_empty_list_is_a_picture(small_city):
    assert score_distribution_plot(small_city.con, small_city.day).startswith(b"<svg ")
