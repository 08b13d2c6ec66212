"""Every reason for which something is sent back has words for the office."""

from __future__ import annotations

import re
from pathlib import Path

import kodomo_assets
from kodomo_assets.catalogue import load_catalogue
from kodomo_assets.catalogue.ingest import ACKNOWLEDGED_BY
from kodomo_assets.japan.reading import UNKNOWN
from kodomo_assets.japan.text import DASH, NO_NUMBER
from kodomo_assets.office.formats.grids import TOO_MANY_CELLS
from kodomo_assets.stages.sources.cells import EXCEEDS_NEIGHBOUR
from kodomo_assets.stages.sources.rows import BLANK, DUPLICATE_KEY, DUPLICATE_ROW, EXAMPLE_ROW

ROOT = Path(kodomo_assets.__file__).parent
_IN_CODE = (
    re.compile(r'Reading\(None, "(\w+)"\)'),
    re.compile(r'refuse\(\s*[\w.]+,\s*"(\w+)"'),
    re.compile(r'"(\w+)" if part\.sheet is not None else "(\w+)"'),
)


def test_every_reason_has_its_words():
    code = "\n".join(
        path.read_text("utf-8")
        for folder in ("japan", "office", "stages/sources")
        for path in (ROOT / folder).rglob("*.py")
    )
    used = {UNKNOWN, BLANK, DUPLICATE_ROW, DUPLICATE_KEY, EXAMPLE_ROW, TOO_MANY_CELLS, DASH, NO_NUMBER}
    used |= {EXCEEDS_NEIGHBOUR}
    used |= {check for check in ACKNOWLEDGED_BY if check != "spine_complete"}
    for pattern in _IN_CODE:
        for found in pattern.findall(code):
            used |= {found} if isinstance(found, str) else set(found)
    assert len(used) > 35
    assert used == set(load_catalogue().reasons)
