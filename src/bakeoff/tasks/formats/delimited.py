"""Rows of CSV files, streamed: delimiter and quotes detected, and what is wrong with the rows."""

from __future__ import annotations

import csv
import re
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain, islice
from pathlib import Path

from bakeoff.core.counts import quantity
from bakeoff.core.words import BakeoffError, faults
from bakeoff.tasks.formats.decoding import Reading, decoded
from bakeoff.tasks.formats.json_rows import Row

TABLES = {".csv": ",;\t|", ".tsv": "\t,;|"}
"""File ending -> the delimiters that it may have, the likeliest first."""
_CELL = 2**30
"""Characters of one CSV cell: the csv module's own limit cuts long answers off."""
_LOOKED_AT = 200
"""Lines from which delimiter and quotes are detected."""
_EXCEL = re.compile(r'"?sep=(.)"?\s*', re.IGNORECASE)
"""A first line with which spreadsheets state the delimiter."""


@dataclass(frozen=True)
class Form:
    """How a CSV file separates and quotes its cells."""

    delimiter: str
    quote: str = '"'


def form_of(lines: Sequence[str], delimiters: str) -> Form:
    """Delimiter and quotes of a file that begins with these lines.

    It is the delimiter with which every record has as many cells as the header, and at least two;
    of several such, or of none, the one that cuts the header into most.
    """
    quote = "'" if re.fullmatch(r"'[^']*'([,;\t|]'[^']*')+\s*", lines[0]) else '"'

    def rank(sign: str) -> tuple[bool, int]:
        widths = _widths(lines, Form(sign, quote))
        return widths[0] > 1 and len(set(widths)) == 1, widths[0]

    return Form(max(delimiters, key=rank), quote)


def _widths(lines: Sequence[str], form: Form) -> list[int]:
    """Cells of the records; without the last one, which the end of the lines may cut."""
    reader = csv.reader(lines, delimiter=form.delimiter, quotechar=form.quote)
    widths = [len(record) for record in reader if record]
    return widths[:-1] if len(widths) > 2 and len(lines) == _LOOKED_AT else widths or [0]


def csv_rows(
    file: Path, check: Callable[[Sequence[str]], Sequence[str]], reading: Reading | None = None
) -> Iterator[Row]:
    """A row for each record under the header; every cell is a text, whatever word it holds.

    `check` says what is wrong with the header's columns.
    """
    before = csv.field_size_limit(_CELL)
    try:
        yield from _records(file, check, reading)
    finally:
        csv.field_size_limit(before)


def csv_form(file: Path, reading: Reading | None = None) -> Form:
    """How the file separates and quotes its cells. Raises `BakeoffError` if it cannot be read."""
    head = list(islice(decoded(file, reading), _LOOKED_AT))
    if head and (stated := _EXCEL.fullmatch(head[0])):
        return Form(stated[1])
    if not head or not head[0].strip():
        return Form(",")
    if "\r" in head[0].rstrip("\r\n"):
        raise BakeoffError(f"{file}: line 1: lines end with CR alone; save it with LF or CRLF")
    return form_of(head, TABLES.get(file.suffix.lower(), TABLES[".csv"]))


def _records(
    file: Path, check: Callable[[Sequence[str]], Sequence[str]], reading: Reading | None
) -> Iterator[Row]:
    # A reading of its own: what is noted is noted once, below.
    form = csv_form(file, Reading(reading.encoding) if reading else None)
    lines = decoded(file, reading)
    first = next(lines, "")
    skipped = 1 if _EXCEL.fullmatch(first) else 0
    reader = csv.reader(
        lines if skipped else chain([first], lines),
        delimiter=form.delimiter,
        quotechar=form.quote,
        strict=True,
    )
    try:
        header = next(reader, [])
        width = len(header)
        while header and not header[-1].strip():
            header.pop()
        twice = [name for name, count in Counter(header).items() if count > 1]
        wrong = [f"column '{name}' occurs twice; rename one" for name in twice]
        place = f"line {1 + skipped}"
        faults([f"{file}: {place}: {problem}" for problem in (*wrong, *check(header))])
        before = reader.line_num + skipped
        for row in reader:
            start, before = before + 1, reader.line_num + skipped
            if row:
                yield f"line {start}", _row(header, row, width)
    except csv.Error as error:
        raise BakeoffError(
            f"{file}: line {reader.line_num + skipped}: not CSV: {error}; quote cells that hold "
            "quotes, delimiters or line ends"
        ) from error


def _row(header: Sequence[str], row: Sequence[str], width: int) -> dict[str, object] | str:
    """The row by its columns; `width` counts the header's empty cells at its end, too."""
    if len(row) == len(header):
        return dict(zip(header, row, strict=True))
    if len(row) == width and not any(cell.strip() for cell in row[len(header) :]):
        return dict(zip(header, row[: len(header)], strict=True))
    return f"found {quantity(len(row), 'column')}; the header has {width}"
