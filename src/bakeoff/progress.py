"""How a run goes, as plain lines, for pipes."""

from __future__ import annotations

import sys
import time


class PlainProgress:
    """A line at the start and the end of each unit, and now and then between."""

    EVERY_SECONDS = 20.0

    def note(self, text: str) -> None:
        print(text, file=sys.stderr, flush=True)

    def start(self, unit: str, total: int) -> None:
        self.unit, self.total, self.done = unit, total, 0
        self.started = self.said = time.monotonic()

    def advance(self, count: int = 1) -> None:
        self.done += count
        now = time.monotonic()
        if now - self.said >= self.EVERY_SECONDS and self.done < self.total:
            left = (now - self.started) / self.done * (self.total - self.done)
            self.note(f"{self.unit}: {self.done} of {self.total}, about {left:.0f} s left")
            self.said = now

    def finish(self) -> None:
        self.note(done(self.unit, self.total, time.monotonic() - self.started))


def done(unit: str, total: int, seconds: float) -> str:
    """The line at the end of a unit."""
    return f"{unit}: {total} in {seconds:.1f} s ({total / max(seconds, 1e-9):.1f}/s)"
