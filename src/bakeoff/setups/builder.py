"""What setups need before their first answer: weights, adapters, indexes, connections, cache.

Heavy libraries are imported here, and only those that the benchmark's setups need.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

from bakeoff.core.hints import did_you_mean
from bakeoff.core.progress import Progress, working
from bakeoff.core.table import Table
from bakeoff.core.words import Answerer, BakeoffError, Model, Sample, digest
from bakeoff.metrics.judges import Place
from bakeoff.models.cached import CachedModel, verify
from bakeoff.models.pool import Pool
from bakeoff.models.response_cache import Responses
from bakeoff.runs.manifest import (
    AdapterFacts,
    BatchCheck,
    Fingerprint,
    IndexFacts,
    IndexWork,
    TokenCheck,
)
from bakeoff.setups.answerer import Engine, build, chats, context_of, own
from bakeoff.setups.retrieval.retriever import RetrievalCache
from bakeoff.setups.tuning.distil import FilteredAnswers, filter_answers
from bakeoff.spec.benchmark import Setup, Suite
from bakeoff.spec.recipes import Distillation, Tune
from bakeoff.tasks.load import Task

if TYPE_CHECKING:
    from bakeoff.models.served import ServedModel
    from bakeoff.setups.local import Local
    from bakeoff.setups.retrieval.index import Corpus


@dataclass(frozen=True)
class Workspace:
    """Where things are kept, and the environment that names the keys of endpoints."""

    cache: Path
    results: Path
    data: Path | None = None
    environment: Mapping[str, str] = field(default_factory=dict, repr=False)

    def place(self, suite: Suite, file: Path, responses: Path | None = None) -> Place:
        """Where the judges of a benchmark work."""
        kept = responses or self.cache / "responses.sqlite"
        return Place(suite, file, self.cache, kept, self.environment)


def local_dtype(suite: Suite, file: Path) -> str:
    """What the benchmark's local models compute in here; empty where it has none.

    Raises `BakeoffError` for a type that this machine emulates, unless it is forced.
    """
    if all(setup.own or suite.served(setup.model) for setup in suite.setups.values()):
        return ""
    from bakeoff.models.device import choose_dtype

    try:
        return choose_dtype(suite.dtype)
    except BakeoffError as error:
        raise BakeoffError(f"{file}: {error}") from error


class Resources:
    """Everything that is open while a benchmark runs. Close it after use.

    `models`, `adapters` and `indexes` are what the run's manifest says of them.
    """

    def __init__(
        self,
        suite: Suite,
        file: Path,
        workspace: Workspace,
        progress: Progress,
        responses: Responses | None = None,
    ) -> None:
        self.suite = suite
        self.file = file
        self.workspace = workspace
        self.progress = progress
        self.responses = responses
        self.models: dict[str, Fingerprint] = {}
        self.adapters: dict[str, AdapterFacts] = {}
        self.indexes: dict[str, IndexFacts] = {}
        self.pool = Pool(suite, file, workspace.cache, workspace.environment)
        self.retrieval = RetrievalCache(self.pool)
        self._local: Local | None = None
        self._tasks: Mapping[str, Task] = {}

    def prepare(self, tasks: Mapping[str, Task]) -> None:
        """Load the models and build the indexes that the setups will need for these tasks.

        Weights are tuned by `adapt`. Raises `BakeoffError` when something cannot be had.
        """
        self._tasks = tasks
        asked = [
            (setup, task)
            for setup in self.suite.setups.values()
            for task in tasks.values()
            if setup.takes(task.name)
        ]
        with working(self.progress, "loading models"):
            for setup, task in asked:
                self._open(setup, task)
        for setup, task in asked:
            if setup.retrieve:
                self._index(setup, task)

    def tunes(self, setup: Setup) -> bool:
        """Whether the setup needs `adapt` before it answers."""
        return bool(setup.tune) and not self.suite.served(setup.model)

    def adapt(self, setup: Setup, task: Task) -> None:
        """Train or find the weights that the setup answers the task with.

        A setup that learns from another one comes after it.
        """
        others = [each for each in self._tasks.values() if setup.takes(each.name)]
        adapter = self.local.adapt(setup, task, _of_its_time(task, others))
        self.adapters[f"{task.name}/{setup.name}"] = adapter

    def _open(self, setup: Setup, task: Task) -> None:
        if setup.endpoint:
            self.pool.client(f"setups.{setup.name}.endpoint", setup.endpoint)
        elif self.suite.served(setup.model):
            if task.file.answer == "likelihood":
                raise BakeoffError(
                    f"setup '{setup.name}': task '{task.name}' is answered by likelihood, "
                    "which an endpoint does not give; use a local model or another task"
                )
            model = self._served_model(setup)
            self.models[f"{setup.model.partition(':')[0]}:{model.name}"] = model.fingerprint()
        elif not (setup.call or setup.route):
            self.models[setup.model] = self.local.plain(setup.model).fingerprint()

    @property
    def local(self) -> Local:
        """The models in this process; opening it loads torch."""
        if self._local is None:
            from bakeoff.models.device import choose_dtype
            from bakeoff.setups.local import Local

            dtype = choose_dtype(self.suite.dtype)
            self._local = Local(
                self.suite,
                dtype,
                self.retrieval,
                self.progress,
                self._writer,
                self._teacher_answers,
            )
        return self._local

    def _served_model(self, setup: Setup) -> ServedModel:
        behind = self.suite.served(setup.model)
        assert behind
        endpoint, model = behind
        if setup.tune and setup.tune.adapter:
            # A served adapter is another model name on the same endpoint.
            model = setup.tune.adapter
        return self.pool.served(endpoint, model, counted=True)

    def _index(self, setup: Setup, task: Task) -> None:
        assert setup.retrieve
        name = f"{task.name}/{task.corpus_name(setup.retrieve.corpus)}"
        if not task.corpora:
            raise BakeoffError(
                f"task '{task.name}' has no corpora, which setup '{setup.name}' needs"
            )
        with working(self.progress, f"index {name}"):
            corpus = self.retrieval.corpus(task, setup.retrieve)
        if setup.retrieve.passages == "full":
            self._fits(setup, task, corpus)
        for key, known in self.indexes.items():
            if key.startswith(f"{task.name}/") and known.digest == corpus.digest:
                readers = tuple(dict.fromkeys([*(known.setups or ()), setup.name]))
                self.indexes[key] = known.model_copy(update={"setups": readers})
                return
        # Several recipes over one corpus: each names a setup that reads it.
        self.indexes[name if name not in self.indexes else f"{name} for {setup.name}"] = IndexFacts(
            **corpus.manifest,
            digest=corpus.digest,
            passages=len(corpus.passages),
            work=IndexWork(**asdict(corpus.work)),
            setups=(setup.name,),
            changed=self._changed(setup, task, corpus),
        )
        verb = "reused" if corpus.reused else "built"
        self.progress.note(f"index {name}: {verb} ({len(corpus.passages)} passages)")

    def _changed(self, setup: Setup, task: Task, corpus: Corpus) -> int | None:
        """How many passages of an index are not in that of the time before a change."""
        assert setup.retrieve
        before = next((each for each in self._tasks.values() if each.after == task.name), None)
        if before is None:
            return None
        known = {p.text for p in self.retrieval.corpus(before, setup.retrieve).passages}
        return sum(p.text not in known for p in corpus.passages)

    def _fits(self, setup: Setup, task: Task, corpus: Corpus) -> None:
        """Raise `BakeoffError` where all documents together are more than may be read."""
        assert setup.retrieve
        count = self._plain(setup.model).count
        budget = setup.retrieve.context_tokens
        _, shown = context_of(corpus.passages, corpus.titles, budget, count)
        if len(shown) < len(corpus.passages):
            whole, _ = context_of(corpus.passages, corpus.titles, 10**12, count)
            raise BakeoffError(
                f"setup '{setup.name}': passages: full: the {len(corpus.passages)} documents of "
                f"task '{task.name}' take {count(whole)} tokens, and context_tokens is {budget}; "
                "raise it as far as the model's window allows, or leave the task out of the "
                "setup's tasks"
            )

    def model(self, setup: Setup, task: Task) -> Model:
        """The setup's model as it answers the task, its adapter on; never from the cache."""
        if self.suite.served(setup.model):
            return self._served_model(setup)
        return self.local.adapted(setup, task)

    def answerer(self, setup: Setup, task: Task, *, cached: bool = True) -> Answerer:
        """The answerer of any setup on any task: a corner of the square, or the user's own."""
        if setup.call:
            return own(setup.call, task, self.file.parent)
        if setup.endpoint:
            from bakeoff.models.served import service

            where = f"setups.{setup.name}.endpoint"
            return service(self.pool.client(where, setup.endpoint), setup.endpoint)
        model = self.model(setup, task)
        return build(setup, task, self.engine(self._kept(model) if cached else model))

    def loaded(self, setup: Setup, task: Task, concurrency: int) -> Answerer | None:
        """The answerer of a setup over HTTP that times answers made side by side, so many at once.

        None for what runs in this process.
        """
        if setup.endpoint:
            from bakeoff.models.served import service

            where = f"setups.{setup.name}.endpoint"
            return service(self.pool.client(where, setup.endpoint, concurrency), setup.endpoint)
        if setup.call or not self.suite.served(setup.model):
            return None
        model = self._served_model(setup)
        client = self.pool.client(model.client.name, model.endpoint, concurrency)
        return build(setup, task, self.engine(replace(model, client=client, timing=True)))

    def engine(self, model: Model) -> Engine:
        return Engine(model, self.retrieval, self.suite.temperature, self.suite.seed)

    def _writer(self, reference: str) -> Model:
        return self._kept(self._plain(reference))

    def _plain(self, reference: str) -> Model:
        if self.suite.served(reference):
            return self._served_model(Setup(name=reference, model=reference))
        return self.local.plain(reference)

    def _kept(self, model: Model) -> Model:
        return CachedModel(model, self.responses) if self.responses else model

    def _teacher_answers(
        self, task: Task, recipe: Tune
    ) -> tuple[Sequence[tuple[Sample, str]], Mapping[str, int]]:
        assert recipe.distill
        teacher = self.suite.setups[recipe.distill.teacher]
        found = self.filtered(task, teacher, recipe.distill, self._tasks)
        return [(each.sample, each.answer.text) for each in found.kept], found.counts

    def filtered(
        self, task: Task, teacher: Setup, keep: Distillation, tasks: Mapping[str, Task]
    ) -> FilteredAnswers:
        """The teacher's answers to the task's training questions, the good ones kept.

        What repeats a test question of any of `tasks` is not.
        """
        self.progress.note(
            f"{task.name}: '{teacher.name}' answers {len(task.train)} training questions"
        )
        if teacher.own:
            answerer = self.answerer(teacher, task)
        else:
            engine = self.engine(self._kept(self.model(teacher, task)))
            answerer = build(teacher, task, replace(engine, training=True))
        said = dict(answerer(task.train))
        outcomes = [said[index] for index in range(len(task.train))]
        tests = {
            f"{each.name}/{s.id}": s.question for each in tasks.values() for s in each.population
        }
        return filter_answers(task, teacher, outcomes, keep, tests)

    def token_checks(self) -> dict[str, TokenCheck]:
        """Where a tokenizer is known: how often an endpoint's own token counts differed."""
        counted = self.pool.counted.items()
        return {name: TokenCheck(**asdict(model.tally)) for name, model in counted}

    def batch_checks(self, tasks: Mapping[str, Task]) -> dict[str, BatchCheck]:
        """For each local model, by its first setup: whether batches change answers.

        Of a model whose answers are the same in every batch it is not asked again.
        """
        found: dict[str, BatchCheck] = {}
        seen = set()
        for setup in self.suite.setups.values():
            task = next((t for t in tasks.values() if setup.takes(t.name)), None)
            apart = setup.own or self.suite.served(setup.model) or setup.model in seen
            if task is None or apart or not self.suite.batch_check:
                continue
            seen.add(setup.model)
            model = self.model(setup, task)
            if model.repeatable:
                continue
            engine = self.engine(model)
            some = task.samples[: self.suite.batch_check]
            asked = chats(setup, task, engine, some)
            found[setup.name] = self.local.batch_check(setup, task, asked, engine.decoding(task))
        return found

    def close(self) -> None:
        self.pool.close()
        if self.responses:
            self.responses.close()


def _of_its_time(task: Task, tasks: Sequence[Task]) -> list[Task]:
    """The tasks in the state that `task` is in: before the changes, or after them."""
    changed = {each.after for each in tasks if each.after} if task.after else set()
    return [each for each in tasks if (not each.after or task.after) and each.name not in changed]


def teachers_first(cells: Sequence[tuple[Setup, Task]]) -> list[tuple[Setup, Task]]:
    """The cells in their order, but those that learn from other setups behind them."""
    return sorted(cells, key=lambda cell: bool(cell[0].tune and cell[0].tune.distill))


def verify_cache(
    suite: Suite,
    file: Path,
    tasks: Mapping[str, Task],
    workspace: Workspace,
    share: float,
    progress: Progress,
) -> Table:
    """Ask a share of each setup's cached answers again; those that differ are forgotten."""
    responses = Responses(workspace.cache / "responses.sqlite")
    resources = Resources(suite, file, workspace, progress, responses)
    rows = []
    try:
        resources.prepare(tasks)
        for task in tasks.values():
            for setup in suite.setups.values():
                if setup.own or not setup.takes(task.name):
                    continue
                if resources.tunes(setup):
                    resources.adapt(setup, task)
                model = CachedModel(resources.model(setup, task), responses)
                engine = resources.engine(model)
                asked = chats(setup, task, engine, task.samples)
                count = max(1, round(share * len(asked)))
                chosen = sorted(range(len(asked)), key=lambda i: digest(task.samples[i].id))[:count]
                found = verify(model, asked, engine.decoding(task), chosen)
                rows.append((task.name, setup.name, str(found.checked), str(found.differing)))
    finally:
        resources.close()
    return Table(
        "Cached answers asked again",
        ("task", "setup", "checked", "different"),
        tuple(rows),
        "Those that differed were forgotten. An endpoint may change a model under its name.",
    )


def distil(
    suite: Suite,
    file: Path,
    tasks: Mapping[str, Task],
    workspace: Workspace,
    name: str,
    keep: Distillation,
    output: Path,
    progress: Progress,
) -> Mapping[str, int]:
    """Write the good answers of a setup to a task's training questions; how many, and why not more.

    Raises `BakeoffError` when there is no such task or setup, or nothing to ask.
    """
    if name not in tasks:
        raise BakeoffError(f"{file}: no task '{name}'{did_you_mean(name, tasks)}")
    if keep.teacher not in suite.setups:
        near = did_you_mean(keep.teacher, suite.setups)
        raise BakeoffError(f"{file}: no setup '{keep.teacher}'{near}")
    task, teacher = tasks[name], suite.setups[keep.teacher]
    if not task.train:
        raise BakeoffError(f"task '{name}' has no training rows, whose questions would be asked")
    alone = suite.model_copy(update={"setups": {teacher.name: teacher}})
    responses = Responses(workspace.cache / "responses.sqlite")
    resources = Resources(alone, file, workspace, progress, responses)
    try:
        resources.prepare({name: task})
        if resources.tunes(teacher):
            resources.adapt(teacher, task)
        found = resources.filtered(task, teacher, keep, tasks)
        model = {} if teacher.own else dict(resources.model(teacher, task).fingerprint())
    finally:
        resources.close()
    about = {"benchmark": suite.name, "model": model, "kept_if": keep.model_dump()}
    rows = [row.as_row(teacher.name, about) for row in found.kept]
    output.parent.mkdir(parents=True, exist_ok=True)
    lines = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
    output.write_text(lines, encoding="utf-8")
    return found.counts
