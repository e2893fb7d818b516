"""How fast texts become vectors, beside sentence-transformers' own `encode`, and at what loss.

    python benchmarks/perf/embedding_speed.py

The texts are the chunks of the handbook and the questions of `handbook_qa`. All ways run in turn,
round by round; the table holds medians.
"""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import median

import numpy as np
from figures import Table, ratio
from sentence_transformers import SentenceTransformer

from bakeoff.models import wheels
from bakeoff.models.device import limit_threads
from bakeoff.models.embedders import LocalEmbedder, Vectors
from bakeoff.setups.retrieval.splitting import split, title
from bakeoff.spec.recipes import Retrieve
from bakeoff.tasks.load import load_task

ROOT = Path(__file__).resolve().parent.parent.parent


HEADER = ("texts", "way", "texts/s", "x `encode`", "lowest cosine")


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("--rounds", type=int, default=5)
    print(table(arguments.parse_args().rounds).markdown())


def table(rounds: int = 3) -> Table:
    """The ways on both kinds of text; then for how many questions the passages found differ."""
    limit_threads()
    cache = Path(os.environ.get("BAKEOFF_CACHE", "~/.cache/bakeoff")).expanduser()
    chunks, questions = texts()
    plain = SentenceTransformer(str(wheels.folder(wheels.EMBEDDER, cache)))
    ours = LocalEmbedder("embedded", cache)

    def encode(asked: Sequence[str]) -> Vectors:
        made = plain.encode(list(asked), normalize_embeddings=True, show_progress_bar=False)
        return np.asarray(made)

    rows: list[list[object]] = []
    for name, asked in (("chunks", chunks), ("questions", questions)):
        ways = {"`encode`, float32": encode, f"bakeoff, {ours.compute}": ours.embed}
        rows += compare(f"{len(asked)} {name}", asked, ways, rounds)
    exact, fast = (nearest(embed, chunks, questions) for embed in (encode, ours.embed))
    others = sum(set(a) != set(b) for a, b in zip(exact, fast, strict=True))
    rows.append([f"{len(questions)} questions", "other three passages found", others, "", ""])
    return Table.of(HEADER, rows)


def texts() -> tuple[list[str], list[str]]:
    """Chunks as they are embedded, and questions."""
    task, spec = load_task(ROOT / "tasks" / "handbook_qa.yaml"), Retrieve()
    documents = {document.id: document for document in task.corpora["handbook"]}
    passages = [
        p for d in documents.values() for p in split(d, spec.chunk_words, spec.overlap_words)
    ]
    chunks = [f"{title(documents[p.document])}\n{p.text}".strip() for p in passages]
    return chunks, [s.question for s in task.samples]


def compare(
    title: str,
    asked: Sequence[str],
    ways: dict[str, Callable[[Sequence[str]], Vectors]],
    rounds: int,
) -> list[list[object]]:
    """Medians of interleaved rounds as rows of a table; the first way is the measure."""
    vectors = {name: way(asked) for name, way in ways.items()}
    seconds: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(rounds):
        for name, way in ways.items():
            started = time.perf_counter()
            way(asked)
            seconds[name].append(time.perf_counter() - started)
    first = next(iter(ways))
    rows: list[list[object]] = []
    for name, found in seconds.items():
        cosine = (vectors[name] * vectors[first]).sum(axis=1).min()
        times = ratio(median(seconds[first]), median(found))
        rows.append([title, name, round(len(asked) / median(found)), times, f"{cosine:.5f}"])
    return rows


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
