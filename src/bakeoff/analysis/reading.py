"""What a run's numbers are made of, counted while its answers and scores come in."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from bakeoff.analysis.columns import Tables
from bakeoff.analysis.endings import Endings
from bakeoff.core.words import QUALITY, Record, Sample
from bakeoff.runs.store import ScoreRow, Scores
from bakeoff.spec.benchmark import Suite

Cell = tuple[str, str]
"""(task, setup)."""
Scored = tuple[Record, Scores]
HELD_CHARACTERS, HELD_ANSWERS = 30_000_000, 20_000
"""Of answers with their passages that stay in memory for the report; of more, it reads the disk."""


def asked(suite: Suite, tasks: Iterable[str]) -> dict[str, list[str]]:
    """Task -> the setups that it is asked of."""
    return {task: [s.name for s in suite.setups.values() if s.takes(task)] for task in tasks}


class Reading:
    """The columns, endings and passages of a run as far as they were read."""

    def __init__(self, samples: Mapping[str, Mapping[str, Sample]], suite: Suite) -> None:
        prices = {s.name: p for s in suite.setups.values() if (p := suite.price(s))}
        self.samples = samples
        """Task -> sample id -> sample."""
        self.tables = Tables(samples, asked(suite, samples), suite.repeats, prices)
        self.endings = Endings()
        self.shown: dict[Cell, list[int]] = {}
        """Passages of each answer."""
        self.whole: set[Cell] = set()
        """Those whose records and scores have all been read."""
        self.held: dict[Cell, list[Scored]] = {}
        """Answers that need not be read again."""
        self._room = [HELD_ANSWERS, HELD_CHARACTERS]

    def add(self, record: Record) -> None:
        """Count a record."""
        self.endings.add(record)
        if record.phase == QUALITY and record.answer:
            counts = self.shown.setdefault((record.task, record.setup), [])
            counts.append(len(record.answer.passages))
        self.tables.add(record)

    def add_scores(self, cell: Cell, row: ScoreRow) -> None:
        """Count the scores of an answer."""
        self.tables.add_scores(*cell, row.sample, row.repeat, row.scores)

    def hold(self, record: Record, row: ScoreRow) -> None:
        """Keep an answer of the quality pass with its scores, unless there are too many."""
        if row.key != (record.sample, record.repeat):
            self._room = [0, 0]  # in another order: to be read again
        answer = record.answer
        texts = (answer.text, *(p.text for p in answer.passages)) if answer else ()
        self._room = [self._room[0] - 1, self._room[1] - sum(map(len, texts))]
        if min(self._room) < 0:
            self.held.clear()
        else:
            self.held.setdefault((record.task, record.setup), []).append((record, row.scores))
