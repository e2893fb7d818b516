"""Splitting, embedding and searching, with the embedded embedder."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bakeoff.core import Document
from bakeoff.embed import LocalEmbedder, Vectors
from bakeoff.recipes import Retrieve
from bakeoff.retrieve import open_corpus, split, title

DOCUMENTS = (
    Document("barrow", "# The barrow\nThe Larch barrow weighs 19 kilos."),
    Document("gate", "# The gate\nThe east gate opens at 6.40 in the morning."),
    Document("tea", "Tea is served at the long table after the meeting."),
)


@pytest.fixture(scope="module")
def embedder(cache: Path) -> LocalEmbedder:
    return LocalEmbedder("embedded", cache)


@given(st.text(max_size=400), st.integers(16, 40), st.integers(0, 15))
def test_passages_are_stretches_of_the_document_and_leave_no_word_out(
    text: str, chunk: int, overlap: int
) -> None:
    passages = list(split(Document("d", text), chunk, overlap))
    covered: set[int] = set()
    for p in passages:
        assert text[p.start : p.end] == p.text
        assert len(p.text.split()) <= chunk
        covered |= set(range(p.start, p.end))
    assert all(place in covered for place, sign in enumerate(text) if not sign.isspace())


def test_passages_end_at_a_sentence_where_one_ends_in_their_second_half() -> None:
    text = "one two three four five six seven eight nine ten eleven. " * 3
    first = next(split(Document("d", text), 16, 0))
    assert first.text.endswith("eleven.")


def test_a_title_is_the_markdown_heading() -> None:
    assert [title(d) for d in DOCUMENTS] == ["The barrow", "The gate", ""]


def test_the_nearest_passage_by_cosine_comes_first(embedder: LocalEmbedder, tmp_path: Path) -> None:
    corpus = open_corpus(DOCUMENTS, "x", Retrieve(k=3), embedder, tmp_path)
    question = embedder.embed(["When does the gate open?"])
    (found,) = corpus.search(question, 3)
    texts = [f"{corpus.titles[p.document]}\n{p.text}".strip() for p in corpus.passages]
    cosines = embedder.embed(texts) @ question[0]
    assert [p.document for p in found] == [
        corpus.passages[i].document for i in np.argsort(-cosines)
    ]
    assert found[0].document == "gate"
    assert found[0].score == pytest.approx(float(cosines.max()), abs=1e-4)


def test_a_sample_does_not_find_itself(embedder: LocalEmbedder, tmp_path: Path) -> None:
    corpus = open_corpus(DOCUMENTS, "x", Retrieve(k=2), embedder, tmp_path)
    (found,) = corpus.search(embedder.embed(["When does the gate open?"]), 2, ["gate"])
    assert {p.document for p in found} == {"barrow", "tea"}


def test_an_index_is_built_once_and_again_when_anything_in_it_changes(
    embedder: LocalEmbedder, tmp_path: Path
) -> None:
    def reused(digest: str, **spec: int) -> bool:
        return open_corpus(DOCUMENTS, digest, Retrieve(**spec), embedder, tmp_path).reused

    assert not reused("x")
    assert reused("x")
    assert reused("x", k=1)
    assert not reused("y")
    assert not reused("x", chunk_words=40)


def test_only_new_and_changed_chunks_are_embedded(embedder: LocalEmbedder, tmp_path: Path) -> None:
    counting = Counting(embedder)
    first = open_corpus(DOCUMENTS, "x", Retrieve(), counting, tmp_path)
    assert counting.texts == 3
    changed = (*DOCUMENTS[:2], Document("tea", "Tea is served on the terrace."))
    second = open_corpus(changed, "y", Retrieve(), counting, tmp_path)
    assert counting.texts == 4
    question = embedder.embed(["How heavy is the barrow?"])
    assert first.search(question, 1) == second.search(question, 1)


class Counting:
    """An embedder that counts what it is given."""

    def __init__(self, embedder: LocalEmbedder) -> None:
        self.embedder, self.digest, self.texts = embedder, embedder.digest, 0

    def embed(self, texts: Sequence[str]) -> Vectors:
        self.texts += len(texts)
        return self.embedder.embed(texts)


def test_vectors_have_length_one_and_stand_in_the_order_of_the_texts(
    embedder: LocalEmbedder,
) -> None:
    texts = ["a", "a longer text about gates" * 700, "tea", "a longer text about gates"]
    vectors = embedder.embed(texts)
    assert vectors.shape == (4, 384)
    assert np.linalg.norm(vectors, axis=1) == pytest.approx([1.0] * 4, abs=1e-5)
    alone = np.concatenate([embedder.embed([text]) for text in texts])
    assert (vectors * alone).sum(axis=1) == pytest.approx([1.0] * 4, abs=1e-3)


def test_vectors_are_those_of_float32_and_say_what_computed_them(
    embedder: LocalEmbedder, cache: Path
) -> None:
    exact = LocalEmbedder("embedded", cache, compute="float32")
    texts = [d.text for d in DOCUMENTS]
    assert (embedder.embed(texts) * exact.embed(texts)).sum(axis=1).min() > 0.9998
    low = LocalEmbedder("embedded", cache, compute="bfloat16")
    assert low.digest != exact.digest
    assert embedder.digest in (low.digest, exact.digest)
