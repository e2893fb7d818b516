"""Texts to vectors with a local model. The door to sentence-transformers."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
from sentence_transformers import SentenceTransformer

from bakeoff import embedded
from bakeoff.core import BakeoffError, digest, sha256_file

Vectors = npt.NDArray[np.float32]


class LocalEmbedder:
    """A sentence-transformers model; vectors are float32 and of length one."""

    def __init__(self, reference: str, cache: Path) -> None:
        self.reference = reference
        try:
            if reference == "embedded":
                source = str(embedded.folder(embedded.EMBEDDER, cache))
            else:
                source = reference.removeprefix("hf:")
            self.model = SentenceTransformer(source)
        except (OSError, ValueError) as error:
            raise BakeoffError(f"embedder '{reference}': cannot be loaded: {error}") from error
        weights = Path(source) / "model.safetensors"
        self.digest = sha256_file(weights)[:16] if weights.is_file() else digest(source)

    def embed(self, texts: Sequence[str]) -> Vectors:
        """One row per text, shape (n, dimensions), each of length one."""
        vectors = self.model.encode(
            list(texts), batch_size=32, normalize_embeddings=True, show_progress_bar=False
        )
        return np.asarray(vectors, dtype=np.float32)
