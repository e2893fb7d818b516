"""What a run opened: adapters and how they were trained, engines, indexes."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from bakeoff.spec.yaml_files import Known, Stored


class Epoch(Stored):
    """A point of a training curve: the losses of an epoch, by answer token."""

    epoch: float
    train_loss: Known[float] = None
    validation_loss: Known[float] = None


class Trial(Stored):
    """A recipe that a sweep tried: what was varied, and what came of it."""

    rank: int
    learning_rate: float
    epochs: int
    validation_loss: float
    seconds: float


class Training(Stored):
    """What training took, and how its loss went. Of a sweep: all its trials, and the best curve."""

    rows: int
    validation_rows: Known[int] = None
    epochs: Known[float] = None
    tokens: int
    """Tokens the network read in training, padding left out."""
    seconds: float
    peak_memory_mb: float
    """Of several processes, that of all together."""
    rows_by_process: Known[tuple[int, ...]] = None
    """Where several processes trained: the rows that each read, in all epochs."""
    curve: tuple[Epoch, ...] = ()
    best_epoch: Known[float] = None
    objective: Known[str] = None
    learnt: Mapping[str, Any] = {}
    """What is to be known of the rows, such as the realised share of gold passages."""
    trials: tuple[Trial, ...] = ()

    @property
    def validation_loss(self) -> float:
        """The lowest of the curve; infinite where none was measured."""
        losses = (point.validation_loss for point in self.curve)
        return min((loss for loss in losses if loss is not None), default=math.inf)


class AdapterFacts(Stored):
    """Tuned weights of a setup for a task."""

    digest: str
    reused: bool = False
    training: Training | None = None
    """`None` for a ready adapter, made outside of bakeoff."""
    sha256: Known[str] = None
    """Of its weights, where several workers had to have the same bytes."""


class EngineFacts(Stored):
    """A server that bakeoff started on a set of weights, as it was at the end."""

    kind: str
    version: str = ""
    arguments: str = ""
    """Of its command, without what is of one machine."""
    weights: str
    """Their digest."""
    adapters: tuple[str, ...] = ()
    """Digests of the adapters that it served."""
    start_s: Known[float] = None
    """Seconds of its last start."""
    restarts: int = 0
    """How often it ended by itself and was started again."""


class IndexWork(Stored):
    """What it took to build an index."""

    passages: int
    embedded: int
    """Passages that no earlier index had embedded."""
    embed_s: float
    build_s: float
    bytes: int
    kind: str = ""

    @property
    def pace(self) -> float | None:
        """Seconds of embedding a passage; `None` where all of them came from a cache."""
        return self.embed_s / self.embedded if self.embedded else None


class IndexFacts(Stored):
    """An index over the documents of a task."""

    corpus: str = ""
    documents: int = 0
    splitter: Mapping[str, Any] = {}
    embedder: str = ""
    """Its digest; empty where no vectors are searched."""
    index: str = ""
    format: int = 1
    digest: str
    passages: int
    work: Known[IndexWork] = None
    setups: Known[tuple[str, ...]] = None
    """The setups that read it; older runs do not record it."""
    changed: Known[int] = None
    """Passages that are not in the index of the time before a change."""
    sha256: Known[str] = None
    """Of its passages and vectors, where several workers had to have the same bytes."""

    def seconds(self, passages: int, earlier: IndexFacts | None = None) -> float | None:
        """What embedding so many passages and building the index take; `None` if not measured.

        The pace of embedding is that of this index or, where a cache had all, of an earlier one.
        """
        if self.work is None:
            return None
        if not self.embedder:
            return self.work.build_s
        known = [index.work.pace for index in (self, earlier) if index and index.work]
        pace = next((pace for pace in known if pace is not None), None)
        return None if pace is None else passages * pace + self.work.build_s
