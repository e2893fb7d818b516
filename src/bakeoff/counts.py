"""Samples sorted and counted by what came of them: right, wrong, declined, failed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

import numpy as np

from bakeoff.columns import Column
from bakeoff.finished import Run
from bakeoff.stats import Floats

RIGHT, PARTLY, WRONG, UNJUDGED, FAILED = "right", "partly right", "wrong", "unjudged", "failed"
SCORED, NOT_ASKED = "scored", "not asked"
PARTS = (
    *("right answer", "partly right answer", "wrong answer"),
    *("right refusal", "wrong refusal", "unjudged", "failed"),
)


def outcome(value: float, column: Column) -> str:
    """What a value of a column says: `scored` where nothing bounds it, so none is the best."""
    if np.isnan(value):
        return UNJUDGED
    if column.measure.bounds is None:
        return SCORED
    low, high = column.measure.bounds
    best, worst = (high, low) if column.measure.higher_is_better else (low, high)
    return RIGHT if value == best else WRONG if value == worst else PARTLY


def outcomes(run: Run, task: str, setup: str) -> dict[str, str]:
    """Sample -> outcome on the task's headline metric; repeats count with their mean."""
    errors = run.columns[task, setup, "error"]
    found = dict.fromkeys(errors.samples, UNJUDGED)
    if column := run.columns.get((task, setup, run.headlines[task])):
        found |= {s: outcome(v, column) for s, v in zip(column.samples, column.values, strict=True)}
    pairs = zip(errors.samples, errors.values, strict=True)
    return found | {sample: FAILED for sample, error in pairs if error == 1}


def retrieved(column: Column) -> Mapping[str, list[str]]:
    """Samples by what a retrieval score between 0 and 1 says was found."""
    parts: dict[str, list[str]] = {"nothing found": [], "part found": [], "all found": []}
    for sample, value in zip(column.samples, column.values, strict=True):
        if not np.isnan(value):
            name = "all" if value == 1 else "part" if value else "nothing"
            parts[f"{name} found"].append(sample)
    return parts


def refusals(run: Run, task: str) -> dict[str, Counter[str]]:
    """Setup -> how many answers are what of `PARTS`; nothing where no question lacks an answer."""
    samples = run.samples[task]
    if all(sample.answerable for sample in samples.values()):
        return {}
    counted = {}
    for setup in run.asked[task]:
        judged = {
            name: run.columns.get((task, setup, name))
            for name in ("right_refusal", "wrong_refusal", run.headlines[task])
        }
        if not (judged["right_refusal"] and judged["wrong_refusal"]):
            return {}
        counted[setup] = _counted(run, task, setup, judged)
    return counted


def _counted(run: Run, task: str, setup: str, judged: Mapping[str, Column | None]) -> Counter[str]:
    samples = run.samples[task]
    tables = {name: _answers(column) for name, column in judged.items() if column}
    errors = _answers(run.columns[task, setup, "error"])
    headline = judged[run.headlines[task]]
    scored = tables.get(run.headlines[task], {})
    parts: Counter[str] = Counter()
    for name, sample in samples.items():
        declined = tables["wrong_refusal" if sample.answerable else "right_refusal"]
        for repeat, error in enumerate(errors[name]):
            if error:
                parts["failed"] += 1
            elif name in declined and declined[name][repeat] == 1:
                parts["wrong refusal" if sample.answerable else "right refusal"] += 1
            elif not sample.answerable:
                parts["wrong answer"] += 1
            elif headline is None:
                parts["unjudged"] += 1
            else:
                word = outcome(scored[name][repeat], headline) if name in scored else UNJUDGED
                parts[f"{word} answer" if word not in (UNJUDGED, SCORED) else "unjudged"] += 1
    return parts


def _answers(column: Column) -> dict[str, Floats]:
    """Sample -> the value of each of its answers."""
    rows = column.values[:, None] if column.answers is None else column.answers
    return dict(zip(column.samples, rows, strict=True))
