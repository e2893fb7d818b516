"""MLflow as a sink of finished runs, in a process of its own. Imports no mlflow."""

from __future__ import annotations

import os
import subprocess
import sys

from bakeoff.analysis.measured_run import Run
from bakeoff.core.disk import GO_ON, DiskFull
from bakeoff.core.program import UI_HOST, UI_PORT, program
from bakeoff.core.words import BakeoffError
from bakeoff.outputs.mlflow import links

NAME = "MLflow"
WAIT = "BAKEOFF_MLFLOW_WAIT"
"""The environment variable with the seconds to wait, where the program's own guess is wrong."""
WAIT_S, ANSWERS_A_SECOND = 120.0, 500
"""Seconds that a run waits for MLflow; one more per this number of answers."""


def send(run: Run) -> list[str]:
    """Log a run, and return where it can be seen: whatever a server does, this ends.

    Raises `BakeoffError` when that takes too long or crashes; what MLflow itself refuses is
    printed by the process that logs.
    """
    answers = sum(len(setups) * len(run.samples[task]) for task, setups in run.asked.items())
    wait = _stated_wait_s() or WAIT_S + answers / ANSWERS_A_SECOND
    command = [sys.executable, "-m", "bakeoff.cli", "log", str(run.folder), "--quiet"]
    try:
        failed = subprocess.run(command, timeout=wait, check=False).returncode
    except subprocess.TimeoutExpired as error:
        later = f"send it later with `{program()} log {run.folder.name}`"
        raise BakeoffError(
            f"MLflow: not done after {wait:.0f} s. Nothing is lost: {later}"
        ) from error
    if failed == 20:
        raise DiskFull(f"MLflow: no room for it; {GO_ON}")
    if failed not in (0, 2):
        raise BakeoffError(f"logging to MLflow ended with {failed}")
    return seen(run)


def _stated_wait_s() -> float | None:
    named = os.environ.get(WAIT)
    try:
        return float(named) if named else None
    except ValueError as error:
        raise BakeoffError(f"{WAIT}: give seconds, such as 300 (found {named!r})") from error


def seen(run: Run) -> list[str]:
    """Where a run that was logged can be seen; nothing of one that was not."""
    logged = links.read(run.folder)
    if not logged:
        return []
    local = not logged.uri.startswith("http")
    places = links.links(logged, f"http://{UI_HOST}:{UI_PORT}" if local else logged.uri)
    lines = [f"{f'MLflow {name}:':<17}{places[name]}" for name in ("charts", "outputs", "compare")]
    return [*lines, f"these open while `{program()} ui` runs"] if local else lines
