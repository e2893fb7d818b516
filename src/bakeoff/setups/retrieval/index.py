"""Documents split, embedded and indexed once; top-k passages for a question."""

from __future__ import annotations

import json
import shutil
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from functools import cached_property, partial
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from bakeoff.core import made_elsewhere
from bakeoff.core.scripts import is_unspaced
from bakeoff.core.words import BakeoffError, Document, Embedder, Passage, Ranked, Retriever, digest
from bakeoff.models.vector_cache import embed_kept
from bakeoff.setups.retrieval import nearest
from bakeoff.setups.retrieval.ranking import Hits
from bakeoff.setups.retrieval.splitting import passages, title
from bakeoff.spec.functions import load_function, users_code
from bakeoff.spec.recipes import Retrieve
from bakeoff.spec.retrievers import retriever_kind

Vectors = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Work:
    """What it took to build an index."""

    passages: int
    embedded: int
    """Passages that no earlier index had embedded."""
    embed_s: float
    build_s: float
    bytes: int
    kind: str
    """Of index: what `auto` chose."""


@dataclass(frozen=True)
class Corpus:
    """An opened index: its passages, their titles, and what it was made from."""

    passages: tuple[Passage, ...]
    titles: Mapping[str, str]
    manifest: Mapping[str, Any]
    index: Any
    """Of faiss; `None` where words alone, or nothing, is searched."""
    embedder: Embedder | None
    """Made the vectors in the index."""
    opens: Callable[[Corpus], Retriever] = field(compare=False)
    reused: bool
    work: Work

    @property
    def digest(self) -> str:
        return digest(dict(self.manifest))

    @cached_property
    def by_document(self) -> Mapping[str, Sequence[Passage]]:
        grouped: dict[str, list[Passage]] = {}
        for passage in self.passages:
            grouped.setdefault(passage.document, []).append(passage)
        return grouped

    @cached_property
    def texts(self) -> list[str]:
        """The passages as they are searched: a chunk from the middle does not name its subject."""
        return [f"{self.titles[p.document]}\n{p.text}" for p in self.passages]

    @cached_property
    def retriever(self) -> Retriever:
        return self.opens(self)

    def find(self, questions: Sequence[str], k: int, exclude: Sequence[str] = ()) -> list[Hits]:
        """The `k` best passages for each question, best first.

        `exclude[i]`, where given, is a document that question i must not see: a solved training
        example would otherwise answer itself.
        """
        ranked = self.retriever.search(questions, k + (1 if exclude else 0))
        return [self._hits(row, k, exclude[i] if exclude else None) for i, row in enumerate(ranked)]

    def _hits(self, ranked: Ranked, k: int, banned: str | None) -> Hits:
        for place, _ in ranked:
            if not 0 <= place < len(self.passages):
                raise BakeoffError(f"the retriever gave place {place} of {len(self.passages)}")
        hits = (replace(self.passages[place], score=round(score, 6)) for place, score in ranked)
        return tuple(hit for hit in hits if hit.document != banned)[:k]


def open_corpus(
    documents: Sequence[Document],
    documents_digest: str,
    spec: Retrieve,
    embedder: Embedder | None,
    cache: Path,
    folder: Path = Path(),
) -> Corpus:
    """The index over `documents`: from the cache when the same one was built before.

    `embedder` may be `None` where the recipe needs neither vectors nor its tokens counted. A
    retriever of the user's is named from `folder`. Raises `BakeoffError` where it is not there.
    """
    count = getattr(embedder, "count", None)
    embedder = embedder if spec.vectors else None
    opens = load_function(retriever_kind(spec.retriever).opens, folder)
    if "::" in spec.retriever:
        opens = partial(_UsersRetriever, spec.retriever, opens)
    manifest: dict[str, Any] = {
        "corpus": documents_digest,
        "documents": len(documents),
        "splitter": {**spec.identity(), **_unspaced(documents)},
        "embedder": embedder.digest if embedder else "",
        "index": nearest.kind(spec) if embedder else "none",
        "format": 1,
    }
    titles = {d.id: title(d) for d in documents}
    target = _place(cache, manifest)
    made_elsewhere.fetch(target)
    reused = (target / WORK).is_file()
    if not reused:
        made = tuple(p for d in documents for p in passages(d, spec, count))
        _build(made, titles, manifest, spec, embedder, cache)
    made_elsewhere.hand(target)
    lines = (target / "passages.jsonl").read_text(encoding="utf-8").split("\n")[:-1]
    stretches = tuple(Passage(**json.loads(line)) for line in lines)
    index = nearest.read(target / INDEX) if embedder else None
    work = Work(**json.loads((target / WORK).read_text()))
    return Corpus(stretches, titles, manifest, index, embedder, opens, reused, work)


def _unspaced(documents: Sequence[Document]) -> dict[str, bool]:
    """Marks an index over scripts without spaces: once they were not split at their signs."""
    return {"signs": True} if any(is_unspaced(d.text) for d in documents) else {}


WORK, INDEX = "work.json", "index.faiss"


def _place(cache: Path, manifest: Mapping[str, object]) -> Path:
    return cache / "indexes" / digest(dict(manifest))


def _build(
    made: Sequence[Passage],
    titles: Mapping[str, str],
    manifest: Mapping[str, object],
    spec: Retrieve,
    embedder: Embedder | None,
    cache: Path,
) -> None:
    target = _place(cache, manifest)
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=target.parent) as scratch:
        folder = Path(scratch) / "index"
        folder.mkdir()
        started, timed, kind = time.perf_counter(), _Timed(embedder) if embedder else None, "none"
        if timed:
            # The title goes into the vector: a chunk from the middle does not name its subject.
            texts = [f"{titles[p.document]}\n{p.text}".strip() for p in made]
            index = nearest.index_of(embed_kept(timed, cache, texts), spec)
            kind = type(index).__name__
            nearest.write(index, folder / INDEX)
        lines = [json.dumps(_row(p), ensure_ascii=False) for p in made]
        (folder / "passages.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")
        (folder / "manifest.json").write_text(json.dumps(dict(manifest), indent=2))
        embed_s = timed.seconds if timed else 0.0
        work = Work(
            len(made),
            timed.texts if timed else 0,
            round(embed_s, 4),
            round(time.perf_counter() - started - embed_s, 4),
            sum(file.stat().st_size for file in folder.iterdir()),
            kind,
        )
        (folder / WORK).write_text(json.dumps(asdict(work)))
        # An index of an older version, without its work, is replaced.
        shutil.rmtree(target, ignore_errors=True)
        shutil.move(folder, target)


def _row(passage: Passage) -> dict[str, object]:
    """A passage as an index keeps it: titles are beside the index, by document."""
    return {name: value for name, value in asdict(passage).items() if name != "title"}


class _UsersRetriever:
    """A retriever of the user's: its errors are reported as those of the user's code."""

    def __init__(self, name: str, opens: Callable[[Corpus], Retriever], corpus: Corpus) -> None:
        self.name = name
        with users_code(name):
            self.retriever = opens(corpus)

    def search(self, questions: Sequence[str], k: int) -> Sequence[Ranked]:
        with users_code(self.name):
            return self.retriever.search(questions, k)


class _Timed:
    """An embedder that counts what it is given, and its seconds."""

    def __init__(self, embedder: Embedder) -> None:
        self.embedder, self.digest = embedder, embedder.digest
        self.texts, self.seconds = 0, 0.0

    def embed(self, texts: Sequence[str]) -> Any:
        started = time.perf_counter()
        vectors = self.embedder.embed(texts)
        self.texts += len(texts)
        self.seconds += time.perf_counter() - started
        return vectors
