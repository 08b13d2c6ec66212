"""What the documentation says is true: its example configuration loads, its keys exist, its queries run."""

from __future__ import annotations

import datetime as dt
import re
from pathlib import Path

import duckdb
import pytest

from kodomo_assets.catalogue import load_catalogue
from kodomo_assets.doors.data_dictionary import dictionary
from kodomo_assets.stages.sources.checks import checks_of

DOCS = Path(__file__).parents[1] / "docs"
QUERIES = re.findall(r"```sql\n(.*?)```", (DOCS / "analysts.md").read_text("utf-8"), re.DOTALL)


def test_the_example_configuration_loads(tmp_path):
    example, *others = re.findall(r"```yaml\n(.*?)```", (DOCS / "configuration.md").read_text("utf-8"), re.DOTALL)
    (tmp_path / "city.yaml").write_text(example, "utf-8")
    city = load_catalogue(tmp_path / "city.yaml")
    assert city.items["absence_days"].thresholds["30+"] == 25
    assert city.tables["attendance"].headers["欠席"] == "欠席日数"
    for other in others:
        (tmp_path / "city.yaml").write_text(other, "utf-8")
        load_catalogue(tmp_path / "city.yaml")


def test_the_example_of_headers_by_date_loads(tmp_path):
    (example,) = re.findall(r"```yaml\n(.*?)```", (DOCS / "deliveries.md").read_text("utf-8"), re.DOTALL)
    (tmp_path / "city.yaml").write_text(example, "utf-8")
    table = load_catalogue(tmp_path / "city.yaml").tables["attendance"]
    assert table.headers_at(dt.date(2025, 1, 1)) == {"欠席": "欠席日数", "対象月": "年月"}
    assert table.headers_at(dt.date(2025, 4, 1)) == {"欠席": "欠席日数", "年・月": "年月"}


def test_every_check_of_a_delivery_is_explained():
    text = (DOCS / "deliveries.md").read_text("utf-8")
    names = {check.name for table in load_catalogue().tables.values() for check in checks_of(table)}
    assert [name for name in names if f"| `{name}` |" not in text] == []


def test_there_are_a_dozen_queries_for_analysts():
    assert len(QUERIES) >= 12


@pytest.mark.parametrize("query", QUERIES)
def test_the_queries_for_analysts_run(refreshed_city, query):
    with duckdb.connect(str(refreshed_city.settings.analyst_database), read_only=True) as con:
        assert con.execute(query).description


def test_the_data_dictionary_is_that_of_the_file():
    """After a wanted change: ``make docs``."""
    assert dictionary(load_catalogue()) == (DOCS / "dictionary.md").read_text("utf-8")
