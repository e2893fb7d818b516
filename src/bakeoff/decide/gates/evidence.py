"""The evidence of a run's rows for one check: the gap between estimate and claim, with its tests.

A check is a contrast, `left - factor * right - shift`, turned so that at least 0 is what it
claims, on rows paired by sample and clustered where the task names clusters.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from bakeoff.analysis import stats
from bakeoff.analysis.columns import Column
from bakeoff.analysis.compare import Contrast, combine, confusion, shared
from bakeoff.analysis.stats import Bounds, Floats, Ints
from bakeoff.core.counts import quantity
from bakeoff.core.estimate import Estimate, finite, value_of
from bakeoff.core.measure import LATENCY_METRICS
from bakeoff.core.words import BakeoffError
from bakeoff.decide.gates.aggregates import Fact, PerSample, Quantile, aggregate
from bakeoff.decide.gates.language import Check, Ref
from bakeoff.decide.gates.sides import Evidence, changed, columns_of, sides
from bakeoff.runs.verdicts import Changed

NAMED = 20
"""Samples named with a verdict."""

Alternative = Literal["less", "greater"]


@dataclass(frozen=True)
class Finding:
    """The evidence for one gate before it is decided."""

    left: float
    right: float
    gap: Estimate
    """Estimate - claim: below 0 where the claim does not hold."""
    violated: float = 1.0
    """One-sided p of "the claim holds": small when it is violated."""
    holds: float = 1.0
    """One-sided p of "the claim is violated": small when it holds."""
    reach: float = 0.0
    """The smallest `violated` that so many samples can give."""
    changes: tuple[int, int, int] = (0, 0, 0)
    """Samples on which the left side wins, ties and loses."""
    detectable: float | None = None
    """The smallest true violation found in 80% of such comparisons."""
    noisy_gap: tuple[float, float] = (math.nan, math.nan)
    """The gap with the left side divided and multiplied by the machine's noise; NaN: no times."""
    note: str = ""
    broke: Sequence[Changed] = ()
    mended: Sequence[Changed] = ()


def find(check: Check, evidence: Evidence) -> Finding:
    """The finding. Raises `BakeoffError` where evidence is missing, broken or not comparable."""
    columns, left_out = sides(check, evidence)
    note = f"; {quantity(left_out, 'failed answer')} left out" if left_out else ""
    if check.right and (names := dict.fromkeys(c.name for c in changed(check, evidence))):
        note += f"; other than the {check.right.origin}: {', '.join(names)}"
    finding = replace(_test(check, columns, evidence.policy.alpha), note=note)
    if check.left.metric in LATENCY_METRICS and check.right and not check.right.origin:
        finding = _with_noise(finding, check, evidence)
    return finding


def _test(check: Check, columns: Sequence[Column], alpha: float) -> Finding:
    kind = aggregate(check.left.aggregate)
    if isinstance(kind, Fact):
        return _fact(check, columns, kind)
    if isinstance(kind, PerSample):
        columns = [_per_sample(column, check.left, kind) for column in columns]
    if kind is None and columns[0].measure.aggregate == "median":
        kind = Quantile(0.5)
    if isinstance(kind, Quantile):
        return _of_quantile(check, columns, kind.share)
    if len(columns) == 1:
        return _against_number(check, columns[0], alpha)
    return _paired(check, columns, alpha)


def _per_sample(column: Column, ref: Ref, kind: PerSample) -> Column:
    """The aggregate of each sample, from how many of its repeated answers are right."""
    answers = column.answers if column.answers is not None else column.values[:, None]
    known = ~np.isnan(answers)
    if not np.isin(answers[known], (0.0, 1.0)).all():
        raise BakeoffError(f"{ref.aggregate} needs answers that are correct or wrong, 1 or 0")
    trials = known.sum(axis=1)
    if kind.k > (fewest := int(trials.min())):
        raise BakeoffError(
            f"{ref.aggregate} needs {quantity(kind.k, 'answer')} per sample, and one "
            f"sample has {fewest}: "
            f"run with --repeats {kind.k}"
        )
    values = kind.rule(np.nansum(answers, axis=1).astype(np.int64), trials, kind.k)
    return replace(column, values=values, answers=None)


def _values(column: Column) -> tuple[Floats, Ints | None]:
    judged = column.only(column.judged)
    return judged.values, judged.codes


def _fact(check: Check, columns: Sequence[Column], fact: Fact) -> Finding:
    # Money is spent on every repeat, and the worst of them is the largest.
    every = [
        column.answers.ravel() if fact.repeats and column.answers is not None else column.values
        for column in columns
    ]
    sides = [fact.of(values[~np.isnan(values)]) for values in every]
    limit = check.factor * sides[1] + check.shift if len(sides) > 1 else check.shift
    n = len(columns[0].judged)
    return Finding(sides[0], limit, Estimate(check.sign * (sides[0] - limit), n=n))


def _against_number(check: Check, column: Column, alpha: float) -> Finding:
    """A mean, a rate or a macro-F1 against a number."""
    sign, limit, bounds = check.sign, check.shift, column.measure.bounds
    if column.measure.aggregate == "macro_f1" and column.labels:
        return _of_contrast(check, combine([(column, float(sign))]), alpha, limit)
    values, codes = _values(column)
    exact = not column.measure.higher_is_better
    interval = stats.mean_interval(values, codes, bounds=bounds, exact=exact)
    less, more = _sides(sign)
    binary = bounds == stats.RATE and bool(np.isin(values, (0.0, 1.0)).all())
    worst = _worst(values, bounds, sign)
    if binary:
        detectable = stats.detectable_rate(values, codes, limit, less, alpha=alpha)
        violated = stats.rate_p(values, codes, limit, less)
        holds = stats.rate_p(values, codes, limit, more)
        reach = stats.rate_p(worst, codes, limit, less)
    else:
        turned, between = sign * values, _turned(bounds, sign)
        margin = sign * limit
        detectable = _detectable(turned, codes, margin, between, alpha)
        violated = _p(turned, codes, margin, "less", between)
        holds = _p(turned, codes, margin, "greater", between)
        reach = _reach(sign * worst, codes, margin, between)
    left = float(values.mean())
    gap = _gap(left, interval, sign, limit, len(values))
    return Finding(
        left,
        limit,
        gap,
        violated,
        holds,
        reach,
        detectable=finite(detectable),
        broke=_lowest(column, sign, limit) if value_of(gap) < 0 else (),
    )


def _sides(sign: int) -> tuple[Alternative, Alternative]:
    """What violates the claim, and what it claims."""
    return ("less", "greater") if sign > 0 else ("greater", "less")


def _gap(value: float, interval: Estimate, sign: int, limit: float, n: int) -> Estimate:
    """The gap between a value and a number, with the value's own interval."""
    low, high = sorted(sign * (end - limit) for end in interval.ends)
    return Estimate.of(sign * (value - limit), low, high, interval.method, n)


def _lowest(column: Column, sign: int, limit: float) -> list[Changed]:
    """The samples furthest on the wrong side of the limit."""
    order = np.argsort(sign * np.nan_to_num(column.values, nan=sign * math.inf), kind="stable")
    return [
        _changed(column.samples[int(i)], float(column.values[i]), None)
        for i in order[:NAMED]
        if sign * (column.values[i] - limit) < 0
    ]


def _changed(name: str, left: float, right: float | None) -> Changed:
    task, _, sample = name.partition("/")
    return Changed(task=task, sample=sample, left=left, right=right)


def _p(
    values: Floats,
    codes: Ints | None,
    margin: float,
    alternative: Alternative,
    bounds: Bounds | None,
) -> float:
    return stats.difference_p(values, codes, margin=margin, alternative=alternative, bounds=bounds)


def _detectable(
    values: Floats, codes: Ints | None, margin: float, bounds: Bounds | None, alpha: float
) -> float:
    return stats.detectable_gain(values, codes, bounds=bounds, margin=margin, alpha=alpha, sides=1)


def _turned(bounds: Bounds | None, sign: int) -> Bounds | None:
    return bounds if bounds is None or sign > 0 else (-bounds[1], -bounds[0])


def _worst(values: Floats, bounds: Bounds | None, sign: int) -> Floats:
    """As many values, all as bad as they can be."""
    if bounds is None:
        return values
    return np.full(len(values), bounds[0] if sign > 0 else bounds[1])


def _reach(worst: Floats, codes: Ints | None, margin: float, bounds: Bounds | None) -> float:
    """The smallest p of a violation that is possible with so many samples."""
    if bounds is None or not np.isfinite(worst).all():
        groups = len(worst) if codes is None else len(np.unique(codes))
        return 0.0 if groups > 2 else 1.0
    return _p(worst, codes, margin, "less", bounds)


def _paired(check: Check, columns: Sequence[Column], alpha: float) -> Finding:
    sign = float(check.sign)
    contrast = combine([(columns[0], sign), (columns[1], -sign * check.factor)])
    if not len(contrast.values):
        raise BakeoffError("no evidence: no sample was scored on both sides")
    return _of_contrast(check, contrast, alpha, check.shift, columns)


def _of_contrast(
    check: Check, contrast: Contrast, alpha: float, shift: float, columns: Sequence[Column] = ()
) -> Finding:
    values, codes, bounds = contrast.values, contrast.codes, contrast.bounds
    margin = check.sign * shift
    interval = stats.difference_interval(values, codes, bounds=bounds)
    worst = np.full(len(values), bounds[0]) if bounds else values
    left = _mean_of(columns[0], contrast) if columns else check.sign * contrast.value
    gap = contrast.value - margin
    low, high = (end - margin for end in interval.ends)
    method = contrast.method or interval.method
    finding = Finding(
        left,
        left - check.sign * gap,
        Estimate.of(gap, low, high, method, len(contrast.samples)),
        _p(values, codes, margin, "less", bounds),
        _p(values, codes, margin, "greater", bounds),
        _reach(worst, codes, margin, bounds),
        detectable=finite(_detectable(values, codes, margin, bounds, alpha)),
    )
    if len(columns) < 2:
        return finding
    broke, mended, changes = _changes(check, columns)
    return replace(finding, changes=changes, broke=broke, mended=mended)


def _mean_of(column: Column, contrast: Contrast) -> float:
    kept = column.only(contrast.samples)
    if contrast.method and kept.labels:
        features, statistic = confusion(kept.labels)
        return float(statistic(features.sum(axis=0, keepdims=True))[0])
    return float(kept.values.mean())


def _changes(
    check: Check, columns: Sequence[Column]
) -> tuple[list[Changed], list[Changed], tuple[int, int, int]]:
    """Samples that lost and won most, and how many won, tied and lost, sample against sample."""
    (left, _), (right, _) = shared([(columns[0], 1.0), (columns[1], -1.0)])[0]
    gain = check.sign * (left.values - check.factor * right.values)
    gain = np.where(np.abs(gain) < 1e-12, 0.0, gain)

    def named(order: Floats) -> list[Changed]:
        places = [int(i) for i in np.argsort(order, kind="stable")[:NAMED] if order[i] < 0]
        return [
            _changed(left.samples[i], float(left.values[i]), float(right.values[i])) for i in places
        ]

    return named(gain), named(-gain), stats.win_tie_loss(gain)


def _of_quantile(check: Check, columns: Sequence[Column], share: float) -> Finding:
    sign, limit = check.sign, check.shift
    if len(columns) == 1:
        values, codes = _values(columns[0])
        interval = stats.quantile_interval(values, share, codes)
        less, more = _sides(sign)
        value = stats.quantile(values, share)
        return Finding(
            value,
            limit,
            _gap(value, interval, sign, limit, len(values)),
            stats.quantile_p(values, share, limit, less, codes),
            stats.quantile_p(values, share, limit, more, codes),
            # The p of a limit that every value violates.
            stats.quantile_p(values, share, math.inf if sign > 0 else -math.inf, less, codes),
        )
    (left, _), (right, _) = shared([(columns[0], 1.0), (columns[1], -1.0)])[0]
    codes = left.codes
    if codes is not None and len(np.unique(codes)) == 1:
        raise BakeoffError("no evidence: all samples are of one cluster")
    value, other = (stats.quantile(side.values, share) for side in (left, right))
    limit = check.factor * other + check.shift
    gap, n = sign * (value - limit), len(left.samples)
    method = "paired bootstrap" if codes is None else "paired cluster bootstrap"
    # Both sides must be known well enough for their upper order statistic to be a bound.
    known = min(stats.effective_trials(side.values, share, codes) for side in (left, right))
    if known < stats.samples_to_bound(max(share, 1 - share)):
        return Finding(value, limit, Estimate(gap, n=n, method=method), reach=1.0)
    draws = stats.quantile_draws(left.values, right.values, share, codes)
    gaps = sign * (draws[0] - check.factor * draws[1] - check.shift)
    degrees = stats.gap_degrees(left.values, right.values, share, codes)
    return Finding(
        value,
        limit,
        Estimate.of(gap, *stats.draws_interval(gap, gaps, degrees), method, n),
        stats.draws_p(gap, gaps, degrees),
        stats.draws_p(-gap, -gaps, degrees),
    )


def _with_noise(finding: Finding, check: Check, evidence: Evidence) -> Finding:
    tasks = columns_of(check.left, evidence.rows)
    factors = [evidence.rows.noise.get(task, math.inf) for task in tasks]
    factor = max(factors)

    def gap(left: float) -> float:
        return check.sign * (left - finding.right)

    left, sign = finding.left, check.sign
    kinder = math.inf if math.isinf(factor) else gap(left * factor**sign)
    harsher = -math.inf if math.isinf(factor) else gap(left * factor**-sign)
    return replace(finding, noisy_gap=(kinder, harsher))
