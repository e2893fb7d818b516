"""Tests: p values of differences, rates and quantiles, and their adjustment for many."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Literal

import numpy as np

from bakeoff.analysis.special import betainc, binomial_cdf
from bakeoff.analysis.stats.means import GAIN, bent, from_pairs, pairs_ratio, trials_of
from bakeoff.analysis.stats.quantiles import effective_trials, lower_tail
from bakeoff.analysis.stats.rates import tango_score
from bakeoff.analysis.stats.values import (
    LEVEL,
    NORMAL,
    RATE,
    Bounds,
    Floats,
    Ints,
    degrees_of,
    flat,
    judged,
    parts_of,
    robust_error,
    sums_of,
    tail_of_t,
    win_tie_loss,
)

Alternative = Literal["two-sided", "less", "greater"]
ENUMERATED, ON_GRID, GRID = 16, 200, 8192
"""Clusters whose signs are all tried; those whose sums are counted on a grid; its steps."""


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


def sign_flip_p(
    differences: Floats, clusters: Ints | None = None, alternative: Alternative = "two-sided"
) -> float:
    """The p of a sign-flip permutation test that differences lie symmetrically about 0.

    Clusters flip as one. Equal sizes are a sign test, exact for any number (for 0/1 values:
    McNemar's). Otherwise every flip up to 16 clusters that differ, every flip of sums rounded to
    a grid up to 200, and above that the normal tail with the flips' fourth moment.
    """
    sums, _ = sums_of(*judged(differences, clusters))
    if alternative == "less":
        sums = -sums
    scale = float(np.abs(sums).sum())
    sums = sums[np.abs(sums) > 1e-12 * scale] if scale else sums[:0]
    if not len(sums):
        return 1.0
    if alternative != "two-sided":
        return _upper_tail(sums)
    return min(1.0, 2 * _upper_tail(sums if float(sums.sum()) >= 0 else -sums))


def _upper_tail(sums: Floats) -> float:
    """P(flipped sum >= the sum), for sums of which none is 0."""
    sizes = np.sort(np.abs(sums))
    count = len(sizes)
    if sizes[-1] - sizes[0] <= 1e-9 * sizes[-1]:
        return binomial_cdf(int(np.count_nonzero(sums < 0)), count, 0.5)
    if count <= ENUMERATED:
        flipped = np.zeros(1)
        for size in sizes:
            flipped = np.concatenate([flipped - size, flipped + size])
        least = float(sums.sum()) - 1e-9 * float(sizes.sum())
        return float(np.mean(flipped >= least))
    if count <= ON_GRID:
        return grid_tail(sums)
    return _normal_tail(sizes, float(sums.sum()))


def grid_tail(sums: Floats) -> float:
    """P(flipped sum >= the sum) of sums rounded to a grid, over all flips.

    A flipped sum is as large where the sizes with a minus add up to no more than they do in the
    data: a count of subsets by dynamic programming (Pagano and Tritchler 1983, JASA 78:435).
    Rounded sums lie as symmetrically about 0 as the sums do, so that the level of the test is
    exact; the power that rounding costs is a few ten-thousandths of the p.
    """
    sizes = np.abs(sums)
    least = float(sizes.min())
    multiples = sizes / least
    whole = bool(np.all(np.abs(multiples - np.rint(multiples)) < 1e-9))
    unit = least if whole and float(multiples.sum()) <= GRID else float(sizes.sum()) / GRID
    steps = np.rint(sizes / unit).astype(int)
    below = int(steps[sums < 0].sum())
    chances = np.zeros(below + 1)
    chances[0] = 1.0
    for step in steps[steps > 0]:
        chances /= 2
        if step <= below:
            chances[step:] += chances[: below + 1 - step].copy()
    return min(1.0, float(chances.sum()))


def _normal_tail(sizes: Floats, seen: float) -> float:
    steps = sizes / sizes[0]
    # Whole numbers move in steps of two: half a step is the continuity correction.
    step = float(sizes[0]) if bool(np.all(np.abs(steps - np.rint(steps)) < 1e-9)) else 0.0
    variance = float(sizes @ sizes)
    z = (seen - step) / math.sqrt(variance)
    fourth = -2 * float((sizes**2) @ (sizes**2)) / variance**2
    tail = NORMAL.cdf(-z) + NORMAL.pdf(z) * fourth / 24 * (z**3 - 3 * z)
    return min(1.0, max(0.0, tail))


def difference_p(
    differences: Floats,
    clusters: Ints | None = None,
    *,
    margin: float = 0.0,
    alternative: Alternative = "two-sided",
    bounds: Bounds | None = GAIN,
) -> float:
    """The p of "the mean paired difference is `margin`", against `alternative`.

    "less" is the evidence that a claim of `mean >= margin` is violated, "greater" that it holds.
    At a margin of 0 `sign_flip_p`, which is exact; at any other the p that belongs to
    `difference_interval`: below alpha when its end at a level of 1 - 2 alpha leaves the margin
    out.
    """
    if margin == 0:
        return sign_flip_p(differences, clusters, alternative)
    differences, clusters = judged(differences, clusters)
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
    count = len(parts_of(differences, clusters))
    if from_pairs(differences, bounds):
        wins, _, losses = win_tie_loss(differences)
        score = tango_score(wins, losses, len(differences), margin)
        if clusters is None:
            return NORMAL.cdf(score)
        return _clustered_p(score, differences, clusters)
    mean = float(differences.mean())
    if flat(differences):
        if bounds is None or mean >= margin:
            return 1.0
        return float(1 - (margin - mean) / (max(bounds[1], margin) - mean)) ** count
    parts, error = robust_error(differences, clusters)
    if math.isinf(error):
        return 1.0
    t, degrees = (mean - margin) / error, degrees_of(differences, clusters)
    return max(tail_of_t(t, degrees), tail_of_t(bent(t, parts), degrees))


def _clustered_p(score: float, differences: Floats, clusters: Ints) -> float:
    """The outer one of both tails, as the interval takes the outer one of both ends."""
    ratio, count = pairs_ratio(differences, clusters)
    if count < 2:
        return 1.0
    if not ratio:
        return NORMAL.cdf(score * math.sqrt(count / len(differences)))
    t = score * math.sqrt(ratio) if score else 0.0
    return max(NORMAL.cdf(score), tail_of_t(t, degrees_of(differences, clusters)))


def rate_p(
    values: Floats, clusters: Ints | None, limit: float, alternative: Literal["less", "greater"]
) -> float:
    """The exact binomial p of "the rate is `limit`", for 0/1 values; 1 when nothing was judged.

    Over clusters on the effective number of trials, as `mean_interval` does.
    """
    values, clusters = judged(values, clusters, RATE)
    n = len(values)
    if not n:
        return 1.0
    share = float(values.mean())
    trials = float(n)
    if clusters is not None:
        trials = trials_of(values, clusters, share * (1 - share), LEVEL, trials)
    return _binomial_p(share * trials, trials, limit, alternative)


def _binomial_p(hits: float, trials: float, rate: float, alternative: Alternative) -> float:
    if alternative == "greater":
        hits, rate = trials - hits, 1 - rate
    if hits >= trials or rate <= 0:
        return 1.0
    return 0.0 if rate >= 1 else betainc(trials - hits, hits + 1, 1 - rate)


def quantile_p(
    values: Floats,
    share: float,
    limit: float,
    alternative: Literal["less", "greater"],
    clusters: Ints | None = None,
) -> float:
    """The binomial p of "the quantile is `limit`", from how many values lie beyond it.

    That of `quantile_interval`: below alpha when its end at a level of 1 - 2 alpha leaves the
    limit out, over clusters too.
    """
    values, clusters = judged(values, clusters)
    if not len(values):
        return 1.0
    trials = None if clusters is None else effective_trials(values, share, clusters)
    # A quantile below the limit has at least `share` of the values at most there, and v. v.
    if alternative == "less":
        return lower_tail(-values, 1 - share, -limit, trials)
    return lower_tail(values, share, limit, trials)


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
    restored = np.empty(len(order))
    restored[order] = np.minimum(adjusted, 1.0)
    return [float(p) for p in restored]
