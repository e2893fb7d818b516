"""Citations and the origin of claims, with a verifier that goes by whole words."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from bakeoff.core.words import (
    NOT_FOUND,
    SUPPORTED,
    Answer,
    Checked,
    CheckedClaim,
    Passage,
    Sample,
    Score,
    Step,
)
from bakeoff.metrics.needs import Entailment
from bakeoff.metrics.registry import find_scorer
from bakeoff.metrics.scorer import Context
from bakeoff.metrics.support import claims
from bakeoff.spec.metric import Metric


def words(text: str) -> set[str]:
    return set(re.findall(r"\w+", text.lower()))


class ByWords(dict[Any, Any]):
    """A verifier: a claim is supported when all its words stand in one of the passages."""

    def __contains__(self, need: object) -> bool:
        return isinstance(need, Entailment)

    def __getitem__(self, need: Entailment) -> Checked:
        return Checked(
            tuple(
                CheckedClaim(
                    claim.text,
                    SUPPORTED
                    if any(words(claim.text) <= words(p) for p in need.passages)
                    else NOT_FOUND,
                )
                for claim in claims(need.answer)
            )
        )


PASSAGES = (
    "The barrow weighs 19 kilos.",
    "The gate opens at six.",
    "The barrow carries two sacks and the barrow weighs 19 kilos.",
    "Nothing of note.",
)
DOCUMENTS = {"a": "The barrow weighs 19 kilos.", "b": "The moon is far."}


def score(
    metric: str,
    text: str,
    passages: tuple[str, ...] = PASSAGES,
    targets: tuple[str, ...] = ("19 kilos",),
    documents: Mapping[str, str] = DOCUMENTS,
) -> Score | None:
    parsed = Metric.parse(metric)
    shown = tuple(Passage(f"p{n}", 0, len(t), t) for n, t in enumerate(passages))
    answer = Answer(text, shown, (Step("retrieve"), Step("decode")) if passages else ())
    sample = Sample("s", {"question": "How heavy is the barrow?"}, targets, ("a",))
    context = Context(refusals=("unknown",), documents=documents, given=ByWords())
    return find_scorer(parsed, Path()).score(sample, answer, context, parsed)


def value(metric: str, text: str, **given: Any) -> float | None:
    found = score(metric, text, **given)
    return found and found.value


RECALL, PRECISION = "citation_recall(verifier='v')", "citation_precision(verifier='v')"


@pytest.mark.parametrize(
    ("text", "validity", "coverage", "recall", "precision"),
    [
        ("The barrow weighs 19 kilos [1].", 1.0, 1.0, 1.0, 1.0),
        ("The barrow weighs 19 kilos. [1]", 1.0, 1.0, 1.0, 1.0),
        ("The barrow weighs 19 kilos.[1] The gate opens at six.[2]", 1.0, 1.0, 1.0, 1.0),
        ("The barrow weighs 19 kilos. The gate opens at six [2].", 1.0, 0.5, 0.5, 1.0),
        ("The barrow weighs 19 kilos [2].", 1.0, 1.0, 0.0, 0.0),
        # Both are said to carry it and one would do: the second alone does not, and is not missed.
        ("The barrow weighs 19 kilos [1][4].", 1.0, 1.0, 1.0, 0.5),
        # Each carries it alone: ALCE credits both.
        ("The barrow weighs 19 kilos [1, 3].", 1.0, 1.0, 1.0, 1.0),
        # Only together do they carry it: each is needed.
        ("The barrow weighs 19 kilos and opens at six [1][2].", 1.0, 1.0, 0.0, 0.0),
        ("The gate weighs 19 kilos [1; 2].", 1.0, 1.0, 1.0, 1.0),
        ("The barrow weighs 19 kilos [9].", 0.0, 0.0, 0.0, 0.0),
        ("The barrow weighs 19 kilos [1][9].", 0.5, 1.0, 1.0, 0.5),
        ("The barrow weighs 19 kilos.", None, 0.0, 0.0, 0.0),
        ("unknown", None, None, None, None),
    ],
)
def test_citations_count_as_alce_counts_them(
    text: str,
    validity: float | None,
    coverage: float | None,
    recall: float | None,
    precision: float | None,
) -> None:
    assert value("citation_validity", text) == validity
    assert value("citation_coverage", text) == coverage
    assert value(RECALL, text) == recall
    assert value(PRECISION, text) == precision


def test_years_and_list_marks_are_no_citations() -> None:
    assert value("citation_validity", "It was built [sic] in [1999a] and [a].") is None


def test_posthoc_cites_the_nearest_document_for_setups_that_cannot_cite() -> None:
    metric = "citation_recall(posthoc=True, verifier='v')"
    said = "The barrow weighs 19 kilos. The moon is green."
    assert value(metric, said, passages=()) == 0.5
    precision = "citation_precision(posthoc=True, verifier='v')"
    assert value(precision, said, passages=()) == 0.5


def test_posthoc_leaves_an_answer_with_marks_as_it_is() -> None:
    assert (
        value("citation_recall(posthoc=True, verifier='v')", "The barrow weighs 19 kilos [2].")
        == 0.0
    )


PARTS = ("claims_grounded_correct", "self_knowledge", "noise_sensitivity", "hallucination")


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("The barrow weighs 19 kilos.", (1, 0, 0, 0)),
        ("The gate opens at six.", (0, 0, 1, 0)),
        ("The gate is blue.", (0, 0, 0, 1)),
        ("The barrow weighs 19 kilos. The gate is blue.", (0.5, 0, 0, 0.5)),
    ],
)
def test_each_claim_comes_from_one_place(text: str, wanted: tuple[float, ...]) -> None:
    assert tuple(value(f"{part}(verifier='v')", text) for part in PARTS) == wanted


def test_without_passages_a_right_claim_is_own_knowledge() -> None:
    said = "The barrow weighs 19 kilos. The gate is blue."
    found = [value(f"{part}(verifier='v')", said, passages=()) for part in PARTS]
    assert found == [0, 0.5, 0, 0.5]


def test_the_words_of_an_expected_answer_are_right_in_the_question_s_own_words() -> None:
    found = value("self_knowledge(verifier='v')", "The barrow is 12 stone.", passages=())
    assert found == 0
    said = "The barrow is 19 kilos heavy."
    assert value("self_knowledge(verifier='v')", said, passages=()) == 1


@pytest.mark.parametrize("part", PARTS)
def test_where_nothing_is_right_the_origin_of_claims_is_not_asked(part: str) -> None:
    assert score(f"{part}(verifier='v')", "The gate is blue.", targets=()) is None
    refused = score(f"{part}(verifier='v')", "unknown")
    assert refused and refused.value is None


def test_by_words_alone_the_shares_add_up_to_one() -> None:
    said = "The barrow weighs 19 kilos. It opens at seven on the moon. The gate opens at six."
    found = [value(part, said) for part in PARTS]
    assert sum(each for each in found if each is not None) == pytest.approx(1)
