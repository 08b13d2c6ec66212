"""Who may give a command that looks at people: one of the city's roles, with a reason, by the centre's own account."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence

from kodomo_assets.catalogue import Catalogue, did_you_mean
from kodomo_assets.errors import RequestError, Said
from kodomo_assets.settings import Settings
from kodomo_assets.store.modes import others_may
from kodomo_assets.store.register import Asker


def who_asks(settings: Settings, catalogue: Catalogue, role: str | None, reason: str | None) -> Asker:
    """Who gives the command, for the log.

    Raises:
        RequestError: role or reason is missing or blank, the city does not list the role, or the account is not the
            one that ``kodomo.duckdb`` belongs to.
    """
    known = require_role("--role", role, catalogue.rights.roles, "rights.roles")
    if reason is None or not reason.strip():
        raise RequestError(
            "--reason: nothing was given, expected why, in a few words without anybody's name",
        )
    return Asker(known, reason.strip(), _own_account(settings))


def require_role(option: str, role: str | None, roles: Sequence[str], key: str) -> str:
    """The role that was given with ``option``, as the configuration writes it.

    Raises:
        RequestError: it is missing, blank or none of ``roles``.
    """
    return require_one_of(
        option, role, roles, Said("role"), Said("expected one of {roles} ({key})", roles="・".join(roles), key=key)
    )


def require_one_of(option: str, given: str | None, known: Sequence[str], what: str, expected: str) -> str:
    """What was given with ``option``, as it is written among ``known``; ``what`` and ``expected`` say what it is.

    Raises:
        RequestError: it is missing, blank or none of ``known``.
    """
    if given is None or not given.strip():
        raise RequestError(
            "{option}: nothing was given, {expected}",
            option=option,
            expected=expected,
        )
    if given.strip() not in known:
        raise RequestError(
            "{option}: no such {what}, {expected}{hint}",
            option=option,
            what=what,
            expected=expected,
            hint=did_you_mean(given.strip(), known),
        )
    return given.strip()


def _own_account(settings: Settings) -> str:
    """The name of the account that runs this process.

    Raises:
        RequestError: there is no database, or it is another account's.
    """
    database = settings.database
    if not database.exists():
        raise RequestError(
            "{database}: there is none in KODOMO_DATA_DIR, expected that of a refresh: nobody is known yet",
            database=database.name,
        )
    if sys.platform == "win32":
        # no user numbers: whoever else may open the file shows in its access list
        if found := others_may(database):
            raise RequestError(
                "{database}: can be opened by others ({found}), expected the centre's own account and nobody else",
                database=database.name,
                found=found,
            )
        return os.getlogin()
    import pwd

    own = os.geteuid()
    if database.stat().st_uid != own:
        raise RequestError(
            "{database}: belongs to another account, expected the centre's own: log in as the one that refreshes",
            database=database.name,
        )
    try:
        return pwd.getpwuid(own).pw_name
    except KeyError:  # a container's account has no name
        return str(own)
