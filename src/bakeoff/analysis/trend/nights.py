"""The nights of a benchmark as they are kept, one JSON object a line.

    results/nightly/BENCHMARK.jsonl

A night without a line is a gap: it enters no median and no chart as a number.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Annotated

from pydantic import AllowInfNan, TypeAdapter, ValidationError

from bakeoff.core import disk
from bakeoff.core.counts import quantity
from bakeoff.core.estimate import Estimate, finite
from bakeoff.core.words import BakeoffError, MissingEvidence
from bakeoff.spec import names
from bakeoff.spec.yaml_files import explained

FORMAT = 1
"""Of a line."""
Finite = Annotated[float, AllowInfNan(False)]
"""Checked where a line is read; what is not finite is kept as `null`."""


@dataclass(frozen=True, kw_only=True)
class Point(Estimate):
    """The estimate of one series on one night; without a value it is a gap."""

    # Declared again, as a line must have them all, each finite or `null`.
    value: Finite | None
    low: Finite | None
    high: Finite | None
    n: int
    higher_is_better: bool


@dataclass(frozen=True)
class Night:
    """What one night came to."""

    night: date
    run: str
    finished: datetime
    """With its time zone."""
    commit: str | None
    exit_code: int
    state: str
    """PASS, FAIL, INCONCLUSIVE, ERROR, or UNGATED where there are no gates."""
    pinned: Mapping[str, str]
    """What must stay the same for nights to be compared -> its digest.

    `task T` and `scorers T` concern the series of task T, `setup S` those of setup S; every other
    name (`versions`, `model M`, `judge`) concerns all series.
    """
    series: Mapping[str, Point]
    """`setup.task.metric` -> its value."""


_NIGHT = TypeAdapter(Night)


def history(results: Path, benchmark: str) -> Path:
    """Where the nights of a benchmark are kept."""
    return results / "nightly" / f"{benchmark}.jsonl"


def read(path: Path) -> list[Night]:
    """Every night kept, oldest first; none without a file. The last line of a night counts.

    Raises `BakeoffError` for a line that is not a nightly run; the file stays as it is.
    """
    by_day: dict[date, Night] = {}
    for place, line in enumerate(_lines(path), 1):
        if not line.strip():
            continue
        try:
            night = parsed(line)
        except (ValueError, RecursionError) as error:
            raise BakeoffError(
                f"{path}: line {place} is not a nightly run: {_why(error)}; fix or remove that line"
            ) from error
        by_day[night.night] = night
    return [by_day[day] for day in sorted(by_day)]


def recorded(path: Path) -> list[Night]:
    """The nights of a history as `read`. Raises `MissingEvidence` where there are none."""
    nights = read(path)
    if not nights:
        raise MissingEvidence(f"{path}: no nightly run yet; `bakeoff nightly BENCHMARK` adds one")
    return nights


def keep(path: Path, night: Night) -> None:
    """Add a night to a history, or put it in the place of its earlier line.

    Every other line stays byte for byte, one that cannot be read too. After a crash the file is
    the old one or the new one. Raises `BakeoffError` when it cannot be written.
    """
    with disk.refusals(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        with _alone(path.parent):
            lines = _lines(path)
            places = [i for i, line in enumerate(lines) if _day(line) == night.night]
            for place in places:
                lines[place] = as_line(night)
            if not places:
                lines.append(as_line(night))
            disk.replace(path, (line + b"\n" for line in lines), synced=True)


def _lines(path: Path) -> list[bytes]:
    """The lines without their ends. Bytes: a foreign line may be no text."""
    with disk.refusals(path):
        if not path.exists():
            return []
        lines = path.read_bytes().split(b"\n")
    return lines if lines[-1] else lines[:-1]


def parsed(line: bytes) -> Night:
    """Raises `ValueError` when the line is not a nightly run of this format."""
    row = json.loads(line)
    if not isinstance(row, dict) or row.get("format") != FORMAT:
        raise ValueError(f"not an object of format {FORMAT}")
    night = _NIGHT.validate_python(row)
    if night.finished.tzinfo is None:
        raise ValueError("finished: has no time zone")
    return replace(night, series={names.series(n): point for n, point in night.series.items()})


def _why(error: Exception) -> str:
    if isinstance(error, ValidationError):
        return explained(error)[0]
    return str(error)


def _day(line: bytes) -> date | None:
    try:
        return parsed(line).night
    except (ValueError, RecursionError):
        return None


def as_line(night: Night) -> bytes:
    row = {
        "format": FORMAT,
        "night": night.night.isoformat(),
        "run": night.run,
        "finished": night.finished.isoformat(),
        "commit": night.commit,
        "exit_code": night.exit_code,
        "state": night.state,
        "pinned": dict(night.pinned),
        "series": {name: asdict(_finite(point)) for name, point in night.series.items()},
    }
    return json.dumps(row, allow_nan=False).encode()


def _finite(point: Point) -> Point:
    value, low, high = map(finite, (point.value, point.low, point.high))
    return replace(point, value=value, low=low, high=high)


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Keep other processes from writing histories in a folder; waits for its turn."""
    lock = os.open(folder, os.O_RDONLY)
    try:
        disk.lock(lock, folder, wait=True)
        yield
    finally:
        os.close(lock)


def oldest_first(nights: Sequence[Night]) -> list[Night]:
    return sorted(nights, key=lambda night: night.night)


def missing(nights: Sequence[Night], today: date) -> list[str]:
    """The dates without a line from the first night to yesterday; today is not over."""
    kept = {night.night for night in nights}
    first = min(kept, default=today)
    days = (first + timedelta(days=i) for i in range((today - first).days))
    return [day.isoformat() for day in days if day not in kept]


def heartbeat(nights: Sequence[Night], now: datetime, within_hours: float) -> str:
    """A sentence when no nightly run finished within the hours, whatever its verdict."""
    if not nights:
        return "no nightly run yet"
    last = max(nights, key=lambda night: night.night)
    hours = (now - last.finished) / timedelta(hours=1)
    newest = f"the last nightly run is {last.night} ({last.state}, run {last.run})"
    if hours > within_hours:
        return (
            f"{newest}, finished {quantity(round(hours), 'hour')} ago: none in the "
            f"last {quantity(within_hours, 'hour')}"
        )
    if hours < -1:
        return (
            f"{newest}, finished {quantity(round(-hours), 'hour')} from now: one "
            "of the clocks is wrong"
        )
    return ""
