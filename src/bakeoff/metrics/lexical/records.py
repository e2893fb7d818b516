"""Passages that are records (JSON objects, lists), told in words before they are compared.

`{"OutdoorSeating": true, "hours": {"Monday": "17:0-22:0"}}` says "outdoor seating: yes" and "hours:
monday: 17:00 (5 PM) to 22:00 (10 PM)". Answers made from data are written in such words.
"""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Iterator
from typing import Any

_WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+|[^\W\dA-Za-z_]+")
_HOURS = re.compile(r"(\d{1,2}):(\d{1,2})\s*-\s*(\d{1,2}):(\d{1,2})")
_DENIED = {"no", "none", "false", "null", ""}
LONGEST = 100_000
"""Letters beyond which a passage is taken as it is."""


def in_words(passage: str) -> str:
    """The passage, or its leaves in words, a line each, when it is a record."""
    if passage.lstrip()[:1] not in ("{", "[") or len(passage) > LONGEST:
        return passage
    try:
        value = _value(passage)
    except (ValueError, SyntaxError, MemoryError, RecursionError):
        return passage
    if not isinstance(value, dict | list):
        return passage
    return "\n".join(_lines(value, ()))


def _value(passage: str) -> Any:
    try:
        return json.loads(passage)
    except ValueError:
        # A record as Python prints it: single quotes, True, None.
        return ast.literal_eval(passage.strip())


def _lines(value: Any, keys: tuple[str, ...]) -> Iterator[str]:
    if isinstance(value, dict):
        for key, below in value.items():
            yield from _lines(below, (*keys, str(key)))
    elif isinstance(value, list | tuple):
        for below in value:
            yield from _lines(below, keys)
    else:
        *above, last = keys or ("",)
        outer = "".join(f"{_split(key)}: " for key in above)
        names = dict.fromkeys((_split(last), last.lower()))
        if value is True:
            yield f"{outer}{', '.join(names)}: yes."
        elif str(value).strip().lower() in _DENIED:
            yield outer + ", ".join(f"no {name}" for name in names) + "."
        else:
            yield f"{outer}{', '.join(names)}: {_sentence(str(value))}"


def _split(key: str) -> str:
    """`BusinessParking` and `business_parking` as words."""
    return " ".join(_WORD.findall(key)).lower()


def _sentence(text: str) -> str:
    return _HOURS.sub(_span, text)


def _span(match: re.Match[str]) -> str:
    numbers = [int(number) for number in match.groups()]
    return " to ".join(_time(*numbers[place : place + 2]) for place in (0, 2))


def _time(hour: int, minute: int) -> str:
    """Both ways of telling a time: 17:00 (5 PM)."""
    half = "AM" if hour % 24 < 12 else "PM"
    short = f"{hour % 12 or 12}:{minute:02d}" if minute else f"{hour % 12 or 12}"
    return f"{hour}:{minute:02d} ({short} {half})"
