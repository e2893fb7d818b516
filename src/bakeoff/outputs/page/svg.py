"""What pictures are made of: SVG elements, scales with round ticks, widths of texts.

Colours are the page's own (`var(--c0)`), so that a picture follows its theme; a picture that stands
alone has them written out, on white.
"""

from __future__ import annotations

import math
import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from itertools import pairwise

from bakeoff.core.plain_text import plain

SIZE = 10.5
"""Of the letters."""
WIDTH, BROAD = 330.0, 480.0
"""Of a picture, and of one with many names."""
INK, SOFT, LINE, PAPER = "currentColor", "var(--soft)", "var(--line)", "var(--card)"
PALETTE = (
    *("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#888888"),
    *("#5b3a9e", "#8a4b08", "#b0162b", "#4f7a00", "#00616b", "#b01d86", "#9a9a00"),
)
"""Setups have these, and nothing else. The first seven: Okabe and Ito (2008), which colour-blind
readers can tell apart; every mark has its setup's name as well."""
_ALONE = {
    **{f"var(--c{place})": colour for place, colour in enumerate(PALETTE)},
    **{INK: "#000000", SOFT: "#565d66", LINE: "#cfd4da", PAPER: "#ffffff"},
}
# Quoted: what a name says is escaped, so that this finds attributes and no text.
_COLOUR = re.compile('"(' + "|".join(map(re.escape, _ALONE)) + ')"')
_SIGNS = (
    "",
    '<path d="M0 6L6 0" stroke-width="1.3"/>',
    '<circle cx="1.5" cy="1.5" r="0.9"/><circle cx="4.5" cy="4.5" r="0.9"/>',
    '<path d="M0 6L6 0M0 0L6 6" stroke-width="0.9"/>',
    '<path d="M0 0L6 6" stroke-width="1.3"/>',
    '<path d="M0 3H6M3 0V6" stroke-width="0.9"/>',
)
HATCHES = "".join(
    f'<pattern id="hatch-{place}" width="6" height="6" patternUnits="userSpaceOnUse">'
    f'<g fill="{PAPER}" stroke="{PAPER}">{sign}</g></pattern>'
    for place, sign in enumerate(_SIGNS)
    if sign
)
"""Patterns that distinguish parts of a bar without colours; a page holds them once."""


def colour(place: int) -> str:
    """The colour of a setup by its place; places go round. Ink for what belongs to no setup."""
    return INK if place < 0 else f"var(--c{place % len(PALETTE)})"


def hatch(place: int) -> str:
    """The fill that lies over a colour; empty for the first of a round."""
    place %= len(_SIGNS)
    return f"url(#hatch-{place})" if place else ""


def element(name: str, text: str = "", /, **attributes: str | float) -> str:
    """One element: `stroke_width=1` is the attribute stroke-width, numbers are rounded."""
    pairs = "".join(
        f' {key.replace("_", "-")}="{_number(value)}"' for key, value in attributes.items()
    )
    return f"<{name}{pairs}>{escape(text)}</{name}>" if text else f"<{name}{pairs}/>"


def _number(value: str | float) -> str:
    return escape(value) if isinstance(value, str) else f"{value:.2f}".rstrip("0").rstrip(".")


def wide(text: str) -> float:
    """About how wide a text is in an ordinary font without serifs."""
    return SIZE * sum(_share(sign) for sign in text)


def _share(sign: str) -> float:
    if unicodedata.east_asian_width(sign) in "WF":
        return 1.0
    if sign in "iljtfrI.,:;'|!()[]/ ":
        return 0.33
    if sign in "mwMW@%":
        return 0.88
    return 0.68 if sign.isupper() else 0.56


def fitted(text: str, most: float) -> str:
    """A text of strangers as one line, cut to be at most so wide."""
    line = plain(text, 200)
    if wide(line) <= most:
        return line
    while line and wide(f"{line}…") > most:
        line = line[:-1]
    return f"{line.rstrip()}…"


def group(parts: Sequence[str], **attributes: str | float) -> str:
    """Elements that belong together; `tip` is their tooltip."""
    tip = attributes.pop("tip", "")
    if tip:
        attributes["data_tip"] = plain(tip, 300)
    return f"{element('g', **attributes)[:-2]}>{''.join(parts)}</g>"


@dataclass(frozen=True)
class Scale:
    """Values of an axis as places in a picture."""

    low: float
    high: float
    start: float
    end: float
    log: bool = False
    """All values are then above 0."""

    @classmethod
    def over(cls, values: Sequence[float], start: float, end: float, *, log: bool = False) -> Scale:
        """The scale that shows all the values, with some room beside them."""
        low, high = min(values), max(values)
        if log:
            room = (high / low) ** 0.05 if high > low else 2.0
            return cls(low / room, high * room, start, end, log=True)
        room = (high - low) * 0.06 or abs(high) * 0.1 or 0.5
        return cls(low - room, high + room, start, end)

    def at(self, value: float) -> float:
        low, high = self.low, self.high
        if self.log:
            low, high, value = math.log(low), math.log(high), math.log(value)
        return self.start + (value - low) / (high - low) * (self.end - self.start)

    def ticks(self, about: int = 5, *, whole: bool = False) -> list[tuple[float, str]]:
        """(value, label) at round values; `whole` takes no fractions."""
        return self._powers() if self.log else self._steps(about, whole)

    def apart(self, *, whole: bool = False) -> list[tuple[float, str]]:
        """The ticks of an axis that lies: as many as have room beside each other."""
        ticks = self.ticks(5, whole=whole)
        while len(ticks) > 2 and self._collide(ticks):
            ticks = ticks[::2]
        return ticks[:1] if self._collide(ticks) else ticks

    def _collide(self, ticks: Sequence[tuple[float, str]]) -> bool:
        return any(
            abs(self.at(two) - self.at(one)) < (wide(left) + wide(right)) / 2 + 4
            for (one, left), (two, right) in pairwise(ticks)
        )

    def _steps(self, about: int, whole: bool) -> list[tuple[float, str]]:
        rough = (self.high - self.low) / about
        power = 10.0 ** math.floor(math.log10(rough))
        step = next(power * factor for factor in (1, 2, 5, 10) if power * factor >= rough * 0.999)
        if whole:
            step = max(1.0, step)
        first, last = math.ceil(self.low / step - 1e-9), math.floor(self.high / step + 1e-9)
        digits = max(0, -math.floor(math.log10(step) + 1e-9))
        return [(n * step, _tick(n * step, digits)) for n in range(first, last + 1)]

    def _powers(self) -> list[tuple[float, str]]:
        first, last = math.floor(math.log10(self.low)), math.ceil(math.log10(self.high))
        decades = math.log10(self.high / self.low)
        parts = (1, 2, 5) if decades < 2.5 else (1,)
        every = max(1, math.ceil(decades / 6))
        values = [part * 10.0**power for power in range(first, last + 1, every) for part in parts]
        return [(v, brief(v)) for v in values if self.low <= v <= self.high]


def _tick(value: float, digits: int) -> str:
    text = f"{value:.{digits}f}"
    return brief(value) if abs(value) >= 10_000 else text


def brief(value: float) -> str:
    """A round number in few characters: 0.01, 100, 10k, 1M."""
    for size, unit in ((1e9, "G"), (1e6, "M"), (1e4, "k")):
        if abs(value) >= size:
            return f"{value / (1e3 if unit == 'k' else size):g}{unit}"
    return f"{value:g}"


@dataclass(frozen=True)
class Picture:
    """A drawn picture."""

    height: float
    body: str
    width: float = WIDTH

    def inline(self, identity: str, title: str, description: str) -> str:
        """An element for a page with `HATCHES`, its ids beginning with `identity`."""
        head = (
            f'<svg class="plot" viewBox="0 0 {_number(self.width)} {_number(self.height)}" '
            f'role="img" fill="currentColor" aria-labelledby="{identity}-title {identity}-desc">'
        )
        return (
            f"{head}{element('title', plain(title), id=f'{identity}-title')}"
            f"{element('desc', plain(description, 1000), id=f'{identity}-desc')}{self.body}</svg>"
        )

    def alone(self, title: str, description: str) -> str:
        """A whole file: the same on white, with its colours."""
        width, height = _number(self.width), _number(self.height)
        text = (
            f'<svg xmlns="http://www.w3.org/2000/svg" width="{_number(1.5 * self.width)}" '
            f'height="{_number(1.5 * self.height)}" viewBox="0 0 {width} {height}" '
            f'role="img" font-family="system-ui, sans-serif" fill="{INK}">'
            f"{element('title', plain(title))}{element('desc', plain(description, 1000))}"
            f"<defs>{HATCHES}</defs>"
            f"{element('rect', width=self.width, height=self.height, fill=PAPER)}{self.body}"
            "</svg>\n"
        )
        return _COLOUR.sub(lambda match: f'"{_ALONE[match[1]]}"', text)
