"""``defs`` declares: no SQL, no rule, no file of the outbox; and every output of the catalogue is declared there."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import dagster as dg
import pytest

from kodomo_assets import defs
from kodomo_assets.catalogue import load_catalogue
from kodomo_assets.definitions import build_defs
from kodomo_assets.defs import declared
from kodomo_assets.settings import Settings

FOLDER = Path(defs.__file__).parent
_SQL = re.compile(
    r"\b(select\s.+\sfrom|insert\s+into|delete\s+from|update\s+\w+\.\w+\s+set|create\s.*table)\b", re.I | re.S
)


def sql_in(code: str) -> list[str]:
    """The texts of ``code`` that are SQL."""
    texts = [
        node for node in ast.walk(ast.parse(code)) if isinstance(node, ast.Constant) and isinstance(node.value, str)
    ]
    return [text.value for text in texts if _SQL.search(text.value)]


@pytest.mark.parametrize(
    "code",
    [
        'con.execute("select count(*) from review.decisions")',
        'con.sql("""\n    select\n        band\n    from weights.model_cards\n""")',
        'con.execute("update sources.readings set contract = $1")',
        'con.execute("create or replace temp table x as from y")',
        'con.execute(f"delete from {table}")',
        'con.execute("insert into x by name from y")',
    ],
)
def test_sql_is_seen(code):
    assert sql_in(code)


def test_no_sql_stands_in_defs():
    files = sorted(FOLDER.rglob("*.py"))
    assert len(files) > 10
    assert {path.name: found for path in files if (found := sql_in(path.read_text("utf-8")))} == {}
    assert list(FOLDER.rglob("*.sql")) == []


def test_what_is_declared_is_what_the_catalogue_says_is_made():
    catalogue = load_catalogue()
    names = [name for one in declared(catalogue) for name in one.names]
    # the log of exports is written by every step that writes a file
    assert sorted([*names, "review.exports"]) == sorted(catalogue.assets)


def test_an_asset_is_found_by_its_name():
    """A step is a function of its module; only the tables of the contract come from a factory."""
    catalogue = load_catalogue()
    for one in declared(catalogue):
        stage, name = one.names[0].split(".")
        if stage == "sources" and name in catalogue.tables:
            continue
        assert getattr(__import__(f"kodomo_assets.defs.{stage}", fromlist=["x"]), one.run.__name__) is one


@pytest.fixture
def definitions(tmp_path: Path) -> dg.Definitions:
    return build_defs(Settings.from_environment({"KODOMO_DATA_DIR": str(tmp_path)}))


def test_after_the_meeting_is_all_that_follows_from_what_comes_back(definitions):
    """The phase is declared; that nothing is forgotten follows from the edges."""
    graph = definitions.get_repository_def().asset_graph
    returned = [dg.AssetKey(["review", name]) for name in ("personal_sheets", "decisions", "support")]
    follows = dg.AssetSelection.assets(*returned).downstream().resolve(graph)
    job = definitions.resolve_job_def("after_meeting").asset_layer.selected_asset_keys
    # papers follow from the registry: made anew by the same job, without a refresh
    assert job == follows | {dg.AssetKey(["review", "papers"])}
    assert len(job) == 19


def test_the_ui_shows_where_an_asset_stands_and_no_folder_of_this_machine(definitions):
    spec = next(s for s in definitions.resolve_all_asset_specs() if s.key == dg.AssetKey(["features", "labels"]))
    (reference,) = spec.metadata["dagster/code_references"].code_references
    assert reference.file_path == "kodomo_assets/defs/features.py"
    lines = (FOLDER / "features.py").read_text("utf-8").splitlines()
    # Python counts a function from its first decorator on
    assert any("def labels" in line for line in lines[reference.line_number - 1 : reference.line_number + 8])
    assert lines[reference.line_number - 1].startswith('@asset("features.labels"')


def test_tags_say_office_cadence_and_what_is_confidential(definitions):
    tags = {spec.key.to_user_string(): spec.tags for spec in definitions.resolve_all_asset_specs()}
    told = {name: value for name, value in tags["sources/epds"].items() if not name.startswith("dagster/")}
    assert told == {
        "phase": "refresh",
        "data": "confidential",
        "office": "health_promotion",
        "cadence": "yearly",
        "sensitive": "true",
    }
    assert tags["sources/moves"].get("sensitive") is None
    assert tags["evaluation/funnel"]["data"] == "pseudonymised"
    assert tags["published/analyst"]["data"] == "pseudonymised"
    assert tags["review/key_list"]["data"] == "confidential"
