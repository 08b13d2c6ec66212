"""The declared tables of kodomo.duckdb: those of outputs.yaml, one per source table, and the matrix of the items."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache
from importlib import resources
from typing import Any, ClassVar

import yaml

from kodomo_assets.catalogue.output_models import OutputColumn, OutputTable
from kodomo_assets.catalogue.source_tables import SourceTable
from kodomo_assets.catalogue.words import MISSING
from kodomo_assets.errors import Said

_INT = "tag:yaml.org,2002:int"
_NO_OCTAL = re.compile(r"[-+]?(?:0|[1-9][0-9_]*)$")


# libyaml's parser where PyYAML was built with it: ten times as fast
class _Loader(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):  # type: ignore[misc]
    """Digits behind a zero stay as they are written: 01 is a code and 082201 a school, not numbers to the base of 8."""

    yaml_implicit_resolvers: ClassVar = {
        first: [(tag, _NO_OCTAL if tag == _INT else expression) for tag, expression in resolvers]
        for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
    }


_LOADER = _Loader


def read_yaml(text: str) -> Any:
    """The content of a YAML text: plain values only, no Python objects."""
    return yaml.load(text, Loader=_LOADER)  # noqa: S506 (a safe loader)


def repeated_key(text: str) -> Said | None:
    """The first key that a YAML text gives twice in one mapping, with its path and lines; None where there is none.

    YAML's readers let the last one win without a word.
    """
    root = yaml.compose(text, Loader=_LOADER)
    waiting: list[tuple[tuple[str, ...], yaml.Node]] = [((), root)] if root is not None else []
    seen: set[int] = set()
    while waiting:
        path, node = waiting.pop(0)
        if id(node) in seen:
            continue
        seen.add(id(node))
        if isinstance(node, yaml.SequenceNode):
            waiting += [((*path, str(number)), part) for number, part in enumerate(node.value)]
        if not isinstance(node, yaml.MappingNode):
            continue
        lines: dict[str, int] = {}
        for key, value in node.value:
            name, line = str(key.value), key.start_mark.line + 1
            if name in lines:
                return Said(
                    "{key} is given twice, in lines {first} and {second}; expected once",
                    key=".".join((*path, name)),
                    first=lines[name],
                    second=line,
                )
            lines[name] = line
            waiting.append(((*path, name), value))
    return None


_FILES = "files"
_NAME = ("db_schema", "name")
_REFERENCE_DATE = OutputColumn(name="reference_date", type="DATE", ja="基準日")


def output_tables(sources: Mapping[str, SourceTable], items: Mapping[str, Any]) -> dict[str, Any]:
    """Every declared table by its qualified name (``schema.table``), for the model ``Catalogue`` to look at."""
    declared = {name: facts for name, facts in _read().items() if name != _FILES}
    made = [*(_source_table(table) for table in sources.values()), _matrix(items)]
    return {name: _declared(name, facts) for name, facts in declared.items()} | {
        table.qualified: table for table in made
    }


def output_files() -> dict[str, Any]:
    """What is made besides the tables, by its qualified name, for the model ``Catalogue`` to look at."""
    return {name: facts | dict(zip(_NAME, name.split("."), strict=True)) for name, facts in _read()[_FILES].items()}


@cache
def _read() -> dict[str, Any]:
    declared: dict[str, Any] = read_yaml(resources.files(__package__).joinpath("outputs.yaml").read_text("utf-8"))
    return declared


def _declared(qualified: str, facts: dict[str, Any]) -> dict[str, Any]:
    """The facts of one table of outputs.yaml as the model takes them: what is wrong there is told by its key."""
    schema, name = qualified.split(".")
    columns = [{"name": column} | given for column, given in facts["columns"].items()]
    return facts | {"db_schema": schema, "name": name, "columns": columns}


def _source_table(table: SourceTable) -> OutputTable:
    """Accepted rows of one delivered table, with where each row stood and which of its cells could not be read."""
    columns = [
        OutputColumn(
            name=column.name,
            type=column.duckdb_type,
            ja=column.ja,
            nullable=not column.required,
            identity=column.role == "identity",
        )
        for column in table.columns.values()
    ]
    trace = [
        OutputColumn(name="source_file", type="VARCHAR", ja="ファイル名"),
        OutputColumn(name="source_sheet", type="VARCHAR", ja="シート名（Excelのみ）", nullable=True),
        OutputColumn(name="source_row", type="INTEGER", ja="行番号（1から）"),
        OutputColumn(name="invalid_cells", type="VARCHAR[]", ja="読めなかったため欠損にした項目"),
        OutputColumn(name="unknown_cells", type="VARCHAR[]", ja="不詳と書かれていた日付の項目"),
    ]
    # Where rows of two files are summed later, both stand here: one row per delivered row.
    place = ("source_file", "source_sheet", "source_row") if table.resolve_duplicates == "sum" else ()
    return OutputTable(
        db_schema="sources",
        name=table.id,
        ja=f"{table.ja}（受け入れた行）",
        description=f"Delivered {table.cadence}, {table.coverage} coverage. {table.note}".rstrip(),
        owner=table.section,
        kinds=("csv", "excel"),
        about=table.about,
        record=table.record,
        key=("reference_date", *table.key, *place),
        partition=("reference_date",),
        columns=(_REFERENCE_DATE, *columns, *trace),
        published=False,
    )


def _matrix(items: Mapping[str, Any]) -> OutputTable:
    columns = [
        OutputColumn(
            name=name,
            type="VARCHAR",
            ja=str(item["ja"]),
            words=(*map(str, item["levels"]), *MISSING),
            # published apart, where nobody meets them who does not audit fairness (evaluation.fairness_items)
            private=item.get("screen") == "fairness",
        )
        for name, item in items.items()
        if item.get("levels")
    ]
    return OutputTable(
        db_schema="features",
        name="matrix",
        ja="児童と項目の行列（各セルは段階）",
        description="The levels laid out, a column an item: what the weights are fitted to and analysts read.",
        kinds=("pandera",),
        about="child",
        key=("reference_date", "child_key"),
        partition=("reference_date",),
        columns=(
            _REFERENCE_DATE,
            OutputColumn(name="child_key", type="VARCHAR", ja="児童キー", words="child_key"),
            *columns,
        ),
    )
