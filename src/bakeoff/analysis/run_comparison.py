"""Runs set side by side: the same setups, tasks and samples, measured in different runs."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations
from typing import NamedTuple

from bakeoff.analysis.columns import Column
from bakeoff.analysis.compare import changed, contrast, estimate
from bakeoff.analysis.comparison import RunComparison, RunDifference, RunSummary
from bakeoff.analysis.measurements import Rows, differences, treated
from bakeoff.core.measure import LATENCY_METRICS, MEASURES
from bakeoff.core.words import MissingEvidence


def between(runs: Sequence[Rows], *, allow_mismatch: bool = False) -> RunComparison:
    """The comparison of runs, by task, metric and setup.

    A setup is compared with the one of the same name in every run that is named after its own;
    where the runs have no setup in common, each with each. Differences are paired by sample: a
    run less one that is named before it, whichever was made first. Raises `MissingEvidence`
    naming all that differs in how the runs measured, unless `allow_mismatch`, which keeps it in
    the result instead. What was done to the samples (prompt, model, recipes, decoding) may
    differ, and is named. Times of different hours are left out.
    """
    labels = _labels(runs)
    named = list(zip(labels, runs, strict=True))
    pairs = [pair for one, two in combinations(named, 2) for pair in _pairs(one, two)]
    if not pairs:
        raise MissingEvidence("compare: the runs have no task and metric in common")
    sentences = [sentence for pair in pairs for sentence in _mismatch(pair)]
    mismatch = list(dict.fromkeys(sentences))
    if mismatch and not allow_mismatch:
        raise MissingEvidence(
            "compare: the runs did not measure the same:\n  "
            + "\n  ".join(mismatch)
            + "\n--allow-mismatch compares them anyway, and lists the differences"
        )
    tasks: dict[str, dict[str, RunSummary]] = {}
    for pair in pairs:
        if pair.metric in LATENCY_METRICS:
            continue
        left, right = pair.columns
        names = [f"{label}:{setup}" for label, setup in zip(pair.labels, pair.setups, strict=True)]
        sides = {names[0]: estimate(left), names[1]: estimate(right)}
        difference = {f"{names[1]} - {names[0]}": _difference(right, left)}
        summaries = tasks.setdefault(pair.task, {})
        known = summaries.get(pair.metric, RunSummary({}, {}))
        summaries[pair.metric] = RunSummary(known.sides | sides, known.differences | difference)
    treatment = [
        f"{pair.names}: {change.sentence}"
        for pair in pairs
        if pair.setups[0] == pair.setups[1]
        for change in treated(*pair.runs, pair.task, pair.setups)
    ]
    ids = {label: rows.run for label, rows in named}
    return RunComparison(ids, tuple(mismatch), tuple(dict.fromkeys(treatment)), tasks)


def _labels(runs: Sequence[Rows]) -> list[str]:
    """A, B, C ...: run ids are too long for the head of a table."""
    return [chr(ord("A") + i) if i < 26 else f"R{i}" for i in range(len(runs))]


class _Pair(NamedTuple):
    """A metric of a task that two runs have, each on one of its setups."""

    labels: tuple[str, str]
    runs: tuple[Rows, Rows]
    task: str
    metric: str
    setups: tuple[str, str]

    @property
    def columns(self) -> tuple[Column, Column]:
        (one, two), (mine, theirs) = self.runs, self.setups
        task, metric = self.task, self.metric
        return one.columns[task, mine, metric], two.columns[task, theirs, metric]

    @property
    def names(self) -> str:
        return " and ".join(self.labels)


_Named = tuple[str, Rows]
"""A run's label and its rows."""


def _pairs(one: _Named, two: _Named) -> list[_Pair]:
    """All that both runs have."""
    labels, (mine, theirs) = (one[0], two[0]), (one[1], two[1])
    both = [(s, s) for s in mine.setups if s in theirs.setups]
    setups = both or [(a, b) for a in mine.setups for b in theirs.setups]
    every = dict.fromkeys((task, metric) for task, _, metric in mine.columns)
    # What scorers measure comes first, then errors, tokens and the like.
    metrics = sorted(every, key=lambda measured: measured[1] in MEASURES)
    return [
        _Pair(labels, (mine, theirs), task, metric, (a, b))
        for task, metric in metrics
        for a, b in setups
        if (task, a, metric) in mine.columns and (task, b, metric) in theirs.columns
    ]


def _mismatch(pair: _Pair) -> list[str]:
    if pair.metric in LATENCY_METRICS:
        return []
    sentences = differences(*pair.runs, pair.task, pair.metric, pair.setups)
    return [f"{pair.names}: {sentence}" for sentence in sentences]


def _difference(left: Column, right: Column) -> RunDifference:
    difference = contrast([(left, 1), (right, -1)])
    return RunDifference(**vars(difference), changed=changed(left, right))


def sides(comparison: RunComparison) -> list[str]:
    """Every side of a comparison between runs, `A:rag`, in order."""
    summaries = [summary for task in comparison.tasks.values() for summary in task.values()]
    return list(dict.fromkeys(name for summary in summaries for name in summary.sides))
