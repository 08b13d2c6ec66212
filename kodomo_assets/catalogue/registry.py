"""What was settled with the offices before their tables may be used, and what the papers say of it (method §8).

`legal` says on what basis a table is read and until when; that decides a refresh. What stands here decides none: it is
what the city must be able to show (個人情報保護法 61条, 62条, 69条2項, 75条). Both make the papers, with the columns
that are read, so that no paper can say anything else than what happens.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Annotated, Self

from pydantic import Field, model_validator

from kodomo_assets.catalogue.base import Model, Sentence, did_you_mean
from kodomo_assets.errors import Said


class Agreement(Model):
    """What was settled with an office for one table, or for all of its tables; what is empty is not settled yet."""

    agreed_by: Sentence | None = Field(
        default=None, description="who agreed for the office: the post, not a name (`福祉部社会福祉課長`)"
    )
    agreed_on: dt.date | None = Field(default=None, description="the day of the agreement")
    document: Sentence | None = Field(default=None, description="number of the document that says so (`福社第123号`)")
    told_purpose: Sentence | None = Field(
        default=None,
        description="the purpose as people were told it when the office collected the data (62条), word for word",
    )
    assessment: Sentence | None = Field(
        default=None,
        description=(
            "why using it harms no one unjustly (69条2項 但書), as it was judged; not asked where the basis is 61条1項"
        ),
    )


class Registry(Model):
    """What the papers say beside what is read: names, places and dates of the city."""

    file_name: Sentence = Field(description="個人情報ファイルの名称")
    body: Sentence | None = Field(default=None, description="行政機関等の名称 (`○○市長`)")
    unit: Sentence | None = Field(
        default=None, description="個人情報ファイルが利用に供される事務をつかさどる組織の名称"
    )
    purpose: Sentence = Field(description="個人情報ファイルの利用目的")
    subjects: Sentence = Field(description="記録範囲: whose data it holds")
    requests: Sentence | None = Field(
        default=None, description="開示請求等を受理する組織の名称及び所在地, name and address in one line"
    )
    other_laws: Sentence = Field(
        description="訂正及び利用停止に関する他の法律又はこれに基づく命令の規定による特別の手続等"
    )
    recipients: tuple[Sentence, ...] = Field(
        description="記録情報の経常的提供先: who is given data as a matter of course"
    )
    note: Sentence | None = Field(default=None, description="備考")
    notice_days: tuple[Annotated[int, Field(ge=0)], ...] = Field(
        min_length=1,
        description="so many days before a legal basis ends it is said; `within_<days>_days` counts the tables",
    )
    templates: Path | None = Field(
        description=(
            "folder with templates of the city's own for the pages, relative to `city.yaml`: a file there replaces the "
            "packaged one of the same name (`kodomo_assets/stages/papers/*.html`)"
        )
    )
    agreements: Mapping[str, Agreement] = Field(
        description=(
            "office (a key of `sections`) or table: what was settled for all tables of the office, or for that table "
            "alone, whose entries go before those of its office"
        )
    )

    @model_validator(mode="after")
    def _dates_are_in_order(self) -> Self:
        if list(self.notice_days) != sorted(set(self.notice_days), reverse=True):
            raise ValueError(
                Said("notice_days: found {found}, expected each once, the longest first", found=list(self.notice_days))
            )
        return self

    def check(self, sections: Collection[str], tables: Collection[str]) -> None:
        """Raises ValueError where something is named that is neither an office nor a table."""
        known = [*sections, *tables]
        for name in self.agreements:
            if name not in known:
                raise ValueError(
                    Said(
                        "registry.agreements: no office and no table {name!r}{hint}",
                        name=name,
                        hint=did_you_mean(name, known),
                    )
                )

    def agreement(self, section: str, table: str) -> Agreement:
        """What was settled for a table of an office: its own entries before those for the whole office."""
        of_office, own = (self.agreements.get(name, Agreement()) for name in (section, table))
        return of_office.model_copy(update=own.model_dump(exclude_none=True))
