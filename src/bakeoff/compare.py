"""Records and scores folded into columns; means, differences and the square with intervals.

Everything is paired by sample and resampled by cluster, from a fixed seed.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from statistics import NormalDist
from typing import Any

import numpy as np
import numpy.typing as npt

from bakeoff.core import LATENCY, QUALITY, Record, Sample, Score, digest
from bakeoff.suite import LATENCY_METRICS, TOKEN_METRICS

Floats = npt.NDArray[np.float64]

RESAMPLES = 2000
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
    records: Sequence[Record],
    scores: Mapping[tuple[str, str, str], Mapping[str, Score]],
    aggregates: Mapping[str, str],
) -> dict[tuple[str, str, str], Column]:
    """Every column of a run; `setups` names those that each task was asked of.

    The denominator is the task's: a missing cell is an error of 1.
    """
    by_key = {record.key: record for record in records}
    built: dict[tuple[str, str, str], Column] = {}
    for task, members in samples.items():
        for setup in setups[task]:
            cells = [by_key.get((QUALITY, task, setup, s)) for s in members]
            errors = [float(cell is None or cell.error is not None) for cell in cells]
            found = {"error": dict(zip(members, errors, strict=True))}
            for kind in TOKEN_METRICS:
                found[kind] = {
                    s: float(cell.answer.tokens(kind))
                    for s, cell in zip(members, cells, strict=True)
                    # No prompt has 0 tokens: a system of the user's that counts none is unknown.
                    if cell and cell.answer and cell.answer.tokens("prompt_tokens")
                }
            timed = [by_key.get((LATENCY, task, setup, s)) for s in members]
            found |= _seconds([record for record in timed if record])
            for name, values in found.items():
                if values:
                    built[task, setup, name] = _column(members, values, aggregate=_MEASURED[name])
            metrics = {m: None for s in members for m in scores.get((task, setup, s), {})}
            for metric in metrics:
                mine = {
                    s: scores[task, setup, s][metric]
                    for s in members
                    if metric in scores.get((task, setup, s), {})
                }
                values = {s: math.nan if v.value is None else v.value for s, v in mine.items()}
                pairs = {s: v.labels for s, v in mine.items() if v.labels}
                aggregate = aggregates.get(metric, "mean")
                built[task, setup, metric] = _column(members, values, pairs, aggregate)
    return built


_MEASURED = {
    "error": "mean",
    **dict.fromkeys(TOKEN_METRICS, "mean"),
    **dict.fromkeys(LATENCY_METRICS, "median"),
}


def _seconds(records: Sequence[Record]) -> dict[str, dict[str, float]]:
    """Latency columns: of the whole answer, of retrieval, to the first token, of decoding."""
    found: dict[str, dict[str, float]] = {name: {} for name in LATENCY_METRICS}
    for record in records:
        if record.answer is None or (whole := record.answer.seconds()) is None:
            continue
        retrieve = record.answer.seconds("retrieve")
        prefill = record.answer.seconds("prefill")
        decode = record.answer.seconds("decode")
        found["latency_s"][record.sample] = whole
        if retrieve is not None:
            found["retrieve_s"][record.sample] = retrieve
        if prefill is not None:
            # The user waits for retrieval before the first token can come.
            found["ttft_s"][record.sample] = prefill + (retrieve or 0.0)
        if decode is not None:
            found["decode_s"][record.sample] = decode
    return found


def _column(
    members: Mapping[str, Sample],
    values: Mapping[str, float],
    labels: Mapping[str, tuple[str, str] | None] | None = None,
    aggregate: str = "mean",
) -> Column:
    present = [s for s in members if s in values]
    pairs = tuple(p for s in present if (p := (labels or {}).get(s)))
    return Column(
        tuple(present),
        tuple(members[s].cluster or s for s in present),
        np.array([values[s] for s in present], dtype=np.float64),
        pairs if len(pairs) == len(present) and pairs else None,
        aggregate,
    )


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
    draws = _statistic(judged)(_weights(judged.clusters, seed))
    low, high = (float(q) for q in np.quantile(draws, [0.5 - LEVEL / 2, 0.5 + LEVEL / 2]))
    method = "cluster bootstrap" if clustered else "bootstrap"
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


def _weights(clusters: Sequence[str], seed: int) -> Floats:
    """Bootstrap weights (draws, samples): clusters drawn with replacement."""
    names = sorted(set(clusters))
    random = np.random.default_rng([seed, int(digest(names)[:8], 16)])
    drawn = random.multinomial(len(names), np.full(len(names), 1 / len(names)), size=RESAMPLES)
    place = {name: i for i, name in enumerate(names)}
    weights: Floats = drawn[:, [place[c] for c in clusters]].astype(np.float64)
    return weights


def contrast(sides: Sequence[tuple[Column, int]], seed: int = 0) -> Estimate:
    """A signed sum of aggregates over the samples judged on every side, with its interval.

    `[(hybrid, 1), (rag, -1)]` is a difference; the interaction has four sides. Paired: every
    side is resampled by the same draws.
    """
    shared = set(sides[0][0].judged)
    for column, _ in sides[1:]:
        shared &= set(column.judged)
    # Sorted: every side in one order, whatever order its column came in.
    kept = [(column.only(sorted(shared)), sign) for column, sign in sides]
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
    weights = _weights(first.clusters, seed)
    draws = sum((sign * _statistic(column)(weights) for column, sign in kept), np.zeros(RESAMPLES))
    low, high = (float(q) for q in np.quantile(draws, [0.5 - LEVEL / 2, 0.5 + LEVEL / 2]))
    return Estimate(value, low, high, n, unjudged, "paired cluster bootstrap")


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
            "slices": _slices(task, members, table, kinds, headlines[task], square, seed),
        }
    return {"level": LEVEL, "seed": seed, "resamples": RESAMPLES, "setups": kinds, "tasks": tasks}


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
