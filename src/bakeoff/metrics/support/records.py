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
from typing import Any

_WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+|[^\W\dA-Za-z_]+")
_YES = {"yes", "true", "✓", "✔", "✅"}
_NO = {"no", "none", "false", "✗", "✘", "❌"}
_NOTHING = {"null", "", "nan", "n/a"}
_TABLE = re.compile(r"^\s*\|.*\|\s*\n\s*\|[\s:|-]+\|\s*$", re.MULTILINE)
_VALUED = re.compile(
    r"(?P<before>^|;)[ \t>*•\"'-]*(?P<name>[^\W\d_][^:=;.!?|{}\n]{1,40}?)[ *\"']*[:=]"
    r"[ *\"']*(?P<value>yes|no|true|false|✓|✔|✅|✗|✘|❌)[ *\"',]*(?:\.?[ \t]*$|(?=;))",
    re.IGNORECASE | re.MULTILINE,
)
"""A yes-or-no value in plain text or a part of JSON, on its own line or between semicolons."""
_REPLY = {"answer", "reply", "response"}
"""Names of what a text says, not of what it is about."""
_VALUE = {"", "value", "available", "availability", "offered", "provided", "included", "allowed"}
"""Names of a second column that say nothing about what its first column names."""
FEWEST_ROWS = 4
"""Lines from which on text with equally many commas in each is a table."""
LONGEST_NAME = 7
"""Words in the name of a column."""
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
    if passage.lstrip()[:1] in ("{", "["):
        try:
            value = _value(passage)
        except (ValueError, TypeError, SyntaxError, MemoryError, RecursionError):
            return Told(passage)
        if not isinstance(value, dict | list):
            return Told(passage)
        facts: list[Fact] = []
        return Told("\n".join(_lines(value, (), facts)), tuple(facts))
    facts = []
    if passage.count("|") > 5 and _TABLE.search(passage):
        return Told("\n".join(_rows(passage, facts)), tuple(facts))
    if passage.count(",") >= FEWEST_ROWS and (rows := _separated(passage, facts)):
        return Told("\n".join(rows), tuple(facts))
    return Told(_VALUED.sub(lambda found: _valued(found, facts), passage), tuple(facts))


def _valued(found: re.Match[str], facts: list[Fact]) -> str:
    name = in_words(found["name"])
    if name in _REPLY or len(name.split()) > LONGEST_NAME:
        return found[0]
    stop = "" if found.string[found.end() : found.end() + 1] == ";" else "."
    said = _yes_or_no(name, found["value"], facts)
    return f"{found['before']} {said}{stop}"


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
    rows = [
        "; ".join(
            _yes_or_no(name, cell, facts) or f"{name} {cell}"
            for name, cell in zip(header, row, strict=True)
        )
        + "."
        for row in table[1:]
    ]
    return [*aside, *rows]


def _value(passage: str) -> Any:
    try:
        return json.loads(passage)
    except ValueError:
        # A record as Python prints it: single quotes, True, None.
        return ast.literal_eval(passage.strip())


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
    return " ".join(_WORD.findall(key)).lower()


def _rows(passage: str, facts: list[Fact]) -> Iterator[str]:
    """A Markdown table told row by row, each value behind the name of its column."""
    header: list[str] = []
    for line in passage.splitlines():
        if not line.strip().startswith("|"):
            header = []
            yield line
            continue
        cells = [cell.strip() for cell in line.strip().strip("|").split("|")]
        if not header:
            header = cells
        elif not all(set(cell) <= set("-: ") for cell in cells):
            yield f"{_row(header, cells, facts)}."


def _row(header: list[str], cells: list[str], facts: list[Fact]) -> str:
    named = [(in_words(name), name, cell) for name, cell in zip(header, cells, strict=False)]
    if len(named) == 2 and named[1][0] in _VALUE:
        # "Takeout | no" below "Feature | Value"
        said = _yes_or_no(in_words(cells[0]), cells[1], facts)
        if said:
            return said
    return "; ".join(
        _yes_or_no(words, cell, facts) or f"{name}: {cell}" for words, name, cell in named
    )
