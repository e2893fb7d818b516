"""A value with the tables that show it: as text in a shell, as HTML in a notebook."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from html import escape
from typing import TYPE_CHECKING, Generic, TypeVar

from bakeoff.core.layout import as_text
from bakeoff.core.plain_text import plain
from bakeoff.core.table import CELL, Table

if TYPE_CHECKING:
    import pandas

T = TypeVar("T")
_CELL = "text-align: left; white-space: pre-wrap; padding: 2px 8px"


@dataclass(frozen=True, repr=False)
class View(Generic[T]):
    """What came of a call, and how it is shown."""

    value: T
    """The numbers, typed."""
    tables: tuple[Table, ...]
    """What the command line prints of it."""
    rows: Callable[[], pandas.DataFrame] | None = None

    def frame(self) -> pandas.DataFrame:
        """The numbers in long form where there is one, else the rows of the first table as text."""
        if self.rows:
            return self.rows()
        import pandas

        table = self.tables[0]
        return pandas.DataFrame(list(table.rows), columns=list(table.header))

    def __repr__(self) -> str:
        return "\n".join(as_text(table) for table in self.tables)

    def _repr_html_(self) -> str:
        return as_html(self.tables)


def as_html(tables: Iterable[Table]) -> str:
    """Tables as HTML; every text is escaped."""
    return "".join(part for table in tables for part in _html(table))


def _html(table: Table) -> Iterator[str]:
    if table.title:
        yield f"<h4>{_shown(table.title)}</h4>"
    yield "<table><thead><tr>"
    yield from (f'<th style="{_CELL}">{_shown(name)}</th>' for name in table.header)
    yield "</tr></thead><tbody>"
    for row in table.rows:
        cells = "".join(f'<td style="{_CELL}">{_shown(cell)}</td>' for cell in row)
        yield f"<tr>{cells}</tr>"
    yield "</tbody></table>"
    if table.note:
        yield f"<p><small>{_shown(table.note)}</small></p>"


def _shown(text: str) -> str:
    return escape(plain(text, CELL))


@contextmanager
def as_exceptions() -> Iterator[None]:
    """Have what the file system refuses raised as the `BakeoffError` that a terminal shows.

    Old names that were read are named on the standard error, as there.
    """
    import sys

    from bakeoff.core.disk import refused
    from bakeoff.spec import names

    try:
        yield
    except OSError as error:
        raise refused(error) from error
    finally:
        for old, new in names.take_noted().items():
            print(f"`{old}` is now called `{new}`", file=sys.stderr)
