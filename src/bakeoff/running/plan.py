"""What is to be run: a benchmark, its tasks, and which part of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from bakeoff.core.words import Sample
from bakeoff.running.facts import blank_manifest, metric_facts
from bakeoff.runs.manifest import Manifest
from bakeoff.spec.benchmark import Forced, Suite
from bakeoff.spec.functions import Functions, file_digests
from bakeoff.spec.self_judged import UNKNOWN, Known, self_judged
from bakeoff.spec.shipped import shown
from bakeoff.tasks.load import Selection, Task

if TYPE_CHECKING:
    from bakeoff.decide.gates.language import Scope
    from bakeoff.models.batched import Batch


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
    executor: str = "here"
    """What carries it out: a name in `executors.EXECUTORS`, and how, as in `processes:2`."""
    functions: Functions = field(default_factory=dict, repr=False)
    """The setups that are functions of the calling program."""

    batch: Batch | None = None
    """What answers for the endpoints instead of them."""

    @property
    def scope(self) -> Scope:
        """What gates can name."""
        from bakeoff.decide.gates.language import Scope

        return Scope(
            list(self.suite.setups),
            {
                name: {str(m): metric_facts(s, "").measure for m, s in task.scorers.items()}
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

    def self_judged(self, models: Known = UNKNOWN, judges: Known = UNKNOWN) -> list[str]:
        """A sentence for each judge that is the model of setups which it judges.

        `models` and `judges` are the fingerprints of what was opened.
        """
        asking = {
            name: {str(metric): scorer.asks for metric, scorer in task.scorers.items()}
            for name, task in self.tasks.items()
        }
        return self_judged(self.suite, asking, models, judges)

    @property
    def repeats_to_confirm(self) -> int:
        """How often every sample is asked in all where a failed gate is asked again."""
        return self.suite.repeats + self.suite.policy.confirm

    @property
    def cells(self) -> int:
        """Answers of the quality pass."""
        return self.suite.repeats * sum(
            len(task.samples)
            for task in self.tasks.values()
            for setup in self.suite.setups.values()
            if setup.takes(task.name)
        )

    @cached_property
    def manifest(self) -> Manifest:
        """The manifest of a run of it, before anything is asked."""
        forced = self.suite.dtype
        # A command cannot bring functions along.
        live = "bakeoff.run(setups=...) of" if self.functions else "bakeoff run"
        command = [
            *("bakeoff batch read" if self.batch else live, shown(self.file)),
            *self.selection.arguments(),
            *([f"--dtype {forced.force}"] if isinstance(forced, Forced) else []),
        ]
        parts = {
            "file": shown(self.file),
            "command": " ".join(command),
            "night": self.night,
            "skipped": dict(self.skipped),
            "code": file_digests(
                sorted({f for setup in self.suite.setups.values() for f in setup.functions}),
                self.file.parent,
            ),
        }
        blank = blank_manifest(self.suite, self.selection, self.tasks)
        return blank.model_copy(update=parts)
