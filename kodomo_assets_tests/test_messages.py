"""What an error says in Japanese: every sentence of the kinds that staff meet has one, of the same fields."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from string import Formatter

import pytest
import yaml

import kodomo_assets
from kodomo_assets.catalogue import load_catalogue
from kodomo_assets.errors import ConfigurationError, KodomoError, Said, StoreFaultError, recalled
from kodomo_assets.office.returned import Place, Rejection

ROOT = Path(kodomo_assets.__file__).parent
MESSAGES: dict[str, str] = yaml.safe_load((ROOT / "messages.yaml").read_text("utf-8"))
#: Told in Japanese wherever they are raised.
WHOLE = {
    "AggregatesError",
    "BackupError",
    "ConfigurationError",
    "DeliveryError",
    "ExportError",
    "FitError",
    "HostError",
    "KeyFileError",
    "PoolError",
    "ProgramError",
    "PublicationError",
    "RequestError",
    "StoreBusyError",
    "StoreFaultError",
    "StoreVersionError",
    "UnknownChildError",
}


def calls() -> Iterator[tuple[str, str, ast.Call]]:
    for path in sorted(ROOT.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
                yield path.relative_to(ROOT).as_posix(), node.func.id, node


def fields(template: str) -> set[str]:
    return {name for _, name, _, _ in Formatter().parse(template) if name}


def test_every_sentence_of_the_kinds_that_staff_meet_has_its_japanese():
    raised = [(place, kind, call) for place, kind, call in calls() if kind in {*WHOLE, "Said"}]
    assert len(raised) > 70
    written = [
        (place, kind, call.args[0].lineno) for place, kind, call in raised if isinstance(call.args[0], ast.JoinedStr)
    ]
    assert written == []
    templates = {
        call.args[0].value: {word.arg for word in call.keywords}
        for _, _, call in raised
        if isinstance(call.args[0], ast.Constant)
    }
    assert {template for template in templates if template not in MESSAGES} == set()
    assert {template for template, given in templates.items() if fields(template) != given} == set()


def test_each_has_the_fields_of_its_english_and_is_said_somewhere():
    assert [english for english, ja in MESSAGES.items() if fields(english) != fields(ja)] == []
    said = {
        node.value
        for path in sorted(ROOT.rglob("*.py"))
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(node, ast.Constant)
    }
    assert [english for english in MESSAGES if english not in said and not in_sql(english)] == []


@cache
def statements() -> str:
    """All SQL, each text that is put together of pieces as one."""
    text = "".join(path.read_text("utf-8") for path in sorted(ROOT.rglob("*.sql")))
    return re.sub(r"'\s*\|\|\s*'", "", text).replace("''", "'")


def in_sql(template: str) -> bool:
    return all(literal in statements() for literal, *_ in Formatter().parse(template))


def test_what_was_stored_as_text_is_told_in_japanese():
    assert recalled("判定 is blank, expected one of a, b").ja == "「判定」が空欄です。a, bのどれかを入れてください"
    assert recalled("記入日 lies before the reference date").ja == "「記入日」が基準日より前です"
    assert recalled("nothing of ours") is None
    rejection = Rejection(Place("個人票.xlsx", 2, 7), "気になる度 is none of the choices, expected 0・1・2・3")
    assert rejection.ja == (
        "個人票.xlsx、2枚目のシート、7行目（「気になる度」が選択肢にありません。0・1・2・3から選んでください）"
    )


def test_every_refusal_of_a_row_in_sql_has_its_japanese():
    """What stands behind ``then`` in the statements that judge rows which came back."""
    judged = [path for path in sorted(ROOT.rglob("*.sql")) if "as problem" in path.read_text("utf-8")]
    text = "".join(path.read_text("utf-8") for path in [*judged, ROOT / "stages/outcomes/refusals.sql"])
    text = re.sub(r"'\s*\|\|\s*'", "", text).replace("''", "\x00")
    told = re.findall(r"then\s+(?:\$?[a-z_]+ \|\| )?'([^']+)'(?:\s*\|\| \$?[a-z_]+)?", text)
    assert len(told) > 15
    sentences = [one.replace("\x00", "'") for one in told]
    assert [
        one for one in sentences if all(recalled(f"{a}{one}{b}") is None for a in ("", "x") for b in ("", "x"))
    ] == []


def test_a_sentence_within_a_sentence_is_told_in_japanese_too():
    error = StoreFaultError("{database}: {what}. Nothing was changed.", database="kodomo.duckdb", what=Said("is empty"))
    assert str(error) == "kodomo.duckdb: is empty. Nothing was changed."
    first, second = error.ja.splitlines()
    assert first == "kodomo.duckdb：空のファイルです。何も変えていません"
    assert second == f"→ {StoreFaultError.remedy}"


def test_what_a_configuration_says_that_no_model_takes_names_file_key_value_and_what_is_expected(tmp_path):
    (tmp_path / "city.yaml").write_text(
        "screening: {share_percent: ten, missing_school: some}\ncalendar: {timezone: Mars}\n", "utf-8"
    )
    with pytest.raises(ConfigurationError) as raised:
        load_catalogue(tmp_path / "city.yaml")
    assert raised.value.ja.splitlines() == [
        "city.yamlのcalendar.timezone：「Mars」という時間帯はありません。Asia/Tokyoのように書いてください",
        "city.yamlのscreening.share_percent：整数を書いてください（いまは'ten'）",
        "city.yamlのscreening.missing_school：'own_share', 'common'のどれかを書いてください（いまは'some'）",
        f"→ {ConfigurationError.remedy}",
    ]


def test_what_has_no_japanese_is_told_as_it_stands_with_who_mends_it():
    error = KodomoError("a cell {of braces}")
    assert str(error) == "a cell {of braces}"
    assert error.ja == f"→ {KodomoError.remedy}"
