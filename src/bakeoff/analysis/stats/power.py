"""The smallest effect that a test finds with a given power, by the very test that judges it."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import lru_cache
from typing import Literal

import numpy as np

from bakeoff.analysis.special import betaincinv, binomial_cdf
from bakeoff.analysis.stats.means import GAIN, difference_interval, from_pairs, trials_of
from bakeoff.analysis.stats.significance import ENUMERATED
from bakeoff.analysis.stats.values import (
    ALPHA,
    LEVEL,
    NORMAL,
    RATE,
    Bounds,
    Floats,
    Ints,
    degrees_of,
    judged,
    normal_quantile,
    robust_error,
    sums_of,
    t_quantile_of,
)

POWER = 0.8
MOST_SPREAD = 0.75
"""Where hardly a sample differs, others would: what can be detected is at most doubled for it."""


def power_quantiles(alpha: float, power: float, sides: int) -> float:
    return NORMAL.inv_cdf(1 - alpha / sides) + NORMAL.inv_cdf(power)


def detectable(
    standard_error: float, *, alpha: float = ALPHA, power: float = POWER, sides: int = 2
) -> float:
    """The smallest true effect that a z test finds with `power`: MDE in its textbook form."""
    return power_quantiles(alpha, power, sides) * standard_error


def detectable_gain(
    differences: Floats,
    clusters: Ints | None = None,
    *,
    bounds: Bounds | None = GAIN,
    margin: float = 0.0,
    alpha: float = ALPHA,
    power: float = POWER,
    sides: int = 2,
) -> float:
    """The smallest true distance of the mean below `margin` that `difference_p` finds: MDE.

    At the spread measured; n (this / effect)^2 samples find an effect. 0/1 pairs:
    `detectable_pairs`; over clusters `_agreeing`. Others: the standard error times the quantiles of
    t, which is the power of the t test to within 1%. Infinite where no result of so many clusters
    is significant.
    """
    differences, clusters = judged(differences, clusters)
    if not len(differences):
        return math.inf
    parts, error = robust_error(differences, clusters)
    count = len(parts)
    if math.isinf(error) or (margin == 0 and count < fewest(alpha, sides)):
        return math.inf
    if from_pairs(differences, bounds) and (clusters is None or not error):
        share = float(np.abs(differences).mean()) if clusters is None else 0.0
        return detectable_pairs(count, share, margin=margin, alpha=alpha, power=power, sides=sides)
    if error == 0:
        # Pairs that are all alike do not prove that the next one is.
        low, high = difference_interval(differences, clusters, bounds=bounds).ends
        error = (high - low) / (2 * normal_quantile(LEVEL))
    tail, agreeing = alpha / sides, 0.0
    if margin == 0 and count <= ENUMERATED:
        # The largest p below it that so many flips can give; the least is of clusters that agree.
        hits = math.ceil(tail * 2**count) - 1
        tail = hits / 2**count
        agreeing = math.sqrt(count) * NORMAL.inv_cdf(power ** (1 / count)) if hits == 1 else 0.0
    degrees = degrees_of(differences, clusters)
    critical = t_quantile_of(1 - 2 * tail, degrees)
    quantiles = critical + t_quantile_of(2 * power - 1, degrees)
    # A standard deviation of few values is too small on average, by about this (Holtzman 1950).
    effect = error * max(quantiles, agreeing) * (1 + 1 / (4 * degrees))
    if margin:
        return _possible(effect, margin, bounds)
    if from_pairs(differences, bounds):
        return _agreeing(effect, differences)
    # An effect that only those bring that differ at all makes them spread further.
    differing = max(1, int(np.count_nonzero(sums_of(np.abs(differences), clusters)[0])))
    spread = critical**2 * (1 / differing - 1 / count)
    return _possible(effect / math.sqrt(1 - min(spread, MOST_SPREAD)), margin, bounds)


def _agreeing(effect: float, pairs: Floats) -> float:
    """The effect on 0/1 pairs over clusters: the more of them agree, the less they spread.

    Of a share d that differ the variance is d - effect^2, times what clusters make of it, and d is
    the effect at least (as `detectable_pairs` has it, after Connor 1987).
    """
    odds = effect**2 / float(np.var(pairs))
    share = odds / (1 + odds)
    return math.sqrt(share * max(share, float(np.abs(pairs).mean())))


def _possible(effect: float, margin: float, bounds: Bounds | None) -> float:
    """The effect, infinite where no mean within the bounds can be so far from the margin."""
    if bounds and effect > max(margin - bounds[0], bounds[1] - margin):
        return math.inf
    return effect


def fewest(alpha: float = ALPHA, sides: int = 2) -> int:
    """Pairs, or clusters, that must differ, all one way, for a sign-flip p below `alpha`."""
    return math.floor(-math.log2(alpha / sides)) + 1


@lru_cache(maxsize=10_000)
def detectable_pairs(
    n: int,
    discordance: float,
    *,
    margin: float = 0.0,
    alpha: float = ALPHA,
    power: float = POWER,
    sides: int = 2,
) -> float:
    """The MDE of n 0/1 pairs of which a share of `discordance` differ, or more where it must.

    At a margin of 0 by McNemar's exact test: the root of the number of discordant pairs in its
    statistic varies with the wins, so the variance of Connor (1987, Biometrics 43:207) is
    expanded around both; its steps cost half of one, and where all that differ are wins the
    binomial is exact. Elsewhere by Tango's score test, with the variances of the margin and of
    the effect. The power is then 79 to 82% of the 80% asked for, from 20 pairs on.
    """
    critical, reach = NORMAL.inv_cdf(1 - alpha / sides), NORMAL.inv_cdf(power)
    least = fewest(alpha, sides)

    def missing(effect: float) -> float:
        """How far the statistic is from being found with `power`, from 1 down to below 0."""
        if margin:
            share = max(discordance, abs(margin - effect), abs(margin))
            spread = math.sqrt(max(0.0, share - margin**2)) * critical
            spread += math.sqrt(max(0.0, share - (margin - effect) ** 2)) * reach
            return spread / math.sqrt(n) - effect
        share = max(discordance, effect)
        wins = effect / share
        error = math.sqrt(max(0.0, 1 - wins**2 * (3 + share) / 4))
        return (critical + reach * error) * math.sqrt(share / n) + 1 / n - effect

    if margin:
        return _root(missing)
    if n < least:
        return math.inf
    return max(_root(missing), betaincinv(least, n - least + 1, power))


def _root(falling: Callable[[float], float]) -> float:
    """Where it becomes negative between 0 and 1; infinite where it never does."""
    low, high = 0.0, 1.0
    if falling(high) > 0:
        return math.inf
    for _ in range(40):
        middle = (low + high) / 2
        low, high = (middle, high) if falling(middle) > 0 else (low, middle)
    return high


def detectable_rate(
    values: Floats,
    clusters: Ints | None,
    limit: float,
    alternative: Literal["less", "greater"],
    *,
    alpha: float = ALPHA,
    power: float = POWER,
) -> float:
    """The smallest true distance of a rate from `limit` that `rate_p` finds: MDE.

    Exact for independent samples, from the binomial; on the effective number over clusters.
    """
    values, clusters = judged(values, clusters, RATE)
    n, share = len(values), float(values.mean()) if len(values) else 0.0
    if clusters is None:
        return detectable_trials(n, limit, alternative, alpha=alpha, power=power)
    trials = trials_of(values, clusters, share * (1 - share), LEVEL, float(n))
    return detectable_trials(trials, limit, alternative, alpha=alpha, power=power)


def detectable_trials(
    trials: float,
    limit: float,
    alternative: Literal["less", "greater"] = "less",
    *,
    alpha: float = ALPHA,
    power: float = POWER,
) -> float:
    """The MDE of a rate on so many trials; infinite where no number of hits is significant."""
    bound = limit if alternative == "less" else 1 - limit
    if not trials or not 0 < bound <= 1 or binomial_cdf(0, trials, bound) >= alpha:
        return math.inf
    low, high = 0.0, trials
    while high - low > (1e-6 if trials % 1 else 0.5):
        middle = (low + high) / 2 if trials % 1 else (low + high) // 2
        if middle in (low, high):
            break
        low, high = (middle, high) if binomial_cdf(middle, trials, bound) < alpha else (low, middle)
    return bound - (1 - betaincinv(trials - low, low + 1, power))
