"""MLflow as a sink of finished runs, in a process of its own. Imports no mlflow."""

from __future__ import annotations

import os
import select
import subprocess
import sys
from typing import TYPE_CHECKING

from bakeoff.core.disk import GO_ON, DiskFull
from bakeoff.core.program import UI_HOST, UI_PORT, program
from bakeoff.core.words import BakeoffError
from bakeoff.outputs.mlflow import links

if TYPE_CHECKING:
    from bakeoff.analysis.measured_run import Run

NAME = "MLflow"
WAIT = "BAKEOFF_MLFLOW_WAIT"
"""The environment variable with the seconds to wait, where the program's own guess is wrong."""
WAIT_S, ANSWERS_A_SECOND = 120.0, 500
"""Seconds that a run waits for MLflow; one more per this number of answers."""
SETTLE_S = 30.0
"""How long the latency pass waits for the process that will log: both would be slower together."""


class Logger:
    """Logs finished runs, each in a process of its own that may be started before its run ends."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[str] | None = None

    def prepare(self) -> None:
        """Start the process that logs the next run: importing mlflow takes it seconds."""
        if self._process is None:
            command = [sys.executable, "-m", "bakeoff.cli", "log", "--quiet", "--when-told"]
            # Ctrl-C is for the run: while that is not finished, its own end ends this process.
            self._process = subprocess.Popen(
                command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
                process_group=0,
            )

    def settle(self) -> None:
        """Wait until the process has started, and takes no more of the machine."""
        if self._process and self._process.stdout:
            select.select([self._process.stdout], [], [], SETTLE_S)

    def close(self) -> None:
        """End a process that was started for nothing."""
        process, self._process = self._process, None
        if process:
            process.kill()
            process.communicate()

    def __call__(self, run: Run) -> list[str]:
        """Log a run, and return where it can be seen: whatever a server does, this ends.

        Raises `BakeoffError` when that takes too long or crashes; what MLflow itself refuses is
        printed by the process that logs.
        """
        answers = sum(len(setups) * len(run.samples[task]) for task, setups in run.asked.items())
        wait = _stated_wait_s() or WAIT_S + answers / ANSWERS_A_SECOND
        self.prepare()
        assert self._process
        try:
            self._process.communicate(f"{run.folder}\n", timeout=wait)
            failed = self._process.returncode
            self._process = None
        except subprocess.TimeoutExpired as error:
            later = f"send it later with `{program()} log {run.folder.name}`"
            raise BakeoffError(
                f"MLflow: not done after {wait:.0f} s. Nothing is lost: {later}"
            ) from error
        finally:
            self.close()
        if failed == 20:
            raise DiskFull(f"MLflow: no room for it; {GO_ON}")
        if failed not in (0, 2):
            raise BakeoffError(f"logging to MLflow ended with {failed}")
        return seen(run)


send = Logger()
"""The one of this process."""


def told() -> str:
    """In the process that logs: say that it is ready, and wait for the folder of a run.

    Empty where there will be none: whoever started this process has ended.
    """
    print("ready", flush=True)
    return sys.stdin.readline().strip()


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
