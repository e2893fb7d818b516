"""Documents split, embedded and indexed once; top-k passages for a question. The door to faiss."""

from __future__ import annotations

import json
import re
import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import faiss
import numpy as np
import numpy.typing as npt

from bakeoff.core import Document, Embedder, Passage, digest
from bakeoff.recipes import Retrieve
from bakeoff.vectors import embed_kept

Vectors = npt.NDArray[np.float32]

_WORD = re.compile(r"\S+")
_SENTENCE_END = re.compile(r"[.!?:|]$")


def split(document: Document, chunk_words: int, overlap_words: int) -> Iterator[Passage]:
    """Passages of at most `chunk_words` words with their offsets, ending at sentence ends.

    Neighbours share about `overlap_words` words. A sentence end is looked for in the second half
    of each chunk; where there is none, the chunk is cut after its last word.
    """
    spans = [(m.start(), m.end()) for m in _WORD.finditer(document.text)]
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


def title(document: Document) -> str:
    """The document's Markdown heading, if it starts with one."""
    first = document.text.lstrip().split("\n", 1)[0]
    return first.lstrip("# ").strip() if first.startswith("#") else ""


@dataclass(frozen=True)
class Corpus:
    """An opened index: its passages, their titles, and what it was made from."""

    passages: tuple[Passage, ...]
    titles: Mapping[str, str]
    manifest: Mapping[str, Any]
    index: Any
    reused: bool

    @property
    def digest(self) -> str:
        return digest(dict(self.manifest))

    def search(
        self, vectors: Vectors, k: int, exclude: Sequence[str] = ()
    ) -> list[tuple[Passage, ...]]:
        """The `k` nearest passages of each query, best first, by cosine.

        `exclude[i]`, where given, is a document that query i must not see: a solved training
        example would otherwise answer itself.
        """
        extra = 1 if exclude else 0
        scores, places = self.index.search(vectors, min(k + extra, len(self.passages)))
        found = []
        for row, (row_scores, row_places) in enumerate(zip(scores, places, strict=True)):
            hits = [
                replace(self.passages[place], score=round(float(score), 6))
                for score, place in zip(row_scores, row_places, strict=True)
            ]
            banned = exclude[row] if exclude else None
            found.append(tuple(hit for hit in hits if hit.document != banned)[:k])
        return found


def open_corpus(
    documents: Sequence[Document],
    documents_digest: str,
    spec: Retrieve,
    embedder: Embedder,
    cache: Path,
) -> Corpus:
    """The index over `documents`: from the cache when the same one was built before."""
    manifest = {
        "corpus": documents_digest,
        "documents": len(documents),
        "splitter": {"chunk_words": spec.chunk_words, "overlap_words": spec.overlap_words},
        "embedder": embedder.digest,
        "index": f"IndexFlatIP, faiss {faiss.__version__.rsplit('.', 1)[0]}",
        "format": 1,
    }
    titles = {d.id: title(d) for d in documents}
    target = cache / "indexes" / digest(manifest)
    reused = (target / "manifest.json").is_file()
    if not reused:
        embed = partial(embed_kept, embedder, cache)
        _build(documents, titles, manifest, spec, embed, target)
    lines = (target / "passages.jsonl").read_text(encoding="utf-8").split("\n")[:-1]
    passages = tuple(Passage(**json.loads(line)) for line in lines)
    index = faiss.read_index(str(target / "index.faiss"))
    return Corpus(passages, titles, manifest, index, reused)


def _build(
    documents: Sequence[Document],
    titles: Mapping[str, str],
    manifest: Mapping[str, Any],
    spec: Retrieve,
    embed: Callable[[Sequence[str]], Vectors],
    target: Path,
) -> None:
    passages = [p for d in documents for p in split(d, spec.chunk_words, spec.overlap_words)]
    # The title goes into the vector: a chunk from the middle does not name its subject.
    vectors = embed([f"{titles[p.document]}\n{p.text}".strip() for p in passages])
    index = faiss.IndexFlatIP(vectors.shape[1])
    index.add(vectors)
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=target.parent) as scratch:
        folder = Path(scratch) / "index"
        folder.mkdir()
        faiss.write_index(index, str(folder / "index.faiss"))
        lines = [json.dumps(asdict(p), ensure_ascii=False) for p in passages]
        (folder / "passages.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")
        (folder / "manifest.json").write_text(json.dumps(dict(manifest), indent=2))
        if not target.exists():
            shutil.move(folder, target)
