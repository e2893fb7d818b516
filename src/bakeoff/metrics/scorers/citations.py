"""Citations such as [1]: whether they exist, carry their sentences, and are needed.

Recall and precision as ALCE defines them (Gao et al. 2023), with any verifier in the place of its
entailment model. `[n]` names the n-th passage of the prompt. With `posthoc`, an answer without any
mark is cited here: each sentence gets the document of the corpus that shares most with it, so that
setups which cannot cite can be beside those that can.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from bakeoff.core.words import SUPPORTED, Answer, Sample, Score
from bakeoff.metrics.refusals import declines
from bakeoff.metrics.scorer import Context, Outcome, scorer
from bakeoff.metrics.scorers.support import NO_CLAIM, checked, decided_by, evidence_of
from bakeoff.metrics.support import claims, nearest_passage

MARK = re.compile(r"\s*\[(\d{1,3}(?:\s*[,;]\s*\d{1,3})*)\]")
_AFTER_STOP = re.compile(r"([.!?]+)((?:\s*\[\d{1,3}(?:\s*[,;]\s*\d{1,3})*\])+)")


@dataclass(frozen=True)
class Cited:
    """A sentence without its marks, and the passages that they name."""

    text: str
    marks: tuple[int, ...]
    """As written, from 1, each once."""
    passages: tuple[str, ...]
    """Those of the marks that name a passage there is."""


def cited(answer: Answer, context: Context, posthoc: bool = False) -> list[Cited]:
    """The sentences of an answer that make a claim, with what they cite."""
    text = _AFTER_STOP.sub(r"\2\1", answer.text)
    shown = [passage.text for passage in answer.passages]
    sentences = [_cited(claim.text, shown) for claim in claims(text)]
    if posthoc and not any(sentence.marks for sentence in sentences):
        corpus = tuple(context.documents.values()) or tuple(shown)
        return [_nearest(sentence.text, corpus) for sentence in sentences]
    return sentences


def _cited(sentence: str, shown: Sequence[str]) -> Cited:
    numbers = [int(n) for group in MARK.findall(sentence) for n in re.split(r"\s*[,;]\s*", group)]
    marks = tuple(dict.fromkeys(numbers))
    there = tuple(shown[n - 1] for n in marks if 1 <= n <= len(shown))
    return Cited(MARK.sub("", sentence).strip(), marks, there)


def _nearest(sentence: str, corpus: tuple[str, ...]) -> Cited:
    place = nearest_passage(sentence, evidence_of(corpus)) if corpus else None
    return Cited(sentence, (), () if place is None else (corpus[place],))


def _sentences(answer: Answer, context: Context, posthoc: bool) -> list[Cited] | Score:
    if declines(answer, context.refusals):
        return NO_CLAIM
    return cited(answer, context, posthoc) or NO_CLAIM


def _carried(
    sample: Sample, context: Context, verifier: str, text: str, passages: Sequence[str]
) -> bool:
    """Whether passages, taken together, support all that a sentence says."""
    if not passages:
        return False
    judged = checked(context, verifier, sample.question, text, ["\n".join(passages)])
    return bool(judged.claims) and all(claim.verdict == SUPPORTED for claim in judged.claims)


@scorer(version=3)
def citation_validity(sample: Sample, answer: Answer, context: Context) -> Outcome:
    """Share of an answer's marks that name a passage there is; none without marks."""
    marks = [n for sentence in cited(answer, context) for n in sentence.marks]
    if not marks:
        return None
    return sum(1 <= n <= len(answer.passages) for n in marks) / len(marks)


@scorer(version=4)
def citation_coverage(sample: Sample, answer: Answer, context: Context) -> Outcome:
    """Share of the sentences with a mark that names a passage there is."""
    sentences = _sentences(answer, context, posthoc=False)
    if isinstance(sentences, Score):
        return sentences
    return sum(bool(sentence.passages) for sentence in sentences) / len(sentences)


@scorer(version=5, asks="verifier", made_of=decided_by)
def citation_recall(
    sample: Sample, answer: Answer, context: Context, *, verifier: str = "", posthoc: bool = False
) -> Outcome:
    """Share of the sentences that the passages they cite support, taken together (ALCE)."""
    sentences = _sentences(answer, context, posthoc)
    if isinstance(sentences, Score):
        return sentences
    bad = [s.text for s in sentences if not _carried(sample, context, verifier, s.text, s.passages)]
    return Score(
        1 - len(bad) / len(sentences), f"not supported by its citations: {bad[0]}" if bad else ""
    )


@scorer(version=5, asks="verifier", made_of=decided_by)
def citation_precision(
    sample: Sample, answer: Answer, context: Context, *, verifier: str = "", posthoc: bool = False
) -> Outcome:
    """Share of the citations that their sentence needs (ALCE); 0 without any."""
    sentences = _sentences(answer, context, posthoc)
    if isinstance(sentences, Score):
        return sentences
    count = sum(max(len(sentence.marks), len(sentence.passages)) for sentence in sentences)
    needed = sum(_needed(sample, context, verifier, sentence) for sentence in sentences)
    return needed / count if count else Score(0.0, "nothing is cited")


def _needed(sample: Sample, context: Context, verifier: str, sentence: Cited) -> int:
    """How many citations of a sentence are needed: they carry it alone, or it falls without."""
    text, passages = sentence.text, sentence.passages
    if not _carried(sample, context, verifier, text, passages):
        return 0
    if len(passages) == 1:
        return 1
    needed = 0
    for place, passage in enumerate(passages):
        rest = [*passages[:place], *passages[place + 1 :]]
        alone = _carried(sample, context, verifier, text, [passage])
        needed += alone or not _carried(sample, context, verifier, text, rest)
    return needed
