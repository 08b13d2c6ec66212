"""The 個人票 that schools fill in: one file for whom, where it goes back to, and what its marks mean."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from kodomo_assets.catalogue.base import Model, Sentence

# four of them, each with its mark, are shown beside a cell, where a program has room for 255 characters
_Anchor = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=50, pattern=r"^[^\r\n]+$")]


class Sheets(Model):
    per: Literal["school", "class"] = Field(
        description=(
            "`school`: one file a school; `class`: one a class of each school year, so that a teacher is given the "
            "children of the own class alone"
        )
    )
    return_to: Sentence | None = Field(
        description="提出先: to whom and how the files go back, on every sheet; without it none stands there"
    )
    concern: tuple[_Anchor, _Anchor, _Anchor, _Anchor] = Field(
        description="what 気になる度 0, 1, 2 and 3 mean, in this order, each in up to 50 characters"
    )
