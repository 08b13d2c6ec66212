"""A configuration that would change the list without a word is an error: it names file and key."""

from __future__ import annotations

import datetime as dt
import hashlib
import json
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from kodomo_assets.catalogue import load_catalogue
from kodomo_assets.errors import ConfigurationError
from kodomo_assets.stages.sources.rests_on import RestsOn, settings_in_force

SHA = "0" * 63 + "a"


def load(tmp_path: Path, text: str):
    (tmp_path / "city.yaml").write_text(text, "utf-8")
    return load_catalogue(tmp_path / "city.yaml")


def acknowledged(**given: object) -> str:
    line = {"table": "school_expense_aid", "check": "unreadable_cells", "column": "certification", "sha256": f"'{SHA}'",
            "role": "係長", "reason": "旧様式", "day": "2025-04-10"} | given  # fmt: skip
    return "ingest: {acknowledged: [{" + ", ".join(f"{k}: {v}" for k, v in line.items() if v is not None) + "}]}"


def withdrawn(**given: object) -> str:
    line = {"reference_date": "2025-04-01", "table": "epds", "files": "[EPDS.csv]", "reason": "誤送付",
            "role": "所長", "day": "2025-05-01"} | given  # fmt: skip
    return "ingest: {withdrawn: [{" + ", ".join(f"{k}: {v}" for k, v in line.items()) + "}]}"


def decisions(*lines: str, fixed: str = "{}") -> str:
    of_people = ", ".join(lines).replace("ROLE", "role: 社会福祉士")
    return f"weights: {{decisions: [{of_people}], fixed_items: {fixed}}}"


@pytest.mark.parametrize(
    ("text", "told"),
    [
        # a key given twice, at any depth, in a list too, and under two writings of one key
        ("screening: {share_percent: 10}\nscreening: {share_percent: 15}", "screening is given twice, in lines 1 and 2"),
        ("items:\n  absence_days:\n    thresholds:\n      30+: 30\n      30+: 5\n", "items.absence_days.thresholds.30+ is given twice, in lines 4 and 5"),
        ("meeting: {hints: [{ja: a, ja: b}]}", "meeting.hints.0.ja is given twice"),
        ("tables: {moves: {columns: {move_type: {codes: {'1': 転入, 1: 転出}}}}}", "tables.moves.columns.move_type.codes.1 is given twice"),
        ("tables: {moves: {columns: {move_type: {codes: {'1': 転入, '１': 転出}}}}}", "'１' is given twice"),
        ("tables: {moves: {headers: {'異 動': 異動日, 異動: 異動事由}}}", "'異動' is given twice"),
        # thresholds out of order, either way round
        ("items: {absence_days: {thresholds: {30+: 5}}}", "found '30+' at 5 and the milder '20-29' at 20, expected '30+' above"),
        ("items: {short_sleep: {thresholds: {<6: 8}}}", "found '<6' at 8 and the milder '<7' at 7, expected '<6' below"),
        ("items: {low_grades: {thresholds: {below_1_8: 2.5}}}", "expected 'below_1_8' below 'below_2_5'"),
        # numbers that are none, that nobody or everybody reaches, or that break a calendar
        ("items: {absence_days: {thresholds: {30+: .nan}}}", "items.absence_days.thresholds.30+"),
        ("items: {overweight: {thresholds: {applicable: .inf}}}", "items.overweight.thresholds.applicable"),
        ("items: {absence_days: {thresholds: {10-19: -1}}}", "thresholds.10-19: found -1, expected a number that a child can reach"),
        ("items: {nhi_arrears: {thresholds: {4+: 10000000}}}", "thresholds.4+: found 1e+07, expected a number"),
        ("items: {absence_days: {window_months: 100000000}}", "items.absence_days.window_months"),
        ("screening: {min_school_coverage: .nan}", "screening.min_school_coverage"),
        ("ingest: {settle_seconds: 999999999}", "ingest.settle_seconds"),
        ("legacy: {min_hits: {lower: 0}}", "legacy.min_hits.lower"),
        # words and codes that mean nothing
        ("items: {household_care: {codes: {要介護6: heavy}}}", "items.household_care.codes: 要介護6 stands in none of its columns"),
        ("items: {bullied: {codes: {はい: applicable}}}", "items.bullied.codes: はい stands in none of its columns"),
        ("items: {residential_moves: {words: {counted: [引越]}}}", "items.residential_moves.words.counted: 引越 stands in none of its columns"),
        ("items: {single_parent: {words: {child: []}}}", "items.single_parent.words.child"),
        ("weights: {fixed_items: {lower: [absence_days, sex]}}", "'sex' is left out before any regression (fairness)"),
        # decisions of people that are none
        (decisions("{item: absense_days, action: keep, ROLE, reason: x}"), "city.yaml: weights.decisions.0.item: no item 'absense_days'; did you mean 'absence_days'?"),
        (decisions("{item: sex, action: exclude, ROLE, reason: x}"), "weights.decisions.0.item: 'sex' is left out before any regression (fairness)"),
        (decisions("{item: bullied, action: keep, band: lower, ROLE, reason: x}"), "weights.decisions.0.band: no item 'bullied' in band lower, expected upper"),
        (decisions("{item: absence_days, action: keep, role: 市長, reason: x}"), "weights.decisions.0.role: found '市長', expected one of meeting.roles (こども未来センター職員・社会福祉士"),
        (decisions("{item: absence_days, action: keep, ROLE, reason: ' '}"), "weights.decisions.0.reason: "),
        (decisions("{item: absence_days, action: drop, ROLE, reason: x}"), "weights.decisions.0.action: "),
        (decisions("{item: absence_days, action: keep, levels: [30+], ROLE, reason: x}"), "weights.decisions.0.levels: found '30+', expected none"),
        (decisions("{item: absence_days, action: merge, levels: [20-29, 40+], ROLE, reason: x}"), "weights.decisions.0.levels: 'absence_days' has no level '40+', expected some of '10-19', '20-29', '30+'"),
        (decisions("{item: absence_days, action: merge, levels: [10-19, 30+], ROLE, reason: x}"), "weights.decisions.0.levels: found '10-19', '30+', expected two or more neighbours of '10-19', '20-29', '30+'"),
        (decisions("{item: absence_days, action: merge, levels: [30+], ROLE, reason: x}"), "expected two or more neighbours"),
        (decisions("{item: absence_days, action: merge, ROLE, reason: x}"), "weights.decisions.0.levels: found none, expected two or more"),
        (decisions("{item: ssw_family, action: keep, ROLE, reason: x}", "{item: ssw_family, action: exclude, band: upper, ROLE, reason: x}"), "weights.decisions.1.action: found 'exclude' of 'ssw_family', which weights.decisions.0 says to keep"),
        (decisions("{item: ssw_family, action: keep, ROLE, reason: x}", "{item: ssw_family, action: keep, ROLE, reason: y}"), "weights.decisions.1: the same as weights.decisions.0"),
        (decisions("{item: absence_days, action: merge, levels: [10-19, 20-29], ROLE, reason: x}", "{item: absence_days, action: merge, levels: [20-29, 30+], ROLE, reason: x}"), "weights.decisions.1.levels: '20-29' stands in weights.decisions.0 too"),
        (decisions("{item: ssw_family, action: exclude, ROLE, reason: x}", fixed="{lower: [absence_days]}"), "weights.decisions.0.action: found 'exclude' for band lower, whose items are named one by one"),
        (decisions("{item: absence_days, action: merge, levels: [10-19, 20-29], ROLE, reason: x}", fixed="{lower: [single_parent]}"), "weights.decisions.0.item: weights.fixed_items.lower leaves 'absence_days' out, expected one of its items"),
        (decisions("{item: single_parent, action: keep, ROLE, reason: x}", "{item: child_rearing_allowance, action: exclude, band: upper, ROLE, reason: x}"), "weights.decisions.1.action: found 'exclude' of 'child_rearing_allowance', and weights.decisions.0 says to keep 'single_parent', which tells of the same fact"),
        # a number that has other places in another table links nothing
        ("tables: {school_roster: {columns: {pupil_id: {digits: 10}}}}", "tables.school_roster.columns.pupil_id: found digits 10"),
        ("tables: {school_register: {columns: {school_code: {digits: 13, letters: true}}}}", "tables.school_roster.columns.school_code: found digits 6"),
        ("tables: {epds: {columns: {child_resident_id: {digits: 12}}}}", "tables.epds.columns.child_resident_id: found digits 12"),
        ("ingest: {no_words: [無, あり]}", "yes_words and no_words share あり"),
        ("calendar: {timezone: Mars/Olympus}", "calendar.timezone: found 'Mars/Olympus'"),
        ("calendar: {timezone: ../../etc/passwd}", "calendar.timezone"),
        ("schools: {screened: []}", "schools.screened"),
        ("schools: {screened: 012345}", "schools.screened"),
        ("calendar: {terms: ['04-01', '04-01', '09-01', '01-01']}", "expected each date once"),
        ("weights: {fixed_items: {lower: [no_such_item]}}", "no item 'no_such_item' in this band"),
        ("weights: {fixed_items: {lower: [absense_days]}}", "city.yaml: weights.fixed_items.lower: no item 'absense_days' in this band; did you mean 'absence_days'?"),
        # columns that the city does not have
        ("tables: {epds: {without: {total_scor: x}}}", "tables.epds.without: no column 'total_scor'; did you mean 'total_score'?"),
        ("tables: {epds: {without: {total_score: ''}}}", "tables.epds.columns.total_score.without"),
        ("tables: {epds: {without: {conducted_on: x}}}", "no row can be read without this column"),
        ("tables: {epds: {without: [total_score]}}", "tables.epds.without: expected a reason per column"),
        ("tables: {grades: {one_file: true}}", "one_file: only tables whose rows of two schools are summed"),
        ("tables: {school_roster: {school_year_style: per_school}}", "only the table whose 学年 places the children"),
        # acknowledgements that say nothing
        (acknowledged(role="記入"), "ingest.acknowledged.0.role: found 記入"),
        (acknowledged(reason="' '"), "ingest.acknowledged.0.reason"),
        (acknowledged(day="記入"), "ingest.acknowledged.0.day"),
        (acknowledged(sha256="abc"), "ingest.acknowledged.0.sha256"),
        (acknowledged(column=None), "an acknowledgement of unreadable_cells names a column"),
        (acknowledged(row=3), "an acknowledgement of unreadable_cells names a column"),
        (acknowledged(check="school_year", column=None, table="no_table", row=3), "ingest.acknowledged.0.table: no table 'no_table'"),
        (acknowledged(column="certificate"), "no column 'certificate' of school_expense_aid"),
        # a day that has not come
        (acknowledged(day="2205-04-10"), "ingest.acknowledged.0.day: found 2205-04-10; expected a day on or before today"),
        ("ingest: {acknowledged_rows: [{reference_date: 2205-04-01, table: school_register, file: a.csv, row_number: 2}]}",
         "ingest.acknowledged_rows.0.reference_date: found 2205-04-01"),
        (withdrawn(day="2205-04-01"), "ingest.withdrawn.0.day: found 2205-04-01"),
        (withdrawn(reference_date="2205-04-01"), "ingest.withdrawn.0.reference_date: found 2205-04-01"),
        # what the host is given says of whom it is, and tells no cell of few
        ("host: {folder: given/082201}", "host.folder is given without pool.code"),
        ("host: {folder: given/082015}\npool: {code: '082201'}", "host.folder: found a folder called '082015', expected 082201"),
        ("host: {folder: given/082201}\npool: {code: '082201'}\npublish: {suppress_below: 5}", "publish.suppress_below: found 5, expected 10 or more"),
        # groups that would be compared twice, or never
        ("fairness: {without: [absence_days, absence_days]}", "fairness.without: found absence_days more than once"),
        ("fairness: {without: [sex]}", "fairness.without: 'sex' is left out before any regression (fairness) and contributes to no score"),
        ("fairness: {groups: {school: {ja: 学校, items: [bullied]}}}", "fairness.groups.school: the schools are compared under this name"),
        ("fairness: {groups: {poor: {ja: x, items: [public_assistance, public_assistance]}}}", "fairness.groups.poor.items: found public_assistance more than once"),
        ("fairness: {groups: {sex: {min_ratio: 1.5, max_ratio: 1.2}}}", "fairness.groups.sex: found min_ratio 1.5 above max_ratio 1.2"),
        ("fairness: {groups: {sex: {min_ratio: 1.5}}}", "fairness.groups.sex: found min_ratio 1.5 above max_ratio 1.25"),
        ("fairness: {groups: {sex: {max_ratio: 0.5}}}", "fairness.groups.sex: found min_ratio 0.8 above max_ratio 0.5"),
        ("tables: {attendance: {law_changes: {April: x}}}", "tables.attendance.law_changes.April"),
        ("tables: {attendance: {law_changes: {2026-04-01: ' '}}}", "tables.attendance.law_changes.2026-04-01"),
        ("items: {nationality: {most_others: {foreign: 0.5}}}", "unknown key items.nationality.most_others.foreign"),
    ],
)  # fmt: skip
def test_a_wrong_configuration_names_file_and_key(tmp_path, text, told):
    with pytest.raises(ConfigurationError) as error:
        load(tmp_path, text)
    assert str(error.value).startswith("city.yaml: ")
    assert told in str(error.value)
    assert error.value.said.ja.startswith("city.yaml")
    assert "ここに書ける値ではありません" not in error.value.said.ja, "only the library's English is told"


def test_a_file_in_another_encoding_is_told_how_to_save_it(tmp_path):
    (tmp_path / "city.yaml").write_bytes("meeting: {roles: [係長]}".encode("cp932"))
    with pytest.raises(ConfigurationError, match=r"^city\.yaml: is not in UTF-8 .*; save it as UTF-8$"):
        load_catalogue(tmp_path / "city.yaml")


def test_decisions_on_two_bands_do_not_contradict_one_another(tmp_path):
    """And levels of a band whose items are named one by one may be made one."""
    text = decisions(
        "{item: ssw_family, action: keep, band: lower, ROLE, reason: x}",
        "{item: ssw_family, action: exclude, band: upper, ROLE, reason: x}",
        "{item: absence_days, action: merge, levels: ['30+', '20-29'], ROLE, reason: x}",
    )
    taken = load(tmp_path, text).weights.decisions
    assert [(one.action, one.band) for one in taken] == [("keep", "lower"), ("exclude", "upper"), ("merge", None)]
    with pytest.raises(ConfigurationError, match=r"decisions\.1\.action: .* for band upper, whose items are named"):
        load(tmp_path, text.replace("fixed_items: {}", "fixed_items: {upper: [absence_days]}"))


def test_items_of_one_fact_may_be_decided_alike_and_apart_in_two_bands(tmp_path):
    for one, other in (("keep", "keep"), ("exclude", "exclude"), ("keep, band: lower", "exclude, band: upper")):
        text = decisions(
            f"{{item: single_parent, action: {one}, ROLE, reason: x}}",
            f"{{item: child_rearing_allowance, action: {other}, ROLE, reason: x}}",
        )
        assert len(load(tmp_path, text).weights.decisions) == 2


def test_both_ways_to_declare_an_absent_column_mean_the_same(tmp_path):
    short = load(tmp_path, "tables: {epds: {without: {question_10: 様式にない}}}").tables["epds"]
    long = load(tmp_path, "tables: {epds: {columns: {question_10: {without: 様式にない}}}}").tables["epds"]
    assert short == long
    assert short.columns["question_10"].without == "様式にない"
    assert short.is_without("question_10")
    assert not short.is_without("total_score")


def test_an_acknowledgement_that_is_filled_in_is_taken(tmp_path):
    (given,) = load(tmp_path, acknowledged()).ingest.acknowledged
    assert (given.table, given.check, given.column, given.row, given.role) == (
        "school_expense_aid", "unreadable_cells", "certification", None, "係長",
    )  # fmt: skip


def test_what_was_looked_at_today_is_taken(tmp_path):
    """Today in the calendar's time zone, which may be tomorrow in UTC."""
    today = dt.datetime.now(ZoneInfo("Asia/Tokyo")).date()
    assert load(tmp_path, acknowledged(day=today)).ingest.acknowledged[0].day == today


def test_thresholds_in_order_are_taken_either_way_round(tmp_path):
    items = load(tmp_path, "items: {absence_days: {thresholds: {30+: 25}}, short_sleep: {thresholds: {<6: 5}}}").items
    assert items["absence_days"].thresholds == {"10-19": 10, "20-29": 20, "30+": 25}
    assert items["short_sleep"].thresholds == {"<6": 5, "<7": 7}


def test_what_feeds_what():
    catalogue = load_catalogue()
    aid = catalogue.feeding(catalogue.tables["school_expense_aid"])
    assert aid["certification"] == ("就学援助",)
    residents = catalogue.feeding(catalogue.tables["resident_register"])
    assert residents["relationship"] == ("ひとり親（児童扶養手当なし）", "三世代同居")
    assert residents["removed_on"] == ("spine",)
    assert "address" not in residents
    assert "protection" not in residents


def test_an_upgrade_that_declares_another_table_is_told_as_no_other_setting():
    """What a city cannot set (outputs, files) is no setting that a list was made with."""
    assert {name.partition(".")[0] for name in settings_in_force(load_catalogue())} == {
        "tables", "items", "bands", "difficulties", "schools", "ingest", "linkage", "features", "weights", "screening",
        "legacy", "meeting", "fairness", "law_changes",
    }  # fmt: skip


def test_an_upgrade_that_adds_an_empty_field_is_told_as_no_other_setting():
    """A hash of before is that of the fields of before, and a key that nobody knew then differs from nothing."""
    catalogue = load_catalogue()
    now = settings_in_force(catalogue)

    def of_before(told: object) -> str:
        return hashlib.sha256(json.dumps(told, sort_keys=True).encode()).hexdigest()[:16]

    before = {
        "tables.child_rearing_allowance": of_before(
            # what offices read of a table decides nothing
            catalogue.tables["child_rearing_allowance"].model_dump_json(
                exclude={"law_changes", "used", "hides", "whom", "period", "examples"}
            )
        ),
        "items.absence_days": of_before(catalogue.items["absence_days"].model_dump_json(exclude={"group"})),
        "weights": of_before({"weights": catalogue.weights.model_dump(mode="json", exclude={"decisions"})}),
        "meeting": of_before({"meeting": catalogue.meeting.model_dump(mode="json", exclude={"minutes_per_case"})}),
    }
    assert {name: now[name] for name in before} == before
    known = {name: state for name, state in now.items() if name not in ("fairness", "law_changes")}
    assert RestsOn(known, {}, {}, frozenset(), decided=False).changed_settings(now) == set()
    # but what was known then and is no more, or is new, is another setting
    assert RestsOn({**known, "items.gone": "x"}, {}, {}, frozenset(), decided=False).changed_settings(
        {**now, "items.new": "y"}
    ) == {"items.gone", "items.new"}


@pytest.mark.parametrize(
    ("text", "changed"),
    [
        # what evaluation.fairness and evaluation.drift say of a date
        ("fairness: {groups: {disability: {items: [household_disability]}}}", {"fairness"}),
        ("fairness: {without: []}", {"fairness"}),
        ("tables: {attendance: {law_changes: {2025-01-01: 学校教育法施行規則の改正}}}", {"law_changes"}),
        ("meeting: {minutes_per_case: 6}", {"meeting"}),
        (decisions("{item: absence_days, action: keep, ROLE, reason: x}"), {"weights"}),
        ("publish: {suppress_below: 20}", set()),
    ],
)
def test_what_changes_a_result_is_told_by_its_key(tmp_path, text, changed):
    before = RestsOn(settings_in_force(load_catalogue()), {}, {}, frozenset(), decided=False)
    assert before.changed_settings(settings_in_force(load(tmp_path, text))) == changed


def test_a_slip_that_is_mended_in_a_reason_is_no_other_setting(tmp_path):
    """Nor other weights: who decided and why stands beside the fit and changes nothing of it."""
    one, other, another = (
        load(tmp_path, decisions(f"{{item: absence_days, action: {action}, role: {role}, reason: {reason}}}"))
        for action, role, reason in (("keep", "社会福祉士", "登校しぶり"), ("keep", "公認心理師", "登校渋り"), ("exclude", "公認心理師", "登校渋り"))
    )  # fmt: skip
    assert one.weights.deciding == other.weights.deciding != another.weights.deciding
    assert one.weights.deciding["decisions"] == [{"item": "absence_days", "action": "keep", "levels": [], "band": None}]
    assert settings_in_force(one) == settings_in_force(other)


def test_a_law_change_can_be_said_of_every_table_beside_those_that_are_shipped(tmp_path):
    told = "tables: {{{}: {{law_changes: {{2026-04-01: 施行規則の改正}}}}}}"
    day = dt.date(2026, 4, 1)
    assert load(tmp_path, told.format("attendance")).tables["attendance"].law_changes == {day: "施行規則の改正"}
    allowance = load(tmp_path, told.format("child_rearing_allowance"))
    assert list(allowance.tables["child_rearing_allowance"].law_changes) == [dt.date(2024, 11, 1), day]
    assert "施行規則の改正" in allowance.vocabularies["law"].listed
