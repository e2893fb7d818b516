"""Setups that need no tuning: answered first, their results shown task by task."""

from __future__ import annotations

import time
from collections.abc import Sequence

from bakeoff.running.quality_pass import Pair, answer_pairs
from bakeoff.running.state import RunState
from bakeoff.runs.store import Unit

GLANCE_S = 0.5
"""How long the next questions wait for scores that may be about to come."""


def answer_untuned(state: RunState, pairs: Sequence[Pair]) -> None:
    """Answer the pairs, and show the results of a task as soon as its pairs are scored."""
    pending: dict[str, list[Unit]] = {}
    for setup, task in pairs:
        pending.setdefault(task.name, []).append(Unit(task.name, setup.name))
    tasks = len(pending)
    for pair in pairs:
        answer_pairs(state, [pair])
        _show_scored(state, pending, GLANCE_S)
    _show_scored(state, pending, None)
    if len(pending) < tasks:
        state.progress.note("Results of setups that need no tuning; tuned setups follow.")


def _show_scored(state: RunState, pending: dict[str, list[Unit]], patience_s: float | None) -> None:
    """Show the pending tasks that are scored by now, or within so many seconds."""
    until = None if patience_s is None else time.monotonic() + patience_s
    for task, units in list(pending.items()):
        left = None if until is None else max(0.0, until - time.monotonic())
        if state.scoring.scored(units, left):
            del pending[task]
            _show(state, task, [unit.setup for unit in units])


def _show(state: RunState, task: str, setups: Sequence[str]) -> None:
    # Both load numpy, which no run is to wait for before its first answers.
    from bakeoff.analysis import measured_run
    from bakeoff.outputs.tables.headline import headline

    known = measured_run.Run(state.folder, tuple(setups), (task,))
    state.progress.show(headline(known))
