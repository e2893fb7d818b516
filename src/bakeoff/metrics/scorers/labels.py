"""Classification: the label an answer names, accuracy and macro-F1."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache

from bakeoff.core.words import Answer, Sample, Score
from bakeoff.metrics.forms import strict
from bakeoff.metrics.scorer import Context, Outcome, scorer

_SEPARATORS = re.compile(r"[\W_]+")
_ARTICLES = ("a", "an", "the")
NO_LABEL = "(none)"


def _plain(text: str) -> str:
    return _SEPARATORS.sub(" ", text.lower()).strip()


@lru_cache(maxsize=64)
def _forms(labels: tuple[str, ...]) -> Mapping[str, Callable[[str], str]]:
    """The form in which each label is looked for: its words and numbers alone, or the strict one.

    Strict where the plain form is that of another label as well (`C`, `C++`), is empty (`-`), or
    may be an article (`A`).
    """
    often = Counter(map(_plain, labels))
    often.update({"": 2, **dict.fromkeys(_ARTICLES, 2)})
    return {label: strict if often[_plain(label)] > 1 else _plain for label in labels}


def alike(labels: Sequence[str]) -> list[tuple[str, str]]:
    """Labels that no answer could tell apart: they differ in case or separators alone."""
    first: dict[str, str] = {}
    looked_for = {label: form(label) for label, form in _forms(tuple(labels)).items()}
    return [
        (first[form], label)
        for label, form in looked_for.items()
        if first.setdefault(form, label) != label
    ]


def named_label(text: str, labels: Sequence[str]) -> str:
    """The one label an answer names, or `NO_LABEL` when it names none, or several.

    An answer that is a label counts first; else the labels that stand in it as whole words.
    Labels inside a longer label that is named as well do not count.
    """
    if text.strip() in labels:
        return text.strip()
    forms = _forms(tuple(labels))
    for label, form in forms.items():
        if form(text) == form(label) != "":
            return label
    named = {
        label: f" {form(label)} "
        for label, form in forms.items()
        if form(label) and f" {form(label)} " in f" {form(text)} "
    }
    longest = [
        label
        for label, words in named.items()
        if not any(words in other and words != other for other in named.values())
    ]
    return longest[0] if len(longest) == 1 else NO_LABEL


def _pair(sample: Sample, answer: Answer, context: Context) -> Score:
    said, wanted = named_label(answer.text, context.labels), sample.targets[0]
    reason = "" if said == wanted else f"said {said}, expected {wanted}"
    return Score(float(said == wanted), reason, labels=(wanted, said))


@scorer(version=2)
def accuracy(sample: Sample, answer: Answer, context: Context) -> Outcome:
    """1 when the answer names the right label and no other."""
    return _pair(sample, answer, context)


@scorer(version=2, aggregate="macro_f1")
def macro_f1(sample: Sample, answer: Answer, context: Context) -> Outcome:
    """Mean of the labels' F1 (scikit-learn's `f1_score(average='macro')`), no label counts wrong.

    The mean is over the labels that occur as expected ones; an answer without a label is a miss.
    """
    return _pair(sample, answer, context)
