"""What a library keeps private is used in one module only: a name behind an underscore may move in any release."""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Iterator
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
OWN = {"kodomo_assets", "kodomo_assets_tests", "benchmarks"}
INSTALLED = set(packages_distributions()) - OWN - sys.stdlib_module_names
#: Where they may stand, each with its reason: for the program, and for the tests.
ALLOWED = {"kodomo_assets/internals.py", "kodomo_assets_tests/internals.py"}


def private(path: str) -> bool:
    """Whether a dotted name has a part with one leading underscore."""
    return any(part.startswith("_") and not part.startswith("__") for part in path.split("."))


def private_names(code: str) -> Iterator[str]:
    """Private modules and names of other packages that ``code`` imports, reaches as attributes or names in a string."""
    tree = ast.parse(code)
    packages: dict[str, str] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                packages[alias.asname or alias.name.split(".")[0]] = alias.name
                yield alias.name
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield from (f"{node.module}.{alias.name}" for alias in node.names)
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield from re.findall(r"\b[a-z]\w*(?:\.\w+)+", node.value)
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and (path := dotted(node)) and path.split(".")[0] in packages:
            first, _, rest = path.partition(".")
            yield f"{packages[first]}.{rest}"


def dotted(node: ast.expr) -> str | None:
    if isinstance(node, ast.Name):
        return node.id
    if isinstance(node, ast.Attribute) and (start := dotted(node.value)):
        return f"{start}.{node.attr}"
    return None


def found_in(code: str) -> list[str]:
    return [name for name in dict.fromkeys(private_names(code)) if private(name) and name.split(".")[0] in INSTALLED]


@pytest.mark.parametrize(
    ("code", "name"),
    [
        ("import dagster._core.errors", "dagster._core.errors"),
        ("from dagster._utils.error import USER", "dagster._utils.error.USER"),
        ("from dagster import _core", "dagster._core"),
        ("import dagster as dg\ndg._core.x", "dagster._core.x"),
        ("import duckdb\ndef f(): return duckdb.duckdb._clean()", "duckdb.duckdb._clean"),
        ("def f():\n    from dagster._daemon.controller import x", "dagster._daemon.controller.x"),
        ("run('from dagster._core import x')", "dagster._core"),
    ],
)
def test_what_is_private_is_seen(code, name):
    assert name in found_in(code)


@pytest.mark.parametrize(
    "code",
    [
        "import _thread",
        "from kodomo_assets.defs.jobs import _asked",
        "from __future__ import annotations",
        "import dagster as dg\ndg.__version__",
    ],
)
def test_what_is_not_of_a_library_is_let_be(code):
    assert found_in(code) == []


def test_private_names_of_libraries_stand_in_one_place():
    files = [path for folder in sorted(OWN) for path in sorted((ROOT / folder).rglob("*.py"))]
    assert len(files) > 200
    found = {
        path.relative_to(ROOT).as_posix(): names
        for path in files
        if path != Path(__file__) and (names := found_in(path.read_text("utf-8")))
    }
    assert set(found) == ALLOWED, found
