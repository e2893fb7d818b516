"""The numbers of a run as pictures take them: estimates by setup, whiskers, texts for tips."""

from __future__ import annotations

from bakeoff.analysis.measured_run import Run
from bakeoff.core.estimate import Estimate
from bakeoff.core.table import Table, number
from bakeoff.outputs.page.plots import Whisker
from bakeoff.outputs.page.svg import Picture

Made = tuple[str, Table, Picture]
"""What a picture shows in words, its numbers, the picture."""


def by_setup(run: Run, task: str, metric: str) -> dict[str, Estimate]:
    """Setup -> its estimate of a metric, where it has a value."""
    setups = run.comparison.tasks[task].metric(metric).setups
    return {name: estimate for name, estimate in setups.items() if estimate.value is not None}


def place_of(run: Run, setup: str) -> int:
    """A setup's place among all, which its colour and marker are of."""
    return list(run.suite.setups).index(setup) if setup in run.suite.setups else -1


def whisker(run: Run, estimate: Estimate, metric: str, setup: str = "") -> Whisker:
    tip = f"{setup or metric}: {described(estimate, metric)}"
    return Whisker(estimate, place_of(run, setup), tip, number(estimate.value, metric))


def described(estimate: Estimate, metric: str) -> str:
    """A value, its interval and n in words."""
    text = f"{metric} {number(estimate.value, metric)}"
    if estimate.known:
        low, high = (number(end, metric, estimate.value) for end in estimate.ends)
        text += f", 95% interval {low} to {high}"
    return f"{text}, n = {estimate.n}" if estimate.n else text


def ends(estimate: Estimate, metric: str) -> tuple[str, str, str]:
    value, low, high = estimate.value, estimate.low, estimate.high
    return number(value, metric), number(low, metric), number(high, metric)
