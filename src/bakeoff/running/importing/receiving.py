"""The files of an import read in, each by the importer that recognizes it, task by task."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

from bakeoff.core.hints import near
from bakeoff.core.measure import MEASURED
from bakeoff.core.words import LISTED, BakeoffError, sha256_file
from bakeoff.metrics.scorers import FROM_PASSAGES
from bakeoff.running.importing.cells import Bad, Cell, cell_of
from bakeoff.running.importing.fields import OWN, THEIRS, Fields, find
from bakeoff.running.importing.importers import importer_named
from bakeoff.running.importing.intake import Intake
from bakeoff.running.importing.rows import read_rows
from bakeoff.running.importing.sources import PASSAGES, UNASKED, OwnRow, Row, Source, slug
from bakeoff.running.importing.wanted import Import
from bakeoff.runs.manifest import ImportedFile
from bakeoff.spec.metric import Metric
from bakeoff.spec.names import METRICS
from bakeoff.tasks.load import Task

SETUPS = ("setup", "model", "provider", "system")
"""Columns that may tell setups apart, the likeliest first."""
SAID = LISTED
"""Faulty rows that are told one by one; the others are counted."""


class Receiver:
    """What has come in of all files; an `Intake` for every task."""

    def __init__(
        self, folder: Path, name: str, task: Task | None, wanted: Import, stack: ExitStack
    ) -> None:
        self.folder, self.name, self.task, self.wanted = folder, name, task, wanted
        self.stack = stack
        self.intakes: dict[str, Intake] = {}
        self.sources: list[ImportedFile] = []
        self.left: Counter[str] = Counter()
        self.lower: set[str] = set()
        self.notes: dict[str, None] = {}
        self.scorers = {str(Metric.parse(text)) for text in wanted.scorers}
        if task:
            self.scorers |= {str(metric) for metric in task.scorers}
        self.taken = self.scorers | set(MEASURED) | set(METRICS)
        """Names that scores of other tools cannot have."""
        self.renamed: dict[str, str] = {}
        """Another tool's score -> its name here, where it could not keep its own."""
        self.columns: dict[str, None] = {}
        """Of the first row of each file."""
        self.unseen: dict[str, str] | None = None
        self.problems: list[str] = []
        self.faulty = 0

    def add_file(self, file: Path, format: str) -> None:
        """Take the rows of a file of a format, or of columns that are named where it is empty.

        Raises `BakeoffError` for what is no such file at all.
        """
        taken = self.wanted.fields.over(OWN) if format else self.wanted.fields
        if self.wanted.setup:
            taken = replace(taken, setup="")
        if self.unseen is None or not format:
            self.unseen = {n: p for n, p in taken.places.items() if n not in taken.optional}
            if format:
                # What importers look for themselves, in rows as they stand in the file.
                own = ("score ", "where ")
                self.unseen = {n: p for n, p in self.unseen.items() if not n.startswith(own)}
        source = Source(file, taken.where)
        rows = 0
        for place, row in importer_named(format).rows(source) if format else _table(source, taken):
            if isinstance(row, str):
                self._fault(f"{file}: {place}: {row}")
                continue
            if not rows and not (format and row.get("setup")):
                # What importers add is no column of the file; those that know setups name none.
                added = OwnRow.__annotations__ if format else {}
                self.columns |= dict.fromkeys(name for name in row if name not in added)
            rows += 1
            if self.unseen:
                self.unseen = {n: p for n, p in self.unseen.items() if find(row, p) is None}
            try:
                cell = cell_of(row, taken, self.wanted.setup or file.stem)
                if cell.version:
                    self._intake(cell).versions.setdefault(cell.version, file.name)
                if format:
                    cell = self._beside(cell)
                self._intake(cell).add(cell, taken, f"{file}: {place}", file.name)
            except Bad as fault:
                self._fault(f"{file}: {place}: {fault}")
        self._end_file(source, rows, format)

    def _intake(self, cell: Cell) -> Intake:
        name = self.task.name if self.task else slug(cell.task) if cell.task else self.name
        if name not in self.intakes:
            self.intakes[name] = Intake(self.folder, name, self.task, self.stack)
        return self.intakes[name]

    def _beside(self, cell: Cell) -> Cell:
        """The cell with the tool's scores beside those of bakeoff that have the same name.

        Also of those that once had it: files of runs are read under the names of today.
        """
        met = cell.scores.keys() & self.taken
        if not met:
            return cell
        self.renamed |= {name: f"{THEIRS}{name}" for name in met}
        scores = {self.renamed.get(name, name): score for name, score in cell.scores.items()}
        return replace(cell, scores=scores)

    def _end_file(self, source: Source, rows: int, format: str) -> None:
        unasked = source.left.pop(UNASKED, 0)
        if not rows and not self.problems:
            chosen = " that --where asks for" if unasked else ""
            self.problems.append(f"{source.file}: no rows{chosen}")
        self.left += source.left
        self.lower |= source.lower
        self.notes |= dict.fromkeys(source.notes)
        self.sources.append(
            ImportedFile(
                file=os.path.relpath(source.file),
                sha256=sha256_file(source.file),
                rows=rows,
                left_out=unasked or None,
                format=format or None,
            )
        )

    def _lacks_passages(self) -> Iterator[str]:
        """Scorers that were asked for and that no answer has passages for."""
        # Of traces without scores times and tokens can be compared, and need some scorer.
        compared = self.ends or not all(source.format for source in self.sources)
        lanes = [lane for intake in self.intakes.values() for lane in intake.lanes.values()]
        closed = any(lane.bare for lane in lanes) and not any(lane.open_book for lane in lanes)
        if closed and compared and (needing := from_passages(self.wanted.scorers)):
            yield (
                f"import: {needing}: no answer has passages; name where they are with "
                f"{self._naming('passages', PASSAGES)}, or leave {needing} out"
            )

    def _setup_column(self) -> str:
        """The options that make setups of a column; empty where none is a likely one."""
        known = any(name in self.columns for name in SETUPS)
        return self._naming("setup", SETUPS) if known else ""

    def _naming(self, name: str, likely: Iterable[str]) -> str:
        """The options that name a field's column: a likely one, if the rows have it."""
        formats = {source.format for source in self.sources if source.format}
        # A column that is named turns off that formats are recognized.
        preset = "".join(f"--preset {format} " for format in formats if len(formats) == 1)
        column = next((column for column in likely if column in self.columns), "COLUMN")
        return f"{preset}--column {name}={column}"

    def _fault(self, text: str) -> None:
        self.faulty += 1
        if self.faulty <= SAID:
            self.problems.append(text)

    @property
    def repeats(self) -> int:
        return max(intake.repeats for intake in self.intakes.values())

    @property
    def ends(self) -> dict[str, tuple[float, float]]:
        """Metric -> its smallest and its largest value in any task."""
        ends: dict[str, tuple[float, float]] = {}
        for intake in self.intakes.values():
            for metric, (low, high) in intake.ends.items():
                known = ends.get(metric, (low, high))
                ends[metric] = min(low, known[0]), max(high, known[1])
        return ends

    @property
    def setups(self) -> dict[str, str]:
        """Setup -> its name in the files, in the order in which they came."""
        lanes = (lane for intake in self.intakes.values() for lane in intake.lanes.values())
        return {lane.name: lane.origin for lane in lanes}

    def end(self) -> None:
        """Decide about what is missing, and commit. Raises `BakeoffError` with all faults."""
        # Counted by kind: what else is wrong must not fall behind the many rows.
        problems = list(self.problems)
        if self.faulty > SAID:
            problems.append(f"import: {self.faulty - SAID} more rows cannot be taken")
        setup = "" if self.wanted.setup or self.wanted.fields.setup else self._setup_column()
        problems += [text for intake in self.intakes.values() for text in intake.faults(setup)]
        if problems := problems or list(self._lacks()):
            raise BakeoffError("\n".join(problems))
        ends, repeats = self.ends, self.repeats
        for intake in self.intakes.values():
            intake.end(repeats, self.wanted.missing, ends)

    def _lacks(self) -> Iterator[str]:
        for name, path in (self.unseen or {}).items():
            yield f"import: {name}: no row holds anything at '{path}'{near(path, self.columns)}"
        ends = self.ends
        for metric in self.wanted.fields.scores:
            if metric not in ends and f"score {metric}" not in (self.unseen or {}):
                yield f"import: score {metric}: no answered row holds a number"
        if not (ends or self.scorers):
            yield (
                "import: nothing to compare: the rows hold no scores; score answers by a task "
                "(--task) or by scorers (--scorers)"
            )
        yield from self._lacks_passages()
        names: dict[str, str] = {}
        for intake in self.intakes.values():
            yield from intake.uneven()
            for lane in intake.lanes.values():
                if names.setdefault(lane.name, lane.origin) != lane.origin:
                    yield (
                        f"import: setups '{names[lane.name]}' and '{lane.origin}' are both called "
                        f"{lane.name}: names that differ in letters or digits work"
                    )
        times = {name: intake.repeats for name, intake in self.intakes.items()}
        if len(set(times.values())) > 1:
            listed = ", ".join(f"{name} {count}" for name, count in times.items())
            yield (
                f"import: tasks were asked a different number of times ({listed}); import those "
                "that were asked equally often"
            )


def from_passages(scorers: Iterable[object]) -> str:
    """Those that say nothing of answers without passages, as a message lists them."""
    return ", ".join(str(m) for m in scorers if Metric.parse(str(m)).name in FROM_PASSAGES)


def _table(source: Source, taken: Fields) -> Iterator[Row]:
    for place, row in read_rows(source.file, taken):
        if isinstance(row, str) or source.wants(row):
            yield place, row
