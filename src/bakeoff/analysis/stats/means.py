"""Intervals of a mean, and of a mean of paired differences."""

from __future__ import annotations

import math

import numpy as np

from bakeoff.analysis.stats.rates import clopper_pearson, mid_p, tango, wilson
from bakeoff.analysis.stats.values import (
    LEVEL,
    UNJUDGED,
    Bounds,
    Floats,
    Ints,
    degrees_of,
    error_of,
    flat,
    judged,
    no_spread,
    normal_quantile,
    parts_of,
    robust_error,
    standard_error,
    t_quantile_of,
    win_tie_loss,
)
from bakeoff.core.estimate import Estimate

GAIN: Bounds = (-1.0, 1.0)
FEW_TRIALS = 50
"""Below this Wilson's interval covers a rare event in as few as 91% of runs."""
FEW_HITS = 5
"""With fewer hits, or misses, it covers one in as few as 84%, whatever the number of trials.

Clopper and Pearson's then makes the lowest cell 92.7% from 50 samples on.
"""


def t_interval(
    values: Floats,
    clusters: Ints | None = None,
    level: float = LEVEL,
    degrees: float | None = None,
) -> Estimate:
    """The mean with Student's t interval, on `degrees_of` it.

    `degrees` replaces the degrees of freedom; infinite makes it the normal interval.
    """
    values, clusters = judged(values, clusters)
    if not len(values):
        return UNJUDGED
    parts = parts_of(values, clusters)
    known = degrees_of(values, clusters) if degrees is None else degrees
    half = t_quantile_of(level, known) * error_of(parts)
    mean = float(values.mean())
    return Estimate.of(mean, mean - half, mean + half, "t")


def mean_interval(
    values: Floats,
    clusters: Ints | None = None,
    *,
    bounds: Bounds | None = None,
    level: float = LEVEL,
    exact: bool = False,
) -> Estimate:
    """The mean of the judged values with the interval that fits them.

    With bounds, Wilson's interval on the effective number of trials: that which makes the
    variance of a rate the (cluster-robust) variance seen, after Korn and Graubard (1998). For
    0/1 values without clusters that is Wilson's interval itself; mid-p below 50 samples, and from
    50 on Clopper and Pearson's for fewer than 5 hits or misses.
    `exact` (error and safety rates) takes Clopper and Pearson's instead. Without bounds,
    `skewed_t`. Values that are all equal get an interval from their number alone.
    """
    values, clusters = judged(values, clusters, bounds)
    if not len(values):
        return UNJUDGED.within(bounds)
    mean = float(values.mean())
    if bounds is None:
        return skewed_t(values, clusters, level=level)
    low, high = bounds
    share = min(1.0, max(0.0, (mean - low) / (high - low)))
    n = len(values)
    binary = bool(np.isin(values, bounds).all())
    word = "" if clusters is None else "clustered "
    if not binary and flat(values):
        return no_spread(mean, len(parts_of(values, clusters)), level, bounds)
    spread = share * (1 - share) * (high - low) ** 2
    # Beyond 1e8 the beta quantiles are no longer found, and the interval is 0.0002 wide.
    trials = float(n) if binary else trials_of(values, None, spread, level, 1e8)
    if clusters is not None:
        trials = trials_of(values, clusters, spread, level, trials)
    elif not binary:
        word = "effective "
    method, rule = "wilson", wilson
    few_hits = not word and n >= FEW_TRIALS and min(share, 1 - share) * n < FEW_HITS
    if exact or few_hits:
        method, rule = "clopper-pearson", clopper_pearson
    elif not word and n < FEW_TRIALS:
        method, rule = "mid-p", mid_p
    ends = rule(share * trials, trials, level)
    scaled = [low + end * (high - low) for end in ends]
    return Estimate.of(mean, min(scaled[0], mean), max(scaled[1], mean), word + method)


def trials_of(
    values: Floats, clusters: Ints | None, spread: float, level: float, most: float
) -> float:
    """Independent 0/1 trials that would know the mean as well; `spread` is their variance.

    Fewer by the square of t over z, as the variance is estimated; at most `most`, as clusters
    never narrow an interval: with few of them, a negative correlation inside is noise. Where
    every value is at one end nothing is known of clusters: each counts as one trial.
    """
    parts = parts_of(values, clusters)
    count, error = len(parts), error_of(parts)
    if spread <= 0 or math.isinf(error):
        return float(count)
    if error == 0:
        return most
    return min(most, max(1.0, spread / error**2 * narrowed(degrees_of(values, clusters), level)))


def narrowed(degrees: float, level: float) -> float:
    """The share of trials that is left as their variance is estimated: z over t, squared."""
    return (normal_quantile(level) / t_quantile_of(level, degrees)) ** 2


def skewed_t(
    values: Floats,
    clusters: Ints | None = None,
    *,
    bounds: Bounds | None = None,
    level: float = LEVEL,
) -> Estimate:
    """The mean with a t interval made longer, never shorter, on the side of the long tail.

    The ends are the outer ones of Student's t and of Hall's cubic transformation of it (Hall
    1992). As good as the bootstrap-t that the transformation stands for, without its seed; the
    shorter side is not taken, as the skewness of few values is mostly noise.
    """
    values, clusters = judged(values, clusters, bounds)
    if not len(values):
        return UNJUDGED.within(bounds)
    mean = float(values.mean())
    if flat(values):
        return no_spread(mean, len(parts_of(values, clusters)), level, bounds)
    parts, error = robust_error(values, clusters)
    low, high = _skewed_ends(parts, error, degrees_of(values, clusters), level)
    word = "" if clusters is None else "clustered "
    return Estimate.of(mean, mean + low, mean + high, f"{word}skewed t").within(bounds)


def _skewness(parts: Floats) -> float:
    centred = parts - parts.mean()
    spread = float(np.mean(centred**2))
    return float(np.mean(centred**3)) / spread**1.5 if spread > 0 else 0.0


def _bend(parts: Floats) -> float:
    """Skewness over the root of the number."""
    return _skewness(parts) / math.sqrt(len(parts))


def bent(t: float, parts: Floats) -> float:
    """Hall's transformation of a t statistic: nearly symmetric where the values are skewed."""
    bend = _bend(parts)
    return t + bend * t**2 / 3 + bend**2 * t**3 / 27 + bend / 6


def _unbent(t: float, bend: float) -> float:
    if abs(bend) < 1e-9:
        return t
    return 3 / bend * (math.cbrt(1 + bend * (t - bend / 6)) - 1)


def _skewed_ends(parts: Floats, error: float, degrees: float, level: float) -> Bounds:
    """The ends of the interval, less the mean."""
    if math.isinf(error):
        return -math.inf, math.inf
    quantile, bend = t_quantile_of(level, degrees), _bend(parts)
    low, high = _unbent(quantile, bend), -_unbent(-quantile, bend)
    return -max(quantile, low) * error, max(quantile, high) * error


def difference_interval(
    differences: Floats,
    clusters: Ints | None = None,
    *,
    bounds: Bounds | None = GAIN,
    level: float = LEVEL,
) -> Estimate:
    """The mean of paired differences with the interval that fits them.

    Differences of 0/1 values (-1, 0, 1 within those bounds): Tango's score interval; over
    clusters on the effective number of pairs. Others: `skewed_t`, cut to the bounds.
    """
    differences, clusters = judged(differences, clusters, bounds)
    if not len(differences):
        return UNJUDGED.within(bounds)
    if not from_pairs(differences, bounds):
        return skewed_t(differences, clusters, bounds=bounds, level=level)
    wins, _, losses = win_tie_loss(differences)
    mean, n = float(differences.mean()), len(differences)
    if clusters is None:
        return Estimate.of(mean, *tango(wins, losses, n, level), "tango")
    ratio, count = pairs_ratio(differences, clusters)
    if count < 2:
        return Estimate.of(mean, *GAIN, "clustered tango")
    # The score grows with the root of the counts: the quantile of t is taken by fewer of them.
    left = narrowed(degrees_of(differences, clusters), level)
    share = min(1.0, ratio * left) if ratio else count / n
    low, high = tango(wins * share, losses * share, n * share, level)
    return Estimate.of(mean, low, high, "clustered tango")


def from_pairs(differences: Floats, bounds: Bounds | None) -> bool:
    return bounds == GAIN and bool(np.isin(differences, (-1.0, 0.0, 1.0)).all())


def pairs_ratio(differences: Floats, clusters: Ints) -> tuple[float, int]:
    """The variance of the mean of independent pairs over that of clusters; their number.

    0 where all pairs are alike, so that nothing is known of clusters; infinite where the clusters
    cancel out.
    """
    count, independent = len(parts_of(differences, clusters)), float(np.var(differences))
    error = standard_error(differences, clusters)
    if not independent or not error:
        return (math.inf if independent else 0.0), count
    return independent / len(differences) / error**2, count
