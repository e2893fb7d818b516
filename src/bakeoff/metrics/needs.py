"""What scorers ask of models: judges, verifiers, embedders."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True)
class Chat:
    """A question to a judge behind an endpoint (`model` is NAME:MODEL); it answers with a text."""

    model: str
    system: str
    user: str
    max_tokens: int = 1024
    attempt: int = 0
    """Asked again, with another seed, when an earlier reply was of no use."""


@dataclass(frozen=True)
class Entailment:
    """Whether passages support each claim of an answer, asked of a local verifier model."""

    model: str
    question: str
    answer: str
    passages: tuple[str, ...]


@dataclass(frozen=True)
class Embedding:
    """The vector of a text, by an embedder."""

    model: str
    text: str


Need = Chat | Entailment | Embedding
"""What a scorer asks of a model. Equal needs are asked once."""


class Wanted(BaseException):
    """Needs that a scorer must have before it can go on; it is then called again, with them.

    Not an `Exception`: what scorers are made of may catch those.
    """

    def __init__(self, needs: Iterable[Need]) -> None:
        super().__init__("this scorer needs a model")
        self.needs = tuple(needs)


class Unjudged(Exception):
    """Why an answer could not be judged: its score is `None` with this reason."""
