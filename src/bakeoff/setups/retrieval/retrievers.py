"""How passages are found for questions: by vectors, by words, or by both lists fused.

`spec.retrievers` names them.
"""

from __future__ import annotations

from collections.abc import Sequence

from bakeoff.core.words import BakeoffError, Ranked
from bakeoff.setups.retrieval.index import Corpus
from bakeoff.setups.retrieval.ranking import Words, fused


class Dense:
    """The nearest passages by the cosine of their vectors."""

    def __init__(self, corpus: Corpus) -> None:
        self._corpus = corpus

    def search(self, questions: Sequence[str], k: int) -> list[Ranked]:
        assert self._corpus.embedder
        vectors = self._corpus.embedder.embed(questions)
        if (width := vectors.shape[1]) != self._corpus.index.d:
            raise BakeoffError(
                f"the embedder's vectors have {width} numbers, those of the index "
                f"{self._corpus.index.d}: another model answers under the same name"
            )
        scores, places = self._corpus.index.search(vectors, min(k, len(self._corpus.passages)))
        # An approximate index may find fewer: faiss fills up with -1.
        return [
            [(int(place), float(score)) for place, score in zip(*row, strict=True) if place >= 0]
            for row in zip(places, scores, strict=True)
        ]


class Bm25:
    """The passages that share words with the question."""

    def __init__(self, corpus: Corpus) -> None:
        self._words = Words(corpus.texts)

    def search(self, questions: Sequence[str], k: int) -> list[Ranked]:
        return [self._words.search(question, k) for question in questions]


class Fused:
    """The lists of both, fused by their ranks; they may be longer than `k` together."""

    def __init__(self, corpus: Corpus) -> None:
        self._bm25, self._dense = Bm25(corpus), Dense(corpus)

    def search(self, questions: Sequence[str], k: int) -> list[Ranked]:
        both = zip(self._bm25.search(questions, k), self._dense.search(questions, k), strict=True)
        return [fused([[place for place, _ in ranked] for ranked in lists]) for lists in both]
