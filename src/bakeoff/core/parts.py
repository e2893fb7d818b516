"""The parts of a JSON object by name: a named tuple says which are read."""

from __future__ import annotations

from typing import Any, NamedTuple, TypeVar

N = TypeVar("N", bound=NamedTuple)


def parts_of(kind: type[N], value: object) -> N:
    """The parts of a JSON value that `kind` names; `None` where it has none.

    >>> class Point(NamedTuple):
    ...     x: Any
    ...     y: Any
    >>> parts_of(Point, {"y": 2, "z": 3})
    Point(x=None, y=2)
    """
    found: N = kind._make(map(value.get if isinstance(value, dict) else _nothing, kind._fields))
    return found


def whole(kind: type[N], value: object) -> N:
    """The same of an object that must have all of them. Raises `ValueError` naming the missing."""
    found = parts_of(kind, value)
    if None in found:
        missing = [name for name, part in zip(kind._fields, found, strict=True) if part is None]
        raise ValueError(f"{', '.join(missing)}: must be given")
    return found


def _nothing(_: str) -> Any:
    return None
