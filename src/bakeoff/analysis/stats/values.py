"""Values over samples and clusters: what is judged, what clusters add, the standard error."""

from __future__ import annotations

import math
from collections.abc import Sequence
from statistics import NormalDist

import numpy as np
import numpy.typing as npt

from bakeoff.analysis.special import t_cdf, t_quantile
from bakeoff.core.estimate import ALPHA as ALPHA
from bakeoff.core.estimate import Estimate

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Bounds = tuple[float, float]
"""The smallest and the largest value that can occur at all."""
LEVEL = 0.95
RATE: Bounds = (0.0, 1.0)
NORMAL = NormalDist()
UNJUDGED = Estimate(method="nothing judged")


def normal_quantile(level: float) -> float:
    return NORMAL.inv_cdf((1 + level) / 2)


def t_quantile_of(level: float, degrees: float) -> float:
    """The two-sided quantile of Student's t; of the normal above 10,000 degrees of freedom."""
    if degrees < 1:
        return math.inf
    if degrees > 10_000:
        return normal_quantile(level)
    return t_quantile(degrees, (1 + level) / 2)


def cluster_codes(names: Sequence[str]) -> Ints:
    """Cluster names as whole numbers, the same in every process."""
    return np.unique(np.asarray(names), return_inverse=True)[1].astype(np.int64)


def judged(
    values: Floats, clusters: Ints | None, bounds: Bounds | None = None
) -> tuple[Floats, Ints | None]:
    """Without the unjudged, and without clusters where every sample is its own.

    Raises `ValueError` for a value that cannot occur.
    """
    if bounds and (np.any(values < bounds[0]) or np.any(values > bounds[1])):
        raise ValueError(f"a value outside {bounds}")
    known = ~np.isnan(values)
    if not known.all():
        values, clusters = values[known], clusters[known] if clusters is not None else None
    if clusters is not None and (not len(clusters) or np.bincount(clusters).max() == 1):
        clusters = None
    return values, clusters


def sums_of(values: Floats, clusters: Ints | None) -> tuple[Floats, Floats]:
    """Sums and sizes by cluster, empty clusters left out."""
    if clusters is None:
        return values, np.ones(len(values))
    sizes = np.bincount(clusters).astype(np.float64)
    sums: Floats = np.bincount(clusters, weights=values).astype(np.float64)
    return sums[sizes > 0], sizes[sizes > 0]


def parts_of(values: Floats, clusters: Ints | None) -> Floats:
    """What each cluster adds to the mean: values whose mean is the mean, and their t its test.

    Their standard error is the cluster-robust one of statsmodels and inspect, times
    sqrt(G / (G - 1)) of Miller's (2024), which is too small when clusters are few.
    """
    if clusters is None:
        return values
    sums, sizes = sums_of(values, clusters)
    mean = float(values.mean())
    return mean + (sums - mean * sizes) * (len(sums) / len(values))


def error_of(parts: Floats) -> float:
    if len(parts) < 2:
        return math.inf
    return float(parts.std(ddof=1)) / math.sqrt(len(parts))


def degrees_of(values: Floats, clusters: Ints | None) -> float:
    """Degrees of freedom of the error of a mean: samples less one, over clusters Satterthwaite's.

    After Bell and McCaffrey (2002), with the correlation inside of clusters that the values have
    (Imbens and Kolesar 2016): the number of clusters less one where all are of one size, and
    fewer the more their sizes differ, as the large ones then decide the variance.
    """
    if clusters is None:
        return len(values) - 1
    sums, sizes = sums_of(values, clusters)
    n, square = len(values), float(sizes @ sizes)
    if len(sizes) < 2:
        return 0.0
    # Variances of the sums, and trace and squared trace of the residuals' covariance.
    of = sizes * (1 + (sizes - 1) * _shared(values, sums, sizes))
    all_, mixed, own = float(of.sum()), float(sizes @ of), float(of @ of)
    trace = all_ - 2 * mixed / n + square * all_ / n**2
    squared = (
        own
        - 4 * float(sizes @ of**2) / n
        + 2 * (all_ * float(of @ sizes**2) + mixed**2 + square * own) / n**2
        - 4 * all_ * mixed * square / n**3
        + (all_ * square) ** 2 / n**4
    )
    # Two clusters have one, but for a rounding error.
    return max(1.0, trace**2 / squared)


def _shared(values: Floats, sums: Floats, sizes: Floats) -> float:
    """The intraclass correlation by the analysis of variance, from 0 to 1."""
    n, count = len(values), len(sizes)
    mean = float(values.mean())
    between = float(np.sum((sums - sizes * mean) ** 2 / sizes))
    inside = (float(np.sum((values - mean) ** 2)) - between) / max(1, n - count)
    between /= count - 1
    whole = between + ((n - float(sizes @ sizes) / n) / (count - 1) - 1) * inside
    return min(1.0, max(0.0, (between - inside) / whole)) if whole > 0 else 0.0


def standard_error(values: Floats, clusters: Ints | None = None) -> float:
    """The standard error of the mean, cluster-robust where clusters are given.

    Infinite when a single value, or a single cluster, has been judged.
    """
    return error_of(parts_of(*judged(values, clusters)))


def flat(values: Floats) -> bool:
    return float(np.ptp(values)) <= 1e-12 * max(1.0, abs(float(values[0])))


def no_spread(value: float, count: int, level: float, bounds: Bounds | None) -> Estimate:
    """All values are equal: at most a share of 1 - ((1 - level) / 2)^(1/n) can be otherwise."""
    if bounds is None:
        return Estimate.of(value, -math.inf, math.inf, "no spread")
    share = 1 - ((1 - level) / 2) ** (1 / count)
    low, high = value - share * (value - bounds[0]), value + share * (bounds[1] - value)
    return Estimate.of(value, low, high, "no spread")


def robust_error(values: Floats, clusters: Ints | None) -> tuple[Floats, float]:
    """Parts of the mean and its standard error, at least that of independent samples."""
    parts = parts_of(values, clusters)
    return parts, max(error_of(parts), error_of(values))


def win_tie_loss(differences: Floats) -> tuple[int, int, int]:
    """How many samples are better, the same and worse; NaN is none of them."""
    return (
        int(np.count_nonzero(differences > 0)),
        int(np.count_nonzero(differences == 0)),
        int(np.count_nonzero(differences < 0)),
    )


def tail_of_t(t: float, degrees: float) -> float:
    return t_cdf(degrees, t)
