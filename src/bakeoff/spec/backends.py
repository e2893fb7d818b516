"""What runs the models that references name, by how the reference begins."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from bakeoff.core.plugins import Registry


@dataclass(frozen=True)
class Backend:
    """What opens a model, and what can be done with it; known before anything of it is imported."""

    opens: str
    """`module::name`: a class or function that takes the reference and the `models.pool.Pool`, and
    gives a `core.words.Model`."""
    embeds: str = ""
    """The same for a `core.words.Embedder`; empty where there are no vectors to be had."""
    weights: bool = False
    """Whether it holds weights in this process (`models.adapted.AdaptedModel`): they can be tuned
    here, give likelihoods, and take this machine's seconds."""


ENDPOINT = "ENDPOINT:MODEL"
_ROOM = "bakeoff.models"
_WEIGHTS = Backend(f"{_ROOM}.adapted::opened", f"{_ROOM}.embedders::opened", weights=True)
BACKENDS = Registry(
    "backends",
    {
        "": _WEIGHTS,
        "hf": _WEIGHTS,
        ENDPOINT: Backend(f"{_ROOM}.served::opened", f"{_ROOM}.served_embedder::opened"),
    },
)
"""What a reference begins with, before a colon -> what runs it. `""` stands for none: `embedded`,
a folder, a `.gguf` file; `ENDPOINT:MODEL` for the names of a benchmark's endpoints."""


def backend_of(reference: str, endpoints: Collection[str]) -> Backend:
    """What runs a model. A prefix that nobody knows is the beginning of a path."""
    prefix, colon, _ = reference.partition(":")
    if colon and prefix in endpoints:
        return BACKENDS[ENDPOINT]
    return (BACKENDS.find(prefix) if colon else None) or BACKENDS[""]


def unknown_prefix(reference: str, endpoints: Collection[str]) -> str | None:
    """The part before the colon where that is neither an endpoint nor a backend."""
    prefix, colon, _ = reference.partition(":")
    return prefix if colon and prefix not in endpoints and not BACKENDS.find(prefix) else None
