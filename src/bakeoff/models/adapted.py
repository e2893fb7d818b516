"""Local models as setups ask them: weights with one adapter on, or with none."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass

from bakeoff.core.words import (
    Decoding,
    Failure,
    Generation,
    Message,
    Sending,
    unwatched,
)
from bakeoff.models.device import choose_dtype, limit_threads
from bakeoff.models.local import GENERATION, LocalModel
from bakeoff.models.pool import Pool
from bakeoff.models.weights import resolve


@dataclass(frozen=True)
class AdaptedModel:
    """A local model with one adapter on, or with all adapters off."""

    model: LocalModel
    adapter: str | None = None

    @property
    def repeatable(self) -> bool:
        # Measured: in float32 greedy answers are the same at every batch size, in bfloat16 not.
        return self.model.dtype == "float32"

    def fingerprint(self) -> dict[str, str]:
        return {
            **self.model.fingerprint(self.adapter),
            "batch_tokens": str(self.model.batch_tokens),
            **({"quantize": self.model.quantize} if self.model.quantize else {}),
            "generation": str(GENERATION),
            "adapter": self.adapter or "",
        }

    def render(self, chat: Sequence[Message]) -> str:
        """The prompt text, by the adapter's own template where it was trained with one."""
        return self.model.render(chat, self.adapter)

    def count(self, text: str) -> int:
        return self.model.count(text)

    def generate(
        self,
        chats: Sequence[Sequence[Message]],
        decoding: Decoding,
        skip: Collection[int] = (),
        sending: Sending = unwatched,
    ) -> Iterator[tuple[int, Generation | Failure]]:
        prompts = [self.render(chat) for chat in chats]
        with self.model.using(self.adapter):
            yield from self.model.generate(prompts, decoding, skip)

    def batches(self, chats: Sequence[Sequence[Message]], decoding: Decoding) -> list[list[int]]:
        """The chats that `generate` answers together."""
        return self.model.batches([self.render(chat) for chat in chats], decoding)

    def timed(self, chat: Sequence[Message], decoding: Decoding) -> Generation | Failure:
        with self.model.using(self.adapter):
            return self.model.timed(self.render(chat), decoding)


def opened(reference: str, pool: Pool) -> AdaptedModel:
    """The weights of a reference, loaded as the benchmark states, without an adapter."""
    limit_threads()
    suite, weights = pool.suite, resolve(reference, pool.cache)
    dtype = choose_dtype(suite.dtype)
    how = (suite.batch_tokens, suite.quantize, suite.device_map)
    return AdaptedModel(LocalModel(weights, dtype, *how))
