"""The tables of scores: the headline metrics, every metric of a task, a task by tag."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from bakeoff.analysis.comparison import Summary, TaskComparison
from bakeoff.analysis.measured_run import Run
from bakeoff.core.counts import quantity
from bakeoff.core.estimate import Estimate
from bakeoff.core.measure import MEASURED
from bakeoff.core.table import Table, cell
from bakeoff.outputs.tables.side_by_side import n_of, row


def headline(run: Run) -> Table:
    """Setups side by side: each task's headline metric, then time and tokens."""
    setups = list(run.suite.setups)
    tasks = run.comparison.tasks
    rows = [row(run, task, facts.headline).texts for task, facts in tasks.items()]
    for metric in ("latency_s", "prompt_tokens", "error", "cut"):
        for task, facts in tasks.items():
            rare = metric in ("error", "cut")
            if metric in facts.metrics and not (rare and not _any(facts.metric(metric))):
                rows.append(row(run, task, metric).texts)
    return Table(
        f"{run.manifest.benchmark}, run {run.folder.name}"
        + (f" (limited: {run.limited})" if run.limited else ""),
        ("task", "metric", "n", *setups),
        tuple(rows),
        "95% confidence intervals in brackets; "
        f"* significantly different from {setups[0]} (paired, p < 0.05); "
        "^ best, or not significantly worse after correction for the number of setups.",
    )


def _any(rates: Summary) -> bool:
    return any(estimate.value for estimate in rates.setups.values())


def details(run: Run, task: str) -> Table:
    """Every metric of one task."""
    setups = list(run.suite.setups)
    metrics = list(run.comparison.tasks[task].metrics)
    ordered = [m for m in metrics if m not in MEASURED] + [m for m in metrics if m in MEASURED]
    rows = tuple(row(run, task, metric).texts[1:] for metric in ordered)
    rows += tuple(_answered(run.comparison.tasks[task], setups))
    facts = run.manifest.tasks[task]
    sampled = f" (a seeded sample of {facts.population})" if facts.n < facts.population else ""
    dropped = len(facts.dropped)
    left_out = (
        f" Left out: {quantity(dropped, 'training row')} (nearly) repeating a test row."
        if dropped
        else ""
    )
    return Table(
        task, ("metric", "n", *setups), rows, f"{quantity(facts.n, 'sample')}{sampled}.{left_out}"
    )


def _answered(facts: TaskComparison, setups: Sequence[str]) -> Iterator[tuple[str, ...]]:
    """The headline metric over the samples that a setup answered, where some failed."""
    if answered := facts.answered:
        cells = _cells(answered, setups, facts.headline)
        yield (f"{facts.headline}, failures left out", n_of(answered.values()), *cells)


def slices(run: Run, task: str) -> Table:
    """The headline metric of one task by tag."""
    setups = list(run.suite.setups)
    facts = run.comparison.tasks[task]
    rows = tuple(
        (
            tag,
            str(max((estimate.n for estimate in summary.setups.values()), default=0)),
            *_cells(summary.setups, setups, facts.headline),
        )
        for tag, summary in facts.slices.items()
    )
    return Table(f"{task}: {facts.headline} by tag", ("tag", "n", *setups), rows)


def _cells(estimates: Mapping[str, Estimate], setups: Sequence[str], metric: str) -> list[str]:
    return [cell(estimates[name], metric) if name in estimates else "-" for name in setups]
