"""Statistics that are no means, by the jackknife over clusters."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from bakeoff.analysis.stats.means import narrowed, skewed_t
from bakeoff.analysis.stats.quantiles import CELLS
from bakeoff.analysis.stats.rates import wilson
from bakeoff.analysis.stats.values import (
    LEVEL,
    Bounds,
    Floats,
    Ints,
    error_of,
    flat,
    no_spread,
    sums_of,
)
from bakeoff.core.estimate import Estimate

Statistic = Callable[[Floats], Floats]
"""An aggregate as a function of summed features, (draws, features) -> (draws,)."""


def by_cluster(features: Floats, clusters: Ints | None) -> Floats:
    if clusters is None:
        return features
    return np.stack([sums_of(column, clusters)[0] for column in features.T], axis=1)


def without_each(groups: Floats, statistic: Statistic) -> Floats:
    """The statistic without each cluster in turn."""
    whole = groups.sum(axis=0)
    step = max(1, CELLS // groups.shape[1])
    return np.concatenate(
        [statistic(whole - groups[start : start + step]) for start in range(0, len(groups), step)]
    )


def pseudo_values(features: Floats, statistic: Statistic, clusters: Ints | None = None) -> Floats:
    """The jackknife's pseudo-values, one for each cluster: their mean has the statistic's error.

    That error is at least the one without clusters: with few of them, a negative correlation
    inside is noise.
    """
    groups = by_cluster(features, clusters)
    value = float(statistic(features.sum(axis=0, keepdims=True))[0])
    left_out = without_each(groups, statistic)
    values: Floats = value + (len(groups) - 1) * (left_out.mean() - left_out)
    if clusters is None or len(groups) < 2:
        return values
    error, least = error_of(values), error_of(pseudo_values(features, statistic))
    return value + (values - value) * (least / error) if 0 < error < least else values


def statistic_interval(
    features: Floats,
    statistic: Statistic,
    clusters: Ints | None = None,
    *,
    bounds: Bounds | None = None,
    level: float = LEVEL,
) -> Estimate:
    """A statistic that is no mean (macro-F1, a ratio of sums) with its interval.

    The error is that of the jackknife's pseudo-values: no seed, and one pass over any number of
    samples. The statistic must be smooth in the sums: no quantile. With bounds, Wilson's
    interval on the effective number of trials, as of a mean within bounds; without, `skewed_t`.
    """
    value = float(statistic(features.sum(axis=0, keepdims=True))[0])
    count = len(features) if clusters is None else len(np.unique(clusters))
    if count < 2:
        return Estimate.of(value, -math.inf, math.inf, "one cluster").within(bounds)
    parts = pseudo_values(features, statistic, clusters)
    word = "" if clusters is None else "clustered "
    if flat(parts):
        return no_spread(value, count, level, bounds)
    if bounds is None:
        ends = skewed_t(parts, level=level).ends
    else:
        low, high = bounds
        share = (value - low) / (high - low)
        trials = share * (1 - share) * ((high - low) / error_of(parts)) ** 2
        trials = max(1.0, trials * narrowed(count - 1, level))
        one, two = wilson(share * trials, trials, level)
        ends = (low + one * (high - low), low + two * (high - low))
    return Estimate.of(value, *ends, f"{word}jackknife").within(bounds)
