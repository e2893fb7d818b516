"""Walk task x setup x sample, keep a record of every cell, then score and compare."""

from __future__ import annotations

import os
import secrets
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Protocol

from bakeoff import finished, machine, store
from bakeoff.answer import Engine, Library, build, training_examples
from bakeoff.core import (
    LATENCY,
    QUALITY,
    Answer,
    Answerer,
    BakeoffError,
    Record,
    Sample,
    Score,
    Step,
    canonical,
)
from bakeoff.data import Task
from bakeoff.models import LocalModel, limit_threads, native_dtypes, resolve
from bakeoff.scoring import Metric, Scorer
from bakeoff.suite import Setup, Suite
from bakeoff.tune import Adapter, attach, ready_adapter, trained_adapter


class Progress(Protocol):
    """Where a run says how it goes; the terminal and the pipe each have one."""

    def note(self, text: str) -> None:
        """One line that stays."""

    def start(self, unit: str, total: int) -> None:
        """A unit of work (`task / setup`) begins."""

    def advance(self, count: int = 1) -> None:
        """So many cells of the unit are done."""

    def finish(self) -> None:
        """The unit is done."""


@dataclass(frozen=True)
class Workspace:
    """Where things are kept."""

    cache: Path
    results: Path
    data: Path | None = None


@dataclass
class _State:
    """What a run has opened so far, and what its manifest will say."""

    suite: Suite
    tasks: Mapping[str, Task]
    workspace: Workspace
    progress: Progress
    file: Path
    folder: Path
    manifest: dict[str, Any]
    library: Library
    models: dict[str, LocalModel] = field(default_factory=dict)
    adapters: dict[tuple[str, str], Adapter] = field(default_factory=dict)

    def save(self) -> None:
        store.write_json(self.folder / store.MANIFEST, self.manifest)

    @contextmanager
    def timed(self, phase: str) -> Iterator[None]:
        """Add the seconds of a phase to the manifest."""
        started = time.perf_counter()
        try:
            yield
        finally:
            seconds = self.manifest["seconds"]
            spent = time.perf_counter() - started
            seconds[phase] = round(seconds.get(phase, 0.0) + spent, 2)


def run(
    suite: Suite,
    file: Path,
    tasks: Mapping[str, Task],
    skipped: Mapping[str, str],
    workspace: Workspace,
    progress: Progress,
    resume: Path | None = None,
) -> finished.Run:
    """Run a benchmark, or the rest of one, and return the finished run.

    Raises `BakeoffError` for what the user can mend; what was finished by then is kept.
    """
    if not tasks:
        reasons = "; ".join(skipped.values())
        raise BakeoffError(f"{file}: none of its tasks can run here: {reasons}")
    manifest = _manifest(suite, file, tasks, skipped)
    if resume:
        folder = resume
        manifest = _resumed(store.read_manifest(folder), manifest, folder)
    else:
        stamp = datetime.now(UTC).strftime("%Y%m%d-%H%M%S")
        folder = workspace.results / suite.name / f"{stamp}-{secrets.token_hex(2)}"
        folder.mkdir(parents=True)
        manifest["run"] = folder.name
    state = _State(
        suite, tasks, workspace, progress, file, folder, manifest, Library(workspace.cache)
    )
    state.save()
    store.write_samples(folder, {name: task.samples for name, task in tasks.items()})
    for name, reason in skipped.items():
        progress.note(f"skipped {name}: {reason}")
    try:
        _prepare(state)
        _answer(state)
    except BaseException:
        manifest["status"] = "interrupted"
        state.save()
        raise
    _score(state)
    manifest["status"] = "complete"
    state.save()
    done = finished.Run(folder)
    with state.timed("compare"):
        finished.write_comparison(done)
    state.save()
    return done


def _manifest(
    suite: Suite, file: Path, tasks: Mapping[str, Task], skipped: Mapping[str, str]
) -> dict[str, Any]:
    return {
        "format": 1,
        "run": "",
        "benchmark": suite.name,
        "file": os.path.relpath(file),
        "command": f"bakeoff run {os.path.relpath(file)}",
        "status": "running",
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
        "suite": suite.model_dump(mode="json"),
        "tasks": {name: _about(task) for name, task in tasks.items()},
        "skipped": dict(skipped),
        "models": {},
        "adapters": {},
        "indexes": {},
        "versions": machine.versions(),
        "hardware": machine.hardware(),
        "commit": machine.commit(),
        "seconds": {},
    }


def _about(task: Task) -> dict[str, Any]:
    return {
        "description": task.file.description.strip(),
        "licence": task.file.licence,
        "headline": task.file.headline_metric,
        "metrics": {
            str(metric): {
                "higher_is_better": scorer.higher_is_better,
                "aggregate": scorer.aggregate,
                "about": scorer.about,
            }
            for metric, scorer in task.scorers.items()
        },
        "n": len(task.samples),
        "population": task.population,
        "train": len(task.train),
        "dropped": list(task.dropped),
        "digests": dict(task.digests),
    }


def _resumed(old: dict[str, Any], new: dict[str, Any], folder: Path) -> dict[str, Any]:
    """The old run's manifest, when the same run is asked for again."""
    for part in ("suite", "tasks"):
        if canonical(old[part]) != canonical(new[part]):
            changed = sorted(
                k for k in new[part] if canonical(old[part].get(k)) != canonical(new[part][k])
            )
            raise BakeoffError(
                f"{folder}: cannot be resumed: {part} changed since ({', '.join(changed)}); "
                "start a new run"
            )
    return {**old, "status": "running", "resumed": old.get("resumed", 0) + 1}


def _prepare(state: _State) -> None:
    """Load weights, train or find adapters, build or find indexes: whatever a setup will need."""
    suite = state.suite
    local = [s for s in suite.setups.values() if not s.call]
    for reference in dict.fromkeys(s.model for s in local):
        with state.timed("load"):
            limit_threads()
            weights = resolve(reference, state.workspace.cache)
            model = LocalModel(weights, suite.dtype)
        if model.device == "cpu" and not native_dtypes()[suite.dtype]:
            state.progress.note(f"{suite.dtype} is emulated on this processor: expect it slow")
        state.models[reference] = model
        seen = state.manifest["models"].setdefault(reference, model.fingerprint())
        if seen != model.fingerprint():
            raise BakeoffError(
                f"{state.folder}: cannot be resumed: model '{reference}' or its engine changed"
            )
        state.progress.note(f"model {reference}: {weights.folder.name} ({suite.dtype})")
    asked = [(s, t) for s in local for t in state.tasks.values() if s.takes(t.name)]
    for setup, task in asked:
        if setup.retrieve:
            _index(state, setup, task)
    for setup, task in asked:
        if setup.tune:
            _adapter(state, setup, task)
    state.save()


def _index(state: _State, setup: Setup, task: Task) -> None:
    assert setup.retrieve
    name = f"{task.name}/{task.corpus_name(setup.retrieve.corpus)}"
    if not task.corpora:
        raise BakeoffError(f"task '{task.name}' has no corpora, which setup '{setup.name}' needs")
    known = len(state.library.corpora())
    with state.timed("index"):
        corpus = state.library.corpus(task, setup.retrieve)
    if len(state.library.corpora()) > known:
        state.manifest["indexes"][name] = {
            **corpus.manifest,
            "digest": corpus.digest,
            "passages": len(corpus.passages),
        }
        verb = "reused" if corpus.reused else "built"
        state.progress.note(f"index {name}: {verb} ({len(corpus.passages)} passages)")


def _adapter(state: _State, setup: Setup, task: Task) -> None:
    """Find or train the setup's adapter for the task; setups of one recipe share it."""
    assert setup.tune
    for (other, name), known in state.adapters.items():
        twin = state.suite.setups[name]
        if other == task.name and (twin.tune, twin.model) == (setup.tune, setup.model):
            adapter, shared = known, True
            break
    else:
        adapter, shared = _made(state, setup, task), False
    attach(state.models[setup.model], adapter)
    state.adapters[task.name, setup.name] = adapter
    training = adapter.training
    state.manifest["adapters"][f"{task.name}/{setup.name}"] = {
        "digest": adapter.digest,
        "reused": adapter.reused,
        "training": asdict(training) if training else None,
    }
    if adapter.reused and not shared:
        state.progress.note(f"adapter {task.name}: reused ({adapter.digest})")
    elif training and not shared:
        state.progress.note(
            f"adapter {task.name}: trained in {training.seconds:.0f} s ({training.tokens} tokens)"
        )


def _made(state: _State, setup: Setup, task: Task) -> Adapter:
    assert setup.tune
    if setup.tune.adapter:
        return ready_adapter(setup.tune.adapter)
    if not task.train:
        raise BakeoffError(
            f"task '{task.name}' has no training rows, which setup '{setup.name}' needs"
        )
    suite, model = state.suite, state.models[setup.model]
    recipe = suite.use(task.name).recipe(setup.tune)
    with state.timed("tune"):
        examples = training_examples(task, model, state.library, suite.retrieve, recipe, suite.seed)
        state.progress.note(f"adapter {task.name}: {len(examples)} rows")
        return trained_adapter(
            model,
            examples,
            recipe,
            suite.seed,
            state.workspace.cache,
            lambda text: state.progress.note(f"  {task.name}: {text}"),
        )


def _answerer(state: _State, setup: Setup, task: Task) -> Answerer:
    adapter = state.adapters.get((task.name, setup.name))
    engine = None
    if not setup.call:
        engine = Engine(state.models[setup.model], state.library, state.suite.batch_tokens)
    return build(setup, task, engine, adapter, state.file.parent)


def _answer(state: _State) -> None:
    """The quality pass over every cell, then the latency pass over a few."""
    done = {record.key for record in store.read_journal(state.folder) if record.answer}
    with store.open_journal(state.folder) as journal:
        with state.timed("quality"):
            for task in state.tasks.values():
                for setup in state.suite.setups.values():
                    if setup.takes(task.name):
                        _quality(state, journal, setup, task, done)
        with state.timed("latency"):
            for task in state.tasks.values():
                _latency(state, journal, task, done)


def _quality(
    state: _State, journal: store.Journal, setup: Setup, task: Task, done: set[Any]
) -> None:
    keys = [(QUALITY, task.name, setup.name, s.id) for s in task.samples]
    skip = {index for index, key in enumerate(keys) if key in done}
    if len(skip) == len(keys):
        return
    state.progress.start(f"{task.name} / {setup.name}", len(keys) - len(skip))
    for index, outcome in _answerer(state, setup, task)(task.samples, skip=skip):
        journal.append(Record(QUALITY, task.name, setup.name, task.samples[index].id, outcome))
        state.progress.advance()
    state.progress.finish()


def _latency(state: _State, journal: store.Journal, task: Task, done: set[Any]) -> None:
    """One sample at a time, setups in turn, the turn's direction alternating.

    What drifts on a shared machine (clock, neighbours) then falls on all setups alike.
    """
    wanted = state.suite.latency.samples
    if not wanted:
        return
    setups = [s for s in state.suite.setups.values() if s.takes(task.name)]
    answerers = {s.name: _answerer(state, s, task) for s in setups}
    chosen = sorted(task.samples, key=lambda s: s.id)
    step = max(1, len(chosen) // wanted)
    chosen = chosen[::step][:wanted]
    state.progress.start(f"{task.name} / latency", len(chosen) * len(setups))
    for _ in range(state.suite.latency.warmup):
        for setup in setups:
            list(answerers[setup.name](chosen[:1], timed=True))
    for number, sample in enumerate(chosen):
        for setup in setups if number % 2 == 0 else reversed(setups):
            if (LATENCY, task.name, setup.name, sample.id) not in done:
                ((_, outcome),) = answerers[setup.name]([sample], timed=True)
                journal.append(Record(LATENCY, task.name, setup.name, sample.id, outcome))
            state.progress.advance()
    state.progress.finish()


def _score(state: _State) -> None:
    with state.timed("score"):
        records = store.read_journal(state.folder)
        scores = score_records(records, state.tasks, state.suite.setups)
        store.write_scores(state.folder, scores)


def score_records(
    records: Iterator[Record], tasks: Mapping[str, Task], setups: Mapping[str, Setup]
) -> dict[tuple[str, str, str], dict[str, Score]]:
    """Every quality record scored by its task's scorers; later records replace earlier ones."""
    contexts = {name: task.context() for name, task in tasks.items()}
    samples = {name: {s.id: s for s in task.samples} for name, task in tasks.items()}
    scores: dict[tuple[str, str, str], dict[str, Score]] = {}
    for record in records:
        if record.phase != QUALITY:
            continue
        task = tasks[record.task]
        sample = samples[record.task][record.sample]
        found: dict[str, Score] = {}
        for metric, scorer in task.scorers.items():
            score = _score_one(
                record, sample, scorer, metric, contexts[record.task], setups[record.setup]
            )
            if score is not None:
                found[str(metric)] = score
        scores[record.task, record.setup, record.sample] = found
    return scores


def _score_one(
    record: Record, sample: Sample, scorer: Scorer, metric: Metric, context: Any, setup: Setup
) -> Score | None:
    answer = record.answer
    if answer is None:
        # Asked with an empty answer, the scorer tells whether it applies; a failure scores worst.
        answer = Answer("", steps=(Step("retrieve"),) if setup.retrieve else ())
    try:
        score = scorer.score(sample, answer, context, metric)
    except BakeoffError:
        raise
    except Exception as error:  # a user's scorer: unjudged, counted, shown
        return Score(None, f"the scorer raised {type(error).__name__}: {error}")
    if score is None or record.answer is not None:
        return score
    worst = 0.0 if scorer.higher_is_better else 1.0
    labels = (sample.targets[0], "(failed)") if score.labels else None
    return Score(worst, f"failed: {record.error}", labels)
