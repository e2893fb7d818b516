"""Answering and declining: what a setup does with questions that have an answer, and with others.

Read from scores alone, so that runs without their texts have it as well: from `crag` where a task
names it, else from `right_refusal` and `wrong_refusal` (or `declined`) and a metric of 0 and 1
that says what is right. Refusals are those that the task's phrases find; what `judged_declined`
finds is counted beside them.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from bakeoff.analysis.columns import Column, Columns
from bakeoff.analysis.comparison import Abstention, Share
from bakeoff.analysis.stats import Floats
from bakeoff.core.words import Sample

RIGHT = ("contains", "exact_match", "accuracy")
"""Metrics of correctness, the first that a task has, where the headline is not of 0 and 1."""

Cell = tuple[str, str]
"""Kind of question and what was done: `("answerable", "right")`."""
CELLS: tuple[Cell, ...] = (
    *(("answerable", done) for done in ("right", "wrong", "refused")),
    *(("unanswerable", done) for done in ("refused", "answered")),
)


def abstention(
    table: Columns, task: str, setup: str, members: Mapping[str, Sample], headline: str
) -> Abstention | None:
    """How many answers of a setup fall in each cell, and their share of the kind of question.

    Repeats count one by one. Failed answers are in no cell and counted beside. `None` where the
    task's metrics do not tell.
    """
    mine = {metric: column for (t, s, metric), column in table.items() if (t, s) == (task, setup)}
    verdicts = _by_crag(mine, members) or _by_refusals(mine, members, headline)
    if not verdicts or "error" not in mine:
        return None
    counts: Counter[Cell] = Counter()
    failed = unjudged = 0
    for name, errors in _rows(mine["error"]).items():
        for repeat, error in enumerate(errors):
            cell = _cell(members[name].answerable, verdicts, name, repeat)
            if error != 0:
                failed += 1
            elif cell is None:
                unjudged += 1
            else:
                counts[cell] += 1
    declined = {
        name: int(np.nansum(_answers(column)))
        for name, column in mine.items()
        if name.partition("(")[0] == "judged_declined"
    }
    shares = {kind: _shares(counts, kind) for kind in ("answerable", "unanswerable")}
    return Abstention(verdicts.by, failed, unjudged, **shares, judged=declined)


def _shares(counts: Counter[Cell], kind: str) -> dict[str, Share]:
    mine = {done: counts[kind, done] for k, done in CELLS if k == kind}
    whole = sum(mine.values())
    return {done: Share(n, n / whole if whole else None) for done, n in mine.items()}


@dataclass(frozen=True)
class _Told:
    """The scores of every answer by sample: 1, 0 or NaN for each repeat."""

    by: tuple[str, ...]
    refused: Mapping[str, Floats]
    right: Mapping[str, Floats]


def _by_crag(mine: Mapping[str, Column], members: Mapping[str, Sample]) -> _Told | None:
    for name, column in mine.items():
        # Where a wrong answer costs nothing, it looks like a refusal.
        costs = column.measure.bounds is not None and column.measure.bounds[0] < 0
        if name.partition("(")[0] == "crag" and costs:
            rows = _rows(column)
            refusal = {sample: 0.0 if members[sample].answerable else 1.0 for sample in rows}
            return _Told(
                (name,),
                {sample: _equal(row, refusal[sample]) for sample, row in rows.items()},
                {sample: _equal(row, 1.0) for sample, row in rows.items()},
            )
    return None


def _by_refusals(
    mine: Mapping[str, Column], members: Mapping[str, Sample], headline: str
) -> _Told | None:
    # Each of them is of one kind of question.
    kinds = {sample.answerable for sample in members.values()}
    refusals = [("right_refusal", "wrong_refusal")[kind] for kind in sorted(kinds)]
    if not all(name in mine for name in refusals):
        refusals = ["declined"]
    right = next((name for name in (headline, *RIGHT) if name in mine and _binary(mine[name])), "")
    if not right or not all(name in mine for name in refusals):
        return None
    refused = {sample: row for name in refusals for sample, row in _rows(mine[name]).items()}
    return _Told((*refusals, right), refused, _rows(mine[right]))


def _cell(answerable: bool, verdicts: _Told, sample: str, repeat: int) -> Cell | None:
    refused, right = (
        rows[sample][repeat] if sample in rows else np.nan
        for rows in (verdicts.refused, verdicts.right)
    )
    if refused == 1:
        return ("answerable" if answerable else "unanswerable", "refused")
    if refused == 0 and not answerable:
        return "unanswerable", "answered"
    if refused == 0 and not np.isnan(right):
        return "answerable", "right" if right else "wrong"
    return None


def _equal(row: Floats, value: float) -> Floats:
    matches: Floats = np.where(np.isnan(row), np.nan, row == value)
    return matches


def _rows(column: Column) -> dict[str, Floats]:
    return dict(zip(column.samples, _answers(column), strict=True))


def _answers(column: Column) -> Floats:
    return column.values[:, None] if column.answers is None else column.answers


def _binary(column: Column) -> bool:
    values = _answers(column)
    known = values[~np.isnan(values)]
    return column.measure.higher_is_better and bool(np.isin(known, (0.0, 1.0)).all())
