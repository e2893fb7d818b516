"""Short answers: exact match, token F1, containment, in both forms, and refusals. All by hand."""

from __future__ import annotations

from pathlib import Path

import pytest

from bakeoff.core.words import Answer, Sample, Score
from bakeoff.metrics.forms import SQUAD, STRICT
from bakeoff.metrics.registry import find_scorer, scorers
from bakeoff.metrics.scorer import Context
from bakeoff.metrics.scorers.text import exact, f1
from bakeoff.spec.metric import Metric

REFUSALS = Context(refusals=("unknown", "cannot know"))
STALE = Metric("stale_answer")


def score(name: str, text: str, *targets: str, context: Context = REFUSALS) -> float | None:
    sample, metric = Sample("1", {"question": "?"}, targets), Metric.parse(name)
    found = find_scorer(metric, Path()).score(sample, Answer(text), context, metric)
    return found.value if isinstance(found, Score) else None


@pytest.mark.parametrize(
    ("prediction", "target", "expected"),
    [
        ("19 kilos", "19 kilos", 1.0),
        ("The 19 kilos!", "19 kilos", 1.0),
        ("19 kg", "19 kilos", 1 / 2),  # 1 shared of 2 + 2
        ("it weighs 19 kilos", "19 kilos", 2 / 3),  # 2 shared of 4 + 2
        ("cat cat cat", "cat", 1 / 2),  # 1 shared of 3 + 1: the target has one
        ("cat cat", "cat cat dog", 4 / 5),  # 2 shared of 2 + 3
        ("dog", "cat", 0.0),
        ("", "cat", 0.0),
        ("cat", "", 0.0),
        ("", "", 0.0),
        ("", "a", 0.0),
        ("the", "a", 0.0),  # without their articles both would be empty
        ("the", "the", 1.0),
        ("the", "cat", 0.0),
        ("école", "École", 1.0),
        ("e\u0301cole", "école", 0.0),  # SQuAD does not compose accents
    ],
)
def test_token_f1_is_squads(prediction: str, target: str, expected: float) -> None:
    assert f1(prediction, target, SQUAD) == pytest.approx(expected)
    assert f1(target, prediction, SQUAD) == pytest.approx(expected)


@pytest.mark.parametrize(
    ("prediction", "target", "expected"),
    [
        ("The Gate.", "gate", 1.0),
        ("gates", "gate", 0.0),
        ("", "the", 0.0),
        ("!=", "!=", 1.0),
        ("=", "!=", 0.0),
        ("b a", "a b", 1.0),
        ("c b", "b c", 0.0),
    ],
)
def test_exact_match_is_squads(prediction: str, target: str, expected: float) -> None:
    assert exact(prediction, target, SQUAD) == expected


@pytest.mark.parametrize(
    ("prediction", "target", "expected"),
    [
        ("The 19 kilos!", "19 kilos", 1.0),
        ("15", "1.5", 0.0),
        ("-5", "5", 0.0),
        ("1000", "1,000", 1.0),
        ("C++ code", "C code", 1 / 2),  # 1 shared of 2 + 2
        ("e\u0301cole", "École", 1.0),
        ("STRASSE", "straße", 1.0),
        ("東京都", "東京", 4 / 5),  # 2 shared of 3 + 2
        ("plan A", "plan B", 1 / 2),
        ("", "?", 0.0),
    ],
)
def test_the_strict_form_keeps_what_tells_values_apart(
    prediction: str, target: str, expected: float
) -> None:
    assert f1(prediction, target, STRICT) == pytest.approx(expected)
    assert f1(target, prediction, STRICT) == pytest.approx(expected)
    assert exact(prediction, target, STRICT) == float(expected == 1)


NOTHING_LEFT = ["A", "the", "?", "!="]
BY_TARGET = ("exact_match", "token_f1", "contains", "crag", "selective_accuracy")


@pytest.mark.parametrize("target", NOTHING_LEFT)
@pytest.mark.parametrize("form", ["", "(normalization='strict')"])
@pytest.mark.parametrize("name", BY_TARGET)
def test_a_target_that_squad_leaves_nothing_of_is_right_itself_and_nothing_else_is(
    name: str, form: str, target: str
) -> None:
    metric = name + (form if name in BY_TARGET[:3] else "")
    wrong = -1.0 if name == "crag" else 0.0
    assert score(metric, target, target) == 1.0
    assert score(metric, "B", target) == wrong
    assert score(metric, "an", target) == wrong
    # An empty answer declines: it is no answer of which `selective_accuracy` could be wrong.
    empty = {"crag": 0.0, "selective_accuracy": None}.get(name, 0.0)
    assert score(metric, "", target) == empty


@pytest.mark.parametrize("name", ["contains", "contains(normalization='strict')"])
def test_a_letter_is_contained_where_it_is_no_article(name: str) -> None:
    for text in (
        "The answer is A.",
        "A) inlet",
        "(A)",
        "Option A closes first",
        "**A**",
        "A is it",
    ):
        assert score(name, text, "A") == 1.0, text
    for text in ("A valve", "It is a pump", "The", "Both. A valve and B", "B"):
        assert score(name, text, "A") == 0.0, text


def test_a_stale_letter_is_told_from_an_article() -> None:
    sample = Sample("1", {"question": "?", "stale": "A"}, ("B",))
    values = {
        text: found.value
        for text in ("A", "It is A.", "A valve", "", "A, no: B")
        if (found := scorers()["stale_answer"].score(sample, Answer(text), REFUSALS, STALE))
    }
    assert values == {"A": 1.0, "It is A.": 1.0, "A valve": 0.0, "": 0.0, "A, no: B": 0.0}


def test_the_best_target_counts() -> None:
    assert score("exact_match", "6.40", "six forty", "6.40") == 1.0
    assert score("token_f1", "at six", "6.40", "six forty") == 0.5
    assert score("contains", "at 6.40 sharp", "six forty", "6.40") == 1.0


def test_contains_wants_whole_words() -> None:
    assert score("contains", "Nineteen kilos", "teen") == 0.0
    assert score("contains", "about 19 kilos, I think", "19 kilos") == 1.0
    assert score("contains", "19 or so kilos", "19 kilos") == 0.0


@pytest.mark.parametrize("name", ["exact_match", "token_f1", "contains", "right_refusal"])
def test_an_unanswerable_question_is_answered_by_declining(name: str) -> None:
    assert score(name, "I cannot know that.") == 1.0
    assert score(name, "") == 1.0
    assert score(name, "19 kilos") == 0.0


@pytest.mark.parametrize("name", ["exact_match", "token_f1", "contains", "right_refusal", "crag"])
def test_signs_and_articles_are_an_answer_and_no_refusal(name: str) -> None:
    for text in (".", "the", "?"):
        assert score(name, text) == (-1.0 if name == "crag" else 0.0)


REFUSAL_SCORES = ("right_refusal", "wrong_refusal", "declined", "crag", "selective_accuracy")


@pytest.mark.parametrize("text", ["I cannot know that.", "19 kilos", ""])
def test_without_phrases_nobody_knows_what_a_refusal_is(text: str) -> None:
    for name in (*REFUSAL_SCORES, "exact_match", "token_f1", "contains", "numeric", "chrf"):
        assert score(name, text, context=Context()) is None
    for name in REFUSAL_SCORES:
        assert score(name, text, "19 kilos", context=Context()) is None
    assert score("contains", "19 kilos", "19 kilos", context=Context()) == 1.0


@pytest.mark.parametrize("name", ["exact_match", "token_f1", "contains"])
def test_a_refusal_of_an_answerable_question_is_wrong_whatever_else_it_says(name: str) -> None:
    assert score(name, "unknown, perhaps 19 kilos", "unknown, perhaps 19 kilos") == 0.0


def test_each_refusal_metric_applies_to_its_own_kind_of_question() -> None:
    assert score("right_refusal", "unknown", "19 kilos") is None
    assert score("wrong_refusal", "unknown") is None
    assert score("wrong_refusal", "unknown", "19 kilos") == 1.0
    assert score("wrong_refusal", "19 kilos", "19 kilos") == 0.0
    assert not scorers()["wrong_refusal"].higher_is_better
