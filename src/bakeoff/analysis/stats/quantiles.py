"""Quantiles and their intervals."""

from __future__ import annotations

import math
from bisect import bisect_left

import numpy as np

from bakeoff.analysis.special import betainc, t_cdf
from bakeoff.analysis.stats.means import trials_of
from bakeoff.analysis.stats.values import (
    LEVEL,
    UNJUDGED,
    Floats,
    Ints,
    judged,
    t_quantile_of,
)
from bakeoff.core.estimate import Estimate

RESAMPLES = 2000
CELLS = 4_000_000
"""Numbers held at once while resampling: 32 MB."""


def up_to(count: int, n: int, share: float, trials: float) -> float:
    """The chance that at most `count` of n values lie below a quantile of which `share` does.

    Binomial. Over clusters as many `trials` as are effective, on the steps of n values: half of
    one above the count (the continuity correction), and the binomial itself where all are.
    """
    if count >= n:
        return 1.0
    hits = (count + 0.5) * trials / n - 0.5
    return betainc(trials - hits, hits + 1, 1 - share)


def order_ranks(
    n: int, share: float, level: float = LEVEL, trials: float | None = None
) -> tuple[int, int, float]:
    """The ranks, from 1, between which the quantile lies, and how surely (Conover 1999).

    Rank 0 and rank n + 1 do not exist: the sample is too small for a bound on that side.
    """

    def below(count: int) -> float:
        return up_to(count, n, share, n if trials is None else trials)

    tail = (1 - level) / 2
    low = bisect_left(range(n + 1), tail, key=below)
    last = bisect_left(range(n), 1 - tail, key=below)
    return low, last + 1, below(last) - (below(low - 1) if low else 0.0)


def quantile(values: Floats, share: float) -> float:
    """The quantile of a sample, interpolated between the two values around it.

    The only definition here, numpy's default (type 7 of Hyndman and Fan 1996): 0.5 gives the usual
    median, and it lies between the order statistics that bound the quantile.
    """
    return float(np.quantile(values, share))


def quantile_interval(
    values: Floats, share: float, clusters: Ints | None = None, *, level: float = LEVEL
) -> Estimate:
    """A quantile with its order-statistic interval (Conover 1999, section 3.2).

    Over clusters on the effective number of samples: the share below the true quantile is
    known, so what varies is how many values lie there (Woodruff 1952, JASA 47:635), with the
    skewness of a binomial and not that of an interval of an unknown share.
    """
    values, clusters = judged(values, clusters)
    ordered = np.sort(values)
    n = len(ordered)
    if not n:
        return UNJUDGED
    low, high = 0, n + 1
    if clusters is None or len(np.unique(clusters)) > 1:
        low, high, _ = order_ranks(
            n, share, level, effective_trials(values, share, clusters, level)
        )
    value = quantile(ordered, share)
    return Estimate(
        value,
        # Of two values the rank around their p99 is the second, and it lies just below that.
        min(value, float(ordered[low - 1])) if low else None,
        float(ordered[high - 1]) if high <= n else None,
        n,
        method="order statistics" if clusters is None else "clustered order statistics",
    )


def effective_trials(
    values: Floats, share: float, clusters: Ints | None, level: float = LEVEL
) -> float:
    """Independent samples that would place the quantile as well; the number without clusters."""
    n = float(len(values))
    if clusters is None:
        return n
    # Below the quantile or between the two values around it, as one of them may be infinite.
    below = (values <= np.sort(values)[math.floor((len(values) - 1) * share)]).astype(np.float64)
    rate = float(below.mean())
    return trials_of(below, clusters, rate * (1 - rate), level, n)


def samples_to_bound(share: float, level: float = LEVEL) -> int:
    """Samples from which the largest is an upper bound of the quantile, one-sided at `level`."""
    return math.ceil(math.log(1 - level) / math.log(share))


def quantile_draws(
    left: Floats, right: Floats, share: float, clusters: Ints | None = None, seed: int = 0
) -> Floats:
    """A quantile of both sides in 2,000 paired resamples, of whole clusters, (2, draws)."""
    if clusters is not None:
        return _clustered_draws(np.stack([left, right]), share, clusters, seed)
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
    quantiles: Floats = np.concatenate(draws, axis=1)
    return quantiles


def _clustered_draws(sides: Floats, share: float, clusters: Ints, seed: int) -> Floats:
    n = sides.shape[1]
    # Clusters by what is in them, so that the draws depend neither on names nor on order.
    order = np.lexsort((*sides[::-1], clusters))
    starts = np.flatnonzero(np.diff(clusters[order], prepend=-1))
    groups = np.split(order, starts[1:])
    ranked = sorted(range(len(groups)), key=lambda g: sides[:, groups[g]].T.tolist())
    place = np.empty(n, dtype=np.int64)
    for rank, group in enumerate(ranked):
        place[groups[group]] = rank
    count = len(groups)
    random = np.random.default_rng([seed, count])
    step = max(1, CELLS // (2 * n))
    draws = []
    for start in range(0, RESAMPLES, step):
        times = random.multinomial(count, np.full(count, 1 / count), min(step, RESAMPLES - start))
        draws.append([_weighted(side, place, times, share) for side in sides])
    quantiles: Floats = np.concatenate(draws, axis=1)
    return quantiles


def _weighted(values: Floats, place: Ints, times: Ints, share: float) -> Floats:
    """`quantile` in each draw, of values that occur as often as their cluster was drawn."""
    order = np.argsort(values, kind="stable")
    upto = np.cumsum(times[:, place[order]], axis=1)
    at = (upto[:, -1] - 1) * share
    lower = np.floor(at)
    ends = [
        values[order][(upto <= rank[:, None]).sum(axis=1)]
        for rank in (lower, np.minimum(lower + 1, upto[:, -1] - 1))
    ]
    quantiles: Floats = ends[0] + (at - lower) * (ends[1] - ends[0])
    return quantiles


def draws_interval(
    value: float, draws: Floats, count: int | None, level: float = LEVEL
) -> tuple[float, float]:
    """The percentile interval of a bootstrap; over `count` clusters t times its standard error.

    Percentiles of few clusters lie too close together (Cameron, Gelbach and Miller 2008, Review
    of Economics and Statistics 90:414, on the bootstrap's standard error with t).
    """
    if count is None:
        low, high = np.quantile(draws, [(1 - level) / 2, (1 + level) / 2])
        return float(low), float(high)
    half = t_quantile_of(level, count - 1) * _draws_error(draws, count)
    return value - half, value + half


def draws_p(value: float, draws: Floats, count: int | None) -> float:
    """The one-sided p of "at least 0" that belongs to that interval."""
    if count is None:
        return float((1 + np.sum(draws >= 0)) / (1 + len(draws)))
    error = _draws_error(draws, count)
    if not error:
        return float(value >= 0)
    return t_cdf(count - 1, value / error)


def _draws_error(draws: Floats, count: int) -> float:
    return float(draws.std()) * math.sqrt(count / (count - 1))
