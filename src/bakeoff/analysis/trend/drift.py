"""Series cut where a pinned input changed, and drift from the first nights of a stretch."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from itertools import pairwise
from statistics import median

import numpy as np

from bakeoff.analysis import stats
from bakeoff.analysis.trend.nights import Night, Point, oldest_first
from bakeoff.core.counts import quantity
from bakeoff.core.estimate import finite
from bakeoff.core.measure import LATENCY_METRICS, TOKEN_METRICS
from bakeoff.core.table import number

BASE = 60
"""Nights that a stretch is compared with, its first."""
LIMIT, PER_SERIES = 5.0, 1.6
"""Of the sums of a series that is watched alone."""
QUIET = 14
"""Nights without an alarm after which an alarm the same way is a new drift."""
_UNEVEN = (*LATENCY_METRICS, *TOKEN_METRICS, "cost", "macro_f1")
"""Metrics that one answer can move by more than 1/n."""
_OF_TASK = ("task", "scorers")


@dataclass(frozen=True)
class Stretch:
    """The nights of one series between two changes of its pinned inputs, oldest first."""

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
        return [math.nan if (value := finite(p.value)) is None else value for p in self.points]


def stretches(nights: Sequence[Night]) -> list[Stretch]:
    """Every series cut where a pinned input that concerns it changes or goes away.

    An input that is new cuts nothing: all earlier inputs of the series are unchanged.
    """
    ordered = oldest_first(nights)
    names = dict.fromkeys(name for night in ordered for name in night.series)
    return [stretch for name in names for stretch in _cut(name, ordered)]


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
    # A series over all tasks, `setup.metric`, is based on each of them.
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
        metric = metric_of(self.series)
        moved = "rose" if self.up else "fell"
        return (
            f"{self.series} got {'worse' if self.harmful else 'better'}: it {moved} from "
            f"{number(self.before, metric)} (median of {_nights(self.before_nights)}) to "
            f"{number(self.after, metric)} ({_nights(self.after_nights)} since {self.since}), "
            f"found on {self.night}"
        )


def _nights(count: int) -> str:
    return quantity(count, "night")


def metric_of(series: str) -> str:
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
    drifts = [drift for stretch in cut for drift in _drifts(stretch, limit)]
    return sorted(drifts, key=lambda drift: (drift.night, drift.series))


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
    points = [p for p in stretch.points if finite(p.value) is not None][:BASE]
    if not points:
        return 0.0
    values = [p.value for p in points if p.value is not None]
    intervals = [(p.low, p.high) for p in points if p.low is not None and p.high is not None]
    intervals = [(low, high) for low, high in intervals if math.isfinite(high - low)]
    ends = [end for interval in intervals for end in interval]
    uneven = any(name in metric_of(stretch.series) for name in _UNEVEN)
    if not uneven and all(0 <= x <= 1 for x in (*values, *ends)):
        return 2 / max(1.0, median(p.n for p in points))
    halves = [(high - low) / 2 for low, high in intervals]
    return max(median(halves) if halves else 0.0, 0.02 * abs(median(values)))
