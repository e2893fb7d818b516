"""What carries out a plan."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from bakeoff.core.plugins import Registry
from bakeoff.core.progress import Progress
from bakeoff.running.plan import Plan
from bakeoff.running.run import run
from bakeoff.setups.builder import Workspace

if TYPE_CHECKING:
    from bakeoff.analysis.measured_run import Run


class Executor(Protocol):
    """Carries out a plan, wherever that is: `running.run.run` does it in this process."""

    def __call__(
        self,
        plan: Plan,
        workspace: Workspace,
        progress: Progress,
        resume: Path | None = None,
        *,
        retry_failed: bool = False,
        meanwhile: Callable[[], None] = lambda: None,
    ) -> Run:
        """The finished run, its folder in `workspace.results`; the rest of a run for `resume`.

        Raises `Incomplete` for a run that stopped and can be resumed, else `BakeoffError`.
        """
        ...


EXECUTORS: Registry[Executor] = Registry("executors", {"here": run})
"""Name, as in `Plan.executor` -> what carries the plan out."""
