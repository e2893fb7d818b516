"""Documents cut into passages, each with its place in the document."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

from bakeoff.core.scripts import word_spans, words
from bakeoff.core.words import BakeoffError, Document, Passage
from bakeoff.spec.recipes import Retrieve

_SENTENCE_END = re.compile(r"[.!?:|。！？：｡။។]$")

TITLE = 200
"""Characters of a title: it is before every passage, and may be a document on one line."""


def passages(
    document: Document, spec: Retrieve, count: Callable[[str], int] | None = None
) -> Iterator[Passage]:
    """The document's passages as the recipe wants them: `document.text[start:end] == text`.

    `count` counts the tokens of a text, for passages that are measured in tokens. A blank
    document has none.
    """
    if not document.text.strip():
        return
    if spec.passages == "full":
        yield Passage(document.id, 0, len(document.text), document.text)
    elif spec.split == "words":
        yield from split(document, spec.chunk_words, spec.overlap_words)
    else:
        yield from _semantic(document, spec, count)


def split(document: Document, chunk_words: int, overlap_words: int) -> Iterator[Passage]:
    """Passages of at most `chunk_words` words with their offsets, ending at sentence ends.

    A word is one of `core.scripts.words`: in scripts without spaces, every sign is one.

    Neighbours share about `overlap_words` words. A sentence end is looked for in the second half
    of each chunk; where there is none, the chunk is cut after its last word.
    """
    spans = word_spans(document.text)
    first = 0
    while first < len(spans):
        last = min(first + chunk_words, len(spans)) - 1
        if last < len(spans) - 1:
            for candidate in range(last, first + chunk_words // 2, -1):
                start, end = spans[candidate]
                if _SENTENCE_END.search(document.text[start:end]):
                    last = candidate
                    break
        start, end = spans[first][0], spans[last][1]
        yield Passage(document.id, start, end, document.text[start:end])
        if last == len(spans) - 1:
            return
        first = max(last + 1 - overlap_words, first + 1)


def _semantic(
    document: Document, spec: Retrieve, count: Callable[[str], int] | None
) -> Iterator[Passage]:
    """At whole sentences and paragraphs, or at Markdown's headings first; without overlap."""
    from semantic_text_splitter import MarkdownSplitter, TextSplitter

    kind = MarkdownSplitter if spec.split == "headings" else TextSplitter
    if spec.chunk_tokens:
        if count is None:
            raise BakeoffError(
                f"retrieve.chunk_tokens: the tokens of '{spec.embedder}' cannot be counted here; "
                "use chunk_words, or a local embedder"
            )
        splitter = kind.from_callback(count, spec.chunk_tokens)
    else:
        splitter = kind.from_callback(_words, spec.chunk_words)
    for start, text in splitter.chunk_indices(document.text):
        yield Passage(document.id, start, start + len(text), text)


def _words(text: str) -> int:
    return len(words(text))


def title(document: Document) -> str:
    """The document's Markdown heading, if it starts with one: its first `TITLE` characters."""
    first = document.text.lstrip().split("\n", 1)[0]
    return first.lstrip("# ").strip()[:TITLE] if first.startswith("#") else ""
