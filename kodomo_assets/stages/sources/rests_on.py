"""What a refresh rested on beside the files of its own folder: deliveries of earlier dates, and the settings.

A correction in an older folder concerns every date that reads that delivery (method §1); other settings concern a date
only once a person refreshes it, and until then it is said.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import duckdb
import pandas as pd

from kodomo_assets.catalogue import Catalogue
from kodomo_assets.sql import create_from_frame, read_sql
from kodomo_assets.stages.sources.forgotten import forgotten

RESTS_ON = "published.rests_on"
_DELIVERY, _SETTING, _STOPS, _CORRECTIONS = "delivery", "setting", "stops", "corrections"
_KINDS = (_DELIVERY, _SETTING, _STOPS, _CORRECTIONS)
# Read at later dates too: numbers of pupils, and the last household of a person who cannot be read.
_READ_BACK = ("resident_register", "school_roster")
# What of the configuration decides no result: words for people, who may read what, when to begin.
_NO_RESULT = (
    "reasons",
    "remedies",
    "sections",
    "registry",
    "retention",
    "notify",
    "pool",
    "host",
    "rights",
    "publish",
    "accounts",
    "calendar",
    "interviews",
    "sheets",
)
# What no table itself holds: said beside its drift, under a key of its own.
_LAW_CHANGES = "law_changes"
# Keys that dates of an earlier version do not know: nothing of them differs.
_ADDED = ("fairness", _LAW_CHANGES)
_NO_RESULT_OF_INGEST = {"settle_seconds", "group", "password_file", "acknowledged", "acknowledged_rows", "withdrawn"}
_COLUMNS = {"reference_date": "date", "kind": "varchar", "name": "varchar", "state": "varchar"}


@dataclass(frozen=True)
class RestsOn:
    """What the last whole refresh of a date rested on, each by name and hash, and what it would rest on now.

    Attributes:
        settings: keys of the configuration.
        deliveries: ``table@date`` of what it read of earlier dates.
        deliveries_now: the same as they are by now.
        taken_away: of these, deliveries of which files were withdrawn.
        decided: whether the date has decisions.
        commands: of whom the use was stopped then (利用停止) and what was corrected (訂正), by kind and name, as a hash
            each; ``commands_now``: of whom it is, and what is.
    """

    settings: Mapping[str, str]
    deliveries: Mapping[str, str]
    deliveries_now: Mapping[str, str]
    taken_away: frozenset[str]
    decided: bool
    commands: Mapping[tuple[str, str], str] = field(default_factory=dict)
    commands_now: Mapping[tuple[str, str], str] = field(default_factory=dict)

    @property
    def commands_changed(self) -> dict[str, str]:
        """What commands about single people changed since, by kind and name: the hash of now."""
        # that nobody is stopped is a state too; a correction that is not there any more is forgotten
        now = {(_STOPS, ""): "", **self.commands_now}
        return {
            f"{kind} {name}".rstrip(): state
            for (kind, name), state in now.items()
            if state != self.commands.get((kind, name), "")
        }

    def changed_deliveries(self, catalogue: Catalogue, day: dt.date) -> set[str]:
        """The earlier deliveries that are other ones by now; without tables whose legal basis is not in force."""
        names = self.deliveries.keys() | self.deliveries_now.keys()
        tables = {name: catalogue.tables.get(name.split("@")[0]) for name in names}
        return {
            name
            for name, table in tables.items()
            if self.deliveries.get(name) != self.deliveries_now.get(name)
            and (table is None or table.legal.in_force(day))
        }

    def changed_settings(self, now: Mapping[str, str]) -> set[str]:
        """The keys of the configuration that stand otherwise ``now`` (``settings_in_force``)."""
        names = self.settings.keys() | (now.keys() - set(_ADDED))
        return {name for name in names if now.get(name) != self.settings.get(name)}

    def to_confirm(self, changed: Iterable[str]) -> set[str]:
        """Those of ``changed`` for which a date with decisions is not done anew by itself: withdrawals."""
        return set(changed) & self.taken_away if self.decided else set()


def settings_in_force(catalogue: Catalogue) -> dict[str, str]:
    """Key of the configuration -> hash of what stands there, for every key that decides a result."""
    facts: dict[str, object] = {}
    for name in type(catalogue).model_fields:
        if name in ("tables", "items"):
            decide = {key: one.deciding if name == "tables" else one for key, one in getattr(catalogue, name).items()}
            facts |= {
                f"{name}.{key}": one.model_dump_json(exclude=one.empty_additions | {_LAW_CHANGES})
                for key, one in decide.items()
            }
        elif name not in (*catalogue.fixed, *_NO_RESULT):
            facts[name] = catalogue.standing(name)
    weights = catalogue.weights
    facts["weights"] = {
        "weights": {name: value for name, value in weights.deciding.items() if name not in weights.empty_additions}
    }
    laws = {table.id: table.model_dump(mode="json")[_LAW_CHANGES] for table in catalogue.tables.values()}
    facts[_LAW_CHANGES] = {table: changes for table, changes in laws.items() if changes}
    facts["ingest"] = catalogue.ingest.model_dump(mode="json", exclude=_NO_RESULT_OF_INGEST)
    return {
        name: hashlib.sha256(json.dumps(told, sort_keys=True).encode()).hexdigest()[:16] for name, told in facts.items()
    }


def changed_settings(con: duckdb.DuckDBPyConnection, catalogue: Catalogue, reference_date: dt.date) -> list[str]:
    """The keys of the configuration that stand otherwise than when the date was refreshed; none if not known."""
    rows = con.execute(
        "select name, state from published.rests_on where reference_date = $1 and kind = $2", [reference_date, _SETTING]
    ).fetchall()
    known = RestsOn(dict(rows), {}, {}, frozenset(), decided=False)
    return sorted(known.changed_settings(settings_in_force(catalogue))) if rows else []


def create_rests_on(con: duckdb.DuckDBPyConnection, catalogue: Catalogue, reference_date: dt.date, run_id: str) -> None:
    """Makes the temp table ``new_rests_on``."""
    told = [(_SETTING, name, state) for name, state in settings_in_force(catalogue).items()]
    earlier = _earlier_deliveries(con, [reference_date]).get(reference_date, {})
    told += [(_DELIVERY, name, state) for name, state in earlier.items()]
    told += [(kind, name, state) for (kind, name), state in _commands(con).items() if state]
    create_of_whole(con, "rests_on", told, reference_date, run_id)


def create_of_whole(
    con: duckdb.DuckDBPyConnection,
    name: str,
    told: Sequence[tuple[str, str, str]],
    reference_date: dt.date,
    run_id: str,
) -> None:
    """Makes the temp table ``new_<name>``, the rows of published.<name> at the date.

    Of a run that read no table (``after_meeting``) it holds what stood there.

    Args:
        told: kind, name and state of each row, of a run that read the tables.
    """
    frame = pd.DataFrame([(reference_date, *row) for row in told], columns=list(_COLUMNS), dtype="object")
    create_from_frame(con, f"{name}_now", frame, _COLUMNS)
    con.execute(
        f"""
        create or replace temp table new_{name} as
        with whole as (
            select count(*) > 0 as is_whole
            from sources.readings
            where reference_date = $reference_date and run_id = $run_id and starts_with(asset, 'sources.')
        )

        select now.*
        from {name}_now as now
        semi join whole on whole.is_whole
        union all by name
        select old.*
        from published.{name} as old
        anti join whole on whole.is_whole
        where old.reference_date = $reference_date
        """,
        {"reference_date": reference_date, "run_id": run_id},
    )


def rests_on(con: duckdb.DuckDBPyConnection) -> dict[dt.date, RestsOn]:
    """What every date that was refreshed rests on; nothing is known of dates that an older version refreshed.

    What retention deletes is no change of a delivery (method §1): it is left out.
    """
    kept: dict[dt.date, dict[str, dict[str, str]]] = {}
    for day, kind, name, state in con.execute(
        "select reference_date, kind, name, state from published.rests_on"
    ).fetchall():
        kept.setdefault(day, {one: {} for one in _KINDS})[kind][name] = state
    commands = _commands(con)
    now = _earlier_deliveries(con, list(kept))
    decided = {day for (day,) in con.execute("select distinct reference_date from review.decisions").fetchall()}
    taken_away = frozenset(
        name
        for (name,) in con.execute(
            "select distinct table_name || '@' || reference_date from sources.deliveries where withdrawn"
        ).fetchall()
    )
    gone = forgotten(con)
    deleted = {
        name
        for known in kept.values()
        for name in known[_DELIVERY]
        if (of_date := gone.get(dt.date.fromisoformat(name.partition("@")[2]))) is not None and of_date.has(name)
    }
    return {
        day: RestsOn(
            known[_SETTING],
            {name: state for name, state in known[_DELIVERY].items() if name not in deleted},
            now.get(day, {}),
            taken_away,
            day in decided,
            {(kind, name): state for kind in _BY_COMMAND for name, state in known[kind].items()},
            commands,
        )
        for day, known in kept.items()
    }


# What decides results and is changed by a command about one person: its table, and the states of it by name, as hashes
# that tell nobody who that is.
_BY_COMMAND = {
    _STOPS: (
        "rights.stops_in_force",
        "select '', sha256(string_agg(request || child_key, ',' order by child_key))[:16] from rights.stops_in_force "
        "having count(*) > 0",
    ),
    # a correction that retention deleted decided nothing any more: one that is not there did not end
    _CORRECTIONS: (
        "rights.corrections",
        "select request, coalesce(sha256(string_agg(number, ',' order by number) filter (ended_at is null))[:16], '') "
        "from rights.corrections group by request order by request",
    ),
}


def _commands(con: duckdb.DuckDBPyConnection) -> dict[tuple[str, str], str]:
    """Kind and name -> of whom the use is stopped, and what each request corrects; empty where it has ended."""
    # who only reads may look at a database of an earlier version
    there = {name for (name,) in con.execute("select schema_name || '.' || table_name from duckdb_tables()").fetchall()}
    return {
        (kind, name): state
        for kind, (table, query) in _BY_COMMAND.items()
        if table in there
        for name, state in con.execute(query).fetchall()
    }


def _earlier_deliveries(con: duckdb.DuckDBPyConnection, days: Sequence[dt.date]) -> dict[dt.date, dict[str, str]]:
    found: dict[dt.date, dict[str, str]] = {}
    for day, name, state in con.execute(
        read_sql(__package__, "earlier_deliveries"), {"days": list(days), "read_back": list(_READ_BACK)}
    ).fetchall():
        found.setdefault(day, {})[name] = state
    return found
