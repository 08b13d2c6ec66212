"""What the command line tells staff: its help and its complaints are Japanese, and repeat nothing that was typed."""

from __future__ import annotations

import argparse
import re
from collections.abc import Iterator

import pytest

from kodomo_assets import errors
from kodomo_assets.__main__ import command_line, main

JAPANESE = re.compile(r"[ぁ-んァ-ヶ一-龠]")
ENGLISH_OF_ARGPARSE = re.compile(r"\b(usage|options|positional arguments|show this help|default)\b", re.IGNORECASE)


def parsers(parser: argparse.ArgumentParser) -> Iterator[argparse.ArgumentParser]:
    yield parser
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for below in action.choices.values():
                yield from parsers(below)


@pytest.mark.parametrize("parser", list(parsers(command_line())), ids=lambda parser: parser.prog)
def test_every_command_says_in_japanese_what_it_does_and_takes(parser):
    shown = [action for action in parser._actions if action.help != argparse.SUPPRESS]
    commands = [action for action in shown if isinstance(action, argparse._SubParsersAction)]
    assert JAPANESE.search(parser.description)
    assert [action.dest for action in shown if action not in commands and not JAPANESE.search(action.help or "")] == []
    for action in commands:
        assert {choice.dest for choice in action._choices_actions} == set(action.choices)
    assert ENGLISH_OF_ARGPARSE.search(parser.format_help()) is None


@pytest.mark.parametrize(
    ("typed", "told"),
    [
        ([], "足りないものがあります：コマンド"),
        (["0012345678"], "そのコマンドはありません。あるのは：'refresh'"),
        (["rights", "0012345678"], "そのコマンドはありません。あるのは：'disclose', 'correct', 'stop'"),
        (["explain"], "足りないものがあります：CHILD, DATE"),
        (["explain", "-", "2025-04-01", "--role"], "--role のあとに値が要ります"),
        (["ui", "--port", "x0012345678"], "--port の値が正しくありません"),
        (["backup", "x", "--keep", "0"], "--keep の値が正しくありません"),
        (["rights", "disclose", "-", "--confirm", "x", "--release", "y"], "--release と --confirm は同時に使えません"),
        (["rights", "stop", "-", "--end=0012345678"], "--end に値は付けられません"),
        (["rights", "disclose", "-", "--re=0012345678"], "--re は次のどれか分かりません：--reason, --release"),
        (["summary", "2025-04-01", "0012345678"], "余分なものがあります：a word"),
        (["refresh"], "refresh には基準日か --all が要ります"),
        (["accounts", "--dry-run"], "accounts の --dry-run は --set-up とともに使います"),
    ],
)
def test_a_command_that_was_typed_wrong_is_told_in_japanese(typed, told, capsys):
    with pytest.raises(SystemExit) as ended:
        main(typed)
    said = capsys.readouterr().err
    assert ended.value.code == 2
    assert told in said
    assert "使い方：" in said
    assert "0012345678" not in said


def test_every_kind_of_error_says_in_japanese_whose_it_is():
    kinds = [kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, errors.KodomoError)]
    assert errors.StoreBusyError in kinds
    assert [kind for kind in kinds if not JAPANESE.search(vars(kind).get("remedy", ""))] == []


def test_behind_an_error_stands_in_japanese_who_mends_it(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("KODOMO_DATA_DIR", str(tmp_path))
    assert main(["summary", "soon"]) == 2
    first, second, third = capsys.readouterr().err.splitlines()
    assert first.startswith("error: reference date: found 'soon', expected YYYY-MM-DD")
    assert second.startswith("基準日：'soon'は基準日ではありません")
    assert third == f"→ {errors.ConfigurationError.remedy}"
