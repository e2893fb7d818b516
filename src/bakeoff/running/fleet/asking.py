"""Setups answered by a fleet: the same as in this process, but for who answers."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from bakeoff.core.progress import Progress
from bakeoff.core.words import (
    Answer,
    Answerer,
    Failure,
    Sample,
    Sending,
    faults,
    unwatched,
)
from bakeoff.running.fleet.chunks import KILLS, Parts
from bakeoff.running.fleet.fleet import Fleet, Job, Worker, take
from bakeoff.running.fleet.messages import Chunk, Go, Got, Lost, Returned, Site
from bakeoff.running.plan import Plan
from bakeoff.running.shares import places
from bakeoff.runs.manifest import BatchCheck, Fingerprint, TokenCheck, WorkerFacts
from bakeoff.runs.opened import AdapterFacts, EngineFacts, IndexFacts
from bakeoff.setups.builder import Workspace
from bakeoff.spec.benchmark import Setup
from bakeoff.tasks.load import Task

Outcomes = Iterator[tuple[int, Answer | Failure]]


@dataclass
class OnFleet:
    """All setups answer on the workers of a fleet. See `running.answering.Answering`."""

    fleet: Fleet
    models: Mapping[str, Fingerprint] = field(default_factory=dict)
    adapters: dict[str, AdapterFacts] = field(default_factory=dict)
    indexes: Mapping[str, IndexFacts] = field(default_factory=dict)
    engines: Mapping[str, EngineFacts] = field(default_factory=dict)
    """None: a fleet refuses them."""
    _timing: Worker | None = None
    """The worker of the latency pass."""

    @property
    def workers(self) -> tuple[WorkerFacts, ...]:
        return self.fleet.workers

    def prepare(self, tasks: Mapping[str, Task]) -> None:
        self.models, self.indexes = self.fleet.step("prepare")

    def adapt(self, setup: Setup, task: Task) -> None:
        self.adapters[f"{task.name}/{setup.name}"] = self.fleet.step("adapt", setup.name, task.name)

    def answerer(self, setup: Setup, task: Task, *, cached: bool = True) -> Answerer:
        batches: list[list[int]] | None = None
        asked_before = False

        def answer(
            samples: Sequence[Sample],
            *,
            timed: bool = False,
            skip: Collection[int] = (),
            repeat: int = 0,
            sending: Sending = unwatched,
        ) -> Outcomes:
            nonlocal batches, asked_before
            chunk = Chunk(task.name, setup.name, (), repeat, cached=cached, timed=timed)
            if timed:
                yield from self._alone(task, samples, chunk)
                return
            if not asked_before:
                batches = self.fleet.call("together", setup.name, task.name)
                asked_before = True
            wanted = tuple(index for index in range(len(samples)) if index not in skip)
            proven = next((i for i in range(len(samples)) if i in skip), None)
            model = Chunk(
                *(task.name, setup.name, wanted, repeat, batches is not None, proven, cached)
            )
            room = places(self.fleet.suite, setup, self.fleet.site.size)
            yield from self._shared(Parts(model, batches, room), room, sending)

        return answer

    def loaded(self, setup: Setup, task: Task, concurrency: int) -> Answerer | None:
        local = setup.custom or self.fleet.suite.backend(setup.model).weights
        if not setup.endpoint and local:
            return None
        if not self.fleet.call("loadable", setup.name, task.name):
            return None

        def answer(samples: Sequence[Sample], *, timed: bool = False, **_: object) -> Outcomes:
            chunk = Chunk(
                *(task.name, setup.name, ()), cached=False, timed=timed, concurrency=concurrency
            )
            return self._alone(task, samples, chunk)

        return answer

    def token_checks(self) -> dict[str, TokenCheck]:
        every = [*self.fleet.tokens, *(worker.tokens for worker in self.fleet.alive)]
        known = dict.fromkeys(reference for one in every for reference in one)
        return {name: _summed([one[name] for one in every if name in one]) for name in known}

    def batch_checks(self, tasks: Mapping[str, Task]) -> dict[str, BatchCheck]:
        checked: dict[str, BatchCheck] = self.fleet.call("batch_checks")
        return checked

    def close(self) -> None:
        self.fleet.close()

    def _shared(self, parts: Parts, room: int, sending: Sending) -> Outcomes:
        """Outcomes of all chunks, from all workers that may ask the setup."""
        fleet = self.fleet
        while True:
            for worker in fleet.idle(room):
                if (part := parts.next()) is None:
                    break
                fleet.give(worker, part)
            if not any(isinstance(worker.busy, Job) for worker in fleet.alive) and parts.over:
                return
            waiting = []
            for worker, message in fleet.listen():
                yield from _taken(parts, worker, message)
                waiting.append((worker, message))
            # Behind all outcomes that have come: what stops the next request loses none of them.
            for worker, message in waiting:
                _let_go(worker, message, sending)

    def _alone(self, task: Task, samples: Sequence[Sample], chunk: Chunk) -> Outcomes:
        """Outcomes from one worker, while all others are idle."""
        known = {sample.id: index for index, sample in enumerate(task.samples)}
        indices = [known[sample.id] for sample in samples]
        parts = Parts(replace(chunk, indices=tuple(indices)), [indices], 1)
        while True:
            timer = self._timer()
            if timer and timer.busy is None and (part := parts.next()):
                self.fleet.give(timer, part)
            if parts.over and not any(isinstance(w.busy, Job) for w in self.fleet.alive):
                return
            for worker, message in self.fleet.listen(catching_up=timer is None):
                for index, outcome in _taken(parts, worker, message):
                    yield indices.index(index), outcome
                _let_go(worker, message, unwatched)

    def _timer(self) -> Worker | None:
        """The worker that times, as soon as nobody else is at work."""
        if self._timing not in self.fleet.alive:
            self._timing = next(iter(self.fleet.idle(self.fleet.site.size)), None)
        others = (worker for worker in self.fleet.alive if worker is not self._timing)
        return None if any(worker.busy for worker in others) else self._timing


def _taken(parts: Parts, worker: Worker, message: object) -> Outcomes:
    job = worker.busy
    if not isinstance(job, Job):
        return
    if isinstance(message, Got):
        take(worker, job, message)
        yield from message.outcomes
    elif isinstance(message, Returned):
        worker.tokens, worker.busy = message.value, None
    elif isinstance(message, Lost):
        reason = f"lost: {KILLS} workers ended over it, the last one: {message.reason}"
        for index in parts.lost(job.part, list(job.left), job.sent):
            yield index, Failure(reason)


def _summed(checks: Sequence[TokenCheck]) -> TokenCheck:
    """What several workers counted, as if one had."""
    return TokenCheck(
        checked=sum(check.checked for check in checks),
        differing=sum(check.differing for check in checks),
        largest=max(check.largest for check in checks),
    )


def on_fleet(plan: Plan, workspace: Workspace, progress: Progress, site: Site) -> OnFleet:
    """Workers of a site, that start to work. Raises `BakeoffError` for what cannot travel."""
    faults(
        [
            f"{plan.file}: setups.{name}: a function of the calling program cannot be asked on "
            "workers; name it by its file (call: ./file.py::name), or run in this process"
            for name in plan.functions
        ]
    )
    return OnFleet(Fleet(plan, workspace, progress, site))


def _let_go(worker: Worker, message: object, sending: Sending) -> None:
    """Tell of the requests that a worker is about to send, and let it."""
    if isinstance(message, Got) and message.sent:
        for index in message.sent:
            sending(index)
        worker.link.send(Go())
