"""Quantiles and their intervals."""

from __future__ import annotations

import math

import numpy as np

from bakeoff.analysis.stats.values import LEVEL, UNJUDGED, Floats
from bakeoff.core.estimate import Estimate

RESAMPLES = 2000
CELLS = 4_000_000
"""Numbers held at once while resampling: 32 MB."""


def order_ranks(n: int, share: float, level: float = LEVEL) -> tuple[int, int, float]:
    """The ranks, from 1, between which the quantile lies, and how surely (Conover 1999).

    Rank 0 and rank n + 1 do not exist: the sample is too small for a bound on that side.
    """
    hits = np.arange(n + 1)
    logs = np.concatenate([[0.0], np.cumsum(np.log(np.arange(1, n + 1)))])
    ways = logs[n] - logs - logs[::-1]
    below = np.cumsum(np.exp(ways + hits * math.log(share) + (n - hits) * math.log1p(-share)))
    tail = (1 - level) / 2
    low, last = int(np.searchsorted(below, tail)), int(np.searchsorted(below, 1 - tail))
    last = min(last, n)
    return low, last + 1, float(below[last] - (below[low - 1] if low else 0.0))


def quantile(values: Floats, share: float) -> float:
    """The quantile of a sample, interpolated between the two values around it.

    The only definition here, numpy's default (type 7 of Hyndman and Fan 1996): 0.5 gives the usual
    median, and it lies between the order statistics that bound the quantile.
    """
    return float(np.quantile(values, share))


def quantile_interval(values: Floats, share: float, *, level: float = LEVEL) -> Estimate:
    """A quantile with its order-statistic interval (Conover 1999, section 3.2)."""
    ordered = np.sort(values[~np.isnan(values)])
    n = len(ordered)
    if not n:
        return UNJUDGED
    low, high, _ = order_ranks(n, share, level)
    value = quantile(ordered, share)
    return Estimate(
        value,
        # Of two values the rank around their p99 is the second, and it lies just below that.
        min(value, float(ordered[low - 1])) if low else None,
        float(ordered[high - 1]) if high <= n else None,
        n,
        method="order statistics",
    )


def samples_to_bound(share: float, level: float = LEVEL) -> int:
    """Samples from which the largest is an upper bound of the quantile, one-sided at `level`."""
    return math.ceil(math.log(1 - level) / math.log(share))


def quantile_draws(left: Floats, right: Floats, share: float, seed: int = 0) -> Floats:
    """A quantile of both sides in 2,000 paired resamples, (2, draws)."""
    n = len(left)
    # In an order of their own, so that the draws do not depend on that of the samples.
    order = np.lexsort((right, left))
    pairs = np.stack([left[order], right[order]])
    random = np.random.default_rng([seed, n])
    draws = []
    step = max(1, CELLS // (2 * n))
    for start in range(0, RESAMPLES, step):
        drawn = pairs[:, random.integers(0, n, (min(step, RESAMPLES - start), n))]
        draws.append(np.quantile(drawn, share, axis=2))
    found: Floats = np.concatenate(draws, axis=1)
    return found
