"""Runs set side by side: the same setups, tasks and samples, measured in different runs."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations

from bakeoff.analysis.columns import Column
from bakeoff.analysis.compare import changed, contrast, estimate
from bakeoff.analysis.comparison import RunComparison, RunDifference, RunSummary
from bakeoff.analysis.measurements import Rows, differences, treated
from bakeoff.core.measure import LATENCY_METRICS
from bakeoff.core.words import MissingEvidence


def between(runs: Sequence[Rows], *, allow_mismatch: bool = False) -> RunComparison:
    """The comparison of runs, by task, metric and setup.

    A setup is compared with the one of the same name in every later run; where the runs have no
    setup in common, each with each. Differences are paired by sample: a later run less an
    earlier one. Raises `MissingEvidence` naming all that differs in how the runs measured,
    unless `allow_mismatch`, which keeps it in the result instead. What was done to the samples
    (prompt, model, recipes, decoding) may differ, and is named. Times of different hours are left
    out.
    """
    labels = _labels(runs)
    pairs = [
        pair for one, two in combinations(range(len(runs)), 2) for pair in _pairs(runs, one, two)
    ]
    if not pairs:
        raise MissingEvidence("compare: the runs have no task and metric in common")
    sentences = [sentence for pair in pairs for sentence in _mismatch(runs, labels, *pair)]
    mismatch = list(dict.fromkeys(sentences))
    if mismatch and not allow_mismatch:
        raise MissingEvidence(
            "compare: the runs did not measure the same:\n  "
            + "\n  ".join(mismatch)
            + "\n--allow-mismatch compares them all the same, and says so"
        )
    tasks: dict[str, dict[str, RunSummary]] = {}
    for one, two, task, metric, setups in pairs:
        if metric in LATENCY_METRICS:
            continue
        columns = [
            runs[i].columns[task, s, metric] for i, s in zip((one, two), setups, strict=True)
        ]
        names = [f"{labels[i]}:{s}" for i, s in zip((one, two), setups, strict=True)]
        sides = dict(zip(names, map(estimate, columns), strict=True))
        pair = {f"{names[1]} - {names[0]}": _difference(columns[1], columns[0])}
        summaries = tasks.setdefault(task, {})
        known = summaries.get(metric, RunSummary({}, {}))
        summaries[metric] = RunSummary(known.sides | sides, known.differences | pair)
    named = {label: rows.run for label, rows in zip(labels, runs, strict=True)}
    treatment = [
        f"{labels[one]} and {labels[two]}: {change.sentence}"
        for one, two, task, _, setups in pairs
        if setups[0] == setups[1]
        for change in treated(runs[one], runs[two], task, setups)
    ]
    return RunComparison(named, tuple(mismatch), tuple(dict.fromkeys(treatment)), tasks)


def _labels(runs: Sequence[Rows]) -> list[str]:
    """A, B, C ...: run ids are too long for the head of a table."""
    return [chr(ord("A") + i) if i < 26 else f"R{i}" for i in range(len(runs))]


Pair = tuple[int, int, str, str, tuple[str, str]]


def _pairs(runs: Sequence[Rows], one: int, two: int) -> list[Pair]:
    """(run, run, task, metric, setups) for all that both runs have."""
    mine, theirs = runs[one], runs[two]
    both = [(s, s) for s in mine.setups if s in theirs.setups]
    setups = both or [(a, b) for a in mine.setups for b in theirs.setups]
    metrics = dict.fromkeys((task, metric) for task, _, metric in mine.columns)
    return [
        (one, two, task, metric, (a, b))
        for task, metric in metrics
        for a, b in setups
        if (task, a, metric) in mine.columns and (task, b, metric) in theirs.columns
    ]


def _mismatch(
    runs: Sequence[Rows],
    labels: Sequence[str],
    one: int,
    two: int,
    task: str,
    metric: str,
    setups: tuple[str, str],
) -> list[str]:
    if metric in LATENCY_METRICS:
        return []
    sentences = differences(runs[one], runs[two], task, metric, setups)
    return [f"{labels[one]} and {labels[two]}: {sentence}" for sentence in sentences]


def _difference(left: Column, right: Column) -> RunDifference:
    difference = contrast([(left, 1), (right, -1)])
    return RunDifference(**vars(difference), changed=changed(left, right))


def sides(comparison: RunComparison) -> list[str]:
    """Every side of a comparison between runs, `A:rag`, in order."""
    summaries = [summary for task in comparison.tasks.values() for summary in task.values()]
    return list(dict.fromkeys(name for summary in summaries for name in summary.sides))
