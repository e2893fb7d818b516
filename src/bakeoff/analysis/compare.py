"""Columns set side by side: means, paired differences and the square, with intervals.

Everything is paired by sample and, where a task names clusters, by cluster. No random numbers
are drawn: the same columns give the same comparison in every process.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations

import numpy as np

from bakeoff.analysis import stats
from bakeoff.analysis.abstention import abstention
from bakeoff.analysis.columns import Column, Columns
from bakeoff.analysis.comparison import Change, Changed, Comparison, Summary, TaskComparison
from bakeoff.analysis.consistency import consistency, opinions
from bakeoff.analysis.stats import LEVEL, Bounds, Floats, Statistic
from bakeoff.core.estimate import Difference, Estimate, finite
from bakeoff.core.words import Sample

CHANGED = 50
"""Samples named in a comparison, of those that changed sides."""
SLICE = 5
"""Samples that a slice holds at the least."""
_OPINION = re.compile(r"(?<=\W)((?:verifier|by)='[^']*)#\d+(?=')")


def estimate(column: Column) -> Estimate:
    """The aggregate with the 95% interval that fits it; see `docs/reference/statistics.md`."""
    judged = column.only(column.judged)
    n, unjudged = len(judged.samples), len(column.samples) - len(judged.samples)
    if not n:
        return Estimate(unjudged=unjudged, method="nothing judged")
    return replace(_interval(judged), n=n, unjudged=unjudged)


def _interval(judged: Column) -> Estimate:
    measure = judged.measure
    if measure.aggregate == "median":
        interval = stats.quantile_interval(judged.values, 0.5, judged.codes)
        # A side that the sample is too small to bound leaves no interval at all.
        return interval if interval.known else Estimate(interval.value)
    if judged.labels and measure.aggregate == "macro_f1":
        features, statistic = confusion(judged.labels)
        return stats.statistic_interval(features, statistic, judged.codes, bounds=stats.RATE)
    exact = not measure.higher_is_better
    return stats.mean_interval(judged.values, judged.codes, bounds=measure.bounds, exact=exact)


def confusion(labels: Sequence[tuple[str, str]]) -> tuple[Floats, Statistic]:
    """Features of (expected, predicted) pairs, and macro-F1 as a function of their sums.

    The features are hits, expected and predicted by label, (samples, 3 labels). The mean is over
    the labels expected in the whole column, so that a part without one of them scores 0 there,
    as a model that never finds it would.
    """
    names = sorted({label for pair in labels for label in pair})
    place = {name: i for i, name in enumerate(names)}
    onehot = np.eye(len(names))
    expected = onehot[[place[e] for e, _ in labels]]
    predicted = onehot[[place[p] for _, p in labels]]
    occurring = expected.any(axis=0)

    def macro_f1(sums: Floats) -> Floats:
        hits, wanted, predictions = np.split(sums, 3, axis=1)
        total = wanted + predictions
        f1 = np.divide(2 * hits, total, out=np.zeros_like(hits), where=total > 0)
        averaged: Floats = f1[:, occurring].mean(axis=1)
        return averaged

    return np.hstack([expected * predicted, expected, predicted]), macro_f1


Sides = Sequence[tuple[Column, float]]
"""Columns and their factors: `[(hybrid, 1), (rag, -1)]` is a difference."""


@dataclass(frozen=True)
class Contrast:
    """A weighted sum of columns, sample by sample: what a difference, or a gate, is judged on."""

    values: Floats
    """Their mean is the contrast, and has its error: of samples, or of the jackknife."""
    codes: stats.Ints | None
    bounds: Bounds | None
    samples: tuple[str, ...]
    unjudged: int
    value: float
    method: str


def shared(sides: Sides) -> tuple[list[tuple[Column, float]], int]:
    """The sides over the samples judged on all of them, in one order, and how many are left out."""
    orders = {column.judged for column, _ in sides}
    if len(orders) == 1:
        # One order already: the usual case, and the only one that is fast for many samples.
        keep: Sequence[str] = sides[0][0].judged
    else:
        # Sorted: every side in one order, whatever order its column came in.
        keep = sorted(set.intersection(*(set(order) for order in orders)))
    kept = [(c if c.samples == keep else c.only(keep), factor) for c, factor in sides]
    return kept, len(sides[0][0].samples) - len(keep)


def combine(sides: Sides) -> Contrast:
    """The weighted sum of means or of macro-F1, sample by sample; medians have no such sum."""
    kept, unjudged = shared(sides)
    first = kept[0][0]
    bounds = _bounds(kept)
    if first.measure.aggregate == "macro_f1" and all(c.labels for c, _ in kept):
        values, codes, value = _smooth(kept)
        return Contrast(values, codes, None, first.samples, unjudged, value, "jackknife")
    values = sum((factor * c.values for c, factor in kept), np.zeros(len(first.samples)))
    value = float(values.mean()) if len(values) else math.nan
    return Contrast(values, first.codes, bounds, first.samples, unjudged, value, "")


def _bounds(sides: Sides) -> Bounds | None:
    low = high = 0.0
    for column, factor in sides:
        if column.measure.bounds is None:
            return None
        ends = sorted(factor * end for end in column.measure.bounds)
        low, high = low + ends[0], high + ends[1]
    return low, high


def _smooth(sides: Sides) -> tuple[Floats, stats.Ints | None, float]:
    parts = [(*confusion(c.labels or ()), factor) for c, factor in sides]
    widths = np.cumsum([features.shape[1] for features, _, _ in parts])[:-1]

    def statistic(sums: Floats) -> Floats:
        split = np.split(sums, widths, axis=1)
        zero = np.zeros(len(sums))
        return sum((f * of(s) for (_, of, f), s in zip(parts, split, strict=True)), zero)

    features = np.hstack([part[0] for part in parts])
    value = float(statistic(features.sum(axis=0, keepdims=True))[0])
    if len(features) < 2:
        return np.full(len(features), value), None, value
    return stats.pseudo_values(features, statistic, sides[0][0].codes), None, value


def contrast(sides: Sides) -> Difference:
    """A weighted sum of aggregates over the samples judged on every side, with its interval."""
    if sides[0][0].measure.aggregate == "median":
        return _of_medians(sides)
    combined = combine(sides)
    n = len(combined.samples)
    if not n:
        return Difference(unjudged=combined.unjudged, method="nothing judged on all sides")
    values, codes, bounds = combined.values, combined.codes, combined.bounds
    interval = stats.difference_interval(values, codes, bounds=bounds)
    detectable = stats.detectable_gain(values, codes, bounds=bounds)
    wins, ties, losses = stats.win_tie_loss(_pairs(sides, combined))
    effect = combined.value
    p = stats.difference_p(values, codes, bounds=bounds)
    needed = _needed(n, detectable, effect)
    # The test's p moves in steps: it may miss what as many samples would mostly find.
    known = needed is not None and (needed > n or p < stats.ALPHA)
    return Difference(
        effect,
        interval.low,
        interval.high,
        n,
        combined.unjudged,
        f"paired {combined.method or interval.method}",
        p=p,
        wins=wins,
        ties=ties,
        losses=losses,
        detectable=finite(detectable),
        needed=needed if known else None,
    )


def _needed(n: int, detectable: float, effect: float) -> int | None:
    """Samples for which the effect would be the detectable one."""
    if not math.isfinite(detectable) or not effect:
        return None
    return math.ceil(n * (detectable / effect) ** 2)


def _pairs(sides: Sides, combined: Contrast) -> Floats:
    """Differences of the samples' own scores: those of the jackknife are of no sample."""
    if not combined.method:
        return np.where(np.abs(combined.values) < 1e-12, 0.0, combined.values)
    kept, _ = shared(sides)
    return sum((factor * c.values for c, factor in kept), np.zeros(len(combined.samples)))


def _of_medians(sides: Sides) -> Difference:
    kept, unjudged = shared(sides)
    n = len(kept[0][0].samples)
    if not n:
        return Difference(unjudged=unjudged, method="nothing judged on all sides")
    differences = sum((factor * column.values for column, factor in kept), np.zeros(n))
    codes = kept[0][0].codes
    interval = stats.quantile_interval(differences, 0.5, codes)
    # The sign test, of clusters where there are any.
    p = stats.sign_flip_p(np.sign(differences), codes)
    wins, ties, losses = stats.win_tie_loss(differences)
    method = f"paired {interval.method}"
    ends = (interval.low, interval.high)
    return Difference(interval.value, *ends, n, unjudged, method, p, wins, ties, losses)


EFFECTS: Mapping[str, Mapping[str, int]] = {
    "tuning, closed book": {"fine-tuned": 1, "base": -1},
    "tuning, open book": {"hybrid": 1, "rag": -1},
    "retrieval, untuned": {"rag": 1, "base": -1},
    "retrieval, tuned": {"hybrid": 1, "fine-tuned": -1},
    "interaction": {"hybrid": 1, "rag": -1, "fine-tuned": -1, "base": 1},
}
"""The square by subtraction: effect -> the sign of each corner."""


def corners(kinds: Mapping[str, str]) -> dict[str, str]:
    """Kind -> setup (setup -> kind given): the only one of its kind, or the one named like it."""
    square = {}
    for kind in ("base", "fine-tuned", "rag", "hybrid"):
        setups = [setup for setup, known in kinds.items() if known == kind]
        if kind in setups or len(setups) == 1:
            square[kind] = kind if kind in setups else setups[0]
    return square


def compare(
    table: Columns,
    samples: Mapping[str, Mapping[str, Sample]],
    kinds: Mapping[str, str],
    headlines: Mapping[str, str],
) -> Comparison:
    """The comparison: by task and metric estimates, effects, differences, slices.

    `kinds` maps setups to their corner, `headlines` tasks to the metric sliced by tag.
    """
    square = corners(kinds)
    tasks: dict[str, TaskComparison] = {}
    for task, members in samples.items():
        metrics = _metrics(task, table, kinds, square)
        headline = headlines[task]
        mine = {s: table[task, s, headline] for s in kinds if (task, s, headline) in table}
        tasks[task] = TaskComparison(
            len(members),
            headline,
            metrics,
            _answered(task, table, kinds, headline),
            {f"{b} - {a}": changed(mine[b], mine[a]) for a, b in combinations(mine, 2)},
            {
                setup: cells
                for setup in mine
                if (cells := abstention(table, task, setup, members, headline))
            },
            {s: c for s in kinds if (c := _confused(table, task, s))},
            _slices(members, mine, square),
        )
    return Comparison(LEVEL, kinds, tasks)


def _metrics(
    task: str, table: Columns, kinds: Mapping[str, str], square: Mapping[str, str]
) -> dict[str, Summary]:
    names = list(dict.fromkeys(m for t, _, m in table if t == task))
    again = _asked_again(names)
    summaries: dict[str, Summary] = {}
    for metric in names:
        mine = {s: table[task, s, metric] for s in kinds if (task, s, metric) in table}
        asked = {
            s: [t for m in again.get(metric, ()) if (t := table.get((task, s, m))) is not None]
            for s in kinds
        }
        summaries[metric] = replace(
            _summary(mine, square),
            repeats={s: repeats for s, c in mine.items() if (repeats := consistency(c))},
            opinions={s: split for s, columns in asked.items() if (split := opinions(columns))},
        )
    return summaries


def _confused(table: Columns, task: str, setup: str) -> tuple[tuple[str, str, int], ...]:
    """The confusion matrix of a setup: (expected, predicted, answers) of every pair that occurs."""
    labels = (c.labels for (t, s, _), c in table.items() if (t, s) == (task, setup) and c.labels)
    counts = Counter(next(labels, ()))
    return tuple(sorted((*pair, n) for pair, n in counts.items()))


def changed(left: Column, right: Column, most: int = CHANGED) -> Changed:
    """The samples that the left side does worse (`broke`) and better, largest change first."""
    (one, _), (two, _) = shared([(left, 1), (right, -1)])[0]
    gap = one.values - two.values
    better = gap if left.measure.higher_is_better else -gap

    def largest(order: Floats) -> tuple[Change, ...]:
        places = [int(i) for i in np.argsort(order, kind="stable")[:most] if order[i] < -1e-12]
        return tuple(
            Change(one.samples[i], float(one.values[i]), float(two.values[i])) for i in places
        )

    return Changed(largest(better), largest(-better))


def _asked_again(metrics: Collection[str]) -> dict[str, list[str]]:
    """Metrics by several opinions of one judge (`judge:m`, `judge:m#2`): the first -> all."""
    groups: dict[str, list[str]] = {}
    for metric in metrics:
        groups.setdefault(_OPINION.sub(r"\1", metric), []).append(metric)
    first = {min(again, key=len): sorted(again) for again in groups.values()}
    return {metric: again for metric, again in first.items() if len(again) > 1}


def _answered(
    task: str, table: Columns, kinds: Mapping[str, str], metric: str
) -> dict[str, Estimate]:
    """The other denominator: each setup over what it answered, when any of them failed.

    The samples then differ between setups, so there are no differences: only estimates.
    """
    errors = {s: table[task, s, "error"] for s in kinds if (task, s, "error") in table}
    if not any(column.values.any() for column in errors.values()):
        return {}
    estimates = {}
    for setup, column in errors.items():
        places = np.flatnonzero(column.values == 0)
        if (scores := table.get((task, setup, metric))) and len(places):
            estimates[setup] = estimate(scores.only([column.samples[i] for i in places]))
    return estimates


def _summary(mine: Mapping[str, Column], square: Mapping[str, str]) -> Summary:
    return Summary(
        {name: estimate(column) for name, column in mine.items()},
        {
            effect: contrast([(mine[square[k]], s) for k, s in signs.items()])
            for effect, signs in EFFECTS.items()
            if all(square.get(kind) in mine for kind in signs)
        },
        {f"{b} - {a}": contrast([(mine[b], 1), (mine[a], -1)]) for a, b in combinations(mine, 2)},
    )


def _slices(
    members: Mapping[str, Sample], mine: Mapping[str, Column], square: Mapping[str, str]
) -> dict[str, Summary]:
    slices: dict[str, Summary] = {}
    for tag in sorted({f"{k}={v}" for s in members.values() for k, v in s.tags.items()}):
        name, _, value = tag.partition("=")
        keep = [s.id for s in members.values() if s.tags.get(name) == value]
        if SLICE <= len(keep) < len(members):
            cut = {setup: column.only(keep) for setup, column in mine.items()}
            slices[tag] = _summary(cut, square)
    return _adjusted(slices)


def _adjusted(slices: Mapping[str, Summary]) -> dict[str, Summary]:
    """One slice in twenty differs by chance: each p also after Benjamini and Hochberg."""
    parts = [part for summary in slices.values() for part in (summary.effects, summary.differences)]
    raw = [
        difference.p for part in parts for difference in part.values() if difference.p is not None
    ]
    adjusted = iter(stats.adjust_discoveries(raw))

    def with_p(part: Mapping[str, Difference]) -> dict[str, Difference]:
        return {
            name: difference
            if difference.p is None
            else replace(difference, p_adjusted=next(adjusted))
            for name, difference in part.items()
        }

    return {
        tag: replace(
            summary, effects=with_p(summary.effects), differences=with_p(summary.differences)
        )
        for tag, summary in slices.items()
    }
