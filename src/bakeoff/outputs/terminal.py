"""What a terminal shows: tables and progress bars. The only module that imports rich."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from rich.console import Console
from rich.progress import (
    BarColumn,
    Progress,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.text import Text

from bakeoff.core.layout import in_blocks, laid_out
from bakeoff.core.plain_text import plain
from bakeoff.core.progress import Unit
from bakeoff.core.table import TEXT, Table

_COLOURS = {
    "PASS": "green",
    "FAIL": "red",
    "ERROR": "red",
    "INCONCLUSIVE": "yellow",
    "SKIPPED": "yellow",
}
_PARTS = {"title": "bold", "header": "bold", "note": "dim"}


def show(table: Table, *, wide: bool = False) -> None:
    """Print a table, laid out for the terminal's width; as on a pipe where there is no terminal.

    `wide` prints it as on a pipe on a terminal, too.
    """
    console = Console()
    # Colours are asked for in logs, too, which have no width.
    width = console.width if sys.stdout.isatty() and not wide else None
    for line in laid_out(table, width):
        # Cells come from files: `Text` keeps them from being read as markup.
        shown = Text.assemble(*((part.text, _style(part.of)) for part in line))
        console.print(shown, soft_wrap=True)


def narrow(tables: Sequence[Table]) -> bool:
    """Whether the terminal is too narrow for the rows of any of the tables."""
    width = Console().width if sys.stdout.isatty() else None
    return any(in_blocks(table, width) for table in tables)


def _style(of: str) -> str:
    return _PARTS.get(of) or _COLOURS.get(of, "")


def _shown(text: str) -> str:
    return plain(text, TEXT)


class LiveProgress:
    """A bar for the unit at work: done, total, its figures, time gone, time left."""

    def __init__(self, console: Console | None = None) -> None:
        self.bars = Progress(
            TextColumn("{task.description}", markup=False),
            BarColumn(),
            TextColumn("{task.fields[steps]}", markup=False),
            TimeElapsedColumn(),
            TextColumn("{task.fields[figures]}", markup=False),
            TextColumn("left"),
            TimeRemainingColumn(),
            console=console or Console(stderr=True),
            transient=True,
        )

    def note(self, text: str) -> None:
        self.bars.console.print(Text(_shown(text)))

    def show(self, table: Table) -> None:
        show(table)

    def start(self, unit: str, total: int | None = None) -> None:
        self.unit = Unit(unit, total)
        self.task = self.bars.add_task(unit, total=total, steps=self._steps(), figures="")
        self.bars.start()

    def advance(self, count: int = 1, figures: str = "") -> None:
        self.unit.advance(count, figures)
        self.bars.update(self.task, advance=count, steps=self._steps(), figures=figures)

    def finish(self) -> None:
        self.bars.remove_task(self.task)
        self.bars.stop()
        if line := self.unit.ended():
            self.note(line)

    def _steps(self) -> str:
        return f"{self.unit.done}/{self.unit.total}" if self.unit.total else ""
