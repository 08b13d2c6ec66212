"""No text that a person typed reaches the analysts: declared columns hold declared words, and chance blocks nothing."""

from __future__ import annotations

from pathlib import Path
from typing import get_args

import duckdb
import pytest

from kodomo_assets.catalogue import OTHER, Catalogue, OutputColumn, OutputTable, Step, load_catalogue
from kodomo_assets.stages.linkage.comparisons import COMPARISONS, UNKNOWN
from kodomo_assets.vocabulary import QUESTIONS
from kodomo_assets_tests.published.test_published import build, query
from kodomo_assets_tests.town import Town, key

CATALOGUE = load_catalogue()
TEXTS = [
    (table, column)
    for table in CATALOGUE.outputs.values()
    if table.published
    for column in table.columns
    if column.type == "VARCHAR" and not column.private
]
NAME = "架空　花子"
LONGER = f"母（{NAME}）から電話"


@pytest.fixture
def town(tmp_path: Path):
    made = Town(tmp_path)
    for number in (1, 2):
        made.child(number, selected=True)
    made.con.execute("update sources.resident_register set name = $1 where resident_id = '0000000001'", [NAME])
    yield made
    made.con.close()


def published(town: Town) -> Path:
    target = town.root / "analyst.duckdb"
    outcomes = build(town.con, target, catalogue=town.catalogue)
    assert all(outcome.passed for outcome in outcomes if outcome.blocking)
    return target


def decided(town: Town, direction: str, decided_by: str) -> tuple[str, str, str]:
    """The published (decision, direction, decided_by) of child 1, decided by a file that came back."""
    town.list()
    town.write("判定.csv", f"child_key,会議日,判定,理由,支援の方向性,判定者\n{key(1)},2025-05-20,b,{LONGER},{direction},{decided_by}\n")  # fmt: skip
    assert town.read_decisions().rows == 1
    ((decision, *words),) = query(published(town), "select decision, direction, decided_by from review.decisions")
    return decision, *words


def test_every_published_text_declares_where_its_words_come_from():
    assert len(TEXTS) > 100
    assert [f"{t.qualified}.{c.name}" for t, c in TEXTS if c.words is None] == []


@pytest.mark.parametrize(
    ("column", "problem"),
    [
        ({"type": "VARCHAR"}, "a published text needs `words`"),
        ({"type": "VARCHAR", "words": "anything"}, "no vocabulary 'anything'"),
        ({"type": "VARCHAR[]", "words": "level"}, "is never published"),
        ({"type": "INTEGER"}, "needs `children`"),
        ({"type": "INTEGER", "children": True}, "belongs to a table with `aggregate`"),
        ({"type": "DOUBLE", "share_of": "nothing"}, "names column 'nothing'"),
    ],
)
def test_a_new_column_that_does_not_say_what_may_leave_is_an_error(column, problem):
    made = OutputTable(db_schema="evaluation", name="new", ja="新しい表", about="none", columns=(OutputColumn(name="new", ja="新", **column),))  # fmt: skip
    given = {**{name: getattr(CATALOGUE, name) for name in Catalogue.model_fields}, "outputs": {made.qualified: made}}
    # which names tables that are not there
    given["rights"] = CATALOGUE.rights.model_copy(update={"grounds": {}})
    with pytest.raises(ValueError, match=rf"outputs\.evaluation\.new\.new: .*{problem}"):
        Catalogue(**given)
    private = made.model_copy(update={"columns": (made.columns[0].model_copy(update={"private": True}),)})
    Catalogue(**(given | {"outputs": {made.qualified: private}}))


def test_the_words_are_those_that_the_program_uses():
    levels = {level.name for comparison in COMPARISONS for level in comparison.levels} | {UNKNOWN}
    assert levels <= set(CATALOGUE.vocabularies["comparison_level"].listed)
    model = {column.name: set(column.words) for column in CATALOGUE.output("linkage.model").columns if isinstance(column.words, tuple)}  # fmt: skip
    assert model["level_ja"] == {level.ja for comparison in COMPARISONS for level in comparison.levels}
    assert model["comparison_ja"] == {comparison.ja for comparison in COMPARISONS}
    asked = {answer for question in QUESTIONS if question.id != "concern" for answer in question.choices or ()}
    assert asked == set(CATALOGUE.vocabularies["sheet_answer"].listed)
    (step,) = [column for column in CATALOGUE.output("review.support").columns if column.name == "step"]
    assert step.words == get_args(Step)


def test_a_name_inside_a_longer_text_stays_inside_wherever_it_is_typed(town):
    """A row for every text of every published table, in which that text and no other is one that a person typed."""
    dull = {"VARCHAR": "x", "DATE": "2025-04-01", "TIMESTAMPTZ": "2025-04-01", "BOOLEAN": "false", "VARCHAR[]": "[]"}
    typed = [(table, column) for table, column in TEXTS if table.stored]
    for table, column in typed:
        town.insert(table.qualified, **({c.name: dull.get(c.type, "1") for c in table.columns} | {column.name: LONGER}))
    target = published(town)
    with duckdb.connect(str(target), read_only=True) as con:
        for table, column in typed:
            texts = con.execute(f'select distinct "{column.name}" from {table.qualified}').fetchall()
            assert (OTHER,) in texts, f"{table.qualified}.{column.name}"
            assert not [text for (text,) in texts if text and "花子" in text], f"{table.qualified}.{column.name}"
    assert "花子".encode() not in target.read_bytes()


@pytest.mark.parametrize(
    ("direction", "decided_by", "told"),
    [
        ("家庭訪問", "社会福祉士", ("b", "家庭訪問", "社会福祉士")),
        # roles stand together in one cell as people write them
        ("学校での見守り", "社会福祉士、公認心理師", ("b", "学校での見守り", "社会福祉士・公認心理師")),
        (LONGER, "社会福祉士 架空花子", ("b", OTHER, OTHER)),
        (NAME, NAME, ("b", OTHER, OTHER)),
        ("家庭訪問（花子）", "社会福祉士・架空花子", ("b", OTHER, OTHER)),
        ("0000000001", "所長", ("b", OTHER, OTHER)),
    ],
)
def test_of_what_the_meeting_typed_only_configured_words_leave(town, direction, decided_by, told):
    assert decided(town, direction, decided_by) == told


def test_a_role_and_a_direction_of_the_citys_own_leave(town):
    town.configure("meeting: {roles: [所長], directions: {みまもり隊: 学校での見守り}}")
    assert decided(town, "みまもり隊", "所長") == ("b", "みまもり隊", "所長")


@pytest.mark.parametrize("name", ["社会福祉士", "佐藤課長"])
def test_a_resident_who_is_called_like_a_word_does_not_block_publication(town, name):
    """Old decisions stay in the history: what is published of them may never depend on who lives in the city."""
    town.con.execute("update sources.resident_register set name = $1 where resident_id = '0000000002'", [name])
    decided(town, name, name)
    town.write(
        "判定.csv", f"child_key,会議日,判定,理由,支援の方向性,判定者\n{key(1)},2025-05-20,b,,家庭訪問,社会福祉士\n"
    )
    assert town.read_decisions().rows == 1  # the mended file: both rows stay
    rows = query(published(town), "select direction, decided_by from review.decisions order by read_at")
    assert rows[-1] == ("家庭訪問", "社会福祉士")
    assert rows[0] == tuple(
        name if name in words else OTHER for words in (CATALOGUE.meeting.directions, CATALOGUE.meeting.roles)
    )


def test_only_declared_columns_of_what_people_wrote_are_there(town):
    names = {f"{table}.{column}" for table, column in query(published(town), "select table_name, column_name from duckdb_columns() where schema_name = 'review'")}  # fmt: skip
    assert names == {
        *(f"meeting_list.{name}" for name in ("reference_date", "child_key", "origin", "probability")),
        *(
            f"decisions.{name}"
            for name in (
                "reference_date",
                "child_key",
                "meeting_date",
                "decision",
                "direction",
                "decided_by",
                "read_at",
            )
        ),
        *(
            f"personal_sheets.{name}"
            for name in (
                "reference_date",
                "appearance",
                "submissions",
                "forgotten_items",
                "lunch",
                "friendships",
                "contact_with_parents",
                "family",
                "sibling_care",
                "concern",
            )
        ),
        *(f"support.{name}" for name in ("reference_date", "given_on", "outcome", "step")),
    }


def test_a_word_of_the_program_that_nobody_declared_is_a_warning(town):
    town.insert("linkage.links", reference_date=town.day, table_name="school_roster", person_ref="1", child_key=key(1), method="a_new_way", probability=1)  # fmt: skip
    outcomes = {o.name: o for o in build(town.con, town.root / "analyst.duckdb")}
    assert not outcomes["own_words_known"].passed
    assert outcomes["own_words_known"].message.endswith(": linkage.links.method")
    with duckdb.connect(str(town.root / "analyst.duckdb"), read_only=True) as con:
        assert con.execute("select method from linkage.links").fetchall() == [(OTHER,)]
