"""Short answers against their targets: SQuAD-style exact match and token F1, and refusals."""

from __future__ import annotations

import re
import string
from collections import Counter
from collections.abc import Sequence

from bakeoff.core import Answer, Sample, Score
from bakeoff.scoring import Context, Outcome, scorer

_ARTICLES = re.compile(r"\b(a|an|the)\b")
_PUNCTUATION = str.maketrans("", "", string.punctuation)


def normalise(text: str) -> str:
    """SQuAD's normalisation: lower, strip punctuation, strip articles, squeeze spaces.

    Source: the official SQuAD 2.0 evaluation script (Rajpurkar et al. 2018), in its order.
    """
    return " ".join(_ARTICLES.sub(" ", text.lower().translate(_PUNCTUATION)).split())


def refused(text: str, refusals: Sequence[str]) -> bool:
    """Whether an answer declines, by one of the task's phrases, or by saying nothing."""
    said = _plain(text)
    return not said or any(_plain(phrase) in said for phrase in refusals)


def _plain(text: str) -> str:
    return text.lower().replace("’", "'").strip()


def _spoken(answer: Answer, context: Context) -> str:
    """The answer as SQuAD 2.0 reads it: a refusal is the empty prediction."""
    return "" if context.refusals and refused(answer.text, context.refusals) else answer.text


def exact(prediction: str, target: str) -> float:
    """1 when prediction and target are equal after normalisation."""
    return float(normalise(prediction) == normalise(target))


def f1(prediction: str, target: str) -> float:
    """Harmonic mean of word precision and recall, as multisets; both empty is 1."""
    predicted, wanted = normalise(prediction).split(), normalise(target).split()
    if not predicted or not wanted:
        return float(predicted == wanted)
    shared = sum((Counter(predicted) & Counter(wanted)).values())
    return 2 * shared / (len(predicted) + len(wanted))


@scorer()
def exact_match(sample: Sample, answer: Answer, context: Context) -> Outcome:
    """1 when the answer equals a target after SQuAD normalisation; unanswerable: when refused."""
    spoken = _spoken(answer, context)
    return max(exact(spoken, target) for target in sample.targets or ("",))


@scorer()
def token_f1(sample: Sample, answer: Answer, context: Context) -> Outcome:
    """Word overlap F1 with the best target (SQuAD); unanswerable: 1 when refused, else 0."""
    spoken = _spoken(answer, context)
    return max(f1(spoken, target) for target in sample.targets or ("",))


@scorer()
def contains(sample: Sample, answer: Answer, context: Context) -> Outcome:
    """1 when a target stands in the answer as whole words; unanswerable: when refused.

    Longer answers pass more easily: read it beside `exact_match`.
    """
    spoken = normalise(_spoken(answer, context))
    if not sample.targets:
        return not spoken
    words = f" {spoken} "
    return any(f" {normalise(target)} " in words for target in sample.targets)


@scorer()
def right_refusal(sample: Sample, answer: Answer, context: Context) -> Outcome:
    """On unanswerable questions: 1 when the answer declines."""
    if sample.answerable:
        return None
    return refused(answer.text, context.refusals)


@scorer(higher_is_better=False)
def wrong_refusal(sample: Sample, answer: Answer, context: Context) -> Outcome:
    """On answerable questions: 1 when the answer declines."""
    if not sample.answerable:
        return None
    return Score(float(refused(answer.text, context.refusals)))
