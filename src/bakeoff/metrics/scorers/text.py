"""Short answers against their targets: exact match, token F1, and metrics of refusals."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping

from bakeoff.core.words import Answer, Sample, Score
from bakeoff.metrics.forms import FORMS, SQUAD, holds, normal
from bakeoff.metrics.refusals import NO_PHRASES, declines, declining, spoken
from bakeoff.metrics.scorer import Context, Outcome, scorer

_NORMALIZATION = {"normalization": FORMS}


def exact(prediction: str, target: str, form: str = SQUAD) -> float:
    """1 when prediction and target are equal in a form; an empty one never is."""
    text, wanted = normal(prediction, target, form)
    return float(text == wanted != "")


def f1(prediction: str, target: str, form: str = SQUAD) -> float:
    """Harmonic mean of word precision and recall, as multisets; 0 where either has no words."""
    text, wanted = normal(prediction, target, form)
    predicted, expected = text.split(), wanted.split()
    if not predicted or not expected:
        return 0.0
    shared = sum((Counter(predicted) & Counter(expected)).values())
    return 2 * shared / (len(predicted) + len(expected))


def _best(
    compare: Callable[[str, str, str], float],
    sample: Sample,
    answer: Answer,
    context: Context,
    normalization: str,
) -> Outcome:
    """The answer compared with its best target; unanswerable: whether it declines."""
    if not sample.answerable:
        return declining(answer, context)
    text, form = spoken(answer, context), normalization or context.normalization
    return max(compare(text, target, form) for target in sample.targets)


@scorer(version=2, choices=_NORMALIZATION)
def exact_match(
    sample: Sample, answer: Answer, context: Context, *, normalization: str = ""
) -> Outcome:
    """1 when the answer equals a target, word for word; unanswerable: when refused.

    Both in the task's normalization, or the one named.
    """
    return _best(exact, sample, answer, context, normalization)


@scorer(version=2, choices=_NORMALIZATION)
def token_f1(
    sample: Sample, answer: Answer, context: Context, *, normalization: str = ""
) -> Outcome:
    """F1 of the words shared with the best target; unanswerable: 1 when refused, else 0.

    Both in the task's normalization, or the one named.
    """
    return _best(f1, sample, answer, context, normalization)


@scorer(version=2, choices=_NORMALIZATION)
def contains(
    sample: Sample, answer: Answer, context: Context, *, normalization: str = ""
) -> Outcome:
    """1 when a target is in the answer as whole words; unanswerable: when refused.

    Longer answers pass more easily: read it beside `exact_match`. Both in the task's
    normalization, or the one named.
    """
    return _best(holds, sample, answer, context, normalization)


@scorer(version=2)
def right_refusal(sample: Sample, answer: Answer, context: Context) -> Outcome:
    """On unanswerable questions: 1 when the answer declines."""
    return None if sample.answerable else declining(answer, context)


@scorer(version=2, higher_is_better=False, of_failures=False)
def wrong_refusal(sample: Sample, answer: Answer, context: Context) -> Outcome:
    """On answerable questions: 1 when the answer declines."""
    return declining(answer, context) if sample.answerable else None


@scorer(version=2, higher_is_better=False, of_failures=False)
def stale_answer(sample: Sample, answer: Answer, context: Context) -> Outcome:
    """1 when the answer says what was right before a change, and nothing that is right now."""
    if not sample.fields.get("stale"):
        return None
    text = spoken(answer, context)
    right = any(holds(text, target, context.normalization) for target in sample.targets)
    stale = holds(text, sample.fields["stale"], context.normalization)
    return Score(float(stale and not right))


RIGHT: Mapping[str, Callable[..., Outcome]] = {
    "contains": contains,
    "exact_match": exact_match,
    "token_f1": token_f1,
}
"""What may decide that an answer is right; of `token_f1`, at least `ENOUGH`."""
ENOUGH = 0.5
_CHOICES = {"right": tuple(RIGHT)}


def _is_right(sample: Sample, answer: Answer, context: Context, right: str) -> bool:
    value = RIGHT[right](sample, answer, context)
    score = value.value if isinstance(value, Score) else value
    return score is not None and score >= ENOUGH


def _no_reward(wrong: float, **_: object) -> str:
    return "" if 0 <= wrong < float("inf") else "wrong must be at least 0"


@scorer(version=2, bounds=lambda wrong, **_: (-wrong, 1.0), choices=_CHOICES, check=_no_reward)
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
    if not context.refusals:
        return NO_PHRASES
    if sample.answerable and declines(answer, context.refusals):
        return Score(0.0, "refused")
    if _is_right(sample, answer, context, right):
        return 1.0
    return Score(-float(wrong), "wrong")


@scorer(version=2, choices=_CHOICES)
def selective_accuracy(
    sample: Sample, answer: Answer, context: Context, *, right: str = "contains"
) -> Outcome:
    """1 when right, over the answers alone: refusals are left out.

    An answer to an unanswerable question is wrong. Read it beside `crag`: who declines all but one
    question can be right every time.
    """
    if not context.refusals:
        return NO_PHRASES
    if declines(answer, context.refusals):
        return Score(None, "a refusal is not an answer", applies=False)
    return sample.answerable and _is_right(sample, answer, context, right)
