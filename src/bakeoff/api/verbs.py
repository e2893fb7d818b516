"""The verbs: run a benchmark, load a run, compare setups or runs, judge gates."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import NamedTuple, Unpack

from bakeoff.analysis import measured_run
from bakeoff.analysis.comparison import Comparison, RunComparison
from bakeoff.api.benchmark import BenchmarkLike, Functions, plan_for
from bakeoff.api.loops import outside_loops
from bakeoff.api.options import RunOptions
from bakeoff.api.run import Run
from bakeoff.api.view import View, as_exceptions
from bakeoff.core.layout import as_text
from bakeoff.core.progress import PlainProgress, Progress, working
from bakeoff.running import environment as here
from bakeoff.running.plan import Plan
from bakeoff.runs.verdicts import Verdicts
from bakeoff.setups.builder import Workspace
from bakeoff.spec.shipped import BENCHMARKS, find

RunLike = Run | str | Path
"""A run, or what names one: a folder, an id, a benchmark, `latest`."""


def run(
    benchmark: BenchmarkLike,
    *,
    setups: Functions | None = None,
    resume: str = "",
    new: bool = False,
    mlflow: bool = True,
    data: str | Path | None = None,
    **options: Unpack[RunOptions],
) -> Run:
    """Run a benchmark, or go on with its last run where that was stopped (`bakeoff run`).

    `setups` are asked beside the setups of the benchmark; the manifest has their names and the
    digests of their sources. A run with functions begins anew unless it is told what to `resume`:
    what they use may have changed. `data` is a folder of local copies of data sets.

    Raises `BakeoffError` for what can be mended, `Incomplete` for a run that can be resumed.
    """
    with as_exceptions():
        chosen = dict(options)
        retry_failed = bool(chosen.pop("retry_failed", False))
        plan = plan_for(benchmark, setups, data, chosen)
        how = _How(resume, new or bool(setups), retry_failed, mlflow)
        return outside_loops(lambda: _run(plan, here.workspace(Path(data) if data else None), how))


class _How(NamedTuple):
    resume: str
    new: bool
    retry_failed: bool
    mlflow: bool


def _run(plan: Plan, place: Workspace, how: _How) -> Run:
    from bakeoff.running.confirm import begin
    from bakeoff.running.sending import getting_ready, publish, pull_baselines, sinks

    shown, unlogged = progress(), not how.mlflow or plan.selection.shard[1] > 1
    with getting_ready(lambda: None, no_mlflow=unlogged) as meanwhile:
        done, _ = begin(
            plan,
            place,
            shown,
            resume=how.resume,
            new=how.new,
            retry_failed=how.retry_failed,
            before_judging=lambda judged: pull_baselines(judged, place.results),
            meanwhile=meanwhile,
        )
        sent = publish(done, sinks(unlogged), lambda what: working(shown, what))
    for line in [*map(str, sent.errors), *sent.lines]:
        shown.note(line)
    return Run(done.folder)


def progress() -> Progress:
    """Lines on the standard error; the live display on a terminal."""
    if sys.stderr.isatty():
        from bakeoff.outputs.terminal import LiveProgress

        return LiveProgress()
    return PlainProgress(lambda table: print(as_text(table), file=sys.stderr))


def load(run: str | Path = "latest") -> Run:
    """A run by its folder, id or benchmark, or the `latest` one that is complete."""
    from bakeoff.runs.naming import find_run, passed_over
    from bakeoff.runs.store import read_manifest

    with as_exceptions():
        folder = find_run(str(run), here.results())
        if newer := passed_over(str(run), folder, here.results()):
            print(newer, file=sys.stderr)
        read_manifest(folder)
    return Run(folder)


def _measured(run: RunLike) -> measured_run.Run:
    return (run if isinstance(run, Run) else load(run)).measured


def compare(
    run: RunLike = "latest", *others: RunLike, allow_mismatch: bool = False
) -> View[Comparison | RunComparison]:
    """The setups of a run side by side, or several runs (`bakeoff compare`)."""
    from bakeoff.outputs.compared import compared

    with as_exceptions():
        made = compared([_measured(one) for one in (run, *others)], allow_mismatch)
    return View(made.comparison, tuple(made.tables), made.frame)


def gate(
    run: RunLike = "latest",
    *checks: str,
    gates: str | Path | None = None,
    baseline: RunLike | None = None,
    anchor: RunLike | None = None,
    output: str | Path | None = None,
    allow_mismatch: bool = False,
) -> View[Verdicts]:
    """Judge a run by its benchmark's gates, or by `checks`, or a file of `gates` (`bakeoff gate`).

    `value.state` is PASS, FAIL, INCONCLUSIVE, ERROR or SKIPPED, `value.exit_code` that of the
    command. Raises `MissingEvidence` for an incomplete run.
    """
    from bakeoff.outputs.tables.gates import verdicts
    from bakeoff.running import gating
    from bakeoff.running.sending import pull_baselines

    named = {"baseline": baseline, "anchor": anchor}
    with as_exceptions():
        done = _measured(run)
        file = find(str(gates), BENCHMARKS) if gates else None
        chosen = gating.chosen_gates(done, file, checks)
        pull_baselines(done, here.results())
        made = gating.gate(
            done,
            here.results(),
            chosen=chosen,
            references={
                n: gating.reference(_name(r), here.results()) for n, r in named.items() if r
            },
            allow_mismatch=allow_mismatch,
            output=Path(output) if output else None,
        )
    return View(made, (verdicts(made),))


def _name(run: RunLike) -> str:
    return str(run.folder if isinstance(run, Run) else run)
