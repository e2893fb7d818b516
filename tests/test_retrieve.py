"""Splitting, embedding and searching, with the embedded embedder."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bakeoff.core import Document
from bakeoff.retrieve import Embedder, open_corpus, split, title
from bakeoff.suite import Retrieve

DOCUMENTS = (
    Document("barrow", "# The barrow\nThe Larch barrow weighs 19 kilos."),
    Document("gate", "# The gate\nThe east gate opens at 6.40 in the morning."),
    Document("tea", "Tea is served at the long table after the meeting."),
)


@pytest.fixture(scope="module")
def embedder(cache: Path) -> Embedder:
    return Embedder("embedded", cache)


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


def test_the_nearest_passage_by_cosine_comes_first(embedder: Embedder, tmp_path: Path) -> None:
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


def test_a_sample_does_not_find_itself(embedder: Embedder, tmp_path: Path) -> None:
    corpus = open_corpus(DOCUMENTS, "x", Retrieve(k=2), embedder, tmp_path)
    (found,) = corpus.search(embedder.embed(["When does the gate open?"]), 2, ["gate"])
    assert {p.document for p in found} == {"barrow", "tea"}


def test_an_index_is_built_once_and_again_when_anything_in_it_changes(
    embedder: Embedder, tmp_path: Path
) -> None:
    def reused(digest: str, **spec: int) -> bool:
        return open_corpus(DOCUMENTS, digest, Retrieve(**spec), embedder, tmp_path).reused

    assert not reused("x")
    assert reused("x")
    assert reused("x", k=1)
    assert not reused("y")
    assert not reused("x", chunk_words=40)


def test_vectors_have_length_one(embedder: Embedder) -> None:
    vectors = embedder.embed(["a", "a longer text about gates"])
    assert vectors.shape == (2, 384)
    assert np.linalg.norm(vectors, axis=1) == pytest.approx([1.0, 1.0], abs=1e-5)
