"""Vectors from a model behind an endpoint."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from bakeoff.core.counts import quantity
from bakeoff.core.secrets import unnamed
from bakeoff.core.words import BakeoffError, Failure, Incomplete, digest
from bakeoff.models.endpoint import Client
from bakeoff.models.pool import Pool
from bakeoff.models.protocol import embeddings_body, read_embeddings
from bakeoff.models.transport import Ask
from bakeoff.models.vectors import as_vectors
from bakeoff.spec.benchmark import Endpoint

EMBED_AT_ONCE = 64


def opened(reference: str, pool: Pool) -> ServedEmbedder:
    """The embedding model ENDPOINT:MODEL."""
    endpoint, _, model = reference.partition(":")
    spec = pool.suite.endpoints[endpoint]
    return ServedEmbedder(pool.client(f"endpoints.{endpoint}", spec), spec, model)


@dataclass(frozen=True)
class ServedEmbedder:
    """An embedding model behind an OpenAI-compatible endpoint."""

    client: Client
    endpoint: Endpoint
    name: str

    @property
    def digest(self) -> str:
        return digest([unnamed(self.endpoint.url), self.name])

    def embed(self, texts: Sequence[str]) -> Any:
        """Vectors of length 1; `Incomplete` where the service gives none that can be used."""
        batches = [texts[i : i + EMBED_AT_ONCE] for i in range(0, len(texts), EMBED_AT_ONCE)]
        asks = (
            Ask(number, "/embeddings", embeddings_body(self.name, batch))
            for number, batch in enumerate(batches)
        )
        where = f"embedder '{self.name}' at {self.client.line.shown_url}"
        made: dict[int, Sequence[Any]] = {}
        for number, reply in self.client.ask(asks, read_embeddings):
            if isinstance(reply, Failure):
                raise Incomplete(f"{where}: {reply.error}")
            if len(reply.vectors) != len(batches[number]):
                count = len(batches[number])
                raise Incomplete(
                    f"{where}: {quantity(count, 'text')} gave "
                    f"{quantity(len(reply.vectors), 'vector')}"
                )
            made[number] = reply.vectors
        rows = [vector for number in range(len(batches)) for vector in made[number]]
        try:
            vectors = as_vectors(rows, texts, where)
        except BakeoffError as error:
            raise Incomplete(str(error)) from error
        return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
