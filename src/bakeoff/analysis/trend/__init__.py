"""The nights of a benchmark: kept, cut where a pinned input changed, watched for drift.

`nights` keeps them, `drift` finds what has moved, `shown` makes tables.
"""

from __future__ import annotations

from bakeoff.analysis.trend.drift import Drift, Stretch, alarms, least, stretches
from bakeoff.analysis.trend.nights import (
    Night,
    Point,
    heartbeat,
    history,
    keep,
    missing,
    read,
    recorded,
)
from bakeoff.analysis.trend.shown import csv, spans, sparkline, table

__all__ = [
    "Drift",
    "Night",
    "Point",
    "Stretch",
    "alarms",
    "csv",
    "heartbeat",
    "history",
    "keep",
    "least",
    "missing",
    "read",
    "recorded",
    "spans",
    "sparkline",
    "stretches",
    "table",
]
