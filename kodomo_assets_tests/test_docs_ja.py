"""docs/ja says what is true: its commands parse, its keys, tables, checks and files exist, its examples load.

A page that has an English one tells the same: the same sections in the same order, commands, tables and examples.
"""

from __future__ import annotations

import re
import shlex
import unicodedata
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any, get_args, get_origin

import pytest
import yaml

from kodomo_assets.__main__ import command_line
from kodomo_assets.catalogue import load_catalogue
from kodomo_assets.catalogue.base import Model
from kodomo_assets.catalogue.models import Catalogue

ROOT = Path(__file__).parents[1]
JA = ROOT / "docs" / "ja"
PAGES = sorted(JA.rglob("*.md"))
#: Pages that say in Japanese what the English one of the same name says; configuration.md shows a choice of the keys.
TRANSLATED = [
    "operations.md",
    "deliveries.md",
    "meeting.md",
    "rights.md",
    "method.md",
    "linkage.md",
    "analysts.md",
    "cities.md",
    "host-tables.md",
    "hosts.md",
]
#: What an example calls by another name than the page beside it.
PLACEHOLDERS = {"<受付番号>": "<number>", "ファイル": "FILE", "案.yaml": "FILE"}

each_page = pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(JA)))
each_translated = pytest.mark.parametrize("name", TRANSLATED)


@cache
def text_of(page: Path) -> str:
    return page.read_text("utf-8")


@cache
def declared() -> Catalogue:
    return load_catalogue()


def blocks(text: str, kind: str) -> list[str]:
    found = re.findall(r"^```(\w*)\n(.*?)^```$", text, re.DOTALL | re.MULTILINE)
    return [block for name, block in found if re.fullmatch(kind, name)]


def commands(text: str) -> list[str]:
    """The lines of console blocks, of ones without a name and of indented ones, without what is said behind them."""
    lines = "\n".join(blocks(text, "(?:console)?")).splitlines()
    lines += re.findall(r"^    (\.venv/bin/.+|python3? -m .+)$", re.sub(r"```.*?```", "", text, flags=re.DOTALL), re.M)
    return [re.split(r"\s+# ", line)[0].strip() for line in lines if line.strip()]


def prose(text: str) -> str:
    return re.sub(r"```.*?```", "", text, flags=re.DOTALL)


def code(text: str) -> list[str]:
    return re.findall(r"`([^`\n]+)`", prose(text))


def sections(text: str) -> list[str]:
    return re.split(r"^(?=#+ )", prose(text), flags=re.MULTILINE)[1:]


def anchors(text: str) -> set[str]:
    """What a heading is called in a link (GitHub): lower case, no punctuation, hyphens for spaces."""
    titles = re.findall(r"^#+ (.+)$", prose(text), re.MULTILINE)
    kept = ("".join(c for c in title.lower() if c in " -_" or unicodedata.category(c)[0] in "LMN") for title in titles)
    return {title.replace(" ", "-") for title in kept}


@each_page
def test_its_links_lead_somewhere(page):
    for link in re.findall(r"\]\(([^)]+)\)", prose(text_of(page))):
        if not link.startswith("http"):
            target, _, anchor = link.partition("#")
            there = (page.parent / target).resolve() if target else page
            assert there.is_file(), link
            assert not anchor or anchor in anchors(text_of(there)), link


@each_page
def test_its_commands_are_those_of_the_command_line(page):
    for line in commands(text_of(page)):
        words = shlex.split(line)
        if words[0] in ("kodomo", ".venv/bin/kodomo"):
            command_line().parse_args(words[1:])  # ends the test where it does not know one


@each_page
def test_the_commands_in_its_sentences_exist(page):
    known = dict(parsers())
    for words in (given.split() for given in code(text_of(page)) if re.match(r"(kodomo|refresh|rights|ui) ", given)):
        words = [word for word in words if word != "kodomo"]
        one = max((path for path in known if words[: len(path)] == list(path)), key=len)
        assert one, words
        options = {option for action in known[one]._actions for option in action.option_strings}
        assert {word for word in words if word.startswith("--")} <= options, words


def parsers() -> Iterator[tuple[tuple[str, ...], Any]]:
    waiting: list[tuple[tuple[str, ...], Any]] = [((), command_line())]
    while waiting:
        path, parser = waiting.pop()
        yield path, parser
        for action in parser._actions:
            if isinstance(action.choices, dict):
                waiting += [((*path, name), below) for name, below in action.choices.items()]


@each_page
def test_its_examples_of_the_configuration_load(page, tmp_path):
    for number, example in enumerate(blocks(text_of(page), "yaml")):
        (tmp_path / f"{number}.yaml").write_text(example, "utf-8")
        load_catalogue(tmp_path / f"{number}.yaml")


@each_page
def test_its_keys_are_those_of_the_catalogue(page):
    keys = [given for given in code(text_of(page)) if is_path(given) and given.split(".")[0] in Catalogue.model_fields]
    assert [key for key in keys if not (is_key(key) or is_column(key) or key in tables())] == []


@each_page
def test_its_defaults_are_those_of_the_catalogue(page):
    for key, told in re.findall(r"`([a-z_.<>]+)`（既定([\d.]+)）", text_of(page)):
        value: Any = declared()
        if key.startswith("tables.<id>."):
            value, key = value.tables["resident_register"], key.removeprefix("tables.<id>.")
        for part in key.split("."):
            value = getattr(value, part)
        assert float(told) == value, key


@each_page
def test_its_tables_checks_and_words_exist(page):
    remedies = declared().remedies
    text = text_of(page)
    named = re.findall(r"検査 ?`(\w+)`", text) + [
        name
        for line in re.findall(r"^\| (`.+?の(?:失敗|警告)) \|", text, re.MULTILINE)
        for name in re.findall(r"`(\w+)`", line)
    ]
    assert [name for name in named if name not in remedies] == []
    schemas = {name.partition(".")[0] for name in tables()}
    paths = [given for given in code(text) if is_path(given) and given.split(".")[0] in schemas]
    assert [given for given in paths if not (given in tables() or is_column(given) or is_key(given))] == []
    names = [given for given in code(text) if re.fullmatch(r"[a-z]+(_[a-z]+)+", given)]
    # Dagster names a schedule after its job
    assert [name for name in names if name.removesuffix("_schedule") not in words_of_the_program()] == []


@each_page
def test_the_files_that_it_names_are_made_or_read(page):
    named = {
        stem
        for given in code(text_of(page))
        for stem in re.findall(r"(?:^|/|\()([^/<>*_\s]+?)(?:_[^/]*|\*[^/]*)?\.(?:xlsx|html|duckdb)$", given)
    }
    ours = words_of_the_program(r"[ぁ-んァ-ヶー一-龠々a-z]+") | {table.ja for table in declared().tables.values()}
    # names that an example gives to a file that an office sends
    assert {stem for stem in named if re.sub(r"[\d（【].*|R\d.*", "", stem) not in ours} - {
        "",
        "R7.4.1",
        "【青葉小】出欠",
    } == set()


def is_path(given: str) -> bool:
    return re.fullmatch(r"[a-z_]+(\.([a-z_]+|<[^>]+>))+", given) is not None


def is_key(path: str) -> bool:
    """Whether a city's file may hold it; <...> stands for any key of a mapping."""
    kind: Any = Catalogue
    value: Any = declared()
    for part in path.split("."):
        if isinstance(kind, type) and issubclass(kind, Model):
            fields = {field.alias or name: (name, field.annotation) for name, field in kind.model_fields.items()}
            if part == "without":  # says of columns that they do not come; no field of the model
                return True
            if part not in fields:
                return False
            name, kind = fields[part]
            value = getattr(value, name, None)
        elif mapping := next((k for k in (kind, *get_args(kind)) if get_origin(k) in (Mapping, dict)), None):
            # a table that a city need not have stands in no catalogue that does not use it
            if not part.startswith("<") and value and part not in value and part != "learning_support":
                return False
            kind = get_args(mapping)[1]
            value = value.get(part) if value else None
        else:
            return False
    return True


@cache
def tables() -> frozenset[str]:
    return frozenset(declared().outputs) | {f"sources.{name}" for name in declared().tables}


def is_column(given: str) -> bool:
    table, _, column = given.rpartition(".")
    catalogue = declared()
    return table in catalogue.outputs and column in {one.name for one in catalogue.outputs[table].columns}


@cache
def words_of_the_program(pattern: str = r"\w+") -> frozenset[str]:
    """Every word of the program's own files: a name that is none of them is nobody's."""
    files = [
        path for kind in ("py", "sql", "yaml", "js", "html") for path in (ROOT / "kodomo_assets").rglob(f"*.{kind}")
    ]
    return frozenset(word for path in files for word in re.findall(pattern, path.read_text("utf-8")))


@each_translated
def test_each_section_stands_where_the_english_page_has_it(name):
    def shape(text: str) -> list[tuple[int, int]]:
        return [(len(re.match("#+", one)[0]), len(re.findall(r"^\|", one, re.MULTILINE))) for one in sections(text)]

    assert shape(text_of(JA / name)) == shape(text_of(ROOT / "docs" / name))


@each_translated
def test_it_gives_the_commands_of_the_english_page(name):
    def given(page: Path) -> list[str]:
        text = text_of(page)
        for theirs, ours in PLACEHOLDERS.items():
            text = text.replace(theirs, ours)
        return commands(text)

    assert given(JA / name) == given(ROOT / "docs" / name)


@each_translated
def test_its_examples_are_those_of_the_english_page(name):
    def examples(page: Path) -> list[object]:
        return [yaml.safe_load(block) for block in blocks(text_of(page), "yaml")]

    assert examples(JA / name) == examples(ROOT / "docs" / name)


@each_translated
def test_it_leaves_out_no_check_and_no_file_of_the_english_page(name):
    def first_cells(page: Path) -> set[str]:
        rows = re.findall(r"^\| ([^|]+) \|", prose(text_of(page)), re.MULTILINE)
        return {given for row in rows for given in code(row) if re.fullmatch(r"[a-z_]+", given)}

    assert first_cells(JA / name) == first_cells(ROOT / "docs" / name)


@pytest.mark.parametrize("name", [*TRANSLATED, "configuration.md"])
def test_each_page_leads_to_the_other_language(name):
    assert f"[English](../{name})" in text_of(JA / name)
    assert f"[日本語](ja/{name})" in text_of(ROOT / "docs" / name)


def test_every_page_is_listed():
    linked = set(re.findall(r"\]\(([^)#]+)\)", text_of(JA / "README.md")))
    assert {str(page.relative_to(JA)) for page in PAGES} - {"README.md"} <= linked
    assert "docs/ja/README.md" in text_of(ROOT / "README.md")
    assert "docs/ja/README.md" in text_of(ROOT / "README.ja.md")
