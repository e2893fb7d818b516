"""Walk task x setup x sample, keep a record of every cell, then score and compare."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, TypeVar

from bakeoff.core.progress import Progress, working
from bakeoff.core.words import BakeoffError
from bakeoff.metrics.judges import JudgePool
from bakeoff.running.answering import Opens, here
from bakeoff.running.background_scoring import BackgroundScoring
from bakeoff.running.first_results import answer_untuned
from bakeoff.running.latency_pass import time_answers
from bakeoff.running.plan import Plan
from bakeoff.running.quality_pass import answer_pairs, answer_routed
from bakeoff.running.readiness import require_ready
from bakeoff.running.resuming import resumed
from bakeoff.running.shares import of_shard
from bakeoff.running.spending import Meter, count_judges, count_spent
from bakeoff.running.state import RunState
from bakeoff.runs import store, written
from bakeoff.runs.links import refuse_shared
from bakeoff.runs.manifest import COMPLETE, INTERRUPTED, AuditFacts
from bakeoff.runs.reported import mark_unreported
from bakeoff.setups.adapting import teachers_first, tunes
from bakeoff.setups.builder import Workspace, local_dtype
from bakeoff.tasks import audit

# What computes with numpy is imported where it is called, once answers are there: numpy alone
# takes as long to import as all that a first request needs of our own.
if TYPE_CHECKING:
    from bakeoff.analysis import measured_run

T = TypeVar("T")
PATIENCE_S = 2.0
"""How long the audit waits for a first request to go out: a local model sends none."""
SWITCH_S = 0.0005
"""How long a thread keeps the interpreter during a run: with Python's own 5 ms, scoring beside
answering took twice as much of the pace of a quick endpoint."""


def run(
    plan: Plan,
    workspace: Workspace,
    progress: Progress,
    resume: Path | None = None,
    *,
    retry_failed: bool = False,
    meanwhile: Callable[[], None] = lambda: None,
    opens: Opens = here,
) -> measured_run.Run:
    """Run a benchmark, or the rest of a run, and return the finished run.

    `meanwhile` is called in a thread of its own while the first answers are waited for; `opens`
    is where the setups answer. Raises `BakeoffError` for what the user can fix; what was
    finished by then is kept.
    """
    require_ready(plan, workspace.environment)
    manifest = plan.manifest.model_copy(update={"dtype": local_dtype(plan.suite, plan.file)})
    # The manifest says what the whole run may spend: all parts have the same one.
    plan = replace(plan, suite=of_shard(plan.suite, plan.selection.shard))
    retry = retry_failed
    if resume:
        folder = resume
        refuse_shared(folder)
        old = store.read_manifest(folder)
        retry = retry or not old.complete
        written.check(folder, old)
        manifest = resumed(old, manifest, folder)
    else:
        folder = store.new_folder(workspace.results, plan.suite.name)
        manifest = manifest.model_copy(update={"run": folder.name})
    with store.held(folder):
        answering = opens(plan, workspace, progress)
        meter = Meter(plan.suite, plan.cells, plan.selection.shard[1])
        kept = workspace.cache / "responses.sqlite" if plan.cached else folder / store.JUDGED
        judges = JudgePool(workspace.place(plan.suite, plan.file, kept), meter.count_judge)
        scoring = BackgroundScoring(folder, plan.suite, plan.tasks, judges)
        state = RunState(
            plan, folder, manifest, answering, progress, meter, retry, scoring, meanwhile
        )
        before = sys.getswitchinterval()
        sys.setswitchinterval(SWITCH_S)
        try:
            return _run(state)
        finally:
            sys.setswitchinterval(before)
            answering.close()


def _run(state: RunState) -> measured_run.Run:
    plan = state.plan
    mark_unreported(state.folder)
    state.save()
    store.write_samples(state.folder, {name: t.samples for name, t in plan.tasks.items()})
    for name, reason in plan.skipped.items():
        state.progress.note(f"skipped {name}: {reason}")
    for task in plan.tasks.values():
        for note in task.notes:
            state.progress.note(f"{task.name}: {note}")
    try:
        _prepare(state)
        _answer(state)
        state.record_workers()
        state.record(engines=dict(state.answering.engines))
        state.manifest = count_spent(
            state.folder, state.manifest, plan.suite, plan.tasks, state.scoring.spent
        )
        state.record(status=COMPLETE)
        state.manifest = written.digested(state.folder, state.manifest)
        state.save()
    except BaseException:
        _interrupted(state)
        raise
    from bakeoff.analysis import measured_run

    done = measured_run.Run(state.folder)
    if state.scoring.reading:
        done = done.having(state.scoring.reading)
    with state.timed("compare"), working(state.progress, "comparing"):
        measured_run.write_comparison(done)
    state.save()
    return done.noted()


def _interrupted(state: RunState) -> None:
    """Record in the manifest that the run was stopped, if it still can be written."""
    state.record(status=INTERRUPTED, files={})
    state.record_workers()
    # The error that stopped the run, such as a full disk, is more important.
    with suppress(BakeoffError):
        state.save()
    state.scoring.stop()


class _Beside(NamedTuple):
    """What needs no answers, in a thread while answers are waited for."""

    audits: Future[dict[str, AuditFacts]]
    rest: Future[None]


def _begin_beside(state: RunState) -> _Beside:
    beside = _Beside(Future(), Future())

    def work() -> None:
        state.asking.wait(PATIENCE_S)
        _settle(beside.audits, lambda: _audit(state))
        _settle(beside.rest, state.meanwhile)

    # A daemon: it keeps no program from ending.
    threading.Thread(target=work, name="audit", daemon=True).start()
    return beside


def _settle(future: Future[T], work: Callable[[], T]) -> None:
    try:
        future.set_result(work())
    except BaseException as error:
        future.set_exception(error)


def _audit(state: RunState) -> dict[str, AuditFacts]:
    """The checks of the data that take seconds: a run's own numbers depend on them."""
    suite, tasks = state.plan.suite, state.plan.tasks
    audits = {name: audit.audit(task, suite) for name, task in tasks.items()}
    for name, audited in audits.items():
        for finding in audited.findings:
            if finding.warns:
                state.progress.note(f"audit: {name}: {finding}")
    return {name: audited.facts for name, audited in audits.items()}


def _prepare(state: RunState) -> None:
    with state.timed("prepare"):
        state.scoring.judges.open(state.plan.tasks.values())
        state.answering.prepare(state.plan.tasks)
    for reference, fingerprint in state.answering.models.items():
        if state.manifest.models.get(reference, fingerprint) != fingerprint:
            raise BakeoffError(
                f"{state.folder}: cannot be resumed: model '{reference}' or its engine changed"
            )
    state.record_opened()
    # Only what was opened shows that a judge has the weights of a setup under another name.
    judges = state.scoring.judges.fingerprints
    for sentence in state.plan.self_judged(state.answering.models, judges):
        state.progress.note(sentence)


def _answer(state: RunState) -> None:
    """The quality pass over every setup and task, then the latency pass over a few.

    What need not be tuned comes first, so that its results are there while others are tuned.
    """
    suite, tasks = state.plan.suite, state.plan.tasks.values()
    beside = _begin_beside(state)
    pairs = [
        (setup, task)
        for task in tasks
        for setup in suite.setups.values()
        if setup.takes(task.name) and not setup.route
    ]
    to_tune = [pair for pair in pairs if tunes(suite, pair[0])]
    untuned = [pair for pair in pairs if pair not in to_tune]
    if to_tune:
        answer_untuned(state, untuned)
    else:
        answer_pairs(state, untuned)
    if to_tune and state.plan.selection.limit:
        state.progress.note(
            f"--limit {state.plan.selection.limit}: tuned setups train on as few rows of a task; "
            "a run without a limit trains its own adapters"
        )
    for pair in teachers_first(to_tune):
        with state.timed("tune"):
            state.answering.adapt(*pair)
        state.record_opened()
        answer_pairs(state, [pair])
    # Before the latency pass: what is timed is to have the machine for itself.
    with state.timed("score"), working(state.progress, "scoring"):
        try:
            state.scoring.finish()
            answer_routed(state)
        finally:
            state.manifest = count_judges(state.manifest, state.scoring.judges)
    with state.timed("audit"):
        state.record(audit=beside.audits.result())
    if tokens := state.answering.token_checks():
        state.record_checks(tokens=tokens)
    with state.timed("checks"), working(state.progress, "do batches change answers?"):
        if batches := state.answering.batch_checks(state.plan.tasks):
            state.record_checks(batches=batches)
    if state.plan.selection.shard[0] == 1:
        if suite.latency.samples:
            beside.rest.result()  # it would be timed with the answers
        with state.timed("latency"):
            for task in tasks:
                # The state before a change is measured for quality, not for latency.
                if not task.after:
                    time_answers(state, task)
