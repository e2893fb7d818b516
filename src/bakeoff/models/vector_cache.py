"""Vectors kept by content: a text that an embedder has read once is not embedded again."""

from __future__ import annotations

import hashlib
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path

import numpy as np
import numpy.typing as npt

from bakeoff.core.words import BakeoffError, Embedder

Vectors = npt.NDArray[np.float32]

BLOCK = 1024
"""Texts embedded between two writings: what a crash can lose."""
BUSY_SECONDS = 60.0
"""How long to wait while another process writes."""


def embed_kept(embedder: Embedder, cache: Path, texts: Sequence[str]) -> Vectors:
    """One row per text, as `embedder.embed` gives it; only new texts are embedded.

    Raises `BakeoffError` when the file in the cache cannot be read or written.
    """
    path = cache / "vectors" / f"{embedder.digest}.sqlite"
    keys = [hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest() for text in texts]
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with closing(sqlite3.connect(path, timeout=BUSY_SECONDS)) as database:
            database.execute("CREATE TABLE IF NOT EXISTS vectors (key BLOB PRIMARY KEY, row BLOB)")
            rows = _find(database, keys)
            new = {key: text for key, text in zip(keys, texts, strict=True) if key not in rows}
            for block in _blocks(list(new), BLOCK):
                made = np.asarray(embedder.embed([new[key] for key in block]), dtype=np.float32)
                entries = {key: row.tobytes() for key, row in zip(block, made, strict=True)}
                with database:
                    # Another process may have been faster with the same text.
                    database.executemany(
                        "INSERT OR IGNORE INTO vectors VALUES (?, ?)", entries.items()
                    )
                rows |= entries
    except (sqlite3.Error, OSError) as error:
        raise BakeoffError(f"{path}: {error}; delete the file, it is a cache") from error
    return np.stack([np.frombuffer(rows[key], dtype=np.float32) for key in keys])


def _find(database: sqlite3.Connection, keys: Sequence[bytes]) -> dict[bytes, bytes]:
    found: dict[bytes, bytes] = {}
    for block in _blocks(keys, BLOCK):
        marks = ", ".join("?" * len(block))
        rows = database.execute(f"SELECT key, row FROM vectors WHERE key IN ({marks})", block)
        found |= dict(rows)
    return found


def _blocks(keys: Sequence[bytes], size: int) -> Iterator[Sequence[bytes]]:
    return (keys[begin : begin + size] for begin in range(0, len(keys), size))
