"""What a benchmark reaches: connections, models behind them, embedders; each is opened once."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from bakeoff.core.words import Embedder
from bakeoff.spec.benchmark import Connection, Suite

if TYPE_CHECKING:
    from bakeoff.models.embedders import Reranker
    from bakeoff.models.endpoint import Client
    from bakeoff.models.served import ServedModel


class Pool:
    """Opens by name, and imports only what is opened. Close it after use.

    To be used by one thread.
    """

    def __init__(
        self, suite: Suite, file: Path, cache: Path, environment: Mapping[str, str]
    ) -> None:
        self.suite, self.file, self.cache = suite, file, cache
        self._environment = environment
        self._clients: dict[tuple[str, int], Client] = {}
        self._served: dict[str, ServedModel] = {}
        self._embedders: dict[str, Embedder] = {}
        self._rerankers: dict[str, Reranker] = {}

    def client(self, where: str, spec: Connection, concurrency: int = 0) -> Client:
        """The connection that the benchmark file names at `where`, one for each concurrency.

        Raises `BakeoffError` when the environment does not hold its key.
        """
        if concurrency:
            spec = spec.model_copy(update={"concurrency": concurrency})
        if (where, concurrency) not in self._clients:
            from bakeoff.models.endpoint import connect

            self._clients[where, concurrency] = connect(spec, where, self.file, self._environment)
        return self._clients[where, concurrency]

    def served(self, endpoint: str, model: str, *, counted: bool = False) -> ServedModel:
        """A model of an endpoint; `counted`: by the tokenizer that it names, too."""
        name = f"{endpoint}:{model}"
        if name not in self._served:
            from bakeoff.models.served import ServedModel

            spec = self.suite.endpoints[endpoint]
            counter, rendered = None, None
            if counted and spec.tokenizer:
                from bakeoff.models.tokenizer import load_tokenizer

                counter, rendered = load_tokenizer(spec.tokenizer, self.cache)
            client = self.client(f"endpoints.{endpoint}", spec)
            self._served[name] = ServedModel(client, spec, model, counter, rendered)
        return self._served[name]

    @property
    def counted(self) -> dict[str, ServedModel]:
        """Served models whose tokens are counted here too, by name."""
        return {name: model for name, model in self._served.items() if model.counter}

    def embedder(self, reference: str) -> Embedder:
        """An embedder of this machine, or of the endpoint that the reference names."""
        if reference not in self._embedders:
            self._embedders[reference] = self._opened(reference)
        return self._embedders[reference]

    def _opened(self, reference: str) -> Embedder:
        if behind := self.suite.served(reference):
            from bakeoff.models.served_embedder import ServedEmbedder

            endpoint, model = behind
            spec = self.suite.endpoints[endpoint]
            return ServedEmbedder(self.client(f"endpoints.{endpoint}", spec), spec, model)
        from bakeoff.models.embedders import LocalEmbedder

        return LocalEmbedder(reference, self.cache)

    def reranker(self, reference: str) -> Reranker:
        """A cross-encoder of this machine."""
        if reference not in self._rerankers:
            from bakeoff.models.embedders import Reranker

            self._rerankers[reference] = Reranker(reference)
        return self._rerankers[reference]

    def close(self) -> None:
        """Close the connections; whoever asks again opens them anew."""
        for client in self._clients.values():
            client.close()
