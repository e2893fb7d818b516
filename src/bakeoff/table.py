"""Tables of text, their numbers in the form that readers expect, and their Markdown."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from bakeoff.publish import plain
from bakeoff.suite import LATENCY_METRICS, TOKEN_METRICS

CELL = 5000
"""Characters of one cell in Markdown."""
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


def cell(estimate: Mapping[str, Any], metric: str, mark: str = "") -> str:
    """A value with its interval, and a mark behind it."""
    text = number(estimate["value"], metric)
    if None not in (estimate["low"], estimate["high"]) and metric not in TOKEN_METRICS:
        low, high = (number(estimate[side], metric) for side in ("low", "high"))
        text += f" [{low.removesuffix(' s')}, {high}]"
    return text + mark


def as_markdown(parts: Sequence[Table]) -> str:
    """Tables as Markdown."""
    return "\n".join(line for table in parts for line in markdown_lines(table))


def markdown_lines(table: Table) -> list[str]:
    """One table as lines of Markdown."""
    lines = [f"## {table.title}", ""]
    lines.append("| " + " | ".join(table.header) + " |")
    lines.append("|" + " --- |" * len(table.header))
    lines += ["| " + " | ".join(_escaped(cell) for cell in row) + " |" for row in table.rows]
    return [*lines, "", *([table.note, ""] if table.note else [])]


def _escaped(cell: str) -> str:
    """Text that cannot end a cell, start a tag or become emphasis."""
    flat = plain(cell, CELL).replace("<", "&lt;").replace(">", "&gt;")
    return _EMPHASIS.sub(r"\\\g<0>", flat)
