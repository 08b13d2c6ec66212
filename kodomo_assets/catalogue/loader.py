"""Reads the catalogue's YAML and lays a city's own file over it, key by key.

A key that the defaults do not have is an error that names file and key: a misspelt threshold must never be ignored.
"""

from __future__ import annotations

from copy import deepcopy
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError

from kodomo_assets.catalogue.base import did_you_mean
from kodomo_assets.catalogue.ingest import fields
from kodomo_assets.catalogue.models import Catalogue
from kodomo_assets.catalogue.outputs import output_files, output_tables, read_yaml, repeated_key
from kodomo_assets.catalogue.source_tables import SourceTable
from kodomo_assets.errors import ConfigurationError
from kodomo_assets.machine.system_errors import explain

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


def load_proposal(overlay: Path | None, proposal: Path) -> Catalogue:
    """The settings of ``overlay`` with those of ``proposal`` laid over them: ``weights`` and ``items`` alone.

    Raises:
        ConfigurationError: as ``load_catalogue``; a key of ``proposal`` is no matter of the weights.
    """
    raw, _ = _laid_over(overlay)
    content = _read_overlay(proposal)
    if others := [str(key) for key in content if key not in _OF_WEIGHTS]:
        raise ConfigurationError(
            f"{proposal.name}: {', '.join(others)}: expected {' and '.join(_OF_WEIGHTS)}, as city.yaml has them"
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
        raise ConfigurationError(f"{path.name}: is not in UTF-8 (is it in Shift_JIS?); save it as UTF-8") from None
    except OSError as error:
        raise ConfigurationError(f"{path.name}: cannot be read ({explain(error) or type(error).__name__})") from None
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f" at line {mark.line + 1}, column {mark.column + 1}" if mark else ""
        raise ConfigurationError(f"{path.name}: is no valid YAML{where}") from None
    if repeated is not None:
        raise ConfigurationError(f"{path.name}: {repeated}")
    if content is None:
        return {}
    if not isinstance(content, dict):
        raise ConfigurationError(f"{path.name}: expected keys with values, found a {type(content).__name__}")
    return content


def _overlay(base: dict[str, Any], change: dict[str, Any], file: str, path: tuple[str, ...]) -> None:
    for key, value in change.items():
        where = ".".join((*path, str(key)))
        open_mapping = bool(path) and path[-1] in _OPEN
        if key not in base and not open_mapping and key not in _OPTIONAL:
            raise ConfigurationError(f"{file}: unknown key {where}{did_you_mean(key, base)}")
        if isinstance(base.get(key), dict):
            if not isinstance(value, dict):
                raise ConfigurationError(f"{file}: {where}: expected keys with values, found {value!r}")
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
                f"{origin}: remedies.{name}.found: found {told}, expected facts of the check: {expected or 'none'}"
            )


def _keep_out(name: str, screen: object, origin: str) -> None:
    """What the method leaves out of every fit no city lets in; it may leave out more (method §5, §6)."""
    kept = _packaged()["items"][name].get("screen")
    if kept is not None and screen != kept:
        raise ConfigurationError(
            f"{origin}: items.{name}.screen: found {screen!r}, expected {kept!r}: no city fits a weight to this item"
        )


def _declare_absent(name: str, table: dict[str, Any], origin: str) -> None:
    """``tables.<id>.without`` is another way to write ``without`` at each of its columns."""
    declared = table.pop("without", None) or {}
    if not isinstance(declared, dict):
        raise ConfigurationError(f"{origin}: tables.{name}.without: expected a reason per column, found {declared!r}")
    for column, reason in declared.items():
        if column not in table["columns"]:
            hint = did_you_mean(column, table["columns"])
            raise ConfigurationError(f"{origin}: tables.{name}.without: no column {column!r}{hint}")
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
        lines = []
        for problem in error.errors(include_url=False, include_context=False):
            # what the whole catalogue refuses names its key itself
            where = [".".join(map(str, problem["loc"]))] if problem["loc"] else []
            lines.append(": ".join([origin, *where, problem["msg"].removeprefix("Value error, ")]))
        raise ConfigurationError("\n".join(lines)) from None
