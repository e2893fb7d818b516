"""What setups need before their first answer: weights, adapters, indexes, connections, cache.

Heavy libraries are imported here, and only those that the benchmark's setups need.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING

from bakeoff.core.counts import quantity
from bakeoff.core.progress import Progress, working
from bakeoff.core.words import BakeoffError, Model
from bakeoff.metrics.judges import Place
from bakeoff.models.cached import CachedModel
from bakeoff.models.pool import Pool
from bakeoff.models.response_cache import Responses
from bakeoff.runs.manifest import Fingerprint
from bakeoff.runs.opened import AdapterFacts, EngineFacts, IndexFacts, IndexWork
from bakeoff.setups.answerer import Engine, context_of
from bakeoff.setups.retrieval.retriever import RetrievalCache
from bakeoff.spec.benchmark import Setup, Suite
from bakeoff.spec.functions import Functions
from bakeoff.tasks.load import Task

if TYPE_CHECKING:
    from bakeoff.models.batched import Batch
    from bakeoff.setups.engines import Engines
    from bakeoff.setups.local import Local
    from bakeoff.setups.retrieval.index import Corpus


@dataclass(frozen=True)
class Workspace:
    """Where things are kept, and the environment that names the keys of endpoints."""

    cache: Path
    results: Path
    data: Path | None = None
    environment: Mapping[str, str] = field(default_factory=dict, repr=False)
    moved: Mapping[str, str] = field(default_factory=dict)
    """Where models are here that the benchmark names by a place on another machine."""

    def place(self, suite: Suite, file: Path, responses: Path | None = None) -> Place:
        """Where the judges of a benchmark work."""
        kept = responses or self.cache / "responses.sqlite"
        return Place(suite, file, self.cache, kept, self.environment)


def local_dtype(suite: Suite, file: Path) -> str:
    """What the benchmark's local models compute in here; empty where it has none.

    Raises `BakeoffError` for a type that this machine emulates, unless it is forced.
    """
    local = [s for s in suite.setups.values() if not s.custom and suite.backend(s.model).weights]
    elsewhere = suite.engine and not suite.engine.takes_dtype
    if not local or (elsewhere and not any(setup.tune for setup in local)):
        return ""
    from bakeoff.models.device import choose_dtype

    try:
        return choose_dtype(suite.dtype)
    except BakeoffError as error:
        raise BakeoffError(f"{file}: {error}") from error


def gives_likelihoods(suite: Suite, setup: Setup) -> bool:
    """Whether the setup's model says how likely an answer is: in this process, or on an engine."""
    weights = not setup.custom and suite.backend(setup.model).weights
    return weights and (suite.engine is None or suite.engine.of.likelihood)


class Resources:
    """Everything that is open while a benchmark runs. Close it after use.

    `models`, `adapters` and `indexes` are their facts for the run's manifest.
    """

    def __init__(
        self,
        suite: Suite,
        file: Path,
        workspace: Workspace,
        progress: Progress,
        responses: Responses | None = None,
        functions: Functions = MappingProxyType({}),
        batch: Batch | None = None,
    ) -> None:
        self.suite = suite
        self.functions = functions
        self.file = file
        self.workspace = workspace
        self.progress = progress
        self.responses = responses
        self.models: dict[str, Fingerprint] = {}
        self.adapters: dict[str, AdapterFacts] = {}
        self.indexes: dict[str, IndexFacts] = {}
        self.pool = Pool(
            suite, file, workspace.cache, workspace.environment, counts=True, batch=batch
        )
        self.retrieval = RetrievalCache(self.pool)
        self._local: Local | None = None
        self._engines: Engines | None = None
        self.tasks: Mapping[str, Task] = {}
        """What was prepared for."""

    def prepare(self, tasks: Mapping[str, Task]) -> None:
        """Load the models and build the indexes that the setups will need for these tasks.

        Weights are tuned by `adapting.adapt`. Raises `BakeoffError` when something cannot be had.
        """
        self.tasks = tasks
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

    def _open(self, setup: Setup, task: Task) -> None:
        if setup.endpoint:
            self.pool.client(f"setups.{setup.name}.endpoint", setup.endpoint)
        elif setup.custom:
            return
        elif self.suite.in_process(setup):
            self.models[setup.model] = self.local.plain(setup.model).fingerprint()
        else:
            if task.file.answer == "likelihood" and not gives_likelihoods(self.suite, setup):
                raise BakeoffError(
                    f"setup '{setup.name}': task '{task.name}' is answered by likelihood, "
                    "which its server does not give; use a local model without engine or with "
                    "engine: vllm, or another task"
                )
            reference = self.suite.asks(setup)
            self.models[reference] = dict(self.plain(reference).fingerprint())

    @property
    def local(self) -> Local:
        """The models in this process; opening it loads torch."""
        if self._local is None:
            from bakeoff.setups.local import Local

            self._local = Local(self.suite, self.retrieval, self.progress, self._writer)
        return self._local

    @property
    def engines(self) -> Engines:
        """The servers of this run's local models; opening it loads their tokenizers."""
        if self._engines is None:
            from bakeoff.setups.engines import Engines

            assert self.suite.engine
            self._engines = Engines(
                self.suite,
                self.suite.engine,
                self.workspace.cache,
                self.workspace.environment,
                self.progress,
                self.pool.tallies,
            )
        return self._engines

    def engine_facts(self) -> dict[str, EngineFacts]:
        """The facts of the engines for the manifest."""
        return self._engines.facts() if self._engines else {}

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
        self.progress.note(f"index {name}: {verb} ({quantity(len(corpus.passages), 'passage')})")

    def _changed(self, setup: Setup, task: Task, corpus: Corpus) -> int | None:
        """How many passages of an index are not in that of the time before a change."""
        assert setup.retrieve
        before = next((other for other in self.tasks.values() if other.after == task.name), None)
        if before is None:
            return None
        known = {p.text for p in self.retrieval.corpus(before, setup.retrieve).passages}
        return sum(p.text not in known for p in corpus.passages)

    def _fits(self, setup: Setup, task: Task, corpus: Corpus) -> None:
        """Raise `BakeoffError` where all documents together are more than may be read."""
        assert setup.retrieve
        count = self.plain(setup.model).count
        budget = setup.retrieve.context_tokens
        _, shown = context_of(corpus.passages, corpus.titles, budget, count)
        if [passage.text for passage in shown] != [passage.text for passage in corpus.passages]:
            whole, _ = context_of(corpus.passages, corpus.titles, 10**12, count)
            raise BakeoffError(
                f"setup '{setup.name}': passages: full: the {len(corpus.passages)} documents of "
                f"task '{task.name}' take {count(whole)} tokens, and context_tokens is {budget}; "
                "raise it as far as the model's window allows, or leave the task out of the "
                "setup's tasks"
            )

    def model(self, setup: Setup, task: Task) -> Model:
        """The setup's model as it answers the task, its adapter on; never from the cache."""
        if self.suite.in_process(setup):
            return self.local.adapted(setup, task)
        if setup.tune and self.suite.backend(setup.model).weights:
            adapter = self.local.adapters[task.name, setup.name]
            digest, folder = adapter.digest, adapter.folder
            return self.engines.tuned(setup.model, digest, folder, whole=adapter.whole)
        return self.plain(self.suite.asks(setup))

    def engine(self, model: Model) -> Engine:
        """What a corner on this model is built from."""
        return Engine(model, self.retrieval, self.suite.temperature, self.suite.seed)

    def _writer(self, reference: str) -> Model:
        return self.kept(self.plain(self.workspace.moved.get(reference, reference)))

    def plain(self, reference: str) -> Model:
        """The model of a reference, without an adapter."""
        if self.suite.backend(reference).weights:
            return (self.engines.base if self.suite.engine else self.local.plain)(reference)
        return self.pool.model(reference)

    def kept(self, model: Model) -> Model:
        """The model with its answers kept, where there is a response cache."""
        return CachedModel(model, self.responses) if self.responses else model

    def close(self) -> None:
        if self._engines:
            self._engines.close()
        self.pool.close()
        if self.responses:
            self.responses.close()
