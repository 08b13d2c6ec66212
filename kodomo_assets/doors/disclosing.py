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
from kodomo_assets.doors.rights.care import needs_care
from kodomo_assets.doors.rights.records import Record, gather, state_of
from kodomo_assets.doors.rights.verdicts import decide, read_draft
from kodomo_assets.doors.rights.workbooks import draft_workbook, person_workbook
from kodomo_assets.errors import RequestError
from kodomo_assets.office.inbox import InboxFile
from kodomo_assets.office.returned import read_returned
from kodomo_assets.settings import Settings
from kodomo_assets.store.asking import require_one_of, require_role
from kodomo_assets.store.exports import Tell, put
from kodomo_assets.store.opening import open_to_write
from kodomo_assets.store.register import Asker, Request, confirm, find_request, note_access, register, set_state
from kodomo_assets.store.stops import was_stopped
from kodomo_assets.store.tables import transaction
from kodomo_assets.vocabulary import (
    CAPACITIES,
    CENTRE_FOLDER,
    DISCLOSED,
    DISCLOSURE,
    DRAFTED,
    STOP,
    VERDICTS,
    WAITING,
)

_COMMAND = "rights disclose"
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
            (``confirmed``).
    """
    said = _capacity(capacity)
    number = resident_number(catalogue, given)
    with open_to_write(settings, catalogue) as con:
        require_known(con, settings, catalogue, number)
        stops = needs_care(con, catalogue, today) or was_stopped(con, number)
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
        raise RequestError(
            f"request {request} is registered and stops here: the person is protected (支援措置), has or may have "
            "an open case of abuse, or was stopped (利用停止), and who asks may be who it is protected "
            "from. A second role confirms it: the same command with "
            f"--confirm {request} and its own --role, one of {'・'.join(catalogue.rights.confirming)}"
        )
    return lines


def confirmed(
    settings: Settings, catalogue: Catalogue, asker: Asker, given: str, *, request: str, dry_run: bool, warn: Tell
) -> list[str]:
    """A second role confirms a request that waits; the draft is written.

    Raises:
        RequestError: the role may not confirm, or asked itself; the request is no waiting one about this person.
    """
    require_role("--role", asker.role, catalogue.rights.confirming, "rights.confirming")
    number = resident_number(catalogue, given)
    with open_to_write(settings, catalogue) as con:
        require_known(con, settings, catalogue, number)
        waiting = _request_of(con, request, number, (WAITING,))
        if waiting.role == asker.role:
            raise RequestError(
                f"--confirm: request {request} was made by this role, expected a second one to confirm it"
            )
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
        RequestError: it is no draft of a request about this person, or not to be taken as it is (``verdicts``).
    """
    number = resident_number(catalogue, given)
    filled = read_draft(read_returned(_opened(file), catalogue.ingest))
    with open_to_write(settings, catalogue) as con:
        require_known(con, settings, catalogue, number)
        request = _request_of(con, filled.request, number, (DRAFTED,))
        note_access(con, asker, _RELEASE, number, request=filled.request, dry_run=dry_run)
        decisions = decide(filled, gather(con, catalogue, request.state_at))
        counted = Counter(one.verdict for one in decisions)
        told = [f"{verdict}: {counted[verdict]:,}" for verdict in VERDICTS if counted[verdict]]
        if dry_run:
            return told
        content = person_workbook(filled.request, today, _facts_told(catalogue, request), decisions)
        path = _folder(settings) / f"{DISCLOSURE}_{filled.request}.xlsx"
        with transaction(con):
            set_state(con, filled.request, DISCLOSED)
            put(path, content, warn)
    return [*told, f"the file for the person: {_shown(settings, path)}"]


def _capacity(given: str | None) -> str:
    expected = f"expected who asks: one of {'・'.join(CAPACITIES)}"
    return require_one_of("--capacity", given, CAPACITIES, "capacity", expected)


def _request_of(con: duckdb.DuckDBPyConnection, number: str, resident_id: str, states: Sequence[str]) -> Request:
    """The request, where it is a 開示 about this person in one of ``states``."""
    request = find_request(con, number)
    if request.resident_id != resident_id or request.kind != DISCLOSURE:
        raise RequestError(f"request {number}: is none for {DISCLOSURE} about this person, expected its own")
    if request.state not in states:
        raise RequestError(f"request {number}: its state is {request.state}, expected {'・'.join(states)}")
    return request


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
    if was_stopped(con, registered.resident_id):
        facts[STOP] = (
            f"{STOP}のあいだに作られた基準日では、名前で結び付ける記録（SSW相談記録など）と学校の記録を"
            "この方に結び付けていないため、この案に載っていないことがあります。担当課の記録も確かめてください"
        )
    path = _folder(settings) / f"{DISCLOSURE}_{request}_案.xlsx"
    put(path, draft_workbook(request, facts, records, state_of(records)), warn)
    return [*_counts(records), f"request {request}, the draft for the officer: {_shown(settings, path)}"]


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


def _folder(settings: Settings) -> Path:
    return settings.outbox / CENTRE_FOLDER


def _shown(settings: Settings, path: Path) -> str:
    return path.relative_to(settings.data_dir).as_posix()


def _opened(path: Path) -> InboxFile:
    try:
        status = path.stat()
    except OSError:
        raise RequestError(f"{path.name}: no such file, expected the filled draft") from None
    return InboxFile(path, path.name, None, None, status.st_size, dt.datetime.fromtimestamp(status.st_mtime, tz=dt.UTC))
