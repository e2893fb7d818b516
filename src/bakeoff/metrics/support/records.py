"""Passages that are records (JSON objects, lists, tables), told in lines before they are compared.

An object's own values make one line, below the names of what holds it. `{"OutdoorSeating": false}`,
a line `Outdoor seating: no` and such a cell of a table are also kept as facts that can be denied.
`null` says nothing, neither yes nor no.
"""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import groupby
from typing import Any

from bakeoff.metrics.lexical.words import listed

_EDGE = re.compile(
    r"(?<=[a-zß-öø-ÿ])(?=[A-ZÀ-ÖØ-Þ])|(?<=[A-Z])(?=[A-Z][a-z])|(?<=\d)(?=[^\W\d])|(?<=[^\W\d])(?=\d)"
)
"""Where a word begins within a key: `BusinessParking`, `HTTPPort`, `row12`."""
_HUMP = re.compile(r"[a-z][A-Z]")
_SIGNS = dict.fromkeys("✓✔✅", "yes") | dict.fromkeys("✗✘❌", "no")
_YES = {"yes", "true", *"✓✔✅"}
_NO = {"no", "none", "false", *"✗✘❌"}
_NOTHING = {"null", "", "nan", "n/a"}
_TABLE = re.compile(r"^[ \t]*\|.*\|[ \t]*\n[ \t]*\|[\s:|-]+\|[ \t]*$", re.MULTILINE)
_ANSWER = r"(yes|no|true|false|✓|✔|✅|✗|✘|❌)"
_VALUED = re.compile(
    r"(^|[;,])[ \t>*•☐\"'-]*+(?:\d{1,2}[.)][ \t]++)?[*\"']*+([^\W\d_][^:=;,.!?|{}\n]{1,40}?)"
    rf"[ *\"']*:[ *\"']*{_ANSWER}[ \t*\"'.\r]*+(?:,?(?:#.*)?$|(?=;|,[^,:;\n]{{2,40}}:))",
    re.IGNORECASE | re.MULTILINE,
)
"""A yes-or-no value of a text or a part of JSON, on a line of its own or between others."""
_SETTING = re.compile(
    rf"^()([A-Za-z][\w.-]{{1,40}}) ?= ?[\"']?{_ANSWER}[ \t\"'\r]*+(?:[#;].*)?$",
    re.IGNORECASE | re.MULTILINE,
)
"""Not what is set further in, as code does."""
_REPLY = set(
    listed(
        """
        answer reply replied response responded said verdict rating result decision subject note
        """
    )
)
"""First or last words of what a text or a person says, not of what it is about."""
_VALUE = {"", "value"}
"""Names of a second column that add nothing to what its first column names."""
FEWEST_ROWS = 4
"""Lines from which on text with equally many commas in each is a table."""
LONGEST_NAME = 7
"""Words in the name of a column."""
LOOK = 100
"""Letters in which a question before a value is looked for."""
LONGEST = 100_000
"""Letters beyond which a passage is taken as it is."""


@dataclass(frozen=True, slots=True)
class Fact:
    """A value of a record that is yes or no."""

    name: str
    """The key in words."""
    value: bool


@dataclass(frozen=True, slots=True)
class Told:
    """A passage as lines of text, and the facts among them."""

    text: str
    facts: tuple[Fact, ...] = ()


def told(passage: str) -> Told:
    """The passage, in lines when it is a record."""
    if len(passage) > LONGEST:
        return Told(passage)
    facts: list[Fact] = []
    if (value := _value(passage)) is not None:
        return Told("\n".join(_lines(value, (), facts)), tuple(facts))
    if passage.count("|") > 5 and _TABLE.search(passage):
        return Told("\n".join(_tables(passage, facts)), tuple(facts))
    if passage.count(",") >= FEWEST_ROWS and (rows := _separated(passage, facts)):
        return Told("\n".join(rows), tuple(facts))
    for values in (_VALUED, _SETTING):
        passage = values.sub(lambda found: _valued(found, facts), passage)
    return Told(passage, tuple(facts))


def _valued(found: re.Match[str], facts: list[Fact]) -> str:
    before, key, value = found.groups()
    words = key.lower().split()
    ahead = found.string[max(0, found.start() - LOOK) : found.start()].rstrip()
    if ahead.endswith("?") or {words[0], words[-1]} & _REPLY or len(words) > LONGEST_NAME:
        return found[0]
    plain = " " in key or (key.isalpha() and not _HUMP.search(key))
    said = _yes_or_no(key if plain else in_words(key), value, facts)
    after = found.string[found.end() : found.end() + 1]
    return f"{before} {said}" if after in (";", ",") else f"{before} {said}."


def _separated(passage: str, facts: list[Fact]) -> list[str]:
    """The rows of comma-separated values below a header; nothing where it is none."""
    lines = [line.strip() for line in passage.strip().splitlines()]
    aside = [line.lstrip("# ") for line in lines if line.startswith("#")]
    table = [line.split(",") for line in lines if line and not line.startswith("#")]
    if len(table) < FEWEST_ROWS or len({len(row) for row in table}) > 1 or len(table[0]) < 2:
        return []
    ended = sum(line.endswith((".", "!", "?")) for line in lines)
    if any(len(name.split()) > LONGEST_NAME for name in table[0]) or 2 * ended > len(lines):
        return []
    header = [in_words(name) for name in table[0]]
    _note_cells(header, table[1:], facts)
    rows = ["; ".join(map(" ".join, zip(header, row, strict=True))) + "." for row in table[1:]]
    return [*aside, *rows]


def _value(passage: str) -> dict[Any, Any] | list[Any] | None:
    """What a passage holds that is JSON, or a record as Python prints it."""
    if passage.lstrip()[:1] not in ("{", "["):
        return None
    try:
        try:
            value = json.loads(passage)
        except ValueError:
            # Single quotes, True, None.
            value = ast.literal_eval(passage.strip())
    except (ValueError, TypeError, SyntaxError, MemoryError, RecursionError):
        return None
    return value if isinstance(value, dict | list) else None


def _lines(value: Any, keys: tuple[str, ...], facts: list[Fact]) -> Iterator[str]:
    if isinstance(value, dict):
        own = [
            (str(key), below) for key, below in value.items() if not isinstance(below, dict | list)
        ]
        if line := "; ".join(filter(None, (_leaf(key, below, facts) for key, below in own))):
            yield f"{': '.join([*map(in_words, keys), line])}."
        for key, below in value.items():
            if isinstance(below, dict | list):
                yield from _lines(below, (*keys, str(key)), facts)
    elif isinstance(value, list | tuple):
        if flat := [str(below) for below in value if not isinstance(below, dict | list)]:
            yield f"{': '.join([*map(in_words, keys), ', '.join(flat)])}."
        for below in value:
            if isinstance(below, dict | list):
                yield from _lines(below, keys, facts)


def _leaf(key: str, value: Any, facts: list[Fact]) -> str:
    name, text = in_words(key), str(value).strip()
    if value is None or text.lower() in _NOTHING:
        return ""
    return _yes_or_no(name, text, facts) or f"{_joined(name)} {text}"


def _yes_or_no(name: str, text: str, facts: list[Fact]) -> str:
    """A yes-or-no value in words, added to the facts; nothing for another value."""
    value = text.strip().lower()
    if not name or value not in _YES | _NO:
        return ""
    facts.append(Fact(name, value in _YES))
    return _joined(name) if value in _YES else f"no {_joined(name)}"


def _joined(name: str) -> str:
    """`wi fi` and `take out` are written in one word as well."""
    words = name.split()
    return name if len(words) == 1 else f"{name} ({words[-2]}{words[-1]})"


def in_words(key: str) -> str:
    """`BusinessParking` and `business_parking` as words."""
    return " ".join(_EDGE.sub(" ", re.sub(r"[\W_]+", " ", key)).split()).lower()


def _tables(passage: str, facts: list[Fact]) -> Iterator[str]:
    """Markdown tables told row by row, each value behind the name of its column."""
    lines = passage.splitlines()
    for is_table, part in groupby(lines, key=lambda line: line.strip().startswith("|")):
        if not is_table:
            yield from part
            continue
        table = [[cell.strip() for cell in line.strip().strip("|").split("|")] for line in part]
        header = table[0]
        rows = [row for row in table[1:] if not all(set(cell) <= set("-: ") for cell in row)]
        if len(header) == 2 and in_words(header[1]) in _VALUE:
            yield from (f"{_pair(header, row, facts)}." for row in rows)
        elif len(rows) == 1:
            yield f"{_only(header, rows[0], facts)}."
        else:
            _note_cells(header, rows, facts)
            yield from (f"{_row(header, row)}." for row in rows)


def _pair(header: list[str], row: list[str], facts: list[Fact]) -> str:
    """ "Takeout | no" below "Feature | Value"."""
    said = _yes_or_no(row[0], row[1], facts) if len(row) > 1 else ""
    return said or _row(header, row)


def _only(header: list[str], row: list[str], facts: list[Fact]) -> str:
    """The row of a table that has no other: it is about one thing."""
    return "; ".join(
        _yes_or_no(name, cell, facts) or f"{name}: {cell}"
        for name, cell in zip(header, row, strict=False)
    )


def _row(header: list[str], row: list[str]) -> str:
    return "; ".join(
        f"{name}: {_SIGNS.get(cell, cell)}" for name, cell in zip(header, row, strict=False)
    )


def _note_cells(header: list[str], rows: list[list[str]], facts: list[Fact]) -> None:
    """Add the yes-or-no cells of a table to the facts, each named by its column and row."""
    for row in rows:
        for name, cell in zip(header[1:], row[1:], strict=False):
            _yes_or_no(f"{name} {row[0]}", cell, facts)
