"""Classification: the label an answer names, accuracy and macro-F1."""

from __future__ import annotations

import re
from collections.abc import Sequence

from bakeoff.core.words import Answer, Sample, Score
from bakeoff.metrics.scorer import Context, Outcome, scorer

_SEPARATORS = re.compile(r"[\W_]+")
NO_LABEL = "(none)"


def _plain(text: str) -> str:
    return _SEPARATORS.sub(" ", text.lower()).strip()


def _padded(text: str) -> str:
    """Spaces on both sides, so that `in` finds whole words."""
    return f" {_plain(text)} "


def named_label(text: str, labels: Sequence[str]) -> str:
    """The one label an answer names, or `NO_LABEL` when it names none, or several.

    An answer that is a label counts first; else the labels that stand in it as whole words.
    Labels inside a longer label that is named as well do not count.
    """
    if text.strip() in labels:
        return text.strip()
    said = _padded(text)
    for label in labels:
        if _plain(label) and said == _padded(label):
            return label
    named = [label for label in labels if _plain(label) and _padded(label) in said]
    longest = [a for a in named if not any(a != b and _padded(a) in _padded(b) for b in named)]
    return longest[0] if len(longest) == 1 else NO_LABEL


def _pair(sample: Sample, answer: Answer, context: Context) -> Score:
    said, wanted = named_label(answer.text, context.labels), sample.targets[0]
    reason = "" if said == wanted else f"said {said}, expected {wanted}"
    return Score(float(said == wanted), reason, labels=(wanted, said))


@scorer(version=1)
def accuracy(sample: Sample, answer: Answer, context: Context) -> Outcome:
    """1 when the answer names the right label and no other."""
    return _pair(sample, answer, context)


@scorer(version=1, aggregate="macro_f1")
def macro_f1(sample: Sample, answer: Answer, context: Context) -> Outcome:
    """Mean of the labels' F1 (scikit-learn's `f1_score(average='macro')`), no label counts wrong.

    The mean is over the labels that occur as expected ones; an answer without a label is a miss.
    """
    return _pair(sample, answer, context)
