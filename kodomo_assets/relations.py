"""The temp relations that one module makes and another reads: what a row is, its columns, and who makes it.

Whatever else SQL makes on its way belongs to the module that runs it, and ends there. Not listed are two families whose
columns other declarations hold: ``new_<table>``, the rows that a step stores next (outputs.yaml and sources.yaml), and
``delivered_<table>``, the rows of the delivery in force of each source table (``stages/sources/in_force.py``).

Every module that makes or reads one runs in the step that needs it; a test holds this list against what ran
(kodomo_assets_tests/test_relations.py).
"""

from __future__ import annotations

import re
from dataclasses import dataclass

import duckdb


class NotMadeError(LookupError):
    """SQL reads a declared temp relation before the module that makes it ran in this step."""


@dataclass(frozen=True)
class Relation:
    """One temp table or view.

    Attributes:
        maker: the module that makes it, below ``kodomo_assets``.
        row: what one row of it is.
        columns: their names in order; ``more`` follow where they depend on a table of the catalogue.
    """

    name: str
    maker: str
    row: str
    columns: tuple[str, ...]
    more: bool = False


def _declared(maker: str, name: str, columns: str, row: str, *, more: bool = False) -> Relation:
    return Relation(name, maker, row, tuple(columns.split()), more)


_PERSON_TO_COMPARE = "record kana folded plain family given birth_date birth_digits sex school_code"

_ALL = (
    # -- sources
    _declared(
        "stages.sources.intake",
        "cells",
        "row_id part file sheet source_row problem counts note",
        "a line of the delivered files, every cell as it is written",
        more=True,
    ),
    _declared(
        "stages.sources.cells",
        "typed",
        "row_id file sheet source_row problem",
        "a line of the delivered files, every cell in its type, `p_<column>` beside it: why it could not be read",
        more=True,
    ),
    _declared(
        "stages.sources.in_force",
        "delivered",
        "table_name delivered_on status",
        "a table of the contract and its delivery in force at the reference date",
    ),
    _declared(
        "stages.sources.in_force",
        "registered_schools",
        "reference_date school_code school_name",
        "a school of a register, for steps that run before linkage.schools is written",
    ),
    _declared(
        "stages.sources.in_force",
        "registered_pupils",
        "name_kana birth_date school_code",
        "a pupil of the register in force",
    ),
    _declared(
        "stages.sources.in_force",
        "rostered_pupils",
        "reference_date pupil_id school_code",
        "a 学籍番号 of a roster delivered up to the reference date",
    ),
    _declared("stages.sources.awaited", "awaited", "table_name", "a table that is awaited at the reference date"),
    # -- linkage
    _declared("store.pseudonyms", "pseudonyms", "resident_id child_key", "a person of 学齢簿 and its 児童キー"),
    _declared(
        "stages.linkage.links",
        "named_children",
        "child_key resident_id name_kana kana folded plain family given birth_date sex school_code school_name",
        "a child of the spine with all by which it is compared",
    ),
    _declared(
        "stages.linkage.links",
        "persons",
        "table_name person_ref batch resident_id name name_kana kana birth_date sex school_code school_name "
        "school_written in_force",
        "a person of a delivery that is linked by name",
    ),
    _declared(
        "stages.linkage.links",
        "stood",
        "person_ref delivered_on",
        "a 学籍番号 and a roster in which it stood",
    ),
    _declared(
        "stages.linkage.links",
        "answers_in_force",
        "reference_date table_name person_ref child_key answer decided_by decided_on file row_number read_at said",
        "the last answer of a person about a pair",
    ),
    _declared(
        "stages.linkage.links",
        "answered_same",
        "table_name person_ref child_key batch",
        "a pair that a person answered to be one",
    ),
    _declared(
        "stages.linkage.links",
        "linked",
        "table_name person_ref batch child_key method probability",
        "a link of this refresh",
    ),
    _declared("stages.linkage.links", "to_compare", _PERSON_TO_COMPARE, "a person whom Splink compares"),
    _declared("stages.linkage.links", "children_to_compare", _PERSON_TO_COMPARE, "a child whom Splink compares"),
    _declared("stages.linkage.links", "to_learn_from", _PERSON_TO_COMPARE, "a person from whom Splink learns"),
    _declared(
        "stages.linkage.probabilistic",
        "pairs",
        "person child probability level_name weight_name level_birth weight_birth level_sex weight_sex level_school "
        "weight_school",
        "a child whom a person may be, and how likely",
    ),
    _declared(
        "stages.linkage.links",
        "last_left_of_school",
        "school_code numbers pairs_left is_asked",
        "a school: the pairs of children and numbers that are left over in it",
    ),
    _declared(
        "stages.linkage.links",
        "persons_in_force",
        "table_name school_code method is_linked probability of_school_age",
        "a person of a delivery in force and whether it is linked",
    ),
    # -- what goes out and comes back
    _declared("store.pseudonyms", "sheet_numbers", "child_key sheet_number", "a child and its 配布番号 of the date"),
    _declared("store.pseudonyms", "lots", "child_key lot", "a child and the lot that draws the sample"),
    _declared(
        "stages.review.children",
        "numbered_children",
        "child_key resident_id household_id sheet_number school_year band school_code school_name school protected",
        "a child of the reference date under its number",
    ),
    _declared(
        "stages.review.children",
        "meeting_children",
        "child_key resident_id household_id sheet_number school_year band school_code school_name school protected "
        "origin on_list was_listed decision direction reason meeting_date decided_by assigned_to release",
        "a child that is or ever was on the list of the date, and what was decided",
    ),
    _declared("stages.outcomes.first_readings", "first_readings", "file read_on", "a file and its first reading"),
    _declared(
        "office.returned",
        "rejected_files",
        "file sheet row_number problem",
        "a file, sheet or row that came back and could not be read",
    ),
    _declared(
        "stages.outcomes.decisions",
        "returned_decisions",
        "file sheet row_number given_key given_number given_year given_school meeting_date decision reason direction "
        "assigned_to decided_by release release_only problem",
        "a filled row of 判定会議",
    ),
    _declared(
        "stages.outcomes.personal_sheets",
        "returned_sheets",
        "file sheet row_number sheet_number filled_on filled_by",
        "a filled 個人票, a column per question behind the others",
        more=True,
    ),
    _declared(
        "stages.outcomes.support",
        "returned_support",
        "file sheet row_number given_key given_number given_on kind outcome step problem",
        "a filled row of 支援記録",
    ),
    _declared(
        "stages.outcomes.school_reports",
        "returned_reports",
        "file sheet row_number given_number schools sent_for given_on handed_on report problem",
        "a row of a school's list on which the school reports",
    ),
    # -- weights
    _declared(
        "stages.weights.data",
        "fit_data",
        "child_key band school_year household_id resident_id event event_on features_at records_set_aside is_labelled",
        "a child of the fit: its event and its day, the date of its features, a column per item behind the others",
        more=True,
    ),
    # -- screening
    _declared(
        "stages.screening.completeness",
        "incomplete_children",
        "child_key",
        "a child whose records are not complete: it is on no list",
    ),
    _declared(
        "stages.screening.completeness",
        "missing_schools",
        "school_code school_name",
        "a school that delivered nothing for the date",
    ),
    _declared(
        "stages.screening.scoring",
        "rescored",
        "child_key score",
        "a child of this list or the one before, and what it would have scored then with the weights of now",
    ),
    # -- evaluation
    _declared(
        "stages.evaluation.funnel",
        "decision_steps",
        "decision counted_as",
        "a decision and the column of the funnel that counts it",
    ),
)

RELATIONS = {relation.name: relation for relation in _ALL}


def told_missing(error: duckdb.CatalogException, reader: str) -> NotMadeError | None:
    """What to say where ``reader`` (an SQL file) needs a declared relation that is not there, else None."""
    found = re.search(r"Table with name (\w+) does not exist", str(error))
    relation = RELATIONS.get(found[1]) if found else None
    if relation is None:
        return None
    return NotMadeError(
        f"{reader} reads {relation.name} ({relation.row}), which kodomo_assets.{relation.maker} makes: expected that "
        "it ran before in this step"
    )
