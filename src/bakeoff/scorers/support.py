"""Lexical support: how much of an answer's wording stands in the text that should carry it.

A first measure of faithfulness: the share of sentences whose content words are (nearly) all in
one passage. It sees words, not meaning: a swapped role or a negation escapes it.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from bakeoff.core import Answer, Sample, Score
from bakeoff.scorers.text import refused
from bakeoff.scoring import Context, Outcome, scorer

_SENTENCE = re.compile(r"(?<=[.!?])\s+|\n+")
_WORD = re.compile(r"[^\W_]+(?:[.,:'’/-][^\W_]+)*")
_FUNCTION_WORDS = frozenset(
    [
        "a",
        "an",
        "and",
        "are",
        "as",
        "at",
        "be",
        "been",
        "by",
        "can",
        "do",
        "does",
        "for",
        "from",
        "had",
        "has",
        "have",
        "he",
        "her",
        "his",
        "i",
        "if",
        "in",
        "into",
        "is",
        "it",
        "its",
        "may",
        "not",
        "of",
        "on",
        "or",
        "our",
        "she",
        "so",
        "that",
        "the",
        "their",
        "them",
        "then",
        "there",
        "these",
        "they",
        "this",
        "to",
        "was",
        "we",
        "were",
        "which",
        "who",
        "will",
        "with",
        "would",
        "you",
        "your",
    ]
)


def content_words(text: str) -> list[str]:
    """Lower-cased words and numbers, function words left out."""
    return [w for w in _WORD.findall(text.lower()) if w not in _FUNCTION_WORDS]


def supported_share(text: str, passages: Sequence[str], threshold: float) -> Score:
    """Share of sentences of which at least `threshold` of the content words are in one passage."""
    sources = [set(content_words(passage)) for passage in passages]
    claims = [words for s in _SENTENCE.split(text) if (words := content_words(s))]
    if not claims:
        return Score(None, "the answer makes no claim")
    missing: list[str] = []
    kept = 0
    for words in claims:
        best = max(sources, key=lambda source: sum(w in source for w in words), default=set())
        absent = [w for w in words if w not in best]
        if 1 - len(absent) / len(words) >= threshold:
            kept += 1
        else:
            missing += absent
    reason = f"not found: {', '.join(missing[:8])}" if missing else ""
    return Score(kept / len(claims), reason)


@scorer()
def support_context(
    sample: Sample, answer: Answer, context: Context, *, threshold: float = 0.8
) -> Outcome:
    """Share of sentences lexically supported by a retrieved passage; refusals do not count."""
    if not any(step.name == "retrieve" for step in answer.steps):
        return None
    if refused(answer.text, context.refusals):
        return Score(None, "a refusal makes no claim")
    return supported_share(answer.text, [p.text for p in answer.passages], threshold)


@scorer()
def support_gold(
    sample: Sample, answer: Answer, context: Context, *, threshold: float = 0.8
) -> Outcome:
    """Share of sentences lexically supported by a gold document; refusals do not count."""
    if not sample.gold:
        return None
    if refused(answer.text, context.refusals):
        return Score(None, "a refusal makes no claim")
    gold = [context.documents[name] for name in sample.gold]
    return supported_share(answer.text, gold, threshold)
