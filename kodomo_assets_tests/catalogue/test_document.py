"""docs/configuration.md says what the models and the defaults say, and nothing of theirs is left out."""

from __future__ import annotations

from pathlib import Path

import pytest

from kodomo_assets.catalogue import load_catalogue
from kodomo_assets.catalogue.base import Model
from kodomo_assets.catalogue.document import DOCUMENT, TEMPLATE, configuration, documented, settable
from kodomo_assets.catalogue.source_tables import Person

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def template() -> str:
    return (ROOT / TEMPLATE).read_text("utf-8")


def test_the_document_is_what_would_be_made(template):
    """After a wanted change: ``make docs``."""
    assert (ROOT / DOCUMENT).read_text("utf-8") == configuration(template)


def test_every_field_of_every_model_says_what_it_means():
    silent = [
        f"{model.__name__}.{name}"
        for model in Model.__subclasses__()
        for name, field in model.model_fields.items()
        if not (field.description or "").strip()
    ]
    assert silent == []


def test_everything_that_a_city_may_set_is_documented(template):
    # whom a row is about is part of the method, and so is not shown
    assert set(documented(template)) == settable()
    assert Person not in settable()


def test_fields_that_are_left_as_they_are_exist():
    for model in Model.__subclasses__():
        assert model.fixed <= set(model.model_fields), model


@pytest.mark.parametrize(
    "row",
    [
        "| `settle_seconds` | `60` | whole number, from 0 up to 86400 | seconds: sensor and schedules wait until ",
        "| `terms` | `[04-01, 09-01, 01-01]` | list of MM-DD, DD 01 to 28 (at least 1) | month and day of the ",
        "| `screened` | `all` | `all` or list of text (at least 1) | codes (six digits) of the schools ",
        "| `hints` | 2 entries, see `method.yaml` | list of keys, see below | suggestions for people |",
        "| `min_hits` | `{lower: 3, upper: 5}` | `lower`, `upper`: whole number, from 1 up to 1000 | hits ",
        "| `from` | none | date | the first reference date ",
        "| `ages` | none | list of 2 of whole number | youngest and oldest age ",
        "| `max` | none | number | largest number ",
        "| `sample_near_share` | `0.7` | number, above 0 below 1 | share of them ",
    ],
)
def test_rows_as_a_reader_sees_them(template, row):
    assert row in configuration(template)


@pytest.mark.parametrize("path", ["no_such_section", "ingest.settle_seconds", "tables.<id>.nothing"])
def test_a_path_of_the_template_that_leads_nowhere_is_an_error(path):
    with pytest.raises(LookupError, match=path):
        configuration(f"{{{{ {path} }}}}")


def test_the_prose_counts_and_names_what_is_there(template):
    catalogue = load_catalogue()
    assert f"The {len(catalogue.tables)} ids and their columns stand in" in template
    assert f"The {len(catalogue.items)} ids stand in" in template
    *words, last = catalogue.tables["resident_register"].columns["protection"].told_by
    assert f"when a header holds {', '.join(words)} or {last}." in template
