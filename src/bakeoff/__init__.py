"""Compare base, fine-tuned, RAG and hybrid setups of a language model on your own tasks."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bakeoff.api import compare, gate, load, run
    from bakeoff.core.words import Answer, Passage, Sample
    from bakeoff.metrics.scorer import scorer

__all__ = ["Answer", "Passage", "Sample", "compare", "gate", "load", "run", "scorer"]

_PLACES = {
    **dict.fromkeys(("compare", "gate", "load", "run"), "bakeoff.api"),
    **dict.fromkeys(("Answer", "Passage", "Sample"), "bakeoff.core.words"),
    "scorer": "bakeoff.metrics.scorer",
}


def __getattr__(name: str) -> object:
    # What a name needs is imported when it is first used.
    if name not in _PLACES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(_PLACES[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return [*globals(), *__all__]
