"""The catalogue holds what the contract says, and a city's mistakes are named by file and key."""

from __future__ import annotations

import datetime as dt
import re
from pathlib import Path

import dagster as dg
import pytest

from kodomo_assets.catalogue import load_catalogue
from kodomo_assets.errors import ConfigurationError


@pytest.fixture
def city(tmp_path: Path):
    def write(text: str) -> Path:
        path = tmp_path / "city.yaml"
        path.write_text(text, "utf-8")
        return path

    return write


def test_counts_of_the_contract():
    catalogue = load_catalogue()
    assert len(catalogue.sections) == 14
    assert len(catalogue.tables) == 24
    assert len(catalogue.items) == 48
    assert len(catalogue.matrix_items) == 44
    assert sum(len(table.columns) for table in catalogue.tables.values()) == 142


def test_a_table_that_a_city_need_not_have_is_there_where_it_is_used(city):
    catalogue = load_catalogue(city("tables: {learning_support: {used: true}}"))
    assert len(catalogue.tables) == 25
    assert [column.ja for column in catalogue.tables["learning_support"].columns.values()] == [
        "宛名番号",
        "利用開始日",
        "利用終了日",
    ]
    assert "sources.learning_support" in catalogue.outputs
    assert "sources.learning_support" not in load_catalogue().outputs


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("tables: {moves: {used: false}}", "unknown key tables.moves.used"),
        (
            "tables: {learning_support: {used: true}}\nmeeting: {hints: []}",
            "hides '学習・生活支援事業の紹介', which is none of",
        ),
    ],
)
def test_only_that_table_may_be_left_out(city, text, told):
    with pytest.raises(ConfigurationError, match=told):
        load_catalogue(city(text))


def test_legacy_items_are_the_nine_and_the_twenty_one_of_the_report():
    legacy = [item for item in load_catalogue().items.values() if item.legacy]
    assert sum("lower" in item.bands for item in legacy) == 9
    assert sum("upper" in item.bands for item in legacy) == 21


def test_legal_defaults_and_exceptions():
    tables = load_catalogue().tables
    assert tables["resident_register"].legal.permanent
    assert tables["resident_register"].legal.in_force(dt.date(2040, 4, 1))
    attendance = tables["attendance"].legal
    assert attendance.in_force(dt.date(2027, 3, 31))
    assert not attendance.in_force(dt.date(2027, 4, 1))
    assert tables["epds"].legal.sensitive
    assert not attendance.sensitive


def test_reference_dates():
    calendar = load_catalogue().calendar
    assert calendar.cron_schedule == "0 0 1 1,4,9 *"
    assert calendar.is_reference_date(dt.date(2025, 1, 1))
    assert not calendar.is_reference_date(dt.date(2025, 1, 2))
    assert not calendar.is_reference_date(dt.date(2023, 4, 1))
    assert calendar.is_yearly(dt.date(2025, 4, 1))
    assert not calendar.is_yearly(dt.date(2025, 9, 1))


@pytest.mark.parametrize(
    ("terms", "cron", "days"),
    [
        (["04-01", "09-01", "01-01"], "0 0 1 2,5,10 *", 31),
        (["04-15"], "0 0 15 5 *", 31),
        (["12-01", "04-01"], "0 0 1 1,5 *", 31),
        # a refresh of the first of April is none of the first of May, though May's is due 28 days after April's at least
        (["04-01", "05-01"], "0 0 1 5,6 *", 28),
        ([f"{month:02}-01" for month in range(1, 13)], "0 0 1 1,2,3,4,5,6,7,8,9,10,11,12 *", 28),
    ],
)
def test_a_reference_date_is_due_a_month_later(city, terms, cron, days):
    overlay = f"calendar: {{terms: {terms}, yearly: {terms[0]!r}, first_reference_date: 2024-{terms[0]}}}"
    catalogue = load_catalogue(city(overlay))
    assert catalogue.calendar.due == (cron, dt.timedelta(days=days))
    # Dagster refuses a window that is longer than the time between two due dates
    dg.FreshnessPolicy.cron(cron, dt.timedelta(days=days), catalogue.calendar.timezone)


def test_levels_from_the_legacy_level_upwards():
    assert load_catalogue().items["child_rearing_allowance"].at_least("partial") == ("partial", "full")


def test_an_overlay_changes_single_keys(city):
    changed = load_catalogue(
        city(
            """
schools: {screened: ["080001", "080002"]}
screening: {share_percent: 5}
items: {absence_days: {thresholds: {30+: 25}}}
tables:
  attendance:
    headers: {欠席: 欠席日数}
    era_scheme: "13579"
  resident_register: {columns: {sex: {codes: {"1": 男, "2": 女}}}}
calendar: {terms: ["04-01", "10-01"]}
"""
        )
    )
    assert changed.schools.screened == ("080001", "080002")
    assert changed.screening.share_percent == 5
    assert changed.items["absence_days"].thresholds == {"10-19": 10, "20-29": 20, "30+": 25}
    assert changed.tables["attendance"].headers == {"欠席": "欠席日数"}
    assert changed.tables["attendance"].era_scheme == "13579"
    assert changed.tables["resident_register"].columns["sex"].codes["2"] == "女"
    assert changed.calendar.cron_schedule == "0 0 1 4,10 *"


def test_an_empty_overlay_changes_nothing(city):
    assert load_catalogue(city("# nothing yet\n")) == load_catalogue()


@pytest.mark.parametrize(
    ("text", "named"),
    [
        (
            "items: {absense_days: {thresholds: {30+: 3}}}",
            "unknown key items.absense_days; did you mean 'absence_days'?",
        ),
        ("items: {absence_days: {thresholds: {31+: 3}}}", "unknown key items.absence_days.thresholds.31+"),
        ("items: {absence_days: {thresholds: {30+: many}}}", "items.absence_days.thresholds.30+: "),
        ("screening: {share: 5}", "unknown key screening.share"),
        ("screening: {share_percent: 101}", "screening.share_percent: "),
        ("schools: {screened: [80001]}", "schools.screened"),
        ("schools: 080001", "schools: expected keys with values"),
        ("tables: {attendance: {headers: {欠席: 欠席数}}}", "'欠席' is mapped to '欠席数'"),
        ("tables: {attendance: {columns: {absences: {ja: 欠席}}}}", "unknown key tables.attendance.columns.absences"),
        ('calendar: {terms: ["04-01", "09-02"]}', "one day of the month"),
        ('calendar: {terms: ["09-01"]}', "yearly '04-01' is none of the terms"),
        ("weights: {fixed_items: {lower: [worry_study]}}", "no item 'worry_study' in this band"),
        ("weights: {label: sometimes}", "weights.label: "),
        ("tables: [attendance]", "tables: expected keys with values"),
        ("- a list", "expected keys with values, found a list"),
        ("a: [", "no valid YAML"),
    ],
)
def test_a_mistake_is_named_by_file_and_key(city, text, named):
    with pytest.raises(ConfigurationError) as error:
        load_catalogue(city(text))
    assert "city.yaml: " in str(error.value)
    assert named in str(error.value)


def test_a_file_that_cannot_be_read_is_named(tmp_path):
    with pytest.raises(ConfigurationError, match=r"gone\.yaml: cannot be read"):
        load_catalogue(tmp_path / "gone.yaml")


def test_every_declared_table_has_japanese_comments_and_knows_its_key():
    for table in load_catalogue().outputs.values():
        assert table.ja
        assert all(column.ja for column in table.columns)
        assert set(table.key) | set(table.partition) <= set(table.column_names), table.qualified


def test_nothing_that_tells_who_somebody_is_gets_published():
    identity = {"resident_id", "household_id", "person_ref", "name", "name_kana", "birth_date", "address", "raw_value"}
    for table in load_catalogue().outputs.values():
        public = {column.name for column in table.columns if table.published and not column.private}
        # evaluation.drift names an item there (outputs.md), and only words of the catalogue leave
        named_for_an_item = {column.name for column in table.columns if column.words == "drift_subject"}
        assert not (public - named_for_an_item) & identity, table.qualified
        assert not (table.published and table.db_schema == "sources")


def test_what_only_a_stored_version_has_keeps_its_id_as_its_name():
    catalogue = load_catalogue()
    assert catalogue.item_name("public_assistance") == "生活保護"
    assert catalogue.item_name("table:attendance") == "出欠の記録"
    assert [catalogue.item_name(former) for former in ("former_item", "table:former", "attendance")] == [
        "former_item",
        "table:former",
        "attendance",
    ]
    assert catalogue.level_name("absence_days", "no_record") == "記録なし"
    assert catalogue.level_name("former_item", "former_level") == "former_level"
    assert catalogue.level_name("former_item", "not_applicable") == "非該当"


def test_every_column_has_a_name_before_its_codes():
    """What a comment says in brackets is left out where a person reads it: a legend alone is no name."""
    legends = [
        f"{table.qualified}.{column.name}"
        for table in load_catalogue().outputs.values()
        for column in table.columns
        if re.match("[a-z_0-9]+＝", column.ja)
    ]
    assert legends == []
