"""A comparison in long form: one row for each number, as CSV or as a DataFrame."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator, Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from bakeoff.analysis.comparison import Comparison, RunComparison, Summary
from bakeoff.core.estimate import Estimate

if TYPE_CHECKING:
    import pandas

NUMBERS = (
    *("value", "low", "high", "n", "unjudged", "method", "p", "p_adjusted"),
    *("wins", "ties", "losses", "detectable", "needed"),
)
COLUMNS = ("task", "metric", "slice", "kind", "name", *NUMBERS, "marks")
Marks = Mapping[tuple[str, str, str], str]
"""(task, metric, setup) -> `*`, `^` or both, as the tables show them."""


def rows(
    comparison: Comparison | RunComparison, marks: Marks = MappingProxyType({})
) -> Iterator[dict[str, Any]]:
    """Every estimate, effect and difference of a comparison, of one run or between runs.

    Quantiles of the latency pass are of the kinds `p50` to `p99`.
    """
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


def _differences(summary: Summary, task: str, metric: str, tag: str) -> Iterator[dict[str, Any]]:
    yield from _of(summary.effects, task, metric, tag, "effect")
    yield from _of(summary.differences, task, metric, tag, "difference")


def _of(
    estimates: Mapping[str, Estimate],
    task: str,
    metric: str,
    tag: str,
    kind: str,
    marks: Marks = MappingProxyType({}),
) -> Iterator[dict[str, Any]]:
    place = {"task": task, "metric": metric, "slice": tag, "kind": kind}
    for name, estimate in estimates.items():
        numbers = {number: getattr(estimate, number, None) for number in NUMBERS}
        marked = marks.get((task, metric, name), "")
        yield {**place, "name": name, **numbers, "marks": marked}


def csv_text(table: Iterable[Mapping[str, Any]], columns: Iterable[str] = COLUMNS) -> str:
    """Rows as CSV that a spreadsheet does not execute."""
    stream = io.StringIO()
    names = list(columns)
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(names)
    for row in table:
        writer.writerow([safe_cell(row[name]) for name in names])
    return stream.getvalue()


def safe_cell(value: Any) -> Any:
    """A cell no spreadsheet takes for a formula: such a text gets an apostrophe before it."""
    if isinstance(value, str) and value[:1] in ("=", "+", "-", "@", "\t", "\r"):
        return f"'{value}"
    return value


def frame(comparison: Comparison | RunComparison) -> pandas.DataFrame:
    """The rows of a comparison as a pandas DataFrame."""
    import pandas

    return pandas.DataFrame(list(rows(comparison)), columns=list(COLUMNS))
