"""Rows of JSON Lines and JSON files, streamed, and what is wrong with them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from bakeoff.core.hints import shown
from bakeoff.core.strict_json import loads
from bakeoff.core.words import BakeoffError
from bakeoff.tasks.formats.decoding import Reading, decoded

Row = tuple[str, dict[str, object] | str]
"""The place of a row (`line 7`), and the row, or what is wrong with it."""


def json_lines(file: Path, reading: Reading | None = None) -> Iterator[Row]:
    """A JSON object a line; blank lines are passed over."""
    for number, line in enumerate(decoded(file, reading), 1):
        if not line.strip():
            continue
        try:
            yield f"line {number}", _object(loads(line, constants=True))
        except ValueError as error:
            hint = _hint(line) if number == 1 else ""
            yield f"line {number}", f"not JSON: {error}; every line is one JSON object{hint}"


def _hint(line: str) -> str:
    """What a file may be whose first line is no JSON."""
    if line.strip() in ("{", "["):
        return "; for a .json file that is one document, name the place of its rows"
    if line.lstrip()[:1] not in "{[" and any(sign in line for sign in ",;\t|"):
        return "; it looks like CSV: name it .csv"
    return ""


def _object(row: Any) -> dict[str, object] | str:
    return row if isinstance(row, dict) else f"found {shown(row)}; a row is a JSON object"


def json_list(
    file: Path,
    pick: Callable[[Any], Any],
    place: str = "in it",
    reading: Reading | None = None,
) -> Iterator[Row]:
    """The objects of the list that `pick` takes out of a whole JSON document.

    Raises `BakeoffError` where there is no such list; `place` says where it was looked for.
    """
    try:
        whole = loads("".join(decoded(file, reading)), constants=True)
    except ValueError as error:
        raise BakeoffError(f"{file}: not JSON: {error}") from error
    rows = pick(whole)
    if not isinstance(rows, list):
        raise BakeoffError(f"{file}: no list of rows {place}, found {shown(rows)}")
    for number, row in enumerate(rows, 1):
        yield f"row {number}", _object(row)


def is_json_list(file: Path) -> bool:
    """Whether a `.json` file is one list of rows, not a row a line."""
    return _first(file).lstrip()[:1] == "["


def json_document(file: Path, reading: Reading) -> Iterator[Row]:
    """The rows of a `.json` file: a list, an object that holds one list of rows, or JSON Lines."""
    lines = (line for line in decoded(file, Reading(reading.encoding)) if line.strip())
    first, second = next(lines, ""), next(lines, "")
    one_line = not second and _only_list_in(first)
    if first.lstrip()[:1] == "[" or first.strip() == "{" or one_line:
        yield from json_list(file, _only_list, reading=reading)
    else:
        yield from json_lines(file, reading)


def _first(file: Path) -> str:
    """The first line that is not blank."""
    return next((line for line in decoded(file) if line.strip()), "")


def _only_list_in(line: str) -> bool:
    """Whether a line is an object with nothing but a list of rows."""
    try:
        whole = loads(line, constants=True)
    except ValueError:
        return False
    return isinstance(whole, dict) and len(whole) == 1 and isinstance(_only_list(whole), list)


def _only_list(whole: Any) -> Any:
    """The list of rows that a document is, or that an object holds under one of its keys."""
    if not isinstance(whole, dict):
        return whole
    lists = [v for v in whole.values() if isinstance(v, list) and v and isinstance(v[0], dict)]
    return lists[0] if len(lists) == 1 else whole
