"""Where a run's setups are opened and answer: in this process, or on the workers of a fleet."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Protocol

from bakeoff.core.progress import Progress
from bakeoff.core.words import Answerer
from bakeoff.models.response_cache import Responses
from bakeoff.running.plan import Plan
from bakeoff.runs.manifest import BatchCheck, Fingerprint, TokenCheck, WorkerFacts
from bakeoff.runs.opened import AdapterFacts, EngineFacts, IndexFacts
from bakeoff.setups import adapting, answering, checking
from bakeoff.setups.builder import Resources, Workspace
from bakeoff.spec.benchmark import Setup
from bakeoff.tasks.load import Task


class Answering(Protocol):
    """Opens what setups need, makes their answerers, and knows what was opened for them.

    Its methods raise `BakeoffError` where something cannot be had. Close it after use.
    """

    @property
    def models(self) -> Mapping[str, Fingerprint]: ...
    @property
    def adapters(self) -> Mapping[str, AdapterFacts]: ...
    @property
    def indexes(self) -> Mapping[str, IndexFacts]: ...
    @property
    def engines(self) -> Mapping[str, EngineFacts]:
        """The servers that were started for them."""
        ...

    @property
    def workers(self) -> tuple[WorkerFacts, ...]:
        """Who answered, and what came of them; none for this process."""
        ...

    def prepare(self, tasks: Mapping[str, Task]) -> None:
        """Load the models and build the indexes that the setups will need for these tasks."""
        ...

    def adapt(self, setup: Setup, task: Task) -> None:
        """Train or find the weights that the setup answers the task with."""
        ...

    def answerer(self, setup: Setup, task: Task, *, cached: bool = True) -> Answerer:
        """Answers samples of the task; from the response cache, too, where `cached`."""
        ...

    def loaded(self, setup: Setup, task: Task, concurrency: int) -> Answerer | None:
        """Times answers made side by side, so many at once; `None` for what is not over HTTP."""
        ...

    def token_checks(self) -> dict[str, TokenCheck]: ...
    def batch_checks(self, tasks: Mapping[str, Task]) -> dict[str, BatchCheck]: ...
    def close(self) -> None: ...


Opens = Callable[[Plan, Workspace, Progress], Answering]
"""Opens nothing yet but what the answers come from."""


@dataclass(frozen=True)
class Here:
    """All setups answer in this process."""

    resources: Resources

    @property
    def models(self) -> Mapping[str, Fingerprint]:
        return self.resources.models

    @property
    def adapters(self) -> Mapping[str, AdapterFacts]:
        return self.resources.adapters

    @property
    def indexes(self) -> Mapping[str, IndexFacts]:
        return self.resources.indexes

    @property
    def engines(self) -> Mapping[str, EngineFacts]:
        return self.resources.engine_facts()

    @property
    def workers(self) -> tuple[WorkerFacts, ...]:
        return ()

    def prepare(self, tasks: Mapping[str, Task]) -> None:
        self.resources.prepare(tasks)

    def adapt(self, setup: Setup, task: Task) -> None:
        adapting.adapt(self.resources, setup, task)

    def answerer(self, setup: Setup, task: Task, *, cached: bool = True) -> Answerer:
        return answering.answerer(self.resources, setup, task, cached=cached)

    def loaded(self, setup: Setup, task: Task, concurrency: int) -> Answerer | None:
        return answering.loaded(self.resources, setup, task, concurrency)

    def token_checks(self) -> dict[str, TokenCheck]:
        return checking.token_checks(self.resources)

    def batch_checks(self, tasks: Mapping[str, Task]) -> dict[str, BatchCheck]:
        return checking.batch_checks(self.resources, tasks)

    def close(self) -> None:
        self.resources.close()


def here(plan: Plan, workspace: Workspace, progress: Progress) -> Here:
    """In this process."""
    responses = Responses(workspace.cache / "responses.sqlite") if plan.cached else None
    parts = (plan.suite, plan.file, workspace, progress, responses)
    return Here(Resources(*parts, plan.functions, plan.batch))
