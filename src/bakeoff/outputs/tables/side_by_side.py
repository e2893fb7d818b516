"""One metric of a task, setups side by side: values, differences from the first, and marks.

The marks are decided here, once: `*` and `^` of the terminal, Markdown and CSV are "*" and "best"
of the page.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from bakeoff.analysis.answer import ceilings, leaders
from bakeoff.analysis.comparison import Latency, Summary, TaskComparison
from bakeoff.analysis.latency import clear
from bakeoff.analysis.measured_run import Run
from bakeoff.core import table
from bakeoff.core.estimate import UNKNOWN, Difference, Estimate
from bakeoff.core.measure import MEASURED
from bakeoff.core.table import number


@dataclass(frozen=True)
class Cell:
    """One setup's value of a metric, and what must be known to read it."""

    metric: str
    estimate: Estimate
    difference: Difference | None = None
    """The paired difference from the first setup; `None` for the first one itself."""
    differs: bool = False
    """Whether that difference is significant, for seconds also outside timing noise."""
    looks: str = ""
    """What says, where that difference looks significant, that it is not."""
    best: bool = False
    """Whether it is the best, or not significantly worse; `False` where all are."""
    top: bool = False
    """Whether no other value is better."""
    failed: str = ""
    """How many answers failed; empty for none, and for measured columns."""
    cut: str = ""
    """How many were cut at `max_tokens`; the same."""

    @property
    def marks(self) -> str:
        return ("*" if self.differs else "") + ("^" if self.best else "")

    @property
    def unscored(self) -> str:
        return f"{self.estimate.unjudged} unjudged" if self.estimate.unjudged else ""

    @property
    def text(self) -> str:
        """All of it but the difference, for a table of text."""
        return table.cell(self.estimate, self.metric, self.marks) + (
            f" ({self.unscored})" if self.unscored else ""
        )

    @property
    def value(self) -> str:
        return number(self.estimate.value, self.metric)

    @property
    def interval(self) -> str:
        if not self.estimate.known:
            return ""
        value = self.estimate.value
        return " to ".join(number(end, self.metric, value) for end in self.estimate.ends)

    @property
    def change(self) -> str:
        """The difference from the first setup with its interval, in the metric's usual form."""
        gap = self.difference
        if gap is None or gap.value is None:
            return ""
        return f"{table.signed_cell(gap, self.metric)} {self.looks}".rstrip()

    @property
    def rank(self) -> str:
        """`^` in words: `best`, or `≈ best` where another value is better; else empty."""
        return ("best" if self.top else "≈ best") if self.best else ""

    @property
    def notes(self) -> tuple[str, ...]:
        return tuple(note for note in (self.unscored, self.failed, self.cut) if note)


@dataclass(frozen=True)
class Row:
    """A metric of a task on every setup; `None` where a setup was not asked."""

    task: str
    metric: str
    n: str
    """Scored samples, as a range where setups differ in it."""
    cells: tuple[Cell | None, ...]

    @property
    def texts(self) -> tuple[str, ...]:
        return (self.task, self.metric, self.n, *(c.text if c else "-" for c in self.cells))


def row(run: Run, task: str, metric: str) -> Row:
    """A metric of a task with its marks, setups in the benchmark's order."""
    facts = run.comparison.tasks[task]
    summary = facts.metric(metric)
    higher = run.metric(task, metric).higher_is_better
    best, top = best_of(run, summary, higher), _top(summary, higher)
    first = next(iter(run.suite.setups))
    cells = tuple(
        Cell(
            metric,
            estimate,
            summary.differences.get(f"{setup} - {first}"),
            setup != first and _differs(facts, metric, setup, first),
            _looks(facts, metric, setup, first),
            setup in best,
            estimate.value is not None and estimate.value == top,
            _share(facts, metric, setup, "error", "failed"),
            _share(facts, metric, setup, "cut", "cut short"),
        )
        if (estimate := summary.setups.get(setup))
        else None
        for setup in run.suite.setups
    )
    return Row(task, metric, n_of(summary.setups.values()), cells)


def marks(run: Run) -> dict[tuple[str, str, str], str]:
    """(task, metric, setup) -> its marks, of all that have any."""
    return {
        (task, metric, setup): cell.marks
        for task, facts in run.comparison.tasks.items()
        for metric in facts.metrics
        for setup, cell in zip(run.suite.setups, row(run, task, metric).cells, strict=True)
        if cell and cell.marks
    }


def n_of(estimates: Iterable[Estimate]) -> str:
    """The samples of several estimates: `12`, or `10-12` where they are not the same."""
    counts = sorted({estimate.n for estimate in estimates})
    return "-".join(dict.fromkeys(str(count) for count in (*counts[:1], *counts[-1:])))


def best_of(run: Run, summary: Summary, higher_is_better: bool) -> set[str]:
    """The setups that are best, or not significantly worse than the best; none when all are."""
    known = [e.value for e in summary.setups.values() if e.value is not None]
    best = set(leaders(summary, higher_is_better, ceilings(run)))
    return set() if len(set(known)) < 2 or len(best) == len(known) else best


def _top(summary: Summary, higher_is_better: bool) -> float | None:
    values = [e.value for e in summary.setups.values() if e.value is not None]
    return (max if higher_is_better else min)(values, default=None)


def differ(summary: Summary, a: str, b: str) -> bool:
    """Whether two setups differ significantly, by the p of their paired difference."""
    differences = summary.differences
    difference = differences.get(f"{b} - {a}") or differences.get(f"{a} - {b}")
    return difference is not None and difference.clear


def _differs(facts: TaskComparison, metric: str, setup: str, first: str) -> bool:
    significant = differ(facts.metric(metric), setup, first)
    if significant and metric == "latency_s":
        timed = facts.latency
        return timed is not None and setup in timed.setups and beyond_noise(timed, setup)
    return significant


def _looks(facts: TaskComparison, metric: str, setup: str, first: str) -> str:
    """What says that a difference which looks significant is not; empty for all others."""
    gap = facts.metric(metric).differences.get(f"{setup} - {first}")
    if gap is None:
        return ""
    if not gap.clear or _differs(facts, metric, setup, first):
        return table.unmarked(gap)
    timed = facts.latency
    known = timed is not None and timed.noise.known
    return "(within timing noise)" if known else "(timing noise not measured)"


def beyond_noise(timed: Latency, setup: str) -> bool:
    """Whether a setup's time differs from the first one's by more than the machine's noise."""
    return clear(timed.setups[setup].ratio, timed.noise)


def _share(facts: TaskComparison, metric: str, setup: str, rate: str, word: str) -> str:
    """How many answers of a setup a rate counts, beside a metric of theirs."""
    counted = facts.metric(rate).setups.get(setup, UNKNOWN)
    if not counted.value or metric in MEASURED:
        return ""
    return f"{counted.value * counted.n:.3g} of {counted.n} {word}"
