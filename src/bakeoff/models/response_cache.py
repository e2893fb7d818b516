"""Answers that were paid for, kept for every later run: one SQLite file that processes share.

A key is made from everything that can change an answer: weights, adapter, chat template, dtype,
engine and its version, decoding, prompt; for an endpoint its url, model, api and the whole body.
What is handed in is stored as it is. Never hand in headers or credentials, neither for a key nor
in a value: they do not change an answer, and the file is there to be shared.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import sqlite3
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from itertools import count, islice
from pathlib import Path
from typing import Any, TypeVar

from bakeoff.core.disk import FULL, GO_ON, DiskFull
from bakeoff.core.words import Message, canonical

FORMAT = 1
"""Part of every key. Raise it when the shape of stored values changes: old entries then miss."""
BATCH, BATCH_SECONDS = 100, 1.0
"""Entries are written once so many wait, or so long after the last writing."""
BUSY_SECONDS = 30.0
"""How long to wait while another process writes."""
CHUNK = 500
DAMAGED = {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB}
NO_ROOM = {sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR_WRITE, sqlite3.SQLITE_IOERR_SHMSIZE}
"""On the disk or in a quota; below the limit of a file's size; for the index of the log."""

T = TypeVar("T")

# Made once: `json.dumps` makes one each time, which takes longer than a short answer.
_STRICT = json.JSONEncoder(allow_nan=False)


def key(fingerprint: Mapping[str, object], prompt: str | Sequence[Message]) -> str:
    """32 hex digits that stand for all that is handed in, whatever the order of its fields.

    Raises `TypeError` for what is not JSON.
    """
    asked = prompt if isinstance(prompt, str) else [dict(message) for message in prompt]
    whole = canonical({"format": FORMAT, "fingerprint": dict(fingerprint), "prompt": asked})
    # A prompt cut inside an emoji has half of a pair, which plain UTF-8 refuses.
    return hashlib.sha256(whole.encode("utf-8", "surrogatepass")).hexdigest()[:32]


class Responses:
    """Completions that were paid for, by everything that could have changed them.

    Any number of processes use one file at once, each with an object of its own, from one
    thread. A damaged file is renamed (`NAME.damaged-1`) and a new one begun; where that is no help
    (a read-only folder) the cache is off for the rest of the run: it finds nothing and keeps
    nothing. Without room for it every call raises `DiskFull`: answers would be paid for again.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.note = ""
        """What went wrong with the file, a line each, also on stderr; empty when all is well."""
        self.hits = 0
        self.misses = 0
        self._waiting: dict[str, bytes] = {}
        self._written_at = time.monotonic()
        self._inode = 0
        self._database: sqlite3.Connection | None = None
        self._open()

    def find(self, keys: Sequence[str]) -> dict[str, dict[str, Any]]:
        """Key -> stored value for those keys that are known; every key counts as hit or miss."""
        stored = self._read(list(dict.fromkeys(keys)))
        hits = sum(key in stored for key in keys)
        self.hits += hits
        self.misses += len(keys) - hits
        return stored

    def keep(self, entries: Mapping[str, Mapping[str, object]]) -> None:
        """Store new values; a key that has one keeps it, as a stored answer never changes.

        Values wait in memory for a moment, and `find` sees them there; a crash can lose them.
        Raises `ValueError`, with nothing kept, for a value that would not come back equal: one
        that is no JSON object, or has tuples, NaN or names that are not text in it.
        """
        rows = {key: _encoded(value) for key, value in entries.items()}
        if self._database is None:
            return
        for key, row in rows.items():
            self._waiting.setdefault(key, row)
        late = time.monotonic() - self._written_at > BATCH_SECONDS
        if late or len(self._waiting) >= BATCH:
            self._write()

    def forget(self, keys: Sequence[str]) -> None:
        """Drop what is stored under these keys: asking again gave something else."""
        self._write()
        statement = "DELETE FROM responses WHERE key = ?"
        self._ask(partial(_change, statement=statement, rows=[(key,) for key in keys]))

    def size(self) -> tuple[int, int]:
        """Entries, and bytes on the disk."""
        self._write()
        entries = self._ask(_count) or 0
        return entries, sum(map(_bytes, _parts(self.path)))

    def close(self) -> None:
        """Write what waits and let go of the file."""
        self._write()
        self._disconnect()

    def _read(self, keys: Sequence[str]) -> dict[str, dict[str, Any]]:
        rows = {key: self._waiting[key] for key in keys if key in self._waiting}
        # The file goes first: what another process has stored there is what stays.
        rows |= self._ask(partial(_select, keys=keys)) or {}
        values: dict[str, dict[str, Any]] = {}
        unreadable = []
        for key, row in rows.items():
            try:
                values[key] = json.loads(row)
            except ValueError:
                unreadable.append(key)
        if unreadable:
            self.forget(unreadable)
        return values

    def _write(self) -> None:
        if self._waiting:
            statement = "INSERT OR IGNORE INTO responses VALUES (?, ?)"
            rows = list(self._waiting.items())
            self._ask(partial(_change, statement=statement, rows=rows))
            # Cleared after the writing: an interrupt before here leaves them for `close`.
            self._waiting.clear()
        self._written_at = time.monotonic()

    def _ask(self, action: Callable[[sqlite3.Connection], T]) -> T | None:
        """What `action` gives; `None` when the cache is off or goes off over it."""
        for attempt in range(2):
            if self._database is None:
                break
            try:
                return action(self._database)
            except sqlite3.DatabaseError as error:
                if _is_no_room(error):
                    raise self._full(error) from error
                if _is_damage(error) and attempt == 0:
                    self._disconnect()
                    self._open(damaged=self._inode)
                elif _is_damage(error) or isinstance(error, sqlite3.OperationalError):
                    self._switch_off(error)
                else:
                    raise
        return None

    def _open(self, damaged: int | None = None) -> None:
        """Connect; put the file aside first when it is damaged, or is the inode `damaged`.

        One process at a time does this: a second one would put the first one's new file aside.
        """
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            with _alone(self.path):
                if damaged is not None and self.path.stat().st_ino == damaged:
                    self._put_aside()
                try:
                    self._database = _connect(self.path)
                except sqlite3.DatabaseError as error:
                    if not _is_damage(error):
                        raise
                    self._put_aside()
                    self._database = _connect(self.path)
                self._inode = self.path.stat().st_ino
        except (OSError, sqlite3.DatabaseError) as error:
            if _is_no_room(error):
                raise self._full(error) from error
            self._switch_off(error)

    def _put_aside(self) -> None:
        names = (self.path.with_name(f"{self.path.name}.damaged-{n}") for n in count(1))
        aside = next(name for name in names if not name.exists())
        for part, new in zip(_parts(self.path), _parts(aside), strict=True):
            if part.exists():
                part.rename(new)
        self._say(f"was damaged and is now {aside.name}; a new one is begun")

    def _switch_off(self, error: Exception) -> None:
        self._disconnect()
        self._waiting.clear()
        self._say(
            f"cannot be used: {_reason(error)}; from now on answers are neither reused nor stored"
        )

    def _full(self, error: Exception) -> DiskFull:
        return DiskFull(f"{self.path}: {_reason(error)}; {GO_ON} (--no-cache does without it)")

    def _say(self, text: str) -> None:
        line = f"{self.path}: {text}"
        print(f"bakeoff: {line}", file=sys.stderr)
        self.note = f"{self.note}\n{line}".lstrip()

    def _disconnect(self) -> None:
        if self._database is not None:
            self._database.close()
            self._database = None


def _encoded(value: Mapping[str, object]) -> bytes:
    if not isinstance(value, Mapping):
        raise ValueError(f"not a JSON object: {value!r}")
    try:
        plain = dict(value)
        text = _STRICT.encode(plain)
    except TypeError as error:
        raise ValueError(f"not JSON: {error}") from error
    if json.loads(text) != plain:
        raise ValueError(f"would not come back from JSON as it is: {value!r}")
    return text.encode()


def _parts(path: Path) -> list[Path]:
    """The files that SQLite keeps for the one at `path`."""
    return [path.with_name(f"{path.name}{ending}") for ending in ("", "-wal", "-shm")]


def _bytes(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        # Not there, or no longer: another process that closes takes its log away.
        return 0


@contextmanager
def _alone(path: Path) -> Iterator[None]:
    """Keep other processes from opening the file meanwhile."""
    with path.with_name(f"{path.name}.lock").open("ab") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _connect(path: Path) -> sqlite3.Connection:
    database = sqlite3.connect(path, timeout=BUSY_SECONDS, isolation_level=None)
    try:
        database.execute("PRAGMA journal_mode = WAL")
        # Safe against a crash; a power cut may cost the last entries.
        database.execute("PRAGMA synchronous = NORMAL")
        database.execute(
            "CREATE TABLE IF NOT EXISTS responses (key TEXT PRIMARY KEY, value BLOB NOT NULL)"
        )
        database.execute("SELECT key, value FROM responses LIMIT 1").fetchone()
    except sqlite3.DatabaseError:
        database.close()
        raise
    return database


def _is_damage(error: sqlite3.DatabaseError) -> bool:
    # The low byte is the kind of error; Python's own errors have no code.
    return getattr(error, "sqlite_errorcode", 0) & 0xFF in DAMAGED


def _is_no_room(error: Exception) -> bool:
    if isinstance(error, OSError):
        return error.errno in FULL
    return getattr(error, "sqlite_errorcode", 0) in NO_ROOM


def _reason(error: Exception) -> str:
    return error.strerror or str(error) if isinstance(error, OSError) else str(error)


def _select(database: sqlite3.Connection, keys: Sequence[str]) -> dict[str, bytes]:
    values: dict[str, bytes] = {}
    rest = iter(keys)
    while chunk := list(islice(rest, CHUNK)):
        places = ", ".join("?" * len(chunk))
        query = f"SELECT key, value FROM responses WHERE key IN ({places})"
        values.update(database.execute(query, chunk))
    return values


def _count(database: sqlite3.Connection) -> int:
    return int(database.execute("SELECT count(*) FROM responses").fetchone()[0])


def _change(
    database: sqlite3.Connection, statement: str, rows: Sequence[tuple[str | bytes, ...]]
) -> None:
    """Run the statement for every row, for all or for none."""
    with database:
        # Immediate: a transaction that reads first cannot wait for a writer, it fails.
        database.execute("BEGIN IMMEDIATE")
        database.executemany(statement, rows)
