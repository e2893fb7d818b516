"""Which labels were mistaken for which."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from bakeoff.analysis.measured_run import Run
from bakeoff.core.table import Table

CONFUSED = 10
"""Confusions of a setup that are listed; comparison.json has them all."""


def confused(run: Run, task: str) -> Table:
    """Which labels a task's setups mistook for which, most often first."""
    rows = [
        (setup, expected, predicted, str(n), f"{n / total:.0%}")
        for setup, pairs in run.comparison.tasks[task].confusion.items()
        for expected, predicted, n, total in mistakes(pairs)
    ]
    return Table(
        f"{task}: labels that were mistaken",
        ("setup", "expected", "predicted", "answers", "of that label"),
        tuple(rows),
        f"The {CONFUSED} most frequent of each setup; comparison.json has the full matrix.",
    )


def mistakes(pairs: Sequence[tuple[str, str, int]]) -> list[tuple[str, str, int, int]]:
    """(expected, predicted, answers, all answers of that label), the most frequent first."""
    totals: Counter[str] = Counter()
    for expected, _, n in pairs:
        totals[expected] += n
    wrong = [(label, other, n, totals[label]) for label, other, n in pairs if label != other]
    return sorted(wrong, key=lambda row: (-row[2], row))[:CONFUSED]
