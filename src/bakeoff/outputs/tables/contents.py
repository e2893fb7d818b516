"""Which tables are shown, and in which order; those without rows are left out."""

from __future__ import annotations

from collections.abc import Iterable

from bakeoff.analysis.measured_run import Run
from bakeoff.core.table import Table
from bakeoff.outputs.tables.costs import costs, spending, training
from bakeoff.outputs.tables.effects import effects
from bakeoff.outputs.tables.endings import endings, failures
from bakeoff.outputs.tables.freshness import freshness
from bakeoff.outputs.tables.head_to_head import head_to_head
from bakeoff.outputs.tables.headline import details, headline, slices
from bakeoff.outputs.tables.labels import confused
from bakeoff.outputs.tables.latency import latencies
from bakeoff.outputs.tables.pairs import changed, differences
from bakeoff.outputs.tables.refusals import declining
from bakeoff.outputs.tables.repeats import judged_again, repeats


def compared(run: Run) -> list[Table]:
    """What `bakeoff compare` shows of one run."""
    return _filled(
        [
            *(headline(run), effects(run)),
            *(table(run, task) for task in run.samples for table in (details, differences)),
            *(failures(run), endings(run)),
            *(declining(run), repeats(run), judged_again(run), latencies(run), spending(run)),
        ]
    )


def of_task(run: Run, task: str) -> list[Table]:
    """All of one task, beside the headline table."""
    return _filled([head_to_head(run, task), *numbers_of_task(run, task), changed(run, task)])


def numbers_of_task(run: Run, task: str) -> list[Table]:
    """The numbers of one task: every metric, pair by pair, by label, by tag."""
    return _filled(table(run, task) for table in (details, differences, confused, slices))


def of_all(run: Run) -> list[Table]:
    """What is of all tasks together, beside the headline table and the effects."""
    return _filled(
        [
            *(failures(run), endings(run), *freshness(run)),
            *(declining(run), repeats(run), judged_again(run), latencies(run)),
            *(spending(run), training(run), *costs(run)),
        ]
    )


def _filled(tables: Iterable[Table]) -> list[Table]:
    return [table for table in tables if table.rows]
