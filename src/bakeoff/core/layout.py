"""A table laid out for so many columns: never broken inside a word, a number or an interval."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from unicodedata import combining, east_asian_width

from bakeoff.core.plain_text import plain
from bakeoff.core.table import TEXT, Table

PIPE = 200
"""Columns up to which a table is aligned where there is no screen; a wider one is not padded."""
_GAP, _INDENT = "   ", "  "
_COLUMN = 16
"""A column of text is no narrower, where there is so much in it."""
# An interval with the marks behind it, a number with its unit, or a word.
_WORD = re.compile(
    r"\S*\[[^\[\]]{1,40}\]\S*|[<+-]?\d[\d.,]*\s(?:s|ms|x|%|MB|GB|MiB)(?![^\s,;.)\]])\S*|\S+"
)


@dataclass(frozen=True)
class Piece:
    """A part of a line, and what it is a part of: `title`, `header`, `note`, `` or a whole cell."""

    text: str
    of: str = ""


Line = tuple[Piece, ...]


def laid_out(table: Table, width: int | None) -> list[Line]:
    """The lines of a table on a screen of `width` columns; `None` where there is no screen.

    A row is a line where all columns fit, several lines where their words do, else a block with
    a line for each column. Only a single word wider than the screen is wider than it.
    """
    # Names of tasks and metrics come from files, too, and are in headers and titles.
    lines = _body(_plain(table), width)
    title = [(Piece(line, "title"),) for line in wrapped(plain(table.title, TEXT), width)]
    note = [(Piece(line, "note"),) for line in wrapped(plain(table.note, TEXT), width) if line]
    return [*title, *lines, (), *note]


def in_blocks(table: Table, width: int | None) -> bool:
    """Whether its rows do not fit on a screen of `width` columns, so that each is a block."""
    if width is None:
        return False
    rows = _plain(table)
    return sum(_least(rows)) > width - _around(len(table.header))


def _plain(table: Table) -> list[tuple[str, ...]]:
    return [tuple(plain(cell, TEXT) for cell in row) for row in (table.header, *table.rows)]


def _around(columns: int) -> int:
    return len(_INDENT) + len(_GAP) * (columns - 1)


def _least(rows: Sequence[tuple[str, ...]]) -> list[int]:
    """The widths below which columns would break a word, or be hard to read."""
    return [
        max(
            min(max(map(columns, column)), _COLUMN),
            *(max(map(columns, words(cell)), default=0) for cell in column),
        )
        for column in zip(*rows, strict=True)
    ]


def _body(rows: Sequence[tuple[str, ...]], width: int | None) -> list[Line]:
    whole = [max(map(columns, column)) for column in zip(*rows, strict=True)]
    around = _around(len(whole))
    if width is None:
        aligned = sum(whole[:-1]) + around <= PIPE
        return _grid(rows, whole, PIPE) if aligned else [_unpadded(row) for row in rows]
    room = width - around
    if sum(whole) <= room:
        return _grid(rows, whole, width)
    least = _least(rows)
    if sum(least) <= room:
        return _grid(rows, _shared(least, whole, room), width)
    return _blocks(rows, width)


def _shared(least: Sequence[int], whole: Sequence[int], room: int) -> list[int]:
    """Widths within `room`: all columns are cut at the same width, none below its least one."""
    for cut in range(room, 0, -1):
        widths = [max(low, min(all_, cut)) for low, all_ in zip(least, whole, strict=True)]
        if sum(widths) <= room:
            return widths
    return list(least)


def _grid(rows: Sequence[tuple[str, ...]], widths: Sequence[int], width: int) -> list[Line]:
    long = len(_INDENT) + sum(widths) + len(_GAP) * (len(widths) - 1)
    rule = (Piece(f" {'─' * (min(long, width) - 1)}"),)
    header, *others = ([*_row(row, widths)] for row in rows)
    named = [tuple(Piece(piece.text, "header") for piece in line) for line in header]
    return [*named, rule, *(line for lines in others for line in lines)]


def _row(row: Sequence[str], widths: Sequence[int]) -> Iterator[Line]:
    cells = [wrapped(cell, width) for cell, width in zip(row, widths, strict=True)]
    for number in range(max(map(len, cells))):
        parts = [cell[number] if number < len(cell) else "" for cell in cells]
        last = max((place for place, part in enumerate(parts) if part), default=0)
        yield tuple(
            Piece(
                (_GAP if place else _INDENT)
                + (part if place == last else part + " " * (widths[place] - columns(part))),
                row[place],
            )
            for place, part in enumerate(parts[: last + 1])
        )


def _unpadded(row: Sequence[str]) -> Line:
    return tuple(Piece((" | " if place else "") + cell, cell) for place, cell in enumerate(row))


def _blocks(rows: Sequence[tuple[str, ...]], width: int) -> list[Line]:
    """A row as a block, its columns below one another; empty cells are left out."""
    header, *others = rows
    named = min(max(map(columns, header)), width // 3)
    within = width - len(_INDENT) - named - len(_GAP)
    lines: list[Line] = []
    for row in others:
        lines.append(())
        for name, cell in zip(header, row, strict=True):
            for number, part in enumerate(wrapped(cell, within) if cell else ()):
                label = name if number == 0 else ""
                if columns(label) > named:
                    lines.append((Piece(_INDENT + label, "header"),))
                    label = ""
                label = f"{_INDENT}{label}{' ' * (named - columns(label))}{_GAP}"
                lines.append((Piece(label, "header"), Piece(part, cell)))
    return lines


def wrapped(text: str, width: int | None) -> list[str]:
    """A text in lines of at most `width` columns, where its words are no wider."""
    if width is None or columns(text) <= width:
        return [text]
    lines: list[str] = []
    for word in words(text):
        if lines and columns(lines[-1]) + 1 + columns(word) <= width:
            lines[-1] += f" {word}"
        else:
            lines.append(word)
    return lines


def words(text: str) -> list[str]:
    """What is never broken: words, numbers with their units, intervals with their marks.

    >>> words("rag 0.12 s [0.10, 0.15 s]*^ of 20")
    ['rag', '0.12 s', '[0.10, 0.15 s]*^', 'of', '20']
    """
    return _WORD.findall(text)


def columns(text: str) -> int:
    """The columns that a text takes where all letters are as wide."""
    return sum(_columns(sign) for sign in text) if not text.isascii() else len(text)


def _columns(sign: str) -> int:
    return 0 if combining(sign) else 2 if east_asian_width(sign) in "WF" else 1


def as_text(table: Table) -> str:
    """A table where there is no screen: its columns side by side, as wide as they need."""
    return "\n".join(line_text(line) for line in laid_out(table, None))


def line_text(line: Line) -> str:
    return "".join(piece.text for piece in line)
