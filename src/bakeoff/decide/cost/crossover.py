"""Sums and quotients of numbers with intervals, and the volume at which two costs cross."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import pairwise
from typing import Final, Literal

from bakeoff.core.estimate import Estimate, exactly, finite

State = Literal["crosses", "never", "always", "inconclusive", "same"]
CROSSES: Final = "crosses"
NEVER: Final = "never"
ALWAYS: Final = "always"
INCONCLUSIVE: Final = "inconclusive"
SAME: Final = "same"


def total(parts: Iterable[tuple[Estimate, float]]) -> Estimate:
    """The weighted sum of independent numbers, with the interval made from theirs.

    MOVER (Zou and Donner 2008): the distances to the ends add up as squares, each side apart. One
    number that is not known leaves nothing known of the sum.
    """
    value, below, above = 0.0, 0.0, 0.0
    for part, factor in parts:
        if factor == 0:
            continue
        if part.value is None:
            return Estimate()
        value += factor * part.value
        low, high = part.ends
        sides = (part.value - low, high - part.value)
        lower, upper = sides if factor > 0 else sides[::-1]
        below, above = math.hypot(below, factor * lower), math.hypot(above, factor * upper)
    return Estimate.of(value, value - below, value + above)


def quotients(
    top: Estimate, bottom: Estimate, correlation: float = 0.0
) -> tuple[tuple[float, float], ...]:
    """The quotients r >= 0 that the data allow: the interval of `top - r bottom` holds 0.

    Fieller's set (1954), with MOVER's unequal sides as in Newcombe (2016). It can be empty, two
    intervals, or without an upper end (infinite).
    """
    over, under = top.value, bottom.value
    if over is None or under is None or not (top.known and bottom.known):
        return ((0.0, math.inf),)
    (top_low, top_high), (bottom_low, bottom_high) = top.ends, bottom.ends
    # Where top - r bottom is above 0 its lower distance decides, below 0 the upper one.
    sides = ((over - top_low, bottom_high - under), (top_high - over, under - bottom_low))
    value = over / under if under else math.inf
    cuts = {value} if 0 < value < math.inf else set()
    for e, f in sides:
        cuts |= _roots(
            under**2 - f**2,
            -2 * (over * under - correlation * e * f),
            over**2 - e**2,
        )

    def allowed(r: float) -> bool:
        gap = over - r * under
        e, f = sides[0] if gap >= 0 else sides[1]
        return gap**2 <= e**2 + (r * f) ** 2 - 2 * correlation * e * r * f

    ends = [0.0, *sorted(cuts), math.inf]
    intervals: list[tuple[float, float]] = []
    for low, high in pairwise(ends):
        if allowed((low + high) / 2 if high < math.inf else 2 * low + 1):
            joined = bool(intervals) and intervals[-1][1] == low
            intervals[-1:] = (
                [(intervals[-1][0], high)] if joined else [*intervals[-1:], (low, high)]
            )
    # The quotient itself, where neither number is uncertain: between the cuts nothing is allowed.
    if 0 < value < math.inf and not any(low <= value <= high for low, high in intervals):
        intervals.append((value, value))
    return tuple(sorted(intervals))


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
    """The monthly volume at which b and a cost the same (break-even)."""

    state: State
    """`crosses`: at a volume between `low` and `high`. `never`: b costs more at every volume;
    `always`: it is cheaper at every volume. `inconclusive`: the interval also holds that they
    never cross. `same`: both cost the same."""
    volume: Estimate
    """Requests per month. No value where the two do not cross by their values, no upper end where
    nothing bounds it; nothing at all where they never cross."""
    cheaper: int
    """At large volumes: 1 b, -1 a, 0 where it is not significant."""


def crossover(fixed: Estimate, per_request: Estimate) -> Crossover:
    """Where the monthly costs of b and a cross.

    `fixed` and `per_request` are what b costs more than a, per month and per request. The
    difference at v requests is fixed + v per_request; the volumes at which its interval holds 0
    are those that the data allow.
    """
    if fixed == per_request == exactly(0.0):
        return Crossover(SAME, Estimate(), 0)
    intervals = quotients(fixed, per_request.scaled(-1))
    limit = fixed if per_request == exactly(0.0) else per_request
    cheaper = 0 if not limit.clear else 1 if limit.ends[1] < 0 else -1
    if not intervals:
        # Nothing is allowed: the sign is the same everywhere, also where one of the two is 0.
        dearer = max(fixed.value or 0.0, per_request.value or 0.0) > 0
        return Crossover(NEVER if dearer else ALWAYS, Estimate(), -1 if dearer else 1)
    value = -fixed.value / per_request.value if per_request.value and fixed.value else math.inf
    low, high = intervals[0][0], intervals[-1][1]
    crosses = low > 0 and high < math.inf
    return Crossover(
        CROSSES if crosses else INCONCLUSIVE,
        Estimate(value if 0 < value < math.inf else None, low, finite(high)),
        cheaper,
    )
