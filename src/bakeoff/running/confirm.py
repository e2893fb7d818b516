"""A run and its verdict; with `policy.confirm`, samples are run again before a failure counts."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, TypedDict, Unpack

from bakeoff.core.progress import Progress, working
from bakeoff.running.executors import executor
from bakeoff.running.plan import Plan
from bakeoff.running.resuming import unfinished
from bakeoff.runs import store
from bakeoff.runs.naming import find_run
from bakeoff.setups.builder import Workspace

if TYPE_CHECKING:
    from bakeoff.analysis.measured_run import Run
    from bakeoff.runs.verdicts import Verdicts


def begin(
    plan: Plan,
    workspace: Workspace,
    progress: Progress,
    *,
    resume: str = "",
    new: bool = False,
    **how: Unpack[How],
) -> tuple[Run, Verdicts | None]:
    """Run a plan and judge it, resuming the run that `resume` names.

    Without a name, with the last run of the plan where that did not finish, unless `new`.
    """
    results = workspace.results
    previous = None
    if resume:
        previous = find_run(resume, results, benchmark=plan.suite.name, newest=True)
    elif not new and (previous := unfinished(plan, results, progress)):
        progress.note(f"resuming {previous.name}, which did not finish (--new starts a new run)")
    return run_and_judge(plan, workspace, progress, previous, **how)


class How(TypedDict, total=False):
    """See `run_and_judge`."""

    retry_failed: bool
    before_judging: Callable[[Run], None]
    meanwhile: Callable[[], None]


def run_and_judge(
    plan: Plan,
    workspace: Workspace,
    progress: Progress,
    resume: Path | None = None,
    *,
    retry_failed: bool = False,
    before_judging: Callable[[Run], None] = lambda _: None,
    meanwhile: Callable[[], None] = lambda: None,
) -> tuple[Run, Verdicts | None]:
    """The finished run and the verdicts of its gates; `None` for a shard, or without gates.

    After a failure, `policy.confirm` more answers are asked of every sample, with other seeds,
    and the pooled answers decide. That is no second chance for the same numbers: what was
    answered stays in. At temperature 0 the answers of a local model are the same again.
    `meanwhile` is that of `run`.
    """
    run = executor(plan.executor)
    repeats = plan.repeats_to_confirm
    more = replace(plan, suite=plan.suite.model_copy(update={"repeats": repeats}))
    if resume and store.read_manifest(resume).suite.repeats == repeats:
        plan = more  # it stopped while a failure was asked again
    done = run(plan, workspace, progress, resume, retry_failed=retry_failed, meanwhile=meanwhile)
    if not plan.suite.gates or done.shard[1] > 1:
        return done, None
    # Not before the answers: gating computes with numpy, as in `run`.
    from bakeoff.running import gating
    from bakeoff.runs.verdicts import FAIL

    before_judging(done)
    with working(progress, "judging the gates"):
        verdicts = gating.gate(done, workspace.results)
    if verdicts.state != FAIL or plan.suite.repeats == repeats:
        return done, verdicts
    progress.note(f"a gate fails: before that counts, every sample is run {repeats} times")
    done = run(more, workspace, progress, done.folder)
    with working(progress, "judging the gates"):
        return done, gating.gate(done, workspace.results)
