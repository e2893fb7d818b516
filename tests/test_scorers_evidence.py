"""Retrieval against gold documents, and the lexical support of an answer. All by hand."""

from __future__ import annotations

import math
from collections.abc import Sequence

import pytest

from bakeoff.core import Answer, Passage, Sample, Score, Step
from bakeoff.scoring import Context, Metric, scorers

RETRIEVED = (Step("retrieve"), Step("decode"))


def score(
    metric: str,
    found: Sequence[str] = (),
    gold: Sequence[str] = (),
    text: str = "",
    context: Context | None = None,
    steps: tuple[Step, ...] = RETRIEVED,
) -> Score | None:
    """The score of an answer with these passages; `found` is `document` or `document: text`."""
    parts = [one.partition(": ") for one in found]
    passages = tuple(Passage(name, 0, len(said), said) for name, _, said in parts)
    parsed = Metric.parse(metric)
    sample = Sample("1", {"question": "?"}, ("x",), tuple(gold))
    answer = Answer(text, passages, steps)
    return scorers()[parsed.name].score(sample, answer, context or Context(), parsed)


@pytest.mark.parametrize(
    ("metric", "found", "gold", "expected"),
    [
        ("evidence_recall(k=2)", ["a", "b", "c"], ["a"], 1.0),
        ("evidence_recall(k=2)", ["a", "b", "c"], ["c"], 0.0),
        ("evidence_recall(k=2)", ["a", "a", "b", "c"], ["b", "c"], 0.5),  # b is second document
        ("evidence_recall(k=3)", ["a", "b", "c"], ["b", "c", "b"], 1.0),
        ("evidence_recall", [], ["a"], 0.0),
        ("evidence_mrr", ["a", "b", "c"], ["b", "c"], 1 / 2),
        ("evidence_mrr", ["a", "a", "b"], ["b"], 1 / 2),
        ("evidence_mrr", ["a"], ["z"], 0.0),
        ("evidence_mrr", [], ["z"], 0.0),
        ("evidence_ndcg(k=3)", ["a", "b", "c"], ["a"], 1.0),
        ("evidence_ndcg(k=3)", ["b", "a", "c"], ["a"], 1 / math.log2(3)),
        ("evidence_ndcg(k=3)", ["a", "b", "c"], ["a", "c"], 1.5 / (1 + 1 / math.log2(3))),
        ("evidence_ndcg(k=1)", ["a", "b"], ["a", "b"], 1.0),
        ("evidence_ndcg(k=3)", ["a", "b"], ["z"], 0.0),
    ],
)
def test_a_document_counts_at_the_rank_of_its_first_passage(
    metric: str, found: list[str], gold: list[str], expected: float
) -> None:
    result = score(metric, found, gold)
    assert result is not None
    assert result.value == pytest.approx(expected)


@pytest.mark.parametrize("metric", ["evidence_recall", "evidence_mrr", "evidence_ndcg"])
def test_a_closed_book_answer_and_a_question_without_gold_have_no_retrieval_to_judge(
    metric: str,
) -> None:
    assert score(metric, [], ["a"], steps=(Step("decode"),)) is None
    assert score(metric, ["a"], []) is None


FIVE = "a: The Larch barrow weighs 19 kilos empty."


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("The Larch barrow weighs 19 kilos.", 1.0),
        ("The LARCH barrow, it weighs 19 kilos!", 1.0),
        ("Larch barrow weighs 20 kilos", 1.0),  # 4 of 5 words: just the threshold
        ("barrow weighs 20 kilos", 0.0),  # 3 of 4
        ("It weighs 19 kilos. It is red.", 0.5),
        ("It weighs 19 kilos.\nred", 0.5),
    ],
)
def test_support_is_the_share_of_sentences_whose_words_one_passage_has(
    text: str, expected: float
) -> None:
    result = score("support_context", [FIVE, "b: A blue gate."], text=text)
    assert result is not None
    assert result.value == expected


def test_words_spread_over_two_passages_support_no_sentence() -> None:
    result = score("support_context", ["a: red barn", "b: old gate"], text="red barn old gate")
    assert result is not None
    assert (result.value, result.reason) == (0.0, "not found: old, gate")


def test_a_lower_threshold_supports_more() -> None:
    passages, text = ["a: red barn"], "red barn old gate"
    result = score("support_context(threshold=0.5)", passages, text=text)
    assert result == Score(1.0)


def test_numbers_are_whole_words() -> None:
    result = score("support_context", ["a: opens at 6.40"], text="opens 6.4")
    assert result is not None
    assert result.reason == "not found: 6.4"


def test_a_refusal_or_an_answer_without_a_claim_is_unjudged_with_a_reason() -> None:
    context = Context(refusals=("unknown",))
    for text in ("Unknown.", "", "It is the of."):
        result = score("support_context", [FIVE], text=text, context=context)
        assert result is not None
        assert result.value is None
        assert result.reason


def test_support_by_gold_reads_the_gold_documents_whatever_was_retrieved() -> None:
    context = Context(documents={"a": "19 kilos", "b": "red"})
    assert score("support_gold", ["b: red"], ["a"], "19 kilos", context) == Score(1.0)
    assert score("support_gold", ["b: red"], ["a"], "red", context) == Score(0.0, "not found: red")
    assert score("support_gold", [], ["a"], "19 kilos", context, steps=()) == Score(1.0)
    assert score("support_gold", [FIVE], [], "19 kilos", context) is None


def test_context_support_applies_only_where_something_was_retrieved() -> None:
    assert score("support_context", [], text="19 kilos", steps=(Step("decode"),)) is None
    assert score("support_context", [], text="19 kilos") == Score(0.0, "not found: 19, kilos")
