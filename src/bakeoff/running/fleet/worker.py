"""A worker: opens what setups need as its brief says, and answers the chunks that it is given."""

from __future__ import annotations

import hashlib
import platform
import sys
import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

from bakeoff.core import child, made_elsewhere
from bakeoff.core.progress import Telling
from bakeoff.core.words import Answer, BakeoffError, Failure, Sample, Sending, digest, sha256_file
from bakeoff.metrics.registry import find_scorer
from bakeoff.models.response_cache import Responses
from bakeoff.running.environment import cache_folder
from bakeoff.running.fleet.messages import Brief, Call, Chunk, Got, Raised, Returned
from bakeoff.running.fleet.supply import Supply
from bakeoff.runs import machine
from bakeoff.runs.manifest import BatchCheck
from bakeoff.runs.opened import AdapterFacts, IndexFacts
from bakeoff.setups import adapting, answering, checking
from bakeoff.setups.builder import Resources, Workspace, local_dtype
from bakeoff.spec.benchmark import Setup, Suite
from bakeoff.spec.functions import file_digests
from bakeoff.spec.metric import Metric
from bakeoff.tasks.load import Task

FLUSH_S = 0.05
"""How long outcomes wait for others to be sent with."""
AHEAD_S = 0.005
"""What a lost worker can leave noted and never sent."""
MOST = 64
"""Outcomes in one message."""
WEIGHTS = (".safetensors", ".bin", "fig.json")
"""Endings of the files of an adapter: its weights, and how they are put on."""
Say = Callable[[object], None]


class Worker:
    """What the driver calls by name. `say` sends a message, `heard` waits for one."""

    def __init__(self, say: Say, heard: Callable[[], object]) -> None:
        self.say, self.heard = say, heard
        self.named: Mapping[str, str] = {}
        """Where a model is here -> its reference in the benchmark, where that is another one."""

    def hello(self, brief: Brief) -> tuple[dict[str, Any], tuple[str, str]]:
        """Take the brief; what answers depend on here, and (node, device)."""
        if brief.apart:
            supply = Supply(self.say, self.heard, cache_folder())
            made_elsewhere.share(supply)
            brief, self.named = supply.settled(brief)
        sys.path[:] = [*brief.paths, *(path for path in sys.path if path not in brief.paths)]
        self.tasks = {name: _scored(task, brief.suite) for name, task in brief.tasks.items()}
        moved = {reference: place for place, reference in self.named.items()}
        workspace = Workspace(brief.cache, brief.cache, None, brief.environment, moved)
        responses = Responses(brief.cache / "responses.sqlite") if brief.cached else None
        self.resources = Resources(brief.suite, brief.file, workspace, Telling(self.say), responses)
        known = identity(brief.suite, brief.file, brief.packages)
        return known, (platform.node(), machine.device())

    def prepare(self) -> tuple[Any, Any]:
        """Open models and indexes; what must be the same on all workers, and the facts."""
        opened = self.resources
        opened.prepare(self.tasks)
        indexes = {name: self._hashed(index) for name, index in opened.indexes.items()}
        digests = {name: [index.digest, index.sha256] for name, index in indexes.items()}
        models = {self.named.get(name, name): known for name, known in opened.models.items()}
        return [models, digests], (models, indexes)

    def _hashed(self, index: IndexFacts) -> IndexFacts:
        """With the bytes that it has here."""
        folder = self.resources.workspace.cache / "indexes" / index.digest
        return index.model_copy(update={"sha256": _sha256_of(folder, (".jsonl", ".faiss"))})

    def adapt(self, setup: str, task: str) -> tuple[Any, AdapterFacts]:
        """Train or find the weights of a setup; their digests, and the facts."""
        adapting.adapt(self.resources, self._setup(setup), self.tasks[task])
        facts = self.resources.adapters[f"{task}/{setup}"]
        sha256 = _sha256_of(self.resources.local.adapters[task, setup].folder, WEIGHTS)
        return [facts.digest, sha256], facts.model_copy(update={"sha256": sha256})

    def together(self, setup: str, task: str) -> tuple[None, list[list[int]] | None]:
        return None, answering.together(self.resources, self._setup(setup), self.tasks[task])

    def loadable(self, setup: str, task: str) -> tuple[None, bool]:
        """Whether its answers can be timed side by side."""
        made = answering.loaded(self.resources, self._setup(setup), self.tasks[task], 1)
        return None, made is not None

    def batch_checks(self) -> tuple[None, dict[str, BatchCheck]]:
        return None, checking.batch_checks(self.resources, self.tasks)

    def answer(self, chunk: Chunk) -> object:
        """Answer a chunk, telling outcomes as they are ready; how token counts have differed."""
        ready: list[tuple[int, Answer | Failure]] = []
        flushed = time.monotonic()
        # Functions are called in this order, so that quick calls can be noted several at once.
        ahead = Ahead(chunk.indices if self._setup(chunk.setup).call else ())

        def flush(sent: Sequence[int] = ()) -> None:
            nonlocal ready, flushed
            if ready or sent:
                self.say(Got(ready, sent))
            ready, flushed = [], time.monotonic()

        def sending(index: int) -> None:
            if sent := ahead.of(index):
                flush(sent)
                self.heard()
                ahead.go()

        for pair in self._outcomes(chunk, sending):
            ready.append(pair)
            if len(ready) >= MOST or time.monotonic() - flushed > FLUSH_S:
                flush()
        flush()
        return checking.token_checks(self.resources)

    def _outcomes(self, chunk: Chunk, sending: Sending) -> Iterator[tuple[int, Answer | Failure]]:
        setup, task = self._setup(chunk.setup), self.tasks[chunk.task]
        answer = (
            answering.loaded(self.resources, setup, task, chunk.concurrency)
            if chunk.concurrency
            else answering.answerer(self.resources, setup, task, cached=chunk.cached)
        )
        assert answer
        places, skip = _asked(chunk, task.samples)
        samples = [task.samples[place] for place in places]
        pairs = answer(
            samples,
            timed=chunk.timed,
            skip=skip,
            repeat=chunk.repeat,
            sending=lambda index: sending(places[index]),
        )
        for index, outcome in pairs:
            yield places[index], outcome

    def _setup(self, name: str) -> Setup:
        return self.resources.suite.setups[name]


class Ahead:
    """Which requests are noted together: of a known order, what goes out in `AHEAD_S` or so."""

    def __init__(self, order: Sequence[int]) -> None:
        self._order = {index: place for place, index in enumerate(order)}
        self._indices = order
        self._noted: set[int] = set()
        self._count = 1
        self._at = time.monotonic()

    def go(self) -> None:
        """They go out: waiting for the driver says nothing of how long they take."""
        self._at = time.monotonic()

    def of(self, index: int) -> Sequence[int]:
        """What is to be noted before the request of an index goes out; nothing where it is."""
        if index in self._noted:
            self._noted.remove(index)
            return ()
        quick = time.monotonic() - self._at < AHEAD_S
        self._count = min(2 * self._count, MOST) if quick else 1
        place = self._order.get(index)
        if place is None:
            return [index]
        sent = self._indices[place : place + self._count]
        self._noted.update(sent[1:])
        return sent


def _asked(chunk: Chunk, samples: tuple[Sample, ...]) -> tuple[list[int], set[int]]:
    """The places of the samples that are handed over, and which of them need no answer."""
    if chunk.whole:
        wanted = set(chunk.indices)
        return list(range(len(samples))), {i for i in range(len(samples)) if i not in wanted}
    if chunk.proven is None:
        return list(chunk.indices), set()
    return [*chunk.indices, chunk.proven], {len(chunk.indices)}


def _scored(task: Task, suite: Suite) -> Task:
    """The task with the scorer that training asks, where it does: scorers do not travel."""
    if not any(setup.tune and setup.tune.distill for setup in suite.setups.values()):
        return task
    headline = Metric.parse(task.file.headline_metric)
    return replace(task, scorers={headline: find_scorer(headline, task.folder)})


def _sha256_of(folder: Path, endings: tuple[str, ...]) -> str:
    """Of the files in a folder whose names end so; times and paths stand in others."""
    files = sorted(file for file in folder.iterdir() if file.name.endswith(endings))
    whole = "\n".join(f"{file.name} {sha256_file(file)}" for file in files)
    return hashlib.sha256(whole.encode()).hexdigest()


def identity(suite: Suite, file: Path, packages: Collection[str]) -> dict[str, Any]:
    """What answers depend on before anything is opened: versions, code, functions, dtype."""
    own = Path(__file__).parents[2]
    sources = {str(path.relative_to(own)): path for path in sorted(own.rglob("*.py"))}
    functions = sorted({name for setup in suite.setups.values() for name in setup.functions})
    return {
        "python": platform.python_version(),
        **{name: machine.version(name) for name in packages},
        "code of bakeoff": digest({name: sha256_file(path) for name, path in sources.items()}),
        **file_digests(functions, file.parent),
        "dtype": local_dtype(suite, file),
    }


def serve(say: Say, heard: Callable[[], object]) -> None:
    """Do what the driver calls. Ends by what `say` and `heard` raise, once the driver is gone."""
    worker = Worker(say, heard)
    say(Returned())
    while True:
        call = heard()
        assert isinstance(call, Call)
        try:
            done = Returned(getattr(worker, call.name)(*call.given))
        except DriverGone:
            raise
        except BaseException as error:
            say(Raised.of(error))
        else:
            say(done)


class DriverGone(BaseException):
    """There is nobody to work for."""


def secrets(suite: Suite, environment: Mapping[str, str]) -> dict[str, str]:
    """The variables that the benchmark's connections name, as far as they are set."""
    from bakeoff.spec.keys import secrets_of

    named: dict[str, str] = {}
    for where, spec in suite.connections.items():
        # A connection that is in use was checked before; another one may lack its key.
        with suppress(BakeoffError):
            named |= secrets_of(spec, where, environment)
    return named


def main() -> None:
    """A worker in a process of its own: `python -m bakeoff.running.fleet.worker SOCKET`."""
    link = child.parent()

    def say(message: object) -> None:
        with _driver():
            link.send(message)

    def heard() -> object:
        with _driver():
            return link.recv()

    with suppress(DriverGone):
        serve(say, heard)


@contextmanager
def _driver() -> Iterator[None]:
    try:
        yield
    except (EOFError, OSError) as error:
        raise DriverGone from error


if __name__ == "__main__":
    main()
