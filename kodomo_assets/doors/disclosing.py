"""``rights disclose ID``: a draft for the officer, and of the filled draft the file for the person (method §8).

What is printed holds counts, the number of the request and names of files: nothing of anybody.
"""

from __future__ import annotations

import datetime as dt
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import duckdb

from kodomo_assets.catalogue import Catalogue
from kodomo_assets.doors.asking import require_known, resident_number
from kodomo_assets.doors.requesting import (
    centre_folder,
    filled_draft,
    needs_second_role,
    request_of,
    require_confirmed,
    require_who_confirms,
    shown,
    waiting_request,
    waits,
)
from kodomo_assets.doors.rights.records import Record, gather, state_of
from kodomo_assets.doors.rights.verdicts import decide, read_draft, unsaid_tables
from kodomo_assets.doors.rights.workbooks import draft_workbook, person_workbook
from kodomo_assets.errors import Said
from kodomo_assets.office.returned import read_returned
from kodomo_assets.settings import Settings
from kodomo_assets.store.asking import require_one_of
from kodomo_assets.store.exports import Tell, put
from kodomo_assets.store.opening import open_to_write
from kodomo_assets.store.register import Asker, Request, confirm, find_request, note_access, register, set_state
from kodomo_assets.store.tables import transaction
from kodomo_assets.vocabulary import (
    CAPACITIES,
    DISCLOSED,
    DISCLOSURE,
    DRAFTED,
    UNSAID,
    VERDICTS,
    WAITING,
)

_COMMAND = "rights disclose"
_SCORES = frozenset(
    {"screening.ranking", "screening.stability", "screening.difficulty_scores", "rights.before_corrections"}
)
_RELEASE, _CONFIRM = f"{_COMMAND} --release", f"{_COMMAND} --confirm"


def draft(
    settings: Settings,
    catalogue: Catalogue,
    asker: Asker,
    given: str,
    *,
    capacity: str | None,
    today: dt.date,
    dry_run: bool,
    warn: Tell,
) -> list[str]:
    """Registers the request and writes the draft; of a dry run the counts per table only.

    Args:
        given: the 宛名番号, as somebody typed it.
        capacity: who asks: one of ``vocabulary.CAPACITIES``.

    Raises:
        RequestError: no such person or capacity; or the person is protected, has or may have an open case of abuse,
            or was stopped: then the request is registered, and nothing is written until a second role confirms it
            (``confirmed``); where no other role could, nothing is registered.
    """
    said = _capacity(capacity)
    number = resident_number(catalogue, given)
    with open_to_write(settings, catalogue) as con:
        require_known(con, settings, catalogue, number)
        stops = needs_second_role(con, catalogue, number, today)
        if stops:
            require_who_confirms(catalogue, asker.role)
        if dry_run:
            note_access(con, asker, _COMMAND, number, dry_run=True)
            if stops:
                # of such a person one role alone learns nothing, not even which tables have rows
                return ["a second role would have to confirm it"]
            return [*_counts(gather(con, catalogue, dt.datetime.now(dt.UTC))), "it would need no second role"]
        state = WAITING if stops else DRAFTED
        lines: list[str] = []

        def then(request: str) -> None:
            if not stops:
                lines.extend(_write_draft(con, settings, catalogue, request, warn, care=False))

        request = register(
            con, asker, _COMMAND, number, kind=DISCLOSURE, state=state, today=today, capacity=said, then=then
        )
    if stops:
        raise waits(catalogue, request, asker.role)
    return lines


def confirmed(
    settings: Settings, catalogue: Catalogue, asker: Asker, given: str, *, request: str, dry_run: bool, warn: Tell
) -> list[str]:
    """A second role confirms a request that waits; the draft is written.

    Raises:
        RequestError: the role may not confirm, or asked itself; the request is no waiting one about this person.
    """
    number = resident_number(catalogue, given)
    with open_to_write(settings, catalogue) as con:
        require_known(con, settings, catalogue, number)
        waiting_request(con, catalogue, asker, request, number, DISCLOSURE)
        if dry_run:
            note_access(con, asker, _CONFIRM, number, request=request, dry_run=True)
            return _counts(gather(con, catalogue, dt.datetime.now(dt.UTC)))
        with transaction(con):
            note_access(con, asker, _CONFIRM, number, request=request)
            confirm(con, asker, request, DRAFTED)
            return _write_draft(con, settings, catalogue, request, warn, care=True)


def release(
    settings: Settings,
    catalogue: Catalogue,
    asker: Asker,
    given: str,
    *,
    file: Path,
    today: dt.date,
    dry_run: bool,
    warn: Tell,
) -> list[str]:
    """Makes the file for the person of what the officer released in the draft ``file``.

    Raises:
        DeliveryError: the file cannot be read.
        RequestError: it is no draft of a request about this person, not to be taken as it is (``verdicts``), or needs
            a second role by now.
    """
    number = resident_number(catalogue, given)
    filled = read_draft(read_returned(filled_draft(file), catalogue.ingest))
    with open_to_write(settings, catalogue) as con:
        require_known(con, settings, catalogue, number)
        request = request_of(con, filled.request, number, DISCLOSURE, (DRAFTED,))
        require_confirmed(con, catalogue, asker, _RELEASE, request, today, dry_run=dry_run)
        note_access(con, asker, _RELEASE, number, request=filled.request, dry_run=dry_run)
        decisions = decide(filled, gather(con, catalogue, request.state_at))
        counted = Counter(one.verdict for one in decisions)
        told = [f"{verdict}: {counted[verdict]:,}" for verdict in VERDICTS if counted[verdict]]
        scores = (one for one in decisions if one.record.table in _SCORES and one.record.alike is None)
        if unsaid_tables(decisions) and any(one.is_told for one in scores):
            told.append(f"scores are told that records with {UNSAID} went into: look whether they tell of these")
        if dry_run:
            return told
        content = person_workbook(filled.request, today, _facts_told(catalogue, request), decisions)
        path = centre_folder(settings) / f"{DISCLOSURE}_{filled.request}.xlsx"
        with transaction(con):
            set_state(con, filled.request, DISCLOSED)
            put(path, content, warn)
    return [*told, f"the file for the person: {shown(settings, path)}"]


def _capacity(given: str | None) -> str:
    expected = Said("expected who asks: one of {known}", known="・".join(CAPACITIES))
    return require_one_of("--capacity", given, CAPACITIES, Said("capacity"), expected)


def _write_draft(
    con: duckdb.DuckDBPyConnection, settings: Settings, catalogue: Catalogue, request: str, warn: Tell, *, care: bool
) -> list[str]:
    registered = find_request(con, request)
    records = gather(con, catalogue, registered.state_at, care=care)
    facts = {
        "受付番号": request,
        "請求者の資格": registered.capacity or "",
        "受け付けた役職": registered.role,
        "確認した役職": registered.confirmed_by or "（確認は要らない）",
        "記録情報の経常的提供先": "\n".join(catalogue.registry.recipients),
    }
    path = centre_folder(settings) / f"{DISCLOSURE}_{request}_案.xlsx"
    put(path, draft_workbook(request, facts, records, state_of(records)), warn)
    return [*_counts(records), f"request {request}, the draft for the officer: {shown(settings, path)}"]


def _facts_told(catalogue: Catalogue, request: Request) -> dict[str, str]:
    return {
        "受付番号": request.number,
        "利用目的": catalogue.registry.purpose,
        "記録情報の経常的提供先": "\n".join(catalogue.registry.recipients),
        "この書面の読み方": (
            "一つの行が、保有している一件の記録です。ほかの方の番号は示していません。「■■■」は開示しない項目です。"
            "得点は支援につなぐための参考情報であり、判定でも確率でもありません"
        ),
        "問合せ先": catalogue.registry.requests or catalogue.sections["child_future_center"].ja,
    }


def _counts(records: Sequence[Record]) -> list[str]:
    counted = Counter(record.table for record in records)
    return [f"{table}: {count:,}" for table, count in counted.items()]
