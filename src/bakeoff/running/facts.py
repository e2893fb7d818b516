"""The facts in a run's manifest before any request: its tasks, metrics, machine, versions."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from datetime import UTC, datetime

from bakeoff.metrics.scorer import Scorer
from bakeoff.runs import machine
from bakeoff.runs.manifest import Manifest, MetricFacts, Selected, TaskFacts, Whole
from bakeoff.spec.benchmark import Suite
from bakeoff.spec.task import BEFORE
from bakeoff.tasks.load import Selection, Task


def blank_manifest(suite: Suite, selection: Selection, tasks: Mapping[str, Task]) -> Manifest:
    """The facts in the manifest of every run before any request."""
    return Manifest(
        benchmark=suite.name,
        dtype="",
        created=datetime.now(UTC).isoformat(timespec="seconds"),
        suite=suite,
        selection=Selected(**asdict(selection)),
        tasks={name: describe(task) for name, task in tasks.items()},
        versions=machine.versions(),
        hardware=machine.hardware(),
        commit=machine.commit(),
    )


def describe(task: Task) -> TaskFacts:
    """The facts of a task in a manifest."""
    return TaskFacts(
        description=task.file.description.strip(),
        license=task.file.license,
        headline=task.file.headline_metric,
        metrics={
            str(metric): metric_facts(scorer, scorer.version_of(metric, task.folder))
            for metric, scorer in task.scorers.items()
        },
        n=len(task.samples),
        after=task.after,
        before=f"{task.name}{BEFORE}" if task.file.changes and not task.after else "",
        whole=Whole(n=task.whole, ids=task.whole_ids),
        population=len(task.population),
        train=len(task.train),
        dropped=tuple(task.dropped),
        wording=task.file.wording,
        digests=task.digests,
    )


def metric_facts(scorer: Scorer, version: str) -> MetricFacts:
    """The facts of a metric in a manifest."""
    return MetricFacts(
        higher_is_better=scorer.higher_is_better,
        aggregate=scorer.aggregate,
        bounds=scorer.bounds,
        asks=scorer.asks,
        version=version,
        about=scorer.about,
    )
