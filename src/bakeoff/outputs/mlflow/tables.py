"""The answers of a setup, one row per sample, as tables that the UI sets side by side."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from operator import itemgetter
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import mlflow
import pandas as pd

from bakeoff.analysis.measured_run import Run
from bakeoff.core.words import Record, Score
from bakeoff.outputs.mlflow.names import metric_name, rounded, text
from bakeoff.spec.benchmark import Setup

ROWS = 10_000
"""Rows of a table; a longer one goes on in `samples-2.json` and so on."""
UNANSWERABLE = "(unanswerable)"


@dataclass(frozen=True)
class _Row:
    """An answer in a table."""

    # The UI opens a table grouped by its first column and compares the second.
    sample: str
    """Question, expected answer and id."""
    answer: str
    score: float | None
    """By the task's headline metric."""
    passages: str
    scores: str
    question: str
    expected: str
    task: str
    id: str
    repeat: int


def log(client: mlflow.MlflowClient, identity: str, run: Run, setup: Setup) -> None:
    """Log the answers of a setup; the same samples are in the same table for all setups."""
    with TemporaryDirectory() as folder:
        for number, path in enumerate(_parts(run, setup, Path(folder)), 1):
            name = "samples.json" if number == 1 else f"samples-{number}.json"
            client.log_table(identity, _frame(run, path), name)


def _frame(run: Run, path: Path) -> pd.DataFrame:
    with path.open(encoding="utf-8") as stream:
        placed = sorted((json.loads(line) for line in stream), key=itemgetter(0))
    frame = pd.DataFrame([row for _, row in placed])
    return frame if run.suite.repeats > 1 else frame.drop(columns="repeat")


def _parts(run: Run, setup: Setup, folder: Path) -> Iterator[Path]:
    """Rows as JSON Lines, a file for so many samples: memory never holds them all."""
    per_part = max(1, ROWS // run.suite.repeats)
    places = _places(run)
    streams: dict[int, Any] = {}
    try:
        for row in _rows(run, setup):
            place = places[row.task, row.id]
            part = place // per_part
            if part not in streams:
                streams[part] = (folder / f"{part:06}").open("w", encoding="utf-8")
            streams[part].write(json.dumps((place, vars(row))) + "\n")
    finally:
        for stream in streams.values():
            stream.close()
    yield from sorted(folder.iterdir())


def _places(run: Run) -> dict[tuple[str, str], int]:
    keys = ((task, text(name)) for task, members in run.samples.items() for name in members)
    return {key: place for place, key in enumerate(keys)}


def _rows(run: Run, setup: Setup) -> Iterator[_Row]:
    for task, setups in run.asked.items():
        if setup.name in setups:
            scores = dict(run.scores(task, setup.name))
            for record in run.records(task, setup.name):
                yield _row(run, record, scores.get((record.sample, record.repeat), {}))


def _row(run: Run, record: Record, scores: Mapping[str, Score]) -> _Row:
    sample, answer = run.samples[record.task][record.sample], record.answer
    headline = scores.get(run.headlines[record.task], Score(None, "not scored"))
    expected = text(sample.targets[0]) if sample.targets else UNANSWERABLE
    shown = answer.passages if answer else ()
    return _Row(
        sample=text(f"{sample.question}\n\nexpected: {expected}\n({record.task} {sample.id})"),
        answer=answer_text(record),
        score=None if headline.value is None else rounded(headline.value),
        passages="\n\n".join(text(f"[{p.document}] {p.text}") for p in shown),
        scores="\n".join(_scored(name, score) for name, score in scores.items()),
        question=text(sample.question),
        expected=expected,
        task=record.task,
        id=text(sample.id),
        repeat=record.repeat,
    )


def answer_text(record: Record) -> str:
    """What a setup answered, or why it did not."""
    return text(record.answer.text if record.answer else f"(failed: {record.error})")


def _scored(name: str, score: Score) -> str:
    value = "unjudged" if score.value is None else f"{rounded(score.value):g}"
    return text(f"{metric_name(name)} {value}" + (f": {score.reason}" if score.reason else ""))
