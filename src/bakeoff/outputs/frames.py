"""A run as pandas DataFrames: its answers, and its scores, one row for each."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from bakeoff.analysis.measured_run import Run
from bakeoff.core.words import Answer

if TYPE_CHECKING:
    import pandas

CELL = ("task", "setup", "sample", "repeat")
SAMPLES = (
    *(*CELL, "question", "targets", "gold", "tags", "answer", "error", "finish_reason"),
    *("passages", "prompt_tokens", "context_tokens", "completion_tokens"),
)
SCORES = (*CELL, "metric", "score", "reason")


def samples(run: Run) -> pandas.DataFrame:
    """Every answer of the quality pass with its question; `passages` are ids of documents.

    A failed one has an `error` and no `answer`. Raises `MissingEvidence` for a damaged run.
    """
    return _frame(list(_samples(run)), SAMPLES)


def _samples(run: Run) -> Iterator[tuple[object, ...]]:
    for task, setups in run.asked.items():
        for setup in setups:
            for record in run.records(task, setup):
                sample, answer = run.samples[task][record.sample], record.answer
                yield (
                    *(task, setup, record.sample, record.repeat),
                    *(sample.question, sample.targets, sample.gold, dict(sample.tags)),
                    *(answer.text if answer else None, record.error),
                    *(record.outcome.finish_reason, _documents(answer)),
                    *(record.outcome.tokens(kind) for kind in SAMPLES[-3:]),
                )


def _documents(answer: Answer | None) -> tuple[str, ...]:
    return tuple(passage.document for passage in answer.passages) if answer else ()


def scores(run: Run) -> pandas.DataFrame:
    """Every score in long form: none (NaN) with its reason where it could not be judged.

    A metric that does not apply to an answer has no row. Raises `MissingEvidence` for a damaged
    run.
    """
    _ = run.written
    rows = [
        (task, setup, *row.key, metric, score.value, score.reason)
        for task, setups in run.asked.items()
        for setup in setups
        for row in run.scores(task, setup)
        for metric, score in row.scores.items()
        if score.applies
    ]
    table = _frame(rows, SCORES)
    return table.astype({"score": float})


def _frame(rows: Sequence[tuple[object, ...]], columns: Sequence[str]) -> pandas.DataFrame:
    import pandas

    return pandas.DataFrame(rows, columns=list(columns))
