"""A setup put together from two others' stored answers: the second where the first is unsure.

No model is queried again. The confidence below which the second answers is fitted on samples other
than those it decides on (five parts by cluster, each decided by the other four), so that the
routed setup's scores are those of samples its threshold has not seen.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from bakeoff.analysis.stats import Floats
from bakeoff.core.words import QUALITY, BakeoffError, Record, Sample, Score, digest
from bakeoff.metrics.refusals import declines
from bakeoff.runs import store
from bakeoff.runs.store import Unit
from bakeoff.spec.benchmark import Route, Setup
from bakeoff.spec.metric import Metric
from bakeoff.tasks.load import Task

PARTS = 5


def thresholds(
    confidence: Floats, first: Floats, then: Floats, parts: Sequence[int], *, higher: bool
) -> Floats:
    """For each sample the confidence from which on the first setup's answer is taken.

    All arrays are (samples,); `first` and `then` are the two setups' scores. It is the threshold
    that gives the best mean score on the other parts; of equals the lowest, which asks the second
    setup least. Where there is no other part, the first setup is trusted.
    """
    sign = 1.0 if higher else -1.0
    cutoffs = np.full(len(confidence), -math.inf)
    of = np.asarray(parts)
    for part in np.unique(of):
        seen = of != part
        if not seen.any():
            continue
        candidates = np.append([-math.inf], np.append(np.unique(confidence[seen]), [math.inf]))
        taken = confidence[seen][None, :] >= candidates[:, None]
        means = np.where(taken, first[seen], then[seen]).mean(axis=1)
        # Rounded: sums in another order must not decide between equals.
        cutoffs[of == part] = candidates[int(np.argmax(np.round(sign * means, 12)))]
    return cutoffs


def part_of(sample: Sample, seed: int) -> int:
    """The part a sample is in; samples of one cluster are in one part."""
    return int(digest(f"{seed}:route:{sample.cluster or sample.id}"), 16) % PARTS


def composed(first: Record, then: Record, setup: str, *, takes_first: bool) -> Record:
    """The routed setup's record: the first one's answer, or the second's after both were asked.

    In the quality pass its steps count as cached: the two setups have spent them already.
    """
    outcome = first.outcome if takes_first else then.outcome
    steps = outcome.steps if takes_first else first.outcome.steps + outcome.steps
    if first.phase == QUALITY:
        steps = tuple(replace(step, cached=True) for step in steps)
    return replace(first, setup=setup, outcome=replace(outcome, steps=steps))


def decisions(folder: Path, setup: Setup, task: Task, seed: int) -> dict[store.Key, bool]:
    """By (sample, repeat), whether the first setup's answer is taken.

    Raises `BakeoffError` where the first setup's answers have no confidence.
    """
    assert setup.route
    route = setup.route
    units = [Unit(task.name, route.first), Unit(task.name, route.then)]
    first = {(r.sample, r.repeat): r for r in store.read_records(folder, units[0])}
    keys = sorted(first)
    sure = _sure(route, setup.name, [first[key] for key in keys], task.context().refusals)
    limits = np.full(len(keys), 0.5)
    if route.when == "unsure":
        metric = Metric.parse(task.file.headline_metric)
        higher = task.scorers[metric].higher_is_better
        values = [
            _values(dict(store.read_scores(folder, unit)), keys, str(metric), higher)
            for unit in units
        ]
        samples = {sample.id: sample for sample in task.samples}
        parts = [part_of(samples[name], seed) for name, _ in keys]
        limits = thresholds(sure, values[0], values[1], parts, higher=higher)
    return {key: bool(s >= limit) for key, s, limit in zip(keys, sure, limits, strict=True)}


def write(folder: Path, setup: Setup, task: Task, seed: int) -> None:
    """Compose the setup's unit of a task, once both others are answered and scored.

    Raises `BakeoffError` as `decisions` does.
    """
    assert setup.route
    takes = decisions(folder, setup, task, seed)
    first, then = (
        {(r.sample, r.repeat): r for r in store.read_records(folder, Unit(task.name, name))}
        for name in (setup.route.first, setup.route.then)
    )
    with store.open_journal(folder, Unit(task.name, setup.name)) as journal:
        for key in sorted(takes):
            made = composed(first[key], then[key], setup.name, takes_first=takes[key])
            journal.append(made)
        journal.commit()


def timed(
    setup: Setup, takes: Mapping[store.Key, bool], records: Sequence[Record]
) -> Iterator[Record]:
    """The setup's records of the latency pass, made of those of its two parts."""
    assert setup.route
    by = {(r.setup, r.sample): r for r in records if r.repeat == 0}
    for (name, sample), first in by.items():
        then = by.get((setup.route.then, sample))
        if name == setup.route.first and then is not None:
            yield composed(first, then, setup.name, takes_first=takes[sample, 0])


def _sure(route: Route, name: str, records: Sequence[Record], refusals: Sequence[str]) -> Floats:
    """How sure the first setup is of each answer; never of a failure or a refusal."""
    confidences = []
    for record in records:
        answer = record.answer
        if answer is None or declines(answer, refusals):
            confidences.append(-1.0)
        elif route.when == "declined":
            confidences.append(1.0)
        elif answer.confidence is None:
            raise BakeoffError(
                f"setup '{name}': route.when: unsure: '{route.first}' reports no confidence "
                f"(sample '{record.sample}'): an answer of a server that is not asked for "
                "log-probabilities (extra: {logprobs: true} of an endpoint), of your own system, "
                "or kept by an earlier version (--no-cache queries again); or use when: declined"
            )
        else:
            confidences.append(answer.confidence)
    return np.array(confidences)


def _values(
    scores: Mapping[store.Key, Mapping[str, Score]],
    keys: Sequence[store.Key],
    headline: str,
    higher: bool,
) -> Floats:
    worst = 0.0 if higher else 1.0
    values = [scores[key].get(headline, Score(None)).value for key in keys]
    return np.array([worst if value is None else value for value in values])
