"""``explain CHILD DATE``: why one child stands where it stands, for the centre; that it was asked is logged.

The number by which somebody asks says who the child is: it stands in no message, and in no answer either.
"""

from __future__ import annotations

import datetime as dt

import duckdb

from kodomo_assets.catalogue import Catalogue
from kodomo_assets.errors import Said, UnknownChildError
from kodomo_assets.japan.text import DASHES, comparable
from kodomo_assets.settings import Settings
from kodomo_assets.stages.explanation.child import Explanation, read_factors, read_place, told
from kodomo_assets.stages.review.children import create_meeting_children, create_numbered_children
from kodomo_assets.stages.review.gathering import score_mode
from kodomo_assets.stages.screening.summary import require_list
from kodomo_assets.stages.sources.rests_on import changed_settings
from kodomo_assets.store.connection import connect
from kodomo_assets.store.migrate import require_current
from kodomo_assets.store.opening import open_to_write
from kodomo_assets.store.pseudonyms import create_sheet_numbers, load_own_secret
from kodomo_assets.store.register import Asker, note_access
from kodomo_assets.vocabulary import CHILD_KEY, NUMBER, RESIDENT

_NO_DASHES = str.maketrans(dict.fromkeys(DASHES))


def explain_child(settings: Settings, catalogue: Catalogue, asker: Asker, given: str, reference_date: dt.date) -> str:
    """The place and the factors of one child at ``reference_date``, in Japanese; nothing is told that is not logged.

    Args:
        given: a child_key, a 宛名番号 or a 配布番号 of that date, in any width, with or without hyphens.

    Raises:
        ConfigurationError: the key is not the one of the database.
        DeliveryError: there is no list of ``reference_date``.
        StoreBusyError: another process holds the database, so that nothing can be read, or not be logged.
        UnknownChildError: it is no child's number, that of several, or of one that has no factors.
    """
    with connect(settings.database, settings.encryption_key_file, read_only=True) as con:
        require_current(con, catalogue)
        # with another key no 配布番号 would be anybody's
        secret = load_own_secret(con, settings.key_file)
        require_list(con, reference_date)
        create_sheet_numbers(con, secret, reference_date)
        create_numbered_children(con, reference_date)
        create_meeting_children(con, reference_date)
        child_key, resident_id, school_year, school, protected = _find(con, catalogue, given, reference_date)
        explanation = Explanation(
            reference_date=reference_date,
            school_year=school_year,
            school=school,
            protected=protected,
            hidden=score_mode(con, catalogue) == "hidden",
            place=read_place(con, reference_date, child_key),
            changed=tuple(changed_settings(con, catalogue, reference_date)),
            factors=read_factors(con, reference_date, child_key),
        )
    # a second opening: a reader changes nothing where the child is not found, or the database is of an earlier version
    with open_to_write(settings, catalogue) as con:
        note_access(con, asker, f"explain {reference_date}", resident_id)
    if not explanation.factors:
        raise UnknownChildError(_why_nothing(explanation))
    return told(catalogue, explanation)


def _find(
    con: duckdb.DuckDBPyConnection, catalogue: Catalogue, given: str, reference_date: dt.date
) -> tuple[str, str, int, str, bool]:
    plain = comparable(given).translate(_NO_DASHES)
    digits = catalogue.tables["resident_register"].columns["resident_id"].digits or 0
    rows: list[tuple[str, str, int, str, bool]] = con.execute(
        """
        select child_key, resident_id, school_year, school, protected
        from numbered_children
        where child_key = $1 or resident_id = $2 or replace(sheet_number, '-', '') = $3
        """,
        # Excel takes leading zeros off
        [plain.lower(), plain.upper().zfill(digits), plain.upper()],
    ).fetchall()
    if not rows:
        raise UnknownChildError(
            "CHILD: nobody of the children of {day} has it, expected a {key}, a {resident} or a "
            "{number} of that date (a child has another {number} at every date)",
            day=reference_date,
            key=CHILD_KEY,
            resident=RESIDENT,
            number=NUMBER,
        )
    if len(rows) > 1:
        raise UnknownChildError(
            "CHILD: it is the {resident} of one child and the {number} of another; expected the {key}",
            resident=RESIDENT,
            number=NUMBER,
            key=CHILD_KEY,
        )
    return rows[0]


def _why_nothing(explanation: Explanation) -> Said:
    if explanation.place is None:
        return Said(
            "this child is not ranked at {day}: its school is not among schools.screened",
            day=explanation.reference_date,
        )
    return Said(
        "the list of {day} was made by an earlier version of this program, which kept no factors; `python -m "
        "kodomo_assets after-meeting {day}` makes them and changes no score",
        day=explanation.reference_date,
    )
