"""Tables of text, their numbers in the form that readers expect, and their Markdown."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from unicodedata import east_asian_width

from bakeoff.core.estimate import Estimate
from bakeoff.core.measure import LATENCY_METRICS, TOKEN_METRICS
from bakeoff.core.plain_text import plain

CELL, TEXT = 5000, 2000
"""Characters of one cell in Markdown, and in plain text."""
_EMPHASIS = re.compile(r"[\\\\|*`]|(?<!\w)_|_(?!\w)")


@dataclass(frozen=True)
class Table:
    """Rows of text under a header, with a sentence on how to read it."""

    title: str
    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    note: str = ""


def number(value: float | None, metric: str) -> str:
    """A value in its metric's usual form: seconds, tokens, money, a share with three digits."""
    if value is None:
        return "-"
    if metric in LATENCY_METRICS:
        return f"{value:.2f} s" if value >= 0.1 else f"{value * 1000:.0f} ms"
    if metric in TOKEN_METRICS:
        return f"{value:.0f}"
    if metric == "cost":
        return f"{value:.3g}"
    return f"{value:.3f}"


def cell(estimate: Estimate, metric: str, mark: str = "") -> str:
    """A value with its interval, and a mark behind it."""
    text = number(estimate.value, metric)
    if estimate.known and metric not in TOKEN_METRICS:
        low, high = (number(end, metric) for end in estimate.ends)
        text += f" [{low.removesuffix(' s')}, {high}]"
    return text + mark


def as_text(table: Table) -> str:
    """A table for a pipe: its columns side by side, as wide as they need."""
    # Names of tasks and metrics come from files, too, and stand in headers and titles.
    lines = [tuple(plain(c, TEXT) for c in row) for row in (table.header, *table.rows)]
    widths = [max(map(_columns, column)) for column in zip(*lines, strict=True)]

    def laid(line: tuple[str, ...]) -> str:
        cells = zip(line, widths, strict=True)
        return "  " + "   ".join(f"{c}{' ' * (w - _columns(c))}" for c, w in cells).rstrip()

    rule = f" {'─' * (sum(widths) + 3 * len(widths) - 1)}"
    note = [plain(table.note, TEXT)] if table.note else []
    return "\n".join(
        [plain(table.title, TEXT), laid(lines[0]), rule, *map(laid, lines[1:]), "", *note]
    )


def _columns(text: str) -> int:
    """The columns that a text takes where all letters are as wide."""
    return sum(2 if east_asian_width(sign) in "WF" else 1 for sign in text)


def as_markdown(parts: Sequence[Table]) -> str:
    """Tables as Markdown."""
    return "\n".join(line for table in parts for line in markdown_lines(table))


def markdown_lines(table: Table) -> list[str]:
    """One table as lines of Markdown."""
    lines = [f"## {plain(table.title, CELL)}", ""]
    lines.append("| " + " | ".join(plain(name, CELL) for name in table.header) + " |")
    lines.append("|" + " --- |" * len(table.header))
    lines += ["| " + " | ".join(escaped(cell) for cell in row) + " |" for row in table.rows]
    note = [plain(line, CELL) for line in table.note.split("\n")]
    return [*lines, "", *([*note, ""] if table.note else [])]


def escaped(cell: str) -> str:
    """Text that cannot end a cell, start a tag or become emphasis."""
    flat = plain(cell, CELL).replace("<", "&lt;").replace(">", "&gt;")
    return _EMPHASIS.sub(r"\\\g<0>", flat)
