"""What the models of the catalogue share: their base, and the types that fields of several of them have."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches
from typing import Annotated, ClassVar, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, StringConstraints

from kodomo_assets.errors import Said

Band = Literal["lower", "upper"]
Share = Annotated[float, Field(ge=0, le=1)]
Sentence = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1)]


def _as_words(value: object) -> object:
    return [str(word) for word in value] if isinstance(value, list) else value


Words = Annotated[tuple[str, ...], BeforeValidator(_as_words)]


def did_you_mean(found: object, known: Iterable[object]) -> str:
    """What follows the sentence that nothing has the name ``found``: the known name most like it, where one is."""
    near = get_close_matches(str(found), [str(name) for name in known], n=1)
    return Said("; did you mean {name!r}?", name=near[0]) if near else ""


class Model(BaseModel):
    """Base of every catalogue model: immutable; an unknown key is an error, and so is a number that is none."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    #: Fields that are part of the method: a city leaves them as they are (docs/configuration.md says so).
    fixed: ClassVar[frozenset[str]] = frozenset()
    #: Fields that a later version added and that change nothing while they are empty: no hash may count them then, or
    #: an upgrade would look like another setting.
    added: ClassVar[frozenset[str]] = frozenset()

    @property
    def empty_additions(self) -> set[str]:
        """Those of ``added`` in which nothing stands."""
        return {name for name in self.added if getattr(self, name) in (None, (), {})}
