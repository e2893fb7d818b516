"""Walk task x setup x sample, keep a record of every cell, then score and compare."""

from __future__ import annotations

import os
import sys
import threading
import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bakeoff.core.progress import Progress, working
from bakeoff.core.words import LATENCY, QUALITY, BakeoffError, Record, Sample, canonical, digest
from bakeoff.decide.gates.language import Scope
from bakeoff.metrics.judges import Jury
from bakeoff.metrics.score import no_models
from bakeoff.metrics.scorer import Scorer
from bakeoff.models.response_cache import Responses
from bakeoff.running.background_scoring import Marking, score_unit
from bakeoff.running.spending import Meter, Spent
from bakeoff.runs import machine, store, strip_texts
from bakeoff.runs.manifest import (
    COMPLETE,
    INTERRUPTED,
    RUNNING,
    AuditFacts,
    Hardware,
    Manifest,
    MetricFacts,
    Selected,
    TaskFacts,
    Whole,
)
from bakeoff.runs.store import Unit
from bakeoff.setups.builder import Kitchen, Workspace, local_dtype, teachers_first
from bakeoff.spec.benchmark import Forced, Setup, Suite
from bakeoff.spec.task import BEFORE
from bakeoff.tasks import audit
from bakeoff.tasks.load import Selection, Task

# What computes with numpy (`route`, `finished`) is imported where it is called, once answers are
# there: numpy alone takes as long to import as all that a first request needs of our own.
if TYPE_CHECKING:
    from bakeoff.analysis import measured_run


SWITCH_S = 0.0005
"""How long a thread keeps the interpreter during a run: with Python's own 5 ms, scoring beside
answering took twice as much of the pace of a quick endpoint."""


@dataclass(frozen=True)
class Plan:
    """What is to be run: a benchmark, its tasks, and which part of them."""

    suite: Suite
    file: Path
    tasks: Mapping[str, Task]
    skipped: Mapping[str, str] = field(default_factory=dict)
    selection: Selection = field(default_factory=Selection)
    cached: bool = True
    """Whether answers may come from, and go to, the response cache."""
    night: str = ""
    """The date of the nightly run this is for."""

    @property
    def scope(self) -> Scope:
        """What gates can name."""
        return Scope(
            list(self.suite.setups),
            {
                name: {str(m): _about(s, "").measure for m, s in task.scorers.items()}
                for name, task in self.tasks.items()
            },
        )

    @property
    def samples(self) -> dict[str, dict[str, Sample]]:
        """Task -> its samples by id."""
        return {name: {s.id: s for s in task.samples} for name, task in self.tasks.items()}

    @property
    def asked(self) -> dict[str, list[str]]:
        """Task -> the setups it is asked of."""
        setups = self.suite.setups.values()
        return {task: [s.name for s in setups if s.takes(task)] for task in self.tasks}

    @property
    def cells(self) -> int:
        """Answers of the quality pass."""
        return self.suite.repeats * sum(
            len(task.samples)
            for task in self.tasks.values()
            for setup in self.suite.setups.values()
            if setup.takes(task.name)
        )


@dataclass
class _State:
    """A run that is going on."""

    plan: Plan
    folder: Path
    manifest: Manifest
    kitchen: Kitchen
    progress: Progress
    meter: Meter
    retry: bool
    """Whether cells that failed before are asked again."""
    marking: Marking
    meanwhile: Callable[[], None]
    """What is done in a thread of its own from the first question on."""

    def save(self) -> None:
        store.write_manifest(self.folder, self.manifest)

    def put(self, **parts: Any) -> None:
        """Replace parts of the manifest."""
        self.manifest = self.manifest.model_copy(update=parts)

    def put_checks(self, **parts: Any) -> None:
        self.put(checks=self.manifest.checks.model_copy(update=parts))

    def put_found(self) -> None:
        """Have the manifest say what was opened, made or found so far."""
        kitchen = self.kitchen
        self.put(
            models=dict(kitchen.models),
            adapters=dict(kitchen.adapters),
            indexes=dict(kitchen.indexes),
        )
        self.save()

    @contextmanager
    def timed(self, phase: str) -> Iterator[None]:
        """Add the seconds of a phase to the manifest."""
        started = time.perf_counter()
        try:
            yield
        finally:
            seconds = self.manifest.seconds
            spent = seconds.get(phase, 0.0) + time.perf_counter() - started
            self.put(seconds={**seconds, phase: round(spent, 3)})


def run(
    plan: Plan,
    workspace: Workspace,
    progress: Progress,
    resume: Path | None = None,
    *,
    retry_failed: bool = False,
    meanwhile: Callable[[], None] = lambda: None,
) -> measured_run.Run:
    """Run a benchmark, or the rest of a run, and return the finished run.

    `meanwhile` is called in a thread of its own while the first answers are waited for. Raises
    `BakeoffError` for what the user can mend; what was finished by then is kept.
    """
    if not plan.tasks:
        reasons = "; ".join(plan.skipped.values())
        raise BakeoffError(f"{plan.file}: none of its tasks can run here: {reasons}")
    manifest = _manifest(plan).model_copy(update={"dtype": local_dtype(plan.suite, plan.file)})
    retry = retry_failed
    if resume:
        folder = resume
        old = store.read_manifest(folder)
        retry = retry or not old.complete
        manifest = _resumed(old, manifest, folder)
    else:
        folder = store.new_folder(workspace.results, plan.suite.name)
        manifest = manifest.model_copy(update={"run": folder.name})
    with store.held(folder):
        responses = Responses(workspace.cache / "responses.sqlite") if plan.cached else None
        kitchen = Kitchen(plan.suite, plan.file, workspace, progress, responses)
        meter = Meter(plan.suite, plan.cells)
        kept = workspace.cache / "responses.sqlite" if plan.cached else folder / store.JUDGED
        jury = Jury(workspace.place(plan.suite, plan.file, kept), meter.add)
        marking = Marking(folder, plan.suite, plan.tasks, jury)
        state = _State(plan, folder, manifest, kitchen, progress, meter, retry, marking, meanwhile)
        before = sys.getswitchinterval()
        sys.setswitchinterval(SWITCH_S)
        try:
            return _run(state)
        finally:
            sys.setswitchinterval(before)
            kitchen.close()


def _run(state: _State) -> measured_run.Run:
    plan = state.plan
    state.save()
    store.write_samples(state.folder, {name: t.samples for name, t in plan.tasks.items()})
    for name, reason in plan.skipped.items():
        state.progress.note(f"skipped {name}: {reason}")
    try:
        _prepare(state)
        _answer(state)
    except BaseException:
        state.marking.stop()
        state.put(status=INTERRUPTED)
        state.save()
        raise
    state.manifest = count_spent(state.folder, state.manifest, plan.suite, plan.tasks)
    state.put(status=COMPLETE)
    state.save()
    from bakeoff.analysis import measured_run

    done = measured_run.Run(state.folder)
    with state.timed("compare"), working(state.progress, "comparing"):
        measured_run.write_comparison(done)
    state.save()
    return done


def _manifest(plan: Plan) -> Manifest:
    forced = plan.suite.dtype
    command = [
        *("bakeoff run", os.path.relpath(plan.file)),
        *plan.selection.arguments(),
        *([f"--dtype {forced.force}"] if isinstance(forced, Forced) else []),
    ]
    parts = {
        "file": os.path.relpath(plan.file),
        "command": " ".join(command),
        "night": plan.night,
        "skipped": dict(plan.skipped),
    }
    return blank_manifest(plan.suite, plan.selection, plan.tasks).model_copy(update=parts)


def blank_manifest(suite: Suite, selection: Selection, tasks: Mapping[str, Task]) -> Manifest:
    """What stands in the manifest of every run before anything is asked."""
    return Manifest(
        benchmark=suite.name,
        dtype="",
        created=datetime.now(UTC).isoformat(timespec="seconds"),
        suite=suite,
        selection=Selected(**asdict(selection)),
        tasks={name: describe(task) for name, task in tasks.items()},
        versions=machine.versions(),
        hardware=Hardware(**machine.hardware()),
        commit=machine.commit(),
    )


def describe(task: Task) -> TaskFacts:
    """What a manifest says of a task."""
    return TaskFacts(
        description=task.file.description.strip(),
        licence=task.file.licence,
        headline=task.file.headline_metric,
        metrics={
            str(metric): _about(scorer, scorer.version_of(metric, task.folder))
            for metric, scorer in task.scorers.items()
        },
        n=len(task.samples),
        after=task.after,
        before=f"{task.name}{BEFORE}" if task.file.changes and not task.after else "",
        whole=Whole(n=task.whole, ids=task.whole_ids),
        population=len(task.population),
        train=len(task.train),
        dropped=tuple(task.dropped),
        digests=dict(task.digests),
    )


def _about(scorer: Scorer, version: str) -> MetricFacts:
    """What a manifest says of a metric."""
    return MetricFacts(
        higher_is_better=scorer.higher_is_better,
        aggregate=scorer.aggregate,
        bounds=scorer.bounds,
        asks=scorer.asks,
        version=version,
        about=scorer.about,
    )


ALIKE = ("suite", "selection", "tasks")
"""Parts of two manifests that must agree for one run to go on with the other's records."""
FREE = ("description", "gates", "policy", "limits", "repeats", "verifiers")
"""Parts of a suite that change no answer; more repeats only add some."""


def _asked(manifest: Manifest, part: str) -> dict[str, Any]:
    found: dict[str, Any] = manifest.model_dump(mode="json", include={part})[part]
    return {name: v for name, v in found.items() if part != "suite" or name not in FREE}


def _resumed(old: Manifest, new: Manifest, folder: Path) -> Manifest:
    """The old run's manifest, when the same run is asked for again."""
    strip_texts.with_texts(folder, old)
    for part in ALIKE:
        before, now = _asked(old, part), _asked(new, part)
        if changed := sorted(k for k in now if canonical(before.get(k)) != canonical(now[k])):
            raise BakeoffError(
                f"{folder}: cannot be resumed: {part} changed since ({', '.join(changed)}); "
                "start a new run"
            )
    if old.dtype is not None and old.dtype != new.dtype:
        raise BakeoffError(
            f"{folder}: cannot be resumed: its models computed in {old.dtype}, and here they "
            f"would in {new.dtype}; resume it on a machine of the same kind, or start a new run"
        )
    if new.suite.repeats < old.suite.repeats:
        raise BakeoffError(
            f"{folder}: every sample was to be asked {old.suite.repeats} times: it can be "
            "resumed with as many repeats or more"
        )
    parts = {"suite": new.suite, "status": RUNNING, "resumed": old.resumed + 1}
    return old.model_copy(update=parts)


def unfinished(plan: Plan, results: Path) -> Path | None:
    """The newest run of the benchmark, when it is the same one, stopped before its end."""
    manifests = sorted((results / plan.suite.name).glob(f"*/{store.MANIFEST}"))
    if not manifests:
        return None
    folder = manifests[-1].parent
    try:
        found = store.read_manifest(folder)
    except BakeoffError:
        return None  # of another version, or damaged: nothing to go on with
    if found.complete:
        return None
    return folder if same(plan, found) and not store.busy(folder) else None


def same(plan: Plan, found: Manifest) -> bool:
    """Whether a run's manifest is of this very plan, code and versions."""
    wanted = _manifest(plan)
    alike = all(canonical(_asked(found, p)) == canonical(_asked(wanted, p)) for p in ALIKE)
    alike &= found.suite.repeats == wanted.suite.repeats
    return alike and (found.versions, found.commit) == (wanted.versions, wanted.commit)


def _beside(state: _State) -> Future[dict[str, AuditFacts]]:
    """What needs no answers, done in a thread while they are waited for; gives the audit."""
    audits: Future[dict[str, AuditFacts]] = Future()

    def work() -> None:
        try:
            found = _audit(state)
            state.meanwhile()
            audits.set_result(found)
        except BaseException as error:
            audits.set_exception(error)

    # A daemon: it keeps no program from ending.
    threading.Thread(target=work, name="beside", daemon=True).start()
    return audits


def _audit(state: _State) -> dict[str, AuditFacts]:
    """The checks of the data that take seconds: a run's own numbers depend on them."""
    found = {name: audit.audit(task, state.plan.suite) for name, task in state.plan.tasks.items()}
    for name, each in found.items():
        for finding in each.findings:
            if finding.told:
                state.progress.note(f"audit: {name}: {finding}")
    return {name: AuditFacts.model_validate(each.as_json()) for name, each in found.items()}


def _prepare(state: _State) -> None:
    with state.timed("prepare"):
        state.marking.jury.open(state.plan.tasks.values())
        state.kitchen.prepare(state.plan.tasks)
    for reference, fingerprint in state.kitchen.models.items():
        if state.manifest.models.get(reference, fingerprint) != fingerprint:
            raise BakeoffError(
                f"{state.folder}: cannot be resumed: model '{reference}' or its engine changed"
            )
    state.put_found()


def _answer(state: _State) -> None:
    """The quality pass over every cell, then the latency pass over a few.

    What need not be tuned comes first, so that its results are there while others are tuned.
    """
    suite, tasks = state.plan.suite, state.plan.tasks.values()
    audits = _beside(state)
    cells = [
        (setup, task)
        for task in tasks
        for setup in suite.setups.values()
        if setup.takes(task.name) and not setup.route
    ]
    to_tune = [cell for cell in cells if state.kitchen.tunes(cell[0])]
    _answer_cells(state, [cell for cell in cells if cell not in to_tune])
    if to_tune and len(to_tune) < len(cells):
        _show_first(state)
    if to_tune and state.plan.selection.limit:
        state.progress.note(
            f"--limit {state.plan.selection.limit}: tuned setups learn from as few rows of a task; "
            "a whole run trains its own"
        )
    for cell in teachers_first(to_tune):
        with state.timed("tune"):
            state.kitchen.adapt(*cell)
        state.put_found()
        _answer_cells(state, [cell])
    # Before the latency pass: what is timed is to have the machine for itself.
    with state.timed("score"), working(state.progress, "scoring"):
        try:
            state.marking.finish()
            _route(state)
        finally:
            state.manifest = count_judges(state.manifest, state.marking.jury)
    with state.timed("audit"):
        state.put(audit=audits.result())
    if tokens := state.kitchen.token_checks():
        state.put_checks(tokens=tokens)
    with state.timed("checks"), working(state.progress, "do batches change answers?"):
        if batches := state.kitchen.batch_checks(state.plan.tasks):
            state.put_checks(batches=batches)
    if state.plan.selection.shard[0] == 1:
        with state.timed("latency"):
            for task in tasks:
                # The state before a change is asked what it knows, not how fast it says so.
                if not task.after:
                    _latency(state, task)


def _answer_cells(state: _State, cells: Sequence[tuple[Setup, Task]]) -> None:
    with state.timed("quality"):
        for setup, task in cells:
            _quality(state, setup, task)
            state.marking.add(Unit(task.name, setup.name))


def _show_first(state: _State) -> None:
    """What is known before anything is tuned, where it is scored by now."""
    if not state.marking.caught_up():
        return
    from bakeoff.analysis import measured_run
    from bakeoff.outputs.tables.headline import headline

    known = [s.name for s in state.plan.suite.setups.values() if not state.kitchen.tunes(s)]
    first = measured_run.Run(
        state.folder, tuple(name for name in known if not _routed(state, name))
    )
    state.progress.show(headline(first))
    state.progress.note("These stand; the setups that are tuned follow.")


def _routed(state: _State, name: str) -> bool:
    return state.plan.suite.setups[name].route is not None


def _quality(state: _State, setup: Setup, task: Task) -> None:
    unit = Unit(task.name, setup.name)
    done = {
        (record.sample, record.repeat)
        for record in store.read_records(state.folder, unit)
        if record.answer or not state.retry
    }
    wanted = len(task.samples) * state.plan.suite.repeats
    if len(done) == wanted:
        return
    answerer = state.kitchen.answerer(setup, task)
    state.progress.start(f"{task.name} / {setup.name}", wanted - len(done))
    with store.open_journal(state.folder, unit) as journal:
        for repeat in range(state.plan.suite.repeats):
            skip = {i for i, s in enumerate(task.samples) if (s.id, repeat) in done}
            if len(skip) == len(task.samples):
                continue

            def sending(index: int, repeat: int = repeat) -> None:
                journal.sending(task.samples[index].id, repeat)

            for index, outcome in answerer(task.samples, skip=skip, repeat=repeat, sending=sending):
                sample = task.samples[index].id
                journal.append(Record(QUALITY, task.name, setup.name, sample, outcome, repeat))
                state.progress.advance()
                state.meter.count(setup, outcome)
        journal.commit()
    state.progress.finish()


def _route(state: _State) -> None:
    """Put routed setups together, now that what they are made of is scored."""
    if not any(setup.route for setup in state.plan.suite.setups.values()):
        return
    from bakeoff.running import route

    for task in state.plan.tasks.values():
        for setup in state.plan.suite.setups.values():
            unit = Unit(task.name, setup.name)
            if setup.route and setup.takes(task.name):
                if not store.committed(state.folder, unit):
                    route.write(state.folder, setup, task, state.plan.suite.seed)
                state.marking.add(unit)
    state.marking.finish()


def _latency(state: _State, task: Task) -> None:
    """One sample at a time, setups in turn, the turn's direction alternating.

    What drifts on a shared machine (clock, neighbours) then falls on all setups alike. The first
    setup is asked twice in every turn: what its two times differ by is the machine's noise.
    """
    latency = state.plan.suite.latency
    every = [s for s in state.plan.suite.setups.values() if s.takes(task.name)]
    setups = [setup for setup in every if not setup.route]
    turn = [(setup, 0) for setup in setups] + [(setup, 1) for setup in setups[:1]]
    chosen = spread(task.samples, latency.samples)
    unit = Unit(task.name)
    done = {r.key for r in store.read_records(state.folder, unit) if r.answer}
    keys = {(LATENCY, task.name, s.name, c.id, again) for c in chosen for s, again in turn}
    if keys <= done and store.committed(state.folder, unit):
        return
    answerers = {s.name: state.kitchen.answerer(s, task, cached=False) for s in setups}
    state.progress.start(f"{task.name} / latency", len(keys - done))
    for _ in range(latency.warmup):
        for setup in setups:
            list(answerers[setup.name](chosen[:1], timed=True))
    load = [machine.load()]
    with store.open_journal(state.folder, unit) as journal:
        for number, sample in enumerate(chosen):
            for setup, again in turn if number % 2 == 0 else reversed(turn):
                if (LATENCY, task.name, setup.name, sample.id, again) not in done:
                    ((_, outcome),) = answerers[setup.name]([sample], timed=True)
                    journal.append(
                        Record(LATENCY, task.name, setup.name, sample.id, outcome, again)
                    )
                    state.progress.advance()
                    state.meter.count(setup, outcome)
        for level in latency.concurrency:
            _latency_at(state, journal, task, chosen, level)
        for setup in every:
            if setup.route:
                from bakeoff.running import route

                journal.sync()
                takes = route.decisions(state.folder, setup, task, state.plan.suite.seed)
                asked = list(store.read_records(state.folder, unit))
                for record in route.timed(setup, takes, asked):
                    journal.append(record)
        journal.commit()
    load.append(machine.load())
    known = state.manifest.checks.load or {}
    state.put_checks(load={**known, task.name: tuple(load)})
    state.progress.finish()


def _latency_at(
    state: _State, journal: store.Journal, task: Task, chosen: list[Sample], level: int
) -> None:
    """The same samples asked of setups over HTTP, so many at once, one setup after the other."""
    for setup in state.plan.suite.setups.values():
        answerer = state.kitchen.loaded(setup, task, level) if setup.takes(task.name) else None
        if answerer is None:
            continue
        for index, outcome in answerer(chosen, timed=bool(setup.endpoint)):
            sample = chosen[index].id
            journal.append(Record(f"{LATENCY}@{level}", task.name, setup.name, sample, outcome))
            state.meter.count(setup, outcome)


def spread(samples: tuple[Sample, ...], n: int) -> list[Sample]:
    """At most `n` samples, evenly spread over the samples sorted by a hash of their ids."""
    ordered = sorted(samples, key=lambda sample: digest(sample.id))
    ends = [round(i * len(ordered) / n) for i in range(n + 1)] if n else []
    return [ordered[start] for start, end in pairwise(ends) if start < end]


def score(
    folder: Path,
    manifest: Manifest,
    suite: Suite,
    tasks: Mapping[str, Task],
    jury: Jury | None = None,
) -> Manifest:
    """Score every record of a run; its manifest with what the run spent."""
    if jury:
        jury.open(tasks.values())
    for task in tasks.values():
        for setup in suite.setups.values():
            if setup.takes(task.name):
                score_unit(folder, suite, task, setup.name, jury.give if jury else no_models)
    if jury:
        manifest = count_judges(manifest, jury)
    return count_spent(folder, manifest, suite, tasks)


def count_spent(folder: Path, manifest: Manifest, suite: Suite, tasks: Collection[str]) -> Manifest:
    """A run's manifest with what each setup sent and spent."""
    counted = dict(manifest.spent)
    for setup in suite.setups.values():
        spent = Spent()
        for task in tasks:
            if setup.takes(task):
                unit = Unit(task, setup.name)
                for record in store.read_records(folder, unit):
                    spent.count(record)
                spent.requests += store.requests_sent(folder, unit)
        counted[setup.name] = spent.facts(suite, setup)
    return manifest.model_copy(update={"spent": counted})


def count_judges(manifest: Manifest, jury: Jury) -> Manifest:
    """A run's manifest with what judges were asked, added to what they were asked before."""
    before = manifest.judges
    return manifest.model_copy(update={"judges": {**before, **jury.facts(before)}})
