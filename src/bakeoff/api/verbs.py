"""The verbs: run a benchmark, load a run, compare setups or runs, judge gates."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Unpack

from bakeoff.analysis import measured_run
from bakeoff.analysis.comparison import Comparison, RunComparison
from bakeoff.api.loops import outside_loops
from bakeoff.api.options import Options, choice_of
from bakeoff.api.run import Run
from bakeoff.api.view import View, as_exceptions
from bakeoff.core.hints import shown
from bakeoff.core.layout import as_text
from bakeoff.core.progress import PlainProgress, Progress, working
from bakeoff.core.words import BakeoffError, faults
from bakeoff.running import environment as here
from bakeoff.running.plan import Plan
from bakeoff.running.planning import plan_of
from bakeoff.runs.verdicts import Verdicts
from bakeoff.setups.builder import Workspace
from bakeoff.spec.benchmark import Suite, suite_of
from bakeoff.spec.functions import reference_to
from bakeoff.spec.shipped import BENCHMARKS, find
from bakeoff.spec.yaml_files import read_yaml

RunLike = Run | str | Path
"""A run, or what names one: a folder, an id, a benchmark, `latest`."""


def run(
    benchmark: str | Path | Suite | Mapping[str, Any],
    *,
    setups: Mapping[str, Callable[..., Any]] | None = None,
    resume: str = "",
    new: bool = False,
    mlflow: bool = True,
    data: str | Path | None = None,
    **options: Unpack[Options],
) -> Run:
    """Run a benchmark, or go on with its last run where that was stopped (`bakeoff run`).

    `benchmark` is a file, a name, or the contents of a file: paths in these begin at
    `./benchmarks`. `setups` are functions of a sample (and its task), asked beside the setups of
    the benchmark; the manifest has their names and the digests of their sources. A run with
    functions begins anew unless it is told what to `resume`: what they use may have changed.
    `data` is a folder of local copies of data sets.

    Raises `BakeoffError` for what can be mended, `Incomplete` for a run that can be resumed.
    """
    with as_exceptions():
        functions = _functions(setups)
        choice = choice_of(options)
        suite, file = _suite(benchmark, functions)
        place = here.workspace(Path(data) if data else None)
        plan = plan_of(suite, file, place.data, functions=functions, **choice)
        afresh = new or bool(functions)
        return outside_loops(lambda: _run(plan, place, resume, afresh, mlflow))


def _functions(setups: object) -> dict[str, Callable[..., Any]]:
    if not isinstance(setups, Mapping | None):
        raise BakeoffError(f"setups: must be a mapping, name: function (found {shown(setups)})")
    functions = dict(setups or {})
    faults(
        [
            f"setups.{name}: must be a function of a sample (found {shown(function)})"
            for name, function in functions.items()
            if not callable(function)
        ]
    )
    return functions


def _suite(
    benchmark: str | Path | Suite | Mapping[str, Any], functions: Mapping[str, Callable[..., Any]]
) -> tuple[Suite, Path]:
    more = {name: {"call": reference_to(function)} for name, function in functions.items()}
    if isinstance(benchmark, str | Path):
        file = find(str(benchmark), BENCHMARKS)
        return suite_of(read_yaml(file), file, more), file
    if not isinstance(benchmark, Suite | Mapping):
        raise BakeoffError(
            "benchmark: must be a file, a name or the contents of a file "
            f"(found {shown(benchmark)})"
        )
    raw = benchmark.model_dump(mode="json") if isinstance(benchmark, Suite) else dict(benchmark)
    file = Path(BENCHMARKS, f"{raw.get('name') or 'unnamed'}.yaml")
    return suite_of(raw, file, more), file


def _run(plan: Plan, place: Workspace, resume: str, new: bool, mlflow: bool) -> Run:
    from bakeoff.running.confirm import begin
    from bakeoff.running.sending import publish, pull_baselines, sinks

    how = progress()
    done, _ = begin(
        plan,
        place,
        how,
        resume=resume,
        new=new,
        before_judging=lambda judged: pull_baselines(judged, place.results),
    )
    sent = publish(done, sinks(not mlflow or done.shard[1] > 1), lambda what: working(how, what))
    for line in [*map(str, sent.errors), *sent.lines]:
        how.note(line)
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
