"""Progress of work: as bars on a terminal (`terminal`), as plain lines on a pipe."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Protocol

from bakeoff.core.plain_text import plain
from bakeoff.core.table import TEXT, Table

QUIET_S = 2.0
"""A unit of work without countable steps that took less leaves no line."""


class Progress(Protocol):
    """What a person sees of work that takes a while. One unit of work is open at a time."""

    def note(self, text: str) -> None:
        """One line that stays."""

    def show(self, table: Table) -> None:
        """A table that stays."""

    def start(self, unit: str, total: int | None = None) -> None:
        """A unit of work (`task / setup`) begins, of so many steps; `None` where nobody knows."""

    def advance(self, count: int = 1, figures: str = "") -> None:
        """So many steps are done; `figures` are its current numbers, such as loss and pace."""

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


@dataclass(frozen=True)
class Told:
    """What a process says of its progress: a method of `Progress` and what it is given."""

    name: str
    given: tuple[Any, ...]

    def on(self, progress: Progress) -> None:
        """Show it there."""
        getattr(progress, self.name)(*self.given)


class Telling:
    """A `Progress` that another process shows."""

    def __init__(self, say: Callable[[object], None]) -> None:
        self._say = say

    def note(self, text: str) -> None:
        self._say(Told("note", (text,)))

    def show(self, table: Table) -> None:
        self._say(Told("show", (table,)))

    def start(self, unit: str, total: int | None = None) -> None:
        self._say(Told("start", (unit, total)))

    def advance(self, count: int = 1, figures: str = "") -> None:
        self._say(Told("advance", (count, figures)))

    def finish(self) -> None:
        self._say(Told("finish", ()))


class Unit:
    """How far a unit of work is."""

    def __init__(self, name: str, total: int | None) -> None:
        self.name, self.total, self.done, self.figures = name, total, 0, ""
        self.started = time.monotonic()

    def advance(self, count: int, figures: str) -> None:
        self.done += count
        self.figures = figures

    def state(self) -> str:
        """The line in the middle of the work."""
        seconds = time.monotonic() - self.started
        if not self.total:
            return f"{self.name}: {seconds:.0f} s so far"
        line = f"{self.name}: {self.done} of {self.total}"
        if self.figures:
            line = f"{line}, {self.figures}"
        if not self.done:
            return f"{line}, {seconds:.0f} s so far"
        return f"{line}, about {seconds / self.done * (self.total - self.done):.0f} s left"

    def ended(self) -> str:
        """The line at the end; empty for work that is not worth one."""
        seconds = time.monotonic() - self.started
        if self.total is None:
            return f"{self.name}: {seconds:.1f} s" if seconds >= QUIET_S else ""
        figures = f", {self.figures}" if self.figures else ""
        if self.done < self.total:
            return f"{self.name}: {self.done} of {self.total} in {seconds:.1f} s{figures}"
        pace = self.done / max(seconds, 1e-9)
        return f"{self.name}: {self.total} in {seconds:.1f} s ({pace:.1f}/s){figures}"


class PlainProgress:
    """A line at the end of each unit, and 20 seconds after the last line while one goes on."""

    EVERY_SECONDS = 20.0

    def __init__(self, show: Callable[[Table], None]) -> None:
        self.show = show
        self._unit: Unit | None = None
        self._over = threading.Event()
        self._told = time.monotonic()

    def note(self, text: str) -> None:
        self._told = time.monotonic()
        # A note may name a row of a file.
        print(plain(text, TEXT), file=sys.stderr, flush=True)

    def start(self, unit: str, total: int | None = None) -> None:
        self._unit, self._over = Unit(unit, total), threading.Event()
        # In a thread of its own: a single step may take long.
        beat = threading.Thread(
            target=self._tell, args=(self._unit, self._over), name="progress", daemon=True
        )
        beat.start()

    def advance(self, count: int = 1, figures: str = "") -> None:
        assert self._unit
        self._unit.advance(count, figures)

    def finish(self) -> None:
        assert self._unit
        self._over.set()
        if line := self._unit.ended():
            self.note(line)

    def _tell(self, unit: Unit, over: threading.Event) -> None:
        while not over.wait(max(0.0, self._told + self.EVERY_SECONDS - time.monotonic())):
            # Another line may have come meanwhile.
            if time.monotonic() >= self._told + self.EVERY_SECONDS:
                self._told = time.monotonic()
                self.note(unit.state())
