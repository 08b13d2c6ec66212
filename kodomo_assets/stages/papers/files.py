"""The papers as files for people."""

from __future__ import annotations

import datetime as dt
import re
from itertools import groupby

from kodomo_assets.catalogue import Catalogue
from kodomo_assets.checks import CheckOutcome
from kodomo_assets.errors import ConfigurationError
from kodomo_assets.stages.papers.entries import entries
from kodomo_assets.stages.papers.file_register import file_register
from kodomo_assets.stages.papers.pages import Pages
from kodomo_assets.vocabulary import ALGORITHM_PAPER, FILE_REGISTER, IMPACT_PAPER, NOTICE, OFFICE_PAPER

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


def is_paper(name: str) -> bool:
    """Whether a file of this name is one that ``papers`` makes of some office."""
    return _OF_AN_OFFICE.fullmatch(name) is not None
