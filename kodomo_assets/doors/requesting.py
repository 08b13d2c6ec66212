"""A request about one person on its way: which one it is, and the second role that some of them wait for."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from pathlib import Path

import duckdb

from kodomo_assets.catalogue import Catalogue
from kodomo_assets.doors.rights.care import needs_care
from kodomo_assets.errors import RequestError, Said
from kodomo_assets.office.inbox import InboxFile
from kodomo_assets.settings import Settings
from kodomo_assets.store.asking import require_role
from kodomo_assets.store.register import Asker, Request, find_request, note_access, set_state
from kodomo_assets.store.stops import was_stopped
from kodomo_assets.store.tables import transaction
from kodomo_assets.vocabulary import CENTRE_FOLDER, WAITING


def request_of(
    con: duckdb.DuckDBPyConnection, number: str, resident_id: str, kind: str, states: Sequence[str]
) -> Request:
    """The request of this number.

    Raises:
        RequestError: it is none of this kind about this person, or in none of ``states``.
    """
    request = find_request(con, number)
    if request.resident_id != resident_id or request.kind != kind:
        raise RequestError(
            "request {request}: is none for {kind} about this person, expected its own",
            request=number,
            kind=kind,
        )
    if request.state not in states:
        then = Said("; a second role confirms it first, with --confirm") if request.state == WAITING else ""
        raise RequestError(
            "request {request}: its state is {state}, expected {states}{then}",
            request=number,
            state=request.state,
            states="・".join(states),
            then=then,
        )
    return request


def needs_second_role(con: duckdb.DuckDBPyConnection, catalogue: Catalogue, resident_id: str, today: dt.date) -> bool:
    """Whether a request about the person who was identified last waits until a second role confirms it."""
    return needs_care(con, catalogue, today) or was_stopped(con, resident_id)


def require_who_confirms(catalogue: Catalogue, role: str) -> None:
    """Refuses a request that nobody could confirm: what one role asks another one confirms.

    Raises:
        RequestError: no other role is one of ``rights.confirming``. Nothing was registered.
    """
    if not _others(catalogue, role):
        raise RequestError(
            "--role: the request needs a second role, and rights.confirming names no other one "
            "than this; expected another role to ask, or one more in rights.confirming "
            "(city.yaml). Nothing was registered",
        )


def waits(catalogue: Catalogue, request: str, role: str) -> RequestError:
    """What is said of a request that is registered and waits; ``role`` made it."""
    return RequestError(
        "request {request} is registered and stops here: the person is protected "
        "(支援措置), has or may have an open case of abuse, or was stopped "
        "(利用停止), and who asks may be who it is protected from. A second role "
        "confirms it: the same command with --confirm {request} and its own --role, one of "
        "{roles}",
        request=request,
        roles="・".join(_others(catalogue, role)),
    )


def waiting_request(
    con: duckdb.DuckDBPyConnection, catalogue: Catalogue, asker: Asker, number: str, resident_id: str, kind: str
) -> Request:
    """The request that waits for this second role.

    Raises:
        RequestError: the role may not confirm, or asked itself; the request is no waiting one about this person.
    """
    require_role("--role", asker.role, catalogue.rights.confirming, "rights.confirming")
    waiting = request_of(con, number, resident_id, kind, (WAITING,))
    if waiting.role == asker.role:
        raise RequestError(
            "--confirm: request {request} was made by this role, expected a second one to confirm it",
            request=number,
        )
    return waiting


def require_confirmed(
    con: duckdb.DuckDBPyConnection,
    catalogue: Catalogue,
    asker: Asker,
    command: str,
    request: Request,
    today: dt.date,
    *,
    dry_run: bool,
) -> None:
    """Looks again at a request that needed no second role when its draft was made: a 支援措置 may have come since.

    Raises:
        RequestError: it needs one by now, and waits for it again; nothing was given out.
    """
    if request.confirmed_by is not None or not needs_care(con, catalogue, today):
        return
    with transaction(con):
        note_access(con, asker, command, request.resident_id, request=request.number, dry_run=dry_run)
        if not dry_run:
            set_state(con, request.number, WAITING)
    others = _others(catalogue, request.role)
    then = (
        Said(
            "--confirm {request} with its own --role, one of {roles}, makes the draft anew",
            request=request.number,
            roles="・".join(others),
        )
        if others
        else Said("rights.confirming names no other role than the one that asked: another role makes a new request")
    )
    raise RequestError(
        "request {request}: since its draft was made the person is protected (支援措置), "
        "or has or may have an open case of abuse, expected a second role that confirms: "
        "{then}. Nothing was given out",
        request=request.number,
        then=then,
    )


def _others(catalogue: Catalogue, role: str) -> list[str]:
    return [one for one in catalogue.rights.confirming if one != role]


def centre_folder(settings: Settings) -> Path:
    """Where drafts and files of requests lie."""
    return settings.outbox / CENTRE_FOLDER


def shown(settings: Settings, path: Path) -> str:
    """A file's name as it is told."""
    return path.relative_to(settings.data_dir).as_posix()


def filled_draft(path: Path) -> InboxFile:
    """A draft that the officer filled in, to be read.

    Raises:
        RequestError: there is no such file.
    """
    try:
        status = path.stat()
    except OSError:
        raise RequestError(
            "{file}: no such file, expected the filled draft",
            file=path.name,
        ) from None
    return InboxFile(path, path.name, None, None, status.st_size, dt.datetime.fromtimestamp(status.st_mtime, tz=dt.UTC))
