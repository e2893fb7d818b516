"""How hard a server may be pressed: waits, budgets, how much at once, and when to hold back."""

from __future__ import annotations

import random
from collections import deque
from contextlib import suppress
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

FIRST_WAIT_S, LONGEST_WAIT_S = 0.25, 30.0
BURST_S = 1.0
"""A budget may run ahead by what it allows in so many seconds."""


def retry_after_s(header: str | None) -> float:
    """Seconds to wait by a Retry-After header: a number, or a date; 0 when it is neither."""
    if not header:
        return 0.0
    try:
        return max(0.0, float(header))
    except ValueError:
        date = None
        with suppress(ValueError):
            date = parsedate_to_datetime(header)
    if date is None:
        return 0.0
    return max(0.0, (date.replace(tzinfo=date.tzinfo or UTC) - datetime.now(UTC)).total_seconds())


def backoff_s(failed: int, draw: random.Random) -> float:
    """Seconds to wait after so many failed attempts: anything up to a bound that doubles.

    https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter calls it full jitter.
    """
    return draw.uniform(0, min(LONGEST_WAIT_S, FIRST_WAIT_S * 2 ** min(failed - 1, 10)))


class Budget:
    """Spaces costs evenly, so many a minute, after a burst of `BURST_S`; `None` has no limit."""

    def __init__(self, per_minute: int | None) -> None:
        self._seconds_each = 60 / per_minute if per_minute else 0.0
        self._free_at = 0.0

    def wait_s(self, now: float) -> float:
        """Seconds until the next cost may be spent."""
        return max(0.0, self._free_at - BURST_S - now)

    def spend(self, cost: int, now: float) -> None:
        self._free_at = max(self._free_at, now) + cost * self._seconds_each


class Limit:
    """Requests that may be in flight: halved while the server refuses many, then raised again."""

    def __init__(self, most: int) -> None:
        self.most = self.allowed = most
        self._last: deque[bool] = deque(maxlen=100)
        self._since_halving = 50
        self._unrefused = 0

    def note(self, refused: bool) -> None:
        """Take in a finished attempt; `refused` is a 429."""
        self._last.append(refused)
        self._since_halving += 1
        self._unrefused = 0 if refused else self._unrefused + 1
        if refused and sum(self._last) > 20 and self._since_halving >= 50:
            self.allowed = max(1, self.allowed // 2)
            self._last.clear()
            self._since_halving = 0
        elif self._unrefused >= 50:
            self._unrefused = 0
            self.allowed = min(self.most, self.allowed + max(1, self.allowed // 4))


class Breaker:
    """Holds everything back after `threshold` failures in a row, but for a probe now and then."""

    def __init__(self, threshold: int, patience_s: float) -> None:
        self.threshold = threshold
        self.patience_s = patience_s
        self.opened_at: float | None = None
        self.probing = False
        self._failures = 0
        self._wait_s = 0.0
        self._probe_at = 0.0
        self._held_s = 0.0

    def wait_s(self, now: float) -> float:
        """Seconds until the next request may go; while a probe is out, until to look again."""
        if self.opened_at is None:
            return 0.0
        return 1.0 if self.probing else max(0.0, self._probe_at - now)

    def held_s(self, now: float) -> float:
        """Seconds it has been open, all in all."""
        return self._held_s + (now - self.opened_at if self.opened_at is not None else 0.0)

    def note(self, alive: bool, probe: bool, now: float) -> None:
        """Take in a finished attempt: whether the server was alive, and whether it was a probe."""
        if alive:
            self._held_s = self.held_s(now)
            self.opened_at, self.probing, self._failures = None, False, 0
            return
        self._failures += 1
        if self.opened_at is None:
            if self._failures >= self.threshold:
                self.opened_at, self._wait_s = now, 1.0
                self._probe_at = now + min(self._wait_s, self.patience_s)
        elif probe:
            self.probing = False
            self._wait_s = min(LONGEST_WAIT_S, 2 * self._wait_s)
            self._probe_at = min(now + self._wait_s, self.opened_at + self.patience_s)

    def given_up(self, now: float) -> bool:
        """Whether it has been open for as long as anybody wants to wait."""
        return self.opened_at is not None and now - self.opened_at >= self.patience_s
