"""An answer's claims held against its own passages by words, where no score kept any."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

from bakeoff.core.words import CheckedClaim
from bakeoff.metrics.support import Evidence, shipped_model, support


def by_words(answer: str, passages: tuple[str, ...]) -> Sequence[CheckedClaim]:
    """The claims of an answer's text, each with what the texts of its passages say of it."""
    return [
        CheckedClaim(
            checked.claim.text,
            checked.verdict,
            checked.probability,
            checked.passage,
            checked.claim.start,
            (*checked.numbers, *checked.names, *checked.words),
        )
        for checked in support(answer, _evidence(passages), shipped_model()).claims
    ]


@lru_cache(maxsize=64)
def _evidence(passages: tuple[str, ...]) -> Evidence:
    """Passages read once: setups that retrieve alike are looked at together."""
    return Evidence.of(passages)
