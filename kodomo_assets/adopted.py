"""That weights of many cities serve is said alike wherever somebody reads of it (method §5; cities.md, 2)."""

from __future__ import annotations

import re
from dataclasses import dataclass

import duckdb

from kodomo_assets.catalogue import Band
from kodomo_assets.vocabulary import CROSS_VALIDATION, RULES, WITHOUT_THIS_CITY

POOLED = "pooled"
# what the program wrote stands last, whatever a person wrote before it
_WRITTEN = re.compile(r"\((\d{4}-\d{2}-\d{2}\.pooled\.\d+); ([^;]*)\)\Z")


@dataclass(frozen=True)
class Adoption:
    """The weights of many cities that serve in a band.

    Attributes:
        version: ``<R>.pooled.<number>``, as they were adopted.
        role: who adopted them.
        lacking: why the city's own do not serve, one phrase.
    """

    version: str
    role: str
    lacking: str

    @property
    def ja(self) -> str:
        return f"{RULES[POOLED]}（{self.version}、{self.role}が採用）"

    def ranks(self, band: str) -> str:
        """The sentence for whoever reads the list; ``band`` in Japanese."""
        return f"{band}の順位は、{self.ja}によります"


def reason_of(reason: str, version: str, lacking: str) -> str:
    """weights.versions.reason of a version in which they serve; ``lacking`` holds no semicolon."""
    return f"{reason} ({version}; {lacking})"


def adoptions(con: duckdb.DuckDBPyConnection, version: str | None) -> dict[Band, Adoption]:
    """Band -> the adopted weights that serve in it, of a version that serves; bands with others are not there."""
    rows = con.execute(
        "select band, decided_by, reason from weights.versions where version = $1 and origin = $2 order by band",
        [version, POOLED],
    ).fetchall()
    found = {}
    for band, role, reason in rows:
        written = _WRITTEN.search(reason)
        if written is None:
            raise ValueError(f"weights.versions {version}, band {band}: reason names no adopted version")
        found[band] = Adoption(written[1], role, written[2])
    return found


def judged_by(origin: str | None) -> str:
    """How the figures of what serves came about: no fold is left out of weights in which this city has no part."""
    return WITHOUT_THIS_CITY if origin == POOLED else CROSS_VALIDATION
