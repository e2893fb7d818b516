"""Vectors as embedders give them, checked: one that holds no numbers finds nothing, for good."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from bakeoff.core.counts import quantity
from bakeoff.core.words import BakeoffError

Vectors = npt.NDArray[np.float32]

NAMED, CHARACTERS = 5, 80
"""Texts that a message names, and characters of one."""


def as_vectors(rows: Sequence[Any], texts: Sequence[str], embedder: str) -> Vectors:
    """One row per text, shape (n, dimensions).

    Raises `BakeoffError` that names the texts whose row holds what is no number, is all zeros or
    has another length than most.
    """
    if len(rows) != len(texts):
        raise BakeoffError(
            f"{embedder}: {quantity(len(texts), 'text')} gave {quantity(len(rows), 'vector')}"
        )
    lengths = Counter(map(len, rows)).most_common(1)
    wrong = [
        f"{embedder}: the vector of '{_brief(text)}' {why}"
        for text, row in zip(texts, rows, strict=True)
        if (why := _wrong(row, lengths[0][0]))
    ]
    if wrong:
        more = [f"and {len(wrong) - NAMED} more"] if len(wrong) > NAMED else []
        raise BakeoffError("\n".join([*wrong[:NAMED], *more]))
    return np.asarray(rows, dtype=np.float32)


def usable(row: Vectors) -> bool:
    """Whether a row that was kept is a vector: earlier versions kept whatever came."""
    return bool(len(row) and np.isfinite(row).all() and row.any())


def _wrong(row: Any, length: int) -> str:
    if not isinstance(row, np.ndarray):
        if odd := set(map(type, row)) - {int, float}:
            names = sorted("null" if kind is type(None) else kind.__name__ for kind in odd)
            return f"holds {', '.join(names)} in place of numbers"
        with np.errstate(over="ignore"):
            row = np.asarray(row, dtype=np.float32)
    if len(row) != length:
        return f"has {quantity(len(row), 'number')}, others {length}"
    if not np.isfinite(row).all():
        return "holds NaN or infinity"
    return "" if row.any() else "is all zeros"


def _brief(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= CHARACTERS else line[: CHARACTERS - 1] + "…"
