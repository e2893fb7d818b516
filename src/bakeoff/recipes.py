"""The two optional parts of a setup, `tune` and `retrieve`, and what they may say."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from bakeoff.files import File


class Pretraining(File):
    """Continued pre-training on the documents that open-book setups read."""

    paraphrases: Annotated[int, Field(ge=0)] = 0
    """Rewordings of every piece of text that are learnt beside it."""
    by: str = ""
    """Who rewords: a model, or JSON Lines files of `document` and `text` from the task's folder;
    the setup's own model when left out."""


class Raft(File):
    """Answers learnt beside passages of which some, or all, do not help (Zhang et al. 2024)."""

    gold: Annotated[float, Field(ge=0, le=1)] = 0.8
    """Probability that the passages hold one of a gold document."""
    distractors: Annotated[int, Field(ge=0)] = 2
    """Passages of other documents, the nearest to the question; the context has one more."""


class Distillation(File):
    """Answers of another setup of the benchmark to the training questions, the good ones learnt."""

    teacher: str
    """The setup whose answers are learnt."""
    right: Annotated[float, Field(ge=0, le=1)] = 1.0
    """The least score in the task's headline metric."""
    supported: Annotated[float, Field(ge=0, le=1)] = 0.5
    """The least share of an answer's claims that its passages support, where it makes claims."""
    cited: bool = False
    """Whether an answer must name a passage by its number, such as `[1]`."""


class Sweep(File):
    """Recipes to try; the one with the lowest loss on the validation rows is used."""

    rank: tuple[Annotated[int, Field(ge=1)], ...] = ()
    """`alpha` keeps its ratio to the rank."""
    learning_rate: tuple[Annotated[float, Field(gt=0)], ...] = ()
    epochs: tuple[Annotated[int, Field(ge=1)], ...] = ()
    budget: Annotated[int, Field(ge=1)] = 6
    """Recipes tried at most, a seeded choice of all combinations."""

    @model_validator(mode="after")
    def _tries_something(self) -> Sweep:
        if not (self.rank or self.learning_rate or self.epochs):
            raise ValueError("give values of rank, learning_rate or epochs to try")
        return self


class Tune(File):
    """How weights are tuned. `adapter` names a ready PEFT adapter instead of training one.

    What is learnt follows from which of `cpt`, `raft` and `distill` is given; with none of them it
    is the training rows, question to answer (`sft`).
    """

    adapter: str | None = None
    method: Literal["lora", "dora", "qlora", "full"] = "lora"
    """`qlora` holds the base in 4 bits while training, on a GPU; `full` trains all weights."""
    cpt: Pretraining | None = None
    raft: Raft | None = None
    distill: Distillation | None = None
    together: bool = False
    """One adapter for all tasks of the benchmark instead of one for each."""
    sweep: Sweep | None = None
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

    @property
    def objective(self) -> str:
        """`sft`, `cpt`, `raft` or `distill`: what is learnt, never declared."""
        return next((name for name in OBJECTIVES if getattr(self, name)), "sft")

    @model_validator(mode="after")
    def _fits_together(self) -> Tune:
        given = [name for name in OBJECTIVES if getattr(self, name)]
        if len(given) > 1:
            raise ValueError(f"give one of {', '.join(given)}: a recipe learns one thing")
        if self.adapter and (given or self.sweep or self.together or self.method != "lora"):
            raise ValueError("a ready adapter takes no recipe: leave out adapter, or the rest")
        return self

    def identity(self) -> dict[str, Any]:
        """What of the recipe an adapter is kept under.

        Fields that came later stand in it only where they are used: what was kept before them
        stays known.
        """
        found = self.model_dump(mode="json")
        blank = Tune().model_dump(mode="json")
        return {k: v for k, v in found.items() if k not in _LATER or v != blank[k]}


OBJECTIVES = ("cpt", "raft", "distill")
_LATER = ("method", *OBJECTIVES, "together", "sweep")


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
