"""docs/configuration.md, made of its template and of what the models say of their fields: it cannot differ from them.

`python -m kodomo_assets.catalogue.document` (or `make docs`) writes it anew in the checkout. A line ``{{ path }}`` of
the template becomes the table of the model that stands under this path of a city's file.
"""

from __future__ import annotations

import datetime as dt
import re
import types
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, Union, get_args, get_origin

import yaml
from annotated_types import Ge, Gt, Le, Lt, MinLen
from pydantic.fields import FieldInfo
from pydantic_core import to_jsonable_python

from kodomo_assets.catalogue.base import Model
from kodomo_assets.catalogue.loader import load_catalogue
from kodomo_assets.catalogue.models import Catalogue
from kodomo_assets.settings import project_root

#: The template and what is made of it, in the checkout.
TEMPLATE, DOCUMENT = Path("docs/templates/configuration.md"), Path("docs/configuration.md")
# A longer default is counted and not shown.
_LONGEST = 120
_NAMES = {
    bool: "`true`, `false`",
    int: "whole number",
    float: "number",
    str: "text",
    dt.date: "date",
    Path: "path",
}


def configuration(template: str) -> str:
    """The document: each ``{{ path }}`` of ``template`` replaced by the table of that model's fields.

    Raises:
        LookupError: a path names no model of the catalogue.
    """
    catalogue = load_catalogue()
    return re.sub(r"^\{\{ (\S+) \}\}$", lambda found: _table(found[1], catalogue), template, flags=re.MULTILINE)


def documented(template: str) -> list[type[Model]]:
    """The models whose fields ``template`` shows."""
    return [_model(path) for path in re.findall(r"^\{\{ (\S+) \}\}$", template, flags=re.MULTILINE)]


def settable(model: type[Model] = Catalogue) -> set[type[Model]]:
    """The models that a city's file is made of, from ``model`` on; output tables are no part of it."""
    inner = {
        part
        for name, field in model.model_fields.items()
        if name not in model.fixed
        for part in _models_in(field.annotation)
    }
    return inner.union(*(settable(part) for part in inner)) if inner else inner


def _table(path: str, catalogue: Catalogue) -> str:
    model = _model(path)
    defaults = _defaults(path, model, catalogue)
    lines = ["| key | default | values | meaning |", "|---|---|---|---|"]
    for name, field in model.model_fields.items():
        if name not in model.fixed:
            shown = _shown(defaults[name]) if name in defaults else ""
            cells = (f"`{field.alias or name}`", shown, _kind(field), field.description or "")
            lines.append("| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |")
    if model.fixed:
        names = ", ".join(f"`{name}`" for name in model.model_fields if name in model.fixed)
        lines += ["", f"Part of the method, to be left as they are: {names}."]
    return "\n".join(lines)


def _defaults(path: str, model: type[Model], catalogue: Catalogue) -> dict[str, Any]:
    """Of a section that there is once the catalogue's values; of one of many entries what the model says."""
    if "<" in path or "[]" in path:
        fields = {name: field for name, field in model.model_fields.items() if not field.is_required()}
        return {
            name: to_jsonable_python(field.get_default(call_default_factory=True)) for name, field in fields.items()
        }
    value: Any = catalogue
    for part in path.split("."):
        value = getattr(value, part)
    return dict(value.model_dump(mode="json"))


def _model(path: str) -> type[Model]:
    """The model at ``path``; ``<id>`` stands for any key of a mapping, ``[]`` for any entry of a list."""
    kind: Any = Catalogue
    for part in path.replace("[]", ".[]").split("."):
        if part == "[]" or part.startswith("<"):
            (kind,) = _models_in(kind)
        elif part in kind.model_fields:
            kind = kind.model_fields[part].annotation
        else:
            raise LookupError(f"{path}: no field {part!r}")
    if not (isinstance(kind, type) and issubclass(kind, Model)):
        raise LookupError(f"{path}: is no model")
    return kind


def _models_in(kind: Any) -> set[type[Model]]:
    if isinstance(kind, type) and issubclass(kind, Model):
        return {kind}
    return set().union(*(_models_in(part) for part in get_args(kind)))


def _shown(default: object) -> str:
    """A default as a city's file would hold it; a long one as the number of its entries."""
    if default is None or default == "":
        return "none"
    if isinstance(default, list | dict):
        text = yaml.safe_dump(default, default_flow_style=True, allow_unicode=True, width=1_000_000, sort_keys=False)
        return f"`{text.strip()}`" if len(text) <= _LONGEST else f"{len(default)} entries, see `method.yaml`"
    return f"`{yaml.safe_dump(default, allow_unicode=True).removesuffix('...' + chr(10)).strip()}`"


def _kind(field: FieldInfo) -> str:
    return _values(field.annotation, field.metadata, field.title)


def _values(kind: Any, limits: list[Any], title: str | None = None) -> str:
    """Which values a field may have, in words."""
    if title:
        return title
    origin, parts = get_origin(kind), get_args(kind)
    if origin is Annotated:
        given = [m for part in parts[1:] for m in (part.metadata if isinstance(part, FieldInfo) else [part])]
        titles = [part.title for part in parts[1:] if isinstance(part, FieldInfo) and part.title]
        return _values(parts[0], [*limits, *given], next(iter(titles), None))
    if origin is Literal:
        return ", ".join(f"`{part}`" for part in parts)
    if origin in (Union, types.UnionType):
        kinds = [part for part in parts if part is not type(None) and not (part is int and float in parts)]
        return " or ".join(_values(part, limits) for part in kinds)
    if origin is tuple:
        if parts[-1] is not Ellipsis:
            return f"list of {len(parts)} of {_values(parts[0], [])}"
        least = next((f" (at least {m.min_length})" for m in limits if isinstance(m, MinLen) and m.min_length), "")
        return f"list of {_values(parts[0], [])}{least}"
    if isinstance(origin, type) and issubclass(origin, Mapping):
        return f"{_values(parts[0], [])}: {_values(parts[1], [])}"
    if isinstance(kind, type) and issubclass(kind, Model):
        return "keys, see below"
    return _NAMES[kind] + _range(limits)


def _range(limits: list[Any]) -> str:
    words = {Ge: "from {0.ge:g}", Gt: "above {0.gt:g}", Le: "up to {0.le:g}", Lt: "below {0.lt:g}"}
    told = [words[kind].format(limit) for kind in words for limit in limits if isinstance(limit, kind)]
    return f", {' '.join(told)}" if told else ""


if __name__ == "__main__":
    root = project_root()
    (root / DOCUMENT).write_text(configuration((root / TEMPLATE).read_text("utf-8")), "utf-8")
