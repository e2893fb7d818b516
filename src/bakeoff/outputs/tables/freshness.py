"""What a change of the documents did to every setup."""

from __future__ import annotations

from bakeoff.analysis.comparison import Freshness, Work
from bakeoff.analysis.measured_run import Run
from bakeoff.core.table import Table, cell
from bakeoff.outputs.tables.effects import signed


def freshness(run: Run) -> list[Table]:
    """Of each task whose documents changed: every setup right after, and after its update."""
    return [
        _freshness(run, task, facts.freshness)
        for task, facts in run.comparison.tasks.items()
        if facts.freshness and facts.freshness.setups
    ]


def _freshness(run: Run, task: str, facts: Freshness) -> Table:
    metric, changes = run.headlines[task], list(facts.n)
    rows = []
    for setup, updated in facts.setups.items():
        states = (
            ("right after", updated.stale, updated.stale_rate.get("before"), ""),
            ("updated", updated.fresh, updated.stale_rate.get("after"), _needed(updated.work)),
        )
        for state, by_change, stale, needed in states:
            values = [cell(by_change[change], metric) for change in changes]
            rows.append((setup, state, *values, cell(stale, metric) if stale else "-", needed))
        gained = [signed(updated.gains[change], metric) for change in changes]
        rows.append((setup, "difference", *gained, "", ""))
    heads = (f"{change} ({n})" for change, n in facts.n.items())
    return Table(
        f"{task}: when the documents change ({metric})",
        ("setup", "state", *heads, "stale answers", "work of the update"),
        tuple(rows),
        "Right after: the setup as it was before the change. Stale answers were right before the "
        "change. Questions: changed has another answer now, removed none any more, new is answered "
        "for the first time, unchanged as before. * significant paired difference "
        "(p < 0.05).",
    )


def _needed(work: Work) -> str:
    """The work of an update in words."""
    counts = {"tokens": work.tokens, "rows": work.rows, "passages": work.passages}
    parts = [f"{n} {name}" for name, n in counts.items() if n]
    if work.seconds is None:
        return ", ".join(["not measured", *parts])
    return ", ".join([f"{work.seconds:.1f} s", *parts]) if parts else "nothing to do"
