"""The statistics of a comparison: intervals, tests, power, repeats and drift, as pure functions.

Values are arrays over samples, NaN where a sample could not be judged. Clusters are whole numbers,
one for each sample (`cluster_codes`): samples that share one are not independent. No result
depends on the order of the samples or on the names of the clusters. `level` is that of a two-sided
interval, so one end of a level of 0.90 is a one-sided bound at 95%.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from statistics import NormalDist
from typing import Literal

import numpy as np
import numpy.typing as npt

from bakeoff.estimates import Estimate
from bakeoff.special import betainc, betaincinv, binomial_cdf, t_cdf, t_quantile

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Bounds = tuple[float, float]
"""The smallest and the largest value that can occur at all."""
Statistic = Callable[[Floats], Floats]
"""An aggregate as a function of summed features, (draws, features) -> (draws,)."""
Alternative = Literal["two-sided", "less", "greater"]

LEVEL = 0.95
ALPHA, POWER = 0.05, 0.8
RATE: Bounds = (0.0, 1.0)
GAIN: Bounds = (-1.0, 1.0)
RESAMPLES = 2000
FEW_TRIALS = 50
"""Below this Wilson's interval covers a rare event in as few as 91% of runs."""
FEW_HITS = 5
"""With fewer hits, or misses, it covers one in as few as 84%, whatever the number of trials.

Clopper and Pearson's then makes the lowest cell 92.7% from 50 samples on.
"""
ENUMERATED, FLIPPED, FLIPS = 16, 200, 5000
"""Clusters whose signs are all tried; those flipped at random; draws, each with its mirror."""
CELLS = 4_000_000
"""Numbers held at once while resampling: 32 MB."""

_NORMAL = NormalDist()


_UNJUDGED = Estimate(method="nothing judged")


def _z(level: float) -> float:
    return _NORMAL.inv_cdf((1 + level) / 2)


def _t(level: float, degrees: float) -> float:
    """The two-sided quantile of Student's t; of the normal above 10,000 degrees of freedom."""
    if degrees < 1:
        return math.inf
    if degrees > 10_000:
        return _z(level)
    return t_quantile(degrees, (1 + level) / 2)


def cluster_codes(names: Sequence[str]) -> Ints:
    """Cluster names as whole numbers, the same in every process."""
    return np.unique(np.asarray(names), return_inverse=True)[1].astype(np.int64)


def wald(hits: float, n: float, level: float = LEVEL) -> Bounds:
    """The textbook interval, to show what others print; 20 of 20 gives (1, 1)."""
    rate = hits / n
    half = _z(level) * math.sqrt(rate * (1 - rate) / n)
    return max(0.0, rate - half), min(1.0, rate + half)


def wilson(hits: float, n: float, level: float = LEVEL) -> Bounds:
    """Wilson's score interval of a rate (Wilson 1927). `n` may be an effective number."""
    z, rate = _z(level), hits / n
    centre = (rate + z**2 / (2 * n)) / (1 + z**2 / n)
    half = z / (1 + z**2 / n) * math.sqrt(rate * (1 - rate) / n + z**2 / (4 * n * n))
    # Exact at the ends, where the formula leaves a rounding error.
    low = 0.0 if rate <= 0 else max(0.0, centre - half)
    return low, 1.0 if rate >= 1 else min(1.0, centre + half)


def agresti_coull(hits: float, n: float, level: float = LEVEL) -> Bounds:
    """The "add two successes and two failures" interval (Agresti and Coull 1998)."""
    z = _z(level)
    total = n + z**2
    rate = (hits + z**2 / 2) / total
    half = z * math.sqrt(rate * (1 - rate) / total)
    return max(0.0, rate - half), min(1.0, rate + half)


def clopper_pearson(hits: float, n: float, level: float = LEVEL) -> Bounds:
    """The exact interval of a rate: never below its level, and wide (Clopper and Pearson 1934)."""
    tail = (1 - level) / 2
    low = 0.0 if hits <= 0 else betaincinv(hits, n - hits + 1, tail)
    return low, 1.0 if hits >= n else betaincinv(hits + 1, n - hits, 1 - tail)


def mid_p(hits: float, n: float, level: float = LEVEL) -> Bounds:
    """Clopper and Pearson's interval with half of the observed outcome in each tail (Lancaster)."""
    return _mid_p_low(hits, n, level), 1 - _mid_p_low(n - hits, n, level)


def _mid_p_low(hits: float, n: float, level: float) -> float:
    if hits <= 0:
        return 0.0

    def tail(rate: float) -> float:
        more = betainc(hits + 1, n - hits, rate) if hits < n else 0.0
        return (betainc(hits, n - hits + 1, rate) + more) / 2

    return _bisect(lambda rate: (1 - level) / 2 - tail(rate), 0.0, hits / n)


def _bisect(falling: Callable[[float], float], low: float, high: float) -> float:
    """Where `falling`, positive at `low`, crosses 0; `high` where it never does."""
    for _ in range(60):
        middle = (low + high) / 2
        if falling(middle) > 0:
            low = middle
        else:
            high = middle
    return high


def credible(hits: float, n: float, prior: float = 0.5, level: float = LEVEL) -> Bounds:
    """The equal-tailed posterior interval under Beta(prior, prior); 0.5 is Jeffreys' prior."""
    shape = hits + prior, n - hits + prior
    return betaincinv(*shape, (1 - level) / 2), betaincinv(*shape, (1 + level) / 2)


def _judged(
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


def _summed(values: Floats, clusters: Ints | None) -> tuple[Floats, Floats]:
    """Sums and sizes by cluster, empty clusters left out."""
    if clusters is None:
        return values, np.ones(len(values))
    sizes = np.bincount(clusters).astype(np.float64)
    sums: Floats = np.bincount(clusters, weights=values).astype(np.float64)
    return sums[sizes > 0], sizes[sizes > 0]


def _parts(values: Floats, clusters: Ints | None) -> Floats:
    """What each cluster adds to the mean: values whose mean is the mean, and their t its test.

    Their standard error is the cluster-robust one of statsmodels and inspect, times
    sqrt(G / (G - 1)) of Miller's (2024), which is too small when clusters are few.
    """
    if clusters is None:
        return values
    sums, sizes = _summed(values, clusters)
    mean = float(values.mean())
    return mean + (sums - mean * sizes) * (len(sums) / len(values))


def _error(parts: Floats) -> float:
    if len(parts) < 2:
        return math.inf
    return float(parts.std(ddof=1)) / math.sqrt(len(parts))


def standard_error(values: Floats, clusters: Ints | None = None) -> float:
    """The standard error of the mean, cluster-robust where clusters are given.

    Infinite when a single value, or a single cluster, has been judged.
    """
    return _error(_parts(*_judged(values, clusters)))


def t_interval(
    values: Floats,
    clusters: Ints | None = None,
    level: float = LEVEL,
    degrees: float | None = None,
) -> Estimate:
    """The mean with Student's t interval; over clusters, on their number less one.

    `degrees` replaces the degrees of freedom; infinite makes it the normal interval.
    """
    values, clusters = _judged(values, clusters)
    if not len(values):
        return _UNJUDGED
    parts = _parts(values, clusters)
    half = _t(level, len(parts) - 1 if degrees is None else degrees) * _error(parts)
    mean = float(values.mean())
    return Estimate.of(mean, mean - half, mean + half, "t")


def _flat(values: Floats) -> bool:
    return float(np.ptp(values)) <= 1e-12 * max(1.0, abs(float(values[0])))


def _no_spread(value: float, count: int, level: float, bounds: Bounds | None) -> Estimate:
    """All values are equal: at most a share of 1 - ((1 - level) / 2)^(1/n) can be otherwise."""
    if bounds is None:
        return Estimate.of(value, -math.inf, math.inf, "no spread")
    share = 1 - ((1 - level) / 2) ** (1 / count)
    low, high = value - share * (value - bounds[0]), value + share * (bounds[1] - value)
    return Estimate.of(value, low, high, "no spread")


def _robust_error(values: Floats, clusters: Ints | None) -> tuple[Floats, float]:
    """Parts of the mean and its standard error, at least that of independent samples."""
    parts = _parts(values, clusters)
    return parts, max(_error(parts), _error(values))


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
    0/1 values without clusters that is Wilson's interval itself, mid-p below 50 samples, and
    Clopper and Pearson's for fewer than 5 hits or misses.
    `exact` (error and safety rates) takes Clopper and Pearson's instead. Without bounds,
    `skewed_t`. Values that are all equal get an interval from their number alone.
    """
    values, clusters = _judged(values, clusters, bounds)
    if not len(values):
        return _UNJUDGED.within(bounds)
    mean = float(values.mean())
    if bounds is None:
        return skewed_t(values, clusters, level=level)
    low, high = bounds
    share = min(1.0, max(0.0, (mean - low) / (high - low)))
    n = len(values)
    binary = bool(np.isin(values, bounds).all())
    word = "" if clusters is None else "clustered "
    if not binary and _flat(values):
        return _no_spread(mean, len(_parts(values, clusters)), level, bounds)
    spread = share * (1 - share) * (high - low) ** 2
    # Beyond 1e8 the beta quantiles are no longer found, and the interval is 0.0002 wide.
    trials = float(n) if binary else _trials(values, None, spread, level, 1e8)
    if clusters is not None:
        trials = _trials(values, clusters, spread, level, trials)
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


def _trials(
    values: Floats, clusters: Ints | None, spread: float, level: float, most: float
) -> float:
    """Independent 0/1 trials that would know the mean as well; `spread` is their variance.

    Fewer by the square of t over z, as the variance is estimated; at most `most`, as clusters
    never narrow an interval: with few of them, a negative correlation inside is noise. Where
    every value is at one end nothing is known of clusters: each counts as one trial.
    """
    parts = _parts(values, clusters)
    count, error = len(parts), _error(parts)
    if spread <= 0 or math.isinf(error):
        return float(count)
    if error == 0:
        return most
    return min(most, max(1.0, spread / error**2 * (_z(level) / _t(level, count - 1)) ** 2))


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
    values, clusters = _judged(values, clusters, bounds)
    if not len(values):
        return _UNJUDGED.within(bounds)
    mean = float(values.mean())
    if _flat(values):
        return _no_spread(mean, len(_parts(values, clusters)), level, bounds)
    parts, error = _robust_error(values, clusters)
    low, high = _skewed_ends(parts, error, level)
    word = "" if clusters is None else "clustered "
    return Estimate.of(mean, mean + low, mean + high, f"{word}skewed t").within(bounds)


def _skewness(parts: Floats) -> float:
    centred = parts - parts.mean()
    spread = float(np.mean(centred**2))
    return float(np.mean(centred**3)) / spread**1.5 if spread > 0 else 0.0


def _bend(parts: Floats) -> float:
    """Skewness over the root of the number."""
    return _skewness(parts) / math.sqrt(len(parts))


def _bent(t: float, parts: Floats) -> float:
    """Hall's transformation of a t statistic: nearly symmetric where the values are skewed."""
    bend = _bend(parts)
    return t + bend * t**2 / 3 + bend**2 * t**3 / 27 + bend / 6


def _unbent(t: float, bend: float) -> float:
    if abs(bend) < 1e-9:
        return t
    return 3 / bend * (math.cbrt(1 + bend * (t - bend / 6)) - 1)


def _skewed_ends(parts: Floats, error: float, level: float) -> Bounds:
    """The ends of the interval, less the mean."""
    if math.isinf(error):
        return -math.inf, math.inf
    quantile, bend = _t(level, len(parts) - 1), _bend(parts)
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
    differences, clusters = _judged(differences, clusters, bounds)
    if not len(differences):
        return _UNJUDGED.within(bounds)
    if not _from_pairs(differences, bounds):
        return skewed_t(differences, clusters, bounds=bounds, level=level)
    wins, _, losses = win_tie_loss(differences)
    mean, n = float(differences.mean()), len(differences)
    if clusters is None:
        return Estimate.of(mean, *tango(wins, losses, n, level), "tango")
    ratio, count = _pairs_ratio(differences, clusters)
    if count < 2:
        return Estimate.of(mean, *GAIN, "clustered tango")
    # The score grows with the root of the counts: the quantile of t is taken by fewer of them.
    share = min(1.0, ratio * (_z(level) / _t(level, count - 1)) ** 2) if ratio else count / n
    low, high = tango(wins * share, losses * share, n * share, level)
    return Estimate.of(mean, low, high, "clustered tango")


def _from_pairs(differences: Floats, bounds: Bounds | None) -> bool:
    return bounds == GAIN and bool(np.isin(differences, (-1.0, 0.0, 1.0)).all())


def _pairs_ratio(differences: Floats, clusters: Ints) -> tuple[float, int]:
    """The variance of the mean of independent pairs over that of clusters; their number.

    0 where all pairs are alike, so that nothing is known of clusters; infinite where the clusters
    cancel out.
    """
    count, independent = len(_parts(differences, clusters)), float(np.var(differences))
    error = standard_error(differences, clusters)
    if not independent or not error:
        return (math.inf if independent else 0.0), count
    return independent / len(differences) / error**2, count


def win_tie_loss(differences: Floats) -> tuple[int, int, int]:
    """How many samples are better, the same and worse; NaN is none of them."""
    return (
        int(np.count_nonzero(differences > 0)),
        int(np.count_nonzero(differences == 0)),
        int(np.count_nonzero(differences < 0)),
    )


def tango_score(wins: float, losses: float, n: float, margin: float) -> float:
    """Tango's score statistic of "the paired difference of rates is `margin`" (Tango 1998)."""
    linear = (2 * n - wins + losses) * margin - wins - losses
    root = math.sqrt(max(0.0, linear**2 + 8 * n * losses * margin * (1 - margin)))
    variance = n * ((root - linear) / (2 * n) + margin * (1 - margin))
    gap = wins - losses - n * margin
    if variance <= 1e-12 * n:
        return math.copysign(math.inf, gap) if abs(gap) > 1e-9 * n else 0.0
    return gap / math.sqrt(variance)


def tango(wins: float, losses: float, n: float, level: float = LEVEL) -> Bounds:
    """Tango's score interval of a paired difference of rates; counts need not be whole."""
    z, estimate = _z(level), (wins - losses) / n
    low = _bisect(lambda margin: tango_score(wins, losses, n, margin) - z, -1.0, estimate)
    high = _bisect(lambda margin: -tango_score(wins, losses, n, -margin) - z, -1.0, -estimate)
    return low, -high


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


def mcnemar(
    wins: int, losses: int, method: Literal["exact", "mid-p", "corrected"] = "exact"
) -> float:
    """McNemar's two-sided p: exact, mid-p (Fagerland 2013), or chi-square with correction."""
    discordant = wins + losses
    if not discordant:
        return 1.0
    if method == "corrected":
        statistic = max(0, abs(wins - losses) - 1) ** 2 / discordant
        return math.erfc(math.sqrt(statistic / 2))
    fewer = min(wins, losses)
    upto = binomial_cdf(fewer, discordant, 0.5)
    below = binomial_cdf(fewer - 1, discordant, 0.5)
    return min(1.0, upto + (below if method == "mid-p" else upto))


def unpaired_p(left: Floats, right: Floats) -> float:
    """The two-sided z test that forgets the pairing, to show what others print."""
    error = math.hypot(standard_error(left), standard_error(right))
    gap = abs(float(left.mean() - right.mean()))
    return 2 * _NORMAL.cdf(-gap / error) if error else float(gap == 0)


def sign_flip_p(
    differences: Floats,
    clusters: Ints | None = None,
    alternative: Alternative = "two-sided",
    seed: int = 0,
) -> float:
    """The p of a sign-flip permutation test that differences lie symmetrically about 0.

    Clusters flip as one. Equal sizes are a sign test, exact for any number (for 0/1 values:
    McNemar's). Otherwise every flip up to 16 clusters that differ, 10,000 seeded flips up to
    200, and above that the normal tail with the flips' fourth moment, which is then closer than
    as many random flips are.
    """
    sums, _ = _summed(*_judged(differences, clusters))
    if alternative == "less":
        sums = -sums
    scale = float(np.abs(sums).sum())
    sums = sums[np.abs(sums) > 1e-12 * scale] if scale else sums[:0]
    if not len(sums):
        return 1.0
    sizes = np.sort(np.abs(sums))
    seen = float(sums.sum())
    upper = _upper_tail(sizes, int(np.count_nonzero(sums > 0)), seen, seed)
    if alternative != "two-sided":
        return upper
    if seen < 0:
        upper = _upper_tail(sizes, int(np.count_nonzero(sums < 0)), -seen, seed)
    return min(1.0, 2 * upper)


def _upper_tail(sizes: Floats, up: int, seen: float, seed: int) -> float:
    """P(flipped sum >= seen), for sorted positive sizes of which `up` have a plus."""
    count = len(sizes)
    if sizes[-1] - sizes[0] <= 1e-9 * sizes[-1]:
        return binomial_cdf(count - up, count, 0.5)
    least = seen - 1e-9 * float(sizes.sum())
    if count <= ENUMERATED:
        flipped = np.zeros(1)
        for size in sizes:
            flipped = np.concatenate([flipped - size, flipped + size])
        return float(np.mean(flipped >= least))
    if count <= FLIPPED:
        # In single precision: a tie may be missed by a rounding error, never a real gap.
        least = seen - 1e-5 * float(sizes.sum())
        drawn = sizes.astype(np.float32) @ _signs(seed)[:count]
        hits = np.count_nonzero(drawn >= least) + np.count_nonzero(-drawn >= least)
        return float(1 + hits) / (1 + 2 * FLIPS)
    return _normal_tail(sizes, seen)


@lru_cache(maxsize=2)
def _signs(seed: int) -> npt.NDArray[np.float32]:
    drawn = np.random.default_rng(seed).integers(0, 2, (FLIPPED, FLIPS), dtype=np.int8)
    return (2 * drawn - 1).astype(np.float32)


def _normal_tail(sizes: Floats, seen: float) -> float:
    steps = sizes / sizes[0]
    # Whole numbers move in steps of two: half a step is the continuity correction.
    step = float(sizes[0]) if bool(np.all(np.abs(steps - np.rint(steps)) < 1e-9)) else 0.0
    variance = float(sizes @ sizes)
    z = (seen - step) / math.sqrt(variance)
    fourth = -2 * float((sizes**2) @ (sizes**2)) / variance**2
    tail = _NORMAL.cdf(-z) + _NORMAL.pdf(z) * fourth / 24 * (z**3 - 3 * z)
    return min(1.0, max(0.0, tail))


def difference_p(
    differences: Floats,
    clusters: Ints | None = None,
    *,
    margin: float = 0.0,
    alternative: Alternative = "two-sided",
    bounds: Bounds | None = GAIN,
    seed: int = 0,
) -> float:
    """The p of "the mean paired difference is `margin`", against what `alternative` says.

    "less" is the evidence that a claim of `mean >= margin` is violated, "greater" that it holds.
    At a margin of 0 `sign_flip_p`, which is exact; at any other the p that belongs to
    `difference_interval`: below alpha when its end at a level of 1 - 2 alpha leaves the margin
    out.
    """
    if margin == 0:
        return sign_flip_p(differences, clusters, alternative, seed)
    differences, clusters = _judged(differences, clusters)
    if not len(differences):
        return 1.0
    if alternative == "greater":
        return _p_less(-differences, clusters, -margin, _mirrored(bounds))
    less = _p_less(differences, clusters, margin, bounds)
    if alternative == "less":
        return less
    more = _p_less(-differences, clusters, -margin, _mirrored(bounds))
    return min(1.0, 2 * min(less, more))


def _mirrored(bounds: Bounds | None) -> Bounds | None:
    return (-bounds[1], -bounds[0]) if bounds else None


def _p_less(
    differences: Floats, clusters: Ints | None, margin: float, bounds: Bounds | None
) -> float:
    """The one-sided p of "the mean is at least `margin`"."""
    count = len(_parts(differences, clusters))
    if _from_pairs(differences, bounds):
        wins, _, losses = win_tie_loss(differences)
        score = tango_score(wins, losses, len(differences), margin)
        if clusters is None:
            return _NORMAL.cdf(score)
        return _clustered_p(score, differences, clusters)
    mean = float(differences.mean())
    if _flat(differences):
        if bounds is None or mean >= margin:
            return 1.0
        return float(1 - (margin - mean) / (max(bounds[1], margin) - mean)) ** count
    parts, error = _robust_error(differences, clusters)
    if math.isinf(error):
        return 1.0
    t = (mean - margin) / error
    return max(_t_tail(t, count - 1), _t_tail(_bent(t, parts), count - 1))


def _clustered_p(score: float, differences: Floats, clusters: Ints) -> float:
    """The outer one of both tails, as the interval takes the outer one of both ends."""
    ratio, count = _pairs_ratio(differences, clusters)
    if count < 2:
        return 1.0
    if not ratio:
        return _NORMAL.cdf(score * math.sqrt(count / len(differences)))
    t = score * math.sqrt(ratio) if score else 0.0
    return max(_NORMAL.cdf(score), _t_tail(t, count - 1))


def _t_tail(t: float, degrees: float) -> float:
    return t_cdf(degrees, t)


def rate_p(
    values: Floats, clusters: Ints | None, limit: float, alternative: Literal["less", "greater"]
) -> float:
    """The exact binomial p of "the rate is `limit`", for 0/1 values; 1 when nothing was judged.

    Over clusters on the effective number of trials, as `mean_interval` does.
    """
    values, clusters = _judged(values, clusters, RATE)
    n = len(values)
    if not n:
        return 1.0
    share = float(values.mean())
    trials = float(n)
    if clusters is not None:
        trials = _trials(values, clusters, share * (1 - share), LEVEL, trials)
    return _binomial_p(share * trials, trials, limit, alternative)


def _binomial_p(hits: float, trials: float, rate: float, alternative: Alternative) -> float:
    if alternative == "greater":
        hits, rate = trials - hits, 1 - rate
    if hits >= trials or rate <= 0:
        return 1.0
    return 0.0 if rate >= 1 else betainc(trials - hits, hits + 1, 1 - rate)


def quantile_p(
    values: Floats, share: float, limit: float, alternative: Literal["less", "greater"]
) -> float:
    """The exact binomial p of "the quantile is `limit`", from how many values lie beyond it."""
    known = values[~np.isnan(values)]
    if not len(known):
        return 1.0
    # A quantile below the limit has at least `share` of the values at most there, and v. v.
    if alternative == "less":
        return _binomial_p(float(np.sum(known >= limit)), len(known), 1 - share, "less")
    return _binomial_p(float(np.sum(known <= limit)), len(known), share, "less")


def adjust_holm(p_values: Sequence[float]) -> list[float]:
    """Holm's adjusted p: below alpha for the claims that hold with every false one bounded."""
    p = np.asarray(p_values, dtype=np.float64)
    order = np.argsort(p, kind="stable")
    raised = np.maximum.accumulate(p[order] * np.arange(len(p), 0, -1))
    return _restored(raised, order)


def adjust_discoveries(p_values: Sequence[float]) -> list[float]:
    """Benjamini and Hochberg's adjusted p: bounds the share of false ones among those found."""
    p = np.asarray(p_values, dtype=np.float64)
    order = np.argsort(p, kind="stable")
    scaled = p[order] * len(p) / np.arange(1, len(p) + 1)
    return _restored(np.minimum.accumulate(scaled[::-1])[::-1], order)


def _restored(adjusted: Floats, order: Ints) -> list[float]:
    found = np.empty(len(order))
    found[order] = np.minimum(adjusted, 1.0)
    return [float(p) for p in found]


def _quantiles(alpha: float, power: float, sides: int) -> float:
    return _NORMAL.inv_cdf(1 - alpha / sides) + _NORMAL.inv_cdf(power)


def detectable(
    standard_error: float, *, alpha: float = ALPHA, power: float = POWER, sides: int = 2
) -> float:
    """The smallest true effect that a test finds with `power`: MDE.

    For 0/1 values on n pairs the standard error is sqrt(discordance / n).
    """
    return _quantiles(alpha, power, sides) * standard_error


def detectable_gain(
    differences: Floats,
    clusters: Ints | None = None,
    *,
    bounds: Bounds | None = GAIN,
    alpha: float = ALPHA,
    power: float = POWER,
    sides: int = 2,
) -> float:
    """`detectable` at the standard error of measured pairs; n (this / effect)^2 find an effect.

    Where no pair differs the error is not 0: it is then taken from the width of the interval.
    """
    error = standard_error(differences, clusters)
    if error == 0:
        low, high = difference_interval(differences, clusters, bounds=bounds).ends
        error = (high - low) / (2 * _z(LEVEL))
    return detectable(error, alpha=alpha, power=power, sides=sides)


def samples_needed(
    effect: float, variance: float, *, alpha: float = ALPHA, power: float = POWER, sides: int = 2
) -> int:
    """Samples for which `effect` is detectable; `variance` is that of one paired difference.

    For 0/1 values the variance is the discordance less the effect squared; with K answers per
    sample, that between samples plus 1/K of that within on both sides (Miller 2024, eq. 9).
    """
    return math.ceil(_quantiles(alpha, power, sides) ** 2 * variance / effect**2)


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
    critical = _NORMAL.inv_cdf(1 - alpha) * math.sqrt(max(discordance - margin**2, 0.0))
    spread = math.sqrt(discordance - difference**2)
    reach = (margin - difference) * math.sqrt(n) - critical
    return _NORMAL.cdf(reach / spread) if spread else float(reach > 0)


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
    found = np.where(trials >= k, 1.0, np.nan)
    for i in range(k):
        found *= np.maximum(hits - i, 0) / np.maximum(trials - i, 1)
    return found


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
        return _UNJUDGED
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
        return _UNJUDGED
    above, below = quantile_draws(left, right, share, seed)
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


def _by_cluster(features: Floats, clusters: Ints | None) -> Floats:
    if clusters is None:
        return features
    return np.stack([_summed(column, clusters)[0] for column in features.T], axis=1)


def resample(
    features: Floats, statistic: Statistic, clusters: Ints | None = None, *, seed: int = 0
) -> Floats:
    """The statistic of 2,000 samples drawn with replacement, cluster by cluster.

    `features` is (samples, features), without NaN: what the statistic needs the sums of.
    """
    groups = _by_cluster(features, clusters)
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


def _left_out(groups: Floats, statistic: Statistic) -> Floats:
    """The statistic without each cluster in turn."""
    whole = groups.sum(axis=0)
    step = max(1, CELLS // groups.shape[1])
    return np.concatenate(
        [statistic(whole - groups[start : start + step]) for start in range(0, len(groups), step)]
    )


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
    groups = _by_cluster(features, clusters)
    if len(groups) < 2:
        return Estimate.of(value, -math.inf, math.inf, "one cluster")
    draws = np.sort(resample(features, statistic, clusters, seed=seed))
    tails = [(1 - level) / 2, (1 + level) / 2]
    if method == "bca":
        left_out = _left_out(groups, statistic)
        influence = left_out.mean() - left_out
        spread = float(np.sum(influence**2))
        bend = float(np.sum(influence**3)) / (6 * spread**1.5) if spread else 0.0
        below = np.mean(draws < value) + np.mean(draws == value) / 2
        shift = _NORMAL.inv_cdf(float(np.clip(below, 1 / RESAMPLES, 1 - 1 / RESAMPLES)))
        tails = [_corrected(_NORMAL.inv_cdf(tail), shift, bend) for tail in tails]
    low, high = (float(end) for end in np.quantile(draws, tails))
    word = "" if clusters is None else "clustered "
    return Estimate.of(value, min(low, value), max(high, value), f"{word}{method}")


def _corrected(z: float, shift: float, bend: float) -> float:
    return _NORMAL.cdf(shift + (shift + z) / (1 - bend * (shift + z)))


def pseudo_values(features: Floats, statistic: Statistic, clusters: Ints | None = None) -> Floats:
    """The jackknife's pseudo-values, one for each cluster: their mean has the statistic's error."""
    groups = _by_cluster(features, clusters)
    value = float(statistic(features.sum(axis=0, keepdims=True))[0])
    left_out = _left_out(groups, statistic)
    values: Floats = value + (len(groups) - 1) * (left_out.mean() - left_out)
    return values


def statistic_interval(
    features: Floats,
    statistic: Statistic,
    clusters: Ints | None = None,
    *,
    bounds: Bounds | None = None,
    level: float = LEVEL,
) -> Estimate:
    """A statistic that is no mean (macro-F1, a ratio of sums) with its interval.

    `skewed_t` over the jackknife's pseudo-values: no seed, and one pass over any number of
    samples. The statistic must be smooth in the sums: no quantile.
    """
    value = float(statistic(features.sum(axis=0, keepdims=True))[0])
    count = len(features) if clusters is None else len(np.unique(clusters))
    if count < 2:
        return Estimate.of(value, -math.inf, math.inf, "one cluster").within(bounds)
    parts = pseudo_values(features, statistic, clusters)
    word = "" if clusters is None else "clustered "
    if _flat(parts):
        return _no_spread(value, count, level, bounds)
    ends = skewed_t(parts, level=level).ends
    return Estimate.of(value, *ends, f"{word}jackknife").within(bounds)


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


@dataclass(frozen=True)
class Alarm:
    """A series has shifted: found on `night`, by the sums since `since` (places in the series)."""

    night: int
    since: int
    direction: int
    """1 up, -1 down."""


def drift(
    series: Floats,
    *,
    slack: float = 0.5,
    limit: float = 5.0,
    clip: float = 3.0,
    warm: int = 14,
    base: int = 60,
    least: float = 0.0,
) -> list[Alarm]:
    """The alarms of a two-sided robust CUSUM over nightly values, oldest first (Page 1954).

    A night is compared with the median of the nights before it, at most the first `base`, in
    units of their MAD made comparable to a standard deviation, or of `least` where that is
    larger; clipped, so that one broken night is no alarm. The first `warm` nights only fill the
    base. NaN is a night without a value. After an alarm the sums start again at 0. Give each
    stretch between changes of a pinned input on its own.
    """
    alarms: list[Alarm] = []
    known = np.flatnonzero(~np.isnan(series))
    values = series[known]
    sums, since = [0.0, 0.0], [0, 0]
    for place in range(warm, len(values)):
        score = _score(values[: min(place, base)], float(values[place]), least, clip)
        for side, direction in enumerate((1, -1)):
            if sums[side] == 0:
                since[side] = place
            sums[side] = max(0.0, sums[side] + direction * score - slack)
            if sums[side] > limit:
                alarms.append(Alarm(int(known[place]), int(known[since[side]]), direction))
                sums = [0.0, 0.0]
    return alarms


def _score(before: Floats, value: float, least: float, clip: float) -> float:
    n = len(before)
    median = float(np.median(before))
    # 1.4826 for normal data; n / (n - 0.8) for few (Croux and Rousseeuw 1992).
    spread = 1.4826 * float(np.median(np.abs(before - median))) * n / (n - 0.8)
    spread = max(spread, least) * math.sqrt(1 + math.pi / (2 * n))
    gap = value - median
    if abs(gap) > clip * spread:
        return math.copysign(clip, gap)
    return gap / spread if spread else 0.0
