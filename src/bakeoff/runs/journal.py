"""Journals: what was answered, line by line, appended by one writer; `records` reads it back.

A line is a record, or the note of a request that goes out. A later record of a cell replaces an
earlier one.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, fields
from pathlib import Path

from bakeoff.core import disk
from bakeoff.core.words import (
    LATENCY,
    BakeoffError,
    CheckedClaim,
    Failure,
    Incomplete,
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
    attempts = attempts_in(folder)
    if committed(run, unit):
        first = folder / COMMITTED
        attempts = [a for a in attempts if a.samefile(first)] or [first]
    journal = Journal(attempts[-1] if attempts else folder / "1.jsonl")
    try:
        yield journal
    finally:
        journal.close()


def attempts_in(folder: Path) -> list[Path]:
    """The attempts at a unit, the newest last."""
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
    attempts = attempts_in(folder)
    return attempts[-1] if attempts else None


def units(run: Path) -> list[Unit]:
    """Every unit the run has a folder of."""
    names = sorted(path.name for path in (run / UNITS).glob("*.*") if path.is_dir())
    split = [name.rsplit(".", 1) for name in names]
    return [Unit(task, "" if setup == f"{LATENCY}-pass" else setup) for task, setup in split]


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
