"""The two optional parts of a setup, `tune` and `retrieve`, and their fields."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Literal

from pydantic import Field, model_validator

from bakeoff.spec import names
from bakeoff.spec.retrievers import retriever_kind
from bakeoff.spec.yaml_files import Also, File, Form

PARAPHRASES = (".jsonl", ".json")
"""Endings of `paraphraser` that name files."""


class Pretraining(File):
    """Continued pre-training on the documents that open-book setups read."""

    paraphrases: Annotated[int, Field(ge=0)] = 0
    """Rewordings of every piece of text that are learnt beside it."""
    paraphraser: str = ""
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
    min_score: Annotated[float, Field(ge=0, le=1)] = 1.0
    """The least score in the task's headline metric."""
    min_support: Annotated[float, Field(ge=0, le=1)] = 0.5
    """The least share of an answer's claims that its passages support, where it makes claims."""
    cited: bool = False
    """Whether an answer must name a passage by its number, such as `[1]`."""


class Sweep(File):
    """Recipes to try; the one with the lowest loss on the validation rows is used."""

    rank: tuple[Annotated[int, Field(ge=1)], ...] = ()
    """`alpha` keeps its ratio to the rank."""
    learning_rate: tuple[Annotated[float, Field(gt=0)], ...] = ()
    """Learning rates to try."""
    epochs: tuple[Annotated[int, Field(ge=1)], ...] = ()
    """Numbers of epochs to try."""
    budget: Annotated[int, Field(ge=1)] = 6
    """Recipes tried at most, a seeded choice of all combinations."""

    @model_validator(mode="after")
    def _tries_something(self) -> Sweep:
        if not (self.rank or self.learning_rate or self.epochs):
            raise ValueError("give values of rank, learning_rate or epochs to try")
        return self


AtLeast2 = Annotated[int, Field(ge=2)]


def _curve(own: Form) -> Form:
    return {"type": "array", "items": own["anyOf"][0], "minItems": 2}


class Tune(File):
    """How weights are tuned. `adapter` names a ready PEFT adapter instead of training one.

    What is learnt follows from which of `cpt`, `raft` and `distill` is given; with none of them it
    is the training rows, question to answer (`sft`).
    """

    adapter: str | None = None
    """A ready PEFT adapter (`./folder`, or a model name of an endpoint) instead of training one."""
    method: Literal["lora", "dora", "qlora", "full"] = "lora"
    """`qlora` holds the base in 4 bits while training, on a GPU; `full` trains all weights."""
    cpt: Pretraining | None = None
    """Learn the documents (continued pre-training)."""
    raft: Raft | None = None
    """Learn to answer beside passages of which some do not help (RAFT)."""
    distill: Distillation | None = None
    """Learn the good answers of another setup."""
    together: bool = False
    """One adapter for all tasks of the benchmark instead of one for each."""
    sweep: Sweep | None = None
    """Recipes to try before the best is used."""
    rows: Annotated[AtLeast2 | None, Also(_curve)] = None
    """Train on a seeded, stratified sample of so many rows (of `cpt`: pieces of documents); all of
    them when left out. A list makes a setup for each number: a learning curve."""
    layers: Annotated[float, Field(gt=0, le=1)] = 0.5
    """Share of the layers that get adapters, the upper ones. What the others make of a row is the
    same in every epoch, and is computed once."""
    rank: Annotated[int, Field(ge=1)] = 16
    """Rank of the adapters."""
    alpha: Annotated[int, Field(ge=1)] = 32
    """Scale of the adapters; the update is multiplied by alpha / rank."""
    dropout: Annotated[float, Field(ge=0, lt=1)] = 0.0
    """Of the adapters' input, while training."""
    learning_rate: Annotated[float, Field(gt=0)] = 1e-3
    """The largest of the schedule."""
    epochs: Annotated[int, Field(ge=1)] = 4
    """Passes over the training rows at most."""
    batch_size: Annotated[int, Field(ge=1)] = 16
    """Rows of one step."""
    open_book: Annotated[float, Field(ge=0, le=1)] = 0.25
    """Share of the training rows that are also shown with retrieved passages."""
    validation: Annotated[float, Field(gt=0, lt=1)] = 0.05
    """Share of the training rows held out; the epoch with its lowest loss is kept."""
    patience: Annotated[int, Field(ge=1)] = 2
    """Stop after so many epochs without a lower validation loss."""
    processes: Annotated[int, Field(ge=1, exclude_if=lambda value: value == 1)] = 1
    """Processes that train together, each a part of every batch: on a GPU each, or else on a
    processor each. With `method: full` each holds a part of the network."""

    @property
    def objective(self) -> str:
        """`sft`, `cpt`, `raft` or `distill`: what is learnt, never declared."""
        return next((name for name in OBJECTIVES if getattr(self, name)), "sft")

    @model_validator(mode="after")
    def _fits_together(self) -> Tune:
        given = [name for name in OBJECTIVES if getattr(self, name)]
        if len(given) > 1:
            raise ValueError(f"give one of {', '.join(given)}: a recipe learns one thing")
        elsewhere = self.method != "lora" or self.processes > 1
        if self.adapter and (given or self.sweep or self.together or elsewhere):
            raise ValueError("a ready adapter takes no recipe: leave out adapter, or the rest")
        if self.processes > self.batch_size:
            raise ValueError(
                f"processes: {self.processes} is more than the {self.batch_size} rows of a batch: "
                f"write processes: {self.batch_size} or less, or a larger batch_size"
            )
        return self

    def identity(self) -> dict[str, object]:
        """What of the recipe an adapter is kept under.

        Fields that came later are included only where they are used: what was kept before them
        stays known. How many rows there are, the rows themselves say. `processes` is among them:
        sums in another order round otherwise.
        """
        fields = self.model_dump(mode="json", exclude={"rows"})
        fields |= {
            part: names.fields_before(model, fields[part])
            for part, model in (("cpt", "Pretraining"), ("distill", "Distillation"))
            if fields[part] is not None
        }
        blank = Tune().model_dump(mode="json")
        return {k: v for k, v in fields.items() if k not in _LATER or v != blank[k]}

    def limited(self, rows: int) -> Tune:
        """The recipe on so many rows at most (and two at least); a ready adapter stays as it is."""
        fewer = max(2, min(self.rows or rows, rows))
        return self if self.adapter else self.model_copy(update={"rows": fewer})


OBJECTIVES = ("cpt", "raft", "distill")
_LATER = ("method", *OBJECTIVES, "together", "sweep")


class Noise(File):
    """Passages composed of gold and distractors: how well a setup reads, without its retriever.

    The tests of RGB (Chen et al. 2024): noise is a share of distractors, rejection a share of 1,
    integration needs questions with several gold documents.
    """

    passages: Annotated[int, Field(ge=1)] = 5
    """Passages shown with each question."""
    distractors: Annotated[float, Field(ge=0, le=1)] = 0.4
    """Share of the passages that are of no gold document: those nearest to the question."""
    order: Literal["best-first", "best-last", "shuffled"] = "shuffled"
    """Position of the best passages."""
    counterfactual: bool = False
    """Whether gold passages say the answer of another question instead of the right one."""
    seed: int = 0
    """Of the choice and the order."""


class Retrieve(File):
    """What an open-book setup reads: the task's corpus unless `corpus` names another one."""

    corpus: Mapping[str, str] = {}
    """Task name -> corpus name, where it is not the task's default."""
    passages: Literal["retrieved", "oracle", "full"] = "retrieved"
    """`oracle` reads passages of the gold documents alone, a ceiling no retriever can pass;
    `full` reads all documents, where they fit."""
    retriever: str = "dense"
    """Vectors (`dense`), words (`bm25`), or both lists `fused` by their ranks; or a retriever of
    yours, `./file.py::name`, from the benchmark file's folder."""
    embedder: str = "embedded"
    """What makes the vectors: `embedded`, `hf:ORG/NAME`, a folder, or `ENDPOINT:MODEL`."""
    rerank: str | None = None
    """A cross-encoder that reranks the candidates: `hf:ORG/NAME` or a folder."""
    candidates: Annotated[int, Field(ge=1)] = 50
    """Passages that fusing, reranking and composing choose from."""
    k: Annotated[int, Field(ge=1)] = 3
    """Passages shown with each question."""
    split: Literal["words", "sentences", "headings"] = "words"
    """`sentences` cuts at paragraphs and sentences, `headings` at Markdown's headings first."""
    chunk_words: Annotated[int, Field(ge=16)] = 120
    """Words of a passage at most."""
    overlap_words: Annotated[int, Field(ge=0)] = 24
    """Words that neighbouring passages share."""
    chunk_tokens: Annotated[int, Field(ge=16)] | None = None
    """Cut at so many tokens of the embedder instead; not with `split: words`."""
    index: Literal["auto", "flat", "hnsw", "ivf"] = "auto"
    """`auto` searches all vectors up to 100,000 passages and a graph (HNSW) beyond."""
    context_tokens: Annotated[int, Field(ge=32)] = 640
    """Passages that would take the context past this many tokens are left out, last first."""
    question: Literal["after", "before"] = "after"
    """Position of the question: after the passages, or before them."""
    noise: Noise | None = None
    """Passages composed of gold and distractors, to test how well a setup reads."""

    @model_validator(mode="after")
    def _fits_together(self) -> Retrieve:
        if self.overlap_words >= self.chunk_words:
            raise ValueError(f"overlap_words must be below chunk_words ({self.chunk_words})")
        if self.chunk_tokens and self.split == "words":
            raise ValueError("chunk_tokens goes with split: sentences or headings")
        if self.noise and self.passages != "retrieved":
            raise ValueError(f"noise composes the passages itself: leave out {self.passages}")
        if self.rerank and self.passages == "full":
            raise ValueError("passages: full reads everything: there is nothing to rerank")
        return self

    @property
    def depth(self) -> int:
        """Passages to find before some are chosen."""
        chooses = (
            retriever_kind(self.retriever).candidates
            or self.rerank
            or self.noise
            or self.passages == "oracle"
        )
        return max(self.k, self.candidates) if chooses else self.k

    @property
    def vectors(self) -> bool:
        """Whether an embedder is needed."""
        return retriever_kind(self.retriever).vectors and self.passages != "full"

    def identity(self) -> dict[str, object]:
        """What of the recipe an index is kept under; later fields only where they are used."""
        splitter: dict[str, object] = {
            "chunk_words": self.chunk_words,
            "overlap_words": self.overlap_words,
        }
        if self.passages == "full":
            splitter = {"whole": True}
        elif self.split != "words":
            splitter |= {"split": self.split, "chunk_tokens": self.chunk_tokens}
        return splitter
