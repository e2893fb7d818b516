"""Short answers: SQuAD's normalisation, exact match, token F1, refusals. All by hand."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bakeoff.core.words import Answer, Sample, Score
from bakeoff.metrics.registry import scorers
from bakeoff.metrics.scorer import Context
from bakeoff.metrics.scorers.text import exact, f1, normalise, refused
from bakeoff.spec.metric import Metric

REFUSALS = Context(refusals=("unknown", "cannot know"))


def score(name: str, text: str, *targets: str, context: Context = REFUSALS) -> float | None:
    sample = Sample("1", {"question": "?"}, targets)
    found = scorers()[name].score(sample, Answer(text), context, Metric(name))
    return found.value if isinstance(found, Score) else None


@pytest.mark.parametrize(
    ("text", "plain"),
    [
        ("The  Cat", "cat"),
        ("a an the", ""),
        ("theatre another", "theatre another"),
        ("A-Team", "ateam"),
        ("the-cat", "thecat"),
        ("U.S.A.", "usa"),
        ("a.", ""),
        ("don't", "dont"),
        ("don’t", "don’t"),
        ("$1,000.50", "100050"),
        ("  \t\n ", ""),
        ("", ""),
        ("ÉCOLE Straße", "école straße"),
        ("a\u00a0b", "b"),
        ("«a»", "« »"),
        ("l'an", "lan"),
        ("the the cat", "cat"),
    ],
)
def test_normalisation_is_squads(text: str, plain: str) -> None:
    assert normalise(text) == plain


@settings(deadline=None)
@given(st.text(max_size=30))
def test_normalising_leaves_single_spaces_and_a_perfect_match_with_itself(text: str) -> None:
    assert normalise(text) == " ".join(normalise(text).split())
    assert exact(text, text) == f1(text, text) == 1.0


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
        ("", "", 1.0),
        ("the", "a", 1.0),  # both are empty without their articles
        ("the", "cat", 0.0),
        ("école", "École", 1.0),
        ("e\u0301cole", "école", 0.0),  # SQuAD does not compose accents
    ],
)
def test_token_f1_is_squads(prediction: str, target: str, expected: float) -> None:
    assert f1(prediction, target) == pytest.approx(expected)
    assert f1(target, prediction) == pytest.approx(expected)


@pytest.mark.parametrize(
    ("prediction", "target", "expected"),
    [
        ("The Gate.", "gate", 1.0),
        ("gates", "gate", 0.0),
        ("", "the", 1.0),
        ("b a", "a b", 1.0),
        ("c b", "b c", 0.0),
    ],
)
def test_exact_match_is_squads(prediction: str, target: str, expected: float) -> None:
    assert exact(prediction, target) == expected


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


@pytest.mark.parametrize("name", ["exact_match", "token_f1", "contains"])
def test_a_refusal_of_an_answerable_question_is_wrong_whatever_else_it_says(name: str) -> None:
    assert score(name, "unknown, perhaps 19 kilos", "unknown, perhaps 19 kilos") == 0.0


def test_each_refusal_metric_applies_to_its_own_kind_of_question() -> None:
    assert score("right_refusal", "unknown", "19 kilos") is None
    assert score("wrong_refusal", "unknown") is None
    assert score("wrong_refusal", "unknown", "19 kilos") == 1.0
    assert score("wrong_refusal", "19 kilos", "19 kilos") == 0.0
    assert not scorers()["wrong_refusal"].higher_is_better


@pytest.mark.parametrize(
    ("text", "phrase"),
    [
        ("I don't know", "don't know"),
        ("I don’t know", "don't know"),
        ("I DON'T KNOW", "don’t know"),
    ],
)
def test_either_apostrophe_declines_in_the_text_and_in_the_phrase(text: str, phrase: str) -> None:
    assert refused(text, [phrase])
