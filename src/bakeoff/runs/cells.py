"""A unit's rows checked against what was asked: one record and one row of scores for every cell.

Nothing is judged on what is left of a run. A row that is of no cell, occurs twice, is missing or
holds what cannot be a score raises `MissingEvidence` with its file and line.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from bakeoff.core.counts import quantity
from bakeoff.core.words import LATENCY, QUALITY, MissingEvidence, Record, Score
from bakeoff.runs.journal import COMMITTED, Unit, journal_of
from bakeoff.runs.manifest import MetricFacts
from bakeoff.runs.records import follow, read_records
from bakeoff.runs.store import SCORES, Key, ScoreRow, read_scores

EDGE = 1e-9
"""Rounding error of a score at its bound."""


@dataclass(frozen=True)
class Cells:
    """The cells that a unit must have: every sample, so often asked."""

    samples: Collection[str]
    repeats: int
    whole: bool = True
    """Whether all must be there; of a run that did not finish, some are still to come."""
    seen: set[Key] = field(default_factory=set)

    def tick(self, key: Key) -> None:
        """Note a row. Raises `ValueError` when it is of no cell, or of one that had its row."""
        sample, repeat = key
        if sample not in self.samples:
            raise ValueError(f"no sample of the run is called {sample!r}")
        if not 0 <= repeat < self.repeats:
            raise ValueError(
                f"repeat {repeat} of {sample!r}: the run has {quantity(self.repeats, 'repeat')}"
            )
        if key in self.seen:
            raise ValueError(f"{_named(key)} occurs twice")
        self.seen.add(key)

    def end(self, path: Path) -> None:
        """Raise `MissingEvidence` when a cell had no row."""
        missing = len(self.samples) * self.repeats - len(self.seen)
        if self.whole and missing:
            keys = ((sample, repeat) for repeat in range(self.repeats) for sample in self.samples)
            first = next(key for key in keys if key not in self.seen)
            raise MissingEvidence(
                f"{path}: missing: {missing} of "
                f"{quantity(len(self.seen) + missing, 'row')}, the first "
                f"is of {_named(first)}"
            )


def _named(key: Key) -> str:
    sample, repeat = key
    return f"{sample!r}, repeat {repeat}" if repeat else repr(sample)


def records(run: Path, unit: Unit, cells: Cells) -> Iterator[Record]:
    """The quality records of a unit, each of one of its cells."""
    path = journal_of(run, unit) or unit.folder(run) / COMMITTED
    yield from read_records(run, unit, _check_record(unit, cells))
    cells.end(path)


def followed(
    run: Path, unit: Unit, cells: Cells, ended: Callable[[], bool]
) -> Iterator[list[Record]]:
    """The same while they are appended, some at a time: see `follow`."""
    yield from follow(run, unit, ended, _check_record(unit, cells))
    cells.end(unit.folder(run) / COMMITTED)


def _check_record(unit: Unit, cells: Cells) -> Callable[[Record], None]:
    def check(record: Record) -> None:
        if (record.phase, record.task, record.setup) != (QUALITY, unit.task, unit.setup):
            of = f"{record.phase} of {record.task}.{record.setup}"
            raise ValueError(f"a record of another unit ({of})")
        cells.tick((record.sample, record.repeat))
        _measured(record)

    return check


def timed(
    run: Path, unit: Unit, samples: Collection[str], setups: Collection[str]
) -> Iterator[Record]:
    """The records of a task's latency pass, each of one of its samples and setups."""

    def check(record: Record) -> None:
        if record.phase.partition("@")[0] != LATENCY or record.task != unit.task:
            raise ValueError(f"a record of another unit ({record.phase} of {record.task})")
        if record.setup not in setups:
            raise ValueError(f"no setup of the run is called {record.setup!r}")
        if record.sample not in samples:
            raise ValueError(f"no sample of the run is called {record.sample!r}")
        _measured(record)

    yield from read_records(run, unit, check)


def _measured(record: Record) -> None:
    """Raise `ValueError` for seconds or tokens that cannot have been measured."""
    for step in record.answer.steps if record.answer else ():
        if step.seconds is not None and not 0 <= step.seconds < math.inf:
            raise ValueError(f"seconds of {step.name}: {step.seconds}")
        tokens = (step.prompt_tokens, step.context_tokens, step.completion_tokens)
        if not all(isinstance(count, int) and count >= 0 for count in tokens):
            raise ValueError(f"tokens of {step.name}: {tokens}")


def scores(
    run: Path, unit: Unit, cells: Cells, metrics: Mapping[str, MetricFacts]
) -> Iterator[ScoreRow]:
    """The scores of a unit, a row for each of its cells."""

    def check(row: ScoreRow) -> None:
        cells.tick(row.key)
        for name, score in row.scores.items():
            if name in metrics:
                _check(name, score, metrics[name])

    yield from read_scores(run, unit, check)
    cells.end(unit.folder(run) / SCORES)


def _check(name: str, score: Score, about: MetricFacts) -> None:
    low, high = about.bounds or (-math.inf, math.inf)
    if score.value is not None and not low - EDGE <= score.value <= high + EDGE:
        raise ValueError(f"{name} is {score.value:g}, which is not from {low:g} to {high:g}")
