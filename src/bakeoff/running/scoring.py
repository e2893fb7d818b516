"""The stored answers of a run scored, and the scores kept beside them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from bakeoff.core.words import Answer
from bakeoff.metrics.judges import JudgePool
from bakeoff.metrics.score import Give, Rivals, answers_from_passages, no_models, score_records
from bakeoff.running.spending import count_judges, count_spent
from bakeoff.runs import store
from bakeoff.runs.manifest import Manifest
from bakeoff.runs.store import Unit
from bakeoff.spec.benchmark import Suite
from bakeoff.tasks.load import Task


def score_unit(folder: Path, suite: Suite, task: Task, setup: str, give: Give = no_models) -> None:
    """Score the answers of a unit and keep the scores."""
    unit = Unit(task.name, setup)
    against = {metric.setting("against") for metric in task.scorers} - {"", setup}
    rivals: Rivals = {
        name: {
            # A failed answer is an empty one: it loses against any.
            (record.sample, record.repeat): record.answer or Answer("")
            for record in store.read_records(folder, Unit(task.name, name))
        }
        for name in sorted(against)
    }
    open_book = answers_from_passages(suite.setups[setup], store.read_records(folder, unit))
    records = store.read_records(folder, unit)
    scored = score_records(records, task, open_book, give, rivals)
    store.write_scores(folder, unit, scored)


def score(
    folder: Path,
    manifest: Manifest,
    suite: Suite,
    tasks: Mapping[str, Task],
    judges: JudgePool | None = None,
) -> Manifest:
    """Score every record of a run; its manifest with what the run spent."""
    if judges:
        judges.open(tasks.values())
    for task in tasks.values():
        for setup in suite.setups.values():
            if setup.takes(task.name):
                score_unit(folder, suite, task, setup.name, judges.give if judges else no_models)
    if judges:
        manifest = count_judges(manifest, judges)
    return count_spent(folder, manifest, suite, tasks)
