"""``rights correct ID``: a draft for the officer, and of the filled draft what counts from now on (訂正; method §8).

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
from kodomo_assets.doors.rights.cells import Cell, gather_cells
from kodomo_assets.doors.rights.corrected import Chosen, choose, draft_book, person_book, read_filled
from kodomo_assets.errors import RequestError, Said
from kodomo_assets.office.returned import read_returned
from kodomo_assets.settings import Settings
from kodomo_assets.stages.sources.rests_on import rests_on
from kodomo_assets.store.asking import require_one_of
from kodomo_assets.store.corrections import add, changed_by, correct_stored, effect, keep_before
from kodomo_assets.store.corrections import end as end_corrections
from kodomo_assets.store.exports import Tell, put
from kodomo_assets.store.opening import open_to_write
from kodomo_assets.store.register import Asker, Request, confirm, find_request, note_access, register, set_state
from kodomo_assets.store.tables import transaction
from kodomo_assets.vocabulary import (
    BY_DELIVERY,
    CAPACITIES,
    CORRECTED,
    CORRECTION,
    DRAFTED,
    ENDED,
    NOT_CORRECTED,
    WAITING,
)

_COMMAND = "rights correct"
_APPLY, _CONFIRM, _END = f"{_COMMAND} --apply", f"{_COMMAND} --confirm", f"{_COMMAND} --end"
_REFUSE, _DELIVER, _RESULT = f"{_COMMAND} --refuse", f"{_COMMAND} --deliver", f"{_COMMAND} --result"


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
        RequestError: no such person or capacity; or the draft waits for a second role, as that of a 開示 does: the
            request is registered, and nothing is written until that role confirms it (``confirmed``).
    """
    expected = Said("expected who asks: one of {known}", known="・".join(CAPACITIES))
    said = require_one_of("--capacity", capacity, CAPACITIES, Said("capacity"), expected)
    number = resident_number(catalogue, given)
    with open_to_write(settings, catalogue) as con:
        require_known(con, settings, catalogue, number)
        stops = needs_second_role(con, catalogue, number, today)
        if stops:
            require_who_confirms(catalogue, asker.role)
        if dry_run:
            note_access(con, asker, _COMMAND, number, dry_run=True)
            if stops:
                return ["a second role would have to confirm it"]
            return [*_counts(gather_cells(con, catalogue, number)), "it would need no second role"]
        lines: list[str] = []

        def then(request: str) -> None:
            if not stops:
                lines.extend(_write_draft(con, settings, catalogue, request, warn))

        state = WAITING if stops else DRAFTED
        request = register(
            con, asker, _COMMAND, number, kind=CORRECTION, state=state, today=today, capacity=said, then=then
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
        waiting_request(con, catalogue, asker, request, number, CORRECTION)
        if dry_run:
            note_access(con, asker, _CONFIRM, number, request=request, dry_run=True)
            return _counts(gather_cells(con, catalogue, number))
        with transaction(con):
            note_access(con, asker, _CONFIRM, number, request=request)
            confirm(con, asker, request, DRAFTED)
            return _write_draft(con, settings, catalogue, request, warn)


def apply(
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
    """What the officer filled in counts from now on, in what is stored and in what the office delivers later.

    Raises:
        DeliveryError: the file cannot be read.
        RequestError: it is no draft of a request about this person, not to be taken as it is (``rights.corrected``), or
            needs a second role by now.
    """
    number = resident_number(catalogue, given)
    filled = read_filled(read_returned(filled_draft(file), catalogue.ingest))
    with open_to_write(settings, catalogue) as con:
        require_known(con, settings, catalogue, number)
        request = request_of(con, filled.request, number, CORRECTION, (DRAFTED,))
        require_confirmed(con, catalogue, asker, _APPLY, request, today, dry_run=dry_run)
        note_access(con, asker, _APPLY, number, request=request.number, dry_run=dry_run)
        chosen = choose(con, catalogue, filled, gather_cells(con, catalogue, number), asker.reason)
        if dry_run:
            counted = Counter(one.cell.table.id for one in chosen)
            return [f"sources.{table}: {count:,} cells would be corrected" for table, count in counted.items()]
        path = centre_folder(settings) / f"{CORRECTION}_{request.number}.xlsx"
        facts, of_list = _facts_told(catalogue, request, chosen), _decides_list(chosen)
        with transaction(con):
            keep_before(con, request.number, number)
            add(con, request.number, number, asker.role, [one.correction for one in chosen])
            correct_stored(con, catalogue, request.number)
            set_state(con, request.number, CORRECTED)
            told = [
                f"sources.{table}: {cells:,} cells are corrected, at {days:,} reference dates"
                for table, cells, days in effect(con, request.number)
            ]
            put(path, person_book(request.number, today, facts, chosen), warn)
        return [
            *told,
            f"items that rest on them: {len(_items(catalogue, chosen)):,}",
            *(["whether the person is a child of a list, of which school and year, rests on them"] if of_list else []),
            f"the file for the person: {shown(settings, path)}",
            *_next(con, [one.correction.since for one in chosen]),
            "once it has run, --result tells what changed",
        ]


def result(
    settings: Settings, catalogue: Catalogue, asker: Asker, given: str, *, request: str, dry_run: bool
) -> list[str]:
    """What the corrections of a request changed, once the date that was the newest then is made anew: counts.

    Raises:
        RequestError: the request is none about this person, corrects nothing, or the date is not made anew yet.
    """
    number = resident_number(catalogue, given)
    with open_to_write(settings, catalogue) as con:
        require_known(con, settings, catalogue, number)
        found = request_of(con, request, number, CORRECTION, (CORRECTED,))
        note_access(con, asker, _RESULT, number, request=found.number, dry_run=dry_run)
        changed = changed_by(con, found.number)
        if changed is None:
            return ["neither the person nor anybody of its household was a child of the newest list: no list is other"]
        day, known = changed.reference_date, rests_on(con)
        if day not in known or known[day].commands_changed:
            raise RequestError(
                "request {request}: {day} was not made anew since, expected `refresh {day}` first "
                "(where a later date has its list: with --anew)",
                request=found.number,
                day=day,
            )
        told = [
            f"features.levels: {changed.other_levels:,} of {changed.levels:,} levels are others at {day}",
            f"screening.ranking: {changed.other_scores:,} of {changed.scores:,} scores are others, "
            f"{changed.other_places:,} children came on the list or left it",
        ]
        if changed.no_children:
            told.append(
                f"{changed.no_children:,} are no children of {day} any more and not among these: by the correction, by "
                "what was delivered since, or because the use was stopped"
            )
        return told


def end(
    settings: Settings, catalogue: Catalogue, asker: Asker, given: str, *, request: str, dry_run: bool
) -> list[str]:
    """The corrections of a request end: what the office delivered counts again.

    Raises:
        RequestError: the request is none about this person, or corrects nothing.
    """
    number = resident_number(catalogue, given)
    with open_to_write(settings, catalogue) as con:
        require_known(con, settings, catalogue, number)
        found = request_of(con, request, number, CORRECTION, (CORRECTED,))
        told = [
            f"sources.{table}: {cells:,} cells{' would be' if dry_run else ' are'} as the office delivered them, at "
            f"{days:,} reference dates"
            for table, cells, days in effect(con, found.number)
        ] or ["no cell of it has effect any more"]
        if dry_run:
            note_access(con, asker, _END, number, request=found.number, dry_run=True)
            return ["nothing was changed; the command would do this:", *told]
        row = con.execute("select min(since) from rights.corrections where request = $1", [found.number]).fetchone()
        with transaction(con):
            note_access(con, asker, _END, number, request=found.number)
            end_corrections(con, catalogue, found.number)
            set_state(con, found.number, ENDED)
        return [f"request {found.number}: {CORRECTION} has ended", *told, *_next(con, [row[0]] if row else [])]


def settle(
    settings: Settings,
    catalogue: Catalogue,
    asker: Asker,
    given: str,
    *,
    request: str,
    deliver: bool,
    dry_run: bool,
) -> list[str]:
    """Ends a request without a correction here: refused (93条2項), or left to the office's next delivery (``deliver``).

    Raises:
        RequestError: the request is none about this person, or was decided already.
    """
    number = resident_number(catalogue, given)
    command, state = (_DELIVER, BY_DELIVERY) if deliver else (_REFUSE, NOT_CORRECTED)
    with open_to_write(settings, catalogue) as con:
        require_known(con, settings, catalogue, number)
        found = request_of(con, request, number, CORRECTION, (WAITING, DRAFTED))
        with transaction(con):
            note_access(con, asker, command, number, request=found.number, dry_run=dry_run)
            if not dry_run:
                set_state(con, found.number, state)
    return [f"request {found.number}: {'would be' if dry_run else 'is'} {state}"]


def _write_draft(
    con: duckdb.DuckDBPyConnection, settings: Settings, catalogue: Catalogue, request: str, warn: Tell
) -> list[str]:
    registered = find_request(con, request)
    cells = gather_cells(con, catalogue, registered.resident_id)
    facts = {
        "受付番号": request,
        "請求者の資格": registered.capacity or "",
        "受け付けた役職": registered.role,
        "確認した役職": registered.confirmed_by or "（確認は要らない）",
    }
    path = centre_folder(settings) / f"{CORRECTION}_{request}_案.xlsx"
    put(path, draft_book(request, facts, cells), warn)
    return [*_counts(cells), f"request {request}, the draft for the officer: {shown(settings, path)}"]


def _facts_told(catalogue: Catalogue, request: Request, chosen: Sequence[Chosen]) -> dict[str, str]:
    return {
        "受付番号": request.number,
        "決定": f"次のシートのとおり{CORRECTION}しました（93条1項）",
        "この内容をもとにする項目": "、".join(_items(catalogue, chosen)) or "なし",
        **({"この内容で決まること": "対象児童かどうか、学校と学年"} if _decides_list(chosen) else {}),
        "反映": "最新の基準日から計算し直します。以前の会議の一覧は、そのときの記録として変わりません",
        "通知する提供先（97条）": "\n".join(catalogue.registry.recipients),
        "問合せ先": catalogue.registry.requests or catalogue.sections["child_future_center"].ja,
    }


def _items(catalogue: Catalogue, chosen: Sequence[Chosen]) -> list[str]:
    """The items whose level a corrected cell decides, by name."""
    found = (item for one in chosen for item in catalogue.items_reading(one.cell.table, one.cell.column.name))
    return list(dict.fromkeys(item.ja for item in found))


def _decides_list(chosen: Sequence[Chosen]) -> bool:
    """Whether a corrected cell decides who is a child of a date, and of which school and year."""
    return any(
        "spine" in (table := one.cell.table).serves
        and (one.cell.column.required or one.cell.column.name in table.feeds.get("spine", ()))
        for one in chosen
    )


def _next(con: duckdb.DuckDBPyConnection, since: Sequence[dt.date]) -> list[str]:
    """What has to be made anew, and what stands as it was decided."""
    days = [
        day for (day,) in con.execute("select distinct reference_date from linkage.children order by all").fetchall()
    ]
    if not days:
        return ["no reference date is refreshed yet"]
    told = [
        f"`refresh {days[-1]}` makes the newest list of it; until it has run, list and files are those of before (the "
        "daemon asks for it by itself)"
    ]
    earlier = [day for day in days[:-1] if since and day >= min(since)]
    if earlier:
        dates = ", ".join(map(str, earlier))
        told.append(f"lists of earlier dates stand as what was decided ({dates}); `refresh DATE --anew` makes one anew")
    return told


def _counts(cells: Sequence[Cell]) -> list[str]:
    counted = Counter(cell.table.id for cell in cells)
    return [f"sources.{table}: {count:,} cells" for table, count in counted.items()] or [
        "no row holds the person's own number: what reaches it by another number or by name, the office mends"
    ]
