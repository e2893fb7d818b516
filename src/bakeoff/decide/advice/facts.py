"""What is known of the setups of a run: the facts behind advice."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from bakeoff.analysis.answer import ceiling
from bakeoff.analysis.columns import Column
from bakeoff.analysis.compare import estimate
from bakeoff.analysis.comparison import Updated
from bakeoff.analysis.measured_run import Run
from bakeoff.core.estimate import NO_DIFFERENCE, UNKNOWN, Difference, Estimate
from bakeoff.core.measure import MEASURED
from bakeoff.core.words import BakeoffError
from bakeoff.decide import cost
from bakeoff.decide.cost import Costs
from bakeoff.spec.benchmark import Setup


@dataclass(frozen=True)
class Update:
    """What a change of the documents does to a setup, on one task."""

    rate: Estimate = UNKNOWN
    """Share right, after the setup's own update, of the questions whose answer changed."""
    gain: Difference = NO_DIFFERENCE
    """What the update gave on them, paired."""
    damage: Estimate = UNKNOWN
    """What it cost on questions whose answer is as before, paired; above 0 is harm."""
    seconds: float | None = None
    """Work of the update, measured once."""


@dataclass(frozen=True)
class Timed:
    """Seconds of one setup's answers to one task, asked one at a time."""

    n: int
    quantiles: Mapping[str, Estimate]


@dataclass(frozen=True)
class Known:
    """What is known of one setup."""

    name: str
    kind: str
    quality: Mapping[str, Column]
    """Task -> headline metric by sample."""
    metrics: Mapping[tuple[str, str], Estimate] = field(default_factory=dict)
    """(task, metric) -> estimate, `error` and tokens among them."""
    sources: float | None = None
    """Share of its answers that come with passages; `None` where that cannot be seen."""
    reference: str = ""
    """Why it is a ceiling and no setup to choose; empty for a candidate."""
    timed: Mapping[str, Timed] = field(default_factory=dict)
    updates: Mapping[str, Update] = field(default_factory=dict)
    """Task -> what a change does; only of tasks that have one."""


@dataclass(frozen=True)
class Facts:
    """The facts of a run's setups."""

    run: str
    headlines: Mapping[str, str]
    """Task -> its headline metric."""
    metrics: Mapping[str, Mapping[str, bool]]
    """Task -> metric -> whether higher is better."""
    setups: tuple[Known, ...]
    costs: Costs | None = None
    limited: str = ""
    """What was left out of the run on purpose."""

    def setup(self, name: str) -> Known:
        return next(known for known in self.setups if known.name == name)

    @property
    def fresh_tasks(self) -> list[str]:
        """The tasks that measure what a change of the documents does."""
        return [t for t in self.headlines if any(t in known.updates for known in self.setups)]


def facts(run: Run) -> Facts:
    """The facts of a finished run, with its costs where they are kept.

    Raises `MissingEvidence` when the run is not complete, `BakeoffError` when the costs are
    older than its scores, or of another version.
    """
    run.require_whole()
    return Facts(
        run.folder.name,
        run.headlines,
        {task: _directions(run, task) for task in run.samples},
        tuple(_known(run, setup) for setup in run.suite.setups.values()),
        _costs(run),
        run.limited,
    )


def _directions(run: Run, task: str) -> dict[str, bool]:
    metrics = [m for m in run.comparison.tasks[task].metrics if m not in MEASURED]
    return {metric: run.metric(task, metric).higher_is_better for metric in metrics}


def _known(run: Run, setup: Setup) -> Known:
    tasks = [task for task in run.samples if setup.takes(task)]
    compared = {task: run.comparison.tasks[task] for task in tasks}
    timed = {t: about.latency.setups for t, about in compared.items() if about.latency}
    fresh = {t: about.freshness.setups for t, about in compared.items() if about.freshness}
    name = setup.name
    return Known(
        name,
        setup.kind,
        {
            task: column
            for task in tasks
            if (column := run.columns.get((task, name, run.headlines[task]))) is not None
        },
        {(t, m): estimate(column) for (t, s, m), column in run.columns.items() if s == name},
        _sources(run, setup, tasks),
        ceiling(run.manifest.suite, setup),
        {
            t: Timed(by_setup[name].n, by_setup[name].quantiles)
            for t, by_setup in timed.items()
            if name in by_setup
        },
        {t: _update(setup, by_setup) for t, by_setup in fresh.items() if name in by_setup},
    )


def _sources(run: Run, setup: Setup, tasks: list[str]) -> float | None:
    if not setup.custom:
        return float(setup.retrieve is not None)
    if run.manifest.pruned:
        return None
    answers = [r.answer for task in tasks for r in run.records(task, setup.name)]
    shown = [bool(answer.passages) for answer in answers if answer]
    return sum(shown) / len(shown) if shown else None


def _update(setup: Setup, by_setup: Mapping[str, Updated]) -> Update:
    updated = by_setup[setup.name]
    return Update(
        updated.update_rate or UNKNOWN,
        updated.gain or NO_DIFFERENCE,
        updated.damage or UNKNOWN,
        _work(setup, by_setup),
    )


def _work(setup: Setup, by_setup: Mapping[str, Updated]) -> float | None:
    """Seconds of an update: of both parts of a routed setup; of the user's system nobody saw it."""
    if setup.custom and not setup.route:
        return None
    parts = (setup.route.first, setup.route.then) if setup.route else (setup.name,)
    spent = [by_setup[name].work.seconds for name in parts if name in by_setup]
    known = [seconds for seconds in spent if seconds is not None]
    return sum(known) if len(known) == len(parts) else None


def _costs(run: Run) -> Costs | None:
    costs = cost.read(run.folder)
    if costs is not None and not cost.current(run, costs):
        raise BakeoffError(
            f"{run.folder / cost.COST}: older than the answers or scores of this run; run "
            "`bakeoff cost` again, or delete the file"
        )
    return costs
