"""Short answers against their targets: SQuAD-style exact match and token F1, and refusals."""

from __future__ import annotations

import re
import string
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache

from bakeoff.core.words import Answer, Sample, Score
from bakeoff.metrics.scorer import Context, Outcome, scorer

_ARTICLES = re.compile(r"\b(a|an|the)\b")
_PUNCTUATION = str.maketrans("", "", string.punctuation)


@lru_cache(maxsize=1024)
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


def spoken(answer: Answer, context: Context) -> str:
    """The answer as SQuAD 2.0 reads it: a refusal is the empty prediction."""
    return "" if context.refusals and refused(answer.text, context.refusals) else answer.text


def exact(prediction: str, target: str) -> float:
    """1 when prediction and target are equal after normalisation."""
    return float(normalise(prediction) == normalise(target))


def f1(prediction: str, target: str) -> float:
    """Harmonic mean of word precision and recall, as multisets; both empty is 1."""
    predicted, expected = normalise(prediction).split(), normalise(target).split()
    if not predicted or not expected:
        return float(predicted == expected)
    shared = sum((Counter(predicted) & Counter(expected)).values())
    return 2 * shared / (len(predicted) + len(expected))


def wanted(sample: Sample) -> Sequence[str]:
    """The targets that hold a word; the empty one where none does (SQuAD 2.0)."""
    return [target for target in sample.targets if normalise(target)] or ("",)


def holds(text: str, target: str) -> bool:
    """Whether the target's words stand in the text, in one stretch, after normalisation."""
    words = normalise(target)
    return bool(words) and f" {words} " in f" {normalise(text)} "


@scorer(version=1)
def exact_match(sample: Sample, answer: Answer, context: Context) -> Outcome:
    """1 when the answer equals a target after SQuAD normalisation; unanswerable: when refused."""
    said = spoken(answer, context)
    return max(exact(said, target) for target in wanted(sample))


@scorer(version=1)
def token_f1(sample: Sample, answer: Answer, context: Context) -> Outcome:
    """Word overlap F1 with the best target (SQuAD); unanswerable: 1 when refused, else 0."""
    said = spoken(answer, context)
    return max(f1(said, target) for target in wanted(sample))


@scorer(version=1)
def contains(sample: Sample, answer: Answer, context: Context) -> Outcome:
    """1 when a target stands in the answer as whole words; unanswerable: when refused.

    Longer answers pass more easily: read it beside `exact_match`.
    """
    said = spoken(answer, context)
    if not sample.targets:
        return not normalise(said)
    return any(holds(said, target) for target in sample.targets)


@scorer(version=1)
def right_refusal(sample: Sample, answer: Answer, context: Context) -> Outcome:
    """On unanswerable questions: 1 when the answer declines."""
    if sample.answerable:
        return None
    return refused(answer.text, context.refusals)


@scorer(version=1, higher_is_better=False)
def wrong_refusal(sample: Sample, answer: Answer, context: Context) -> Outcome:
    """On answerable questions: 1 when the answer declines."""
    if not sample.answerable:
        return None
    return Score(float(refused(answer.text, context.refusals)))


@scorer(version=1, higher_is_better=False)
def stale_answer(sample: Sample, answer: Answer, context: Context) -> Outcome:
    """1 when the answer says what was right before a change, and nothing that is right now."""
    if not sample.fields.get("stale"):
        return None
    said = spoken(answer, context)
    right = any(holds(said, target) for target in sample.targets)
    return Score(float(holds(said, sample.fields["stale"]) and not right))


RIGHT: Mapping[str, Callable[[Sample, Answer, Context], Outcome]] = {
    "contains": contains,
    "exact_match": exact_match,
    "token_f1": token_f1,
}
"""What may decide that an answer is right; of `token_f1`, at least `ENOUGH`."""
ENOUGH = 0.5
_CHOICES = {"right": tuple(RIGHT)}


def _is_right(sample: Sample, answer: Answer, context: Context, right: str) -> bool:
    value = RIGHT[right](sample, answer, context)
    assert isinstance(value, float | bool)
    return value >= ENOUGH


def _no_reward(wrong: float, **_: object) -> str:
    return "" if 0 <= wrong < float("inf") else "wrong must be at least 0"


@scorer(version=1, bounds=lambda wrong, **_: (-wrong, 1.0), choices=_CHOICES, check=_no_reward)
def crag(
    sample: Sample,
    answer: Answer,
    context: Context,
    *,
    wrong: float = 1.0,
    right: str = "contains",
) -> Outcome:
    """1 when right, 0 when refused, less `wrong` when wrong; unanswerable: refused is right.

    Source: the score of Meta's CRAG benchmark (Yang et al. 2024), where `wrong` is 1.
    """
    if sample.answerable and refused(answer.text, context.refusals):
        return Score(0.0, "refused")
    if _is_right(sample, answer, context, right):
        return 1.0
    return Score(-float(wrong), "wrong")


@scorer(version=1, choices=_CHOICES)
def selective_accuracy(
    sample: Sample, answer: Answer, context: Context, *, right: str = "contains"
) -> Outcome:
    """1 when right, over the answers alone: refusals are left out.

    An answer to an unanswerable question is wrong. Read it beside `crag`: who declines all but one
    question can be right every time.
    """
    if refused(answer.text, context.refusals):
        return Score(None, "a refusal is no answer", applies=False)
    return sample.answerable and _is_right(sample, answer, context, right)
