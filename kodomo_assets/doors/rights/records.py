"""Everything that is stored about one person, row by row and in words, with what may speak against disclosing it.

Which rows these are is known to ``store.subjects`` alone; the words are those of the catalogue: a column's Japanese
comment, and where that comment lists codes (``a＝受理相当、b＝…``), what it says of each.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from zoneinfo import ZoneInfo

import duckdb

from kodomo_assets.catalogue import BLANK, NO_RECORD, NOT_APPLICABLE, Catalogue, OutputColumn, OutputTable
from kodomo_assets.sql import run_sql
from kodomo_assets.store.register import ACCESSES, REQUESTS
from kodomo_assets.store.stops import STOPS_IN_FORCE
from kodomo_assets.store.subjects import is_about, others_in
from kodomo_assets.vocabulary import (
    CLASS_FILE,
    KEY_LIST,
    LINK_REVIEW,
    MEETING,
    PERSONAL_SHEET,
    SCHOOL_LIST,
    TOLD,
)

#: Sheet of the workbook -> the schemas whose rows stand on it.
GROUPS: Mapping[str, tuple[str, ...]] = {
    "提供を受けた記録": ("sources",),
    "名寄せ": ("linkage",),
    "項目と段階": ("features",),
    "得点と一覧": ("screening", "explanation", "evaluation"),
    "会議・学校・支援": ("review",),
    "請求と閲覧の記録": ("rights",),
}
FILES = "書き出したファイル"
_FILES_JA = "この方が載っている、または載っていたことのあるファイルと提供先"
#: A cell without anything in it, in words; and what is written where one is to be blank.
BLANK_CELL = "（空欄）"
_OTHERS, _LEFT_OUT = "（ほかの方の番号）", "■■■"
_DELIVERED, _LABELS, _LEVELS, _MATRIX = "sources", "features.labels", "features.levels", "features.matrix"
_BEFORE = "rights.before_corrections"
# columns that tell of records of the label's table, of whatever table they are
_OF_LABEL = frozenset(
    {"open_consultation", "known_before", "first_received_on", "first_counted_on", "records_set_aside"}
)
# how explanation.factors names a table as a whole
_OF_TABLE = "table:"
_YES_NO = {True: "はい", False: "いいえ"}
_HARM, _OTHER_PEOPLE = "1号", "2号"
_CENTRE = f"こども未来センター（{MEETING}）"
_PASSING = frozenset({"state", "state_at", "confirmed_by", "confirmed_at"})
# what a comment says in brackets at its end; of codes, what each means
_ASIDE = re.compile(r"（[^（）]*(?:（[^（）]*）[^（）]*)*）$")
_CODE = re.compile(r"([A-Za-z_][A-Za-z0-9_]*)＝([^、（）]+)")
# what no cell of a workbook holds, and lines within a cell
_NO_CELL = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff\ufffe\uffff]+")


@dataclass(frozen=True)
class Field:
    """One column of a row in words.

    Attributes:
        others: it is another person's number, which the person is not told.
        passing: it says how far a request has come, which changes without any record changing.
        tells_of: delivered tables of whose records it tells: it was made of them.
    """

    header: str
    text: str
    others: bool = False
    passing: bool = False
    tells_of: frozenset[str] = frozenset()

    def told(self, *, left_out: frozenset[str] = frozenset(), mask: bool = False) -> str:
        text = _LEFT_OUT if self.header in left_out else _OTHERS if mask and self.others else self.text
        return f"{self.header}：{text}"


@dataclass(frozen=True)
class Record:
    """One stored row about the person.

    Attributes:
        table: its qualified name; what it is called: ``table_ja``.
        day: its reference date.
        grounds: the numbers of 78条1項 that may apply.
        alike: what the row says of an item that stands on no level of its own, or of a level that a correction found,
            and the item: several of a date are told together.
    """

    group: str
    table: str
    table_ja: str
    day: dt.date | None
    fields: tuple[Field, ...]
    grounds: tuple[str, ...]
    alike: tuple[str, str] | None = None

    @property
    def content(self) -> str:
        """The whole row, for the officer."""
        return "／".join(field.told() for field in self.fields)

    @property
    def lasting(self) -> str:
        """``content`` up to how far a request has come, which stands last in its row."""
        return "／".join(field.told() for field in self.fields if not field.passing)

    def released(self, left_out: frozenset[str] = frozenset()) -> str:
        """What the person reads: without ``left_out`` (headers) and without other people's numbers."""
        return "／".join(field.told(left_out=left_out, mask=True) for field in self.fields)


def state_of(records: Sequence[Record]) -> str:
    """A hash of all that stands in ``records``: a draft of other ones is out of date.

    How far a request has come is left out: to answer one makes no other draft of the same person old.
    """
    told = repr([(record.table, record.day, record.lasting) for record in records])
    return hashlib.sha256(told.encode()).hexdigest()[:16]


def gather(
    con: duckdb.DuckDBPyConnection, catalogue: Catalogue, until: dt.datetime, *, care: bool = False
) -> list[Record]:
    """Every stored row about the person who was identified last, and the files it stands in.

    Args:
        until: what the register, the log of accesses and the stops hold from later on is left out: to look, and to
            answer another request, adds to them.
        care: the person is protected or has an open case of abuse (``needs_care``): harm may come of any row.
    """
    words = _Words(catalogue, con)
    records: list[Record] = []
    for group, schemas in GROUPS.items():
        for table in catalogue.outputs.values():
            if table.stored and table.about != "none" and table.db_schema in schemas:
                records += _rows(con, catalogue, words, group, table, until)
    records += _files(con, words)
    if care:
        return [replace(one, grounds=tuple(sorted({*one.grounds, _HARM}))) for one in records]
    return records


def _rows(
    con: duckdb.DuckDBPyConnection,
    catalogue: Catalogue,
    words: _Words,
    group: str,
    table: OutputTable,
    until: dt.datetime,
) -> Iterator[Record]:
    others = others_in(table)
    moment = {REQUESTS: "made_at", ACCESSES: "at", STOPS_IN_FORCE: "since"}.get(table.qualified)
    found = con.execute(
        f"select t.*, [{', '.join(others.values()) or 'false'}] as is_others from {table.qualified} as t "
        f"where ({is_about(table)})" + (f" and t.{moment} <= $until" if moment else "") + " order by all",
        {"until": until} if moment else {},
    )
    names = [column[0] for column in found.description][:-1]
    for *values, flags in found.fetchall():
        row = dict(zip(names, values, strict=True))
        tells_of = _tells_of(catalogue, table, row)
        of_others = {column for column, flag in zip(others, flags, strict=False) if flag}
        fields = tuple(
            replace(field, tells_of=_tells_of_column(catalogue, table, column, row) or tells_of)
            for column in table.columns
            if column.name != "reference_date" and (column.name in of_others or not _is_own_key(table, column))
            for field in words.fields(table, column, row, is_others=column.name in of_others)
        )
        yield Record(
            group,
            table.qualified,
            _short(table.ja),
            row.get("reference_date"),
            fields,
            _grounds(catalogue, table, row, any(field.others for field in fields)),
            _alike(table, row, fields),
        )


def _alike(table: OutputTable, row: Mapping[str, object], fields: Sequence[Field]) -> tuple[str, str] | None:
    if table.qualified == _LEVELS and _says_no_more(row):
        item, level, cause, *_ = (field.text for field in fields)
        return f"{level}の項目" + (f"（{cause}）" if cause != BLANK_CELL else ""), item
    if table.qualified == _BEFORE and row["item"] is not None:
        request, item, level, *_ = (field.text for field in fields)
        return f"{request}の前に{level}の項目", item
    return None


def _says_no_more(row: Mapping[str, object]) -> bool:
    """Whether the item stands on no level of its own, for which no record is the ground."""
    return row["level"] in (NO_RECORD, BLANK, NOT_APPLICABLE) and row["evidence_on"] is None


def _tells_of(catalogue: Catalogue, table: OutputTable, row: Mapping[str, object]) -> frozenset[str]:
    """The delivered tables of whose records a row tells: it names one, or an item that reads it, or it is the label."""
    of_item = str(row.get("item"))
    item = catalogue.items.get(of_item)
    named = {row.get("table_name"), row.get("source_table"), of_item.removeprefix(_OF_TABLE)}
    named.update(item.tables if item else ())
    return _delivered(catalogue, named) | (_of_label(catalogue) if table.qualified == _LABELS else frozenset())


def _tells_of_column(
    catalogue: Catalogue, table: OutputTable, column: OutputColumn, row: Mapping[str, object]
) -> frozenset[str]:
    """The same of one column, where it tells of others than its row."""
    if table.qualified != _MATRIX and column.name in _OF_LABEL:
        return _of_label(catalogue)
    item = catalogue.items.get(column.name if table.qualified == _MATRIX else str(row[column.name]))
    return _delivered(catalogue, item.tables) if item else frozenset()


def _of_label(catalogue: Catalogue) -> frozenset[str]:
    return _delivered(catalogue, (one.id for one in catalogue.tables.values() if "label" in one.serves))


def _delivered(catalogue: Catalogue, names: Iterable[object]) -> frozenset[str]:
    return frozenset(f"{_DELIVERED}.{name}" for name in names if name in catalogue.tables)


def _is_own_key(table: OutputTable, column: OutputColumn) -> bool:
    """The pseudonym of the person itself, said once: beside its 宛名番号."""
    return column.name == "child_key" and table.qualified != "linkage.children"


def _grounds(
    catalogue: Catalogue, table: OutputTable, row: Mapping[str, object], names_others: bool
) -> tuple[str, ...]:
    """Those of the table, of the delivered tables that the row tells of, and of an item that other people decide."""
    known = catalogue.rights.grounds
    found: set[str] = {*known.get(table.qualified, ())}
    item = catalogue.items.get(str(row.get("item")))
    for name in (row.get("table_name"), row.get("source_table"), *(item.tables if item else ())):
        found.update(known.get(f"sources.{name}", ()))
    if names_others or (item is not None and item.who != "child"):
        found.add(_OTHER_PEOPLE)
    return tuple(sorted(found))


def _files(con: duckdb.DuckDBPyConnection, words: _Words) -> list[Record]:
    parameters = {
        "told": list(TOLD),
        "meeting": MEETING,
        "keys": KEY_LIST,
        "sheet": PERSONAL_SHEET,
        "class_file": CLASS_FILE,
        "list": SCHOOL_LIST,
        "review": LINK_REVIEW,
        "centre": _CENTRE,
    }
    run_sql(con, __package__, "files", parameters)
    headers = ("帳票", "ファイル名", "書き出した日時", "提供先")
    return [
        Record(
            FILES,
            "review.exports",
            _FILES_JA,
            row[0],
            tuple(Field(header, words.plain(value)) for header, value in zip(headers, row[1:], strict=True)),
            (),
        )
        for row in con.execute("from own_files").fetchall()
    ]


def _short(ja: str) -> str:
    """A comment without what it says in brackets at its end."""
    return _ASIDE.sub("", ja) or ja


class _Words:
    """What stands in a cell, in words."""

    def __init__(self, catalogue: Catalogue, con: duckdb.DuckDBPyConnection) -> None:
        self._catalogue = catalogue
        self._zone = ZoneInfo(catalogue.calendar.timezone)
        self._schools: dict[object, str] = dict(
            con.execute(
                "select school_code, arg_max(school_name, reference_date) from linkage.schools group by all"
            ).fetchall()
        )
        self._agreement: dict[object, str] = dict(
            con.execute("select level, arg_max(level_ja, reference_date) from linkage.model group by all").fetchall()
        )

    def fields(
        self, table: OutputTable, column: OutputColumn, row: Mapping[str, object], *, is_others: bool
    ) -> Iterator[Field]:
        """The cell; of one that holds the cells of a delivered row, each of them."""
        value = row[column.name]
        # an id is told by its name
        header = column.ja if table.qualified == _MATRIX else _short(column.ja).removesuffix("ID")
        if not isinstance(value, dict):
            is_slip = self._is_slip_of_others(table, column, row)
            passing = table.qualified == REQUESTS and column.name in _PASSING
            yield Field(header, self._told(table, column, row), is_others or is_slip, passing)
            return
        delivered = self._catalogue.tables[str(row["table_name"])]
        for name, text in value.items():
            cell = delivered.columns.get(str(name))
            is_others = text is not None and str(name) in delivered.numbers_of_others
            yield Field(f"{header}・{cell.ja if cell else name}", self.plain(text), is_others)

    def _is_slip_of_others(self, table: OutputTable, column: OutputColumn, row: Mapping[str, object]) -> bool:
        """A cell that could not be read, where another person's number belongs: a slip in it still tells whose."""
        if table.qualified != "sources.quarantine" or column.name != "raw_value" or row["raw_value"] is None:
            return False
        delivered = self._catalogue.tables[str(row["table_name"])]
        return row["column_name"] in {delivered.columns[name].ja for name in delivered.numbers_of_others}

    def _told(self, table: OutputTable, column: OutputColumn, row: Mapping[str, object]) -> str:
        catalogue, value = self._catalogue, row[column.name]
        if value is None or not isinstance(value, str):
            return self.plain(value)
        if table.qualified == _MATRIX and column.name in catalogue.items:
            return catalogue.level_name(column.name, value)
        match column.name:
            case "item" | "strongest_item":
                return catalogue.item_name(value)
            case "level":
                return catalogue.level_name(str(row.get("item")), value)
            case "table_name" | "source_table":
                return catalogue.tables[value].ja if value in catalogue.tables else value
            case "school_code":
                return self._schools.get(value, value)
            case "band":
                return next((band.ja for name, band in catalogue.bands.items() if name == value), value)
            case "difficulty":
                return catalogue.difficulties.get(value, value)
        if table.qualified == "sources.quarantine" and column.name == "reason" and value in catalogue.reasons:
            return catalogue.reasons[value].ja
        if column.words == "comparison_level":
            return self._agreement.get(value, value)
        return dict(_CODE.findall(column.ja)).get(value) or self.plain(value)

    def plain(self, value: object) -> str:
        """A value that is no code."""
        if value is None or value == "":
            return BLANK_CELL
        if isinstance(value, bool):
            return _YES_NO[value]
        if isinstance(value, dt.datetime):
            return value.astimezone(self._zone).strftime("%Y-%m-%d %H:%M")
        if isinstance(value, float):
            return f"{value:.6g}"
        if isinstance(value, list):
            return "、".join(self.plain(part) for part in value) or "なし"
        return _NO_CELL.sub(" ", str(value))
