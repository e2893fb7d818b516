"""Samples sorted by what came of them: right, wrong, failed, and by what retrieval found."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from bakeoff.analysis.columns import Column
from bakeoff.analysis.measured_run import Run

RIGHT, PARTLY, WRONG, UNJUDGED, FAILED = "right", "partly right", "wrong", "unjudged", "failed"
SCORED, NOT_ASKED = "scored", "not asked"


def outcome(value: float, column: Column) -> str:
    """What a value of a column says: `scored` where nothing bounds it, so none is the best."""
    if math.isnan(value):
        return UNJUDGED
    if column.measure.bounds is None:
        return SCORED
    low, high = column.measure.bounds
    best, worst = (high, low) if column.measure.higher_is_better else (low, high)
    return RIGHT if value == best else WRONG if value == worst else PARTLY


def outcomes(run: Run, task: str, setup: str) -> dict[str, str]:
    """Sample -> outcome on the task's headline metric; repeats count with their mean."""
    errors = run.columns[task, setup, "error"]
    by_sample = dict.fromkeys(errors.samples, UNJUDGED)
    if column := run.columns.get((task, setup, run.headlines[task])):
        by_sample |= {
            s: outcome(v, column)
            for s, v in zip(column.samples, column.values.tolist(), strict=True)
        }
    pairs = zip(errors.samples, errors.values.tolist(), strict=True)
    return by_sample | {sample: FAILED for sample, error in pairs if error == 1}


@dataclass(frozen=True)
class Unanswered:
    """A setup of which every answer failed, everywhere or on one task: nothing was measured."""

    setup: str
    task: str
    """Empty where it answered on no task."""
    sentence: str


def without_answers(run: Run) -> list[Unanswered]:
    """The setups that gave no answer, on all their tasks or on some."""
    unanswered = []
    for setup in run.suite.setups:
        tasks = [task for task, setups in run.asked.items() if setup in setups]
        silent = [t for t in tasks if (run.columns[t, setup, "error"].values == 1).all()]
        groups = [("", tasks)] if silent == tasks else [(task, [task]) for task in silent]
        unanswered += [_unanswered(run, setup, name, group) for name, group in groups if group]
    return unanswered


def _unanswered(run: Run, setup: str, name: str, tasks: Sequence[str]) -> Unanswered:
    count = sum(len(run.columns[task, setup, "error"].values) for task in tasks)
    reasons = [reason for task in tasks for reason in run.endings.of(task, setup).failures]
    why = max(reasons, key=lambda reason: reason.n).text if reasons else "no record of any"
    where = f" on task {name}" if name else ""
    what = f"all {count} answers" if count > 1 else "its one answer"
    return Unanswered(setup, name, f"{setup}: {what}{where} failed: {why}")


def retrieved(column: Column) -> Mapping[str, list[str]]:
    """Samples by what a retrieval score between 0 and 1 says was found."""
    parts: dict[str, list[str]] = {"nothing found": [], "part found": [], "all found": []}
    for sample, value in zip(column.samples, column.values, strict=True):
        if not np.isnan(value):
            name = "all" if value == 1 else "part" if value else "nothing"
            parts[f"{name} found"].append(sample)
    return parts
