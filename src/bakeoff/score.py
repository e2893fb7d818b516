"""Records scored by their task's scorers: every cell gets a row, failures included."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator

from bakeoff.core import Answer, BakeoffError, Record, Sample, Score, Step
from bakeoff.data import Task
from bakeoff.scoring import Context, Metric, Scorer
from bakeoff.store import Key
from bakeoff.suite import Setup


def score_records(
    records: Iterable[Record], task: Task, setup: Setup
) -> Iterator[tuple[Key, dict[str, Score]]]:
    """The scores of each record of a task on a setup, as they are asked for."""
    context = task.context()
    samples = {sample.id: sample for sample in task.samples}
    for record in records:
        found: dict[str, Score] = {}
        for metric, scorer in task.scorers.items():
            score = _score(record, samples[record.sample], scorer, metric, context, setup)
            if score is not None:
                found[str(metric)] = score
        yield (record.sample, record.repeat), found


def _score(
    record: Record, sample: Sample, scorer: Scorer, metric: Metric, context: Context, setup: Setup
) -> Score | None:
    answer = record.answer
    if answer is None:
        # Asked with an empty answer, the scorer tells whether it applies; a failure scores worst.
        answer = Answer("", steps=(Step("retrieve"),) if setup.retrieve else ())
    try:
        score = scorer.score(sample, answer, context, metric)
    except BakeoffError:
        raise
    except Exception as error:  # a user's scorer: unjudged, counted, shown
        return Score(None, f"the scorer raised {type(error).__name__}: {error}")
    if score is None or record.answer is not None:
        return score and _checked(score, scorer)
    low, high = scorer.bounds or (0.0, 1.0)
    worst = low if scorer.higher_is_better else high
    labels = (sample.targets[0], "(failed)") if score.labels else None
    return Score(worst, f"failed: {record.error}", labels)


def _checked(score: Score, scorer: Scorer) -> Score:
    """The score, or why it cannot be one: not a finite number, outside the scorer's bounds."""
    if score.value is None:
        return score
    low, high = scorer.bounds or (-math.inf, math.inf)
    if not (math.isfinite(score.value) and low <= score.value <= high):
        return Score(None, f"the scorer returned {score.value}, which is not from {low} to {high}")
    return score
