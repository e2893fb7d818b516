"""Retrieval against gold documents, and the lexical support of an answer. All by hand."""

from __future__ import annotations

import math
from collections.abc import Sequence

import pytest

from bakeoff.core.words import Answer, Passage, Sample, Score, Step
from bakeoff.metrics.registry import scorers
from bakeoff.metrics.scorer import Context
from bakeoff.spec.metric import Metric

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
        ("retrieval_recall(k=2)", ["a", "b", "c"], ["a"], 1.0),
        ("retrieval_recall(k=2)", ["a", "b", "c"], ["c"], 0.0),
        ("retrieval_recall(k=2)", ["a", "a", "b", "c"], ["b", "c"], 0.5),  # b is second document
        ("retrieval_recall(k=3)", ["a", "b", "c"], ["b", "c", "b"], 1.0),
        ("retrieval_recall", [], ["a"], 0.0),
        ("retrieval_mrr", ["a", "b", "c"], ["b", "c"], 1 / 2),
        ("retrieval_mrr", ["a", "a", "b"], ["b"], 1 / 2),
        ("retrieval_mrr", ["a"], ["z"], 0.0),
        ("retrieval_mrr", [], ["z"], 0.0),
        ("retrieval_ndcg(k=3)", ["a", "b", "c"], ["a"], 1.0),
        ("retrieval_ndcg(k=3)", ["b", "a", "c"], ["a"], 1 / math.log2(3)),
        ("retrieval_ndcg(k=3)", ["a", "b", "c"], ["a", "c"], 1.5 / (1 + 1 / math.log2(3))),
        ("retrieval_ndcg(k=1)", ["a", "b"], ["a", "b"], 1.0),
        ("retrieval_ndcg(k=3)", ["a", "b"], ["z"], 0.0),
    ],
)
def test_a_document_counts_at_the_rank_of_its_first_passage(
    metric: str, found: list[str], gold: list[str], expected: float
) -> None:
    result = score(metric, found, gold)
    assert result is not None
    assert result.value == pytest.approx(expected)


@pytest.mark.parametrize("metric", ["retrieval_recall", "retrieval_mrr", "retrieval_ndcg"])
def test_a_closed_book_answer_and_a_question_without_gold_have_no_retrieval_to_judge(
    metric: str,
) -> None:
    assert score(metric, [], ["a"], steps=(Step("decode"),)) is None
    assert score(metric, ["a"], []) is None


FIVE = "a: The Larch barrow weighs 19 kilos empty."


def supported(text: str, *passages: str) -> Score:
    found = score("faithfulness", list(passages) or [FIVE, "b: A blue gate."], text=text)
    assert found is not None
    return found


def test_support_falls_with_every_word_that_the_passages_lack() -> None:
    texts = [
        "The Larch barrow weighs 19 kilos.",
        "The Larch barrow weighs 19 kilos and is red.",
        "The Larch barrow weighs 20 kilos and is red.",
        "Peter painted seven tractors.",
    ]
    values = [supported(text).value for text in texts]
    assert values == sorted(values, reverse=True)
    assert values[0] > 0.7 and values[-1] < 0.3
    assert supported("The LARCH barrow, it weighs 19 kilos!").value > 0.6


def test_what_is_not_found_is_named() -> None:
    assert supported("The Larch barrow weighs 20 kilos.").reason == "not found: 20"
    assert supported("The Larch barrow weighs 19 kilos.").reason == ""
    assert supported("opens at 6.5", "a: opens at 6.40").reason == "not found: 6.5"


def test_a_refusal_or_an_answer_without_a_claim_is_unjudged_with_a_reason() -> None:
    context = Context(refusals=("unknown",))
    for text in ("Unknown.", "", "It is the of."):
        result = score("faithfulness", [FIVE], text=text, context=context)
        assert result is not None
        assert result.value is None
        assert result.reason


def test_support_by_gold_reads_the_gold_documents_whatever_was_retrieved() -> None:
    context = Context(documents={"a": "It weighs 19 kilos.", "b": "It is red."})
    right = score("support_gold", ["b: It is red."], ["a"], "19 kilos", context)
    wrong = score("support_gold", ["b: It is red."], ["a"], "red", context)
    assert right.value > 0.7 > 0.4 > wrong.value
    assert wrong.reason == "not found: red"
    assert score("support_gold", [], ["a"], "19 kilos", context, steps=()) == right
    assert score("support_gold", [FIVE], [], "19 kilos", context) is None


def test_context_support_applies_only_where_something_was_retrieved() -> None:
    assert score("faithfulness", [], text="19 kilos", steps=(Step("decode"),)) is None
    nothing = score("faithfulness", [], text="19 kilos")
    assert nothing.value < 0.3
    assert nothing.reason == "not found: 19, kilos"
