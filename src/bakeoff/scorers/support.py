"""Lexical support: how far the words of an answer stand in the text that should carry them.

A first measure of faithfulness. It sees words, not meaning; `docs/scorers/lexical_support.md` says
how far people agree with it.
"""

from __future__ import annotations

from functools import lru_cache

from bakeoff.core import Answer, Sample, Score
from bakeoff.lexical import ClaimSupport, Evidence, shipped_model, support
from bakeoff.scorers.text import refused
from bakeoff.scoring import Context, Outcome, scorer

NAMED = 8
"""Words named as the reason of a score."""


@lru_cache(maxsize=256)
def _evidence(passages: tuple[str, ...]) -> Evidence:
    """Passages read once: setups and repeats are judged by the same ones."""
    return Evidence.of(passages)


def _supported(answer: Answer, passages: tuple[str, ...], context: Context) -> Score:
    if refused(answer.text, context.refusals):
        return Score(None, "a refusal makes no claim")
    found = support(answer.text, _evidence(passages), shipped_model())
    if found.probability is None:
        return Score(None, "the answer makes no claim")
    missing = dict.fromkeys(word for claim in found.claims for word in _missing(claim))
    reason = f"not found: {', '.join(list(missing)[:NAMED])}" if missing else ""
    return Score(found.probability, reason)


def _missing(claim: ClaimSupport) -> tuple[str, ...]:
    return (*claim.numbers, *claim.names, *claim.words)


@scorer(made_of=("bakeoff.lexical",))
def support_context(sample: Sample, answer: Answer, context: Context) -> Outcome:
    """Probability, by words alone, that the retrieved passages support the answer; no refusals."""
    if not any(step.name == "retrieve" for step in answer.steps):
        return None
    return _supported(answer, tuple(p.text for p in answer.passages), context)


@scorer(made_of=("bakeoff.lexical",))
def support_gold(sample: Sample, answer: Answer, context: Context) -> Outcome:
    """Probability, by words alone, that the gold documents support the answer; no refusals."""
    if not sample.gold:
        return None
    return _supported(answer, tuple(context.documents[name] for name in sample.gold), context)
