"""Whether the refresh of a date would change anything: what the last one left, against what is there now.

A refresh that would make the same again costs as much as one that does not. So a whole refresh notes at its end with
what it was made; asked for once more, a date of which nothing changed is left as it is, unless a person wants it anew.
In doubt it is made anew.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import sys
from functools import cache
from importlib import resources
from pathlib import Path

import duckdb

from kodomo_assets import __version__
from kodomo_assets.catalogue import Catalogue
from kodomo_assets.errors import KodomoError
from kodomo_assets.refreshing.needs import REFRESHED, need
from kodomo_assets.settings import Settings
from kodomo_assets.stages.sources.arrivals import Hashes, texts
from kodomo_assets.stages.sources.readings import Account, accounts
from kodomo_assets.stages.sources.rests_on import create_of_whole
from kodomo_assets.store.connection import connect
from kodomo_assets.store.exports import TAKEN_AWAY, made_files
from kodomo_assets.store.migrate import require_current
from kodomo_assets.store.publish import published_file, publishing_run

COMPLETIONS = "published.completions"
_PROGRAM, _CONFIGURATION, _FILE = "program", "configuration", "file"


def create_completions(
    con: duckdb.DuckDBPyConnection, catalogue: Catalogue, outbox: Path, day: dt.date, run_id: str
) -> None:
    """Makes the temp table ``new_completions``; a run that read no table (``after_meeting``) leaves what stood there.

    Args:
        outbox: the folder of the files for people of ``day``.
    """
    told = [(_PROGRAM, "", program_state()), (_CONFIGURATION, "", configuration_state(catalogue))]
    told += [(_FILE, name, sha256) for name, sha256 in made_files(outbox).items()]
    create_of_whole(con, "completions", told, day, run_id)
    # the list that is out is noted where another one takes its place (screening)
    con.execute(
        "insert into new_completions by name select * from published.completions where reference_date = $1 "
        "and kind = 'list' and not exists (from new_completions where kind = 'list')",
        [day],
    )


def is_complete(settings: Settings, catalogue: Catalogue, day: dt.date, last_run: str | None) -> bool:
    """Whether a refresh of ``day`` would make what is there already.

    That is: the inbox holds what was read; program and configuration are those of then; no run touched this or an
    earlier date since (whatever became of it); every file for people lies there as it was written, and analyst.duckdb
    is that of the last run that came to its end.

    Args:
        last_run: the newest run of ``day`` or an earlier date that Dagster knows of; None: it knows none.
    """
    try:
        with connect(settings.database, settings.encryption_key_file, read_only=True) as con:
            require_current(con, catalogue)
            known, left, written = accounts(con), _left(con, day), _written_since(con, day)
            own_runs, newest = _runs(con, day)
        files = {name: state for (kind, name), state in left.items() if kind == _FILE} | written
        return (
            last_run in own_runs
            and left.get((_PROGRAM, "")) == program_state()
            and left.get((_CONFIGURATION, "")) == configuration_state(catalogue)
            and need(settings, catalogue, day, known, Hashes({})) == REFRESHED
            and not _earlier_changes(catalogue, day, known[day])
            and files.items() <= made_files(settings.outbox / day.isoformat()).items()
            and publishing_run(published_file(settings, catalogue)) == newest
        )
    except (KodomoError, OSError):
        # the refresh itself meets it again, and says what it is
        return False


def standing_runs(settings: Settings) -> set[str]:
    """The runs that made what the database holds, of all dates.

    Raises:
        StoreBusyError: a refresh is under way.
    """
    if not settings.database.is_file():
        return set()
    with connect(settings.database, settings.encryption_key_file, read_only=True) as con:
        return {run_id for (run_id,) in con.execute("select distinct run_id from published.refreshes").fetchall()}


def _earlier_changes(catalogue: Catalogue, day: dt.date, account: Account) -> bool:
    """Whether earlier deliveries are other ones by now: also those for which nobody but a person asks (``notes``)."""
    return account.rests_on is None or bool(account.rests_on.changed_deliveries(catalogue, day))


@cache
def program_state() -> str:
    """A hash of this program's files, of Python and of every installed package: a version number would be forgotten."""
    digest = hashlib.sha256(sys.version.encode())
    for content in texts(resources.files("kodomo_assets"), ""):
        digest.update(content)
    # the folders' names hold name and version: a hundred files of metadata need not be opened
    folders = (found for place in sys.path for found in Path(place).glob("*-info"))
    for name in sorted({folder.name for folder in folders}):
        digest.update(name.encode())
    return digest.hexdigest()[:16]


def configuration_state(catalogue: Catalogue) -> str:
    """A hash of all that the catalogue and the city's configuration say, words for people and templates included.

    Not how long something is kept, who gets a mail and with whom the city pools: a list is not made anew because of it
    (of the papers, which say how long, ``need`` tells).
    """
    years = {name: {"legal": {"retention_years"}} for name in catalogue.tables}
    digest = hashlib.sha256(
        catalogue.model_dump_json(exclude={"retention": True, "notify": True, "pool": True, "tables": years}).encode()
    )
    folder = catalogue.registry.templates
    for path in sorted(folder.iterdir()) if folder is not None and folder.is_dir() else ():
        digest.update(f"{path.name}\n".encode() + (path.read_bytes() if path.is_file() else b""))
    return digest.hexdigest()[:16]


def made_by(catalogue: Catalogue) -> str:
    """What stands with a list for good, for people: the version, and both states."""
    return f"プログラム {__version__}（{program_state()}）  設定 {configuration_state(catalogue)}"


def _left(con: duckdb.DuckDBPyConnection, day: dt.date) -> dict[tuple[str, str], str]:
    rows = con.execute("select kind, name, state from published.completions where reference_date = $1", [day])
    return {(kind, name): state for kind, name, state in rows.fetchall()}


def _written_since(con: duckdb.DuckDBPyConnection, day: dt.date) -> dict[str, str]:
    """Name -> SHA-256 of the files that were written after the whole refresh, which no longer knows them."""
    rows = con.execute(
        """
        select file, coalesce(sha256, '')
        from review.exports
        where
            reference_date = $1
            and fingerprint <> $2
            and exported_at > (
                select max(finished_at)
                from published.refreshes
                where reference_date = $1 and starts_with(asset, 'sources.')
            )
        qualify row_number() over (partition by file order by exported_at desc) = 1
        """,
        [day, TAKEN_AWAY],
    )
    return dict(rows.fetchall())


def _runs(con: duckdb.DuckDBPyConnection, day: dt.date) -> tuple[set[str], str | None]:
    """The runs that came to their end and made what ``day`` has, and the newest of all dates."""
    own = con.execute("select distinct run_id from published.refreshes where reference_date = $1", [day]).fetchall()
    newest = con.execute("select arg_max(run_id, finished_at) from published.refreshes").fetchone()
    return {run_id for (run_id,) in own}, newest[0] if newest else None
