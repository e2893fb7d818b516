"""Texts to vectors with a local model. The only module that imports sentence-transformers."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from sentence_transformers import CrossEncoder, SentenceTransformer
from sentence_transformers.util import load_file_path
from transformers import PreTrainedModel

from bakeoff.core.parts import parts_of
from bakeoff.core.words import BakeoffError, Passage, digest, sha256_file
from bakeoff.models import wheels
from bakeoff.models.device import native_dtypes
from bakeoff.models.networks import require_filled, sizes_told
from bakeoff.models.pool import Pool
from bakeoff.models.weights import folder_digest

Vectors = npt.NDArray[np.float32]

BATCH_CHARACTERS = 4_000
"""Padded text in one batch: about 1,000 tokens, the fastest on a processor and enough for a GPU."""


def opened(reference: str, pool: Pool) -> LocalEmbedder:
    """The embedder of a reference."""
    return LocalEmbedder(reference, pool.cache)


class LocalEmbedder:
    """A sentence-transformers model; vectors are float32 and of length one.

    It computes in bfloat16 where the machine does so natively: measured to be twice as fast or
    more, at a cosine of 0.9999 to float32. `compute` asks for another dtype.
    """

    def __init__(self, reference: str, cache: Path, compute: str | None = None) -> None:
        self.reference = reference
        self.compute = compute or ("bfloat16" if native_dtypes()["bfloat16"] else "float32")
        try:
            if reference == "embedded":
                source = str(wheels.folder(wheels.EMBEDDER, cache))
            else:
                source = reference.removeprefix("hf:")
            given = {"dtype": getattr(torch, self.compute)}
            with sizes_told():
                self.model = SentenceTransformer(source, model_kwargs=given)
            if reference != "embedded":
                _require_weights(self.model, source)
        except (OSError, ValueError) as error:
            raise BakeoffError(f"embedder '{reference}': cannot be loaded: {error}") from error
        self.digest = digest(
            {"weights": _identity(self.model, reference, source), "compute": self.compute}
        )

    def count(self, text: str) -> int:
        """Tokens in `text`, as this embedder reads it."""
        return len(self.model.tokenizer(text, add_special_tokens=False).input_ids)

    def embed(self, texts: Sequence[str]) -> Vectors:
        """One row per text, shape (n, dimensions), each of length one."""
        rows: dict[int, Vectors] = {}
        for batch in _batches(texts):
            asked = [texts[index] for index in batch]
            made = self.model.encode(asked, batch_size=len(batch), show_progress_bar=False)
            rows |= zip(batch, np.asarray(made, dtype=np.float32), strict=True)
        vectors = np.stack([rows[index] for index in range(len(texts))])
        norms = np.linalg.norm(vectors, axis=1, keepdims=True)
        return np.asarray(vectors / np.maximum(norms, 1e-12), dtype=np.float32)


class _Module(NamedTuple):
    """An entry of `modules.json`: a layer of sentence-transformers."""

    path: str | None


def _require_weights(model: SentenceTransformer, source: str) -> None:
    """Raise `ValueError` where some of the weights that make vectors would be random."""
    network = getattr(model[0], "auto_model", None)
    if not isinstance(network, PreTrainedModel) or hasattr(network, "peft_config"):
        return
    modules = load_file_path(source, "modules.json")
    first = json.loads(Path(modules).read_text())[0] if modules else {}
    subfolder = parts_of(_Module, first).path or ""
    # Its own pooler is for classifiers: vectors come from the tokens'.
    require_filled(type(network), source, subfolder, unused="pooler.")


def _identity(model: SentenceTransformer, reference: str, source: str) -> str:
    """What says whether texts have other vectors: its files, or its commit on the hub."""
    folder = Path(source)
    if reference == "embedded":
        return sha256_file(folder / "model.safetensors")[:16]
    if not folder.is_dir():
        return digest([source, getattr(model[0].auto_model.config, "_commit_hash", None)])
    # Its layers for pooling and projection lie in folders of their own.
    parts = [folder, *sorted(part for part in folder.iterdir() if part.is_dir())]
    return digest([folder_digest(part) for part in parts])


class Reranker:
    """A cross-encoder: it reads question and passage together and scores their relevance."""

    def __init__(self, reference: str) -> None:
        try:
            source = reference.removeprefix("hf:")
            with sizes_told():
                self.model = CrossEncoder(source)
            _require_scores(self.model)
            require_filled(type(self.model.model), source)
        except (OSError, ValueError) as error:
            raise BakeoffError(
                f"retrieve.rerank: '{reference}' cannot be loaded: write hf:ORG/NAME or the "
                f"folder of a cross-encoder: {error}"
            ) from error

    def rank(
        self, question: str, hits: Sequence[Passage], titles: Mapping[str, str]
    ) -> tuple[Passage, ...]:
        """The passages in the order of their scores, the best first; of equals the first."""
        if not hits:
            return ()
        texts = [f"{titles.get(hit.document, '')}\n{hit.text}".strip() for hit in hits]
        pairs = [(question, text) for text in texts]
        scores = self.model.predict(pairs, show_progress_bar=False)
        scored = [replace(h, score=round(float(s), 6)) for h, s in zip(hits, scores, strict=True)]
        return tuple(sorted(scored, key=lambda hit: -hit.score))


def _require_scores(model: CrossEncoder) -> None:
    """Raise `ValueError` for what gives no score of a pair, or a random one."""
    stated = " ".join(model.config.architectures or [])
    head = "ForSequenceClassification"
    if head in type(model.model).__name__ and head not in stated:
        raise ValueError(f"it is a {stated or 'model of no stated kind'}, which scores no pairs")
    if model.num_labels != 1:
        raise ValueError(f"it gives a pair {model.num_labels} scores, and a reranker gives one")


def _batches(texts: Sequence[str]) -> Iterator[list[int]]:
    """Texts of like length together, the longest first."""
    batch: list[int] = []
    for index in sorted(range(len(texts)), key=lambda index: -len(texts[index])):
        if batch and (len(batch) + 1) * len(texts[batch[0]]) > BATCH_CHARACTERS:
            yield batch
            batch = []
        batch.append(index)
    if batch:
        yield batch
