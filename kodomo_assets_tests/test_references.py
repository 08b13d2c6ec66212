"""What comments refer to is there: sections of docs/method.md, decisions of docs/architecture.md, documents by name."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parents[1]
CODE = {
    path: path.read_text("utf-8")
    for path in sorted((ROOT / "kodomo_assets").rglob("*"))
    if path.suffix in {".py", ".sql", ".yaml", ".js"}
}


def numbers(pattern: str, name: str) -> set[int]:
    return {int(number) for number in re.findall(pattern, (ROOT / "docs" / name).read_text("utf-8"), re.MULTILINE)}


def test_sections_of_the_method_that_comments_name_are_there():
    named = {int(number) for text in CODE.values() for number in re.findall(r"method §(\d+)", text)}
    assert named == {1, 2, 3, 4, 5, 6, 7, 8}
    assert named <= numbers(r"^## (\d+)\. ", "method.md")


def test_decisions_that_comments_name_are_told_and_no_others():
    lists = [found for text in CODE.values() for found in re.findall(r"\(architecture, ([^)]*)\)", text)]
    named = {int(number) for found in lists for number in re.findall(r"\d+", found)}
    assert named == numbers(r"^\| (\d+) \|", "architecture.md")


def test_documents_that_comments_name_are_there():
    named = {name for text in CODE.values() for name in re.findall(r"\bdocs/[\w/]+\.md", text)}
    assert {name for name in named if not (ROOT / name).is_file()} == set()
