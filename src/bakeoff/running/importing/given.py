"""Scores that came with a run's answers, kept beside those that its scorers give."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from bakeoff.core.words import BakeoffError, Score
from bakeoff.runs import store
from bakeoff.runs.manifest import Imported, Manifest, MetricFacts
from bakeoff.runs.store import ScoreRow, Scores, Unit
from bakeoff.runs.written import GIVEN
from bakeoff.spec import names


@dataclass(frozen=True)
class GivenScores:
    """A line of that file: the scores that came with an answer, or why there was none."""

    sample: str
    repeat: int
    failed: str | None = None
    scores: Mapping[str, tuple[float | None, str]] = field(default_factory=dict)
    """Metric -> (value, reason)."""
    metrics: Sequence[str] | None = None
    """Of a failed answer: the metrics that apply to its sample; all of the import where `None`."""


def restore(folder: Path, manifest: Manifest) -> Manifest:
    """Put the scores that came with a run's answers beside those its scorers gave.

    To be called after `score`, which replaces all scores; gives the manifest with the metrics
    of both. Does nothing to other runs.
    """
    imported = manifest.imported
    if not imported:
        return manifest
    tasks = {
        name: task.model_copy(
            update={"metrics": {**task.metrics, **_metrics_of(name, imported)}},
        )
        for name, task in manifest.tasks.items()
    }
    for task in tasks:
        for setup in imported.setups if imported.metrics else ():
            unit = Unit(task, setup)
            if (unit.folder(folder) / GIVEN).is_file():
                store.write_scores(folder, unit, _with_given(folder, unit, imported.worst))
    # Spent by bakeoff: what the other tool spent it does not say.
    return manifest.model_copy(update={"tasks": tasks, "spent": {}})


def _metrics_of(task: str, imported: Imported) -> Mapping[str, MetricFacts]:
    """The imported metrics of a task: all of them, where the run does not say."""
    of_task = imported.tasks.get(task) if imported.tasks else None
    if of_task is None:
        return imported.metrics
    return {name: facts for name, facts in imported.metrics.items() if name in of_task}


def _with_given(folder: Path, unit: Unit, worst: Mapping[str, float]) -> Iterator[ScoreRow]:
    scored = (unit.folder(folder) / store.SCORES).is_file()
    others = store.read_scores(folder, unit) if scored else None
    with (unit.folder(folder) / GIVEN).open(encoding="utf-8") as stream:
        for line in stream:
            row = GivenScores(**json.loads(line))
            key = (row.sample, row.repeat)
            scores: Scores = {}
            if others:
                theirs, scores = next(others)
                if theirs != key:
                    raise BakeoffError(f"{stream.name}: its rows are not those of the journal")
            if row.failed:
                applying = worst if row.metrics is None else row.metrics
                given = {m: Score(worst[m], f"failed: {row.failed}") for m in applying}
            else:
                known = names.by_metric(row.scores)
                given = {m: Score(value, reason) for m, (value, reason) in known.items()}
            yield ScoreRow(key, {**scores, **given})
