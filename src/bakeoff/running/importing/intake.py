"""Rows of a task on their way into the journals, and what was seen of them."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Collection, Container, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path

from bakeoff.core import disk
from bakeoff.core.counts import quantity
from bakeoff.core.hints import shown
from bakeoff.core.words import (
    LATENCY,
    QUALITY,
    Answer,
    BakeoffError,
    Failure,
    Record,
    Sample,
    Score,
    Step,
)
from bakeoff.running.importing.cells import NO_QUESTION, Bad, Cell
from bakeoff.running.importing.fields import Fields
from bakeoff.running.importing.given import GivenScores
from bakeoff.running.importing.wanted import COMMON, Missing
from bakeoff.runs import store
from bakeoff.runs.store import Unit
from bakeoff.runs.written import GIVEN
from bakeoff.tasks.load import Task

SHARE = 0.5
"""Of the samples that must be common to all setups, where nobody asked for fewer."""
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
    unit: Unit
    journal: store.Journal
    open: ExitStack
    """Closes the journal."""
    rows: list[tuple[str, GivenScores]] = field(default_factory=list)
    """(sample, scores) of every line of the journal."""
    seen: dict[str, int] = field(default_factory=dict)
    """Sample -> answers to it."""
    marks: set[tuple[str, str]] = field(default_factory=set)
    files: dict[str, None] = field(default_factory=dict)
    failed: Counter[str] = field(default_factory=Counter)
    """Why cells failed -> how many."""
    absent: int = 0
    """Samples of which it lacks answers."""
    dropped: int = 0
    """Samples that it answered and that are left out, as another setup lacks them."""
    open_book: bool = False
    """Whether an answer of it was made from passages, or looked for some."""
    bare: list[str] = field(default_factory=list)
    """Samples of its answers that have no passages."""
    unjudged: Counter[str] = field(default_factory=Counter)

    def append(self, record: Record, scores: Mapping[str, Score]) -> None:
        self.journal.append(record)
        kept = {} if record.error else {name: (s.value, s.reason) for name, s in scores.items()}
        row = GivenScores(record.sample, record.repeat, record.error, kept)
        self.rows.append((record.sample, row))

    def keep(self, samples: Container[str], folder: Path) -> None:
        """Take the lines of all other samples out of the journal."""
        self.open.close()
        with self.journal.path.open("rb") as stream:
            kept = [line for line, (s, _) in zip(stream, self.rows, strict=True) if s in samples]
        disk.replace(self.journal.path, (line.decode() for line in kept))
        self.rows = [row for row in self.rows if row[0] in samples]
        self.journal = self.open.enter_context(store.open_journal(folder, self.unit))


class Intake:
    """The rows of one task on their way into the journals, and what was seen of them."""

    def __init__(self, folder: Path, name: str, task: Task | None, stack: ExitStack) -> None:
        self.folder, self.name, self.task, self.stack = folder, name, task, stack
        self.known = {s.id: s for s in task.samples} if task else {}
        self.samples: dict[str, Sample] = dict(self.known)
        self.lanes: dict[str, Lane] = {}
        self.times: list[tuple[Record, float]] = []
        self.ends: dict[str, tuple[float, float]] = {}
        """Metric -> its smallest and its largest value."""
        self.metrics: dict[str, None] = {}
        self.applying: dict[str, frozenset[str]] = {}
        """Sample -> the metrics of its answers."""
        self.same: dict[str, str] = {}
        """Sample -> what is equal where it is the same sample, whatever it is asked as."""
        self.versions: dict[str, str] = {}
        """Version of the task -> the first file that states it."""
        self.unknown, self.twice, self.differing = Tally(), Tally(), Tally()

    def add(self, cell: Cell, taken: Fields, place: str, file: str) -> None:
        """Take a row. Raises `Bad` for a setup that cannot be taken."""
        lane = self.lanes.get(cell.setup) or self._open(cell.setup, taken)
        name = cell.sample.id
        if self.task and name not in self.known:
            self.unknown.add(f"'{name}'")
            return
        again = lane.seen.get(name, 0)
        if again and (not cell.mark or (name, cell.mark) in lane.marks):
            self.twice.add(f"'{name}' of setup {cell.setup} ({place})")
            return
        if wrong := self._meet(cell, taken):
            self.differing.add(f"{wrong} of '{name}' ({place})")
            return
        lane.seen[name] = again + 1
        if cell.mark:
            lane.marks.add((name, cell.mark))
        lane.files[file] = None
        self.metrics |= dict.fromkeys(cell.scores)
        if not isinstance(cell.outcome, Failure):
            self._measure(name, cell.scores)
            lane.open_book |= cell.outcome.open_book
            if not cell.outcome.passages:
                lane.bare.append(name)
        record = Record(QUALITY, self.name, lane.name, name, cell.outcome, again)
        lane.append(record, cell.scores)
        if cell.seconds is not None and not again:
            self.times.append((record, cell.seconds))

    def _meet(self, cell: Cell, taken: Fields) -> str:
        """Keep what a row says of its sample; the field in which another row says otherwise."""
        new = cell.sample
        old = self.samples.get(new.id)
        if cell.same and self.same.setdefault(new.id, cell.same) != cell.same:
            return "document"
        if old is None:
            self.samples[new.id] = new
            return ""
        if self.task:
            named = taken.question and "question" not in taken.optional
            return "question" if named and new.question != old.question else ""
        if old == new or cell.same:
            return ""
        for part in ("question", "targets", "gold", "cluster", "tags"):
            mine, theirs = getattr(old, part), getattr(new, part)
            if mine != theirs and mine and theirs and NO_QUESTION not in (mine, theirs):
                return part
        question = new.question if old.question == NO_QUESTION else old.question
        self.samples[new.id] = Sample(
            new.id,
            {**new.fields, **old.fields, "question": question},
            old.targets or new.targets,
            old.gold or new.gold,
            old.cluster or new.cluster,
            old.tags or new.tags,
        )
        return ""

    def _measure(self, sample: str, scores: Mapping[str, Score]) -> None:
        metrics = frozenset(scores)
        self.applying[sample] = self.applying.get(sample, metrics) | metrics
        for metric, score in scores.items():
            if score.value is not None:
                low, high = self.ends.get(metric, (score.value, score.value))
                self.ends[metric] = min(low, score.value), max(high, score.value)

    def _open(self, origin: str, taken: Fields) -> Lane:
        """A setup of which the first row came. Raises `Bad` for a name that cannot be taken."""
        name = identifier(origin)
        if not name or name == f"{LATENCY}-pass":
            raise Bad("setup", origin, "another name, with letters or digits, works")
        if other := next((o for o in self.lanes.values() if o.name == name), None):
            called = f"{shown(other.origin)} is called {name} already"
            raise Bad("setup", origin, f"{called}: a name that differs in letters or digits works")
        if len(self.lanes) == _SETUPS:
            where = f"is '{taken.setup}' the column of the setup?"
            raise BakeoffError(f"import: more than {_SETUPS} setups; {where}")
        unit = Unit(self.name, name)
        opened = self.stack.enter_context(ExitStack())
        journal = opened.enter_context(store.open_journal(self.folder, unit))
        self.lanes[origin] = Lane(name, origin, unit, journal, opened)
        return self.lanes[origin]

    @property
    def repeats(self) -> int:
        return max(max(lane.seen.values(), default=1) for lane in self.lanes.values())

    def end(self, repeats: int, missing: Missing, ends: Collection[str]) -> None:
        """Decide about samples that a setup lacks, and commit. Raises `BakeoffError`.

        Metrics that are not in `ends` have no number in any row, and are left out.
        """
        self.metrics = {name: None for name in self.metrics if name in ends}
        common = self._common(repeats)
        if missing == "worst":
            self._fail_missing(repeats)
        elif len(common) < len(self.samples):
            self._refuse_missing(common, missing)
            for lane in self.lanes.values():
                lane.dropped = sum(name not in common for name in lane.seen)
                lane.keep(common, self.folder)
            self.samples = {name: s for name, s in self.samples.items() if name in common}
        for lane in self.lanes.values():
            self._write_given(lane)
            lane.journal.commit()
        self._write_times()

    def _common(self, repeats: int) -> set[str]:
        """Samples that every setup answered as often as asked."""
        common = set(self.samples)
        for lane in self.lanes.values():
            whole = {name for name, times in lane.seen.items() if times == repeats}
            lane.absent = len(self.samples.keys() - whole)
            common &= whole
        return common

    def _refuse_missing(self, common: Collection[str], missing: Missing) -> None:
        """Raise where too few samples are left, or none may be left out."""
        few = missing == COMMON and len(common) < SHARE * len(self.samples)
        if common and not few and missing != "refuse":
            return
        lacks = ", ".join(f"{n.name} {n.absent}" for n in self.lanes.values() if n.absent)
        raise BakeoffError(
            f"import: task {self.name}: {len(common)} of {len(self.samples)} samples have an "
            f"answer of every setup (missing: {lacks}); --missing drop compares on those alone, "
            "--missing worst counts what is missing as failures"
        )

    def _fail_missing(self, repeats: int) -> None:
        for lane in self.lanes.values():
            error = f"missing from {', '.join(lane.files)}"
            for sample in self.samples:
                for repeat in range(lane.seen.get(sample, 0), repeats):
                    record = Record(QUALITY, self.name, lane.name, sample, Failure(error), repeat)
                    lane.append(record, {})

    def _write_given(self, lane: Lane) -> None:
        """Keep the scores that came with the answers; a failure's metrics are its sample's."""
        path = lane.unit.folder(self.folder) / GIVEN
        lines = []
        for sample, row in lane.rows:
            scores = {name: s for name, s in row.scores.items() if name in self.metrics}
            lane.unjudged.update(name for name, (value, _) in scores.items() if value is None)
            applying = None
            if row.failed:
                lane.failed[row.failed] += 1
                applying = sorted(self.applying.get(sample, self.metrics) & self.metrics.keys())
            lines.append(json.dumps({**vars(row), "scores": scores, "metrics": applying}) + "\n")
        if self.metrics:
            disk.replace(path, lines)

    def _write_times(self) -> None:
        kept = [
            (record, seconds) for record, seconds in self.times if record.sample in self.samples
        ]
        if not kept:
            return
        journal = self.stack.enter_context(store.open_journal(self.folder, Unit(self.name)))
        for record, seconds in kept:
            assert record.answer
            call = next((s for s in record.answer.steps if s.name == "call"), Step("call"))
            answer = Answer("", (), (replace(call, seconds=seconds),))
            journal.append(replace(record, phase=LATENCY, outcome=answer))
        journal.commit()

    def faults(self, setup: str = "") -> list[str]:
        """What is wrong with its rows, counted by kind: no fault falls behind many others.

        `setup`: the options that may tell rows of one id apart as of several setups.
        """
        problems = []
        if self.unknown.count:
            problems.append(
                f"import: {quantity(self.unknown.count, 'row')} with an id that task {self.name} "
                "does not have: "
                f"{self.unknown}; its ids are like {', '.join(map(repr, list(self.known)[:3]))}"
            )
        if self.twice.count:
            apart = f"tell setups apart with {setup}, " if setup else ""
            problems.append(
                f"import: {quantity(self.twice.count, 'row')} more than once: {self.twice}; "
                f"{apart}name a repeat column, give the files setups of their own, or choose rows "
                "with --where COLUMN=TEXT"
            )
        if self.differing.count:
            where = f"task {self.name}" if self.task else "an earlier row"
            problems.append(
                f"import: {quantity(self.differing.count, 'row')} unlike {where} on a sample: "
                f"{self.differing}"
            )
        if len(self.versions) > 1:
            listed = ", ".join(f"{version} ({file})" for version, file in self.versions.items())
            problems.append(
                f"import: task {self.name} is there in several versions: {listed}; scores of two "
                "versions are not compared: import those of one"
            )
        return problems

    def uneven(self) -> list[str]:
        """Setups that were asked a different number of times."""
        times = {lane.origin: max(lane.seen.values(), default=1) for lane in self.lanes.values()}
        if len(set(times.values())) < 2:
            return []
        listed = ", ".join(f"{setup} {count}" for setup, count in times.items())
        return [
            f"import: setups were asked a different number of times ({listed}); import those "
            "that were asked equally often"
        ]


def identifier(text: str) -> str:
    """The text as a name that gates can spell: ASCII letters, digits, - and _."""
    name = re.sub(r"[^A-Za-z0-9_-]+", "-", text).strip("-")[:_NAME]
    return f"_{name}" if name[:1].isdigit() else name
