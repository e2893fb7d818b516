"""A run on disk: manifest, samples, and for each unit of work its journals and its scores.

    manifest.json  samples.jsonl  comparison.json  gates.json  report.md  report.html  plots/
    units/TASK.SETUP/1.jsonl           an attempt: one journal, written by one process alone
    units/TASK.SETUP/committed.jsonl   the attempt that counts, a hard link to it
    units/TASK.SETUP/scores.jsonl      made from the journal, and can be made again
    judged.sqlite                      what judges replied, where the shared cache is not used

The journals are what was paid for; everything else can be computed from them.
"""

from __future__ import annotations

import fcntl
import json
import os
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, fields
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

from bakeoff.core import (
    LATENCY,
    Answer,
    BakeoffError,
    CheckedClaim,
    Failure,
    Incomplete,
    MissingEvidence,
    Passage,
    Record,
    Sample,
    Score,
    Step,
)
from bakeoff.files import validated
from bakeoff.manifest import FORMAT, Manifest
from bakeoff.verdict import Verdicts

MANIFEST, SAMPLES, UNITS, LOCK = "manifest.json", "samples.jsonl", "units", "lock"
COMMITTED, SCORES, JUDGED = "committed.jsonl", "scores.jsonl", "judged.sqlite"
PAGE, PLOTS = "report.html", "plots"
ADVICE, COST = "advice.json", "cost.json"
"""Kept beside a run where somebody asked for them; what makes them is imported only then."""
SYNC_RECORDS, SYNC_SECONDS = 100, 1.0

Key = tuple[str, int]
"""(sample, repeat): what tells the answers of one setup to one task apart."""
Scores = Mapping[str, Score]
"""Metric -> score; a metric that does not apply has no entry."""
T = TypeVar("T")


class ScoreRow(NamedTuple):
    """The scores of one answer."""

    key: Key
    scores: Scores

    @property
    def sample(self) -> str:
        return self.key[0]

    @property
    def repeat(self) -> int:
        return self.key[1]


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
        self.syncing: Future[None] | None = None
        self.syncer = ThreadPoolExecutor(1)

    def append(self, record: Record) -> None:
        """Keep a finished cell."""
        self._write(_to_json(record))

    def sending(self, sample: str, repeat: int = 0) -> None:
        """Note that a request which may be billed goes out now."""
        self._write({"sent": sample, "repeat": repeat} if repeat else {"sent": sample})

    def _write(self, row: Mapping[str, Any]) -> None:
        line = (json.dumps(row) + "\n").encode()
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
            raise JournalError(
                f"{self.path}: cannot be written: {error.strerror or error}. What is finished is "
                "kept; make room, then run again with --resume"
            ) from error

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
        if self.syncing:
            self.syncing.result()
        os.fsync(self.file)

    def commit(self) -> None:
        """Make this attempt the one that counts, unless another one was first."""
        self.sync()
        try:
            os.link(self.path, self.path.parent / COMMITTED)
        except FileExistsError:
            return

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


@contextmanager
def held(run: Path) -> Iterator[None]:
    """Keep other processes from running this run. Raises `BakeoffError` when one already does."""
    lock = os.open(run / LOCK, os.O_RDWR | os.O_CREAT, 0o644)
    try:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise BakeoffError(f"{run}: another process is running this run") from error
        yield
    finally:
        os.close(lock)


def busy(run: Path) -> bool:
    """Whether a process is running this run now."""
    try:
        with held(run):
            return False
    except BakeoffError:
        return True


def _whole_lines(path: Path) -> int:
    """Bytes up to and with the last newline: what a crash cut short is dropped."""
    size = path.stat().st_size
    with path.open("rb") as stream:
        while size:
            start = max(0, size - 2**16)
            stream.seek(start)
            found = stream.read(size - start).rfind(b"\n")
            if found >= 0:
                return start + found + 1
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


def read_records(run: Path, unit: Unit) -> Iterator[Record]:
    """The last record of every cell of the unit: a later attempt replaces an earlier failure.

    Streams: memory holds one record at a time, and where each one stands.
    """
    path = journal_of(run, unit)
    if path is None:
        return
    last: dict[Any, int] = {}
    for number, line in _lines(path):
        if not line.startswith(_SENT):
            last[_cell(path, number, line)] = number
    wanted = set(last.values())
    for number, line in _lines(path):
        if number in wanted:
            try:
                yield _from_json(_row(path, number, line))
            except (KeyError, TypeError) as error:
                raise BakeoffError(f"{path}: line {number} is damaged: {error}") from error


def requests_sent(run: Path, unit: Unit) -> int:
    """Billable requests that went out for the unit, in all its attempts."""
    attempts = _attempts(unit.folder(run))
    return sum(line.startswith(_SENT) for path in attempts for _, line in _lines(path))


_SENT = b'{"sent": '
"""How the note of a request that goes out begins: told from a record without parsing."""


def _cell(path: Path, number: int, line: bytes) -> Any:
    """What cell a record is of: the beginning of its line, unread; of a strange line, its fields.

    Inside a text the quotes would be escaped, so what is found is the key.
    """
    for key in (b', "answer": {', b', "error": "'):
        head, found, _ = line.partition(key)
        if found:
            return head
    row = _row(path, number, line)
    return (*(row.get(name) for name in ("phase", "setup", "sample")), row.get("repeat", 0))


def _lines(path: Path) -> Iterator[tuple[int, bytes]]:
    """Every whole line with its number, from 1."""
    with path.open("rb") as stream:
        for number, line in enumerate(stream, 1):
            if line.endswith(b"\n"):
                yield number, line


def _row(path: Path, number: int, line: bytes) -> dict[str, Any]:
    try:
        row = json.loads(line)
    except ValueError as error:
        raise BakeoffError(f"{path}: line {number} is damaged: {error}") from error
    if not isinstance(row, dict):
        raise BakeoffError(f"{path}: line {number} is damaged: not an object")
    return row


def _to_json(record: Record) -> dict[str, Any]:
    row: dict[str, Any] = {
        "phase": record.phase,
        "task": record.task,
        "setup": record.setup,
        "sample": record.sample,
    }
    if record.repeat:
        row["repeat"] = record.repeat
    if isinstance(record.outcome, Failure):
        return {**row, "error": record.outcome.error}
    answer = record.outcome
    row["answer"] = {
        "text": answer.text,
        "passages": [_brief(passage) for passage in answer.passages],
        "steps": [_brief(step) for step in answer.steps],
    }
    if answer.confidence is not None:
        row["answer"]["confidence"] = answer.confidence
    return row


_DEFAULTS = {
    kind: {field.name: field.default for field in fields(kind)}
    for kind in (Passage, Step, CheckedClaim)
}


def _brief(fact: Passage | Step | CheckedClaim) -> dict[str, Any]:
    """The fields that differ from their defaults: a line is a third as long without the rest."""
    defaults = _DEFAULTS[type(fact)]
    named = ((name, getattr(fact, name)) for name in defaults)
    return {name: value for name, value in named if value != defaults[name]}


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
            answer.get("confidence"),
        )
    head = (row["phase"], row["task"], row["setup"], row["sample"])
    return Record(*head, outcome, row.get("repeat", 0))


def write_json(path: Path, value: Any) -> None:
    """Write a JSON file whole or not at all."""
    _replace(path, [json.dumps(value, indent=2)])


def read_json(path: Path) -> dict[str, Any]:
    """The mapping that a JSON file holds. Raises `BakeoffError` when it holds none."""
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise BakeoffError(f"{path}: not valid JSON: {error}") from error
    if not isinstance(found, dict):
        raise BakeoffError(f"{path}: not a JSON object")
    return found


def _replace(path: Path, lines: Iterable[str]) -> None:
    """Write lines in full beside the old file, then put them in its place."""
    scratch = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with scratch.open("w", encoding="utf-8") as stream:
            stream.writelines(f"{line}\n" for line in lines)
        scratch.replace(path)
    except OSError as error:
        scratch.unlink(missing_ok=True)
        raise BakeoffError(f"{path}: cannot be written: {error.strerror or error}") from error


def read_manifest(run: Path) -> Manifest:
    """The run's manifest, as it would be written today. Raises `BakeoffError` for no run."""
    path = run / MANIFEST
    if not path.is_file():
        raise BakeoffError(f"{run}: not a run (no {MANIFEST} in it)")
    raw = read_json(path)
    if raw.get("format") != FORMAT:
        raise BakeoffError(
            f"{path}: format {raw.get('format')!r}, made by another version of bakeoff; "
            f"this one reads format {FORMAT}: run the benchmark again"
        )
    return validated(Manifest, path, raw)


def write_manifest(run: Path, manifest: Manifest) -> None:
    """Put a run's manifest in the place of the one before it, whole or not at all."""
    write_json(run / MANIFEST, manifest.model_dump(mode="json"))


def read_verdicts(path: Path) -> Verdicts:
    """The verdicts that a `gates.json` holds. Raises `BakeoffError` where it holds none."""
    return validated(Verdicts, path, read_json(path))


def write_verdicts(path: Path, verdicts: Verdicts) -> None:
    """Keep verdicts, whole or not at all."""
    write_json(path, verdicts.model_dump(mode="json"))


def write_samples(run: Path, tasks: Mapping[str, Sequence[Sample]]) -> None:
    """Keep every sample of the run beside its records, so that the folder speaks for itself."""
    rows = (
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
    )
    _replace(run / SAMPLES, rows)


def read_samples(run: Path) -> dict[str, dict[str, Sample]]:
    """Task -> sample id -> sample, in the order of the run."""
    samples: dict[str, dict[str, Sample]] = {}
    for task, sample in _rows(run / SAMPLES, _sample):
        samples.setdefault(task, {})[sample.id] = sample
    return samples


def _sample(row: Mapping[str, Any]) -> tuple[str, Sample]:
    return row["task"], Sample(
        row["id"],
        row["fields"],
        tuple(row["targets"]),
        tuple(row["gold"]),
        row["cluster"],
        row["tags"],
    )


def write_scores(run: Path, unit: Unit, rows: Iterable[tuple[Key, Scores]]) -> None:
    """Replace the unit's scores, a row at a time."""

    def line(key: Key, scores: Scores) -> str:
        values = {metric: _score_to_json(score) for metric, score in scores.items()}
        return json.dumps({"sample": key[0], "repeat": key[1], "scores": values})

    _replace(unit.folder(run) / SCORES, (line(*row) for row in rows))


def read_scores(run: Path, unit: Unit) -> Iterator[ScoreRow]:
    """The unit's scores. Raises `BakeoffError` when it has none, or for a row that is none."""
    return _rows(unit.folder(run) / SCORES, _score_row)


def _score_row(row: Mapping[str, Any]) -> ScoreRow:
    scores = {metric: _score_from_json(*parts) for metric, parts in row["scores"].items()}
    return ScoreRow((row["sample"], row["repeat"]), scores)


def _score_to_json(score: Score) -> list[Any]:
    """Value, reason, labels; and claims, or that the metric does not apply, where they are told."""
    head = [score.value, score.reason, score.labels]
    if not score.applies:
        return [*head, [], False]
    return [*head, [_brief(claim) for claim in score.claims]] if score.claims else head


def _score_from_json(
    value: float | None,
    reason: str,
    labels: Sequence[str] | None,
    claims: Sequence[Mapping[str, Any]] = (),
    applies: bool = True,
) -> Score:
    if value is not None and not isinstance(value, int | float):
        raise TypeError(f"{value!r} is no score")
    checked = (CheckedClaim(**{**c, "missing": tuple(c.get("missing", ()))}) for c in claims)
    pair = (labels[0], labels[1]) if labels else None
    return Score(value, reason, pair, tuple(checked), applies)


def _rows(path: Path, parse: Callable[[Mapping[str, Any]], T]) -> Iterator[T]:
    """Every line of a file of rows, parsed. Raises `BakeoffError` for one that is damaged."""
    try:
        # As bytes: text files also end lines at signs that an answer may hold.
        with path.open("rb") as stream:
            for number, line in enumerate(stream, 1):
                if line.strip():
                    try:
                        row = parse(json.loads(line))
                    except (ValueError, KeyError, TypeError, AttributeError) as error:
                        raise BakeoffError(f"{path}: line {number} is damaged: {error}") from error
                    yield row
    except FileNotFoundError as error:
        raise MissingEvidence(f"{path}: missing; the run did not finish") from error


_STAMP = "%Y%m%d-%H%M%S-%f"


def new_folder(results: Path, benchmark: str) -> Path:
    """A folder for a new run. Names sort by time, also when the clock was set back."""
    now = datetime.now(UTC).replace(tzinfo=None)
    (results / benchmark).mkdir(parents=True, exist_ok=True)
    while True:
        taken = [stamp for path in (results / benchmark).iterdir() if (stamp := _stamp(path.name))]
        name = max([now, *(stamp + timedelta(microseconds=1) for stamp in taken)])
        folder = results / benchmark / name.strftime(_STAMP)
        try:
            folder.mkdir()
        except FileExistsError:
            continue  # another process was quicker
        return folder


def _stamp(name: str) -> datetime | None:
    try:
        return datetime.strptime(name, _STAMP)
    except ValueError:
        return None


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
