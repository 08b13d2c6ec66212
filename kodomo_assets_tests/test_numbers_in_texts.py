"""No number stands in a text where a setting rules: other settings, other texts; and what is left in a text has an owner."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import pytest

from kodomo_assets.catalogue import load_catalogue
from kodomo_assets.definitions import build_defs
from kodomo_assets.settings import Settings
from kodomo_assets.stages.screening.summary import ScreeningSummary

ROOT = Path(__file__).parents[1]
OTHER = """
calendar: {first_reference_date: 2024-05-01, terms: ["05-01", "10-01"], yearly: "05-01"}
bands: {lower: {ja: 小学校, school_years: [1, 2, 3, 4, 5, 6]}, upper: {ja: 中学校, school_years: [7, 8, 9]}}
screening: {share_percent: 13}
weights: {cross_validation_folds: 7}
"""

#: A number with the unit of a setting.
COUNTED = re.compile(
    r"\d+(?:\.\d+)?\s*(?:[%％割人名件日回校月年]|分割|か月|days?\b|months?\b|per cent|children\b|people\b)"
)
#: Numbers that no setting rules, with what does.
OWNED = {
    "10%": "the figures of a model card are those of the top tenth (method §5): its columns are named _at_10",
    "95%": "intervals are of 95 % (method §5)",
    "7年": "an example of a date",
    "4月": "an example of a date",
    "1日": "an example of a date",
    "2日": "an example of a cell",
    "1月": "January or October, the fault that is told",
    "10月": "January or October, the fault that is told",
    "1904年": "Excel's other calendar",
    "20 children": "from so many on a check speaks: stages.sources.households",
    "1回": "once a year, the cadence",
    "12 months": "the window of the label incident_12m, which its name tells",
    "12か月": "the same, as people read it",
    "100人": "of a hundred children: a share in plain words",
    "0.0%": "a number format of Excel",
    "100%": "the ground of a picture (SVG), as wide and high as it",
}


def described(overlay: str, tmp_path: Path) -> dict[str, str]:
    """Everything that Dagster and the database's comments say, by what it is said of."""
    (tmp_path / "city.yaml").write_text(overlay, "utf-8")
    environment = {"KODOMO_DATA_DIR": str(tmp_path), "KODOMO_KEY_FILE": str(tmp_path / "k")}
    definitions: dg.Definitions = build_defs(Settings.from_environment(environment))
    repository = definitions.get_repository_def()
    graph = repository.asset_graph
    told = {str(key): graph.get(key).description or "" for key in graph.get_all_asset_keys()}
    told |= {str(key): graph.get(key).description or "" for key in graph.asset_check_keys}
    told |= {job.name: job.description or "" for job in repository.get_all_jobs()}
    told |= {schedule.name: schedule.description or "" for schedule in repository.schedule_defs}
    for table in load_catalogue(tmp_path / "city.yaml").outputs.values():
        told |= {table.qualified: table.ja, **{f"{table.qualified}.{c.name}": c.ja for c in table.columns}}
    return told


def test_texts_follow_the_settings(tmp_path):
    told = described(OTHER, tmp_path)
    checks = [text for text in told.values() if "順位が1から欠けずに続き" in text]
    assert checks == ["順位が1から欠けずに続き、抽出数が上位13%の切り捨てである（資料のない学校の児童は別枠）"]
    assert "5月1日の基準日" in told["yearly_refresh"]
    everything = "\n".join(told.values())
    for of_the_defaults in ("4月1日", "5分割", "抽出数が上位10%", "小1〜小3", "小4〜中3"):
        assert of_the_defaults not in everything


def test_the_summary_tells_the_share_that_is_configured():
    none = dict.fromkeys(("newly_found", "legacy_flagged", "legacy_unknown"), 0)
    summary = ScreeningSummary(None, "", (), linked=(), items=(), legacy_missing=0.3, **none)  # type: ignore[arg-type]
    assert "more than 30% of its items are missing" in summary.text()


def texts(path: Path) -> Iterator[str]:
    """What of a file somebody reads: strings of Python that are no docstrings, and the whole of the others."""
    text = path.read_text("utf-8")
    if path.suffix != ".py":
        yield re.sub(r"^\s*(//|#).*$", "", text, flags=re.MULTILINE)
        return
    tree = ast.parse(text)
    passed = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    for node in ast.walk(tree):
        if isinstance(node, ast.FormattedValue) and node.format_spec is not None:
            passed |= {id(part) for part in ast.walk(node.format_spec)}
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in passed:
            yield node.value


def test_every_number_in_a_text_has_an_owner():
    package = ROOT / "kodomo_assets"
    files = [p for suffix in ("py", "js", "html") for p in package.rglob(f"*.{suffix}") if "demo" not in p.parts]
    files += [package / "catalogue" / name for name in ("outputs.yaml", "reasons.yaml")]
    assert len(files) > 100
    found = {
        (path.relative_to(ROOT).as_posix(), number.strip())
        for path in files
        if "japan" not in path.parts
        for text in texts(path)
        for number in COUNTED.findall(text)
    }
    assert sorted((path, number) for path, number in found if number not in OWNED) == []
    assert set(OWNED) - {number for _, number in found} == set()


@pytest.mark.parametrize("path", sorted((ROOT / "docs").glob("*.md")), ids=lambda path: path.name)
def test_the_documents_name_a_setting_and_not_its_number(path):
    """But configuration.md, which is made of the defaults."""
    if path.name == "configuration.md":
        return
    sections = "calendar|schools|ingest|linkage|features|weights|screening|legacy|meeting|publish"
    beside = re.compile(rf"`(?:{sections})\.\w+` ?\((?:\d|[a-z]+ per cent)|\d+ ?%? \(`(?:{sections})\.\w+`")
    assert beside.findall(path.read_text("utf-8")) == []
