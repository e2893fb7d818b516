"""Rivals of the statistics that bakeoff uses, for studies and tests: what others print."""

from __future__ import annotations

import math
from typing import Literal

import numpy as np

from bakeoff.analysis.special import betainc, betaincinv
from bakeoff.analysis.stats.jackknife import Statistic, by_cluster, without_each
from bakeoff.analysis.stats.means import t_interval
from bakeoff.analysis.stats.power import POWER, power_quantiles
from bakeoff.analysis.stats.quantiles import CELLS, RESAMPLES, quantile, quantile_draws
from bakeoff.analysis.stats.rates import wilson
from bakeoff.analysis.stats.values import (
    ALPHA,
    LEVEL,
    NORMAL,
    UNJUDGED,
    Bounds,
    Floats,
    Ints,
    normal_quantile,
    standard_error,
)
from bakeoff.core.estimate import Estimate


def wald(hits: float, n: float, level: float = LEVEL) -> Bounds:
    """The textbook interval, to show what others print; 20 of 20 gives (1, 1)."""
    rate = hits / n
    half = normal_quantile(level) * math.sqrt(rate * (1 - rate) / n)
    return max(0.0, rate - half), min(1.0, rate + half)


def agresti_coull(hits: float, n: float, level: float = LEVEL) -> Bounds:
    """The "add two successes and two failures" interval (Agresti and Coull 1998)."""
    z = normal_quantile(level)
    total = n + z**2
    rate = (hits + z**2 / 2) / total
    half = z * math.sqrt(rate * (1 - rate) / total)
    return max(0.0, rate - half), min(1.0, rate + half)


def credible(hits: float, n: float, prior: float = 0.5, level: float = LEVEL) -> Bounds:
    """The equal-tailed posterior interval under Beta(prior, prior); 0.5 is Jeffreys' prior."""
    shape = hits + prior, n - hits + prior
    return betaincinv(*shape, (1 - level) / 2), betaincinv(*shape, (1 + level) / 2)


def newcombe(
    both: float, wins: float, losses: float, neither: float, level: float = LEVEL
) -> Bounds:
    """Newcombe's square-and-add interval of a paired difference of rates (1998, method 10)."""
    n = both + wins + losses + neither
    left, right = (both + wins) / n, (both + losses) / n
    (low_left, high_left), (low_right, high_right) = (
        wilson(both + wins, n, level),
        wilson(both + losses, n, level),
    )
    product = both * neither - wins * losses
    product = max(product - n / 2, 0.0) if product > 0 else product
    scale = (both + wins) * (losses + neither) * (both + losses) * (wins + neither)
    phi = product / math.sqrt(scale) if scale > 0 else 0.0

    def added(a: float, b: float) -> float:
        return math.sqrt(max(0.0, a**2 - 2 * phi * a * b + b**2))

    difference = left - right
    return (
        difference - added(left - low_left, high_right - right),
        difference + added(right - low_right, high_left - left),
    )


def unpaired_p(left: Floats, right: Floats) -> float:
    """The two-sided z test that forgets the pairing, to show what others print."""
    error = math.hypot(standard_error(left), standard_error(right))
    gap = abs(float(left.mean() - right.mean()))
    return 2 * NORMAL.cdf(-gap / error) if error else float(gap == 0)


def samples_needed(
    effect: float, variance: float, *, alpha: float = ALPHA, power: float = POWER, sides: int = 2
) -> int:
    """Samples for which `effect` is detectable; `variance` is that of one paired difference.

    For 0/1 values the variance is the discordance less the effect squared; with K answers per
    sample, that between samples plus 1/K of that within on both sides (Miller 2024, eq. 9).
    """
    return math.ceil(power_quantiles(alpha, power, sides) ** 2 * variance / effect**2)


def fewest_discordant(alpha: float = ALPHA) -> int:
    """Discordant pairs below which even a sweep is no evidence, one-sided at `alpha`."""
    return math.ceil(-math.log2(alpha) - 1e-12)


def paired_power(
    n: int, discordance: float, difference: float, *, margin: float = 0.0, alpha: float = ALPHA
) -> float:
    """How often 0/1 pairs with a true `difference` are found to be below `margin`, one-sided.

    `discordance` is the share of the pairs that differ. At a margin of 0 by the sign test,
    summed over all outcomes; else by Tango's score test in its normal approximation.
    """
    if not abs(difference) <= discordance <= 1:
        raise ValueError(f"a difference of {difference} needs a discordance of at least that")
    if margin == 0:
        return _sign_test_power(n, discordance, (discordance - difference) / 2, alpha)
    critical = NORMAL.inv_cdf(1 - alpha) * math.sqrt(max(discordance - margin**2, 0.0))
    spread = math.sqrt(discordance - difference**2)
    reach = (margin - difference) * math.sqrt(n) - critical
    return NORMAL.cdf(reach / spread) if spread else float(reach > 0)


def _sign_test_power(n: int, discordance: float, losing: float, alpha: float) -> float:
    if not discordance:
        return 0.0
    found = np.array(_sign_tests(n, 1 - losing / discordance, alpha))
    if discordance == 1:
        return float(found[-1])
    logs = np.array([math.lgamma(k + 1) for k in range(n + 1)])
    pairs = np.arange(1, n + 1)
    ways = logs[n] - logs[pairs] - logs[n - pairs]
    chances = ways + pairs * math.log(discordance) + (n - pairs) * math.log1p(-discordance)
    return float(np.exp(chances) @ found)


def _sign_tests(n: int, winning: float, alpha: float) -> list[float]:
    """How often the sign test says "worse" of 1 to `n` pairs that differ.

    Step by step: with one pair more, the most wins that say so are as many, or one more.
    """
    rates = (0.5, min(winning, 1 - 1e-15))
    most, below, at = -1, [0.0, 0.0], [0.0, 0.0]
    """The most wins that still say "worse"; the chance of at most, and exactly, so many."""
    said = []
    for pairs in range(1, n + 1):
        for k, rate in enumerate(rates if most >= 0 else ()):
            below[k] -= rate * at[k]
            at[k] *= (1 - rate) * pairs / (pairs - most)
        more = [
            at[k] * (pairs - most) / (most + 1) * rate / (1 - rate)
            if most >= 0
            else (1 - rate) ** pairs
            for k, rate in enumerate(rates)
        ]
        if most < pairs and below[0] + more[0] <= alpha:
            most, at = most + 1, more
            below = [chance + each for chance, each in zip(below, more, strict=True)]
        said.append(min(max(below[1], 0.0), 1.0))
    return said


def quantile_ratio(
    left: Floats, right: Floats, share: float = 0.5, *, level: float = LEVEL, seed: int = 0
) -> Estimate:
    """The ratio of two quantiles over the same samples, with a paired bootstrap interval.

    For a latency pass of hundreds of samples: it sorts every resample. Wider than it need be
    where the sides rise and fall together; `mean_ratio` is then the sharper one.
    """
    known = ~np.isnan(left) & ~np.isnan(right)
    left, right = left[known], right[known]
    n = len(left)
    if not n:
        return UNJUDGED
    above, below = quantile_draws(left, right, share, seed=seed)
    low, high = np.quantile(above / below, [(1 - level) / 2, (1 + level) / 2])
    value = quantile(left, share) / quantile(right, share)
    return Estimate.of(value, min(float(low), value), max(float(high), value), "paired bootstrap")


def mean_ratio(
    left: Floats, right: Floats, clusters: Ints | None = None, level: float = LEVEL
) -> Estimate:
    """The geometric mean of paired ratios of positive values, with a t interval of their logs."""
    found = t_interval(np.log(left) - np.log(right), clusters, level)
    if found.value is None:
        return found
    low, high = map(math.exp, found.ends)
    return Estimate.of(math.exp(found.value), low, high, "geometric t")


def mean_of(totals: Floats) -> Floats:
    """The statistic of a mean, over features (value, 1)."""
    mean: Floats = totals[:, 0] / totals[:, 1]
    return mean


def resample(
    features: Floats, statistic: Statistic, clusters: Ints | None = None, *, seed: int = 0
) -> Floats:
    """The statistic of 2,000 samples drawn with replacement, cluster by cluster.

    `features` is (samples, features), without NaN: what the statistic needs the sums of.
    """
    groups = by_cluster(features, clusters)
    # In an order of their own, so that the draws do not depend on that of the samples.
    groups = groups[np.lexsort(groups.T)]
    count = len(groups)
    random = np.random.default_rng([seed, count])
    step = max(1, CELLS // count)
    draws = []
    for start in range(0, RESAMPLES, step):
        size = min(step, RESAMPLES - start)
        drawn = random.integers(0, count, (size, count)) + count * np.arange(size)[:, None]
        weights = np.bincount(drawn.ravel(), minlength=size * count).reshape(size, count)
        draws.append(statistic(weights.astype(np.float64) @ groups))
    return np.concatenate(draws)


def bootstrap_interval(
    features: Floats,
    statistic: Statistic,
    clusters: Ints | None = None,
    *,
    method: Literal["percentile", "bca"] = "bca",
    level: float = LEVEL,
    seed: int = 0,
) -> Estimate:
    """A statistic with its bootstrap interval, from percentiles or BCa (Efron 1987)."""
    value = float(statistic(features.sum(axis=0, keepdims=True))[0])
    groups = by_cluster(features, clusters)
    if len(groups) < 2:
        return Estimate.of(value, -math.inf, math.inf, "one cluster")
    draws = np.sort(resample(features, statistic, clusters, seed=seed))
    tails = [(1 - level) / 2, (1 + level) / 2]
    if method == "bca":
        left_out = without_each(groups, statistic)
        influence = left_out.mean() - left_out
        spread = float(np.sum(influence**2))
        bend = float(np.sum(influence**3)) / (6 * spread**1.5) if spread else 0.0
        below = np.mean(draws < value) + np.mean(draws == value) / 2
        shift = NORMAL.inv_cdf(float(np.clip(below, 1 / RESAMPLES, 1 - 1 / RESAMPLES)))
        tails = [_corrected(NORMAL.inv_cdf(tail), shift, bend) for tail in tails]
    low, high = (float(end) for end in np.quantile(draws, tails))
    word = "" if clusters is None else "clustered "
    return Estimate.of(value, min(low, value), max(high, value), f"{word}{method}")


def _corrected(z: float, shift: float, bend: float) -> float:
    return NORMAL.cdf(shift + (shift + z) / (1 - bend * (shift + z)))


def probability_better(wins: int, losses: int) -> float:
    """The posterior probability that wins are likelier than losses, under a uniform prior."""
    return betainc(losses + 1, wins + 1, 0.5)


def posterior_differences(
    wins: int, losses: int, ties: int, *, draws: int = 100_000, seed: int = 0
) -> Floats:
    """Draws of a paired difference of rates, under a uniform prior on the four cells."""
    shares = np.random.default_rng(seed).dirichlet([wins + 1, losses + 1, ties + 2], draws)
    found: Floats = shares[:, 0] - shares[:, 1]
    return found
