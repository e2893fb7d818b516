"""A comparison in long form: one row for each number, as CSV or as a DataFrame."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import astuple, dataclass, fields, replace
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from bakeoff.analysis.comparison import Comparison, RunComparison, Summary
from bakeoff.core.estimate import Difference, Estimate

if TYPE_CHECKING:
    import pandas


@dataclass(frozen=True)
class Row:
    """One number of a comparison, with its interval; of a difference also how it was tested."""

    task: str
    metric: str
    slice: str
    """`tag=value`; empty for all samples."""
    kind: str
    """`estimate`, `effect`, `difference`, or a quantile of the latency pass: `p50` to `p99`."""
    name: str
    value: float | None
    low: float | None
    high: float | None
    n: int
    unjudged: int
    method: str
    p: float | None = None
    p_adjusted: float | None = None
    wins: int | None = None
    ties: int | None = None
    losses: int | None = None
    detectable: float | None = None
    needed: int | None = None
    marks: str = ""


COLUMNS = tuple(column.name for column in fields(Row))
TESTED = ("p", "p_adjusted", "wins", "ties", "losses", "detectable", "needed")
"""Columns that only differences have."""
Marks = Mapping[tuple[str, str, str], str]
"""(task, metric, setup) -> `*`, `^` or both, as the tables show them."""


def rows(
    comparison: Comparison | RunComparison, marks: Marks = MappingProxyType({})
) -> Iterator[Row]:
    """Every estimate, effect and difference of a comparison, of one run or between runs."""
    if isinstance(comparison, RunComparison):
        for task, metrics in comparison.tasks.items():
            for metric, runs in metrics.items():
                yield from _of(runs.sides, task, metric, "", "estimate")
                yield from _of(runs.differences, task, metric, "", "difference")
        return
    for task, facts in comparison.tasks.items():
        for metric, summary in facts.metrics.items():
            yield from _of(summary.setups, task, metric, "", "estimate", marks)
            yield from _differences(summary, task, metric, "")
        for tag, summary in facts.slices.items():
            yield from _of(summary.setups, task, facts.headline, tag, "estimate")
            yield from _differences(summary, task, facts.headline, tag)
        timed = facts.latency.setups if facts.latency else {}
        for name, times in timed.items():
            for kind, quantile in times.quantiles.items():
                yield from _of({name: quantile}, task, "latency_s", "", kind)


def _differences(summary: Summary, task: str, metric: str, tag: str) -> Iterator[Row]:
    yield from _of(summary.effects, task, metric, tag, "effect")
    yield from _of(summary.differences, task, metric, tag, "difference")


def _of(
    estimates: Mapping[str, Estimate],
    task: str,
    metric: str,
    tag: str,
    kind: str,
    marks: Marks = MappingProxyType({}),
) -> Iterator[Row]:
    for name, estimate in estimates.items():
        row = Row(
            *(task, metric, tag, kind, name, estimate.value, estimate.low, estimate.high),
            *(estimate.n, estimate.unjudged, estimate.method),
            marks=marks.get((task, metric, name), ""),
        )
        yield _tested(row, estimate) if isinstance(estimate, Difference) else row


def _tested(row: Row, difference: Difference) -> Row:
    return replace(
        row,
        p=difference.p,
        p_adjusted=difference.p_adjusted,
        wins=difference.wins,
        ties=difference.ties,
        losses=difference.losses,
        detectable=difference.detectable,
        needed=difference.needed,
    )


def csv_text(table: Iterable[Row]) -> str:
    """Rows as CSV that a spreadsheet does not execute."""
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(COLUMNS)
    writer.writerows(map(safe_cell, astuple(row)) for row in table)
    return stream.getvalue()


def safe_cell(value: Any) -> Any:
    """A cell no spreadsheet takes for a formula: such a text gets an apostrophe before it."""
    if isinstance(value, str) and value[:1] in ("=", "+", "-", "@", "\t", "\r"):
        return f"'{value}"
    return value


def frame(
    comparison: Comparison | RunComparison, marks: Marks = MappingProxyType({})
) -> pandas.DataFrame:
    """The rows of a comparison as a pandas DataFrame."""
    import pandas

    return pandas.DataFrame(list(rows(comparison, marks)), columns=list(COLUMNS))
