"""A run that is going on: its plan, what is open for it, and its manifest as it grows."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bakeoff.core.progress import Progress
from bakeoff.running.answering import Answering
from bakeoff.running.background_scoring import BackgroundScoring
from bakeoff.running.plan import Plan
from bakeoff.running.spending import Meter
from bakeoff.runs import store
from bakeoff.runs.manifest import Manifest, WorkerFacts
from bakeoff.spec.benchmark import Setup


@dataclass
class RunState:
    """A run that is going on."""

    plan: Plan
    folder: Path
    manifest: Manifest
    answering: Answering
    progress: Progress
    meter: Meter
    retry: bool
    """Whether cells that failed before are asked again."""
    scoring: BackgroundScoring
    meanwhile: Callable[[], None]
    """What is done in a thread of its own from the first question on."""
    asking: threading.Event = field(default_factory=threading.Event)
    """Set when the first request goes out, or none is needed."""
    computed: set[str] = field(default_factory=set)
    """Setups that have made an answer since this process began; one from the cache is none."""
    _noted: tuple[WorkerFacts, ...] = ()
    """The workers of now that the manifest has already."""

    def save(self) -> None:
        store.write_manifest(self.folder, self.manifest)

    def record(self, **parts: Any) -> None:
        """Replace parts of the manifest."""
        self.manifest = self.manifest.model_copy(update=parts)

    def record_checks(self, **parts: Any) -> None:
        self.record(checks=self.manifest.checks.model_copy(update=parts))

    def record_opened(self) -> None:
        """Record in the manifest what was opened, made or reused so far."""
        answering = self.answering
        self.record(
            models=dict(answering.models),
            adapters=dict(answering.adapters),
            indexes=dict(answering.indexes),
            engines=dict(answering.engines),
        )
        self.save()

    def record_workers(self) -> None:
        """Record the workers in the manifest, after those from before the run was resumed."""
        now = self.answering.workers
        before = [worker for worker in self.manifest.workers if worker not in self._noted]
        self._noted = now
        self.record(workers=(*before, *now))

    def is_warm(self, setup: Setup, task: str) -> bool:
        """Whether the setup's model is in this process and has answered there.

        A server is never sure to be: what it keeps of prompts is another thing with each task.
        Nor are weights that were trained whole: those of another task have answered, it may be.
        """
        suite = self.plan.suite
        here = suite.in_process(setup) and not self.answering.workers
        whole = setup.tune and suite.use(task).recipe(setup.tune).method == "full"
        return here and not whole and setup.name in self.computed

    @contextmanager
    def timed(self, phase: str) -> Iterator[None]:
        """Add the seconds of a phase to the manifest."""
        started = time.perf_counter()
        try:
            yield
        finally:
            seconds = self.manifest.seconds
            spent = seconds.get(phase, 0.0) + time.perf_counter() - started
            self.record(seconds={**seconds, phase: round(spent, 3)})
