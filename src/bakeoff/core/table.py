"""Tables of text, their numbers in the form that readers expect, and their Markdown."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from bakeoff.core.estimate import ALPHA, Difference, Estimate
from bakeoff.core.measure import LATENCY_METRICS, TOKEN_METRICS
from bakeoff.core.plain_text import plain

CELL, TEXT = 5000, 2000
"""Characters of one cell in Markdown, and in plain text."""
_EMPHASIS = re.compile(r"[\\\\|*`]|(?<!\w)_|_(?!\w)")


_ABOVE_ZERO = re.compile("[1-9]")


@dataclass(frozen=True)
class Table:
    """Rows of text under a header, with a sentence on how to read it."""

    title: str
    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    note: str = ""


def number(value: float | None, metric: str, beside: float | None = None) -> str:
    """A value in its metric's usual form: seconds, tokens, money, else with three decimals.

    The one rule for digits: as many decimals for all values of a metric, and no minus at a zero.
    An end of an interval has the unit and decimals of the value `beside` it.

    >>> number(-0.0001, "contains"), number(0.0123, "cost"), number(0.012, "latency_s")
    ('0.000', '0.012300', '12 ms')
    """
    if value is None:
        return "-"
    if metric in LATENCY_METRICS:
        whole = abs(value if beside is None else beside) >= 0.1
        return f"{value:z.2f} s" if whole else f"{value * 1000:z.0f} ms"
    if metric in TOKEN_METRICS:
        return f"{value:z.0f}"
    return money(value, beside) if metric == "cost" else f"{value:z.3f}"


def money(value: float | None, beside: float | None = None) -> str:
    """An amount in any currency: whole from 1,000, in hundredths from 0.1, else in millionths.

    >>> money(12345.6), money(12.3), money(0.0123), money(0.00000042)
    ('12,346', '12.30', '0.012300', '0.000000420')
    """
    if not value:
        return "-" if value is None else "0"
    size = abs(beside or value)
    decimals = 0 if size >= 1000 else 2 if size >= 0.1 else 6 if size >= 5e-6 else 9
    return f"{value:z,.{decimals}f}"


def signed(value: float | None, metric: str, beside: float | None = None) -> str:
    """A difference in its metric's usual form, with its sign."""
    return with_sign(number(value, metric, beside))


def with_sign(text: str) -> str:
    """A number with a plus where it is above zero.

    >>> with_sign("0.012"), with_sign("-0.012"), with_sign("0.000")
    ('+0.012', '-0.012', '0.000')
    """
    return f"+{text}" if text[0] != "-" and _ABOVE_ZERO.search(text) else text


def cell(estimate: Estimate, metric: str, mark: str = "") -> str:
    """A value with its interval, and a mark behind it."""
    known = estimate.known and metric not in TOKEN_METRICS
    return _ranged(estimate, metric, number, known) + mark


def signed_cell(estimate: Estimate, metric: str) -> str:
    """A difference with its interval."""
    return _ranged(estimate, metric, signed, estimate.known)


def unmarked(gap: Difference, corrected_for: int = 1) -> str:
    """What follows a difference that looks significant and is not; empty for all others.

    Its interval can leave 0 out and its p be 0.05 or above: they come from two tests. Its own p can
    be below 0.05 and be none too small for one of several comparisons, `corrected_for` of them.

    >>> unmarked(Difference(0.2, 0.01, 0.4, p=0.062))
    '(p = 0.062)'
    >>> unmarked(Difference(0.2, 0.04, 0.4, p=0.021), corrected_for=3)
    'after correction for 3 comparisons'
    """
    low, high = gap.ends
    if gap.p is not None and gap.p >= ALPHA and not low <= 0 <= high:
        return f"(p = {gap.p:.3f})"
    several = corrected_for > 1 and gap.clear
    return f"after correction for {corrected_for} comparisons" if several else ""


def _ranged(estimate: Estimate, metric: str, form: Callable[..., str], known: bool) -> str:
    text = form(estimate.value, metric)
    if not known:
        return text
    low, high = (form(end, metric, estimate.value) for end in estimate.ends)
    unit = " ms" if low.endswith(" ms") else " s"
    return f"{text} [{low.removesuffix(unit)}, {high}]"


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
