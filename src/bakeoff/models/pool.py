"""What a benchmark reaches: connections, models behind them, embedders; each is opened once."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bakeoff.core.words import BakeoffError, Embedder, Model
from bakeoff.spec.benchmark import Connection, Suite
from bakeoff.spec.functions import load_function

if TYPE_CHECKING:
    from bakeoff.models.batched import Batch
    from bakeoff.models.embedders import Reranker
    from bakeoff.models.endpoint import Client
    from bakeoff.models.served import Tally


class Pool:
    """Opens by name, and imports only what is opened. Close it after use.

    To be used by one thread.
    """

    def __init__(
        self,
        suite: Suite,
        file: Path,
        cache: Path,
        environment: Mapping[str, str],
        *,
        counts: bool = False,
        batch: Batch | None = None,
    ) -> None:
        self.suite, self.file, self.cache = suite, file, cache
        self.batch = batch
        """What answers for the endpoints, where their chats go through a batch service."""
        self.counts = counts
        """Whether served models are counted by the tokenizers that their endpoints name, too."""
        self.tallies: dict[str, Tally] = {}
        """Served model that is counted here -> how its own counts differed."""
        self._environment = environment
        self._clients: dict[tuple[str, int], Client] = {}
        self._models: dict[str, Model] = {}
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

            connected = partial(connect, spec, where, self.file, self._environment)
            if self.batch and where.startswith("endpoints."):
                client = self.batch.client(spec, where, connected)
            else:
                client = connected()
            self._clients[where, concurrency] = client
        return self._clients[where, concurrency]

    def model(self, reference: str) -> Model:
        """The model that a reference names, opened by its backend.

        Raises `BakeoffError` when it cannot be had.
        """
        if reference not in self._models:
            self._models[reference] = self._open(self.suite.backend(reference).opens, reference)
        return self._models[reference]

    def embedder(self, reference: str) -> Embedder:
        """The embedder that a reference names. Raises `BakeoffError` when it cannot be had."""
        if reference not in self._embedders:
            opens = self.suite.backend(reference).embeds
            if not opens:
                raise BakeoffError(f"embedder '{reference}': this kind of model gives no vectors")
            self._embedders[reference] = self._open(opens, reference)
        return self._embedders[reference]

    def _open(self, opens: str, reference: str) -> Any:
        return load_function(opens, self.file.parent)(reference, self)

    def reranker(self, reference: str) -> Reranker:
        """A cross-encoder of this machine."""
        if reference not in self._rerankers:
            from bakeoff.models.embedders import Reranker

            self._rerankers[reference] = Reranker(reference)
        return self._rerankers[reference]

    def close(self) -> None:
        """Close the connections; the next request opens them again."""
        for client in self._clients.values():
            client.close()
