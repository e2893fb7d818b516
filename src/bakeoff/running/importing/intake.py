"""Rows on their way into the journals, and what was seen of them."""

from __future__ import annotations

import json
import os
import re
from collections import Counter
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TextIO

from bakeoff.core.hints import shown
from bakeoff.core.words import (
    LATENCY,
    LISTED,
    QUALITY,
    Answer,
    BakeoffError,
    Failure,
    Record,
    Sample,
    Score,
    Step,
    sha256_file,
)
from bakeoff.running.importing.cells import NO_QUESTION, Bad, Cell, cell_of, text_of
from bakeoff.running.importing.fields import Fields, find
from bakeoff.running.importing.given import GivenScores
from bakeoff.running.importing.rows import read_rows
from bakeoff.runs import store
from bakeoff.runs.manifest import ImportedFile
from bakeoff.runs.store import Unit
from bakeoff.runs.written import GIVEN
from bakeoff.tasks.load import Task

SAID = LISTED
"""Faulty rows that are told one by one; the others are counted."""
FIRST = 5
"""Ids named with a count of them."""
_NAME = 100
"""Characters of a setup's name, which is part of a folder's."""
_SETUPS = 200
"""Setups of one import: each has files open while rows come in."""


@dataclass
class Tally:
    """A fault that many rows can have: how many have it, and the first of them."""

    count: int = 0
    first: list[str] = field(default_factory=list)

    def add(self, text: str) -> None:
        self.count += 1
        if self.count <= FIRST:
            self.first.append(text)

    def __str__(self) -> str:
        more = ", …" if self.count > FIRST else ""
        return ", ".join(self.first) + more


@dataclass
class Lane:
    """What has come in of one setup."""

    name: str
    origin: str
    """Its name in the files."""
    journal: store.Journal
    given: TextIO | None
    seen: dict[str, int] = field(default_factory=dict)
    """Sample -> answers to it."""
    marks: set[tuple[str, str]] = field(default_factory=set)
    files: dict[str, None] = field(default_factory=dict)
    failed: Counter[str] = field(default_factory=Counter)
    """Why cells failed -> how many."""
    unjudged: Counter[str] = field(default_factory=Counter)

    def append(self, record: Record, scores: Mapping[str, Score]) -> None:
        self.journal.append(record)
        if self.given is None:
            return
        kept = {} if record.error else {name: (s.value, s.reason) for name, s in scores.items()}
        self.unjudged.update(name for name, (value, _) in kept.items() if value is None)
        row = GivenScores(record.sample, record.repeat, record.error, kept)
        self.given.write(json.dumps(vars(row)) + "\n")


class Intake:
    """Rows on their way into the journals, and what was seen of them."""

    def __init__(
        self, folder: Path, name: str, task: Task | None, taken: Fields, stack: ExitStack
    ) -> None:
        self.folder, self.name, self.task, self.taken, self.stack = folder, name, task, taken, stack
        self.known = {s.id: s for s in task.samples} if task else {}
        self.samples: dict[str, Sample] = dict(self.known)
        self.lanes: dict[str, Lane] = {}
        self.timed: store.Journal | None = None
        self.ends: dict[str, tuple[float, float]] = {}
        """Metric -> its smallest and its largest value."""
        self.sources: list[ImportedFile] = []
        self.unseen = {n: p for n, p in taken.places.items() if n not in taken.optional}
        self.problems: list[str] = []
        self.faulty = 0
        self.unknown, self.twice, self.differing = Tally(), Tally(), Tally()

    def add_file(self, file: Path, setup: str) -> None:
        """Take the rows of a file. Raises `BakeoffError` for what is no such file at all."""
        stem = file.resolve().parent.name if self.taken.folder_is_setup else file.stem
        rows = left_out = 0
        for place, row in read_rows(file, self.taken):
            if isinstance(row, str):
                self._fault(f"{file}: {place}: {row}")
                continue
            if any(text_of(find(row, path)) != text for path, text in self.taken.where.items()):
                left_out += 1
                continue
            rows += 1
            if self.unseen:
                self.unseen = {n: p for n, p in self.unseen.items() if find(row, p) is None}
            try:
                self._add(cell_of(row, self.taken, setup or stem), f"{file}: {place}", file.name)
            except Bad as fault:
                self._fault(f"{file}: {place}: {fault}")
        if not rows and not self.problems:
            chosen = " that --where asks for" if left_out else ""
            self.problems.append(f"{file}: no rows{chosen}")
        self.sources.append(
            ImportedFile(
                file=os.path.relpath(file),
                sha256=sha256_file(file),
                rows=rows,
                left_out=left_out or None,
            )
        )

    def _fault(self, text: str) -> None:
        self.faulty += 1
        if self.faulty <= SAID:
            self.problems.append(text)

    def _add(self, cell: Cell, place: str, file: str) -> None:
        lane = self.lanes.get(cell.setup) or self._open(cell.setup)
        name = cell.sample.id
        if self.task and name not in self.known:
            self.unknown.add(f"'{name}'")
            return
        again = lane.seen.get(name, 0)
        if again and (not self.taken.repeat or (name, cell.mark) in lane.marks):
            self.twice.add(f"'{name}' of setup {cell.setup} ({place})")
            return
        if wrong := self._meet(cell.sample):
            self.differing.add(f"{wrong} of '{name}' ({place})")
            return
        lane.seen[name] = again + 1
        if self.taken.repeat:
            lane.marks.add((name, cell.mark))
        lane.files[file] = None
        if isinstance(cell.outcome, Failure):
            lane.failed[cell.outcome.error] += 1
        else:
            self._measure(cell.scores)
        record = Record(QUALITY, self.name, lane.name, name, cell.outcome, again)
        lane.append(record, cell.scores)
        if cell.seconds is not None and not again:
            self._time(record, cell.seconds)

    def _meet(self, new: Sample) -> str:
        """Keep what a row says of its sample; the field in which another row says otherwise."""
        old = self.samples.get(new.id)
        if old is None:
            self.samples[new.id] = new
            return ""
        if self.task:
            asked = self.taken.question and new.question != old.question
            return "question" if asked else ""
        if old == new:
            return ""
        for part in ("question", "targets", "cluster", "tags"):
            mine, theirs = getattr(old, part), getattr(new, part)
            if mine != theirs and mine and theirs and NO_QUESTION not in (mine, theirs):
                return part
        question = new.question if old.question == NO_QUESTION else old.question
        self.samples[new.id] = Sample(
            new.id,
            {"question": question},
            old.targets or new.targets,
            (),
            old.cluster or new.cluster,
            old.tags or new.tags,
        )
        return ""

    def _measure(self, scores: Mapping[str, Score]) -> None:
        for metric, score in scores.items():
            if score.value is not None:
                low, high = self.ends.get(metric, (score.value, score.value))
                self.ends[metric] = min(low, score.value), max(high, score.value)

    def _time(self, record: Record, seconds: float) -> None:
        assert record.answer
        if self.timed is None:
            self.timed = self.stack.enter_context(store.open_journal(self.folder, Unit(self.name)))
        step = (record.answer.steps or (Step("call"),))[0]
        answer = Answer("", (), (replace(step, seconds=seconds),))
        self.timed.append(replace(record, phase=LATENCY, outcome=answer))

    def _open(self, origin: str) -> Lane:
        """A setup of which the first row came. Raises `Bad` for a name that cannot be taken."""
        name = identifier(origin)
        if not name or name == f"{LATENCY}-pass":
            raise Bad("setup", origin, "another name, with letters or digits, works")
        if other := next((o for o in self.lanes.values() if o.name == name), None):
            taken = f"{shown(other.origin)} is called {name} already"
            raise Bad("setup", origin, f"{taken}: a name that differs in letters or digits works")
        if len(self.lanes) == _SETUPS:
            where = f"is '{self.taken.setup}' the column of the setup?"
            raise BakeoffError(f"import: more than {_SETUPS} setups; {where}")
        unit = Unit(self.name, name)
        journal = self.stack.enter_context(store.open_journal(self.folder, unit))
        given = None
        if self.taken.scores:
            path = unit.folder(self.folder) / GIVEN
            given = self.stack.enter_context(path.open("w", encoding="utf-8"))
        self.lanes[origin] = Lane(name, origin, journal, given)
        return self.lanes[origin]

    @property
    def repeats(self) -> int:
        return max(max(lane.seen.values(), default=1) for lane in self.lanes.values())

    def end(self) -> None:
        """Fail the cells that no row answered, and commit. Raises `BakeoffError` for all faults."""
        # Counted here, by kind: what else is wrong must not fall behind the many rows.
        if problems := self._faults():
            raise BakeoffError("\n".join(problems))
        repeats = self.repeats
        for lane in self.lanes.values():
            error = f"missing from {', '.join(lane.files)}"
            for sample in self.samples:
                for repeat in range(lane.seen.get(sample, 0), repeats):
                    record = Record(QUALITY, self.name, lane.name, sample, Failure(error), repeat)
                    lane.append(record, {})
                    lane.failed[error] += 1
            lane.journal.commit()
        if self.timed:
            self.timed.commit()

    def _faults(self) -> list[str]:
        problems = list(self.problems)
        if self.faulty > SAID:
            problems.append(f"import: {self.faulty - SAID} more rows cannot be taken")
        if self.unknown.count:
            problems.append(
                f"import: {self.unknown.count} rows have ids that task {self.name} does not: "
                f"{self.unknown}; its ids are like {', '.join(map(repr, list(self.known)[:3]))}"
            )
        if self.twice.count:
            problems.append(
                f"import: {self.twice.count} rows occur twice: {self.twice}; name a repeat column, "
                "give the files setups of their own, or choose rows with --where COLUMN=TEXT"
            )
        if self.differing.count:
            where = f"task {self.name}" if self.task else "an earlier row"
            problems.append(
                f"import: {self.differing.count} rows differ from {where} in what they say of a "
                f"sample: {self.differing}"
            )
        if problems:
            return problems
        problems += [
            f"import: {name}: no row holds anything at '{path}'"
            for name, path in self.unseen.items()
        ]
        problems += [
            f"import: score {metric}: no answered row holds a number"
            for metric in self.taken.scores
            if metric not in self.ends and f"score {metric}" not in self.unseen
        ]
        times = {lane.origin: max(lane.seen.values(), default=1) for lane in self.lanes.values()}
        if len(set(times.values())) > 1:
            listed = ", ".join(f"{setup} {count}" for setup, count in times.items())
            problems.append(
                f"import: setups were asked a different number of times ({listed}); import those "
                "that were asked equally often"
            )
        return problems


def identifier(text: str) -> str:
    """The text as a name that gates can spell: ASCII letters, digits, - and _."""
    name = re.sub(r"[^A-Za-z0-9_-]+", "-", text).strip("-")[:_NAME]
    return f"_{name}" if name[:1].isdigit() else name
