"""Where work says how it goes; a terminal and a pipe each have their way of showing it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol

from bakeoff.table import Table


class Progress(Protocol):
    """What a person sees of work that takes a while. One unit of work is open at a time."""

    def note(self, text: str) -> None:
        """One line that stays."""

    def show(self, table: Table) -> None:
        """A table that stays."""

    def start(self, unit: str, total: int | None = None) -> None:
        """A unit of work (`task / setup`) begins, of so many steps; of `None` nobody knows."""

    def advance(self, count: int = 1, figures: str = "") -> None:
        """So many steps are done; `figures` is how it stands, such as a loss and a pace."""

    def finish(self) -> None:
        """The unit has ended."""


@contextmanager
def working(progress: Progress, unit: str, total: int | None = None) -> Iterator[None]:
    """A unit of work, open while the block runs."""
    progress.start(unit, total)
    try:
        yield
    finally:
        progress.finish()
