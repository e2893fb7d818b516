"""Several answers to one sample: variance, disagreement, pass@k and pass^k."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from bakeoff.analysis.stats.values import Floats, Ints


@dataclass(frozen=True)
class Split:
    """The variance of a metric asked several times of each sample, taken apart."""

    between: float
    """Of the samples' true means; 0 where the data show less than none."""
    within: float
    """Of the answers to one sample: decoding and the machine."""

    @property
    def correlation(self) -> float:
        """The share of the samples in the whole (ICC 1); NaN when nothing varies."""
        whole = self.between + self.within
        return self.between / whole if whole else math.nan

    def standard_error(self, samples: int, repeats: int) -> float:
        """That of the mean of so many samples, each asked so often."""
        return math.sqrt((self.between + self.within / repeats) / samples)


def variance_split(values: Floats) -> Split:
    """Between- and within-sample variance of (samples, repeats), by one-way analysis of variance.

    NaN where an answer is missing. `within` is NaN when no sample was asked twice.
    """
    counts = np.count_nonzero(~np.isnan(values), axis=1)
    values, counts = values[counts > 0], counts[counts > 0]
    sums = np.nansum(values, axis=1)
    means = sums / counts
    groups, total = len(counts), int(counts.sum())
    if total == groups:
        return Split(float(means.var(ddof=1)) if groups > 1 else math.nan, math.nan)
    within = float(np.nansum((values - means[:, None]) ** 2)) / (total - groups)
    if groups < 2:
        return Split(math.nan, within)
    spread = float(counts @ (means - sums.sum() / total) ** 2) / (groups - 1)
    typical = (total - float(counts @ counts) / total) / (groups - 1)
    return Split(max(0.0, (spread - within) / typical), within)


def disagreement(values: Floats) -> float:
    """How often two answers to one sample score differently, of (samples, repeats); NaN missing."""
    unequal, pairs = np.zeros(len(values)), np.zeros(len(values))
    for i in range(values.shape[1]):
        for j in range(i):
            both = ~np.isnan(values[:, i]) & ~np.isnan(values[:, j])
            pairs += both
            unequal += both & (values[:, i] != values[:, j])
    known = pairs > 0
    return float(np.mean(unequal[known] / pairs[known])) if known.any() else math.nan


def flips(values: Floats) -> float:
    """Share of samples whose answers do not all score the same, of those with two or more.

    Of (samples, repeats); NaN missing.
    """
    asked = values[np.count_nonzero(~np.isnan(values), axis=1) > 1]
    if not len(asked):
        return math.nan
    return float(np.mean(np.nanmin(asked, axis=1) != np.nanmax(asked, axis=1)))


def pass_at(hits: Ints, trials: Ints, k: int) -> Floats:
    """pass@k of each sample: that one of `k` answers is right, unbiased (Chen et al. 2021).

    NaN where a sample has fewer than `k` answers.
    """
    return 1 - pass_hat(np.asarray(trials) - np.asarray(hits), trials, k)


def pass_hat(hits: Ints, trials: Ints, k: int) -> Floats:
    """pass^k of each sample: that all of `k` answers are right, unbiased; NaN below `k` answers."""
    hits, trials = np.asarray(hits), np.asarray(trials)
    chances = np.where(trials >= k, 1.0, np.nan)
    for i in range(k):
        chances *= np.maximum(hits - i, 0) / np.maximum(trials - i, 1)
    return chances
