"""What the plots of all stages share: no display, a Japanese font where the machine has one, PNG bytes."""

from __future__ import annotations

import io
from functools import cache

from matplotlib import font_manager
from matplotlib.figure import Figure

_JAPANESE_FONTS = (
    "Noto Sans CJK JP",
    "IPAexGothic",
    "IPAGothic",
    "Yu Gothic",
    "Meiryo",
    "MS Gothic",
    "Hiragino Sans",
    "TakaoGothic",
)
_DPI = 80


@cache
def japanese_font() -> str | None:
    """The name of an installed font that has Japanese characters, None where there is none."""
    installed = {font.name for font in font_manager.fontManager.ttflist}
    return next((name for name in _JAPANESE_FONTS if name in installed), None)


def figure_png(figure: Figure) -> bytes:
    """The figure as PNG."""
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=_DPI)
    return buffer.getvalue()
