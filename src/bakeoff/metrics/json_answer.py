"""The JSON value that a model's reply is, or holds."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from bakeoff.core.strict_json import DECODER, DoubledKey, loads

_FENCE = re.compile(r"```(?:json\w*)?\s*(.*?)```", re.DOTALL | re.IGNORECASE)
_FENCED = re.compile(r"```(?:json\w*)?\s*(.*?)\s*```", re.DOTALL | re.IGNORECASE)
_THOUGHT = re.compile(r"<(/?)(?:think|thinking|reasoning)>", re.IGNORECASE)
_OPENING = re.compile(r"[{\[]")
# Braces of prose (`{name}`, `[see above]`) begin otherwise.
_BEGUN = re.compile(r'\{\s*["}]|\[\s*(?:[{\["\]]|-?\d|true\b|false\b|null\b)')
_PART = re.compile(r'"(?:[^"\\]|\\.)*"|[{}\[\]]', re.DOTALL)
_NONE = "the answer is not JSON"
ATTEMPTS = 1000
"""Openings of one text that are tried: every brace of a text could be one."""


def whole(text: str) -> Any:
    """The JSON value that a text is, nothing beside it. Raises `ValueError`."""
    try:
        return loads(text.strip())
    except DoubledKey:
        raise
    except ValueError as error:
        raise ValueError(_NONE) from error


def inside(text: str) -> Any:
    """The JSON value that a text is or holds: in a code fence, else the first object in prose.

    Without an object, the first array. What was thought before does not count, nor a part of an
    object that is broken. Raises `ValueError` when there is none.
    """
    answer = _answered(text)
    for candidate in (answer, *_FENCE.findall(answer)):
        try:
            return loads(candidate.strip())
        except ValueError:
            continue
    broken: list[ValueError] = []
    values = list(_values(answer, broken))
    for value in (*filter(_has_fields, values), *values):
        return value
    doubled = [error for error in broken if isinstance(error, DoubledKey)]
    raise doubled[0] if doubled else ValueError(_NONE)


def own(text: str) -> Any:
    """The value of a reply that is JSON and nothing else, in a code fence or not.

    A text around it could be one that quotes it. Thinking may be in front, once. Raises
    `ValueError`.
    """
    reply = text.strip()
    marks = [mark[1] for mark in _THOUGHT.finditer(reply)]
    if _THOUGHT.match(reply) and marks == ["", "/"]:
        reply = _answered(reply)
    fenced = _FENCED.fullmatch(reply)
    return whole(fenced[1] if fenced else reply)


def _answered(text: str) -> str:
    """What follows the last thought; nothing, where that does not end."""
    marks = list(_THOUGHT.finditer(text))
    if not marks:
        return text.strip()
    return text[marks[-1].end() :].strip() if marks[-1][1] else ""


def _has_fields(value: Any) -> bool:
    """Whether it is an object, or a list that holds one: `[1]` may be a citation."""
    return isinstance(value, dict) or any(isinstance(item, dict) for item in value)


def _values(text: str, broken: list[ValueError]) -> Iterator[Any]:
    """The objects and arrays in a text, those inside of others left out; errors go to `broken`."""
    place = 0
    for _ in range(ATTEMPTS):
        opening = _OPENING.search(text, place)
        if not opening:
            return
        place = opening.start()
        try:
            value, place = DECODER.raw_decode(text, place)
            yield value
        except (ValueError, RecursionError) as error:
            broken += [error] if isinstance(error, ValueError) else []
            place = _end(text, place) if _BEGUN.match(text, place) else place + 1


def _end(text: str, start: int) -> int:
    """Where the broken JSON that begins at `start` ends; the text's end where it is not closed."""
    depth = 0
    for part in _PART.finditer(text, start):
        depth += (part[0] in "{[") - (part[0] in "}]")
        if depth == 0:
            return part.end()
    return len(text)
