"""What reaches a prompt: passages in any script, within the budget, from odd documents."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from bakeoff.core.scripts import words
from bakeoff.core.words import Document, Passage
from bakeoff.setups.answerer import context_of
from bakeoff.setups.retrieval.index import Corpus, open_corpus
from bakeoff.setups.retrieval.ranking import Words
from bakeoff.setups.retrieval.splitting import TITLE, passages, split, title
from bakeoff.spec.recipes import Retrieve

KITCHEN = (
    Document("鍋", "銅の鍋は棚の上にある。毎週月曜日に磨く。" * 30),
    Document("茶", "緑茶は八十度のお湯で二分いれる。"),
    Document("ข้าว", "หุงข้าวหนึ่งถ้วยด้วยน้ำหนึ่งถ้วยครึ่ง"),
)


class Letters:
    """An embedder of a hundred dimensions: how often each letter occurs, its code modulo 100."""

    digest = "letters"

    def embed(self, texts: Sequence[str]) -> npt.NDArray[np.float32]:
        rows = np.zeros((len(texts), 100), dtype=np.float32)
        for row, text in zip(rows, texts, strict=True):
            for letter in text:
                row[ord(letter) % 100] += 1
        return rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-9)


def opened(documents: Sequence[Document], folder: Path, by: str, **spec: object) -> Corpus:
    recipe = Retrieve.model_validate({"by": by, "chunk_words": 40, "overlap_words": 8, **spec})
    embedder = Letters() if recipe.vectors else None
    return open_corpus(documents, "x", recipe, embedder, folder)


@pytest.mark.parametrize("by", ["bm25", "dense", "fused"])
@pytest.mark.parametrize(
    ("question", "right"),
    [
        ("緑茶のお湯は何度ですか", "茶"),
        ("鍋はいつ磨きますか", "鍋"),
        ("หุงข้าวใช้น้ำกี่ถ้วย", "ข้าว"),
    ],
)
def test_scripts_without_spaces_are_split_and_searched(
    by: str, question: str, right: str, tmp_path: Path
) -> None:
    corpus = opened(KITCHEN, tmp_path, by)
    assert all(len(words(p.text)) <= 40 for p in corpus.passages)
    assert len(corpus.by_document["鍋"]) > 10
    (hits,) = corpus.find([question], 1)
    assert [hit.document for hit in hits] == [right]


@pytest.mark.parametrize("kind", ["sentences", "headings"])
def test_sentences_of_scripts_without_spaces_are_counted_in_signs(kind: str) -> None:
    spec = Retrieve.model_validate({"split": kind, "chunk_words": 40, "overlap_words": 0})
    stretches = list(passages(KITCHEN[0], spec))
    assert all(len(words(p.text)) <= 40 for p in stretches)
    assert all(KITCHEN[0].text[p.start : p.end] == p.text for p in stretches)


def test_passages_end_at_a_full_stop_of_any_script() -> None:
    assert next(split(KITCHEN[0], 30, 0)).text == "銅の鍋は棚の上にある。毎週月曜日に磨く。"


def test_words_with_vowel_signs_are_found() -> None:
    assert Words(["घर की चाबी", "एक किताब"]).search("किताब", 2)[0][0] == 1


@pytest.mark.parametrize("by", ["bm25", "dense", "fused"])
def test_documents_of_stop_words_or_nothing_and_large_k_give_what_there_is(
    by: str, tmp_path: Path
) -> None:
    documents = (Document("a", "and of the"), Document("b", " \n"), Document("c", "it is"))
    corpus = opened(documents, tmp_path, by, k=9)
    (hits,) = corpus.find(["the key and the door"], 9)
    assert {hit.document for hit in hits} == (set() if by == "bm25" else {"a", "c"})


def count(text: str) -> int:
    return len(words(text))


def hit(document: str, text: str) -> Passage:
    return Passage(document, 5, 5 + len(text), text)


def test_a_passage_larger_than_the_budget_is_passed_over() -> None:
    hits = (hit("long", "far " * 90), hit("short", "on the wall"), hit("next", "by the door"))
    context, shown = context_of(hits, {}, 12, count)
    assert context == "[1] on the wall\n\n[2] by the door"
    assert shown == hits[1:]


def test_passages_beyond_the_budget_are_left_out_last_first() -> None:
    hits = (hit("a", "one two three"), hit("b", "four five six seven"), hit("c", "eight"))
    assert context_of(hits, {}, 8, count)[1] == hits[:1]


def test_where_every_passage_is_too_large_the_first_is_cut_at_a_word() -> None:
    hits = (hit("a", "hangs at 1500 metres " * 20), hit("b", "far " * 90))
    context, shown = context_of(hits, {"a": "Key"}, 6, count)
    assert context == "[1] Key: hangs at 1500 metres"
    cut = "hangs at 1500 metres"
    assert shown == (Passage("a", 5, 5 + len(cut), cut, title="Key"),)


def test_a_single_long_word_is_cut_to_the_budget() -> None:
    context, shown = context_of((hit("a", "x" * 900),), {}, 40, len)
    assert len(context) == 40
    assert shown[0].text == "x" * 36


def test_a_heading_that_is_the_whole_document_is_cut() -> None:
    assert len(title(Document("d", "# " + "word " * 500))) == TITLE
