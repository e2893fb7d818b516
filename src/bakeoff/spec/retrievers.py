"""The retrievers that `retrieve.retriever` can name."""

from __future__ import annotations

from dataclasses import dataclass

from bakeoff.core.hints import did_you_mean
from bakeoff.core.plugins import Registry


@dataclass(frozen=True)
class RetrieverKind:
    """What opens a retriever, and what it needs; known before anything of it is imported."""

    opens: str
    """`module::name` or `./file.py::name` (from the benchmark file's folder): a class or function
    that takes the opened `Corpus` and gives a `core.words.Retriever`."""
    vectors: bool = False
    """Whether it needs an embedder, and the passages' vectors indexed."""
    candidates: bool = False
    """Whether it chooses from `retrieve.candidates` passages rather than from `k`."""


_ROOM = "bakeoff.setups.retrieval.retrievers"
RETRIEVERS = Registry(
    "retrievers",
    {
        "dense": RetrieverKind(f"{_ROOM}::Dense", vectors=True),
        "bm25": RetrieverKind(f"{_ROOM}::Bm25"),
        "fused": RetrieverKind(f"{_ROOM}::Fused", vectors=True, candidates=True),
    },
)


def retriever_kind(name: str) -> RetrieverKind:
    """What a recipe's `retriever` names: one of `RETRIEVERS`, or a class or function of the user's.

    One that is not installed here, as where a run from elsewhere is read, needs nothing.
    """
    return RETRIEVERS.find(name) or RetrieverKind(name)


def unknown_retriever(name: str) -> str:
    """Why a recipe cannot name it; empty where it can."""
    if "::" in name or RETRIEVERS.find(name):
        return ""
    hint = did_you_mean(name, RETRIEVERS.names())
    return f"no retriever '{name}'{hint}; yours is ./file.py::name"
