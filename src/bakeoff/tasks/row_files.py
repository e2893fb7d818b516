"""Rows of JSON Lines, JSON and CSV files, streamed, and what is wrong with them."""

from __future__ import annotations

import csv
import gzip
import zlib
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from itertools import chain
from pathlib import Path
from typing import Any

from bakeoff.core.hints import shown
from bakeoff.core.strict_json import loads
from bakeoff.core.words import BakeoffError, faults

TABLES = {".csv": ",;\t|", ".tsv": "\t"}
"""File ending -> the delimiters that it may have."""
_CSV_CELL = 2**30
"""Characters of one CSV cell: the csv module's own limit cuts long answers off."""
Row = tuple[str, dict[str, Any] | str]
"""Where a row stands (`line 7`), and the row, or what is wrong with it."""


def decoded(file: Path) -> Iterator[str]:
    """The file's lines as text, ends included, without a byte-order mark.

    Raises `BakeoffError` naming the first line that is not UTF-8, or why the file cannot be read.
    """
    try:
        with gzip.open(file) if file.suffix == ".gz" else file.open("rb") as stream:
            for number, line in enumerate(stream, 1):
                if number == 1:
                    if line.startswith((b"\xff\xfe", b"\xfe\xff")):
                        raise BakeoffError(f"{file}: line 1: UTF-16; save it as UTF-8")
                    line = line.removeprefix(b"\xef\xbb\xbf")
                try:
                    yield line.decode()
                except UnicodeDecodeError as error:
                    raise BakeoffError(
                        f"{file}: line {number}: byte 0x{line[error.start]:02x} is not UTF-8; save "
                        "the file as UTF-8"
                    ) from error
    except (OSError, EOFError, zlib.error) as error:  # the last two of a damaged .gz
        reason = getattr(error, "strerror", None) or error
        raise BakeoffError(f"{file}: cannot be read: {reason}") from error


def json_lines(file: Path) -> Iterator[Row]:
    """A JSON object a line; blank lines are passed over."""
    for number, line in enumerate(decoded(file), 1):
        if not line.strip():
            continue
        try:
            yield f"line {number}", _object(loads(line, constants=True))
        except ValueError as error:
            hint = _hint(line) if number == 1 else ""
            yield f"line {number}", f"not JSON: {error}; every line is one JSON object{hint}"


def _hint(line: str) -> str:
    """What a file may be whose first line is no JSON."""
    if line.strip() in ("{", "["):
        return "; for a .json file that is one document, say where its rows are"
    if line.lstrip()[:1] not in "{[" and any(sign in line for sign in TABLES[".csv"]):
        return "; it looks like CSV: name it .csv"
    return ""


def _object(row: Any) -> dict[str, Any] | str:
    return row if isinstance(row, dict) else f"found {shown(row)}; a row is a JSON object"


def json_list(file: Path, pick: Callable[[Any], Any], place: str = "in it") -> Iterator[Row]:
    """The objects of the list that `pick` takes out of a whole JSON document.

    Raises `BakeoffError` where there is no such list; `place` says where it was looked for.
    """
    try:
        whole = loads("".join(decoded(file)), constants=True)
    except ValueError as error:
        raise BakeoffError(f"{file}: not JSON: {error}") from error
    rows = pick(whole)
    if not isinstance(rows, list):
        raise BakeoffError(f"{file}: no list of rows {place}, found {shown(rows)}")
    for number, row in enumerate(rows, 1):
        yield f"row {number}", _object(row)


def is_json_list(file: Path) -> bool:
    """Whether a `.json` file is one list of rows, not a row a line."""
    return next((line for line in decoded(file) if line.strip()), "").lstrip()[:1] == "["


def csv_rows(file: Path, check: Callable[[Sequence[str]], Sequence[str]]) -> Iterator[Row]:
    """A row for each record under the header; every cell is a text, whatever word it holds.

    `check` says what is wrong with the header's columns.
    """
    before = csv.field_size_limit(_CSV_CELL)
    try:
        yield from _records(file, check)
    finally:
        csv.field_size_limit(before)


def _records(file: Path, check: Callable[[Sequence[str]], Sequence[str]]) -> Iterator[Row]:
    lines = decoded(file)
    first = next(lines, "")
    if "\r" in first.rstrip("\r\n"):
        raise BakeoffError(f"{file}: line 1: lines end with CR alone; save it with LF or CRLF")
    # The sign that cuts the header into most columns: what answers hold would mislead a guess.
    delimiter = (
        max(
            TABLES.get(file.suffix.lower(), TABLES[".csv"]),
            key=lambda sign: len(next(csv.reader([first], delimiter=sign))),
        )
        if first.strip()
        else ","
    )
    reader = csv.reader(chain([first], lines), delimiter=delimiter, strict=True)
    try:
        header = next(reader, [])
        twice = [name for name, count in Counter(header).items() if count > 1]
        wrong = [f"column '{name}' stands twice; rename one" for name in twice]
        faults([f"{file}: line 1: {problem}" for problem in (*wrong, *check(header))])
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
