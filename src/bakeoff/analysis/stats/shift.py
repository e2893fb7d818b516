"""Drift of a series over nights: a robust CUSUM."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from bakeoff.analysis.stats.values import Floats


@dataclass(frozen=True)
class Alarm:
    """A series has shifted: found on `night`, by the sums since `since` (places in the series)."""

    night: int
    since: int
    direction: int
    """1 up, -1 down."""


def drift(
    series: Floats,
    *,
    slack: float = 0.5,
    limit: float = 5.0,
    clip: float = 3.0,
    warm: int = 14,
    base: int = 60,
    least: float = 0.0,
) -> list[Alarm]:
    """The alarms of a two-sided robust CUSUM over nightly values, oldest first (Page 1954).

    A night is compared with the median of the nights before it, at most the first `base`, in
    units of their MAD made comparable to a standard deviation, or of `least` where that is
    larger; clipped, so that one broken night is no alarm. The first `warm` nights only fill the
    base. NaN is a night without a value. After an alarm the sums start again at 0. Give each
    stretch between changes of a pinned input on its own.
    """
    alarms: list[Alarm] = []
    known = np.flatnonzero(~np.isnan(series))
    values = series[known]
    sums, since = [0.0, 0.0], [0, 0]
    for place in range(warm, len(values)):
        score = _score(values[: min(place, base)], float(values[place]), least, clip)
        for side, direction in enumerate((1, -1)):
            if sums[side] == 0:
                since[side] = place
            sums[side] = max(0.0, sums[side] + direction * score - slack)
            if sums[side] > limit:
                alarms.append(Alarm(int(known[place]), int(known[since[side]]), direction))
                sums = [0.0, 0.0]
    return alarms


def _score(before: Floats, value: float, least: float, clip: float) -> float:
    n = len(before)
    median = float(np.median(before))
    # 1.4826 for normal data; n / (n - 0.8) for few (Croux and Rousseeuw 1992).
    spread = 1.4826 * float(np.median(np.abs(before - median))) * n / (n - 0.8)
    spread = max(spread, least) * math.sqrt(1 + math.pi / (2 * n))
    gap = value - median
    if abs(gap) > clip * spread:
        return math.copysign(clip, gap)
    return gap / spread if spread else 0.0
