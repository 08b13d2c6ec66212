"""Every field of the configuration's models is read by something beside the models and the documents."""

from __future__ import annotations

import ast
import inspect
from functools import cache
from pathlib import Path

import duckdb
import pytest

import kodomo_assets
from kodomo_assets.catalogue import load_catalogue, models
from kodomo_assets.store.dictionary import explain_names

PACKAGE = Path(kodomo_assets.__file__).parent
MODELS = [m for _, m in inspect.getmembers(models, inspect.isclass) if issubclass(m, models.Model)]


@cache
def read_attributes() -> set[str]:
    """Names of attributes that the package reads; what prints the fields as a document acts on none of them."""
    files = [path for path in PACKAGE.rglob("*.py") if path.name != "document.py"]
    trees = [ast.parse(path.read_text("utf-8")) for path in files]
    return {node.attr for tree in trees for node in ast.walk(tree) if isinstance(node, ast.Attribute)}


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model.__name__)
def test_every_field_is_read(model: type[models.Model]) -> None:
    assert set(model.model_fields) - read_attributes() == set()


def test_the_analysts_read_what_not_applicable_and_missing_mean() -> None:
    with duckdb.connect() as con:
        explain_names(con, load_catalogue())
        row = con.execute("select who, none, missing from catalogue.items where item = 'absence_days'").fetchone()
    assert row == ("child", "0-9 days", "no attendance row in the last 12 months")
