"""The driver's side of a fleet: who is there, what each worker has opened, who does what next."""

from __future__ import annotations

import sys
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from bakeoff.core.progress import Progress, Told
from bakeoff.core.words import BakeoffError, Incomplete
from bakeoff.running.fleet.chunks import KILLS, Part
from bakeoff.running.fleet.depot import Depot, apart
from bakeoff.running.fleet.messages import (
    Brief,
    Call,
    Got,
    Handed,
    Link,
    Lost,
    Raised,
    Read,
    Returned,
    Site,
    Wanted,
    Whole,
)
from bakeoff.running.fleet.worker import identity, secrets
from bakeoff.running.plan import Plan
from bakeoff.running.shares import shared
from bakeoff.runs import machine
from bakeoff.runs.manifest import TokenCheck, WorkerFacts
from bakeoff.setups.builder import Workspace

LISTEN_S = 1.0
STARTS = 3
"""Workers in a row that may end before they have opened what the run needs."""


@dataclass(eq=False)
class Step:
    """What every worker does before it answers, the first one for all of them."""

    call: Call
    identity: Any = None
    """What it must come to on every worker; `None` until the first has done it."""
    value: Any = None


@dataclass(eq=False)
class Job:
    """A chunk that a worker is answering."""

    part: Part
    left: dict[int, None]
    """Places without an outcome, in the order of asking."""
    sent: set[int] = field(default_factory=set)


@dataclass(eq=False)
class Worker:
    """A worker as the driver knows it."""

    place: int
    link: Link
    facts: WorkerFacts
    busy: object | None
    """The `Step`, `Call` or `Job` that it is at; a text while it starts."""
    done: int = 0
    """Steps that it has taken."""
    began: float = field(default_factory=time.monotonic)
    tokens: Mapping[str, TokenCheck] = field(default_factory=dict)

    @property
    def name(self) -> str:
        return f"worker {self.place + 1}" + (f" on {self.facts.node}" if self.facts.node else "")

    def count(self, **more: int) -> None:
        counts = {name: getattr(self.facts, name) + number for name, number in more.items()}
        self.facts = self.facts.model_copy(update=counts)

    def ended(self, lost: str = "") -> WorkerFacts:
        seconds = round(time.monotonic() - self.began, 3)
        return self.facts.model_copy(update={"seconds": seconds, "lost": lost})


class Fleet:
    """The workers of a run: started, led through the same steps, replaced when they are lost."""

    def __init__(self, plan: Plan, workspace: Workspace, progress: Progress, site: Site) -> None:
        self.suite, self.progress, self.site = plan.suite, progress, site
        # Scorers stay: they are functions of modules that a worker need not have.
        tasks = {name: replace(task, scorers={}) for name, task in plan.tasks.items()}
        known = secrets(plan.suite, workspace.environment)
        # bakeoff itself is compared by its code, which workers may have from here.
        own = {"python", "bakeoff"}
        packages = tuple(name for name in machine.versions() if name not in own)
        self.brief = Brief(
            *(plan.suite, plan.file, tasks, workspace.cache, known, plan.cached),
            paths=tuple(sys.path),
            packages=packages,
        )
        if site.apart:
            self.brief = apart(self.brief)
        self.depot = Depot(self.brief)
        self.steps = [Step(Call("hello"), identity(plan.suite, plan.file, packages))]
        self.gone: list[WorkerFacts] = []
        self.tokens: list[Mapping[str, TokenCheck]] = []
        self.alive: list[Worker] = []
        self._failed_starts: Counter[int] = Counter()
        self._leader: Worker | None = None
        """The worker that takes a step first."""
        self._unit = False
        """Whether it has a unit of work open in `progress`."""
        for place in range(site.size):
            self._start(place)

    @property
    def workers(self) -> tuple[WorkerFacts, ...]:
        """Who took part, those that were lost first."""
        return (*self.gone, *(worker.ended() for worker in self.alive))

    def _start(self, place: int) -> None:
        facts = WorkerFacts(node="", device="")
        self.alive.append(Worker(place, self.site.start(place), facts, "starting"))

    def idle(self, places: int) -> list[Worker]:
        """Workers of the first places that have opened everything and do nothing."""
        return [
            worker
            for worker in self.alive
            if worker.busy is None and worker.done == len(self.steps) and worker.place < places
        ]

    def give(self, worker: Worker, part: Part) -> None:
        worker.busy = Job(part, dict.fromkeys(part.chunk.indices))
        worker.link.send(Call("answer", (part.chunk,)))

    def step(self, name: str, *given: Any) -> Any:
        """Have one worker do it, and all others after it; what it came to."""
        step = Step(Call(name, given))
        self._once(step)
        self.steps.append(step)
        assert self._leader
        self._leader.done += 1
        self._leader = None
        return step.value

    def call(self, name: str, *given: Any) -> Any:
        """What one worker says."""
        step = Step(Call(name, given))
        self._once(step)
        self._leader = None
        return step.value

    def _once(self, step: Step) -> None:
        losses = 0
        self._leader = None
        while True:
            if self._leader is None and (idle := self.idle(self.site.size)):
                self._leader = idle[0]
                self._leader.busy = step
                self._leader.link.send(step.call)
            done = False
            # To the end: others may have said something at the same time.
            for worker, message in self.listen():
                if isinstance(message, Returned) and worker.busy is step:
                    step.identity, step.value = message.value
                    worker.busy, done = None, True
                if isinstance(message, Lost) and worker is self._leader:
                    self._leader = None
                    losses += 1
                    if losses == KILLS:
                        raise Incomplete(
                            f"{KILLS} workers ended during '{step.call.name}', the last one: "
                            f"{message.reason}. Finished work is kept; the same command resumes"
                        )
            if done:
                return

    def listen(self, *, catching_up: bool = True) -> Iterator[tuple[Worker, object]]:
        """What workers said of their jobs, and who was lost; others are led through the steps.

        Raises what a worker raised.
        """
        if catching_up:
            for worker in self.alive:
                self._lead(worker)
        known = {worker.link: worker for worker in self.alive}
        for link, message in self.site.wait(list(known), LISTEN_S):
            worker = known[link]
            if isinstance(message, Told):
                # One worker's words are enough: the others open the same.
                if worker is self._leader:
                    self._tell(message)
            elif isinstance(message, Wanted | Read | Handed | Whole):
                if answer := self.depot.answer(message):
                    worker.link.send(answer)
            elif isinstance(message, Raised):
                raise message.error
            elif isinstance(message, Lost):
                self._lose(worker, message.reason)
                yield worker, message
            elif isinstance(message, Returned) and self._prepared(worker, message.value):
                pass
            else:
                yield worker, message

    def _tell(self, message: Told) -> None:
        message.on(self.progress)
        if message.name in ("start", "finish"):
            self._unit = message.name == "start"

    def _lead(self, worker: Worker) -> None:
        """Give a worker the step that comes next for it, if any."""
        if worker.busy is None and worker.done < len(self.steps):
            step = self.steps[worker.done]
            worker.busy = step
            call = step.call
            if not worker.done:
                suite = shared(self.suite, worker.place, self.site.size)
                call = replace(call, given=(replace(self.brief, suite=suite),))
            worker.link.send(call)

    def _prepared(self, worker: Worker, value: Any) -> bool:
        """Take in that a worker has started, or taken a step that others took before it."""
        if worker.busy == "starting":
            worker.busy = None
            return True
        step = worker.busy
        if not isinstance(step, Step) or step not in self.steps:
            return False
        identity, facts = value
        if not worker.done:
            node, device = facts
            worker.facts = worker.facts.model_copy(update={"node": node, "device": device})
        worker.busy = None
        worker.done += 1
        if identity != step.identity:
            self._refuse(worker, difference(step.identity, identity))
        return True

    def _refuse(self, worker: Worker, why: str) -> None:
        """Set a worker aside that would not answer as the others do; none takes its place."""
        self._end(worker, f"refused: {why}")
        self.progress.note(f"{worker.name} is refused: {why}")
        if not self.alive:
            raise BakeoffError(f"no worker is left: {worker.name}: {why}")

    def _lose(self, worker: Worker, reason: str) -> None:
        """Set a worker aside, and start another one in its place."""
        if worker is self._leader:
            self.depot.forget()
            if self._unit:
                self._tell(Told("finish", ()))
        self._end(worker, reason)
        self.progress.note(f"{worker.name} is lost: {reason}")
        ready = worker.done == len(self.steps)
        self._failed_starts[worker.place] = 0 if ready else self._failed_starts[worker.place] + 1
        if self._failed_starts[worker.place] < STARTS:
            self._start(worker.place)
        elif not self.alive:
            raise Incomplete(
                f"no worker can be kept: the last {STARTS} ended before they answered: {reason}"
            )

    def _end(self, worker: Worker, reason: str) -> None:
        worker.link.close()
        self.alive.remove(worker)
        self.tokens.append(worker.tokens)
        if isinstance(worker.busy, Job):
            worker.count(repeated=len(worker.busy.left))
        self.gone.append(worker.ended(reason))

    def close(self) -> None:
        for worker in self.alive:
            worker.link.close()
        self.site.close()


def difference(expected: Any, here: Any) -> str:
    """What a worker has otherwise than the others, in words."""
    if isinstance(expected, Mapping) and isinstance(here, Mapping):
        odd = sorted(k for k in {*expected, *here} if expected.get(k) != here.get(k))
        return "; ".join(f"{k} is {here.get(k)}, and {expected.get(k)} elsewhere" for k in odd)
    if isinstance(expected, list) and isinstance(here, list):
        pairs = zip(expected, here, strict=False)
        return "; ".join(difference(one, other) for one, other in pairs if one != other)
    return f"it has {here}, and the others have {expected}"


def take(worker: Worker, job: Job, message: Got) -> None:
    """Take in what a worker answered of its job."""
    for index, _ in message.outcomes:
        job.left.pop(index, None)
        job.sent.discard(index)
    kind = "timed" if job.part.chunk.timed or job.part.chunk.concurrency else "cells"
    worker.count(**{kind: len(message.outcomes)})
    job.sent.update(message.sent)
