"""A run as pandas DataFrames: its answers, its scores, its numbers; and as files of them."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from bakeoff.analysis.measured_run import Run
from bakeoff.core import disk
from bakeoff.core.words import Answer
from bakeoff.outputs import export

if TYPE_CHECKING:
    import pandas

CELL = ("task", "setup", "sample", "repeat")
SAMPLES = (
    *(*CELL, "question", "targets", "gold", "tags", "answer", "error", "finish_reason"),
    *("passages", "prompt_tokens", "context_tokens", "completion_tokens"),
)
LISTS = ("targets", "gold", "tags", "passages")
"""Columns that hold more than one value."""
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


def write(run: Run, folder: Path, form: str) -> dict[Path, int]:
    """Write `samples`, `scores` and `numbers` as `parquet` or `csv`; file -> its rows.

    Raises `MissingEvidence` for a damaged run, `BakeoffError` where the folder cannot be written.
    """
    tables = {
        "samples": samples(run),
        "scores": scores(run),
        "numbers": export.frame(run.comparison),
    }
    with disk.refusals(folder):
        folder.mkdir(parents=True, exist_ok=True)
    written = {}
    for name, table in tables.items():
        # Samples have different tags, which no column type holds.
        nested = LISTS if form == "csv" else ("tags",)
        for column in (column for column in nested if column in table):
            table[column] = [json.dumps(value, ensure_ascii=False) for value in table[column]]
        content = io.BytesIO()
        if form == "csv":
            table.to_csv(content, index=False, lineterminator="\n")
        else:
            table.to_parquet(content, index=False)
        path = folder / f"{name}.{form}"
        disk.replace(path, [content.getvalue()])
        written[path] = len(table)
    return written
