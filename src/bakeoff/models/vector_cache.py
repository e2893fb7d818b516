"""Vectors kept by content: a text that an embedder has read once is not embedded again."""

from __future__ import annotations

import hashlib
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path

import numpy as np

from bakeoff.core.disk import GO_ON, DiskFull, refused
from bakeoff.core.words import BakeoffError, Embedder
from bakeoff.models.response_cache import NO_ROOM
from bakeoff.models.vectors import Vectors, as_vectors, usable

BLOCK = 1024
"""Texts embedded between two writings: what a crash can lose."""
BUSY_SECONDS = 60.0
"""How long to wait while another process writes."""


def embed_kept(embedder: Embedder, cache: Path, texts: Sequence[str]) -> Vectors:
    """One row per text, as `embedder.embed` gives it; only new texts are embedded.

    Raises `DiskFull` without room for the file in the cache, `BakeoffError` when it cannot be read
    or written, and for vectors that are none; those are not kept.
    """
    path = cache / "vectors" / f"{embedder.digest}.sqlite"
    keys = [hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest() for text in texts]
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with closing(sqlite3.connect(path, timeout=BUSY_SECONDS)) as database:
            database.execute("CREATE TABLE IF NOT EXISTS vectors (key BLOB PRIMARY KEY, row BLOB)")
            rows = {key: row for key, row in _find(database, keys).items() if usable(row)}
            new = {key: text for key, text in zip(keys, texts, strict=True) if key not in rows}
            for block in _blocks(list(new), BLOCK):
                asked = [new[key] for key in block]
                made = as_vectors(embedder.embed(asked), asked, "embedder")
                with database:
                    # Another process may have been faster, or an older version kept no vector.
                    database.executemany(
                        "INSERT OR REPLACE INTO vectors VALUES (?, ?)",
                        ((key, row.tobytes()) for key, row in zip(block, made, strict=True)),
                    )
                rows |= zip(block, made, strict=True)
    except OSError as error:
        raise refused(error, path) from error
    except sqlite3.Error as error:
        if getattr(error, "sqlite_errorcode", 0) in NO_ROOM:
            raise DiskFull(f"{path}: {error}; {GO_ON}") from error
        raise BakeoffError(f"{path}: {error}; delete the file, it is a cache") from error
    return as_vectors([rows[key] for key in keys], texts, f"{path} (a cache, to be deleted)")


def _find(database: sqlite3.Connection, keys: Sequence[bytes]) -> dict[bytes, Vectors]:
    vectors: dict[bytes, Vectors] = {}
    for block in _blocks(keys, BLOCK):
        marks = ", ".join("?" * len(block))
        rows = database.execute(f"SELECT key, row FROM vectors WHERE key IN ({marks})", block)
        vectors |= {key: np.frombuffer(row, dtype=np.float32) for key, row in rows}
    return vectors


def _blocks(keys: Sequence[bytes], size: int) -> Iterator[Sequence[bytes]]:
    return (keys[begin : begin + size] for begin in range(0, len(keys), size))
