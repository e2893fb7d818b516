"""Values of rows by the columns or paths that a task file names."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from typing import Any, NamedTuple

from bakeoff.core.parts import parts_of
from bakeoff.core.strict_json import loads
from bakeoff.core.words import BakeoffError

Getter = Callable[[Mapping[str, object]], Any]
"""Takes a value out of a row; `None` where there is none."""


def columns_of(rows: Iterable[Mapping[str, object]]) -> list[str]:
    """The names of the columns that any of the rows has, in their order."""
    return list(dict.fromkeys(name for row in rows for name in row))


def getter(path: str, columns: Collection[str]) -> Getter:
    """The value of the column `path`, or at the JMESPath `path` if no column has that name.

    Raises `BakeoffError` if it is neither.

    >>> getter("answers[*].text", ["answers"])({"answers": [{"text": "yes"}]})
    ['yes']
    """
    if path in columns:
        return lambda row: row.get(path)
    import jmespath
    from jmespath.exceptions import JMESPathError

    try:
        compiled = jmespath.compile(path)
    except JMESPathError as error:
        raise BakeoffError(f"no row has a column '{path}'") from error
    if not _names(compiled.parsed) & set(columns):
        raise BakeoffError(f"no row has a column '{path}'")

    def searched(row: Mapping[str, object]) -> Any:
        try:
            value = compiled.search(row)
        except JMESPathError as error:
            raise BakeoffError(f"'{path}': {error}") from error
        return [part for part in value if part is not None] if isinstance(value, list) else value

    return searched


class _Node(NamedTuple):
    """A part of a parsed path."""

    type: Any = None
    value: Any = None
    children: Any = None


def _names(parsed: object) -> set[str]:
    """All names that a parsed path looks up."""
    node = parts_of(_Node, parsed)
    own = {str(node.value)} if node.type == "field" else set()
    return own.union(*map(_names, node.children or ()))


def listed(cell: object) -> object:
    """A cell that holds a JSON list of texts as that list; any other as it is.

    >>> listed('["30 months", "thirty months"]')
    ['30 months', 'thirty months']
    """
    if not (isinstance(cell, str) and cell.strip().startswith("[")):
        return cell
    try:
        value = loads(cell)
    except ValueError:
        return cell
    # A list with some texts is meant as one, and refused; `[1, 2]` may well be an answer.
    return value if not value or any(isinstance(part, str) for part in value) else cell


def has(path: str, columns: Collection[str]) -> bool:
    """Whether rows with these columns may have something at this column or path."""
    try:
        getter(path, columns)
    except BakeoffError:
        return False
    return True
