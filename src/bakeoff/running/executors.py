"""What carries out a plan. What only workers need is imported once they are asked for."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from bakeoff.core.hints import did_you_mean
from bakeoff.core.plugins import Registry
from bakeoff.core.progress import Progress
from bakeoff.core.words import BakeoffError
from bakeoff.running.answering import Answering
from bakeoff.running.plan import Plan
from bakeoff.running.run import run
from bakeoff.setups.builder import Workspace

if TYPE_CHECKING:
    from bakeoff.analysis.measured_run import Run
    from bakeoff.running.fleet.messages import Site


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


def _processes(named: str) -> Site:
    count = named.partition(":")[2]
    if not (count.isascii() and count.isdigit() and int(count)):
        raise BakeoffError(
            f"--on {named}: write processes:N, such as processes:2, with the number of "
            "worker processes"
        )
    from bakeoff.running.fleet.processes import Processes

    return Processes(int(count))


def _actors(named: str) -> Site:
    from bakeoff.running.fleet.actors import actors

    return actors(named)


def _on(site: Callable[[str], Site]) -> Executor:
    """Answers come from the workers of a site, which is made from `Plan.executor`."""

    def executor(
        plan: Plan,
        workspace: Workspace,
        progress: Progress,
        resume: Path | None = None,
        *,
        retry_failed: bool = False,
        meanwhile: Callable[[], None] = lambda: None,
    ) -> Run:
        if plan.suite.engine:
            raise BakeoffError(
                f"--on {plan.executor}: {plan.file} names an engine, which every worker would "
                "start for itself; leave out one of the two"
            )
        if plan.suite.device_map:
            raise BakeoffError(
                f"--on {plan.executor}: each worker has one GPU, and {plan.file} spreads models "
                "over all of them by device_map; leave out one of the two"
            )
        from bakeoff.running.fleet.asking import on_fleet

        made = site(plan.executor)

        def opens(plan: Plan, workspace: Workspace, progress: Progress) -> Answering:
            return on_fleet(plan, workspace, progress, made)

        return run(
            *(plan, workspace, progress, resume),
            retry_failed=retry_failed,
            meanwhile=meanwhile,
            opens=opens,
        )

    return executor


EXECUTORS: Registry[Executor] = Registry(
    "executors", {"here": run, "processes": _on(_processes), "ray": _on(_actors)}
)
"""Name, as `Plan.executor` begins -> what carries the plan out; after a colon stands how."""


def executor(named: str) -> Executor:
    """What `Plan.executor` names. Raises `BakeoffError` where there is no such executor."""
    name = named.partition(":")[0]
    known = EXECUTORS.find(name)
    if known is None:
        names = EXECUTORS.names()
        raise BakeoffError(f"--on {named}: no executor '{name}'{did_you_mean(name, names)}")
    return known
