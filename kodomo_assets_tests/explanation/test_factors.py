"""The one table of factors: what moves a score, what stands beside it, and from which delivery, by hand."""

from __future__ import annotations

import datetime as dt

import pytest

from kodomo_assets import vocabulary
from kodomo_assets.catalogue import Catalogue, Item, load_catalogue
from kodomo_assets.stages.explanation.child import Explanation, Factor, told
from kodomo_assets.stages.explanation.factors import build_factors, check_factors, tell_factors
from kodomo_assets.stages.review.gathering import gather_meeting
from kodomo_assets_tests.provoked import provokes
from kodomo_assets_tests.town import MADE_BY, R, Town, key

CHILD = {
    "single_parent": "without_allowance",
    "child_rearing_allowance": "not_applicable",
    "absence_days": "30+",
    "school_expense_aid": "needy",
    "low_vision": "blank",
    "sex": "female",
    "nationality": "foreign",
}
CONTRIBUTIONS = {
    "(base)": ("(base)", 0.05),
    "single_parent": ("without_allowance", 0.12),
    "child_rearing_allowance": ("not_applicable", -0.03),
    "absence_days": ("30+", 0.0),
    "table:school_survey": ("no_record", 0.01),
}


def factors(town: Town, columns: str, number: int = 1) -> dict[str, tuple]:
    rows = town.rows(f"select item, {columns} from explanation.factors where child_key = '{key(number)}' order by item")
    return {item: tuple(rest) for item, *rest in rows}


def deliver(town: Town, table: str, day: dt.date, *files: str, status: str = "accepted", superseded: bool = False):
    for file in files:
        town.insert("sources.deliveries", reference_date=day, table_name=table, file=file, sha256=file, received_at=day, superseded=superseded, status=status, rows_in=0, rows_accepted=0, rows_quarantined=0, absent_columns=[], surplus_columns=[])  # fmt: skip


def test_what_moves_the_score_and_what_stands_beside_it(town):
    town.child(1, selected=True, score=0.15, levels=CHILD, contributions=CONTRIBUTIONS)
    town.explain()
    assert factors(town, "level, level_ja, contribution, direction") == {
        "(base)": ("(base)", "基準率", 0.05, "raises"),
        "single_parent": ("without_allowance", "手当なし", 0.12, "raises"),
        "child_rearing_allowance": ("not_applicable", "非該当", -0.03, "lowers"),
        # in the model and of no weight; beside the model and applying; beside it and missing
        "absence_days": ("30+", "30日以上", 0.0, "none"),
        "school_expense_aid": ("needy", "要保護", 0.0, "none"),
        "low_vision": ("blank", "未記入", 0.0, "none"),
        "table:school_survey": ("no_record", "記録なし", 0.01, "raises"),
    }


def test_fairness_items_and_those_of_the_other_band_are_no_factors(town):
    town.child(1, school_year=2, levels={**CHILD, "worry_study": "applicable"})
    town.explain()
    assert {"sex", "nationality", "worry_study"} & factors(town, "level").keys() == set()
    assert "low_vision" in factors(town, "level")


def test_who_is_ranked_and_who_was_decided_is_explained_and_nobody_else(town):
    for number in (1, 2, 3):
        town.child(number, selected=False if number == 1 else None, levels={"low_vision": "applicable"})
    town.list()
    town.decide(2, "b")
    town.explain()
    assert town.rows("select distinct child_key from explanation.factors order by 1") == [(key(1),), (key(2),)]
    assert factors(town, "contribution, direction", 2) == {"low_vision": (0.0, "none")}


def test_the_delivery_in_force_of_the_first_table_that_is_delivered(town):
    january, before = dt.date(2025, 1, 1), dt.date(2024, 4, 1)
    deliver(town, "school_expense_aid", before, "古い就学援助.csv")
    deliver(town, "school_expense_aid", january, "就学援助.csv")
    deliver(town, "school_expense_aid", january, "差し替え前.csv", superseded=True)
    deliver(town, "school_expense_aid", january, "壊れた就学援助.csv", status="refused")
    deliver(town, "school_expense_aid", dt.date(2025, 9, 1), "先の就学援助.csv")
    town.child(1, levels=CHILD, contributions=CONTRIBUTIONS)
    town.explain()
    found = factors(town, "source_table, delivered_on, file")
    assert found["school_expense_aid"] == ("school_expense_aid", january, "就学援助.csv")
    # 医療費助成 and 児童扶養手当 never came: what is known of a single parent stands in 住民記録
    assert found["single_parent"] == ("resident_register", R, f"resident_register{R}.csv")
    assert found["child_rearing_allowance"] == ("child_rearing_allowance", None, None)
    assert found["(base)"] == (None, None, None)
    deliver(town, "child_rearing_allowance", R, "児童扶養手当.csv")
    town.explain()
    assert factors(town, "source_table, file")["single_parent"] == ("child_rearing_allowance", "児童扶養手当.csv")


def test_of_the_schools_files_those_in_which_the_child_stands(town):
    """A pupil who changed school stands in two; one without any row in none; one file of a table is everybody's."""
    deliver(town, "attendance", R, "出欠_南.csv", "出欠_北.csv", "出欠_東.csv")
    deliver(town, "grades", R, "成績.csv")
    levels = {"absence_days": "30+", "low_grades": "no_record"}
    for number in (1, 2):
        town.child(number, levels=levels)
        town.in_class(number, f"子 {number}", "1")
    for month, file in ((1, "出欠_南.csv"), (2, "出欠_南.csv"), (3, "出欠_北.csv")):
        town.insert("sources.attendance", reference_date=R, pupil_id=f"{1:08d}", month=dt.date(2025, month, 1), absence_days=9, source_file=file, source_row=month, invalid_cells=[], unknown_cells=[])  # fmt: skip
    town.explain()
    assert factors(town, "file") == {
        "absence_days": ("出欠_北.csv、出欠_南.csv",),
        "low_grades": ("成績.csv",),
    }
    assert factors(town, "file", 2)["absence_days"] == (None,)


@pytest.mark.parametrize(
    ("score", "wrong"),
    [
        pytest.param(0.15, 0, marks=provokes("factors_sum_to_score", passed=True)),
        pytest.param(0.151, 1, marks=provokes("factors_sum_to_score", passed=False)),
    ],
)
def test_the_factors_of_a_child_sum_to_its_score(town, score, wrong):
    town.child(1, score=score, levels=CHILD, contributions=CONTRIBUTIONS)
    town.explain()
    (outcome,) = check_factors(town.con, R)
    assert (outcome.passed, outcome.blocking, outcome.facts.items() >= {"children": 1, "wrong": wrong}.items()) == (
        not wrong,
        True,
        True,
    )


def test_a_ranked_child_without_factors_is_found(town):
    town.child(1, score=0.0)
    town.explain()
    (outcome,) = check_factors(town.con, R)
    assert outcome.message == "the factors of 1 of 1 ranked children do not sum to their score, expected 0"


def test_metadata_count_and_name_nobody(town):
    town.child(1, levels=CHILD, contributions=CONTRIBUTIONS)
    town.child(2, levels=CHILD, contributions=CONTRIBUTIONS)
    town.explain()
    told = tell_factors(town.con)["寄与"].fetchall()
    assert told[0] == ("single_parent", 2, 0)
    assert ("child_rearing_allowance", 0, 2) in told


def test_a_term_later_the_old_factors_stand(town):
    town.child(1, levels=CHILD, contributions=CONTRIBUTIONS)
    town.explain()
    before = town.rows("from explanation.factors order by item")
    deliver(town, "school_expense_aid", dt.date(2025, 9, 1), "就学援助.csv")
    town.explain()
    assert town.rows("from explanation.factors order by item") == before


def test_yaml_declares_the_directions_of_the_vocabulary():
    columns = {column.name: column for column in load_catalogue().output("explanation.factors").columns}
    assert list(columns["direction"].words) == list(vocabulary.FACTOR_DIRECTIONS)
    assert columns["file"].private


def of_items(items: dict[str, Item]) -> Catalogue:
    """The shipped catalogue of another version of the program, which knows these items."""
    catalogue = load_catalogue().model_copy(update={"items": items})
    # a copy keeps what was worked out of the items of before
    catalogue.__dict__.pop("matrix_items", None)
    return catalogue


def shown(town: Town) -> set[tuple[str, str]]:
    """What the meeting's page says of the one child."""
    (child,) = gather_meeting(town.con, town.catalogue, R).children
    return {(factor.ja, factor.level_ja) for factor in child.factors if factor.applies}


def test_what_was_told_of_a_list_stays_until_the_list_itself_is_made_anew(town):
    """After the meeting, perhaps years later: an item is gone, another has a new name and words, a file was corrected."""
    deliver(town, "school_expense_aid", R, "就学援助.csv")
    town.child(1, selected=True, score=0.15, levels=CHILD, contributions=CONTRIBUTIONS)
    town.list()
    town.explain()
    seen_then = shown(town)
    told_then = town.rows("from explanation.factors order by item")
    columns = "item_ja, level_ja, tables_ja, file, sha256, made_by"
    then = ("就学援助", "要保護", "就学援助", "就学援助.csv", "就学援助.csv", MADE_BY)
    assert factors(town, columns)["school_expense_aid"] == then

    now = load_catalogue()
    renamed = {"ja": "学用品費の援助", "level_labels": {"semi_needy": "準要", "needy": "要"}}
    items = {**now.items, "school_expense_aid": now.items["school_expense_aid"].model_copy(update=renamed)}
    without = {item: one for item, one in items.items() if item != "single_parent"}
    town.con.execute("update sources.deliveries set superseded = true where table_name = 'school_expense_aid'")
    deliver(town, "school_expense_aid", R, "就学援助2.csv")
    town.catalogue = of_items(without)
    town.explain(anew=False)
    assert town.rows("from explanation.factors order by item") == told_then
    (outcome,) = check_factors(town.con, R)
    assert outcome.passed
    # nor is the page another one that is made of them
    assert shown(town) == seen_then
    assert ("就学援助", "要保護") in seen_then

    # a scoring made since is told by what it rests on, and so is a refresh
    anew = ("学用品費の援助", "要", "就学援助", "就学援助2.csv", "就学援助2.csv", MADE_BY)
    town.catalogue = of_items(items)
    town.explain()
    assert factors(town, columns)["school_expense_aid"] == anew
    town.con.execute("update explanation.factors set file = 'old.csv'")
    town.con.execute("update screening.contributions set contribution = 0.13 where item = 'single_parent'")
    town.explain(anew=False)
    assert factors(town, "contribution")["single_parent"] == (0.13,)
    assert factors(town, columns)["school_expense_aid"] == anew


def test_a_city_that_calls_a_level_otherwise_is_told_in_its_words(town):
    town.configure("items: {school_expense_aid: {level_labels: {semi_needy: 準要, needy: 要}}}")
    town.child(1, levels=CHILD)
    town.explain()
    assert factors(town, "level_ja")["school_expense_aid"] == ("要",)
    build_factors(town.con, load_catalogue(), R, str(town.clock), "")
    assert town.rows("select level_ja from new_factors where item = 'school_expense_aid'") == [("要保護",)]


def test_a_factor_of_an_item_that_no_setting_has_any_more_is_told_by_its_id():
    explanation = Explanation(
        reference_date=dt.date(2025, 4, 1),
        school_year=5,
        school="青葉小",
        protected=False,
        hidden=False,
        place=None,
        factors=(Factor("former_item", "former_level", 12.3, "raises", None, None, None),),
    )
    assert "+12.3  上げる  former_item：former_level   [納品なし]" in told(load_catalogue(), explanation)
