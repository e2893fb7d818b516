"""Retrieval against gold document ids, over the passages that reached the prompt.

A document counts at the rank of its first passage. Definitions as in TREC's `trec_eval` with
binary relevance; nDCG uses the log2 discount of Jarvelin and Kekalainen (2002). Computed here and
compared with `ir-measures` in the tests: run sample by sample, as scorers are, its fastest one
takes 60 microseconds for a metric, thirty times these lines, and is a compiled package more.
"""

from __future__ import annotations

import math

from bakeoff.core.words import Answer, Sample
from bakeoff.metrics.forms import holds
from bakeoff.metrics.scorer import Context, Outcome, scorer


def ranked(answer: Answer) -> list[str]:
    """Document ids by the rank of their first passage."""
    return list(dict.fromkeys(passage.document for passage in answer.passages))


def _applies(sample: Sample, answer: Answer) -> bool:
    """Only open-book answers to questions with gold documents have a retrieval to judge."""
    return bool(sample.gold) and answer.open_book


def _some(k: int) -> str:
    return "" if k > 0 else "k must be at least 1"


@scorer(version=2, check=_some)
def retrieval_recall(sample: Sample, answer: Answer, context: Context, *, k: int = 3) -> Outcome:
    """Share of the gold documents among the first `k` documents in the context."""
    if not _applies(sample, answer):
        return None
    return len(set(sample.gold) & set(ranked(answer)[:k])) / len(set(sample.gold))


@scorer(version=2, check=_some)
def retrieval_precision(sample: Sample, answer: Answer, context: Context, *, k: int = 3) -> Outcome:
    """Share of `k` places that a gold document takes; a place left empty counts as wrong."""
    if not _applies(sample, answer):
        return None
    return len(set(sample.gold) & set(ranked(answer)[:k])) / k


@scorer(version=2, check=_some)
def retrieval_hit(sample: Sample, answer: Answer, context: Context, *, k: int = 3) -> Outcome:
    """1 when a gold document is among the first `k` documents in the context."""
    if not _applies(sample, answer):
        return None
    return not set(sample.gold).isdisjoint(ranked(answer)[:k])


@scorer(version=2)
def retrieval_mrr(sample: Sample, answer: Answer, context: Context) -> Outcome:
    """1 / rank of the first gold document in the context, 0 when there is none."""
    if not _applies(sample, answer):
        return None
    ranks = (n for n, name in enumerate(ranked(answer), 1) if name in sample.gold)
    return 1 / next(ranks, math.inf)


@scorer(version=2, check=_some)
def retrieval_ndcg(sample: Sample, answer: Answer, context: Context, *, k: int = 3) -> Outcome:
    """Discounted gain of the gold documents in the first `k`, over the best possible."""
    if not _applies(sample, answer):
        return None
    places = [n for n, name in enumerate(ranked(answer)[:k]) if name in sample.gold]
    best = range(min(k, len(set(sample.gold))))
    return sum(1 / math.log2(n + 2) for n in places) / sum(1 / math.log2(n + 2) for n in best)


@scorer(version=3)
def answer_in_context(sample: Sample, answer: Answer, context: Context) -> Outcome:
    """1 when a passage that reached the prompt holds a target, word for word."""
    if not sample.answerable or not answer.open_book:
        return None
    return any(
        holds(passage.text, target, context.normalization)
        for passage in answer.passages
        for target in sample.targets
    )
