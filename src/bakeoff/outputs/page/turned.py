"""Tables of many setups, turned: a row a setup, so that they can be sorted and read down."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from bakeoff.analysis.measured_run import Run
from bakeoff.core.table import Table
from bakeoff.outputs.page.numbers import place_of
from bakeoff.outputs.tables.side_by_side import Cell, Row

MANY = 5
"""Setups above which tables are turned."""


@dataclass(frozen=True)
class Column:
    """A metric of a task."""

    task: str
    metric: str
    n: str
    higher_is_better: bool


@dataclass(frozen=True)
class Line:
    """A setup in all columns."""

    setup: str
    place: int
    cells: Sequence[Cell | None]


@dataclass(frozen=True)
class Turned:
    """Setups below each other, the best first."""

    columns: Sequence[Column]
    lines: Sequence[Line]


def ranked(run: Run) -> list[str]:
    """The setups by their mean rank over the headlines of the tasks, the best first."""
    ranks: dict[str, list[int]] = {name: [] for name in run.suite.setups}
    for task, facts in run.comparison.tasks.items():
        known = {
            s: e.value
            for s, e in facts.metric(facts.headline).setups.items()
            if e.value is not None
        }
        higher = run.metric(task, facts.headline).higher_is_better
        values = sorted(set(known.values()), reverse=higher)
        for setup, value in known.items():
            ranks[setup].append(values.index(value))
    last = len(ranks)
    return sorted(ranks, key=lambda s: sum(ranks[s]) / len(ranks[s]) if ranks[s] else last)


def turned(run: Run, rows: Sequence[Row], order: Sequence[str]) -> Turned:
    """Rows of setups side by side as lines, the setups in this order."""
    columns = [
        Column(row.task, row.metric, row.n, run.metric(row.task, row.metric).higher_is_better)
        for row in rows
    ]
    at = {name: place for place, name in enumerate(run.suite.setups)}
    lines = [
        Line(name, place_of(run, name), [row.cells[at[name]] for row in rows]) for name in order
    ]
    return Turned(columns, lines)


def turned_table(table: Table, setups: Mapping[str, object]) -> Table:
    """A table with a column for each setup, turned: its first column becomes the header."""
    first = next(place for place, name in enumerate(table.header) if name in setups)
    heads = tuple(" ".join(filter(None, row[:first])) for row in table.rows)
    rows = tuple(
        (name, *(row[first + number] for row in table.rows))
        for number, name in enumerate(table.header[first:])
    )
    return Table(table.title, ("setup", *heads), rows, table.note)
