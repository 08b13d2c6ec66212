"""The papers as files for people."""

from __future__ import annotations

import datetime as dt
from itertools import groupby

from kodomo_assets.catalogue import Catalogue
from kodomo_assets.stages.papers.entries import entries
from kodomo_assets.stages.papers.file_register import file_register
from kodomo_assets.stages.papers.office_page import office_page
from kodomo_assets.vocabulary import FILE_REGISTER, OFFICE_PAPER


def papers(catalogue: Catalogue, day: dt.date) -> dict[str, bytes]:
    """Name -> content of every paper of the reference date ``day``: 個人情報ファイル簿 and a 説明資料 per office."""
    registry = entries(catalogue, day)
    made = {f"{FILE_REGISTER}.xlsx": file_register(catalogue, registry, day)}
    for office, of_office in groupby(registry, key=lambda entry: entry.office):
        made[f"{OFFICE_PAPER}_{office}.html"] = office_page(catalogue, list(of_office), day)
    return made


def is_paper(name: str) -> bool:
    """Whether a file of this name is one that ``papers`` makes."""
    return name == f"{FILE_REGISTER}.xlsx" or (name.startswith(f"{OFFICE_PAPER}_") and name.endswith(".html"))
