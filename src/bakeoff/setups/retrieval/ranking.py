"""Ranked passages: by words, fused, or composed of gold and distractors."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from heapq import nsmallest
from random import Random
from typing import Any

from bakeoff.core.scripts import is_unspaced, signs, terms
from bakeoff.core.words import Passage, Sample
from bakeoff.spec.recipes import Noise

Hits = tuple[Passage, ...]
FUSED_AFTER = 60
"""The constant k of reciprocal rank fusion, as its authors set it."""


class Words:
    """BM25 over passages (Robertson and Zaragoza 2009; Lucene's variant). The only use of bm25s."""

    def __init__(self, texts: Sequence[str]) -> None:
        import bm25s
        from bm25s.stopwords import STOPWORDS_EN

        self._left_out = frozenset(STOPWORDS_EN)
        read = [self._read(text) for text in texts]
        self._index: Any = None
        if any(read):
            self._index = bm25s.BM25()
            self._index.index(read, show_progress=False)

    def _read(self, text: str) -> list[str]:
        """The text's terms, without English stop words and single letters."""
        return [
            term
            for term in terms(text)
            if term not in self._left_out and (len(term) > 1 or is_unspaced(term))
        ]

    def _known(self, term: str) -> list[str]:
        """The terms of the passages that a term of a question stands for.

        One sign of a script without spaces stands alone in few passages, and in pairs in many.
        """
        if not self._index or not is_unspaced(term) or len(signs(term)) > 1:
            return [term]
        vocabulary = self._index.vocab_dict
        return sorted(known for known in vocabulary if term in known and term in signs(known))

    def search(self, text: str, k: int) -> list[tuple[int, float]]:
        """(place, score) of the `k` best passages; those that share no word are not among them."""
        tokens = [known for term in self._read(text) for known in self._known(term)]
        if not (tokens and self._index):
            return []
        scores: list[float] = self._index.get_scores(tokens).tolist()
        best = nsmallest(k, range(len(scores)), key=lambda place: (-scores[place], place))
        return [(place, scores[place]) for place in best if scores[place] > 0]


def fused(rankings: Sequence[Sequence[int]]) -> list[tuple[int, float]]:
    """(place, score) by reciprocal rank fusion, best first; of equals the first place.

    The score is the sum over the rankings of 1 / (60 + rank), ranks from 1 (Cormack, Clarke and
    Buettcher 2009).
    """
    scores: dict[int, float] = {}
    for ranking in rankings:
        for rank, place in enumerate(ranking, 1):
            scores[place] = scores.get(place, 0.0) + 1 / (FUSED_AFTER + rank)
    return sorted(scores.items(), key=lambda pair: (-pair[1], pair[0]))


def gold_passages(
    sample: Sample, hits: Sequence[Passage], by_document: Mapping[str, Sequence[Passage]]
) -> list[Passage]:
    """Passages of the sample's gold documents: those that hold an answer, then the nearest.

    Every gold document gives one passage before any gives a second.
    """
    wanted = [target.casefold() for target in sample.targets]
    rows = []
    for name in sample.gold:
        near = [hit for hit in hits if hit.document == name]
        places = {(hit.start, hit.end) for hit in near}
        rest = [p for p in by_document.get(name, ()) if (p.start, p.end) not in places]
        rows.append(
            sorted(
                [*near, *rest],
                key=lambda p: not any(target in p.text.casefold() for target in wanted),
            )
        )
    longest = max(map(len, rows), default=0)
    return [row[turn] for turn in range(longest) for row in rows if turn < len(row)]


def composed(
    noise: Noise, sample: Sample, gold: Sequence[Passage], hits: Sequence[Passage], wrong: str = ""
) -> Hits:
    """Gold passages and distractors as `noise` wants them; fewer where there are not so many.

    A question without gold documents gets distractors alone. `wrong` stands for the answer in
    gold passages of a counterfactual test.
    """
    others = [hit for hit in hits if hit.document not in sample.gold]
    count = round(noise.passages * noise.distractors) if gold else noise.passages
    right = list(gold[: noise.passages - count])
    if noise.counterfactual and wrong:
        right = [replace(p, text=_without(p.text, sample.targets, wrong)) for p in right]
    shown = right + others[:count]
    if noise.order == "shuffled":
        Random(f"{noise.seed}:{sample.id}").shuffle(shown)
    else:
        shown.sort(key=lambda passage: -passage.score)
    return tuple(reversed(shown) if noise.order == "best-last" else shown)


def _without(text: str, targets: Sequence[str], wrong: str) -> str:
    """The text with the accepted answers replaced; letters' case aside, the longest first."""
    for target in sorted(targets, key=lambda answer: (-len(answer), answer)):
        while (place := text.casefold().find(target.casefold())) >= 0:
            if target.casefold() in wrong.casefold():
                return text
            text = text[:place] + wrong + text[place + len(target) :]
    return text
