"""One owner for every word that files, pages and tables share (kodomo_assets/vocabulary.py)."""

from __future__ import annotations

import ast
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import duckdb
import pytest

import kodomo_assets
from kodomo_assets import vocabulary
from kodomo_assets.catalogue import BLANK, NO_RECORD, NOT_APPLICABLE, load_catalogue
from kodomo_assets.office import inbox
from kodomo_assets.stages.linkage.comparisons import COMPARISONS, UNKNOWN
from kodomo_assets.stages.review.meeting import MeetingChild

ROOT = Path(kodomo_assets.__file__).parent
CATALOGUE = load_catalogue()
ROOMS = ("stages", "defs", "office", "store", "doors")
JAPANESE = re.compile(r"[^\x00-\x7f]")
QUOTED = {".sql": re.compile(r"'([^'\n]*)'"), ".js": re.compile(r"\"([^\"\n]*)\"|'([^'\n]*)'|`([^`\n]*)`")}


def words_of(value: object) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for part in (*value.keys(), *value.values()):
            yield from words_of(part)
    elif isinstance(value, vocabulary.SheetQuestion):
        yield value.ja
    elif isinstance(value, Sequence):
        for part in value:
            yield from words_of(part)


WORDS = {
    word
    for name, value in vars(vocabulary).items()
    if not name.startswith("_")
    for word in words_of(value)
    if JAPANESE.search(word)
}
# 組, 学校, 理由, 番号 ...: two signs are words of every trade, and mean other things elsewhere too
LONG = {word for word in WORDS if len(word) > 2}
# file, word: why it may stand there
EXCEPTIONS: dict[tuple[str, str], str] = {}


def literals(path: Path) -> Iterator[str]:
    """What is quoted in a file; comments and docstrings explain, they make no word."""
    text = path.read_text("utf-8")
    if path.suffix == ".py":
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                yield node.value
        return
    code = re.sub(r"(?m)(?:^|\s)(?:--|//).*$", "", text)
    for found in QUOTED[path.suffix].finditer(code):
        yield next(part for part in found.groups() if part is not None)


def test_no_word_of_the_vocabulary_is_spelled_a_second_time():
    found = {
        (str(path.relative_to(ROOT)), text)
        for room in ROOMS
        for path in sorted((ROOT / room).rglob("*"))
        if path.suffix in {".py", ".sql", ".js"}
        for text in literals(path)
        if text in LONG
    }
    assert found == set(EXCEPTIONS)


def test_a_folder_is_called_as_windows_calls_it():
    """What staff read on their screens beside our pages."""
    other = re.compile(r"フォル[ダ](?!ー)")
    texts = [
        path
        for place in (
            ROOT,
            ROOT.with_name("kodomo_assets_tests"),
            ROOT.with_name("docs"),
            ROOT.with_name("README.ja.md"),
        )
        for path in ([place] if place.is_file() else place.rglob("*"))
        if path.suffix in {".py", ".md", ".yaml", ".html", ".js", ".sql"}
    ]
    assert len(texts) > 300
    assert [path.name for path in texts if other.search(path.read_text("utf-8"))] == []


def test_the_walk_finds_a_word_in_each_language(tmp_path):
    for name, text in {
        "a.py": 'x = "支援対象者"',
        "a.sql": "where kind = '支援対象者'",
        "a.js": 'h("支援対象者")',
    }.items():
        (tmp_path / name).write_text(text, "utf-8")
        assert set(literals(tmp_path / name)) & LONG == {"支援対象者"}


# What people call it when they speak of their work, too: 基準日, 支援措置 and the like stand in any sentence.
TELLING = {
    word
    for word in (
        *vocabulary.RETURNED,
        vocabulary.KEY_LIST,
        vocabulary.RETURNS,
        *vocabulary.DECISIONS.values(),
        *(word for word in vocabulary.FLAGS.values() if word != vocabulary.PROTECTED),
        *vocabulary.MISSING.values(),
        vocabulary.UNDECIDED,
        vocabulary.NUMBER,
        vocabulary.CHILD_KEY,
        vocabulary.ASKED_MARK,
        vocabulary.DECIDED_BY,
        vocabulary.DECIDED_ON,
        vocabulary.MEETING_DATE,
        vocabulary.RELEASED,
        vocabulary.DIRECTION,
        vocabulary.FILLED_ON,
        vocabulary.FILLED_BY,
        vocabulary.GIVEN_ON,
        vocabulary.SUPPORT,
        vocabulary.SPOKEN_ON,
        vocabulary.REPORT,
    )
    if len(word) > 2
}
# file, word: the meeting itself, no file of it
SPOKEN_OF = {("stages/review/school_workbook.py", "判定会議"), ("defs/jobs.py", "判定会議")}
DECIDED = re.compile(r"(?i)decision\w*\s*(?:=|<>|(?:not\s+)?in)\s*\(?\s*'")


def sentences(path: Path) -> Iterator[str]:
    """As ``literals``, without docstrings."""
    documented = {
        ast.get_docstring(node, clean=False)
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef)
    }
    return (text for text in literals(path) if text not in documented)


def test_no_sentence_of_a_module_spells_the_name_of_a_file_a_header_a_flag_or_a_decision():
    found = {
        (str(path.relative_to(ROOT)), word)
        for room in (*ROOMS, "refreshing")
        for path in sorted((ROOT / room).rglob("*.py"))
        for text in sentences(path)
        for word in TELLING
        if word in text
    }
    assert found == SPOKEN_OF


def test_no_statement_spells_a_decision_or_the_name_of_a_file_or_a_flag():
    """They are bound, or stand in a table: which of a to d is told, and as what it counts, is the vocabulary's."""
    headers = {word for name, word in vars(vocabulary).items() if isinstance(word, str) and name.isupper()}
    kinds = {*vocabulary.RETURNED, vocabulary.KEY_LIST, vocabulary.RETURNS, vocabulary.MODEL_CARD}
    kinds |= {vocabulary.FILE_REGISTER, vocabulary.OFFICE_PAPER, vocabulary.RESULTS}
    telling = {word for word in TELLING - headers | kinds if len(word) > 2}
    statements = sorted(ROOT.glob("stages/**/*.sql"))
    assert len(statements) > 20
    spelled = {(path.name, word) for path in statements for text in literals(path) for word in telling if word in text}
    compared = {path.name for path in statements if DECIDED.search(path.read_text("utf-8"))}
    assert (spelled, compared) == (set(), set())
    assert DECIDED.search("bool_or(decision in ('a', 'b'))")
    assert DECIDED.search("decision <> 'd'")


def test_a_header_that_a_statement_names_in_a_problem_is_one_of_the_vocabulary():
    """SQL tells what is wrong with a row in whole sentences; a header that is renamed must be renamed in them."""
    problems = [*(ROOT / "stages" / "outcomes").glob("*.sql"), ROOT / "stages" / "linkage" / "read_answers.sql"]
    named = {
        word
        for path in problems
        for text in literals(path)
        if " " in text
        for word in re.findall(r"表ID|[^\x00-\x7f・]+", text)
    }
    assert len(named) > 5
    assert named <= WORDS


def test_the_page_spells_no_word_that_a_file_or_a_table_has_too():
    """Short ones neither; and the names of flags, decisions, causes and files not even inside a sentence."""
    path = ROOT / "stages" / "review" / "page.js"
    assert set(literals(path)) & WORDS == set()
    code = re.sub(r"(?m)^\s*//.*$", "", path.read_text("utf-8"))
    kinds = (*vocabulary.RETURNED, vocabulary.KEY_LIST, vocabulary.RETURNS)
    telling = {
        *vocabulary.FLAGS.values(),
        *vocabulary.DECISIONS.values(),
        *vocabulary.MISSING.values(),
        *CATALOGUE.difficulties.values(),
        *(kind for kind in kinds if len(kind) > 2),
        vocabulary.NUMBER,
        vocabulary.UNDECIDED,
        vocabulary.MEETING_DATE,
        # 小1 and 中1 to 中3 follow from one line
        "小${year",
        "中${year",
    }
    assert {word for word in telling if word in code} == set()


def test_every_cause_and_every_level_that_no_item_lists_has_one_word():
    assert set(vocabulary.MISSING) == {NO_RECORD, BLANK}
    assert set(vocabulary.LEVEL_WORDS) == {NO_RECORD, BLANK, NOT_APPLICABLE, "recorded"}
    assert vocabulary.LEVEL_WORDS[BLANK] == vocabulary.MISSING[BLANK] == "未記入"
    assert len(set(vocabulary.LEVEL_WORDS.values())) == 4


def test_school_years_are_those_of_both_schools():
    assert list(vocabulary.SCHOOL_YEARS.values()) == ["小1", "小2", "小3", "小4", "小5", "小6", "中1", "中2", "中3"]
    with pytest.raises(KeyError):
        vocabulary.school_year_ja(10)


def test_flags_are_facts_of_a_child():
    assert set(vocabulary.FLAGS) <= set(MeetingChild.__dataclass_fields__)


def test_yaml_spells_the_decisions_as_the_vocabulary_does():
    """outputs.yaml has to write them out: the columns of the funnel, and the words of 判定."""
    columns = {column.name: column.ja for column in CATALOGUE.output("evaluation.funnel").columns}
    for letter, step in vocabulary.DECISION_STEPS.items():
        assert columns[step] == f"{letter} {vocabulary.DECISIONS[letter]}"
        assert columns[f"newly_found_{step}"] == f"新たに発見のうち {letter}"
    decision = next(c for c in CATALOGUE.output("review.decisions").columns if c.name == "decision")
    told = "、".join(f"{letter}＝{ja}" for letter, ja in vocabulary.DECISIONS.items())
    assert (decision.ja, list(decision.words)) == (f"判定（{told}）", list(vocabulary.DECISIONS))


# column of outputs.yaml -> the word of the vocabulary with which what it says of itself begins
SAID = {
    "review.decisions": {
        "child_key": vocabulary.CHILD_KEY,
        "meeting_date": vocabulary.MEETING_DATE,
        "direction": vocabulary.DIRECTION,
        "decided_by": vocabulary.DECIDED_BY,
    },
    "linkage.answers": {
        "table_name": vocabulary.TABLE_ID,
        "child_key": vocabulary.CHILD_KEY,
        "decided_by": vocabulary.DECIDED_BY,
        "decided_on": vocabulary.DECIDED_ON,
    },
    "review.personal_sheets": {
        **{question.id: question.ja for question in vocabulary.QUESTIONS},
        "filled_on": vocabulary.FILLED_ON,
        "filled_by": vocabulary.FILLED_BY,
    },
    "review.support": {
        "given_on": vocabulary.GIVEN_ON,
        "kind": vocabulary.SUPPORT,
        "report": vocabulary.REPORT,
    },
    "review.meeting_list": {"sheet_number": vocabulary.NUMBER},
    "screening.ranking": {name: vocabulary.FLAGS[name] for name in ("newly_found", "open_consultation", "tied_at_cut")},
    "evaluation.funnel": {"newly_found": vocabulary.FLAGS["newly_found"], "undecided": vocabulary.UNDECIDED},
}


@pytest.mark.parametrize("table", SAID)
def test_yaml_spells_headers_questions_and_flags_as_the_vocabulary_does(table):
    said = {column.name: column.ja for column in CATALOGUE.output(table).columns}
    assert {name: said[name][: len(word)] for name, word in SAID[table].items()} == SAID[table]


def test_yaml_names_files_as_the_vocabulary_does():
    named = {name: file.ja for name, file in CATALOGUE.files.items() if not name.startswith("published")}
    kinds = {*vocabulary.RETURNED, vocabulary.KEY_LIST, vocabulary.RETURNS, vocabulary.MODEL_CARD}
    kinds |= {vocabulary.FILE_REGISTER, vocabulary.OFFICE_PAPER, vocabulary.RESULTS}
    assert {name for name, ja in named.items() if not any(ja.startswith(kind) for kind in kinds)} == set()
    # what is put back, by its name in the inbox
    for table, kind in {
        "review.decisions": (vocabulary.MEETING, vocabulary.DECISIONS_FILE),
        "review.support": (vocabulary.SUPPORT_RECORD,),
        "linkage.answers": (vocabulary.LINK_REVIEW,),
    }.items():
        assert all(word in CATALOGUE.output(table).description for word in kind)


def test_levels_of_a_comparison_are_words_of_the_vocabulary():
    assert {level.name for c in COMPARISONS for level in c.levels} | {UNKNOWN} == set(vocabulary.COMPARISON_LEVELS)


def test_every_link_rule_s_method_is_a_word_of_the_vocabulary():
    folder = ROOT / "stages" / "linkage"
    made = {m for path in folder.glob("*.sql") for m in re.findall(r"'(\w+)' as method", path.read_text("utf-8"))}
    assert len(made) > 3
    assert made <= set(vocabulary.LINK_METHODS)


def test_a_further_kind_of_file_that_comes_back_is_one_entry(tmp_path, monkeypatch):
    """The inbox knows it, and the asset that reads it, from its line in RETURNED alone."""
    (tmp_path / "面談記録_南小_令和7年4月.xlsx").write_bytes(b"x")
    (tmp_path / "面談記録.pdf").write_bytes(b"x")

    def seen() -> list[tuple[str | None, str | None]]:
        return [(file.returned, file.problem) for file in inbox.scan_inbox(tmp_path, CATALOGUE)]

    assert seen() == [(None, "unknown_table")] * 2
    monkeypatch.setitem(vocabulary.RETURNED, "面談記録", "review.support")
    assert seen() == [(None, "wrong_ending"), ("面談記録", None)]
    assert "面談記録" in vocabulary.kinds_read_by("review.support")


def test_the_assets_that_read_what_comes_back_are_there():
    assert {CATALOGUE.output(asset).qualified for asset in vocabulary.RETURNED.values()} == {
        "linkage.answers",
        "review.personal_sheets",
        "review.decisions",
        "review.support",
    }


def test_the_published_levels_are_said_in_the_vocabulary_s_words():
    from kodomo_assets.store.dictionary import explain_names

    with duckdb.connect() as con:
        explain_names(con, CATALOGUE)
        assert dict(con.execute("from catalogue.level_words").fetchall()) == vocabulary.LEVEL_WORDS


def test_no_module_gives_a_name_twice():
    """A word that takes another one's name takes its place in every file that is written with it."""
    given = [
        (path.relative_to(ROOT).as_posix(), name.id)
        for path in sorted(ROOT.rglob("*.py"))
        for statement in ast.parse(path.read_text("utf-8")).body
        if isinstance(statement, ast.Assign | ast.AnnAssign)
        for target in (statement.targets if isinstance(statement, ast.Assign) else [statement.target])
        for name in ast.walk(target)
        if isinstance(name, ast.Name)
    ]
    assert [name for name, count in Counter(given).items() if count > 1] == []
