"""Records and scores folded into columns: one metric of one setup on one task, by sample."""

from __future__ import annotations

import math
from array import array
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np

from bakeoff.analysis.stats import RATE, Floats, Ints, cluster_codes
from bakeoff.core.measure import MEASURES as MEASURES
from bakeoff.core.measure import TOKEN_METRICS
from bakeoff.core.measure import Measure as Measure
from bakeoff.core.words import LATENCY, LENGTH, QUALITY, Record, Sample, Score
from bakeoff.spec.benchmark import Price


@dataclass(frozen=True)
class Column:
    """The values of one metric of one setup on one task, by sample, in the task's order."""

    samples: tuple[str, ...]
    clusters: tuple[str, ...]
    values: Floats
    """NaN where the value could not be judged; the mean where a sample was asked repeatedly."""
    labels: tuple[tuple[str, str], ...] | None = None
    """(expected, predicted) where the metric is over a confusion matrix."""
    measure: Measure = field(default_factory=Measure)
    answers: Floats | None = None
    """(samples, repeats), NaN where an answer is missing; `None` when each was asked once."""

    def only(self, keep: Sequence[str]) -> Column:
        """The column over the samples named in `keep`, in that order."""
        if keep is self.samples:
            return self
        place = {sample: i for i, sample in enumerate(self.samples)}
        return self.at([place[sample] for sample in keep if sample in place])

    def at(self, places: Sequence[int]) -> Column:
        """The column over the samples at these places."""
        return Column(
            tuple(self.samples[i] for i in places),
            tuple(self.clusters[i] for i in places),
            self.values[places],
            tuple(self.labels[i] for i in places) if self.labels else None,
            self.measure,
            None if self.answers is None else self.answers[places],
        )

    @cached_property
    def judged(self) -> tuple[str, ...]:
        if not np.isnan(self.values).any():
            return self.samples
        return tuple(s for s, v in zip(self.samples, self.values, strict=True) if not np.isnan(v))

    @property
    def total(self) -> float:
        """The sum of the judged values, rounded once: numpy's own differs between processors."""
        return math.fsum(self.values[~np.isnan(self.values)])

    @cached_property
    def codes(self) -> Ints | None:
        """The clusters as whole numbers; `None` where every sample is its own."""
        if self.clusters == self.samples or len(set(self.clusters)) == len(self.clusters):
            return None
        return cluster_codes(self.clusters)


Columns = Mapping[tuple[str, str, str], Column]
"""(task, setup, metric) -> column."""
Scored = tuple[str, str, str, int, Mapping[str, Score]]
"""(task, setup, sample, repeat, scores by metric)."""


def columns(
    samples: Mapping[str, Mapping[str, Sample]],
    setups: Mapping[str, Sequence[str]],
    records: Iterable[Record],
    scores: Iterable[Scored],
    measures: Mapping[tuple[str, str], Measure],
    repeats: int = 1,
    prices: Mapping[str, Price] | None = None,
) -> dict[tuple[str, str, str], Column]:
    """Every column of a run, from streams of records and of scores.

    `measures` is by (task, metric); the others are those of `Tables`.
    """
    tables = Tables(samples, setups, repeats, prices or {})
    for record in records:
        tables.add(record)
    for scored in scores:
        tables.add_scores(*scored)
    return tables.columns(measures)


class Tables:
    """What columns are made of, while records and scores come in, in any order.

    `setups` names those that each task was asked of, `prices` is by setup. The denominator is the
    task's: a missing cell is an error of 1. A sample asked several times counts once, with its
    mean.
    """

    def __init__(
        self,
        samples: Mapping[str, Mapping[str, Sample]],
        setups: Mapping[str, Sequence[str]],
        repeats: int,
        prices: Mapping[str, Price],
    ) -> None:
        self._prices = prices
        self._tables = {
            (task, setup): _Table(members, repeats)
            for task, members in samples.items()
            for setup in setups[task]
        }

    def add(self, record: Record) -> None:
        """Count a record."""
        table = self._tables[record.task, record.setup]
        if record.phase == QUALITY:
            _count(table, record, self._prices.get(record.setup))
        elif record.phase == LATENCY and record.repeat == 0:
            for name, value in _seconds(record).items():
                table.add(name, record.sample, value)

    def add_scores(
        self, task: str, setup: str, sample: str, repeat: int, scores: Mapping[str, Score]
    ) -> None:
        """Count the scores of an answer."""
        table = self._tables[task, setup]
        for metric, score in scores.items():
            if score.applies:
                value = math.nan if score.value is None else score.value
                table.add(metric, sample, value, score.labels, repeat)

    def columns(
        self, measures: Mapping[tuple[str, str], Measure]
    ) -> dict[tuple[str, str, str], Column]:
        """The columns of what has come, `measures` by (task, metric)."""
        return _bounded(
            {
                (task, setup, name): table.column(
                    name, MEASURES.get(name) or measures.get((task, name), Measure())
                )
                for (task, setup), table in self._tables.items()
                # What is measured first, whether scores came after all records or with each.
                for name in sorted(table.sums, key=lambda name: name not in MEASURES)
            }
        )


def _bounded(table: dict[tuple[str, str, str], Column]) -> dict[tuple[str, str, str], Column]:
    """A metric of unknown bounds that is 0 or 1 on every setup of a task is a rate."""
    unknown = {(t, m) for (t, _, m), c in table.items() if c.measure.bounds is None} - {
        (t, m) for t, _, m in table if m in MEASURES
    }
    other = {
        (t, m)
        for (t, _, m), c in table.items()
        if (t, m) in unknown and not np.isin(c.values[~np.isnan(c.values)], RATE).all()
    }
    return {
        (t, s, m): replace(c, measure=replace(c.measure, bounds=RATE))
        if (t, m) in unknown - other
        else c
        for (t, s, m), c in table.items()
    }


def leak_columns(table: Columns, leaked: Mapping[str, Collection[str]]) -> Columns:
    """`leak` for every setup of the tasks in `leaked`: 1 for the samples named there.

    It belongs to the data, not to the answer: all setups of a task have the same.
    """
    return {
        (task, setup, "leak"): Column(
            column.samples,
            column.clusters,
            np.isin(column.samples, list(leaked[task])).astype(np.float64),
            measure=MEASURES["leak"],
        )
        for (task, setup, metric), column in table.items()
        if metric == "error" and task in leaked
    }


class _Table:
    """Values by metric and sample while they come in; arrays, as there may be many.

    Python's own: numpy's take four times as long for one value.
    """

    def __init__(self, members: Mapping[str, Sample], repeats: int) -> None:
        self.samples = tuple(members)
        self.clusters = tuple(sample.cluster or name for name, sample in members.items())
        self.places = {name: place for place, name in enumerate(self.samples)}
        self.repeats = repeats
        self.sums: dict[str, array[float]] = {}
        self.counts: dict[str, array[float]] = {}
        self.answers: dict[str, Floats] = {}
        self.labels: dict[str, dict[int, tuple[str, str]]] = {}
        # A cell without a record is an error, whether or not any record came.
        self._start("error")

    def _start(self, metric: str) -> None:
        self.sums[metric] = array("d", bytes(8 * len(self.samples)))
        self.counts[metric] = array("d", bytes(8 * len(self.samples)))
        if self.repeats > 1:
            self.answers[metric] = np.full((len(self.samples), self.repeats), np.nan)

    def add(
        self,
        metric: str,
        sample: str,
        value: float,
        labels: tuple[str, str] | None = None,
        repeat: int = 0,
    ) -> None:
        if metric not in self.sums:
            self._start(metric)
        place = self.places[sample]
        self.sums[metric][place] += value
        self.counts[metric][place] += 1
        if self.repeats > 1:
            self.answers[metric][place, repeat] = value
        if labels:
            self.labels.setdefault(metric, {}).setdefault(place, labels)

    def column(self, metric: str, measure: Measure) -> Column:
        sums, counts = np.array(self.sums[metric]), np.array(self.counts[metric])
        answers = self.answers.get(metric)
        if metric == "error":
            values = np.where(counts > 0, sums / np.maximum(counts, 1), 1.0)
            return Column(self.samples, self.clusters, values, None, measure, answers)
        places = np.flatnonzero(counts)
        pairs = self.labels.get(metric, {})
        labels = tuple(pairs[int(i)] for i in places) if len(pairs) == len(places) else None
        with np.errstate(invalid="ignore"):
            whole = Column(
                self.samples, self.clusters, sums / np.maximum(counts, 1), None, measure, answers
            )
        kept = whole if len(places) == len(self.samples) else whole.at([int(i) for i in places])
        return Column(kept.samples, kept.clusters, kept.values, labels, measure, kept.answers)


def _count(table: _Table, record: Record, price: Price | None) -> None:
    table.add("error", record.sample, float(record.error is not None), repeat=record.repeat)
    outcome = record.outcome
    if outcome.finish_reason:
        cut = float(outcome.finish_reason == LENGTH)
        table.add("cut", record.sample, cut, repeat=record.repeat)
    # No prompt has 0 tokens: a system of the user's that counts none is unknown.
    if outcome.tokens("prompt_tokens"):
        for kind in TOKEN_METRICS:
            count = float(outcome.tokens(kind))
            table.add(kind, record.sample, count, repeat=record.repeat)
        if price:
            tokens = [outcome.tokens(f"{kind}_tokens") for kind in ("prompt", "completion")]
            table.add("cost", record.sample, price.of(*tokens), repeat=record.repeat)


def _seconds(record: Record) -> dict[str, float]:
    """Seconds of the whole answer, of retrieval, to the first token, of decoding."""
    if record.answer is None or (whole := record.answer.seconds()) is None:
        return {}
    retrieve, prefill = record.answer.seconds("retrieve"), record.answer.seconds("prefill")
    times = {
        "latency_s": whole,
        "retrieve_s": retrieve,
        # The user waits for retrieval before the first token can come.
        "ttft_s": None if prefill is None else prefill + (retrieve or 0.0),
        "decode_s": record.answer.seconds("decode"),
    }
    return {name: seconds for name, seconds in times.items() if seconds is not None}
