"""Intervals of a rate, and of a paired difference of rates."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import lru_cache

from bakeoff.analysis.special import betainc, betaincinv, narrowed
from bakeoff.analysis.stats.values import LEVEL, Bounds, normal_quantile


def wilson(hits: float, n: float, level: float = LEVEL) -> Bounds:
    """Wilson's score interval of a rate (Wilson 1927). `n` may be an effective number."""
    z, rate = normal_quantile(level), hits / n
    centre = (rate + z**2 / (2 * n)) / (1 + z**2 / n)
    half = z / (1 + z**2 / n) * math.sqrt(rate * (1 - rate) / n + z**2 / (4 * n * n))
    # Exact at the ends, where the formula leaves a rounding error.
    low = 0.0 if rate <= 0 else max(0.0, centre - half)
    return low, 1.0 if rate >= 1 else min(1.0, centre + half)


def clopper_pearson(hits: float, n: float, level: float = LEVEL) -> Bounds:
    """The exact interval of a rate: never below its level, and wide (Clopper and Pearson 1934)."""
    tail = (1 - level) / 2
    low = 0.0 if hits <= 0 else betaincinv(hits, n - hits + 1, tail)
    return low, 1.0 if hits >= n else betaincinv(hits + 1, n - hits, 1 - tail)


def mid_p(hits: float, n: float, level: float = LEVEL) -> Bounds:
    """Clopper and Pearson's interval with half of the observed outcome in each tail (Lancaster)."""
    return _mid_p_low(hits, n, level), 1 - _mid_p_low(n - hits, n, level)


# Many gates, metrics and slices have the same counts.
@lru_cache(maxsize=1000)
def _mid_p_low(hits: float, n: float, level: float) -> float:
    if hits <= 0:
        return 0.0

    def tail(rate: float) -> float:
        more = betainc(hits + 1, n - hits, rate) if hits < n else 0.0
        return (betainc(hits, n - hits + 1, rate) + more) / 2

    return _bisect(lambda rate: (1 - level) / 2 - tail(rate), 0.0, hits / n)


def _bisect(falling: Callable[[float], float], low: float, high: float) -> float:
    """Where `falling`, positive at `low`, crosses 0; `high` where it never does."""
    positive, other = narrowed(falling, low, high)
    for _ in range(60):
        middle = (low + high) / 2
        # What a falling function is beyond these two needs no asking.
        if middle <= positive or (middle < other and falling(middle) > 0):
            low = middle
        else:
            high = middle
    return high


def tango_score(wins: float, losses: float, n: float, margin: float) -> float:
    """Tango's score statistic of "the paired difference of rates is `margin`" (Tango 1998)."""
    linear = (2 * n - wins + losses) * margin - wins - losses
    root = math.sqrt(max(0.0, linear**2 + 8 * n * losses * margin * (1 - margin)))
    variance = n * ((root - linear) / (2 * n) + margin * (1 - margin))
    gap = wins - losses - n * margin
    if variance <= 1e-12 * n:
        return math.copysign(math.inf, gap) if abs(gap) > 1e-9 * n else 0.0
    return gap / math.sqrt(variance)


# Setups side by side give the same few counts over and over.
@lru_cache(maxsize=10_000)
def tango(wins: float, losses: float, n: float, level: float = LEVEL) -> Bounds:
    """Tango's score interval of a paired difference of rates; counts need not be whole."""
    z, estimate = normal_quantile(level), (wins - losses) / n
    low = _bisect(lambda margin: tango_score(wins, losses, n, margin) - z, -1.0, estimate)
    high = _bisect(lambda margin: -tango_score(wins, losses, n, -margin) - z, -1.0, -estimate)
    return low, -high
