"""Every correctness and retrieval metric against its reference implementation."""

from __future__ import annotations

import math
import re
import string
from collections.abc import Sequence
from fractions import Fraction

import ir_measures
import numpy as np
import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st
from rouge_score.rouge_scorer import RougeScorer
from sacrebleu.metrics import BLEU, CHRF
from sklearn.metrics import accuracy_score, confusion_matrix, f1_score

from bakeoff.analysis.columns import Column, Measure
from bakeoff.analysis.compare import confusion, estimate
from bakeoff.core.words import Answer, Passage, Sample, Score, Step
from bakeoff.metrics.registry import scorers
from bakeoff.metrics.scorer import Context
from bakeoff.spec.metric import Metric

REFUSALS = Context(refusals=("unknown",))
CASES = settings(max_examples=300, deadline=None)
close = {"abs": 1e-9, "rel": 0}

PIECES = [
    *("the", "a", "an", "cat", "cats", "running", "relational", "The", "19", "3.5", "1,000", "-4"),
    *("kilos", "don't", "don’t", "R-4", "x", "X", "école", "e\u0301cole", "straße", "漢字", "かな"),
    *("&amp;", "&lt;", "<skipped>", "-\n", "«a»", "$5", "50%", "U.S.A.", "e.g.", "🙂", "İ", "ﬁ"),
    *("unknown", ".", ",", "!", "-", "\n", "\t", "\u00a0", "\u2028", "\x1c", "'", '"', "_", "\\"),
]
texts = st.text(max_size=20) | st.lists(st.sampled_from(PIECES), max_size=14).flatmap(
    lambda words: st.sampled_from([" ".join(words), "".join(words)])
)
targets = st.lists(texts, max_size=3)


def scored(metric: str, text: str, targets: Sequence[str], context: Context = REFUSALS) -> float:
    parsed = Metric.parse(metric)
    sample = Sample("1", {"question": "?"}, tuple(targets))
    found = scorers()[parsed.name].score(sample, Answer(text), context, parsed)
    assert isinstance(found, Score) and found.value is not None
    return found.value


def spoken(text: str) -> str:
    """A refusal is the empty prediction."""
    return "" if "unknown" in text.lower() else text


def declines(text: str) -> float:
    return float(not spoken(text).strip())


def squad_words(text: str) -> list[str]:
    """SQuAD's four steps in its order: lower, no punctuation, no articles, no extra spaces."""
    kept = "".join(sign for sign in text.lower() if sign not in set(string.punctuation))
    return re.sub(r"\b(a|an|the)\b", " ", kept).split()


def squad_pair(prediction: str, gold: str) -> tuple[float, float]:
    """Exact match and F1, from the definitions."""
    said, wanted = squad_words(prediction), squad_words(gold)
    equal = float(said == wanted)
    if not said or not wanted:
        return equal, equal
    left = list(wanted)
    for word in said:
        if word in left:
            left.remove(word)
    same = len(wanted) - len(left)
    if not same:
        return equal, 0.0
    precision, recall = same / len(said), same / len(wanted)
    return equal, 2 * precision * recall / (precision + recall)


@CASES
@given(texts, targets)
@example("", ["the", "cat"])
@example("the", ["a cat"])
def test_exact_match_and_token_f1_are_squads(text: str, golds: list[str]) -> None:
    """Of golds that keep a word: SQuAD's definition calls every other equal to an empty answer."""
    golds = [gold for gold in golds if squad_words(gold)]
    pairs = [squad_pair(spoken(text), gold) for gold in golds] or [(declines(text),) * 2]
    assert scored("exact_match(normalization='squad')", text, golds) == max(
        pair[0] for pair in pairs
    )
    f1 = scored("token_f1(normalization='squad')", text, golds)
    assert f1 == pytest.approx(max(pair[1] for pair in pairs), **close)


@CASES
@given(texts, targets)
def test_contains_finds_a_targets_words_in_one_stretch(text: str, golds: list[str]) -> None:
    golds = [gold for gold in golds if squad_words(gold)]
    said = squad_words(spoken(text))
    stretches = [said[i:j] for i in range(len(said)) for j in range(i + 1, len(said) + 1)]
    wanted = any(squad_words(gold) in stretches for gold in golds) if golds else declines(text)
    assert scored("contains(normalization='squad')", text, golds) == float(wanted)


ROUGE = {stem: RougeScorer(["rougeL"], use_stemmer=stem) for stem in (False, True)}


@pytest.mark.parametrize("stem", [False, True])
@CASES
@given(text=texts, golds=targets)
def test_rouge_l_is_rouge_scores_f_measure(stem: bool, text: str, golds: list[str]) -> None:
    said = spoken(text)
    if golds:
        wanted = ROUGE[stem].score_multi(golds, said)["rougeL"].fmeasure
    else:
        wanted = float(not said.strip())
    assert scored(f"rouge_l(stem={stem})", text, golds) == pytest.approx(wanted, **close)


SENTENCE_BLEU, CHARACTER_F = BLEU(effective_order=True), CHRF()


@pytest.mark.parametrize(("metric", "rule"), [("bleu", SENTENCE_BLEU), ("chrf", CHARACTER_F)])
@CASES
@given(text=texts, golds=targets)
def test_bleu_and_chrf_are_sacrebleus_of_the_best_target(
    metric: str, rule: BLEU | CHRF, text: str, golds: list[str]
) -> None:
    said = spoken(text)
    scores = [rule.sentence_score(said, [gold]).score / 100 for gold in golds]
    wanted = max(scores, default=float(not said.strip()))
    assert scored(metric, text, golds) == pytest.approx(wanted, **close)


@CASES
@given(texts, st.lists(texts, min_size=1, max_size=3))
def test_chrf_of_several_targets_is_sacrebleus_own(text: str, golds: list[str]) -> None:
    wanted = CHARACTER_F.sentence_score(spoken(text), golds).score / 100
    assert scored("chrf", text, golds) == pytest.approx(wanted, **close)


numbers = st.integers(-(10**9), 10**9) | st.decimals(-(10**6), 10**6, places=3).map(float)
around = st.sampled_from(
    ["{}", "{} kilos", "about {}.", "${}", "{}%", "It is {}!", "({})", "€ {} "]
)
WRITTEN = ("{}", "{:,}", "{:e}")


@CASES
@given(
    numbers,
    numbers | st.sampled_from(["same", "near"]),
    st.tuples(st.sampled_from(WRITTEN), around, st.sampled_from(WRITTEN), around),
    st.sampled_from([0.0, 0.01, 0.5]),
    st.sampled_from([0.0, 1.0, 40.0]),
)
def test_a_number_is_right_within_the_larger_tolerance(
    said: float, wanted: float | str, shape: Sequence[str], tolerance: float, absolute: float
) -> None:
    if isinstance(wanted, str):
        wanted = said if wanted == "same" else said * 1.005
    shown, expected = shape[0].format(said), shape[2].format(wanted)
    value, target = (Fraction(text.replace(",", "")) for text in (shown, expected))
    gap = abs(value - target)
    limit = max(Fraction(str(absolute)), abs(target) * Fraction(str(tolerance)))
    metric = f"numeric(tolerance={tolerance}, absolute={absolute})"
    found = scored(metric, shape[1].format(shown), [shape[3].format(expected)])
    assert found == float(gap <= limit)
    if abs(gap - limit) > Fraction(1, 10**6):
        # pytest's own rule, where no rounding can decide.
        assert found == (float(value) == pytest.approx(float(target), tolerance, absolute))


labels = st.sampled_from("abcd")


@CASES
@given(st.lists(st.tuples(labels, labels | st.just("none of them")), min_size=1, max_size=30))
def test_accuracy_macro_f1_and_the_confusion_are_scikit_learns(
    pairs: list[tuple[str, str]],
) -> None:
    context = Context(labels=("a", "b", "c", "d"))
    judged = []
    for wanted, said in pairs:
        for name in ("accuracy", "macro_f1"):
            sample = Sample("1", {"question": "?"}, (wanted,))
            found = scorers()[name].score(sample, Answer(said), context, Metric(name))
            judged.append(found)
    expected, predicted = zip(*(each.labels for each in judged[::2]), strict=True)
    assert list(expected) == [pair[0] for pair in pairs]
    names = tuple(f"s{n}" for n in range(len(pairs)))
    hits = np.array([each.value for each in judged[::2]])
    assert estimate(Column(names, names, hits)).value == pytest.approx(
        accuracy_score(expected, predicted), **close
    )
    macro = Column(
        names,
        names,
        hits,
        tuple(each.labels for each in judged[1::2]),
        Measure(aggregate="macro_f1"),
    )
    known = sorted(set(expected))
    assert estimate(macro).value == pytest.approx(
        f1_score(expected, predicted, average="macro", labels=known, zero_division=0), **close
    )
    every = sorted({*expected, *predicted})
    matrix = confusion_matrix(expected, predicted, labels=[*every, "unused"])[:-1, :-1]
    sums = confusion(macro.labels)[0].sum(axis=0)
    assert sums.tolist() == [*matrix.diagonal(), *matrix.sum(axis=1), *matrix.sum(axis=0)]


documents = st.sampled_from([f"d{n}" for n in range(7)] + ["é 漢"])


@CASES
@given(
    st.lists(documents, max_size=9), st.lists(documents, min_size=1, max_size=6), st.integers(1, 6)
)
def test_retrieval_is_ir_measures(found: list[str], gold: list[str], k: int) -> None:
    ranks = {name: -float(rank) for rank, name in reversed(list(enumerate(found)))}
    measures = {
        f"retrieval_recall(k={k})": ir_measures.R @ k,
        f"retrieval_precision(k={k})": ir_measures.P @ k,
        f"retrieval_hit(k={k})": ir_measures.Success @ k,
        f"retrieval_ndcg(k={k})": ir_measures.nDCG @ k,
        "retrieval_mrr": ir_measures.RR,
    }
    run = {"1": ranks} if ranks else {"1": {"nothing": 0.0}}
    wanted = ir_measures.pytrec_eval.calc_aggregate(
        list(measures.values()), {"1": dict.fromkeys(gold, 1)}, run
    )
    sample = Sample("1", {"question": "?"}, ("x",), tuple(gold))
    passages = tuple(Passage(name, 0, 0, "") for name in found)
    answer = Answer("", passages, (Step("retrieve"),))
    for spelled, measure in measures.items():
        metric = Metric.parse(spelled)
        score = scorers()[metric.name].score(sample, answer, Context(), metric)
        assert score.value == pytest.approx(wanted[measure], **close)


@CASES
@given(texts, st.lists(texts, max_size=3), st.lists(texts, max_size=3))
def test_answer_in_context_is_contains_of_a_passage(
    text: str, golds: list[str], passages: list[str]
) -> None:
    assume(golds)
    sample = Sample("1", {"question": "?"}, tuple(golds))
    answer = Answer(text, tuple(Passage("d", 0, 0, p) for p in passages), (Step("retrieve"),))
    found = scorers()["answer_in_context"].score(
        sample, answer, Context(), Metric("answer_in_context")
    )
    held = [scored("contains", passage, golds, Context()) for passage in passages]
    assert found.value == max(held, default=0.0)


outcomes = st.lists(
    st.tuples(st.booleans(), st.sampled_from(["19 kilos", "unknown", "20 kilos"])), min_size=1
)


@CASES
@given(outcomes)
def test_the_mean_of_crag_is_the_benchmarks_score(asked: list[tuple[bool, str]]) -> None:
    """(2 correct + missing) / n - 1, where declining the unanswerable is correct (CRAG, 2024)."""
    values, correct, missing, answered = [], 0, 0, []
    for answerable, said in asked:
        golds = ["19 kilos"] if answerable else []
        values.append(scored("crag", said, golds))
        refused = said == "unknown"
        correct += said == "19 kilos" if answerable else refused
        missing += answerable and refused
        if not refused:
            answered.append(float(answerable and said == "19 kilos"))
            assert scored("selective_accuracy", said, golds) == answered[-1]
    assert sum(values) / len(values) == pytest.approx(
        (2 * correct + missing) / len(asked) - 1, **close
    )
    assert not math.isnan(sum(answered))
