"""Reads the catalogue's YAML and lays a city's own file over it, key by key.

A key that the defaults do not have is an error that names file and key: a misspelt threshold must never be ignored.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from copy import deepcopy
from functools import cache
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml
from pydantic import ValidationError

from kodomo_assets.catalogue.base import did_you_mean
from kodomo_assets.catalogue.ingest import fields
from kodomo_assets.catalogue.models import Catalogue
from kodomo_assets.catalogue.outputs import output_files, output_tables, read_yaml, repeated_key
from kodomo_assets.catalogue.source_tables import SourceTable
from kodomo_assets.errors import ConfigurationError, Said, under_one_another
from kodomo_assets.machine.system_errors import explain

if TYPE_CHECKING:
    from pydantic_core import ErrorDetails

_PACKAGE = "kodomo_assets.catalogue"
# Mappings whose keys are a city's own words: anything may be added to them.
_OPEN = {
    "headers",
    "codes",
    "fixed_items",
    "serves",
    "directions",
    "leaflets",
    "windows",
    "outcomes",
    "groups",
    "law_changes",
    "agreements",
    "grounds",
    "offices",
    "members",
}
# What a proposal for the weights may hold.
_OF_WEIGHTS = ("weights", "items")
# Keys that a city may set although the defaults leave them out.
_OPTIONAL = {
    "encoding",
    "password_file",
    "era_scheme",
    "files",
    "letters",
    "min",
    "max",
    "unit",
    "count",
    "direction",
    "at_most",
    "headers",
    "headers_by_date",
    "without",
    "one_file",
    "school_year_style",
    "oldest_years",
    "ages",
    "codes",
    "screen",
    "min_ratio",
    "max_ratio",
    "valid_until",
    "permanent",
    "sensitive",
    "retention_years",
    "law_changes",
}


def load_catalogue(overlay: Path | None = None) -> Catalogue:
    """The defaults with ``overlay`` (a city's YAML file) laid over them.

    Raises:
        ConfigurationError: the file cannot be read as YAML, or a key in it is unknown or has a wrong value.
    """
    raw, origin = _laid_over(overlay)
    return _validate(_complete(raw, origin), origin)


def given_in(overlay: Path) -> dict[str, Any] | None:
    """What a city's file that can be loaded lays over the defaults; None where it is empty or holds comments alone."""
    content: dict[str, Any] | None = read_yaml(overlay.read_text("utf-8-sig"))
    return content


def load_proposal(overlay: Path | None, proposal: Path) -> Catalogue:
    """The settings of ``overlay`` with those of ``proposal`` laid over them: ``weights`` and ``items`` alone.

    Raises:
        ConfigurationError: as ``load_catalogue``; a key of ``proposal`` is no matter of the weights.
    """
    raw, _ = _laid_over(overlay)
    content = _read_overlay(proposal)
    if others := [str(key) for key in content if key not in _OF_WEIGHTS]:
        raise ConfigurationError(
            "{file}: {keys}: expected {known}, as city.yaml has them",
            file=proposal.name,
            keys=", ".join(others),
            known=Said("{one} and {other}", one=_OF_WEIGHTS[0], other=_OF_WEIGHTS[1]),
        )
    _overlay(raw, content, proposal.name, ())
    return _validate(_complete(raw, proposal.name), proposal.name)


def _laid_over(overlay: Path | None) -> tuple[dict[str, Any], str]:
    """The defaults with a city's file laid over them, and whose name an error tells."""
    raw = _defaults()
    origin = "catalogue defaults"
    if overlay is not None:
        origin = overlay.name
        _overlay(raw, _read_overlay(overlay), origin, ())
        holders = [(holder, "password_file") for holder in (raw["ingest"], *raw["tables"].values())]
        holders += [(raw["notify"], "password_file"), (raw["publish"], "folder"), (raw["registry"], "templates")]
        holders += [(raw["host"], "folder")]
        for holder, key in holders:
            if isinstance(holder.get(key), str):
                # relative to the city's file, wherever the process was started
                holder[key] = overlay.parent / holder[key]
    return raw, origin


def _defaults() -> dict[str, Any]:
    """To be changed by who asks: a city's file is laid over it in place."""
    return deepcopy(_packaged())


@cache
def _packaged() -> dict[str, Any]:
    merged: dict[str, Any] = {}
    for name in ("sources.yaml", "items.yaml", "method.yaml", "reasons.yaml", "remedies.yaml"):
        merged |= read_yaml(resources.files(_PACKAGE).joinpath(name).read_text("utf-8"))
    return merged


def _read_overlay(path: Path) -> dict[str, Any]:
    try:
        text = path.read_text("utf-8-sig")
        repeated = repeated_key(text)
        content = read_yaml(text)
    except UnicodeDecodeError:
        raise ConfigurationError(
            "{file}: is not in UTF-8 (is it in Shift_JIS?); save it as UTF-8", file=path.name
        ) from None
    except OSError as error:
        raise ConfigurationError(
            "{file}: cannot be read ({why})", file=path.name, why=explain(error) or type(error).__name__
        ) from None
    except ValueError as error:
        # YAML reads 2024-02-30 as a day
        raise ConfigurationError(
            "{file}: holds a date or a number that there is not ({why}); look for days such as 30 February",
            file=path.name,
            why=str(error),
        ) from None
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = Said(" at line {line}, column {column}", line=mark.line + 1, column=mark.column + 1) if mark else ""
        raise ConfigurationError("{file}: is no valid YAML{where}", file=path.name, where=where) from None
    if repeated is not None:
        raise ConfigurationError("{file}: {what}", file=path.name, what=repeated)
    if content is None:
        return {}
    if not isinstance(content, dict):
        raise ConfigurationError(
            "{file}: expected keys with values, found a {kind}", file=path.name, kind=type(content).__name__
        )
    return content


def _overlay(base: dict[str, Any], change: dict[str, Any], file: str, path: tuple[str, ...]) -> None:
    for key, value in change.items():
        where = ".".join((*path, str(key)))
        open_mapping = bool(path) and path[-1] in _OPEN
        if key not in base and not open_mapping and key not in _OPTIONAL:
            raise ConfigurationError(
                "{file}: unknown key {key}{hint}", file=file, key=where, hint=did_you_mean(key, base)
            )
        if isinstance(base.get(key), dict):
            if not isinstance(value, dict):
                raise ConfigurationError(
                    "{file}: {key}: expected keys with values, found {found!r}", file=file, key=where, found=value
                )
            _overlay(base[key], value, file, (*path, str(key)))
        else:
            base[key] = value


def _complete(raw: dict[str, Any], origin: str) -> dict[str, Any]:
    """Writes names into the entries that carry them as keys, and adds the declared output tables."""
    defaults = raw.pop("defaults")
    for name, table in raw["tables"].items():
        table["id"] = name
        table["legal"] = defaults["legal"] | table.get("legal", {})
        for column, facts in table["columns"].items():
            if isinstance(facts, dict):
                facts["name"] = column
        if isinstance(table.get("law_changes"), dict):
            # YAML reads a day as a date unless it is quoted: one day is one key, and an error names it as it stands
            table["law_changes"] = {str(day): law for day, law in table["law_changes"].items()}
        _declare_absent(name, table, origin)
    for name, remedy in raw["remedies"].items():
        _facts_known(name, remedy, origin)
    for name, item in raw["items"].items():
        item["id"] = name
        _keep_out(name, item.get("screen"), origin)
    return raw


def _facts_known(name: str, remedy: object, origin: str) -> None:
    """A city words anew what a check found, of the same facts and figures."""
    given = remedy.get("found") if isinstance(remedy, dict) else None
    if not isinstance(given, list) or name not in _packaged()["remedies"]:
        # the models say what is expected
        return
    known = {field for part in _packaged()["remedies"][name]["found"] for field in fields(part)}
    for part in given:
        try:
            unknown = fields(str(part)) - known
        except ValueError:
            unknown = {(str(part), "")}
        if unknown:
            told, expected = (
                ", ".join(sorted(f"{{{field}:{how}}}" if how else f"{{{field}}}" for field, how in those))
                for those in (unknown, known)
            )
            raise ConfigurationError(
                "{file}: remedies.{check}.found: found {told}, expected facts of the check: {known}",
                file=origin,
                check=name,
                told=told,
                known=expected or Said("none"),
            )


def _keep_out(name: str, screen: object, origin: str) -> None:
    """What the method leaves out of every fit no city lets in; it may leave out more (method §5, §6)."""
    kept = _packaged()["items"][name].get("screen")
    if kept is not None and screen != kept:
        raise ConfigurationError(
            "{file}: items.{item}.screen: found {found!r}, expected {kept!r}: no city fits a weight to this item",
            file=origin,
            item=name,
            found=screen,
            kept=kept,
        )


def _declare_absent(name: str, table: dict[str, Any], origin: str) -> None:
    """``tables.<id>.without`` is another way to write ``without`` at each of its columns."""
    declared = table.pop("without", None) or {}
    if not isinstance(declared, dict):
        raise ConfigurationError(
            "{file}: tables.{table}.without: expected a reason per column, found {found!r}",
            file=origin,
            table=name,
            found=declared,
        )
    for column, reason in declared.items():
        if column not in table["columns"]:
            hint = did_you_mean(column, table["columns"])
            raise ConfigurationError(
                "{file}: tables.{table}.without: no column {column!r}{hint}",
                file=origin,
                table=name,
                column=column,
                hint=hint,
            )
        table["columns"][column]["without"] = reason


def _validate(raw: dict[str, Any], origin: str) -> Catalogue:
    try:
        tables = {name: SourceTable.model_validate(table) for name, table in raw["tables"].items()}
    except ValidationError:
        tables = {}  # reported below, with the whole path of the key
    for name in [name for name, table in tables.items() if table.used is False]:
        # a city need not have it, and this one has it not
        del tables[name], raw["tables"][name]
    try:
        return Catalogue.model_validate(raw | {"outputs": output_tables(tables, raw["items"]), "files": output_files()})
    except ValidationError as error:
        raise ConfigurationError(under_one_another(_problems(error, origin))) from None


def _problems(error: ValidationError, origin: str) -> Iterator[Said]:
    """What the models refuse, each with file and key."""
    for problem in error.errors(include_url=False):
        said = _said(problem)
        # of a value of two kinds the library names the kind behind the key
        if key := ".".join(part for part in map(str, problem["loc"]) if not _KIND.fullmatch(part)):
            yield Said("{file}: {key}: {what}", file=origin, key=key, what=said)
        else:
            # what the whole catalogue refuses names its key itself
            yield Said("{file}: {what}", file=origin, what=said)


def _said(problem: ErrorDetails) -> Said:
    """What a model refuses: our own sentence, or the library's behind what it expected and what stands there."""
    context = {
        name: value.replace(" or ", ", ") if name == "expected" else value
        for name, value in problem.get("ctx", {}).items()
    }
    told, found, refused = problem["msg"].removeprefix("Value error, "), problem["input"], context.get("error")
    if isinstance(refused, ValueError) and refused.args and isinstance(refused.args[0], Said):
        return refused.args[0]
    template = _LIBRARY.get(problem["type"])
    if template is None:
        what = Said("{told}", told=told)
    else:
        what = Said(template, **{name: context[name] for name, _ in fields(template)})
    if problem["type"] in {"missing", "extra_forbidden", "value_error"} or not isinstance(
        found, str | int | float | bool | None
    ):
        return what
    return Said("{what} (found {found!r})", what=what, found=found)


_KIND = re.compile(r"(?:literal|tuple|list|dict)\[.*\]")
#: What the library says of the values that a person gets wrong, by its own names; of the rest its words alone are told.
_LIBRARY: Mapping[str, str] = {
    "missing": "Field required",
    "extra_forbidden": "Extra inputs are not permitted",
    "bool_parsing": "Input should be a valid boolean",
    "bool_type": "Input should be a valid boolean",
    "date_from_datetime_parsing": "Input should be a valid date",
    "date_type": "Input should be a valid date",
    "dict_type": "Input should be a valid dictionary",
    "finite_number": "Input should be a finite number",
    "float_parsing": "Input should be a valid number",
    "float_type": "Input should be a valid number",
    "greater_than": "Input should be greater than {gt}",
    "greater_than_equal": "Input should be greater than or equal to {ge}",
    "int_from_float": "Input should be a valid integer",
    "int_parsing": "Input should be a valid integer",
    "int_type": "Input should be a valid integer",
    "less_than": "Input should be less than {lt}",
    "less_than_equal": "Input should be less than or equal to {le}",
    "list_type": "Input should be a valid list",
    "literal_error": "Input should be one of {expected}",
    "mapping_type": "Input should be a valid dictionary",
    "model_type": "Input should be a valid dictionary",
    "string_pattern_mismatch": "String should match pattern '{pattern}'",
    "string_too_short": "String should have at least {min_length} characters",
    "string_type": "Input should be a valid string",
    "too_short": "Input should have at least {min_length} items",
    "tuple_type": "Input should be a valid list",
}
