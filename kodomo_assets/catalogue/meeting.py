"""The meeting, and what follows it: whom it sees, what it chooses from, what schools report (method §6, §7)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar, Literal, Self

from pydantic import Field, model_validator

from kodomo_assets.catalogue.base import Model, Words, did_you_mean
from kodomo_assets.errors import Said


class Hint(Model):
    """A suggestion for people: for which children, what the meeting reads, and what a school may read of it."""

    ja: str = Field(description="what the meeting reads")
    for_school: str = Field(
        description=(
            "what a school reads where the meeting took the hint for the 支援の方向性: worded so that "
            "it tells no benefit"
        )
    )
    school_years: tuple[int, ...] = Field(description="of which children")
    when: Mapping[str, tuple[str, ...]] = Field(default_factory=dict, description="item: levels; all must hold")
    any_of: Mapping[str, tuple[str, ...]] = Field(default_factory=dict, description="item: levels; one must hold")


#: Steps that follow a decision, in the order in which a child goes through them.
Step = Literal["spoken_to", "offered", "declined", "taken_up", "supported", "ended"]


class Meeting(Model):
    added: ClassVar[frozenset[str]] = frozenset({"minutes_per_case"})

    sample_below_cut: int = Field(
        ge=0,
        le=100_000,
        description=(
            "children below the cut who go to the meeting unmarked among the others, drawn at the yearly date; 0 = none"
        ),
    )
    sample_near_share: float = Field(
        gt=0,
        lt=1,
        description=(
            "share of them drawn from between the cut and the middle of the school year, where a child is "
            "hardest to tell from the list; the others from below the middle, so that everyone below the "
            "cut can be drawn"
        ),
    )
    score: Literal["always", "on_request"] = Field(
        description=(
            "`always`, or `on_request`: facts first, points behind a switch. Hidden until the "
            "decision while a sample is there"
        )
    )
    interview_window_days: int = Field(
        ge=1, le=366, description="days after the reference date by which the school lists should be out (面談)"
    )
    minutes_per_case: float | None = Field(
        gt=0,
        le=480,
        description=(
            "minutes that the meeting takes for a child; with it `evaluation.indicators` tells its hours per 予防的支援"
        ),
    )
    directions: Mapping[str, str] = Field(
        description=(
            "支援の方向性 that the meeting chooses from: what the school reads of it, nothing that tells a benefit"
        )
    )
    leaflets: Mapping[str, tuple[str, ...]] = Field(
        description=(
            "案内資料 that a school hands out: the 支援の方向性 that it goes with. Its name stands on the school's "
            "list, so it tells no benefit"
        )
    )
    hints: tuple[Hint, ...] = Field(description="suggestions for people")
    outcomes: Mapping[str, Step] = Field(
        description="成果 that schools and the centre write in 支援記録: the step of the funnel that it is"
    )
    roles: Words = Field(
        min_length=1,
        description=(
            "what of 判定者 is published: these roles, several with ・ or 、 between them; any other text is その他"
        ),
    )

    @model_validator(mode="after")
    def _leaflets_go_with_directions(self) -> Self:
        known = [*self.directions, *(hint.ja for hint in self.hints)]
        for leaflet, directions in self.leaflets.items():
            for direction in directions:
                if direction not in known:
                    raise ValueError(
                        Said(
                            "leaflets.{leaflet}: no direction {name!r}{hint}",
                            leaflet=leaflet,
                            name=direction,
                            hint=did_you_mean(direction, known),
                        )
                    )
        return self

    @property
    def with_leaflets(self) -> list[str]:
        """Every 支援の方向性 that some 案内資料 goes with."""
        return [direction for directions in self.leaflets.values() for direction in directions]

    def leaflets_of(self, direction: str | None) -> tuple[str, ...]:
        """The 案内資料 that go with a 支援の方向性."""
        return tuple(leaflet for leaflet, directions in self.leaflets.items() if direction in directions)
