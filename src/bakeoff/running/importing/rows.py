"""Rows of another tool's files, streamed, and what is wrong with them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from bakeoff.core.hints import near
from bakeoff.core.words import BakeoffError
from bakeoff.running.importing.fields import Fields, find
from bakeoff.tasks.formats.delimited import TABLES, csv_rows
from bakeoff.tasks.formats.json_rows import Row, is_json_list, json_lines, json_list
from bakeoff.tasks.readers import ROW_FILES, Reading, reader_of

LINES = (".jsonl", ".ndjson", ".json")


def row_file(file: Path) -> bool:
    """Whether a file's ending is one of files of rows."""
    return file.suffix.lower() in ROW_FILES


def read_rows(file: Path, taken: Fields) -> Iterator[Row]:
    """The rows of a file, streamed. Raises `BakeoffError` for what is no such file at all."""

    def pick(whole: Any) -> Any:
        return find(whole, taken.rows) if taken.rows and isinstance(whole, dict) else whole

    def missing(header: Sequence[str]) -> list[str]:
        known = ", ".join(header) or "nothing"
        return [
            f"{name}: no column '{path}'{near(path, header)}; found {known}"
            for name, path in taken.places.items()
            if path not in header and name not in taken.optional
        ]

    ending = file.suffix.lower()
    if ending in TABLES:
        yield from csv_rows(file, missing)
    elif ending == ".json" and (taken.rows or is_json_list(file)):
        yield from json_list(file, pick, f"at '{taken.rows}'" if taken.rows else "in it")
    elif ending in LINES or not row_file(file):
        yield from json_lines(file)
    else:
        rows = reader_of(file).rows(file, Reading())
        yield from ((f"row {number}", row) for number, row in enumerate(rows, 1))


def unknown_columns(file: Path, taken: Fields) -> Iterator[str]:
    """Columns that are named and that the file does not have, as its first row tells."""
    try:
        _, row = next(read_rows(file, taken), ("", {}))
    except BakeoffError as error:
        yield str(error)
        return
    if isinstance(row, str):
        return
    for name, path in taken.places.items():
        # Later rows may have what the first one lacks: told where a name looks like a typo.
        if find(row, path) is None and (hint := near(path, row)):
            yield f"{file}: {name}: the first row has no '{path}'{hint}"
