"""JSON as RFC 8259 has it: Python's own reader also takes `NaN`, and a key that occurs twice."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any


class DoubledKey(ValueError):
    """A key that occurs twice in one object: which of its values is meant, nobody knows."""


def _object(pairs: Sequence[tuple[str, Any]]) -> dict[str, object]:
    fields = dict(pairs)
    if len(fields) < len(pairs):
        keys = [key for key, _ in pairs]
        doubled = next(key for key in keys if keys.count(key) > 1)
        raise DoubledKey(f"the key {doubled!r} occurs twice in one object")
    return fields


def _constant(name: str) -> Any:
    raise ValueError(f"{name} is not JSON")


DECODER = json.JSONDecoder(object_pairs_hook=_object, parse_constant=_constant)
_WITH_CONSTANTS = json.JSONDecoder(object_pairs_hook=_object)


def loads(text: str, *, constants: bool = False) -> Any:
    """The value of a JSON text; `constants` also takes the `NaN` that other programs write.

    Raises `ValueError` for anything else, for a doubled key and for what is nested too deeply.
    """
    try:
        return (_WITH_CONSTANTS if constants else DECODER).decode(text)
    except RecursionError as error:
        raise ValueError("nested too deeply") from error
