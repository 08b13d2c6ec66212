"""説明資料_<office>.html: what is read of an office, why, under which article, until when, who sees it."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from importlib import resources

from kodomo_assets.catalogue import Catalogue
from kodomo_assets.office.pages import policy
from kodomo_assets.stages.papers.entries import ASKED, NOT_YET, Entry
from kodomo_assets.vocabulary import NO_JUDGEMENT, OFFICE_PAPER, RETURNS

_CADENCES = {"yearly": "年1回", "termly": "学期ごと"}


def office_page(catalogue: Catalogue, office: Sequence[Entry], day: dt.date) -> bytes:
    """One UTF-8 HTML file about the tables of one office, without a program in it."""
    # imported late: only who writes the pages needs it
    from jinja2 import Environment, StrictUndefined

    page, style = (
        resources.files(__package__).joinpath(f"office.{kind}").read_text("utf-8") for kind in ("html", "css")
    )
    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    return (
        environment.from_string(page)
        .render(
            title=f"{OFFICE_PAPER}　{office[0].office}",
            entries=office,
            day=day,
            registry=catalogue.registry,
            difficulties=catalogue.difficulties,
            share_percent=catalogue.screening.share_percent,
            cadences=_CADENCES,
            asked=ASKED,
            not_yet=NOT_YET,
            no_judgement=NO_JUDGEMENT,
            returns=RETURNS,
            policy=policy(style=style),
            style=style,
        )
        .encode()
    )
