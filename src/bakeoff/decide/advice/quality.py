"""Weighted quality over tasks, and the paired difference of two setups in it, with intervals.

Every task's headline counts from its worst value, 0, to its best, 1. A weighted sum has the
interval of Zou and Donner's variance recovery (2008, Statistics in Medicine 27:1693): each task
keeps its own interval, so that of a single task is the one that the comparison shows.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from bakeoff.analysis import compare, stats
from bakeoff.analysis.columns import Column
from bakeoff.analysis.compare import Contrast
from bakeoff.analysis.stats import LEVEL, RATE
from bakeoff.core.estimate import UNKNOWN, Difference, Estimate, finite, value_of
from bakeoff.core.words import BakeoffError
from bakeoff.spec.task import changed

Columns = Mapping[str, Column]
"""Task -> the headline of one setup."""
Cluster = tuple[str, str]


@dataclass(frozen=True)
class _Part:
    """One task's share of a weighted sum, on the scale from 0 to 1."""

    estimate: Estimate
    detectable: float
    adds: Mapping[Cluster, float] | None
    """What each cluster adds to the error of the value; `None` where it has no such parts."""
    clusters: frozenset[Cluster]


def scale(column: Column, task: str) -> tuple[float, float]:
    """(width, worst value) of the column's metric. Raises `BakeoffError` where it has no bounds."""
    measure = column.measure
    if measure.bounds is None:
        raise BakeoffError(
            f"weights: {task}: nothing bounds its headline metric, so that it cannot be weighed "
            "against others; give the task no weight, or another headline"
        )
    low, high = measure.bounds
    return high - low, low if measure.higher_is_better else high


def quality(columns: Columns, weights: Mapping[str, float]) -> Estimate:
    """Weighted quality from 0 to 1 with its 95% interval; no value where a task is missing."""
    parts, n, unjudged = [], 0, 0
    for task in weights:
        estimate = compare.estimate(columns[task]) if task in columns else None
        if estimate is None or estimate.value is None:
            return UNKNOWN
        width, worst = scale(columns[task], task)
        ends = [abs(end - worst) / width for end in _ends(estimate, columns[task])]
        value = abs(estimate.value - worst) / width
        judged = columns[task].only(columns[task].judged)
        combined = compare.combine([(judged, 1.0)])
        clusters = _names(task, combined.samples, judged)
        parts.append(
            _Part(
                Estimate.of(value, min(ends), max(ends)),
                0.0,
                _adds(combined, clusters),
                frozenset(clusters),
            )
        )
        n, unjudged = n + estimate.n, unjudged + estimate.unjudged
    total = _summed(parts, list(weights.values())).within(RATE)
    return Estimate(total.value, total.low, total.high, n, unjudged)


def _ends(estimate: Estimate, column: Column) -> tuple[float, float]:
    bounds = column.measure.bounds or RATE
    return (
        bounds[0] if estimate.low is None else estimate.low,
        bounds[1] if estimate.high is None else estimate.high,
    )


def gap(
    left: Columns, right: Columns, weights: Mapping[str, float], level: float = LEVEL
) -> Difference:
    """How much better the left side is than the right one, paired by sample and cluster."""
    parts, n = [], 0
    for task in weights:
        if task not in left or task not in right:
            return Difference()
        one, two = left[task], right[task]
        width, _ = scale(one, task)
        sign = 1.0 if one.measure.higher_is_better else -1.0
        contrast = compare.combine([(one, sign), (two, -sign)])
        if not contrast.samples:
            return Difference()
        parts.append(_part(task, contrast, one, width, level))
        n += len(contrast.samples)
    total = _summed(parts, list(weights.values()))
    return replace(total, n=n)


def _part(task: str, contrast: Contrast, column: Column, width: float, level: float) -> _Part:
    interval = stats.difference_interval(
        contrast.values, contrast.codes, bounds=contrast.bounds, level=level
    )
    low, high = max(interval.ends[0], -width), min(interval.ends[1], width)
    least = stats.detectable_gain(
        contrast.values, contrast.codes, bounds=contrast.bounds, alpha=1 - level
    )
    clusters = _names(task, contrast.samples, column)
    estimate = Estimate.of(contrast.value / width, low / width, high / width)
    return _Part(estimate, least / width, _adds(contrast, clusters), frozenset(clusters))


def _names(task: str, samples: Sequence[str], column: Column) -> list[Cluster]:
    """The cluster of each sample, the same in every task where it is named by the data."""
    known = dict(zip(column.samples, column.clusters, strict=True))
    return [("", known[s]) if known[s] != s else (changed(task), s) for s in samples]


def _adds(contrast: Contrast, clusters: Sequence[Cluster]) -> dict[Cluster, float] | None:
    if contrast.method or len(contrast.values) != len(clusters):
        return None
    added: dict[Cluster, float] = {}
    for name, value in zip(clusters, contrast.values - contrast.values.mean(), strict=True):
        added[name] = added.get(name, 0.0) + float(value)
    return added


def _summed(parts: Sequence[_Part], weights: Sequence[float]) -> Difference:
    """The weighted sum, with what is detectable."""
    values = [value_of(part.estimate) for part in parts]
    lows, highs = zip(*(part.estimate.ends for part in parts), strict=True)
    value = sum(w * v for w, v in zip(weights, values, strict=True))
    likeness = np.array([[_alike(a, b) for b in parts] for a in parts])

    def spread(sizes: Sequence[float]) -> float:
        if not all(map(math.isfinite, sizes)):
            return math.inf
        weighed = np.array([w * max(size, 0.0) for w, size in zip(weights, sizes, strict=True)])
        return math.sqrt(float(weighed @ likeness @ weighed))

    below = spread([v - low for v, low in zip(values, lows, strict=True)])
    above = spread([high - v for v, high in zip(values, highs, strict=True)])
    detectable = finite(spread([part.detectable for part in parts]))
    return replace(Difference.of(value, value - below, value + above), detectable=detectable)


def _alike(one: _Part, two: _Part) -> float:
    """The correlation of two tasks through the clusters they share, at least 0.

    Never below: with few clusters a negative one is noise, and would narrow the interval.
    """
    if one is two:
        return 1.0
    # Sorted: sums of floats depend on their order, and that of a set on the process.
    shared = sorted(one.clusters & two.clusters)
    if not shared:
        return 0.0
    if one.adds is None or two.adds is None:
        return 1.0
    together = sum(one.adds[name] * two.adds[name] for name in shared)
    spread = math.sqrt(
        sum(a * a for a in one.adds.values()) * sum(b * b for b in two.adds.values())
    )
    return min(1.0, max(0.0, together / spread)) if spread else 0.0


def together(comparisons: int) -> float:
    """The level of each of so many intervals that hold together at 95% (Bonferroni)."""
    return 1 - (1 - LEVEL) / max(1, comparisons)
