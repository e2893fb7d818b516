"""A comparison in long form: one row for each number, as CSV or as a DataFrame."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pandas

NUMBERS = (
    *("value", "low", "high", "n", "unjudged", "method", "p", "p_adjusted"),
    *("wins", "ties", "losses", "detectable", "needed"),
)
COLUMNS = ("task", "metric", "slice", "kind", "name", *NUMBERS)
PARTS = {
    "setups": "estimate",
    "sides": "estimate",
    "effects": "effect",
    "differences": "difference",
}


def rows(comparison: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """Every estimate, effect and difference of a comparison, of one run or between runs."""
    for task, facts in comparison["tasks"].items():
        for metric, summary in facts.get("metrics", facts).items():
            yield from _of(summary, task, metric, "")
        for tag, summary in facts.get("slices", {}).items():
            yield from _of(summary, task, facts["headline"], tag)


def _of(summary: Mapping[str, Any], task: str, metric: str, tag: str) -> Iterator[dict[str, Any]]:
    for part, kind in PARTS.items():
        for name, found in summary.get(part, {}).items():
            numbers = {each: found.get(each) for each in NUMBERS}
            yield {
                "task": task,
                "metric": metric,
                "slice": tag,
                "kind": kind,
                "name": name,
                **numbers,
            }


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


def frame(comparison: Mapping[str, Any]) -> pandas.DataFrame:
    """The rows of a comparison as a pandas DataFrame."""
    import pandas

    return pandas.DataFrame(list(rows(comparison)), columns=list(COLUMNS))
