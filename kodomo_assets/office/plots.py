"""What the pictures of all stages share: an SVG of bars, lines and words, and scales with round ticks.

Written by hand because a library that draws four pictures took more of a refresh than the pictures are worth; the
reader's browser brings the Japanese letters.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from xml.sax.saxutils import escape, quoteattr

BLUE, PALE, RED, GREY, DARK = "#4477aa", "#bbccdd", "#cc3311", "#777777", "#333333"
_FONTS = "'Noto Sans CJK JP', 'BIZ UDPGothic', 'Yu Gothic', Meiryo, 'Hiragino Sans', sans-serif"
_LINE_HEIGHT = 1.3


@dataclass(frozen=True)
class Scale:
    """Maps values from ``low`` to ``high`` to pixels from ``start`` to ``end``; both may run backwards."""

    low: float
    high: float
    start: float
    end: float

    def at(self, value: float) -> float:
        """Where a value stands; in the middle where all values are one."""
        if self.high == self.low:
            return (self.start + self.end) / 2
        return self.start + (value - self.low) / (self.high - self.low) * (self.end - self.start)

    def ticks(self, most: int = 5) -> list[float]:
        """At most ``most`` + 1 round values (1, 2 or 5 times a power of ten apart) within the scale."""
        span = self.high - self.low
        if span <= 0:
            return [self.low]
        power = 10.0 ** math.floor(math.log10(span / most))
        step = next(times * power for times in (1, 2, 5, 10) if times * power * most >= span)
        first, last = math.ceil(self.low / step - 1e-9), math.floor(self.high / step + 1e-9)
        return [number * step for number in range(first, last + 1)]


@dataclass
class Picture:
    """An SVG in the making; lengths are pixels from the upper left corner."""

    width: float
    height: float
    _parts: list[str] = field(default_factory=list)

    def bar(self, left: float, top: float, right: float, bottom: float, colour: str) -> None:
        """A filled box; the corners may be given in either order."""
        x, y = min(left, right), min(top, bottom)
        size = f'width="{abs(right - left):.1f}" height="{abs(bottom - top):.1f}"'
        self._parts.append(f'<rect x="{x:.1f}" y="{y:.1f}" {size} fill="{colour}"/>')

    def line(self, x1: float, y1: float, x2: float, y2: float, colour: str = GREY, *, dashed: bool = False) -> None:
        dash = ' stroke-dasharray="5 3"' if dashed else ""
        place = f'x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}"'
        self._parts.append(f'<line {place} stroke="{colour}"{dash}/>')

    def dot(self, x: float, y: float, colour: str) -> None:
        self._parts.append(f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3" fill="{colour}"/>')

    def text(
        self, x: float, y: float, text: str, *, size: float = 12, anchor: str = "start", colour: str = DARK
    ) -> None:
        """Words whose first line stands on ``y``; ``anchor`` is what stands at ``x``: start, middle or end."""
        head = f'font-size="{size:g}" text-anchor="{anchor}" fill="{colour}"'
        for number, line in enumerate(text.split("\n")):
            place = f'x="{x:.1f}" y="{y + number * size * _LINE_HEIGHT:.1f}"'
            self._parts.append(f"<text {place} {head}>{escape(line)}</text>")

    def bottom_axis(self, scale: Scale, y: float, label: str) -> None:
        """A line with its ticks at ``y``, and what they count below it."""
        self.line(scale.start, y, scale.end, y)
        for tick in scale.ticks():
            self.line(scale.at(tick), y, scale.at(tick), y + 4)
            self.text(scale.at(tick), y + 16, f"{tick:g}", size=10, anchor="middle")
        self.text((scale.start + scale.end) / 2, y + 30, label, size=10, anchor="middle")

    def svg(self) -> bytes:
        """The picture, as a file."""
        size = f'width="{self.width:g}" height="{self.height:g}" viewBox="0 0 {self.width:g} {self.height:g}"'
        head = f'<svg xmlns="http://www.w3.org/2000/svg" {size} font-family={quoteattr(_FONTS)}>'
        ground = '<rect width="100%" height="100%" fill="#ffffff"/>'
        return "".join([head, ground, *self._parts, "</svg>"]).encode()
