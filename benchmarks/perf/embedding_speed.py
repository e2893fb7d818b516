"""How fast texts become vectors, beside sentence-transformers' own `encode`, and at what loss.

    python benchmarks/perf/embedding_speed.py

The texts are the chunks of the handbook and the questions of `handbook_qa`. All ways run in turn,
round by round; the table holds medians.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import median

import numpy as np
from sentence_transformers import SentenceTransformer

from bakeoff import embedded
from bakeoff.data import load_task
from bakeoff.device import limit_threads
from bakeoff.embed import LocalEmbedder, Vectors
from bakeoff.recipes import Retrieve
from bakeoff.splitting import split, title
from bakeoff.vectors import embed_kept

ROOT = Path(__file__).resolve().parent.parent.parent


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("--rounds", type=int, default=5)
    given = arguments.parse_args()
    limit_threads()
    cache = Path(os.environ.get("BAKEOFF_CACHE", "~/.cache/bakeoff")).expanduser()
    chunks, questions, sources = texts()
    plain = SentenceTransformer(str(embedded.folder(embedded.EMBEDDER, cache)))
    ours = LocalEmbedder("embedded", cache)

    def encode(asked: Sequence[str]) -> Vectors:
        made = plain.encode(list(asked), normalize_embeddings=True, show_progress_bar=False)
        return np.asarray(made)

    print(
        "| texts | way | seconds | texts/s | × encode | lowest cosine |\n|---|---|---|---|---|---|"
    )
    for name, asked in (("chunks", chunks), ("questions", questions)):
        ways = {"encode, float32": encode, f"bakeoff, {ours.compute}": ours.embed}
        with tempfile.TemporaryDirectory() as kept:
            embed_kept(ours, Path(kept), asked)
            again = {"bakeoff, kept": lambda texts, k=kept: embed_kept(ours, Path(k), texts)}
            compare(f"{len(asked)} {name}", asked, {**ways, **again}, given.rounds)
    exact, fast = (nearest(embed, chunks, questions) for embed in (encode, ours.embed))
    print(f"\nOf {len(questions)} questions, top-3 differs between float32 and {ours.compute} in:")
    pairs = list(zip(exact, fast, strict=True))
    print(f"- order or members: {sum(a != b for a, b in pairs)}")
    print(f"- members: {sum(set(a) != set(b) for a, b in pairs)}")
    documents = [[{sources[i] for i in hits} for hits in pair] for pair in pairs]
    print(f"- documents: {sum(a != b for a, b in documents)}")


def texts() -> tuple[list[str], list[str], list[str]]:
    """Chunks as they are embedded, questions, and the document of each chunk."""
    task, spec = load_task(ROOT / "tasks" / "handbook_qa.yaml"), Retrieve()
    documents = {document.id: document for document in task.corpora["handbook"]}
    passages = [
        p for d in documents.values() for p in split(d, spec.chunk_words, spec.overlap_words)
    ]
    chunks = [f"{title(documents[p.document])}\n{p.text}".strip() for p in passages]
    return chunks, [s.question for s in task.samples], [p.document for p in passages]


def compare(
    title: str,
    asked: Sequence[str],
    ways: dict[str, Callable[[Sequence[str]], Vectors]],
    rounds: int,
) -> None:
    """Print medians of interleaved rounds as rows of a table; the first way is the measure."""
    vectors = {name: way(asked) for name, way in ways.items()}
    seconds: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(rounds):
        for name, way in ways.items():
            started = time.perf_counter()
            way(asked)
            seconds[name].append(time.perf_counter() - started)
    first = next(iter(ways))
    for name, found in seconds.items():
        took = median(found)
        cosine = (vectors[name] * vectors[first]).sum(axis=1).min()
        print(
            f"| {title} | {name} | {took:.3f} ({min(found):.3f}–{max(found):.3f}) "
            f"| {len(asked) / took:.0f} | {median(seconds[first]) / took:.2f} | {cosine:.5f} |",
            flush=True,
        )


def nearest(
    embed: Callable[[Sequence[str]], Vectors],
    chunks: Sequence[str],
    questions: Sequence[str],
) -> list[list[int]]:
    """The three nearest chunks of each question, best first."""
    scores = embed(questions) @ embed(chunks).T
    return [[int(i) for i in row] for row in np.argsort(-scores, axis=1)[:, :3]]


if __name__ == "__main__":
    main()
