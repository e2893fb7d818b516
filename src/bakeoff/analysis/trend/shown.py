"""Nights as a table with sparklines, and as CSV."""

from __future__ import annotations

import io
from collections.abc import Sequence
from csv import writer
from datetime import date, timedelta
from itertools import pairwise

from bakeoff.analysis.trend.drift import Stretch, alarms, metric_of, stretches
from bakeoff.analysis.trend.nights import Night, oldest_first
from bakeoff.core.estimate import finite
from bakeoff.core.table import Table, number

CHARTED = 30
"""Calendar nights in a sparkline."""
_UP, _DOWN, _HARM, _CUT = "▲", "▼", "!", "|"
_BARS = "▁▂▃▄▅▆▇█"


def spans(days: Sequence[str]) -> list[str]:
    """Dates in order, those in a row as `first to last (how many)`."""
    rows: list[list[date]] = []
    for day in map(date.fromisoformat, days):
        if rows and day - rows[-1][-1] == timedelta(days=1):
            rows[-1].append(day)
        else:
            rows.append([day])
    return [f"{r[0]} to {r[-1]} ({len(r)})" if len(r) > 1 else str(r[0]) for r in rows]


def csv(nights: Sequence[Night]) -> str:
    """The history in long form, a line per night and series, for other detectors.

    `stretch` is the first night of the stretch; levels compare within one. Texts that a
    spreadsheet would take for a formula get an apostrophe in front.
    """
    starts = _starts(nights)
    text = io.StringIO()
    rows = writer(text, lineterminator="\n")
    rows.writerow(("night", "run", "commit", "series", "value", "low", "high", "n", "stretch"))
    for night in oldest_first(nights):
        for name, p in night.series.items():
            facts = (str(night.night), _text(night.run), _text(night.commit or ""), _text(name))
            start = starts[name, night.night].start
            numbers = (finite(p.value), finite(p.low), finite(p.high), p.n)
            rows.writerow((*facts, *numbers, str(start)))
    return text.getvalue()


def _starts(nights: Sequence[Night]) -> dict[tuple[str, date], Stretch]:
    """(series, night) -> the stretch it is in."""
    return {(s.series, night.night): s for s in stretches(nights) for night in s.nights}


def _text(cell: str) -> str:
    # Half a surrogate pair can be in JSON, but in no file.
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
    ordered = oldest_first(nights)
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
    changes = "; ".join(
        f"{night.night}: {', '.join(cuts[night.night])}" for night in shown if night.night in cuts
    )
    note = (
        f"{_UP} {_DOWN} a drift, {_HARM} for the worse; {_CUT} begins a new segment, which is "
        "not comparable with the nights before" + (f" (changed: {changes})." if changes else ".")
    )
    return Table("Nights", ("series", "trend", *headers), tuple(rows), note)


def _columns(nights: Sequence[Night]) -> list[Night | int]:
    """Newest first; between two nights how many are missing, where any are."""
    columns: list[Night | int] = list(nights[:1])
    for before, night in pairwise(nights):
        gap = (night.night - before.night).days - 1
        columns += [gap, night] if gap else [night]
    return columns[::-1]


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
    return number(point.value if point else None, metric_of(series)) + mark


def _charted(series: str, nights: Sequence[Night]) -> list[float | None]:
    """The last calendar nights, gaps included."""
    having = [night for night in nights if series in night.series]
    by_day = {night.night: finite(night.series[series].value) for night in having}
    newest = nights[-1].night
    return [by_day.get(newest - timedelta(days=i)) for i in range(CHARTED - 1, -1, -1)]
