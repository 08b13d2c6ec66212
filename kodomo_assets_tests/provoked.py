"""Which tests provoke a check: ``@provokes("no_drift", passed=False)`` on a test that must see that outcome.

A test with the mark fails where the outcome did not come about; ``test_checks_provoked.py`` holds the marks of all test
files against the checks that the assets declare.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

from kodomo_assets.catalogue import Catalogue, load_catalogue
from kodomo_assets.checks import CheckOutcome

Provoked = tuple[str, bool]


def provokes(name: str, *, passed: bool) -> pytest.MarkDecorator:
    """The mark of a test that sees the check ``name`` pass, or not."""
    return pytest.mark.provokes(name, passed)


@cache
def _catalogue() -> Catalogue:
    return load_catalogue()


@pytest.fixture(autouse=True)
def seen_outcomes(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The outcomes that the mark of a test promises came about in it; of those that do not hold the Japanese is told.

    That is: the check gives the facts that its sentence in remedies.yaml tells (a check that is made in two steps has
    them at the end).
    """
    promised = {mark.args for mark in request.node.iter_markers("provokes")}
    seen: set[Provoked] = set()
    told: dict[str, bool] = {}
    made = CheckOutcome.__init__

    def seeing(outcome: CheckOutcome, *given: object, **named: object) -> None:
        made(outcome, *given, **named)
        seen.add((outcome.name, outcome.passed))
        if not outcome.passed and (remedy := _catalogue().remedies.get(outcome.name)) is not None:
            told[outcome.name] = told.get(outcome.name, False) or remedy.tell(outcome.facts) is not None

    monkeypatch.setattr(CheckOutcome, "__init__", seeing)
    yield
    assert promised <= seen, f"seen {sorted(seen)}"
    assert {name for name, whole in told.items() if not whole} == set()


def marks_in(path: Path) -> set[Provoked]:
    """What the tests of a file promise."""
    calls = [node for node in ast.walk(ast.parse(path.read_text("utf-8"))) if isinstance(node, ast.Call)]
    return {
        (ast.literal_eval(call.args[0]), ast.literal_eval(call.keywords[0].value))
        for call in calls
        if isinstance(call.func, ast.Name) and call.func.id == "provokes"
    }
