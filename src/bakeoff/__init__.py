"""Compare base, fine-tuned, RAG and hybrid setups of a language model on your own tasks."""

from __future__ import annotations

import os
from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bakeoff.api import compare, gate, load, run
    from bakeoff.core.words import Answer, Passage, Sample
    from bakeoff.metrics.scorer import scorer

# Read when torch is loaded. The threads of one matrix product wait for each other by spinning,
# 300,000 rounds: where another process has taken a core, each wait lasts for as long as that one
# may run. After 5,000 rounds they sleep: as fast when alone, several times as fast beside others.
if "OMP_WAIT_POLICY" not in os.environ:
    os.environ.setdefault("GOMP_SPINCOUNT", "5000")

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
