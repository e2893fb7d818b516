"""Right and wrong answers and refusals."""

from __future__ import annotations

from bakeoff.analysis.abstention import CELLS
from bakeoff.analysis.comparison import Share
from bakeoff.analysis.measured_run import Run
from bakeoff.core.table import Table


def declining(run: Run) -> Table:
    """What each setup does with questions that have an answer, and with those that have none."""
    rows = [
        (
            task,
            setup,
            *(_share(counts.cell(kind, done)) for kind, done in CELLS),
            str(counts.failed + counts.unjudged),
        )
        for task, facts in run.comparison.tasks.items()
        for setup, counts in facts.abstention.items()
    ]
    sources = {
        ", ".join(counts.by)
        for facts in run.comparison.tasks.values()
        for counts in facts.abstention.values()
    }
    return Table(
        "Answering and declining",
        ("task", "setup", *_CELLS, "failed or unjudged"),
        tuple(rows),
        f"Answers, and their share of that kind of question; by {'; '.join(sorted(sources))}.",
    )


_CELLS = (
    *("has an answer: right", "wrong", "declined"),
    *("has none: declined", "answered"),
)


def _share(part: Share) -> str:
    return "-" if part.share is None else f"{part.n} ({part.share:.0%})"
