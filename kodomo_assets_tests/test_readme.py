"""README.ja.md says in Japanese what README.md says: the same sections in the same order, and in each the same facts."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from kodomo_assets.catalogue import load_catalogue
from kodomo_assets.demo.parameters import RESIDENTS

ROOT = Path(__file__).parents[1]
STAGES = ["sources", "linkage", "features", "weights", "screening", "explanation", "review", "evaluation", "published"]
# what each language calls the same placeholder
PLACEHOLDERS = {"ファイル": "FILE", "<基準日>": "<reference date>"}


def sections(name: str) -> list[str]:
    text = (ROOT / name).read_text("utf-8")
    for theirs, ours in PLACEHOLDERS.items():
        text = text.replace(theirs, ours)
    return re.split(
        r"^(?=#+ )",
        re.sub(r"```.*?```", lambda block: block[0].replace("\n#", "\n "), text, flags=re.DOTALL),
        flags=re.MULTILINE,
    )


def commands(text: str) -> list[str]:
    blocks = re.findall(r"```console\n(.*?)```", text, re.DOTALL)
    return [re.split(r"\s+# ", line)[0].strip() for block in blocks for line in block.splitlines()]


def facts(text: str) -> dict[str, object]:
    """What does not depend on the language: commands, files and folders, links, rows of tables, items of lists."""
    prose = re.sub(r"```.*?```", "", text, flags=re.DOTALL)
    return {
        "level": len(text) - len(text.lstrip("#")),
        "commands": commands(text),
        "code": sorted(set(re.findall(r"`([^`]+)`", prose))),
        # one sentence may name two things in another order; each language leads to its own page
        "links": sorted(
            link.replace("docs/ja/", "docs/")
            for link in re.findall(r"\]\(([^)]+)\)", prose)
            if not link.startswith("README")
        ),
        "rows": len(re.findall(r"^\|", prose, re.MULTILINE)),
        "points": len(re.findall(r"^(?:-|\d\.) ", prose, re.MULTILINE)),
    }


@pytest.mark.parametrize("number", range(len(sections("README.md"))))
def test_each_section_tells_the_same_facts(number):
    assert facts(sections("README.ja.md")[number]) == facts(sections("README.md")[number])


def test_no_section_is_in_one_language_only():
    assert len(sections("README.ja.md")) == len(sections("README.md"))


@pytest.mark.parametrize("name", ["README.md", "README.ja.md"])
def test_the_stages_in_their_order(name):
    (line,) = re.findall(r"^    sources.*(?:\n    .*)*", "\n".join(sections(name)), re.MULTILINE)
    assert re.findall(r"[a-z]+", line) == STAGES


@pytest.mark.parametrize("name", ["README.md", "README.ja.md"])
def test_what_it_links_to_and_starts_is_there(name):
    text = "\n".join(sections(name))
    for link in re.findall(r"\]\(([^):]+)\)", text):
        assert (ROOT / link).is_file(), link
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE))
    assert {words.split()[1] for words in commands(text) if words.startswith("make ")} <= targets


@pytest.mark.parametrize("name", ["README.md", "README.ja.md"])
def test_its_numbers_are_those_of_the_catalogue_and_the_demo(name):
    catalogue, text = load_catalogue(), "\n".join(sections(name))
    share = catalogue.screening.share_percent
    assert re.findall(r"(?:top |上位)(\d+) ?%", text) == [str(share)]
    assert re.findall(r"(?:all |住民)?(\d+)(?: tables|の表)", text) == [str(len(catalogue.tables))]
    assert f"{RESIDENTS:,}" in text


def test_both_tell_the_same_figures():
    japanese, english = (
        set(re.findall(r"\d[\d,.]*\d", "\n".join(sections(name)))) for name in ("README.ja.md", "README.md")
    )
    assert japanese == english


def test_what_the_readme_points_at_is_there():
    (section,) = [text for text in sections("README.md") if text.startswith("## Where a thing is decided")]
    rows = "".join(line for line in section.splitlines() if line.startswith("| "))
    paths = set(re.findall(r"`([^`]+)`", rows)) - {"about"}
    assert {"vocabulary.py", "stages/features/", "store/subjects.py"} <= paths
    assert [path for path in paths if not (ROOT / "kodomo_assets" / path).exists()] == []
