"""How files of a task are read, by their ending: as rows, or as the text of a document."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bakeoff.core.words import BakeoffError


def plain_text(file: Path) -> str:
    """A whole UTF-8 file. Raises `BakeoffError` for one that cannot be read as that."""
    try:
        return file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise BakeoffError(f"{file}: cannot be read as UTF-8: {error}") from error


def json_lines(file: Path) -> Iterator[dict[str, Any]]:
    """The rows of JSON Lines, blank lines passed over. Raises `BakeoffError` naming the line."""
    # Not splitlines: it also splits at signs that a text may hold.
    for number, line in enumerate(plain_text(file).split("\n"), 1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except json.JSONDecodeError as error:
            raise BakeoffError(f"{file}: line {number}: not JSON: {error}") from error
        if not isinstance(row, dict):
            raise BakeoffError(f"{file}: line {number}: a row is a JSON object")
        yield row


@dataclass(frozen=True)
class Reader:
    """How files of one ending are read; both raise `BakeoffError` for what cannot be read."""

    rows: Callable[[Path], Iterator[dict[str, Any]]] = json_lines
    text: Callable[[Path], str] = plain_text


READERS: dict[str, Reader] = {"": Reader()}
"""File ending in lower case (`.jsonl`) -> its reader; `""` reads all other endings."""


def reader_of(file: Path) -> Reader:
    """The reader of the file's ending."""
    return READERS.get(file.suffix.lower(), READERS[""])
