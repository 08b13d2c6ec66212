"""The papers that are pages: for each office, for parents, for the impact assessment, for a register of algorithms.

What each says stands in its template; a city may put templates of its own in their place (``registry.templates``).
"""

from __future__ import annotations

import datetime as dt
import html
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from importlib import resources
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING

from kodomo_assets.catalogue import Catalogue
from kodomo_assets.errors import ConfigurationError, Said
from kodomo_assets.machine.system_errors import explain
from kodomo_assets.office.pages import policy
from kodomo_assets.stages.papers.entries import ASKED, NOT_YET, Entry
from kodomo_assets.vocabulary import (
    DECIDED_BY,
    FILE_REGISTER,
    MODEL_CARD,
    NO_JUDGEMENT,
    RELEASED,
    RETURNS,
    SCHOOL_LIST,
)

if TYPE_CHECKING:
    from jinja2 import Environment

#: Every template; all but the last, which they extend, make a page.
TEMPLATES = ("office.html", "notice.html", "impact.html", "algorithm.html", "results.html", "paper.html")
# say what is wrong, a template of a city's own too: they are none that a city replaces
_PACKAGED_ONLY = ("status.html", "closed.html", "old.html", "paper.html")
_CADENCES = {"yearly": "年1回", "termly": "学期ごと"}


@dataclass(frozen=True)
class Risk:
    """What may go wrong for a child or a family, what the program does against it, and where that can be seen."""

    fear: str
    measure: str
    evidence: str


RISKS = (
    Risk(
        "別人の記録がつながる",
        "氏名だけではつながず、確からしさが足りない組は人が確認する。つながらない記録は失わずに示す。",
        "linkage.links、linkage.quality、linkage.review",
    ),
    Risk(
        "氏名や住所がもれる",
        "分析用のデータは仮名にし、出すたびに氏名・番号・住所がないことを値で確かめる。記録（ログ）に個人の情報を書かない。",
        "published.analystの検査",
    ),
    Risk(
        "支援措置の対象者の居場所が知られる",
        f"住所、学校、世帯を外に出す資料に載せず、人が{RELEASED}とするまで学校の資料に載せない。",
        "published.analyst、review.school_lists",
    ),
    Risk(
        "一覧に載ることが烙印になる",
        "学校の資料に点数、順位、ほかの課の記録を載せない。",
        "review.school_lists、review.key_list",
    ),
    Risk(
        "点数がそのまま決定になる",
        f"{SCHOOL_LIST}の資料は、人の判定がないかぎり作られない。判定には{DECIDED_BY}を求め、理由を書く欄を設ける。",
        "review.decisions、review.school_lists",
    ),
    Risk(
        "特定の集団が多く選ばれ、または見落とされる",
        "性別、国籍、地区を使わず、集団ごとの選ばれ方と見落としを毎回測り、偏りを知らせる。",
        "evaluation.fairness",
    ),
    Risk(
        "見落としに気づかない",
        "年度の初めに一覧の外の無作為の見本を同じように検討し、過去の一覧のその後を毎回調べる。",
        "evaluation.meeting_outcome、evaluation.backtest",
    ),
    Risk(
        "根拠のないデータを使い続ける",
        "期限の切れたデータは、期限より後の基準日から読み取らず、重みを求め直す。期限が近づくと知らせる。",
        "review.papersの検査",
    ),
    Risk(
        "届かなかった資料や誤った資料で順位が変わる",
        "欠けた学校、急な増減、読めない項目を一覧の横に示し、あまりに多ければ更新を止める。",
        "screening.ranking、sourcesの各検査",
    ),
)


class Pages:
    """Makes pages of one city at one reference date; its templates are read once.

    Args:
        packaged: it makes the pages that no template of a city's own may break.

    Raises:
        ConfigurationError: the folder of the city's own templates cannot be used.
    """

    def __init__(self, catalogue: Catalogue, day: dt.date, *, packaged: bool = False) -> None:
        self._own = {} if packaged else _own_templates(catalogue.registry.templates)
        names = _PACKAGED_ONLY if packaged else TEMPLATES
        templates = {name: self._own[name] if name in self._own else _packaged(name) for name in names}
        self._environment = _compiled(tuple(templates.items()))
        # what status.html needs beside stands apart: another style would make every paper anew
        style = _packaged("paper.css") + (_packaged("status.css") if packaged else "")
        script = _packaged("status.js") if packaged else None
        self._policy = policy(style=style, script=script)
        self._facts = {
            "day": day,
            "registry": catalogue.registry.model_dump(exclude={"templates", "agreements"}),
            "difficulties": catalogue.difficulties,
            "share_percent": catalogue.screening.share_percent,
            "sample": catalogue.meeting.sample_below_cut > 0,
            "cadences": _CADENCES,
            "asked": ASKED,
            "not_yet": NOT_YET,
            "risks": RISKS,
            "no_judgement": NO_JUDGEMENT,
            "returns": RETURNS,
            "file_register": FILE_REGISTER,
            "model_card": MODEL_CARD,
            "policy": self._policy,
            "style": style,
            "script": script,
        }

    def render(
        self, template: str, title: str, entries: Sequence[Entry], more: Mapping[str, object] | None = None
    ) -> bytes:
        """One UTF-8 HTML file about ``entries``, without a program in it but for what says that 状況.html is old.

        Args:
            more: what this page tells beside the registry.

        Raises:
            ConfigurationError: a template of the city's own cannot be used; names file and line.
        """
        from jinja2 import TemplateError

        read = [entry for entry in entries if entry.in_force]
        facts = {
            "title": title,
            "entries": entries,
            "offices": {office: list(own) for office, own in groupby(read, key=lambda entry: entry.office)},
            "kinds": len(entries),
            "columns": sum(len(entry.fields) for entry in entries),
        }
        way_out = Said("mend it, or take the file away to have the packaged one")
        try:
            page = self._environment.get_template(template).render(self._facts | facts | dict(more or {})).encode()
        except TemplateError as error:
            line = getattr(error, "lineno", None)
            named = getattr(error, "name", None) or template
            raise ConfigurationError(
                "registry.templates: {place}: {why}; {way_out}",
                place=Said("{file}, line {line}", file=named, line=line) if line else named,
                why=error.message,
                way_out=way_out,
            ) from None
        except Exception as error:
            # whatever a template of a city's own does wrong; ours are tested
            if not self._own:
                raise
            raise ConfigurationError(
                "registry.templates: {page} cannot be rendered ({why}); {way_out}",
                page=template,
                why=f"{type(error).__name__}: {error}",
                way_out=way_out,
            ) from None
        if self._policy not in html.unescape(page.decode()):
            raise ConfigurationError(
                "registry.templates: {page}: the page lacks its content security policy: extend paper.html, and "
                "leave its head in place; {way_out}",
                page=template,
                way_out=way_out,
            )
        return page


# of the papers, of the status page, and of what a city's own templates were before somebody changed them
@lru_cache(maxsize=4)
def _compiled(templates: tuple[tuple[str, str], ...]) -> Environment:
    """What renders templates of these contents: each is compiled once in a process, not for each reference date."""
    # imported late: only who writes the pages needs it
    from jinja2 import DictLoader, StrictUndefined
    from jinja2.sandbox import ImmutableSandboxedEnvironment

    # a template of a city's own reaches nothing but what it is given
    return ImmutableSandboxedEnvironment(
        loader=DictLoader(dict(templates)),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def _packaged(name: str) -> str:
    return resources.files(__package__).joinpath(name).read_text("utf-8")


def _own_templates(folder: Path | None) -> Mapping[str, str]:
    if folder is None:
        return {}
    if not folder.is_dir():
        raise ConfigurationError("registry.templates: {folder} is no folder", folder=folder.name)
    own = {path.name: path for path in sorted(folder.iterdir()) if not path.name.startswith(".")}
    strange = own.keys() - set(TEMPLATES)
    if strange:
        raise ConfigurationError(
            "registry.templates: {strange}: no such template, expected some of {known}",
            strange=", ".join(sorted(strange)),
            known=", ".join(TEMPLATES),
        )
    try:
        return {name: path.read_text("utf-8") for name, path in own.items()}
    except OSError as error:
        raise ConfigurationError(
            "registry.templates: a template cannot be read: {why}", why=explain(error) or error.strerror
        ) from None
    except UnicodeDecodeError:
        raise ConfigurationError("registry.templates: a template is no UTF-8 text: save it as UTF-8") from None
