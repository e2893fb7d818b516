"""Whether an answer declines: the one definition that scores, routes and tables go by."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from functools import lru_cache

from bakeoff.core.words import REFUSAL, Answer, Score
from bakeoff.metrics.scorer import Context

WHOLE = "="
"""What a phrase begins with that counts only as the whole answer."""
BY_REFUSALS = ("declined", "right_refusal", "wrong_refusal", "crag", "selective_accuracy")
"""Metrics that need phrases of refusal."""
WITHOUT_REFUSALS = (
    *("faithfulness", "support_gold", "support_lexical", "ragas", "claims_grounded_correct"),
    *("self_knowledge", "noise_sensitivity", "hallucination"),
    *("citation_coverage", "citation_precision", "citation_recall"),
)
"""Metrics that leave out answers which decline: without phrases they take them for claims."""
NO_PHRASES = Score(None, "the task has no refusal phrases (refusal: {phrases: [...]})")
"""The score where there are none: whether an answer declines is not known then."""

# Spelled out, so that one phrase stands for both ways of writing it.
_SHORT = tuple(
    (re.compile(short), full)
    for short, full in (
        (r"\bcan(?:'t|not)\b", "can not"),
        (r"\bwon't\b", "will not"),
        (r"n't\b", " not"),
        (r"\bi'm\b", "i am"),
        (r"\b(it|that|there)'s\b", r"\1 is"),
        (r"\b(i|we|you|they)'ve\b", r"\1 have"),
        (r"\b(i|we|you|they)'ll\b", r"\1 will"),
        (r"\b(i|we|you|they)'d\b", r"\1 would"),
        (r"\b(we|you|they)'re\b", r"\1 are"),
    )
)
_AROUND = " \t\n.,;:!?\"'`*_()[]"


def refused(text: str, refusals: Sequence[str]) -> bool:
    """Whether an answer declines, by one of the task's phrases, or by saying nothing."""
    plain = spelled_out(text)
    return not plain or any(_declines(plain, phrase) for phrase in refusals)


def _declines(plain: str, phrase: str) -> bool:
    if phrase.startswith(WHOLE):
        return plain.strip(_AROUND) == spelled_out(phrase.removeprefix(WHOLE)).strip(_AROUND)
    return spelled_out(phrase) in plain


@lru_cache(maxsize=4096)
def spelled_out(text: str) -> str:
    """A text without case, its contractions spelled out, on one line."""
    plain = unicodedata.normalize("NFC", text).casefold().replace("\u2019", "'")
    if "'" in plain or "cannot" in plain:
        for short, full in _SHORT:
            plain = short.sub(full, plain)
    return " ".join(plain.split())


def declines(answer: Answer, refusals: Sequence[str]) -> bool:
    """Whether an answer declines: its text does, or the model refused by its finish reason."""
    return answer.finish_reason == REFUSAL or refused(answer.text, refusals)


def declining(answer: Answer, context: Context) -> Score:
    """1 when an answer declines, 0 when not; unjudged where the task has no phrases."""
    if not context.refusals:
        return NO_PHRASES
    return Score(float(declines(answer, context.refusals)))


def spoken(answer: Answer, context: Context) -> str:
    """The answer as SQuAD 2.0 reads it: a refusal is the empty prediction."""
    return "" if context.refusals and declines(answer, context.refusals) else answer.text
