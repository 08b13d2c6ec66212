"""``weights try FILE``: a proposal for the weights, fitted as a refresh would fit it; nothing is kept.

Weights and list are made by the very steps of a refresh, in a database in memory that sees the tables of kodomo.duckdb.
"""

from __future__ import annotations

import datetime as dt
from contextlib import ExitStack
from pathlib import Path

import duckdb

from kodomo_assets.catalogue import Catalogue, load_proposal
from kodomo_assets.doors.comparison import Compared, InForce, told
from kodomo_assets.errors import ConfigurationError, FitError
from kodomo_assets.machine.scratch import SCRATCH, scratch
from kodomo_assets.settings import Settings
from kodomo_assets.sql import literal, quoted
from kodomo_assets.stages.screening.scoring import build_screening
from kodomo_assets.stages.sources.in_force import create_delivered_views
from kodomo_assets.stages.weights.data import fingerprint, load_fit_data
from kodomo_assets.stages.weights.validated import refresh_validation
from kodomo_assets.stages.weights.versions import refresh_weights
from kodomo_assets.store.connection import connect
from kodomo_assets.store.migrate import require_current
from kodomo_assets.store.tables import replace, stored_columns

_TRIAL = "trial"
# what a fit makes, and where it makes it
_MADE = {
    "weights.coefficients": "new_coefficients",
    "weights.selection_log": "new_selection_log",
    "weights.model_cards": "new_model_cards",
    "weights.versions": "new_versions",
    "weights.item_definitions": "new_version_definitions",
}
_IN_FORCE, _VALIDATION = "weights.in_force", "weights.validation"


def try_proposal(settings: Settings, catalogue: Catalogue, file: Path, *, validate: bool = False) -> list[str]:
    """What the proposal ``file`` would change, line by line.

    Args:
        catalogue: the settings in force.
        file: keys of ``weights`` and ``items`` as in city.yaml, over which they are laid.
        validate: also the validation out of fold, which takes five times as long.

    Raises:
        ConfigurationError: the file cannot be read, a key in it is wrong, or needs more than a fit to be tried.
        FitError: there is no yearly list yet, or the proposal makes no weights.
    """
    proposal = load_proposal(settings.overlay, file)
    if proposal.weights.caused_by_list != catalogue.weights.caused_by_list:
        raise ConfigurationError(
            "{file}: weights.caused_by_list decides which records count, and features.labels holds those of {now!r}; "
            "expected a proposal without it. Change city.yaml and refresh",
            file=file.name,
            now=catalogue.weights.caused_by_list,
        )
    with ExitStack() as stack:
        con = stack.enter_context(connect(settings.database, settings.encryption_key_file, read_only=True))
        require_current(con, catalogue)
        own = stack.enter_context(scratch(settings.data_dir / SCRATCH))
        con.execute(f"set temp_directory = {literal(str(own / 'duckdb'))}")
        day = _yearly_date(con, catalogue)
        _require_matrix_of_today(con, catalogue, day, settings.overlay.name if settings.overlay else "the defaults")
        _require_same_levels(con, proposal, day, file.name)
        _see_through(con)
        compared = _make(con, proposal, _as_it_is(con, catalogue, day))
        if validate:
            _validate(con, proposal, compared)
        return told(con, proposal, compared, file.name)


def _yearly_date(con: duckdb.DuckDBPyConnection, catalogue: Catalogue) -> dt.date:
    rows = con.execute("select distinct reference_date from screening.ranking order by all desc").fetchall()
    dates: list[dt.date] = [day for (day,) in rows if catalogue.calendar.is_yearly(day)]
    if not dates:
        raise FitError(
            "kodomo.duckdb holds no list of a yearly reference date ({month_day}), expected one to compare with: "
            "refresh it first",
            month_day=catalogue.calendar.yearly,
        )
    return dates[0]


def _require_matrix_of_today(con: duckdb.DuckDBPyConnection, catalogue: Catalogue, day: dt.date, name: str) -> None:
    """A proposal is laid over the city's own file, so that file is what the stored matrix must have been made with."""
    if other := _other_levels(con, catalogue, day):
        raise ConfigurationError(
            "{file}: {items}: changed since the matrix of {day} was made, which has other levels; expected the "
            "settings of then. Refresh {day} first, then try the proposal",
            file=name,
            items=", ".join(other),
            day=day,
        )


def _other_levels(con: duckdb.DuckDBPyConnection, catalogue: Catalogue, day: dt.date) -> list[str]:
    """The items whose levels mean something else in the matrix of ``day``."""
    stored = dict(
        con.execute(
            "select item, definition from features.item_definitions where reference_date = $1", [day]
        ).fetchall()
    )
    return [item for item, meant in catalogue.definitions.items() if item in stored and stored[item] != meant]


def _require_same_levels(con: duckdb.DuckDBPyConnection, proposal: Catalogue, day: dt.date, name: str) -> None:
    """What decides on which level a child stands cannot be tried: the matrix that is stored was made without it."""
    if other := _other_levels(con, proposal, day):
        raise ConfigurationError(
            "{file}: {items}: other levels than in the matrix of {day}, expected what the fit alone decides (weights, "
            "and screen, count and direction of items). For thresholds, codes, words and windows change city.yaml and "
            "refresh the date",
            file=name,
            items=", ".join(other),
            day=day,
        )


def _see_through(con: duckdb.DuckDBPyConnection) -> None:
    """A database in memory in which every table of the file can be read, and those of the weights be written."""
    row = con.execute("select current_database()").fetchone()
    file = quoted(row[0] if row else "")
    tables = list(stored_columns(con))
    con.execute(f"attach ':memory:' as {_TRIAL} (read_write)")
    con.execute(f"use {_TRIAL}")
    for schema in dict.fromkeys(table.split(".")[0] for table in tables):
        con.execute(f"create schema if not exists {schema}")
    for table in tables:
        kind = "table" if table in {*_MADE, _IN_FORCE, _VALIDATION} else "view"
        con.execute(f"create {kind} {table} as select * from {file}.{table}")


def _as_it_is(con: duckdb.DuckDBPyConnection, catalogue: Catalogue, day: dt.date) -> InForce:
    """The list that the weights in force make under the city's settings of today (temp table ``in_force_ranking``).

    The stored list may be of other settings: what only those changed would be blamed on the proposal.
    """
    create_delivered_views(con, catalogue, day)
    version = build_screening(con, catalogue, day).version
    con.execute("create or replace temp table in_force_ranking as from new_ranking")
    row = con.execute(
        "select count(*) filter (a.selected is distinct from b.selected) from in_force_ranking as a "
        "full join (from screening.ranking where reference_date = $1) as b using (child_key)",
        [day],
    ).fetchone()
    return InForce(day, version, _is_of_today(con, catalogue, day, version), row[0] if row else 0)


def _is_of_today(con: duckdb.DuckDBPyConnection, catalogue: Catalogue, day: dt.date, version: str) -> bool:
    """Whether a refresh without any proposal would come back to ``version``."""
    try:
        of_today = fingerprint(con, catalogue, day, load_fit_data(con, catalogue, day))
    except FitError:
        return False
    made_of = con.execute("select distinct fingerprint from weights.versions where version = $1", [version]).fetchall()
    return made_of == [(of_today,)]


def _make(con: duckdb.DuckDBPyConnection, proposal: Catalogue, in_force: InForce) -> Compared:
    """Weights as a refresh would make them, and the list (temp table ``new_ranking``)."""
    day = in_force.reference_date
    outcome = refresh_weights(con, proposal, day)
    if outcome.fit_error is not None and not outcome.refitted:
        raise FitError("the proposal makes no weights: {why}", why=outcome.fit_error)
    made = [*_MADE.items()] if outcome.refitted else []
    replace(
        con,
        [(proposal.output(table), source) for table, source in [*made, (_IN_FORCE, "new_in_force")]],
        {"reference_date": day, "version": outcome.version},
    )
    build_screening(con, proposal, day)
    return Compared(in_force, outcome.version, outcome.refitted)


def _validate(con: duckdb.DuckDBPyConnection, proposal: Catalogue, compared: Compared) -> None:
    outcome = refresh_validation(con, proposal, compared.in_force.reference_date)
    if outcome.cards:
        replace(con, [(proposal.output(_VALIDATION), "new_validation")], {"version": compared.proposed})
