"""Sums and quotients of numbers with intervals, and the volume at which two costs cross."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import pairwise
from typing import Final, Literal

State = Literal["crosses", "never", "always", "cannot be told", "same"]
CROSSES: Final = "crosses"
NEVER: Final = "never"
ALWAYS: Final = "always"
UNKNOWN: Final = "cannot be told"
SAME: Final = "same"


@dataclass(frozen=True)
class Range:
    """A number with its 95% interval; the ends equal it where it is exact, or are infinite."""

    value: float
    low: float
    high: float

    @property
    def clear(self) -> bool:
        """Whether the interval leaves 0 out."""
        return not self.low <= 0 <= self.high


def exactly(value: float) -> Range:
    return Range(value, value, value)


def total(parts: Iterable[tuple[Range, float]]) -> Range:
    """The weighted sum of independent numbers, with the interval made from theirs.

    MOVER (Zou and Donner 2008): the distances to the ends add up as squares, each side apart.
    """
    value, below, above = 0.0, 0.0, 0.0
    for part, factor in parts:
        if factor == 0:
            continue
        value += factor * part.value
        sides = (part.value - part.low, part.high - part.value)
        lower, upper = sides if factor > 0 else sides[::-1]
        below, above = math.hypot(below, factor * lower), math.hypot(above, factor * upper)
    return Range(value, value - below, value + above)


def quotients(
    top: Range, bottom: Range, correlation: float = 0.0
) -> tuple[tuple[float, float], ...]:
    """The quotients r >= 0 that the data allow: the interval of `top - r bottom` holds 0.

    Fieller's set (1954), with MOVER's unequal sides as in Newcombe (2016). It can be empty, two
    intervals, or without an upper end (infinite).
    """
    if not all(map(math.isfinite, (top.low, top.high, bottom.low, bottom.high))):
        return ((0.0, math.inf),)
    # Where top - r bottom is above 0 its lower distance decides, below 0 the upper one.
    sides = (
        (top.value - top.low, bottom.high - bottom.value),
        (top.high - top.value, bottom.value - bottom.low),
    )
    value = top.value / bottom.value if bottom.value else math.inf
    cuts = {value} if 0 < value < math.inf else set()
    for e, f in sides:
        cuts |= _roots(
            bottom.value**2 - f**2,
            -2 * (top.value * bottom.value - correlation * e * f),
            top.value**2 - e**2,
        )

    def allowed(r: float) -> bool:
        gap = top.value - r * bottom.value
        e, f = sides[0] if gap >= 0 else sides[1]
        return gap**2 <= e**2 + (r * f) ** 2 - 2 * correlation * e * r * f

    ends = [0.0, *sorted(cuts), math.inf]
    found: list[tuple[float, float]] = []
    for low, high in pairwise(ends):
        if allowed((low + high) / 2 if high < math.inf else 2 * low + 1):
            joined = bool(found) and found[-1][1] == low
            found[-1:] = [(found[-1][0], high)] if joined else [*found[-1:], (low, high)]
    # The quotient itself, where neither number is uncertain: between the cuts nothing is allowed.
    if 0 < value < math.inf and not any(low <= value <= high for low, high in found):
        found.append((value, value))
    return tuple(sorted(found))


def _roots(a: float, b: float, c: float) -> set[float]:
    """The positive roots of ax² + bx + c."""
    if a == 0:
        return {-c / b} if b and 0 < -c / b < math.inf else set()
    inside = b * b - 4 * a * c
    if inside < 0:
        return set()
    # Adding numbers of one sign alone: no digits are lost.
    q = -(b + math.copysign(math.sqrt(inside), b)) / 2
    roots = {q / a, c / q} if q else {0.0}
    return {root for root in roots if 0 < root < math.inf}


@dataclass(frozen=True)
class Crossover:
    """The monthly volume at which b, dearer or cheaper than a at first, changes places with it."""

    state: State
    """`crosses`: at a volume between `low` and `high`. `never`: b is dearer at every volume;
    `always`: it is cheaper at every volume. `cannot be told`: the interval also holds that they
    never cross. `same`: both cost the same."""
    volume: float | None
    """The best guess; `None` where the two do not cross by their values."""
    low: float | None
    high: float | None
    """`None` where there is no upper end; both are, where the two do not cross."""
    cheaper: int
    """At large volumes: 1 b, -1 a, 0 where it cannot be told."""


def crossover(fixed: Range, each: Range) -> Crossover:
    """Where the monthly costs of b and a cross.

    `fixed` and `each` are what b costs more than a: by month, and by request. The difference at v
    requests is fixed + v each, and the volumes at which its interval holds 0 are those that the
    data allow.
    """
    if fixed == each == exactly(0.0):
        return Crossover(SAME, None, None, None, 0)
    found = quotients(fixed, Range(-each.value, -each.high, -each.low))
    limit = fixed if each == exactly(0.0) else each
    cheaper = 0 if not limit.clear else 1 if limit.value < 0 else -1
    if not found:
        # Nothing is allowed: the sign is the same everywhere, also where one of the two is 0.
        dearer = max(fixed.value, each.value) > 0
        return Crossover(NEVER if dearer else ALWAYS, None, None, None, -1 if dearer else 1)
    value = -fixed.value / each.value if each.value else math.inf
    low, high = found[0][0], found[-1][1]
    told = low > 0 and high < math.inf
    return Crossover(
        CROSSES if told else UNKNOWN,
        value if 0 < value < math.inf else None,
        low,
        high if high < math.inf else None,
        cheaper,
    )
