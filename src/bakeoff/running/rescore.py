"""Stored answers scored again, with new or changed scorers; nothing is generated."""

from __future__ import annotations

from pathlib import Path

from bakeoff.analysis import measured_run
from bakeoff.core.words import BakeoffError
from bakeoff.metrics.judges import JudgePool
from bakeoff.running import importing, trust
from bakeoff.running.facts import describe
from bakeoff.running.scoring import score
from bakeoff.runs import store, strip_texts, written
from bakeoff.runs.digests import TaskDigests
from bakeoff.runs.manifest import COMPLETE, SCORING, TaskFacts
from bakeoff.setups.builder import Workspace
from bakeoff.spec.benchmark import Suite, load_suite
from bakeoff.spec.shipped import BENCHMARKS, find
from bakeoff.tasks.load import Selection, Task, load_tasks


def rescore(
    folder: Path, workspace: Workspace, judges: Path | None = None, *, trusted: bool = False
) -> measured_run.Run:
    """Score a run's records by the scorers that its task files name now.

    `judges` is a benchmark file whose endpoints and verifiers are asked instead of those the run
    had. Raises `BakeoffError` when a task or its rows cannot be had, or are not those of the run,
    and for a run from elsewhere that would have code run or endpoints asked, unless `trusted`.
    """
    with store.held(folder):
        run = measured_run.Run(folder)
        manifest = run.manifest
        if not (manifest.complete or manifest.status == SCORING):
            raise BakeoffError(f"{folder}: the run is {manifest.status}; finish it first")
        written.check(folder, manifest, but=(store.SCORES,))
        strip_texts.with_texts(folder, manifest)
        if manifest.imported and not manifest.file.endswith(".yaml"):
            raise BakeoffError(
                f"{folder}: its scores were imported without a task: there is nothing to score by"
            )
        chosen = manifest.selection
        selection = Selection(chosen.limit, chosen.ids, chosen.tags, chosen.shard)
        file = find(manifest.file, BENCHMARKS)
        if not trusted:
            project = trust.Project(Path.cwd(), workspace.results)
            trust.require_own(folder, manifest, project, judges is not None)
        suite = _with_judges(run.suite, judges) if judges else run.suite
        tasks, skipped = load_tasks(suite, file, workspace.data, selection)
        for name in manifest.tasks:
            if name not in tasks:
                raise BakeoffError(f"{folder}: task '{name}' cannot be had: {skipped.get(name)}")
            _check(folder, manifest.tasks[name], tasks[name])
        known = {n: _scored_again(then, tasks[n]) for n, then in manifest.tasks.items()}
        # A kill from here on leaves a run whose scores nothing takes for whole.
        store.write_manifest(folder, manifest.model_copy(update={"status": SCORING}))
        parts = {"tasks": known, "rescored": manifest.rescored + 1, "status": COMPLETE}
        manifest = manifest.model_copy(update=parts)
        pool = JudgePool(workspace.place(suite, judges or file))
        try:
            manifest = score(folder, manifest, suite, tasks, pool)
        finally:
            pool.close()
        manifest = importing.restore(folder, manifest)
        store.write_manifest(folder, written.digested(folder, manifest))
        done = measured_run.Run(folder)
        measured_run.write_comparison(done)
    return done


def _scored_again(then: TaskFacts, now: Task) -> TaskFacts:
    """A task as it is scored now; its answers stay those to the questions as worded then."""
    digests = {**now.digests.root, "prompt": then.digests.prompt}
    asked = {"wording": then.wording, "digests": TaskDigests(digests)}
    return describe(now).model_copy(update=asked)


def _with_judges(suite: Suite, file: Path) -> Suite:
    other = load_suite(file)
    return suite.model_copy(update={"endpoints": other.endpoints, "verifiers": other.verifiers})


def _check(folder: Path, then: TaskFacts, now: Task) -> None:
    if then.digests.test != now.digests.test:
        raise BakeoffError(
            f"{folder}: task '{now.name}': its rows changed since the run: the answers belong to "
            "other questions; run the benchmark again"
        )
