"""Rows of JSON Lines, JSON and CSV files, streamed, and what is wrong with them."""

from __future__ import annotations

import csv
import json
from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import chain
from pathlib import Path
from typing import Any

from bakeoff.core.words import BakeoffError, faults
from bakeoff.running.importing.fields import Fields, find, shown

LINES, TABLES = (".jsonl", ".ndjson", ".json"), {".csv": ",;\t|", ".tsv": "\t"}
_CSV_CELL = 2**30
"""Characters of one CSV cell: the csv module's own limit cuts long answers off."""
_Row = tuple[str, dict[str, Any] | str]
"""Where a row stands (`line 7`), and the row, or what is wrong with it."""


def read_rows(file: Path, taken: Fields) -> Iterator[_Row]:
    """The rows of a file, streamed. Raises `BakeoffError` for what is no such file at all."""
    try:
        if file.suffix.lower() in TABLES:
            yield from _table(file, taken)
        elif file.suffix.lower() == ".json" and (taken.rows or _first_byte(file) == b"["):
            yield from _document(file, taken.rows)
        else:
            yield from _json_lines(file)
    except OSError as error:
        raise BakeoffError(f"{file}: cannot be read: {error.strerror or error}") from error


def _first_byte(file: Path) -> bytes:
    with file.open("rb") as stream:
        return stream.read(2**16).removeprefix(b"\xef\xbb\xbf").lstrip()[:1]


def _decoded(file: Path) -> Iterator[str]:
    """The file's lines as text, ends included. Raises `BakeoffError` naming the first bad one."""
    with file.open("rb") as stream:
        for number, line in enumerate(stream, 1):
            if number == 1:
                if line.startswith((b"\xff\xfe", b"\xfe\xff")):
                    raise BakeoffError(f"{file}: line 1: UTF-16; save it as UTF-8")
                line = line.removeprefix(b"\xef\xbb\xbf")
            try:
                yield line.decode()
            except UnicodeDecodeError as error:
                raise BakeoffError(
                    f"{file}: line {number}: byte 0x{line[error.start]:02x} is not UTF-8; save the "
                    "file as UTF-8"
                ) from error


def _json_lines(file: Path) -> Iterator[_Row]:
    for number, line in enumerate(_decoded(file), 1):
        if not line.strip():
            continue
        try:
            yield f"line {number}", _object(json.loads(line))
        except (ValueError, RecursionError) as error:
            whole = number == 1 and line.strip() in ("{", "[")
            hint = "; for a .json file that is one document, say where its rows are" * whole
            yield f"line {number}", f"not JSON: {error}; every line is one JSON object{hint}"


def _object(row: Any) -> dict[str, Any] | str:
    return row if isinstance(row, dict) else f"found {shown(row)}; a row is a JSON object"


def _document(file: Path, path: str) -> Iterator[_Row]:
    try:
        whole = json.loads("".join(_decoded(file)))
    except (ValueError, RecursionError) as error:
        raise BakeoffError(f"{file}: not JSON: {error}") from error
    found = find(whole, path) if path and isinstance(whole, dict) else whole
    if not isinstance(found, list):
        where = f"at '{path}'" if path else "in it"
        raise BakeoffError(f"{file}: no list of rows {where}, found {shown(found)}")
    for number, row in enumerate(found, 1):
        yield f"row {number}", _object(row)


def _table(file: Path, taken: Fields) -> Iterator[_Row]:
    before = csv.field_size_limit(_CSV_CELL)
    try:
        yield from _table_rows(file, taken)
    finally:
        csv.field_size_limit(before)


def _table_rows(file: Path, taken: Fields) -> Iterator[_Row]:
    lines = _decoded(file)
    first = next(lines, "")
    # The sign that cuts the header into most columns: what answers hold would mislead a guess.
    delimiter = (
        max(
            TABLES[file.suffix.lower()],
            key=lambda sign: len(next(csv.reader([first], delimiter=sign))),
        )
        if first.strip()
        else ","
    )
    reader = csv.reader(chain([first], lines), delimiter=delimiter, strict=True)
    try:
        header = next(reader, [])
        _check_header(file, header, taken)
        before = reader.line_num
        for row in reader:
            start, before = before + 1, reader.line_num
            if not row:
                continue
            if len(row) == len(header):
                yield f"line {start}", dict(zip(header, row, strict=True))
            else:
                yield f"line {start}", f"found {len(row)} columns; the header has {len(header)}"
    except csv.Error as error:
        raise BakeoffError(
            f"{file}: line {reader.line_num}: not CSV: {error}; quote cells that hold quotes, "
            "delimiters or line ends"
        ) from error


def _check_header(file: Path, header: Sequence[str], taken: Fields) -> None:
    known = ", ".join(header) or "nothing"
    twice = [name for name, count in Counter(header).items() if count > 1]
    faults(
        [f"{file}: line 1: column '{name}' stands twice; rename one" for name in twice]
        + [
            f"{file}: line 1: {name}: no column '{path}'; found {known}"
            for name, path in taken.places.items()
            if path not in header and name not in taken.optional
        ]
    )
