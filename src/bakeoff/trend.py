"""The nights of a benchmark: kept, cut where a pinned input changed, watched for drift.

    results/nightly/BENCHMARK.jsonl      one JSON object per night

A night without a line is a gap: it enters no median and no chart as a number.
"""

from __future__ import annotations

import fcntl
import io
import json
import math
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from csv import writer
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from statistics import median
from typing import Annotated, Any

import numpy as np
from pydantic import AllowInfNan, TypeAdapter, ValidationError

from bakeoff import stats
from bakeoff.alert import Alert
from bakeoff.core import BakeoffError
from bakeoff.suite import LATENCY_METRICS, TOKEN_METRICS
from bakeoff.table import Table, number

FORMAT = 1
"""Of a line."""
BASE = 60
"""Nights that a stretch is compared with, its first."""
LIMIT, PER_SERIES = 5.0, 1.6
"""Of the sums of a series that is watched alone."""
QUIET = 14
"""Nights without an alarm after which an alarm the same way is a new drift."""
CHARTED = 30
"""Calendar nights in a sparkline."""
_UNEVEN = (*LATENCY_METRICS, *TOKEN_METRICS, "cost", "macro_f1")
"""Metrics that one answer can move by more than 1/n."""
_OF_TASK = ("task", "scorers")
_UP, _DOWN, _HARM, _CUT = "▲", "▼", "!", "|"
_BARS = "▁▂▃▄▅▆▇█"

Finite = Annotated[float, AllowInfNan(False)]
"""Checked where a line is read; what is not finite is kept as `null`."""


@dataclass(frozen=True)
class Point:
    """One series on one night; a value of `None` could not be had and is a gap."""

    value: Finite | None
    low: Finite | None
    high: Finite | None
    n: int
    """Samples that the value stands on."""
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

    Raises `BakeoffError` for a line that is no night; the file stays as it is.
    """
    found: dict[date, Night] = {}
    for place, line in enumerate(_lines(path), 1):
        if not line.strip():
            continue
        try:
            night = _parsed(line)
        except (ValueError, RecursionError) as error:
            raise BakeoffError(
                f"{path}: line {place} is no night: {_why(error)}; mend or remove that line"
            ) from error
        found[night.night] = night
    return [found[day] for day in sorted(found)]


def keep(path: Path, night: Night) -> None:
    """Add a night to a history, or put it in the place of its earlier line.

    Every other line stays byte for byte, one that cannot be read too. After a crash the file is
    the old one or the new one. Raises `BakeoffError` when it cannot be written.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with _alone(path.parent):
            lines = _lines(path)
            places = [i for i, line in enumerate(lines) if _day(line) == night.night]
            for place in places:
                lines[place] = _as_line(night)
            if not places:
                lines.append(_as_line(night))
            _replace(path, b"".join(line + b"\n" for line in lines))
    except OSError as error:
        raise BakeoffError(f"{path}: cannot be written: {error.strerror or error}") from error


def _lines(path: Path) -> list[bytes]:
    """The lines without their ends. Bytes: a foreign line may be no text."""
    if not path.exists():
        return []
    lines = path.read_bytes().split(b"\n")
    return lines if lines[-1] else lines[:-1]


def _parsed(line: bytes) -> Night:
    """Raises `ValueError` when the line is no night of this format."""
    row = json.loads(line)
    if not isinstance(row, dict) or row.get("format") != FORMAT:
        raise ValueError(f"not an object of format {FORMAT}")
    night = _NIGHT.validate_python(row)
    if night.finished.tzinfo is None:
        raise ValueError("finished: has no time zone")
    return night


def _why(error: Exception) -> str:
    if isinstance(error, ValidationError):
        first = error.errors()[0]
        return f"{'.'.join(map(str, first['loc']))}: {first['msg']}"
    return str(error)


def _day(line: bytes) -> date | None:
    try:
        return _parsed(line).night
    except (ValueError, RecursionError):
        return None


def _as_line(night: Night) -> bytes:
    row = {
        "format": FORMAT,
        "night": night.night.isoformat(),
        "run": night.run,
        "finished": night.finished.isoformat(),
        "commit": night.commit,
        "exit_code": night.exit_code,
        "state": night.state,
        "pinned": dict(night.pinned),
        "series": {name: _point(point) for name, point in night.series.items()},
    }
    return json.dumps(row, allow_nan=False).encode()


def _point(point: Point) -> dict[str, Any]:
    ends = {name: _known(getattr(point, name)) for name in ("value", "low", "high")}
    return {**ends, "n": point.n, "higher_is_better": point.higher_is_better}


def _known(value: float | None) -> float | None:
    return value if value is not None and math.isfinite(value) else None


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Keep other processes from writing histories in a folder; waits for its turn."""
    lock = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
    finally:
        os.close(lock)


def _replace(path: Path, content: bytes) -> None:
    """Put the file in place whole, on the disk before and after."""
    scratch = path.with_name(f".{path.name}.new")
    with scratch.open("wb") as stream:
        stream.write(content)
        stream.flush()
        os.fsync(stream.fileno())
    scratch.replace(path)
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


@dataclass(frozen=True)
class Stretch:
    """The nights of one series between two changes of what it stands on, oldest first."""

    series: str
    nights: tuple[Night, ...]
    cut: tuple[str, ...]
    """The pinned inputs whose change began it; none for the first."""

    @property
    def start(self) -> date:
        return self.nights[0].night

    @property
    def points(self) -> list[Point]:
        return [night.series[self.series] for night in self.nights]

    @property
    def values(self) -> list[float]:
        """NaN where there is none."""
        return [math.nan if (value := _known(p.value)) is None else value for p in self.points]


def stretches(nights: Sequence[Night]) -> list[Stretch]:
    """Every series cut where a pinned input that concerns it changes or goes away.

    An input that is new cuts nothing: what a series stands on is all there, and unchanged.
    """
    ordered = _ordered(nights)
    names = dict.fromkeys(name for night in ordered for name in night.series)
    return [stretch for name in names for stretch in _cut(name, ordered)]


def _ordered(nights: Sequence[Night]) -> list[Night]:
    return sorted(nights, key=lambda night: night.night)


def _cut(series: str, nights: Sequence[Night]) -> list[Stretch]:
    having = [night for night in nights if series in night.series]
    cuts = [(0, ())] + [
        (place, changed)
        for place, (before, now) in enumerate(pairwise(having), 1)
        if (changed := _changed(series, before.pinned, now.pinned))
    ]
    ends = [place for place, _ in cuts[1:]] + [len(having)]
    return [
        Stretch(series, tuple(having[start:end]), changed)
        for (start, changed), end in zip(cuts, ends, strict=True)
    ]


def _changed(series: str, before: Mapping[str, str], now: Mapping[str, str]) -> tuple[str, ...]:
    return tuple(k for k in before if now.get(k) != before[k] and _concerns(k, series))


def _concerns(key: str, series: str) -> bool:
    kind, _, name = key.partition(" ")
    setup, _, rest = series.partition(".")
    task, dot, _ = rest.partition(".")
    if kind == "setup":
        return name == setup.rpartition("(")[2]
    # A series over all tasks, `setup.metric`, stands on each of them.
    return kind not in _OF_TASK or not dot or name == task


@dataclass(frozen=True)
class Drift:
    """A series has moved away from the first nights of its stretch."""

    series: str
    stretch: date
    """The first night of the stretch."""
    number: int
    """Which drift this way in the stretch it is, from 1."""
    night: date
    """When it was found."""
    since: date
    until: date
    """The last night that alarmed."""
    up: bool
    harmful: bool
    before: float
    """Median of `before_nights`, those it was compared with."""
    before_nights: int
    after: float
    """Median of `after_nights`, from `since` to `night`."""
    after_nights: int

    @property
    def id(self) -> str:
        """The same on every later night, also where `since` comes out a day apart."""
        return f"{self.series} {'up' if self.up else 'down'} {self.stretch} {self.number}"

    @property
    def text(self) -> str:
        metric = _metric(self.series)
        moved = "rose" if self.up else "fell"
        return (
            f"{self.series} got {'worse' if self.harmful else 'better'}: it {moved} from "
            f"{number(self.before, metric)} (median of {_nights(self.before_nights)}) to "
            f"{number(self.after, metric)} ({_nights(self.after_nights)} since {self.since}), "
            f"found on {self.night}"
        )


def _nights(count: int) -> str:
    return f"{count} night{'s' if count != 1 else ''}"


def _metric(series: str) -> str:
    return series.split(".", 2)[-1]


def alarms(nights: Sequence[Night]) -> list[Drift]:
    """Every drift in the history, the first found first.

    Alarms that go on at most `QUIET` nights after one another are one drift: a level that stays
    off keeps alarming. The limit of the sums grows with the logarithm of the number of series, as
    the time to a false alarm grows with the exponential of the limit (Siegmund 1985); by how much
    was simulated, so that many series together alarm falsely about as often as one alone.
    """
    cut = stretches(nights)
    limit = LIMIT + PER_SERIES * math.log(max(1, len({stretch.series for stretch in cut})))
    found = [drift for stretch in cut for drift in _drifts(stretch, limit)]
    return sorted(found, key=lambda drift: (drift.night, drift.series))


def _drifts(stretch: Stretch, limit: float) -> list[Drift]:
    groups: dict[int, list[list[stats.Alarm]]] = {1: [], -1: []}
    values = np.array(stretch.values)
    for alarm in stats.drift(values, limit=limit, base=BASE, least=least(stretch)):
        same = groups[alarm.direction]
        if same and alarm.since - same[-1][-1].night <= QUIET:
            same[-1].append(alarm)
        else:
            same.append([alarm])
    return [
        _drift(stretch, group, count)
        for same in groups.values()
        for count, group in enumerate(same, 1)
    ]


def _drift(stretch: Stretch, group: Sequence[stats.Alarm], count: int) -> Drift:
    first, last = group[0], group[-1]
    nights, values, up = stretch.nights, stretch.values, first.direction > 0
    before = [x for x in values[: first.since] if math.isfinite(x)][:BASE]
    after = [x for x in values[first.since : first.night + 1] if math.isfinite(x)]
    return Drift(
        stretch.series,
        stretch.start,
        count,
        nights[first.night].night,
        nights[first.since].night,
        nights[last.night].night,
        up,
        up != stretch.points[first.night].higher_is_better,
        median(before),
        len(before),
        median(after),
        len(after),
    )


def least(stretch: Stretch) -> float:
    """The smallest spread between nights that is taken seriously, in the unit of the series.

    Greedy answers come back the same, so the spread between nights is often 0 and any change
    would be infinitely many of it. A drift must be more than half a spread to add up at all.
    A mean of values from 0 to 1 moves by at most 1/n when one answer changes: with 2/n that can
    never alarm, however long it stays, while two that stay do within a fortnight. Where one
    answer can move more (seconds, tokens, money, macro-F1, anything beyond 0 to 1) it is the
    half-width of the measured interval: one answer would have to be off by the root of n
    standard deviations; and at least 2% of the level, for want of intervals.
    """
    points = [p for p in stretch.points if _known(p.value) is not None][:BASE]
    if not points:
        return 0.0
    values = [p.value for p in points if p.value is not None]
    intervals = [(p.low, p.high) for p in points if p.low is not None and p.high is not None]
    intervals = [(low, high) for low, high in intervals if math.isfinite(high - low)]
    ends = [end for interval in intervals for end in interval]
    uneven = any(name in _metric(stretch.series) for name in _UNEVEN)
    if not uneven and all(0 <= x <= 1 for x in (*values, *ends)):
        return 2 / max(1.0, median(p.n for p in points))
    halves = [(high - low) / 2 for low, high in intervals]
    return max(median(halves) if halves else 0.0, 0.02 * abs(median(values)))


def as_alert(benchmark: str, drift: Drift) -> Alert:
    """The alert that tells of a drift."""
    facts = {
        "benchmark": benchmark,
        "series": drift.series,
        "night": str(drift.night),
        "since": str(drift.since),
        "direction": "up" if drift.up else "down",
        "harmful": drift.harmful,
        "before": drift.before,
        "after": drift.after,
    }
    return Alert(f"{benchmark} {drift.id}", f"{benchmark}: {drift.text}", facts)


def missing(nights: Sequence[Night], today: date) -> list[str]:
    """The dates without a line from the first night to yesterday; today is not over."""
    kept = {night.night for night in nights}
    first = min(kept, default=today)
    days = (first + timedelta(days=i) for i in range((today - first).days))
    return [day.isoformat() for day in days if day not in kept]


def spans(days: Sequence[str]) -> list[str]:
    """Dates in order, those in a row as `first to last (how many)`."""
    rows: list[list[date]] = []
    for day in map(date.fromisoformat, days):
        if rows and day - rows[-1][-1] == timedelta(days=1):
            rows[-1].append(day)
        else:
            rows.append([day])
    return [f"{r[0]} to {r[-1]} ({len(r)})" if len(r) > 1 else str(r[0]) for r in rows]


def heartbeat(nights: Sequence[Night], now: datetime, within_hours: float) -> str:
    """A sentence when the newest night is not fresh; nothing when it is, whatever its verdict."""
    if not nights:
        return "no night has been kept yet"
    last = max(nights, key=lambda night: night.night)
    hours = (now - last.finished) / timedelta(hours=1)
    said = f"the newest night is {last.night} ({last.state}, run {last.run})"
    if hours > within_hours:
        return f"{said}, finished {hours:.0f} hours ago: none in the last {within_hours:g} hours"
    if hours < -1:
        return f"{said}, finished {-hours:.0f} hours from now: one of the clocks is wrong"
    return ""


def csv(nights: Sequence[Night]) -> str:
    """The history in long form, a line per night and series, for other detectors.

    `stretch` is the first night of the stretch; levels compare within one. Texts that a
    spreadsheet would take for a formula get an apostrophe in front.
    """
    starts = _starts(nights)
    text = io.StringIO()
    rows = writer(text, lineterminator="\n")
    rows.writerow(("night", "run", "commit", "series", "value", "low", "high", "n", "stretch"))
    for night in _ordered(nights):
        for name, p in night.series.items():
            facts = (str(night.night), _text(night.run), _text(night.commit or ""), _text(name))
            start = starts[name, night.night].start
            numbers = (_known(p.value), _known(p.low), _known(p.high), p.n)
            rows.writerow((*facts, *numbers, str(start)))
    return text.getvalue()


def _starts(nights: Sequence[Night]) -> dict[tuple[str, date], Stretch]:
    """(series, night) -> the stretch it is in."""
    return {(s.series, night.night): s for s in stretches(nights) for night in s.nights}


def _text(cell: str) -> str:
    # Half a surrogate pair can stand in JSON, but in no file.
    cell = cell.encode("utf-8", "replace").decode()
    if cell.startswith(("=", "+", "-", "@", "\t", "\r", "\n")):
        cell = f"'{cell}"
    # A row is a line: csv leaves a carriage return unquoted, and many readers end the row there.
    return cell.replace("\r", " ").replace("\n", " ")


def sparkline(values: Sequence[float | None]) -> str:
    """Values as bars from their lowest to their highest; a blank where there is none."""
    known = [x for x in values if x is not None]
    if not known:
        return ""
    low, width = min(known), max(known) - min(known)

    def bar(value: float | None) -> str:
        if value is None:
            return " "
        return _BARS[round((value - low) / width * (len(_BARS) - 1)) if width else 3]

    return "".join(map(bar, values)).rstrip()


def table(nights: Sequence[Night], last: int = 7) -> Table:
    """The last nights side by side, newest first, with drifts, cuts and gaps marked."""
    ordered = _ordered(nights)
    columns = _columns(ordered[-last:])
    shown = [column for column in columns if isinstance(column, Night)]
    marks, cuts = _marks(ordered)
    rows = [("verdict", "", *(c.state if isinstance(c, Night) else "" for c in columns))]
    for name in dict.fromkeys(name for night in shown for name in night.series):
        cells = (
            _shown(name, c, marks.get((name, c.night), "")) if isinstance(c, Night) else ""
            for c in columns
        )
        rows.append((name, sparkline(_charted(name, ordered)), *cells))
    headers = (str(c.night) if isinstance(c, Night) else f"{c} missing" for c in columns)
    said = "; ".join(
        f"{night.night}: {', '.join(cuts[night.night])}" for night in shown if night.night in cuts
    )
    note = (
        f"{_UP} {_DOWN} a drift, {_HARM} for the worse; {_CUT} begins a new stretch, which does "
        "not compare with the nights before" + (f" (changed: {said})." if said else ".")
    )
    return Table("Nights", ("series", "trend", *headers), tuple(rows), note)


def _columns(nights: Sequence[Night]) -> list[Night | int]:
    """Newest first; between two nights how many are missing, where any are."""
    found: list[Night | int] = list(nights[:1])
    for before, night in pairwise(nights):
        gap = (night.night - before.night).days - 1
        found += [gap, night] if gap else [night]
    return found[::-1]


def _marks(
    nights: Sequence[Night],
) -> tuple[dict[tuple[str, date], str], dict[date, list[str]]]:
    """(series, night) -> its marks, and night -> the pinned inputs that cut a series there."""
    marks: dict[tuple[str, date], str] = {}
    cuts: dict[date, list[str]] = {}
    for stretch in stretches(nights):
        if stretch.cut:
            marks[stretch.series, stretch.start] = f" {_CUT}"
            known = cuts.setdefault(stretch.start, [])
            known += [name for name in stretch.cut if name not in known]
    for drift in alarms(nights):
        mark = f" {_UP if drift.up else _DOWN}{_HARM if drift.harmful else ''}"
        for night in nights:
            key = (drift.series, night.night)
            if drift.since <= night.night <= drift.until:
                marks[key] = marks.get(key, "") + mark
    return marks, cuts


def _shown(series: str, night: Night, mark: str) -> str:
    point = night.series.get(series)
    return number(point.value if point else None, _metric(series)) + mark


def _charted(series: str, nights: Sequence[Night]) -> list[float | None]:
    """The last calendar nights, gaps included."""
    having = [night for night in nights if series in night.series]
    by_day = {night.night: _known(night.series[series].value) for night in having}
    newest = nights[-1].night
    return [by_day.get(newest - timedelta(days=i)) for i in range(CHARTED - 1, -1, -1)]
