"""How files of a task are read, by their ending: as rows, or as the text of a document."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bakeoff.core.words import faults
from bakeoff.tasks import row_files


def plain_text(file: Path) -> str:
    """A whole UTF-8 file, line ends as `\\n`, without a byte-order mark.

    Raises `BakeoffError` for one that cannot be read as that.
    """
    return "".join(row_files.decoded(file)).replace("\r\n", "\n").replace("\r", "\n")


def json_lines(file: Path) -> Iterator[dict[str, Any]]:
    """The rows of JSON Lines, blank lines passed over."""
    yield from _whole(file, row_files.json_lines(file))


def json_document(file: Path) -> Iterator[dict[str, Any]]:
    """The rows of a `.json` file: JSON Lines, or one list."""
    if row_files.is_json_list(file):
        yield from _whole(file, row_files.json_list(file, lambda whole: whole))
    else:
        yield from json_lines(file)


def table(file: Path) -> Iterator[dict[str, Any]]:
    """The rows of a CSV file: texts, and `None` for an empty cell."""
    for row in _whole(file, row_files.csv_rows(file, lambda header: ())):
        yield {name: text if text.strip() else None for name, text in row.items()}


def _whole(file: Path, rows: Iterable[row_files.Row]) -> Iterator[dict[str, Any]]:
    """The rows. Raises `BakeoffError` listing those that cannot be read."""
    problems = []
    for place, row in rows:
        if isinstance(row, str):
            problems.append(f"{file}: {place}: {row}")
        else:
            yield row
    faults(problems)


@dataclass(frozen=True)
class Reader:
    """How files of one ending are read; both raise `BakeoffError` for what cannot be read."""

    rows: Callable[[Path], Iterator[dict[str, Any]]] = json_lines
    text: Callable[[Path], str] = plain_text


READERS: dict[str, Reader] = {
    "": Reader(),
    ".json": Reader(json_document),
    **{ending: Reader(table) for ending in row_files.TABLES},
}
"""File ending in lower case (`.jsonl`) -> its reader; `""` reads all other endings."""


def reader_of(file: Path) -> Reader:
    """The reader of the file's ending."""
    return READERS.get(file.suffix.lower(), READERS[""])
