"""What a request costs: means over samples, paired differences, and money for a right answer."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from bakeoff.analysis import compare, stats
from bakeoff.analysis.columns import Column, Measure
from bakeoff.analysis.stats import RATE
from bakeoff.core.estimate import Estimate, exactly
from bakeoff.decide.cost.crossover import quotients, total
from bakeoff.decide.cost.prices import REQUESTS
from bakeoff.decide.cost.usage import Part

ByTask = Mapping[str, Sequence[Part]]
"""Task -> what its requests cost on one setup."""
Shares = Mapping[str, float]
"""Task -> its share of the requests; they sum to 1."""


def shares(weights: Mapping[str, float], tasks: Sequence[str]) -> dict[str, float]:
    """The tasks' shares of all requests: a task without a weight has 1."""
    given = {task: weights.get(task, 1.0) for task in tasks}
    whole = sum(given.values())
    return {task: weight / whole for task, weight in given.items()} if whole else {}


def sums(parts: Sequence[Part]) -> dict[str, Column]:
    """Quantity -> the parts of that quantity, added up sample by sample.

    Tokens are known of every answer, seconds only of those in the latency pass.
    """
    columns: dict[str, Column] = {}
    for part in parts:
        if part.quantity in columns:
            one, two = compare.shared([(columns[part.quantity], 1), (part.column, 1)])[0]
            columns[part.quantity] = replace(one[0], values=one[0].values + two[0].values)
        else:
            columns[part.quantity] = part.column
    return columns


def dearest(setups: Sequence[ByTask]) -> dict[tuple[str, str], float]:
    """(task, quantity) -> the most that a request cost on any setup."""
    most: dict[tuple[str, str], float] = {}
    for by_task in setups:
        for task, parts in by_task.items():
            for of, column in sums(parts).items():
                top = float(column.values.max(initial=0.0))
                most[task, of] = max(top, most.get((task, of), 0.0))
    return most


Dearest = Mapping[tuple[str, str], float]


def per_request(costs: ByTask, share: Shares, top: Dearest) -> Estimate:
    """The mean cost of a request over the tasks, weighted by their shares."""
    return total(
        (_mean([(column, 1)], of, top[task, of]), share[task])
        for task in share
        for of, column in sums(costs[task]).items()
    )


def difference(left: ByTask, right: ByTask, share: Shares, top: Dearest) -> Estimate:
    """What a request costs more on the left: paired by sample where both have the quantity."""
    terms: list[tuple[Estimate, float]] = []
    for task in share:
        one, two = sums(left[task]), sums(right[task])
        for of in sorted({*one, *two}):
            sides = [(side[of], sign) for side, sign in ((one, 1), (two, -1)) if of in side]
            terms.append((_mean(sides, of, top[task, of]), share[task]))
    return total(terms)


def _mean(sides: Sequence[tuple[Column, float]], of: str, top: float) -> Estimate:
    """The mean of a signed sum of columns over the samples that all of them have."""
    contrast = compare.combine(sides)
    values, n = contrast.values, len(contrast.values)
    if not n:
        return Estimate()
    mean = float(values.mean())
    if of == REQUESTS:
        return exactly(mean)  # a flat price: nothing varies, and nothing was measured
    bounds = None
    if float(np.ptp(values)) <= 1e-9 * top:
        # All alike, yet others may be otherwise: from nothing to the dearest request seen.
        ends = sorted([0.0, *(factor * top for _, factor in sides)])
        # The mean of equal numbers may lie beside them by a rounding error.
        bounds = (min(ends[0], mean), max(ends[-1], mean))
        values = np.full(n, mean)
    interval = stats.skewed_t(values, contrast.codes, bounds=bounds)
    # Money alone is never below 0; a difference may be.
    low, high = interval.ends
    low = max(low, 0.0) if len(sides) == 1 and sides[0][1] > 0 else low
    return Estimate.of(mean, low, high, n=n)


def score(column: Column) -> Column:
    """The headline as correct answers: for macro-F1 its hits, whose mean is the accuracy."""
    if column.measure.aggregate == "macro_f1":
        return replace(column, labels=None, measure=Measure(bounds=RATE))
    return column


def per_correct(
    costs: ByTask, scores: Mapping[str, Column], share: Shares, top: Dearest
) -> Estimate:
    """Mean cost over mean score: money for a right answer; infinite ends where none may be right.

    A request that failed has no tokens, and scores 0: it is taken to cost as much as others.
    """
    cost = per_request(costs, share, top)
    rights = {task: compare.estimate(score(scores[task])) for task in share}
    if not all(estimate.known for estimate in rights.values()):
        return Estimate(low=0.0)
    right = total((estimate, share[task]) for task, estimate in rights.items())
    intervals = quotients(cost, right, _correlation(costs, scores, share))
    value = cost.value / right.value if right.value and cost.value is not None else math.inf
    low, high = (intervals[0][0], intervals[-1][1]) if intervals else (0.0, math.inf)
    return Estimate.of(value, low, high)


def _correlation(costs: ByTask, scores: Mapping[str, Column], share: Shares) -> float:
    """That of the mean cost with the mean score: long answers may be wrong more often."""
    joint = of_cost = of_score = 0.0
    for task, weight in share.items():
        right = score(scores[task])
        of_score += (weight * _error([(right, 1)])) ** 2
        for column in sums(costs[task]).values():
            cost = _error([(column, 1)])
            of_cost += (weight * cost) ** 2
            (here, _), (there, _) = compare.shared([(column, 1), (right, 1)])[0]
            if len(here.samples) < 0.9 * len(right.samples):
                continue  # of few samples a correlation is mostly noise
            one, two = _error([(here, 1)]), _error([(there, 1)])
            if not 0 < one * two < math.inf:
                continue
            # cov = (var(x + ky) - var(x - ky)) / 4k, each cluster-robust; k makes them alike.
            k = one / two
            more, less = (_error([(here, 1), (there, sign * k)]) for sign in (1, -1))
            joint += weight**2 * (more**2 - less**2) / (4 * k)
    scale = math.sqrt(of_cost * of_score)
    return max(-0.99, min(0.99, joint / scale)) if 0 < scale < math.inf else 0.0


def _error(sides: Sequence[tuple[Column, float]]) -> float:
    contrast = compare.combine(sides)
    return stats.standard_error(contrast.values, contrast.codes)
