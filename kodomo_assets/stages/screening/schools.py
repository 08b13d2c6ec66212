"""Whether the schools that the configuration names are schools of the register (``schools`` in the city's file)."""

from __future__ import annotations

import duckdb

from kodomo_assets.catalogue import Catalogue
from kodomo_assets.checks import CheckOutcome


def check_named_schools(con: duckdb.DuckDBPyConnection, catalogue: Catalogue) -> CheckOutcome:
    """A code that no 学齢簿 of any date knows blocks: a school would be gone from the list without a word.

    One of ``interviews.windows`` only warns: it moves dates of the calendar, and no list.

    A school that stood in a register of another date and not in this one has closed or is yet to open: that is a
    warning, so that an old date can be refreshed and a new school be named in time. Reads the view of 学齢簿 in force.
    """
    known = {code for (code,) in con.execute("select distinct school_code from sources.school_register").fetchall()}
    now = {code for (code,) in con.execute("select distinct school_code from delivered_school_register").fetchall()}
    screened = () if catalogue.schools.screened == "all" else catalogue.schools.screened
    named = {"schools.screened": screened, "schools.without_delivery": catalogue.schools.without_delivery}
    blocking = any(code not in known for codes in named.values() for code in codes)
    named["interviews.windows"] = tuple(catalogue.interviews.windows)
    unknown = {key: [code for code in codes if code not in known] for key, codes in named.items()}
    gone = [code for codes in named.values() for code in codes if code in known and code not in now]
    told = [
        f"{key} names {', '.join(codes)}, which no 学齢簿 knows; expected school codes of the register"
        for key, codes in unknown.items()
        if codes
    ]
    told += [f"{', '.join(gone)}: in 学齢簿 of another date, not of this one (closed, or not open yet)"] if gone else []
    return CheckOutcome(
        name="named_schools",
        passed=not told,
        blocking=blocking,
        message="; ".join(told) or "every school that the configuration names stands in 学齢簿",
        facts={
            "unknown": sum(map(len, unknown.values())),
            "not_in_this_register": len(gone),
            "codes": ", ".join(f"{key} {code}" for key, codes in unknown.items() for code in codes),
            "gone": ", ".join(gone),
        },
    )
