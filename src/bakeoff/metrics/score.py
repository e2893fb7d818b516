"""Records scored by their task's scorers: every cell gets a row, failures included.

A scorer that needs a model says so (`Wanted`) and is called again once the model was asked. So
the needs of many answers are asked together, and a scorer stays a plain function.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from typing import Any, Protocol

from bakeoff.core.words import (
    RETRIEVE,
    Answer,
    BakeoffError,
    Failure,
    Record,
    Sample,
    Score,
    Step,
)
from bakeoff.metrics.needs import Need, Wanted
from bakeoff.metrics.refusals import NO_PHRASES
from bakeoff.metrics.scorer import Context, Scorer
from bakeoff.runs.store import Key, ScoreRow
from bakeoff.spec.benchmark import Setup
from bakeoff.spec.functions import described
from bakeoff.spec.metric import Metric

TOGETHER = 1000
"""Answers whose needs are asked of the models together."""
ROUNDS = 100
"""How often a scorer may ask for more; ragas asks of one passage after the other."""


class Scored(Protocol):
    """A task, as far as scoring goes."""

    @property
    def samples(self) -> Sequence[Sample]: ...

    @property
    def scorers(self) -> Mapping[Metric, Scorer]: ...

    def context(self) -> Context:
        """What its scorers may know beside sample and answer."""


Give = Callable[[Collection[Need]], Mapping[Need, Any]]
"""Asks models: each need's result, or a `Failure`."""
Rivals = Mapping[str, Mapping[Key, Answer]]
"""Setup -> its answers, for metrics that hold an answer against another setup's."""


def no_models(needs: Collection[Need]) -> Mapping[Need, Any]:
    """A `Give` where there is no model to ask."""
    return dict.fromkeys(needs, Failure("no model is available here"))


@dataclass(frozen=True)
class Cell:
    """One answer to be scored by one metric."""

    record: Record
    sample: Sample
    metric: Metric
    scorer: Scorer
    context: Context
    open_book: bool
    """Whether its setup answers from passages."""

    def score(self, given: Mapping[Need, Any]) -> Score | None:
        """Its score, checked; `None` where the metric does not apply. Raises `Wanted`."""
        answer = self.record.answer
        if answer is None:
            return self._failed(given)
        if self.open_book and not answer.open_book:
            answer = replace(answer, steps=(*answer.steps, Step(RETRIEVE)))
        score = self._asked(answer, given)
        return score and _checked(score, self.scorer.bounds)

    def _asked(self, answer: Answer, given: Mapping[Need, Any]) -> Score | None:
        try:
            # Most metrics ask no model: nothing is given to any of their cells.
            context = replace(self.context, given=given) if given else self.context
            return self.scorer.score(self.sample, answer, context, self.metric)
        except BakeoffError:
            raise
        except SystemExit as error:
            raise BakeoffError(f"{self.metric}: {described(error)}") from error
        except Exception as error:  # a user's scorer: unjudged, counted, shown
            return Score(None, f"the scorer raised {described(error)}")

    def _failed(self, given: Mapping[Need, Any]) -> Score | None:
        """The worst score: asked with an empty answer, the scorer tells whether it applies."""
        empty = Answer("", steps=(Step(RETRIEVE),) if self.open_book else ())
        score = self._asked(empty, given)
        if score is None or score == NO_PHRASES:
            return score
        if not self.scorer.of_failures:
            return Score(None, f"failed: {self.record.error}")
        if self.scorer.bounds is None and not self.scorer.higher_is_better:
            # Nothing is the worst here, and a low number would be a good one.
            return Score(None, f"failed: {self.record.error}")
        low, high = self.scorer.bounds or (0.0, 1.0)
        worst = low if self.scorer.higher_is_better else high
        labels = (self.sample.targets[0], "(failed)") if score.labels else None
        return Score(worst, f"failed: {self.record.error}", labels)


def _checked(score: Score, bounds: tuple[float, float] | None) -> Score:
    """The score, or why it cannot be one: not a finite number, outside the scorer's bounds."""
    if score.value is None:
        return score
    low, high = bounds or (-math.inf, math.inf)
    if not (math.isfinite(score.value) and low <= score.value <= high):
        return Score(None, f"the scorer returned {score.value}, which is not from {low} to {high}")
    return score


def answers_from_passages(setup: Setup, records: Iterable[Record]) -> bool:
    """Whether a setup retrieves: as its recipe says, or, of a user's own, as any answer shows.

    An answer of such a setup that came without passages found none.
    """
    declared = declares_passages(setup)
    if declared is None:
        return any(record.answer and record.answer.open_book for record in records)
    return declared


def declares_passages(setup: Setup) -> bool | None:
    """Whether a setup retrieves, by its own word; `None` where only its answers can tell."""
    if not (setup.call or setup.endpoint):
        return setup.retrieve is not None
    declared = setup.endpoint is not None and "passages" in setup.endpoint.response
    return declared or None


def score_records(
    records: Iterable[Record],
    task: Scored,
    open_book: bool,
    give: Give = no_models,
    rivals: Rivals | None = None,
) -> Iterator[ScoreRow]:
    """The scores of each record of a task on a setup, in their order.

    `open_book`: whether the setup `answers_from_passages`.
    """
    score = batch_scorer(task, open_book, give, rivals)
    records = iter(records)
    while batch := list(islice(records, TOGETHER)):
        yield from score(batch)


def batch_scorer(
    task: Scored, open_book: bool, give: Give = no_models, rivals: Rivals | None = None
) -> Callable[[Sequence[Record]], Iterator[ScoreRow]]:
    """What scores records of a task on a setup; what those of one call need is asked together."""
    context = task.context()
    samples = {sample.id: sample for sample in task.samples}

    def score(batch: Sequence[Record]) -> Iterator[ScoreRow]:
        cells = [
            Cell(
                record,
                samples[record.sample],
                metric,
                scorer,
                _beside(context, record, rivals) if rivals else context,
                open_book,
            )
            for record in batch
            for metric, scorer in task.scorers.items()
        ]
        by_record: dict[Key, dict[str, Score]] = {(r.sample, r.repeat): {} for r in batch}
        for cell, scored in zip(cells, scores(cells, give), strict=True):
            if scored is not None:
                by_record[cell.record.sample, cell.record.repeat][str(cell.metric)] = scored
        return (ScoreRow(key, row) for key, row in by_record.items())

    return score


def _beside(context: Context, record: Record, rivals: Rivals) -> Context:
    key = (record.sample, record.repeat)
    return replace(
        context, rivals={n: answers[key] for n, answers in rivals.items() if key in answers}
    )


def scores(cells: Sequence[Cell], give: Give) -> list[Score | None]:
    """The score of each cell; what their scorers need is asked in rounds, all of it together."""
    by_place: dict[int, Score | None] = {}
    waiting = list(range(len(cells)))
    given: dict[Need, Any] = {}
    for _ in range(ROUNDS):
        needs: dict[Need, None] = {}
        later = []
        for place in waiting:
            try:
                by_place[place] = cells[place].score(given)
            except Wanted as wanted:
                later.append(place)
                needs |= dict.fromkeys(wanted.needs)
        if not later:
            break
        waiting = later
        given |= give(list(needs))
    else:
        by_place |= dict.fromkeys(
            waiting, Score(None, f"the scorer wanted more models' output {ROUNDS} times")
        )
    return [by_place[place] for place in range(len(cells))]
