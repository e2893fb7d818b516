"""Journals: what was answered, line by line, appended by one writer and read back.

A line is a record, or the note of a request that goes out. A later record of a cell replaces an
earlier one.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, NamedTuple

from bakeoff.core import disk
from bakeoff.core.parts import parts_of
from bakeoff.core.words import (
    LATENCY,
    Answer,
    BakeoffError,
    CheckedClaim,
    Failure,
    Incomplete,
    MissingEvidence,
    Passage,
    Record,
    Step,
)

UNITS, COMMITTED = "units", "committed.jsonl"
SYNC_RECORDS, SYNC_SECONDS = 100, 1.0


class JournalError(Incomplete):
    """The journal could not be written."""


@dataclass(frozen=True)
class Unit:
    """What is done and kept together: a task on a setup, or a task's latency pass (no setup)."""

    task: str
    setup: str = ""

    @property
    def name(self) -> str:
        return f"{self.task}.{self.setup or LATENCY + '-pass'}"

    def folder(self, run: Path) -> Path:
        return run / UNITS / self.name


class Journal:
    """Appends records as whole lines; what was returned from `append` survives a crash.

    Raises `JournalError` when a line cannot be written whole (a full disk); the file is then cut
    back to its last whole line, so that it always loads.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            self.file = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
        except OSError as error:
            raise self._unwritten(error) from error
        try:
            if not disk.lock(self.file, path):
                raise BakeoffError(f"{path}: another process is writing this run")
        except BakeoffError:
            os.close(self.file)
            raise
        self.size = _whole_lines(path)
        os.ftruncate(self.file, self.size)
        self.unsynced = 0
        self.synced_at = time.monotonic()
        self.syncing: Future[None] | None = None
        self.syncer = ThreadPoolExecutor(1)

    def append(self, record: Record) -> None:
        """Keep a finished cell."""
        self._write(_line(record))

    def sending(self, sample: str, repeat: int = 0) -> None:
        """Note that a request which may be billed goes out now."""
        again = f', "repeat": {repeat}' if repeat else ""
        # As `json.dumps` writes it, in a third of its time: one before every request.
        self._write(f'{{"sent": {json.dumps(sample)}{again}}}')

    def _write(self, row: str) -> None:
        line = f"{row}\n".encode()
        try:
            written = os.pwrite(self.file, line, self.size)
            while written < len(line):
                step = os.pwrite(self.file, line[written:], self.size + written)
                if not step:
                    raise OSError("nothing was written")
                written += step
            self.size += len(line)
            self.unsynced += 1
            late = time.monotonic() - self.synced_at > SYNC_SECONDS
            if self.unsynced >= SYNC_RECORDS or late:
                self._sync_aside()
        except OSError as error:
            os.ftruncate(self.file, self.size)
            raise self._unwritten(error) from error

    def _unwritten(self, error: OSError) -> JournalError:
        reason = error.strerror or error
        return JournalError(f"{self.path}: cannot be written: {reason}; {disk.GO_ON}")

    def _sync_aside(self) -> None:
        """Have the disk catch up while answers keep coming: a kill loses nothing written."""
        if self.syncing and not self.syncing.done():
            return
        if self.syncing:
            self.syncing.result()
        self.syncing = self.syncer.submit(os.fsync, self.file)
        self.unsynced, self.synced_at = 0, time.monotonic()

    def sync(self) -> None:
        """Wait until everything appended is on the disk."""
        try:
            if self.syncing:
                self.syncing.result()
            os.fsync(self.file)
        except OSError as error:
            raise self._unwritten(error) from error

    def commit(self) -> None:
        """Make this attempt the one that counts, unless another one was first."""
        self.sync()
        whole = self.path.parent / COMMITTED
        if whole.exists():
            return
        try:
            if not disk.link(self.path, whole):
                # This process alone writes the attempt: it may as well have another name.
                self.path.rename(whole)
        except FileExistsError:
            return
        except OSError as error:
            raise self._unwritten(error) from error

    def close(self) -> None:
        try:
            self.sync()
        finally:
            self.syncer.shutdown()
            os.close(self.file)


@contextmanager
def open_journal(run: Path, unit: Unit) -> Iterator[Journal]:
    """The unit's newest attempt (or its first), open for appending by this process alone.

    A committed attempt is open to additions again: its failures can be tried anew.
    """
    folder = unit.folder(run)
    with disk.refusals(folder):
        folder.mkdir(parents=True, exist_ok=True)
    attempts = _attempts(folder)
    if committed(run, unit):
        first = folder / COMMITTED
        attempts = [a for a in attempts if a.samefile(first)] or [first]
    journal = Journal(attempts[-1] if attempts else folder / "1.jsonl")
    try:
        yield journal
    finally:
        journal.close()


def _attempts(folder: Path) -> list[Path]:
    return sorted(folder.glob("[0-9]*.jsonl"), key=lambda path: int(path.stem))


def _whole_lines(path: Path) -> int:
    """Bytes up to and with the last newline: what a crash cut short is dropped."""
    size = path.stat().st_size
    with path.open("rb") as stream:
        while size:
            start = max(0, size - 2**16)
            stream.seek(start)
            newline = stream.read(size - start).rfind(b"\n")
            if newline >= 0:
                return start + newline + 1
            size = start
    return 0


def committed(run: Path, unit: Unit) -> bool:
    """Whether an attempt at the unit went to its end."""
    return (unit.folder(run) / COMMITTED).is_file()


def journal_of(run: Path, unit: Unit) -> Path | None:
    """The attempt whose records count: the committed one, or the newest."""
    folder = unit.folder(run)
    if committed(run, unit):
        return folder / COMMITTED
    attempts = _attempts(folder)
    return attempts[-1] if attempts else None


def units(run: Path) -> list[Unit]:
    """Every unit the run has a folder of."""
    names = sorted(path.name for path in (run / UNITS).glob("*.*") if path.is_dir())
    split = [name.rsplit(".", 1) for name in names]
    return [Unit(task, "" if setup == f"{LATENCY}-pass" else setup) for task, setup in split]


def read_records(
    run: Path, unit: Unit, check: Callable[[Record], None] = lambda _: None
) -> Iterator[Record]:
    """The last record of every cell of the unit: a later attempt replaces an earlier failure.

    Streams: memory holds one record at a time, and where each one is. `check` raises
    `ValueError` for a record that cannot be. Raises `MissingEvidence` for that, for a line that is
    no record and for a second answer to one question.
    """
    path = journal_of(run, unit)
    if path is None:
        return
    last: dict[Any, int] = {}
    answered: set[Any] = set()
    for number, line in _lines(path):
        if not line.startswith(_SENT):
            cell, answer = _cell(path, number, line)
            # The latency pass times its samples under load again when it is gone on with.
            if unit.setup and cell in answered:
                raise damaged(path, number, ValueError("answered before, on an earlier line"))
            if answer:
                answered.add(cell)
            last[cell] = number
    wanted = set(last.values())
    for number, line in _lines(path):
        if number in wanted:
            try:
                record = _record(_row(path, number, line))
                check(record)
            except DAMAGED as error:
                raise damaged(path, number, error) from error
            yield record


DAMAGED = (ValueError, KeyError, TypeError, AttributeError, RecursionError, OverflowError)
"""What reading a line raises that is not what a run writes."""


def damaged(path: Path, number: int, error: Exception) -> MissingEvidence:
    """The message for a line of a run's file that is not what a run writes."""
    what = f"{error} is missing" if isinstance(error, KeyError) else error
    return MissingEvidence(f"{path}: line {number} is damaged: {what}")


def requests_sent(run: Path, unit: Unit) -> int:
    """Billable requests that went out for the unit, in all its attempts."""
    attempts = _attempts(unit.folder(run))
    whole = unit.folder(run) / COMMITTED
    if whole.exists() and not any(attempt.samefile(whole) for attempt in attempts):
        # Without hard links it has taken the newest attempt's place, or is a copy of it.
        attempts = [*attempts[:-1], whole]
    return sum(line.startswith(_SENT) for path in attempts for _, line in _lines(path))


_SENT = b'{"sent": '
"""How the note of a request that goes out begins: recognized without parsing."""


def _cell(path: Path, number: int, line: bytes) -> tuple[Any, bool]:
    """What cell a record is of, and whether it is an answer.

    The cell is the beginning of its line, unread; of a strange line, its fields. Inside a text the
    quotes would be escaped, so what is found is the key.
    """
    for key in (b', "answer": {', b', "error": "'):
        head, separator, _ = line.partition(key)
        if separator:
            return head, key.startswith(b', "answer')
    row = _row(path, number, line)
    cell = (row.phase, row.setup, row.sample, row.repeat or 0)
    try:
        hash(cell)
    except TypeError as error:
        raise damaged(path, number, error) from error
    return cell, row.answer is not None


def _lines(path: Path) -> Iterator[tuple[int, bytes]]:
    """Every whole line with its number, from 1."""
    try:
        with path.open("rb") as stream:
            for number, line in enumerate(stream, 1):
                if line.endswith(b"\n"):
                    yield number, line
    except OSError as error:
        raise MissingEvidence(f"{path}: cannot be read: {error.strerror or error}") from error


class _Row(NamedTuple):
    """A record as a line holds it."""

    phase: Any = None
    task: Any = None
    setup: Any = None
    sample: Any = None
    repeat: Any = None
    answer: Any = None
    error: Any = None
    """Of a failure, and what comes after it as well."""
    finish_reason: Any = None
    steps: Any = None


class _Answer(NamedTuple):
    """An answer as a line holds it."""

    text: Any = None
    passages: Any = None
    steps: Any = None
    confidence: Any = None
    finish_reason: Any = None


def _row(path: Path, number: int, line: bytes) -> _Row:
    try:
        row = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise damaged(path, number, error) from error
    if not isinstance(row, dict):
        raise damaged(path, number, ValueError("not an object"))
    return parts_of(_Row, row)


def _line(record: Record) -> str:
    head = {
        "phase": record.phase,
        "task": record.task,
        "setup": record.setup,
        "sample": record.sample,
        **_repeated(record.repeat),
    }
    outcome = record.outcome
    steps = [brief(step) for step in outcome.steps]
    ended = {"finish_reason": outcome.finish_reason} if outcome.finish_reason else {}
    if isinstance(outcome, Failure):
        taken = {"steps": steps} if steps else {}
        return json.dumps({**head, "error": outcome.error, **ended, **taken})
    passages = [brief(passage) for passage in outcome.passages]
    sure = {} if outcome.confidence is None else {"confidence": outcome.confidence}
    answer = {"text": outcome.text, "passages": passages, "steps": steps, **sure, **ended}
    return json.dumps({**head, "answer": answer})


def _repeated(repeat: int) -> dict[str, int]:
    return {"repeat": repeat} if repeat else {}


_DEFAULTS = {
    kind: {field.name: field.default for field in fields(kind)}
    for kind in (Passage, Step, CheckedClaim)
}


def brief(fact: Passage | Step | CheckedClaim) -> dict[str, object]:
    """The fields that differ from their defaults: a line is a third as long without the rest."""
    defaults = _DEFAULTS[type(fact)].items()
    return {n: value for n, default in defaults if (value := getattr(fact, n)) != default}


def _record(row: _Row) -> Record:
    head = (row.phase, row.task, row.setup, row.sample)
    failed = row.error is not None
    if not {*map(type, head), type(row.error if failed else "")} <= {str}:
        raise TypeError("phase, task, setup, sample and error are texts")
    if type(repeat := 0 if row.repeat is None else row.repeat) is not int:
        raise TypeError(f"repeat is {repeat!r}")
    outcome: Answer | Failure
    if failed:
        steps = tuple(Step(**step) for step in row.steps or ())
        outcome = Failure(row.error, row.finish_reason or "", steps)
    else:
        outcome = _answer(parts_of(_Answer, row.answer))
    return Record(*head, outcome, repeat)


def _answer(answer: _Answer) -> Answer:
    if not isinstance(answer.text, str):
        raise TypeError(f"an answer's text is {answer.text!r}")
    return Answer(
        answer.text,
        tuple(Passage(**passage) for passage in answer.passages),
        tuple(Step(**step) for step in answer.steps),
        answer.confidence,
        answer.finish_reason or "",
    )
