"""The runs of a results folder, and what became of them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from bakeoff.analysis.measured_run import GATES
from bakeoff.core.counts import quantity
from bakeoff.core.table import Table
from bakeoff.core.words import BakeoffError
from bakeoff.runs.manifest import RUNNING, Manifest
from bakeoff.runs.naming import started
from bakeoff.runs.store import busy, read_manifest, read_verdicts

_SETUPS = 4
"""Setups that a row names."""


def runs_table(runs: Sequence[Path], older: int = 0) -> Table:
    """A row for each run, in the given order; `older` are those that are not shown."""
    note = "n: samples of all tasks; each is asked of every setup. Times are UTC."
    if older:
        note += f" Not shown: {quantity(older, 'older run')} (--all)."
    return Table(
        "Runs",
        ("benchmark", "run", "when", "state", "setups", "n", "gates"),
        tuple(_row(run) for run in runs),
        note,
    )


def _row(run: Path) -> tuple[str, ...]:
    made = started(run)
    head = (run.parent.name, run.name, f"{made:%Y-%m-%d %H:%M}" if made else "-")
    try:
        manifest = read_manifest(run)
    except BakeoffError as error:
        return (*head, f"unreadable: {error}", "-", "-", "-")
    setups = list(manifest.suite.setups)
    named = ", ".join(setups) if len(setups) <= _SETUPS else f"{len(setups)} setups"
    samples = sum(task.n for task in manifest.tasks.values())
    return (*head, _state(run, manifest), named, str(samples), _gates(run))


def _state(run: Path, manifest: Manifest) -> str:
    state: str = manifest.status
    if state == RUNNING and not busy(run):
        state = "stopped"
    part, parts = manifest.selection.shard
    shard = f"shard {part} of {parts}" if parts > 1 else ""
    return ", ".join(filter(None, (state, shard, str(manifest.selection))))


def _gates(run: Path) -> str:
    if not (run / GATES).is_file():
        return "-"
    try:
        return read_verdicts(run / GATES).state
    except BakeoffError:
        return "unreadable"
