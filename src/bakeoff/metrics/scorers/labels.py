"""Classification: the label an answer names, accuracy and macro-F1."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from functools import cache, lru_cache

from bakeoff.core.scripts import marks, signs, words
from bakeoff.core.words import Answer, Sample, Score
from bakeoff.metrics.forms import strict
from bakeoff.metrics.scorer import Context, Outcome, scorer

_ARTICLES = ("a", "an", "the")
_MINUS = dict.fromkeys(map(ord, "\u2010\u2011\u2012\u2013\u2212\uff0d"), "-")
_AROUND = "`'\"\u201c\u201d\u2018\u2019()[]{},.;:*!?\u3002\uff0c\uff1a"
NO_LABEL = "(none)"

Form = Callable[[str], str]


@cache
def _separators() -> re.Pattern[str]:
    return re.compile(rf"(?:(?![{marks()}])[\W_])+")


def _plain(text: str) -> str:
    """Words and numbers alone."""
    folded = unicodedata.normalize("NFC", unicodedata.normalize("NFC", text).casefold())
    return _separators().sub(" ", folded).strip()


def _apart(text: str) -> str:
    """The plain form, every sign of a script without spaces by itself."""
    return _plain(" ".join(words(text)))


def _cased(text: str) -> str:
    """The words between spaces, without punctuation around them."""
    plain = unicodedata.normalize("NFC", text).translate(_MINUS)
    return " ".join(part.strip(_AROUND) or part for part in plain.split())


def _whole(text: str) -> str:
    return _cased(text).casefold()


@lru_cache(maxsize=64)
def _forms(labels: tuple[str, ...]) -> Mapping[str, Form]:
    """The form in which each label is looked for: the loosest that is its own.

    Not the plain one for a label that may be an article (`A`).
    """
    loosest: tuple[Form, ...] = (_plain, strict, _whole)
    often: dict[Form, Counter[str]] = {form: Counter(map(form, labels)) for form in loosest}
    often[_plain].update({"": 2, **dict.fromkeys(_ARTICLES, 2)})
    return {label: _form(label, often) for label in labels}


def _form(label: str, often: Mapping[Form, Counter[str]]) -> Form:
    for form in (_plain, strict):
        if often[form][form(label)] == 1:
            # A sign by itself may be a part of any word.
            return _apart if form is _plain and len(signs(label)) > 1 else form
    # With its case, `A` is no article.
    return _cased if _plain(label) in _ARTICLES and often[_whole][_whole(label)] == 1 else _whole


def alike(labels: Sequence[str]) -> list[tuple[str, str]]:
    """Labels that no answer could tell apart: they differ in case or separators alone."""
    first: dict[str, str] = {}
    forms = _forms(tuple(labels))
    looked_for = {label: _whole(label) if f is _cased else f(label) for label, f in forms.items()}
    return [
        (first[form], label)
        for label, form in looked_for.items()
        if first.setdefault(form, label) != label
    ]


def named_label(text: str, labels: Sequence[str]) -> str:
    """The one label an answer names, or `NO_LABEL` when it names none, or several.

    An answer that is a label counts first; else the labels that are in it as whole words.
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
        for label, stretch in named.items()
        if not any(stretch in other and stretch != other for other in named.values())
    ]
    return longest[0] if len(longest) == 1 else NO_LABEL


def _pair(sample: Sample, answer: Answer, context: Context) -> Score:
    label, wanted = named_label(answer.text, context.labels), sample.targets[0]
    reason = "" if label == wanted else f"answered {label}, expected {wanted}"
    return Score(float(label == wanted), reason, labels=(wanted, label))


@scorer(version=3)
def accuracy(sample: Sample, answer: Answer, context: Context) -> Outcome:
    """1 when the answer names the right label and no other."""
    return _pair(sample, answer, context)


@scorer(version=3, aggregate="macro_f1")
def macro_f1(sample: Sample, answer: Answer, context: Context) -> Outcome:
    """Mean of the labels' F1 (scikit-learn's `f1_score(average='macro')`), no label counts wrong.

    The mean is over the labels that occur as expected ones; an answer without a label is a miss.
    """
    return _pair(sample, answer, context)
