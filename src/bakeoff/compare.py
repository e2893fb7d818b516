"""Records and scores folded into columns; means, differences and the square with intervals.

Everything is paired by sample and resampled by cluster, from a fixed seed.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from statistics import NormalDist
from typing import Any

import numpy as np
import numpy.typing as npt

from bakeoff.core import LATENCY, QUALITY, Record, Sample, Score, digest
from bakeoff.suite import LATENCY_METRICS, TOKEN_METRICS

Floats = npt.NDArray[np.float64]

RESAMPLES = 2000
DRAW_CELLS = 4_000_000
"""Resampling weights in memory at once."""
MANY_CLUSTERS = 500
LEVEL = 0.95
_Z = NormalDist().inv_cdf(0.5 + LEVEL / 2)


@dataclass(frozen=True)
class Column:
    """The values of one metric of one setup on one task, by sample, in the task's order."""

    samples: tuple[str, ...]
    clusters: tuple[str, ...]
    values: Floats
    """NaN where the value could not be judged."""
    labels: tuple[tuple[str, str], ...] | None = None
    """(expected, predicted) where the metric is over a confusion matrix."""
    aggregate: str = "mean"

    def only(self, keep: Sequence[str]) -> Column:
        """The column over the samples named in `keep`, in that order."""
        if keep is self.samples:
            return self
        place = {sample: i for i, sample in enumerate(self.samples)}
        places = [place[sample] for sample in keep if sample in place]
        return Column(
            tuple(self.samples[i] for i in places),
            tuple(self.clusters[i] for i in places),
            self.values[places],
            tuple(self.labels[i] for i in places) if self.labels else None,
            self.aggregate,
        )

    @property
    def judged(self) -> tuple[str, ...]:
        if not np.isnan(self.values).any():
            return self.samples
        return tuple(s for s, v in zip(self.samples, self.values, strict=True) if not np.isnan(v))


Columns = Mapping[tuple[str, str, str], Column]
"""(task, setup, metric) -> column."""


@dataclass(frozen=True)
class Estimate:
    """A number with its 95% interval, what it stands on, and how the interval was made."""

    value: float | None
    low: float | None
    high: float | None
    n: int
    unjudged: int = 0
    method: str = ""

    @property
    def clear(self) -> bool:
        """Whether the interval leaves 0 out: for differences, a sign that can be told."""
        return self.low is not None and self.high is not None and not self.low <= 0 <= self.high


def columns(
    samples: Mapping[str, Mapping[str, Sample]],
    setups: Mapping[str, Sequence[str]],
    records: Iterable[Record],
    scores: Iterable[tuple[str, str, str, Mapping[str, Score]]],
    aggregates: Mapping[str, str],
) -> dict[tuple[str, str, str], Column]:
    """Every column of a run, from streams of records and of (task, setup, sample, scores).

    `setups` names those that each task was asked of. The denominator is the task's: a missing
    cell is an error of 1. A sample asked several times counts once, with its mean.
    """
    tables = {
        (task, setup): _Table(members)
        for task, members in samples.items()
        for setup in setups[task]
    }
    for record in records:
        table = tables[record.task, record.setup]
        if record.phase == QUALITY:
            _count(table, record)
        elif record.phase == LATENCY and record.repeat == 0:
            for name, value in _seconds(record).items():
                table.add(name, record.sample, value)
    for task, setup, sample, found in scores:
        for metric, score in found.items():
            value = math.nan if score.value is None else score.value
            tables[task, setup].add(metric, sample, value, score.labels)
    return {
        (*key, name): table.column(name, _MEASURED.get(name) or aggregates.get(name, "mean"))
        for key, table in tables.items()
        for name in table.sums
    }


class _Table:
    """Values by metric and sample while they come in; arrays, as there may be many."""

    def __init__(self, members: Mapping[str, Sample]) -> None:
        self.members = members
        self.samples = tuple(members)
        self.clusters = tuple(sample.cluster or name for name, sample in members.items())
        self.places = {name: place for place, name in enumerate(self.samples)}
        self.sums: dict[str, Floats] = {}
        self.counts: dict[str, Floats] = {}
        self.labels: dict[str, dict[int, tuple[str, str]]] = {}
        # A cell without a record is an error, whether or not any record came.
        self.sums["error"] = np.zeros(len(members))
        self.counts["error"] = np.zeros(len(members))

    def add(
        self, metric: str, sample: str, value: float, labels: tuple[str, str] | None = None
    ) -> None:
        if metric not in self.sums:
            self.sums[metric] = np.zeros(len(self.samples))
            self.counts[metric] = np.zeros(len(self.samples))
        place = self.places[sample]
        self.sums[metric][place] += value
        self.counts[metric][place] += 1
        if labels:
            self.labels.setdefault(metric, {}).setdefault(place, labels)

    def column(self, metric: str, aggregate: str) -> Column:
        sums, counts = self.sums[metric], self.counts[metric]
        if metric == "error":
            values = np.where(counts > 0, sums / np.maximum(counts, 1), 1.0)
            return Column(self.samples, self.clusters, values, None, aggregate)
        places = np.flatnonzero(counts)
        values = sums[places] / counts[places]
        pairs = self.labels.get(metric, {})
        labels = tuple(pairs[int(i)] for i in places) if len(pairs) == len(places) else None
        if len(places) == len(self.samples):
            return Column(self.samples, self.clusters, values, labels, aggregate)
        return Column(
            tuple(self.samples[i] for i in places),
            tuple(self.clusters[i] for i in places),
            values,
            labels,
            aggregate,
        )


def _count(table: _Table, record: Record) -> None:
    table.add("error", record.sample, float(record.error is not None))
    # No prompt has 0 tokens: a system of the user's that counts none is unknown.
    if record.answer and record.answer.tokens("prompt_tokens"):
        for kind in TOKEN_METRICS:
            table.add(kind, record.sample, float(record.answer.tokens(kind)))


_MEASURED = {
    "error": "mean",
    **dict.fromkeys(TOKEN_METRICS, "mean"),
    **dict.fromkeys(LATENCY_METRICS, "median"),
}


def _seconds(record: Record) -> dict[str, float]:
    """Seconds of the whole answer, of retrieval, to the first token, of decoding."""
    if record.answer is None or (whole := record.answer.seconds()) is None:
        return {}
    found = {"latency_s": whole}
    retrieve = record.answer.seconds("retrieve")
    prefill = record.answer.seconds("prefill")
    decode = record.answer.seconds("decode")
    if retrieve is not None:
        found["retrieve_s"] = retrieve
    if prefill is not None:
        # The user waits for retrieval before the first token can come.
        found["ttft_s"] = prefill + (retrieve or 0.0)
    if decode is not None:
        found["decode_s"] = decode
    return found


def macro_f1(expected: Floats, predicted: Floats, weights: Floats) -> Floats:
    """Macro-F1 of each weighting of the samples.

    `expected` and `predicted` are one-hot, (samples, labels); `weights` is (draws, samples).
    The mean is over the labels expected in the whole column, so that a draw without one of them
    scores 0 there, as a model that never finds it would.
    """
    hits = weights @ (expected * predicted)
    total = weights @ expected + weights @ predicted
    f1 = np.divide(2 * hits, total, out=np.zeros_like(hits), where=total > 0)
    occurring = expected.any(axis=0)
    averaged: Floats = f1[:, occurring].mean(axis=1)
    return averaged


def _statistic(column: Column) -> Callable[[Floats], Floats]:
    """The column's aggregate as a function of sample weights, (draws, samples) -> (draws,)."""
    if column.aggregate == "macro_f1" and column.labels:
        names = sorted({label for pair in column.labels for label in pair})
        place = {name: i for i, name in enumerate(names)}
        onehot = np.eye(len(names))
        expected = onehot[[place[e] for e, _ in column.labels]]
        predicted = onehot[[place[p] for _, p in column.labels]]
        return lambda weights: macro_f1(expected, predicted, weights)
    return lambda weights: weights @ column.values / weights.sum(axis=1)


def estimate(column: Column, seed: int = 0) -> Estimate:
    """The column's aggregate with a 95% interval.

    0/1 values: Wilson's score interval (Wilson 1927). Other means and macro-F1: bootstrap
    percentiles over clusters. Medians: order statistics (Conover 1999). A column without spread
    gets Wilson's interval too: its standard error of 0 would be a lie.
    """
    judged = column.only(column.judged)
    n, unjudged = len(judged.samples), len(column.samples) - len(judged.samples)
    if not n:
        return Estimate(None, None, None, 0, unjudged, "nothing judged")
    if column.aggregate == "median":
        low, high = _order_statistics(np.sort(judged.values))
        return Estimate(float(np.median(judged.values)), low, high, n, unjudged, "order statistics")
    value = float(_statistic(judged)(np.ones((1, n)))[0])
    clustered = len(set(judged.clusters)) < n
    rate = bool(np.isin(judged.values, (0.0, 1.0)).all()) and column.aggregate == "mean"
    flat = bool(np.ptp(judged.values) == 0) and 0 <= value <= 1
    if flat or (rate and not clustered):
        low, high = wilson(value, n)
        return Estimate(value, low, high, n, unjudged, "wilson")
    low, high, method = _interval([(judged, 1)], value, seed)
    return Estimate(value, low, high, n, unjudged, method)


def wilson(rate: float, n: int) -> tuple[float, float]:
    """Wilson's 95% score interval of a rate over `n` independent trials."""
    centre = (rate + _Z**2 / (2 * n)) / (1 + _Z**2 / n)
    half = _Z / (1 + _Z**2 / n) * math.sqrt(rate * (1 - rate) / n + _Z**2 / (4 * n * n))
    # Exact at the ends, where the formula leaves a rounding error.
    low = 0.0 if rate == 0 else max(0.0, centre - half)
    return low, 1.0 if rate == 1 else min(1.0, centre + half)


def _order_statistics(ordered: Floats) -> tuple[float | None, float | None]:
    """A 95% interval of the median from the ranks, or none when `n` is below 6."""
    n = len(ordered)
    cumulative = 0.0
    for rank in range(n // 2):
        cumulative += math.comb(n, rank) / 2**n
        if cumulative > (1 - LEVEL) / 2:
            return (float(ordered[rank - 1]), float(ordered[n - rank])) if rank else (None, None)
    return (float(ordered[n // 2 - 1]), float(ordered[n - n // 2])) if n >= 6 else (None, None)


def _interval(
    sides: Sequence[tuple[Column, int]], value: float, seed: int
) -> tuple[float, float, str]:
    """A 95% interval of a signed sum of aggregates over the same samples, and its method.

    Bootstrap percentiles over clusters; for means over very many clusters the normal
    approximation with cluster-robust variance, which the bootstrap only imitates there.
    """
    first = sides[0][0]
    names = sorted(set(first.clusters))
    word = "cluster " if len(names) < len(first.samples) else ""
    place = {name: i for i, name in enumerate(names)}
    member = np.array([place[c] for c in first.clusters])
    if len(names) > MANY_CLUSTERS and all(c.aggregate == "mean" for c, _ in sides):
        residuals = sum((sign * c.values for c, sign in sides), np.zeros(len(member))) - value
        sums = np.bincount(member, weights=residuals, minlength=len(names))
        half = _Z * math.sqrt(float(sums @ sums) * len(names) / (len(names) - 1)) / len(member)
        return value - half, value + half, f"{word}normal".strip()
    statistics = [(_statistic(column), sign) for column, sign in sides]
    random = np.random.default_rng([seed, int(digest(names)[:8], 16)])
    draws: list[Floats] = []
    step = max(1, DRAW_CELLS // len(member))
    for start in range(0, RESAMPLES, step):
        size = min(step, RESAMPLES - start)
        drawn = random.multinomial(len(names), np.full(len(names), 1 / len(names)), size=size)
        weights: Floats = drawn[:, member].astype(np.float64)
        draws.append(sum((sign * of(weights) for of, sign in statistics), np.zeros(size)))
    ends = np.quantile(np.concatenate(draws), [0.5 - LEVEL / 2, 0.5 + LEVEL / 2])
    return float(ends[0]), float(ends[1]), f"{word}bootstrap"


def contrast(sides: Sequence[tuple[Column, int]], seed: int = 0) -> Estimate:
    """A signed sum of aggregates over the samples judged on every side, with its interval.

    `[(hybrid, 1), (rag, -1)]` is a difference; the interaction has four sides. Paired: every
    side is resampled by the same draws.
    """
    orders = {column.judged for column, _ in sides}
    if len(orders) == 1:
        # One order already: the usual case, and the only one that is fast for many samples.
        shared: Sequence[str] = sides[0][0].judged
    else:
        # Sorted: every side in one order, whatever order its column came in.
        shared = sorted(set.intersection(*(set(order) for order in orders)))
    kept = [(c if c.samples == shared else c.only(shared), sign) for c, sign in sides]
    first = kept[0][0]
    n, unjudged = len(first.samples), len(sides[0][0].samples) - len(first.samples)
    if not n:
        return Estimate(None, None, None, 0, unjudged, "nothing judged on all sides")
    if first.aggregate == "median":
        differences = sum((sign * column.values for column, sign in kept), np.zeros(n))
        low, high = _order_statistics(np.sort(differences))
        value = float(np.median(differences))
        return Estimate(value, low, high, n, unjudged, "paired order statistics")
    ones = np.ones((1, n))
    value = sum(sign * float(_statistic(column)(ones)[0]) for column, sign in kept)
    low, high, method = _interval(kept, value, seed)
    return Estimate(value, low, high, n, unjudged, f"paired {method}")


EFFECTS: Mapping[str, Mapping[str, int]] = {
    "tuning, closed book": {"fine-tuned": 1, "base": -1},
    "tuning, open book": {"hybrid": 1, "rag": -1},
    "retrieval, untuned": {"rag": 1, "base": -1},
    "retrieval, tuned": {"hybrid": 1, "fine-tuned": -1},
    "interaction": {"hybrid": 1, "rag": -1, "fine-tuned": -1, "base": 1},
}
"""The square by subtraction: effect -> the sign of each corner."""


def corners(kinds: Mapping[str, str]) -> dict[str, str]:
    """Kind -> setup, for the kinds that exactly one setup has (setup -> kind given)."""
    return {
        kind: next(s for s, k in kinds.items() if k == kind)
        for kind in ("base", "fine-tuned", "rag", "hybrid")
        if list(kinds.values()).count(kind) == 1
    }


def compare(
    table: Columns,
    samples: Mapping[str, Mapping[str, Sample]],
    kinds: Mapping[str, str],
    headlines: Mapping[str, str],
    seed: int = 0,
) -> dict[str, Any]:
    """The comparison as plain JSON: per task and metric, estimates, effects, differences, slices.

    `kinds` maps setups to their corner, `headlines` tasks to the metric sliced by tag.
    """
    square = corners(kinds)
    tasks: dict[str, Any] = {}
    for task, members in samples.items():
        metrics: dict[str, Any] = {}
        for metric in dict.fromkeys(m for t, _, m in table if t == task):
            mine = {s: table[task, s, metric] for s in kinds if (task, s, metric) in table}
            metrics[metric] = _summary(mine, square, seed)
        tasks[task] = {
            "n": len(members),
            "headline": headlines[task],
            "metrics": metrics,
            "answered": _answered(task, table, kinds, headlines[task], seed),
            "slices": _slices(task, members, table, kinds, headlines[task], square, seed),
        }
    return {"level": LEVEL, "seed": seed, "resamples": RESAMPLES, "setups": kinds, "tasks": tasks}


def _answered(
    task: str, table: Columns, kinds: Mapping[str, str], metric: str, seed: int
) -> dict[str, Any]:
    """The other denominator: each setup over what it answered, when any of them failed.

    The samples then differ between setups, so there are no differences: only estimates.
    """
    errors = {s: table[task, s, "error"] for s in kinds if (task, s, "error") in table}
    if not any(column.values.any() for column in errors.values()):
        return {}
    found = {}
    for setup, column in errors.items():
        places = np.flatnonzero(column.values == 0)
        if (scores := table.get((task, setup, metric))) and len(places):
            kept = scores.only([column.samples[i] for i in places])
            found[setup] = asdict(estimate(kept, seed))
    return found


def _summary(mine: Mapping[str, Column], square: Mapping[str, str], seed: int) -> dict[str, Any]:
    names = list(mine)
    return {
        "setups": {name: asdict(estimate(column, seed)) for name, column in mine.items()},
        "effects": {
            effect: asdict(contrast([(mine[square[k]], s) for k, s in signs.items()], seed))
            for effect, signs in EFFECTS.items()
            if all(square.get(kind) in mine for kind in signs)
        },
        "differences": {
            f"{b} - {a}": asdict(contrast([(mine[b], 1), (mine[a], -1)], seed))
            for i, a in enumerate(names)
            for b in names[i + 1 :]
        },
    }


def _slices(
    task: str,
    members: Mapping[str, Sample],
    table: Columns,
    kinds: Mapping[str, str],
    metric: str,
    square: Mapping[str, str],
    seed: int,
) -> dict[str, Any]:
    mine = {s: table[task, s, metric] for s in kinds if (task, s, metric) in table}
    slices: dict[str, Any] = {}
    for tag in sorted({f"{k}={v}" for s in members.values() for k, v in s.tags.items()}):
        name, _, value = tag.partition("=")
        keep = [s.id for s in members.values() if s.tags.get(name) == value]
        if 5 <= len(keep) < len(members):
            cut = {setup: column.only(keep) for setup, column in mine.items()}
            slices[tag] = _summary(cut, square, seed)
    return slices
