"""The two optional parts of a setup, `tune` and `retrieve`, and what they may say."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated

from pydantic import Field, model_validator

from bakeoff.files import File


class Tune(File):
    """A LoRA recipe. `adapter` names a ready PEFT adapter instead of training one."""

    adapter: str | None = None
    rows: Annotated[int, Field(ge=2)] | None = None
    """Train on a seeded, stratified sample of so many rows; all of them when left out."""
    rank: Annotated[int, Field(ge=1)] = 16
    alpha: Annotated[int, Field(ge=1)] = 32
    dropout: Annotated[float, Field(ge=0, lt=1)] = 0.0
    learning_rate: Annotated[float, Field(gt=0)] = 1e-3
    epochs: Annotated[int, Field(ge=1)] = 4
    batch_size: Annotated[int, Field(ge=1)] = 16
    open_book: Annotated[float, Field(ge=0, le=1)] = 0.25
    """Share of the training rows that are also shown with retrieved passages."""
    validation: Annotated[float, Field(gt=0, lt=1)] = 0.05
    """Share of the training rows held out; the epoch with its lowest loss is kept."""
    patience: Annotated[int, Field(ge=1)] = 2
    """Stop after so many epochs without a lower validation loss."""


class Retrieve(File):
    """What an open-book setup reads: the task's corpus unless `corpus` names another one."""

    corpus: Mapping[str, str] = {}
    """Task name -> corpus name, where it is not the task's default."""
    embedder: str = "embedded"
    k: Annotated[int, Field(ge=1)] = 3
    chunk_words: Annotated[int, Field(ge=16)] = 120
    overlap_words: Annotated[int, Field(ge=0)] = 24
    context_tokens: Annotated[int, Field(ge=32)] = 640
    """Passages that would take the context past this many tokens are left out, last first."""

    @model_validator(mode="after")
    def _overlap_below_chunk(self) -> Retrieve:
        if self.overlap_words >= self.chunk_words:
            raise ValueError(f"overlap_words must be below chunk_words ({self.chunk_words})")
        return self
