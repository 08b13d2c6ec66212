"""The papers as files for people."""

from __future__ import annotations

import datetime as dt
import hashlib
import json
import re
from collections.abc import Mapping
from itertools import groupby

import duckdb

from kodomo_assets.catalogue import Catalogue
from kodomo_assets.checks import CheckOutcome
from kodomo_assets.errors import ConfigurationError
from kodomo_assets.stages.papers.entries import check_bases, entries
from kodomo_assets.stages.papers.file_register import file_register
from kodomo_assets.stages.papers.pages import Pages
from kodomo_assets.vocabulary import ALGORITHM_PAPER, FILE_REGISTER, IMPACT_PAPER, NOTICE, OFFICE_PAPER

#: The asset that writes them.
PAPERS = "review.papers"
_TITLES = {
    NOTICE: "こどもの困りごとに早く気づくために（保護者の皆さまへ）",
    IMPACT_PAPER: "個人情報保護影響評価シート",
    ALGORITHM_PAPER: ALGORITHM_PAPER,
}
# an old one that was kept is none
_OF_AN_OFFICE = re.compile(rf"{OFFICE_PAPER}_(?!.*_旧\d+\.html$).+\.html")
_PAGES = {NOTICE: "notice.html", IMPACT_PAPER: "impact.html", ALGORITHM_PAPER: "algorithm.html"}


def papers(catalogue: Catalogue, day: dt.date) -> dict[str, bytes]:
    """Name -> content of every paper of the reference date ``day``."""
    registry, pages = entries(catalogue, day), Pages(catalogue, day)
    made = {f"{FILE_REGISTER}.xlsx": file_register(catalogue, registry, day)}
    # no two offices have one name (Catalogue)
    for office, of_office in groupby(registry, key=lambda entry: entry.office):
        title = f"{OFFICE_PAPER}　{office}"
        made[f"{OFFICE_PAPER}_{office}.html"] = pages.render("office.html", title, list(of_office))
    for kind, template in _PAGES.items():
        made[f"{kind}.html"] = pages.render(template, _TITLES[kind], registry)
    return made


def try_papers(catalogue: Catalogue, day: dt.date) -> tuple[dict[str, bytes], CheckOutcome]:
    """``papers``, and whether they could be made: a city's own template stops no refresh, nor is it passed over."""
    try:
        made, message = papers(catalogue, day), "every paper could be made"
    except ConfigurationError as error:
        made, message = {}, f"no paper was made, those of before stand: {error}"
    return made, CheckOutcome("papers_made", bool(made), False, message, {"files": len(made)})


def papers_state(catalogue: Catalogue, day: dt.date, today: dt.date) -> str:
    """The state of what would be made now: another one than was noted means that what lies there is out of date.

    A legal basis that comes as near to its end as a notice asks for (``registry.notice_days``) is another state too, so
    that it is said on that day and not at the next refresh.
    """
    made, outcome = try_papers(catalogue, day)
    return state_of_papers(made, outcome, check_bases(catalogue, today))


def state_of_papers(made: Mapping[str, bytes], outcome: CheckOutcome, bases: CheckOutcome) -> str:
    """``papers_state`` of papers that were made, with what their checks ``papers_made`` and ``bases_hold`` said."""
    told = json.dumps([sorted(made), outcome.message, dict(bases.facts)], ensure_ascii=False)
    digest = hashlib.sha256(told.encode())
    for name in sorted(made):
        digest.update(made[name])
    return digest.hexdigest()[:16]


def check_current(con: duckdb.DuckDBPyConnection, catalogue: Catalogue, day: dt.date, today: dt.date) -> CheckOutcome:
    """Whether the papers of the newest reference date say what is read now; those of ``day`` were made a moment ago."""
    row = con.execute(
        "select reference_date, files_state from sources.readings where asset = $1 and reference_date > $2 "
        "order by reference_date desc limit 1",
        [PAPERS, day],
    ).fetchone()
    newest, noted = row or (day, None)
    passed = row is None or noted == papers_state(catalogue, newest, today)
    return CheckOutcome(
        "papers_current",
        passed,
        False,
        f"the papers of {newest} say what is read now"
        if passed
        else f"the papers in outbox/{newest}/ are older than a change of what is read or of the registry: "
        f"`after-meeting {newest}` makes them anew",
        {"out_of_date": int(not passed), "folder": f"outbox/{newest}"},
    )


def is_paper(name: str) -> bool:
    """Whether a file of this name is one that ``papers`` makes of some office."""
    return _OF_AN_OFFICE.fullmatch(name) is not None
