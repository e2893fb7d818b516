"""How replies ended, and why answers failed."""

from __future__ import annotations

from bakeoff.analysis.measured_run import Run
from bakeoff.core.table import Table
from bakeoff.core.words import FINISH_REASONS, STOP


def endings(run: Run) -> Table:
    """Replies by finish reason, where any ended otherwise than by itself."""
    ended = {
        (task, setup): facts.reasons
        for task, compared in run.comparison.tasks.items()
        for setup, facts in compared.ended.items()
        if facts.reasons
    }
    met = {reason for reasons in ended.values() for reason in reasons}
    known = [reason for reason in FINISH_REASONS if reason in met]
    header = [*known, *sorted(met - set(known))]
    rows = [
        (*cell, *(str(reasons.get(reason, 0)) for reason in header))
        for cell, reasons in ended.items()
    ]
    return Table(
        "How replies ended (finish reason)",
        ("task", "setup", *header),
        tuple(rows) if met - {STOP} else (),
        "length: cut at `max_tokens`. A reply without a text that did not end with stop is a "
        "failure.",
    )


def failures(run: Run) -> Table:
    """Why answers failed, the most frequent reason of each setup first."""
    rows = [
        (task, setup, str(reason.n), reason.text)
        for task, compared in run.comparison.tasks.items()
        for setup, facts in compared.ended.items()
        for reason in facts.failures
    ]
    return Table(
        "Failed answers",
        ("task", "setup", "answers", "reason"),
        tuple(rows),
        "They score the worst value. Reasons that differ in numbers alone are one.",
    )
