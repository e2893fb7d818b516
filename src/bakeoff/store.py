"""A run on disk: manifest, samples, an append-only journal of records, and the scores.

The journal is what was paid for; everything else can be made from it again.
"""

from __future__ import annotations

import fcntl
import json
import os
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

from bakeoff.core import Answer, BakeoffError, Failure, Passage, Record, Sample, Score, Step

MANIFEST, SAMPLES, JOURNAL, SCORES = (
    "manifest.json",
    "samples.jsonl",
    "journal.jsonl",
    "scores.jsonl",
)
SYNC_RECORDS, SYNC_SECONDS = 100, 1.0

ScoreTable = Mapping[tuple[str, str, str], Mapping[str, Score]]
"""(task, setup, sample) -> metric -> score; a metric that does not apply has no entry."""


class JournalError(BakeoffError):
    """The journal could not be written: the run is incomplete and can be resumed."""


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
            raise JournalError(f"{path}: cannot be opened: {error.strerror}") from error
        try:
            fcntl.flock(self.file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            os.close(self.file)
            raise BakeoffError(f"{path}: another process is writing this run") from error
        self.size = _whole_lines(path)
        os.ftruncate(self.file, self.size)
        self.unsynced = 0
        self.synced_at = time.monotonic()

    def append(self, record: Record) -> None:
        line = (json.dumps(_to_json(record)) + "\n").encode()
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
                self.sync()
        except OSError as error:
            os.ftruncate(self.file, self.size)
            raise JournalError(
                f"{self.path}: cannot be written: {error.strerror or error}. What is finished is "
                "kept; make room, then run again with --resume"
            ) from error

    def sync(self) -> None:
        """Wait until everything appended is on the disk."""
        os.fsync(self.file)
        self.unsynced, self.synced_at = 0, time.monotonic()

    def close(self) -> None:
        try:
            self.sync()
        finally:
            os.close(self.file)


@contextmanager
def open_journal(run: Path) -> Iterator[Journal]:
    """The run's journal, open for appending by this process alone."""
    journal = Journal(run / JOURNAL)
    try:
        yield journal
    finally:
        journal.close()


def _whole_lines(path: Path) -> int:
    """Bytes up to and with the last newline: what a crash cut short is dropped."""
    return path.read_bytes().rfind(b"\n") + 1


def read_journal(run: Path) -> Iterator[Record]:
    """Every record of the run; an unfinished last line is left out."""
    path = run / JOURNAL
    if not path.is_file():
        return
    for number, line in enumerate(path.read_bytes().split(b"\n")[:-1], 1):
        try:
            yield _from_json(json.loads(line))
        except (ValueError, KeyError, TypeError) as error:
            raise BakeoffError(f"{path}: line {number} is damaged: {error}") from error


def _to_json(record: Record) -> dict[str, Any]:
    head = {
        "phase": record.phase,
        "task": record.task,
        "setup": record.setup,
        "sample": record.sample,
    }
    if isinstance(record.outcome, Failure):
        return {**head, "error": record.outcome.error}
    return {**head, "answer": asdict(record.outcome)}


def _from_json(row: Mapping[str, Any]) -> Record:
    outcome: Answer | Failure
    if "error" in row:
        outcome = Failure(row["error"])
    else:
        answer = row["answer"]
        outcome = Answer(
            answer["text"],
            tuple(Passage(**p) for p in answer["passages"]),
            tuple(Step(**s) for s in answer["steps"]),
        )
    return Record(row["phase"], row["task"], row["setup"], row["sample"], outcome)


def write_json(path: Path, value: Any) -> None:
    """Write a JSON file whole or not at all."""
    _replace(path, json.dumps(value, indent=2) + "\n")


def _replace(path: Path, text: str) -> None:
    scratch = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        scratch.write_text(text, encoding="utf-8")
        scratch.replace(path)
    except OSError as error:
        scratch.unlink(missing_ok=True)
        raise BakeoffError(f"{path}: cannot be written: {error.strerror or error}") from error


def read_manifest(run: Path) -> dict[str, Any]:
    """The run's manifest. Raises `BakeoffError` when `run` is no run."""
    path = run / MANIFEST
    try:
        manifest: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise BakeoffError(f"{run}: not a run (no {MANIFEST} in it)") from error
    except ValueError as error:
        raise BakeoffError(f"{path}: not valid JSON: {error}") from error
    return manifest


def write_samples(run: Path, tasks: Mapping[str, Sequence[Sample]]) -> None:
    """Keep every sample of the run beside its records, so that the folder speaks for itself."""
    rows = [
        json.dumps(
            {
                "task": task,
                "id": s.id,
                "fields": dict(s.fields),
                "targets": s.targets,
                "gold": s.gold,
                "cluster": s.cluster,
                "tags": dict(s.tags),
            }
        )
        for task, samples in tasks.items()
        for s in samples
    ]
    _replace(run / SAMPLES, "\n".join(rows) + "\n")


def read_samples(run: Path) -> dict[str, dict[str, Sample]]:
    """Task -> sample id -> sample, in the order of the run."""
    found: dict[str, dict[str, Sample]] = {}
    for row in _rows(run / SAMPLES):
        found.setdefault(row["task"], {})[row["id"]] = Sample(
            row["id"],
            row["fields"],
            tuple(row["targets"]),
            tuple(row["gold"]),
            row["cluster"],
            row["tags"],
        )
    return found


def write_scores(run: Path, scores: ScoreTable) -> None:
    """Replace the run's scores."""
    rows: Iterable[str] = (
        json.dumps(
            {
                "task": task,
                "setup": setup,
                "sample": sample,
                "scores": {m: [s.value, s.reason, s.labels] for m, s in by_metric.items()},
            }
        )
        for (task, setup, sample), by_metric in scores.items()
    )
    _replace(run / SCORES, "\n".join(rows) + "\n")


def read_scores(run: Path) -> dict[tuple[str, str, str], dict[str, Score]]:
    """The run's scores. Raises `BakeoffError` when it has none."""
    return {
        (row["task"], row["setup"], row["sample"]): {
            metric: Score(value, reason, tuple(labels) if labels else None)
            for metric, (value, reason, labels) in row["scores"].items()
        }
        for row in _rows(run / SCORES)
    }


def _rows(path: Path) -> Iterator[Any]:
    try:
        # Not splitlines: it also splits at signs that a text may hold.
        lines = path.read_text(encoding="utf-8").split("\n")
    except FileNotFoundError as error:
        raise BakeoffError(f"{path}: missing; the run did not finish") from error
    # A blank file is a run without a single row, not a damaged one.
    yield from (json.loads(line) for line in lines if line)


def find_run(text: str, results: Path) -> Path:
    """The run that `text` names: a folder, a run id, or `latest` (of all benchmarks).

    Raises `BakeoffError` when there is none.
    """
    path = Path(text)
    if (path / MANIFEST).is_file():
        return path
    runs = sorted(results.glob(f"*/*/{MANIFEST}"), key=lambda p: p.parent.name)
    if text == "latest" and runs:
        return runs[-1].parent
    for manifest in runs:
        if manifest.parent.name == text:
            return manifest.parent
    known = ", ".join(str(m.parent) for m in runs[-3:]) or "none yet"
    raise BakeoffError(f"'{text}': no such run in {results}; the latest: {known}")
