"""The incomplete beta function and what follows from it: binomial and Student's t distributions.

Plain Python for single numbers: to import scipy for these takes longer than to compare a run. The
tests hold every function to scipy.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import lru_cache
from statistics import NormalDist

_TINY, _NARROW = 1e-300, 1e-13
# Stirling's series; the first terms of smaller arguments come from the gamma function itself.
_SERIES = (1 / 12, -1 / 360, 1 / 1260, -1 / 1680, 1 / 1188, -691 / 360360)


def betainc(a: float, b: float, x: float) -> float:
    """The regularized incomplete beta function I_x(a, b), a and b above 0."""
    if x <= 0 or x >= 1:
        return float(x >= 1)
    if x > (a + 1) / (a + b + 2):
        return 1 - _fraction(b, a, 1 - x)
    return _fraction(a, b, x)


def _fraction(a: float, b: float, x: float) -> float:
    """I_x(a, b) by its continued fraction (Lentz's method), for x below the mean."""
    c, d = 1.0, 1 - (a + b) * x / (a + 1)
    d = 1 / (d if abs(d) > _TINY else _TINY)
    value = d
    for m in range(1, 100_000):
        even = m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m))
        odd = -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1))
        for part in (even, odd):
            d, c = 1 + part * d, 1 + part / c
            d = 1 / (d if abs(d) > _TINY else _TINY)
            c = c if abs(c) > _TINY else _TINY
            value *= d * c
        if abs(d * c - 1) < 1e-15:
            break
    return value * _front(a, b, x)


def _front(a: float, b: float, x: float) -> float:
    """x^a (1 - x)^b / (a B(a, b)), without the cancellation of large logarithms (Loader 2000)."""
    n = a + b
    logs = _rest(n) - _rest(a) - _rest(b) - _deviance(a, n * x) - _deviance(b, n * (1 - x))
    return math.exp(logs) * math.sqrt(b / (2 * math.pi * a * n))


@lru_cache(maxsize=1000)
def _rest(n: float) -> float:
    """What Stirling's formula leaves of log Gamma(n + 1)."""
    if n < 16:
        return math.lgamma(n + 1) - (n + 0.5) * math.log(n) + n - math.log(2 * math.pi) / 2
    return sum(coefficient / n ** (2 * k + 1) for k, coefficient in enumerate(_SERIES))


def _deviance(x: float, mean: float) -> float:
    """x log(x / mean) + mean - x, exact where both are near each other."""
    if abs(x - mean) < 0.1 * (x + mean):
        v = (x - mean) / (x + mean)
        total, power = (x - mean) * v, 2 * x * v
        for k in range(1, 1000):
            power *= v * v
            more = total + power / (2 * k + 1)
            if more == total:
                break
            total = more
        return total
    return x * math.log(x / mean) + mean - x


def _root(gap: Callable[[float], tuple[float, float]], at: float, low: float, high: float) -> float:
    """Where a rising function is 0, by Newton's method held between bounds that close in.

    `gap` gives the function and its slope.
    """
    for _ in range(200):
        value, slope = gap(at)
        if value < 0:
            low = at
        else:
            high = at
        # By ratio, so that small roots have as many digits as large ones.
        middle = math.sqrt(low * high) if high > 4 * low > 0 else (low + high) / 2
        step = at - value / slope if slope > 0 else high
        if not low < step < high:
            at = middle
            continue
        last, at = at, step
        # What is left is about the square of the last step.
        if abs(at - last) <= 1e-9 * abs(at):
            break
    return at


def narrowed(falling: Callable[[float], float], low: float, high: float) -> tuple[float, float]:
    """Two near places between which a falling function crosses 0, the first still above it.

    Regula falsi with the halved weight of an end that stays (Illinois; Dowell and Jarratt 1971):
    about ten values where bisection takes sixty.
    """
    up, down = falling(low), falling(high)
    if down > 0 or up <= 0:
        return (high, high) if down > 0 else (low, low)
    side = 0
    for _ in range(40):
        steps = math.isfinite(up) and math.isfinite(down) and up > down
        at = low + (high - low) * up / (up - down) if steps else (low + high) / 2
        if not low < at < high or high - low < _NARROW:
            break
        value = falling(at)
        if value > 0:
            low, up, down, side = at, value, down / (2 if side > 0 else 1), 1
        else:
            high, down, up, side = at, value, up / (2 if side < 0 else 1), -1
    # Rounding makes the function waver next to its root: the caller looks there for itself.
    return low - _NARROW, high + _NARROW


@lru_cache(maxsize=1000)
def betaincinv(a: float, b: float, p: float) -> float:
    """The x with I_x(a, b) = p."""
    if p <= 0 or p >= 1:
        return float(p >= 1)

    def gap(x: float) -> tuple[float, float]:
        return betainc(a, b, x) - p, a * _front(a, b, x) / (x * (1 - x))

    middle, z = a / (a + b), NormalDist().inv_cdf(p)
    near = middle + z * math.sqrt(middle * (1 - middle) / (a + b + 1))
    return _root(gap, near if 0 < near < 1 else middle, _TINY, 1.0)


@lru_cache(maxsize=10_000)
def binomial_cdf(hits: float, trials: float, rate: float) -> float:
    """The chance of at most so many hits."""
    if hits < 0:
        return 0.0
    return 1.0 if hits >= trials else betainc(trials - hits, hits + 1, 1 - rate)


def t_cdf(degrees: float, t: float) -> float:
    """Student's distribution function."""
    square = t * t
    if square < 1:
        inner = betainc(0.5, degrees / 2, square / (degrees + square))
        return 0.5 + math.copysign(inner / 2, t)
    tail = betainc(degrees / 2, 0.5, degrees / (degrees + square)) / 2
    return tail if t < 0 else 1 - tail


@lru_cache(maxsize=1000)
def t_quantile(degrees: float, p: float) -> float:
    """The t with `t_cdf(degrees, t) == p`."""
    if p == 0.5:
        return 0.0
    if p < 0.5:
        return -t_quantile(degrees, 1 - p)
    logs = math.lgamma((degrees + 1) / 2) - math.lgamma(degrees / 2)
    height = math.exp(logs) / math.sqrt(degrees * math.pi)

    def gap(t: float) -> tuple[float, float]:
        density = height * math.exp(-(degrees + 1) / 2 * math.log1p(t * t / degrees))
        # By the tail, whose digits do not drown in the 1.
        return (1 - p) - t_cdf(degrees, -t), density

    return _root(gap, NormalDist().inv_cdf(p), 0.0, 1e300)
