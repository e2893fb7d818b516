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
    degrees_of,
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


def _stepped(share: float, trials: float | None) -> bool:
    """Whether a lower end of the quantile is an order statistic itself, none between two.

    Without clusters, as it then holds exactly; and on the side of the tail, where few values say
    how much clusters share.
    """
    return trials is None or share < 0.5


def _lower_end(ordered: Floats, share: float, tail: float, trials: float | None) -> float:
    """What the quantile lies below with a chance of `tail` at most; -inf where nothing is known.

    An order statistic (Conover 1999). Over clusters interpolated between two of them, linearly in
    the chance (Beran and Hall 1993, J. R. Statist. Soc. B 55:643): the chance is then not exact in
    any case, and steps would only lengthen the interval.
    """
    n = len(ordered)

    def below(count: int) -> float:
        return up_to(count, n, share, n if trials is None else trials)

    rank = bisect_left(range(n + 1), tail, key=below)
    if not rank:
        return -math.inf
    end = float(ordered[rank - 1])
    if _stepped(share, trials) or rank == n or not np.isfinite(ordered[rank - 1 : rank + 1]).all():
        return end
    least = below(rank - 1)
    return end + (float(ordered[rank]) - end) * (tail - least) / (below(rank) - least)


def lower_tail(values: Floats, share: float, limit: float, trials: float | None) -> float:
    """The chance at which `_lower_end` is the limit: the p of "the quantile is the limit"."""
    n, upto = len(values), int(np.count_nonzero(values <= limit))
    known = n if trials is None else trials
    p = up_to(upto, n, share, known)
    if _stepped(share, trials) or not 0 < upto < n:
        return p
    start, end = float(values[values <= limit].max()), float(values[values > limit].min())
    if math.isinf(end - start):
        return p
    least = up_to(upto - 1, n, share, known)
    return least + (limit - start) / (end - start) * (p - least)


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
    low, high, value = -math.inf, math.inf, quantile(ordered, share)
    if clusters is None or len(np.unique(clusters)) > 1:
        trials = None if clusters is None else effective_trials(values, share, clusters)
        tail = (1 - level) / 2
        low = _lower_end(ordered, share, tail, trials)
        high = -_lower_end(-ordered[::-1], 1 - share, tail, trials)
    word = "order statistics" if clusters is None else "clustered order statistics"
    # Of two values the rank around their p99 is the second, and it lies just below that.
    return Estimate.of(value, min(value, low), max(value, high), word, n)


def effective_trials(values: Floats, share: float, clusters: Ints | None) -> float:
    """Independent samples that would place the quantile as well; the number without clusters."""
    n = float(len(values))
    if clusters is None:
        return n
    below = _below(values, share)
    rate = float(below.mean())
    return trials_of(below, clusters, rate * (1 - rate), LEVEL, n)


def _below(values: Floats, share: float) -> Floats:
    """1 where a value lies below the quantile or between the two values around it."""
    # Not at the quantile itself, as one of the two may be infinite.
    below: Floats = (values <= np.sort(values)[math.floor((len(values) - 1) * share)]) * 1.0
    return below


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


def gap_degrees(left: Floats, right: Floats, share: float, clusters: Ints | None) -> float | None:
    """Degrees of freedom of the error of a gap of quantiles; `None` without clusters.

    Those of the mean difference of what lies below either quantile, of which the gap is to first
    order a multiple (Bahadur 1966, Ann. Math. Statist. 37:577).
    """
    if clusters is None:
        return None
    return degrees_of(_below(left, share) - _below(right, share), clusters)


def draws_interval(
    value: float, draws: Floats, degrees: float | None, level: float = LEVEL
) -> tuple[float, float]:
    """The percentile interval of a bootstrap; over clusters t times its standard error.

    Percentiles of few clusters lie too close together (Cameron, Gelbach and Miller 2008, Review
    of Economics and Statistics 90:414, on the bootstrap's standard error with t). `degrees` are
    those of t: `gap_degrees`.
    """
    if degrees is None:
        low, high = np.quantile(draws, [(1 - level) / 2, (1 + level) / 2])
        return float(low), float(high)
    half = t_quantile_of(level, degrees) * _draws_error(draws, degrees)
    return value - half, value + half


def draws_p(value: float, draws: Floats, degrees: float | None) -> float:
    """The one-sided p of "at least 0" that belongs to that interval."""
    if degrees is None:
        return float((1 + np.sum(draws >= 0)) / (1 + len(draws)))
    error = _draws_error(draws, degrees)
    if not error:
        return float(value >= 0)
    return t_cdf(degrees, value / error)


def _draws_error(draws: Floats, degrees: float) -> float:
    """Of as many clusters as there are degrees of freedom and one: the large ones decide."""
    return float(draws.std()) * math.sqrt((degrees + 1) / degrees)
