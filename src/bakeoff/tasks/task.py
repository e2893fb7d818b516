"""A task ready to run."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from bakeoff.core.words import BakeoffError, Document, Sample
from bakeoff.metrics.scorer import Context, Scorer
from bakeoff.runs.digests import TaskDigests
from bakeoff.spec.metric import Metric
from bakeoff.spec.task import TaskFile
from bakeoff.spec.wording import Wording


class Unavailable(BakeoffError):
    """A task whose data can be had neither from the hub nor from a local copy."""

    def __init__(self, task: str, reason: str) -> None:
        super().__init__(f"{task}: {reason}")
        self.reason = reason


@dataclass(frozen=True)
class Task:
    """A task ready to run: its samples, training samples, corpora and scorers."""

    file: TaskFile
    folder: Path
    samples: tuple[Sample, ...]
    train: tuple[Sample, ...]
    corpora: Mapping[str, tuple[Document, ...]]
    scorers: Mapping[Metric, Scorer]
    digests: TaskDigests
    left_out: tuple[Sample, ...] = ()
    """Training rows that are not used, because they (nearly) repeat a test row."""
    population: tuple[Sample, ...] = ()
    """Test rows before a benchmark's `limit`."""
    whole: int = 0
    """Test rows before a shard was cut from them, and a digest of their ids."""
    whole_ids: str = ""
    notes: tuple[str, ...] = ()
    """What reading its files had to guess, and what it left out."""
    after: str = ""
    """Where this is the state before a change: the task that is the state after it."""

    @property
    def name(self) -> str:
        return self.file.name

    @cached_property
    def wording(self) -> Wording:
        """How its questions are asked; made once for all of them."""
        return self.file.wording

    @property
    def unanswerable(self) -> int:
        """Test rows that say that there is no answer: to decline is right there."""
        return sum(not sample.answerable for sample in self.samples)

    @property
    def dropped(self) -> tuple[str, ...]:
        """Ids of the training rows left out."""
        return tuple(sorted(sample.id for sample in self.left_out))

    def corpus_name(self, chosen: Mapping[str, str]) -> str:
        """The corpus an open-book setup reads here: the chosen one, or the task's first."""
        return chosen.get(self.after or self.name) or next(iter(self.corpora), "")

    def context(self) -> Context:
        """What the task's scorers may know."""
        return Context(
            refusals=self.file.refusal.phrases if self.file.refusal else (),
            normalization=self.file.normalization,
            schema=self.file.json_schema,
            rules=self.file.rules,
            labels=self.file.labels,
            documents={d.id: d.text for docs in self.corpora.values() for d in docs},
            folder=self.folder,
        )

    def completion(self, sample: Sample) -> str:
        """The answer to train on: the first target, or the task's words for declining."""
        if sample.targets:
            return sample.targets[0]
        return self.file.refusal.say if self.file.refusal else ""
