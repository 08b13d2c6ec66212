"""The settings of the calculation, stage by stage: linkage, items, weights, screening, publication."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import Field, model_validator

from kodomo_assets.catalogue.base import Band, Model, Share
from kodomo_assets.catalogue.decisions import Action, ItemDecision
from kodomo_assets.catalogue.items import Item
from kodomo_assets.catalogue.words import SCHOOL_GROUP
from kodomo_assets.errors import Said

SchoolCode = Annotated[str, Field(pattern=r"^[0-9A-Z]+$")]


class BandSettings(Model):
    ja: str = Field(description="the band's Japanese name")
    school_years: tuple[int, ...] = Field(
        description="its school years (7-9 = 中1-中3); every one from 1 to 9 belongs to one band"
    )


class Schools(Model):
    screened: Literal["all"] | Annotated[tuple[SchoolCode, ...], Field(min_length=1)] = Field(
        description=(
            "codes (six digits) of the schools whose children are ranked; linkage, features and fit stay citywide"
        )
    )
    without_delivery: tuple[SchoolCode, ...] = Field(
        description=(
            "schools of the register that hold no records with the city (private, prefectural): "
            "their silence is no incomplete delivery"
        )
    )


class Linkage(Model):
    max_household_size: int = Field(
        ge=1, le=1000, description="a 世帯番号 with more members is a facility; each of its residents stands alone"
    )
    max_unlinked_share: Share = Field(
        description=(
            "of the persons of school age in a table, or in one school's part of it: more unlinked ones are a warning"
        )
    )
    link_probability: Share = Field(description="a match probability from which a pair is linked without a person")
    review_probability: Share = Field(
        description=(
            "a match probability from which a person is asked (名寄せ確認.xlsx); below it a record "
            "stays unlinked. At least 0.01, at most `link_probability`"
        )
    )
    twin_margin: Share = Field(
        description=(
            "two candidates whose probabilities are as close as this go to the review, however likely either is"
        )
    )
    max_asked_share: Share = Field(
        description=(
            "where one number and one child are left with the same birth date, sex and school a "
            "person is asked whatever their names: up to this share of a school's numbers (one at"
            " least, 0 = never). Above it none of that school is asked, and the check "
            "`names_comparable` names the school"
        )
    )
    min_linked_share: Share = Field(
        description="of a table's persons of school age: a smaller linked share stops the refresh"
    )
    max_linked_share_fall: Share = Field(
        description="a linked share that fell by more than this since the last refresh stops it (from ten persons on)"
    )

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if not 0.01 <= self.review_probability <= self.link_probability:
            raise ValueError(
                Said(
                    "review_probability: found {found}, expected 0.01 to link_probability ({most})",
                    found=self.review_probability,
                    most=self.link_probability,
                )
            )
        return self


class Features(Model):
    max_missing_change: Share = Field(
        description="a share of missing (欠損) that moved by more than this since the last date is a warning"
    )


class Serves(Model):
    """A person's word on which weights of a band serve."""

    origin: Literal["own", "count"] = Field(description="`own`: the fit of this city; `count`: the number of levels")
    decided_by: str = Field(min_length=1, description="the role of who decided (課長)")
    reason: str = Field(min_length=1, description="why")


class Weights(Model):
    added: ClassVar[frozenset[str]] = frozenset({"decisions"})

    label: Literal["ever", "incident_12m"] = Field(
        description=(
            "what the regression predicts: `ever` = any consultation by the reference date; "
            "`incident_12m` = the first one within 12 months of the features"
        )
    )
    caused_by_list: Literal["not_counted", "counted"] = Field(
        description=(
            "a consultation record received after an earlier list led to something for the child (a decision a, b or "
            "c, a talk, a filled 個人票): `not_counted` leaves it out of the dependent variable, or figures would "
            "feed on themselves"
        )
    )
    min_column_children: int = Field(ge=1, description="children that a column of the regression needs")
    min_column_events: int = Field(ge=1, description="of them with the event, and as many without it")
    min_band_events: int = Field(ge=1, description="fewer events in a band: no fit, the last version stays")
    min_events_per_level: float = Field(
        ge=0,
        description=(
            "events that a band needs per own level of its items before a fit of its own serves; with fewer the number "
            "of own levels does, in steps (origin `count`)"
        ),
    )
    serves: Mapping[Band, Serves] = Field(
        description=(
            "which weights of a band serve, whatever the number of events: "
            "`{lower: {origin: own, decided_by: 課長, reason: ...}}`"
        )
    )
    max_gvif: float = Field(
        gt=1, description="the worst item goes while GVIF^(1/(2 df)) exceeds the square root of this"
    )
    aic_tolerance: float = Field(gt=0, description="a smaller fall of the AIC counts as none")
    max_wald_p: float = Field(gt=0, lt=1, description="an item whose p of the Wald test is this or higher goes")
    min_cv_auc: float = Field(
        ge=0.5, lt=1, description="a lower cross-validated AUC is told as hardly better than a list drawn by lot"
    )
    cross_validation_folds: int = Field(ge=2, le=100, description="folds of households in the validation")
    seed: int = Field(description="start of what draws the folds of the validation and its bootstraps")
    fixed_items: Mapping[Band, tuple[str, ...]] = Field(
        description="fit exactly these items of a band instead of selecting: `{lower: [...], upper: [...]}`"
    )
    decisions: tuple[ItemDecision, ...] = Field(
        description=(
            "what people decided of single items before the selection; each stands in `weights.selection_log` with the "
            "reason `person` and its effect"
        )
    )

    @property
    def deciding(self) -> dict[str, Any]:
        """What a fit depends on: all but by whom and why people decided, in which a slip may be mended."""
        return self.model_dump(mode="json", exclude={"decisions": {"__all__": {"role", "reason"}}})

    def decided(self, band: Band, action: Action) -> list[ItemDecision]:
        """The decisions of this kind that concern ``band``, as they stand in the configuration."""
        return [one for one in self.decisions if one.action == action and one.band in (None, band)]


class Screening(Model):
    share_percent: int = Field(ge=1, le=100, description="per cent of each school year that is selected, rounded down")
    score_decimals: int = Field(
        ge=1, le=12, description="decimal places to which scores are rounded before they are compared"
    )
    min_school_coverage: Share = Field(
        description="a school of which a smaller share of the children concerned has rows is missing from a delivery"
    )
    missing_school: Literal["own_share", "common"] = Field(
        description=(
            "children whose school delivered nothing for a date: `own_share` ranks those of a school year among "
            "themselves and gives them their own share of places, at least what the common ranking gives them; "
            "`common` ranks them with all others, where they fall behind"
        )
    )


class Legacy(Model):
    min_hits: Mapping[Band, Annotated[int, Field(ge=1, le=1000)]] = Field(
        description="hits at which データベースみまもり flagged a child, per band"
    )
    max_missing_share: Share = Field(description="with a larger share of its items missing the legacy flag is unknown")


class FairnessGroup(Model):
    """Children whom an own level of one of the items puts into one group, against all others (method §6)."""

    ja: str = Field(description="how people read the group")
    items: tuple[str, ...] = Field(
        min_length=1, description="an own level of one of these items puts a child into the group"
    )
    min_ratio: float | None = Field(
        default=None, ge=0, description="the bound of this group, where it is not that of all (`fairness.min_ratio`)"
    )
    max_ratio: float | None = Field(default=None, gt=0, description="the same (`fairness.max_ratio`)")

    @property
    def has_bounds(self) -> bool:
        """Whether somebody set bounds for this group."""
        return self.min_ratio is not None or self.max_ratio is not None


class Fairness(Model):
    groups: Mapping[str, FairnessGroup] = Field(
        description=(
            "group: its name and items. Whom the list selects, finds and misses of each, and of each school, stands in "
            "`evaluation.fairness`; a city may add groups"
        )
    )
    min_ratio: float = Field(
        ge=0,
        le=1,
        description=(
            "a group's selection rate over that of all others: below this, and with an interval of the difference that "
            "excludes 0, the check `groups_alike` warns; of a group that an item of the weights makes, where it stands "
            "farther off than on the list before or the group has bounds of its own"
        ),
    )
    max_ratio: float = Field(ge=1, description="above this it warns too")
    without: tuple[str, ...] = Field(
        description=(
            "items of which `evaluation.without_items` says what the list would be without their contributions (no "
            "new fit): who enters and leaves, in numbers, and the precision"
        )
    )

    def check(self, items: Mapping[str, Item]) -> None:
        """Every group is one of its own and can be told, and every item of ``without`` can weigh.

        Raises:
            ValueError: one does not; the message names its key, what was found and what was expected.
        """
        if SCHOOL_GROUP in self.groups:
            raise ValueError(
                Said(
                    "fairness.groups.{group}: the schools are compared under this name, expected another one",
                    group=SCHOOL_GROUP,
                )
            )
        named = [(f"groups.{name}.items", group.items) for name, group in self.groups.items()]
        for where, names in (*named, ("without", self.without)):
            if unknown := [name for name in names if name not in items or not items[name].levels]:
                raise ValueError(
                    Said("fairness.{where}: no item with levels {items}", where=where, items="・".join(unknown))
                )
            if again := [name for name, times in Counter(names).items() if times > 1]:
                raise ValueError(
                    Said(
                        "fairness.{where}: found {items} more than once, expected each item once",
                        where=where,
                        items="・".join(again),
                    )
                )
        for name in self.without:
            if items[name].screen is not None:
                raise ValueError(
                    Said(
                        "fairness.without: {item!r} is left out before any regression ({screen}) and contributes to no "
                        "score, expected an item that may weigh",
                        item=name,
                        screen=items[name].screen,
                    )
                )
        for name in self.groups:
            least, most = self.bounds(name)
            if least > most:
                raise ValueError(
                    Said(
                        "fairness.groups.{group}: found min_ratio {least:g} above max_ratio {most:g} (its own or that "
                        "of all), expected it below",
                        group=name,
                        least=least,
                        most=most,
                    )
                )

    def bounds(self, group: str) -> tuple[float, float]:
        """Between which ratios a group may lie: its own bounds, or those of all."""
        own = self.groups.get(group)
        least = self.min_ratio if own is None or own.min_ratio is None else own.min_ratio
        most = self.max_ratio if own is None or own.max_ratio is None else own.max_ratio
        return least, most


class Publish(Model):
    suppress_below: int = Field(
        ge=1,
        le=1000,
        description=(
            "people; a cell of an aggregate that counts fewer is suppressed in the analysts' "
            "database ([analysts.md](analysts.md))"
        ),
    )
    group: str | None = Field(
        description=(
            "group of the machine that may read `analyst.duckdb` (mode 0640): `data/` is passable"
            " for it (0710), everything else in it is set to its owner's only"
        )
    )
    folder: Path | None = Field(
        description=(
            "where `analyst.duckdb` lies, relative to `city.yaml`; without it the data folder. "
            "With `publish.group` the folder becomes the group's (mode 2750)"
        )
    )
