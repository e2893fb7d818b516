"""What the study of a small verifier learns from: labels of claims, and claims made wrong."""

from __future__ import annotations

import random

import pytest
from faithfulness_pool import Row
from verifier_pairs import Pair, learnt_from, line_texts, made_wrong, pairs_of

from bakeoff.metrics.support import Evidence

PASSAGES = (
    "The mill of Tarn was built in 1871. It was not damaged. Anna Berg runs it.",
    '{"name": "Mill", "hours": "9:0-17:0"}',
)


def row(answer: str, faithful: bool) -> Row:
    return Row("one", "1", "", PASSAGES, answer, faithful, "", "s")


def test_lines_have_their_texts() -> None:
    texts = line_texts(PASSAGES)
    assert len(texts) == len(Evidence.of(PASSAGES).lines)
    assert "The mill of Tarn was built in 1871." in [text.strip() for text in texts]


def test_marked_characters_label_the_claim_that_has_them() -> None:
    answer = "It was built in 1872. Anna Berg runs it."
    (wrong, right) = pairs_of([row(answer, False)], [[[16, 20, "incorrect"]]])
    assert (wrong.supported, wrong.wrong) == (False, ((16, 20),))
    assert wrong.claim[16:20] == "1872"
    assert (right.supported, right.wrong) == (True, ())
    (unclear, _) = pairs_of([row(answer, False)], [[[16, 20, "misleading"]]])
    assert unclear.supported is None


def test_without_marks_the_weakest_claim_has_the_label() -> None:
    answer = "Anna Berg runs it. Zebras painted giraffes."
    (right, wrong) = pairs_of([row(answer, False)], [[]])
    assert (right.supported, wrong.supported) == (None, False)
    assert wrong.wrong is None
    assert [pair.supported for pair in pairs_of([row(answer, True)], [[]])] == [True, True]


@pytest.mark.parametrize(
    "claim",
    [
        "It was built in 1871.",
        "It was not damaged by the storm.",
        "The keeper, Anna Berg, warned Peter Voss.",
        "The mill opened before noon.",
    ],
)
@pytest.mark.parametrize("seed", range(5))
def test_a_claim_made_wrong_differs_where_it_says(claim: str, seed: int) -> None:
    made = made_wrong(claim, "In 1904 the keeper Jon Hale sold the windmill.", random.Random(seed))
    assert made is not None
    text, places = made
    assert text != claim
    assert all(0 <= start < end <= len(text) for start, end in places)
    start, end = places[0][0], len(text) - places[-1][1]
    assert text[:start] == claim[:start]
    assert not end or text[-end:] == claim[-end:]


def test_only_sets_that_are_named_are_learnt_from() -> None:
    pairs = [Pair(0, "It is old.", "It is old.", True, ()), Pair(1, "It is new.", "x", False, None)]
    lesson = learnt_from(pairs, ["one", "two"], {"two"}, random.Random(1))
    assert (lesson.judged, lesson.made) == ([1], [])
