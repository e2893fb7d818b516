"""The samples of one (task, setup) cut into chunks, and what becomes of a lost worker's chunk."""

from __future__ import annotations

from collections import deque
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace

from bakeoff.running.fleet.messages import Chunk

MOST = 256
"""Samples of a chunk, where none has to be asked with others."""
KILLS = 3
"""Workers that may be lost over the same samples before these are given up."""


@dataclass(frozen=True)
class Part:
    """A chunk, and how many workers were lost over it."""

    chunk: Chunk
    kills: int = 0


class Parts:
    """What is left to be asked.

    Chunks shrink with what is left, so that workers end at about the same time; a batch is never
    cut (https://doi.org/10.1109/TC.1987.5009495, guided self-scheduling).
    """

    def __init__(self, model: Chunk, batches: Sequence[Sequence[int]] | None, places: int) -> None:
        self.model, self.batches, self.places = model, batches, places
        """Everything of a chunk but its samples; the batches, where samples go together."""
        singles = ((index,) for index in model.indices)
        wanted = set(model.indices)
        whole = (tuple(i for i in batch if i in wanted) for batch in batches or ())
        self._fresh: deque[tuple[int, ...]] = deque(filter(None, whole) if batches else singles)
        self._left = len(model.indices)
        self._again: deque[Part] = deque()

    @property
    def over(self) -> bool:
        """Whether nothing is left to be given out; what is being answered may come back."""
        return not (self._again or self._fresh)

    def next(self) -> Part | None:
        """What is to be asked next; `None` when nothing is left."""
        if self._again:
            return self._again.popleft()
        if not self._fresh:
            return None
        share = self._left // (2 * self.places)
        size = max(1, share if self.batches else min(share, MOST))
        indices: list[int] = []
        while self._fresh and (not indices or len(indices) + len(self._fresh[0]) <= size):
            indices += self._fresh.popleft()
        self._left -= len(indices)
        return Part(self._chunk(indices))

    def lost(self, part: Part, left: Sequence[int], sent: Collection[int]) -> list[int]:
        """Have what a lost worker has not answered be asked again; which samples are given up.

        Those that it may have been lost over are its requests that were under way or, in batches,
        the first batch without all its answers.
        """
        if self.batches:
            suspects = next([i for i in b if i in left] for b in self.batches if {*b} & {*left})
        else:
            suspects = [index for index in left if index in sent]
        rest = [index for index in left if index not in suspects]
        groups = [suspects] if self.batches else [[index] for index in suspects]
        if rest:
            self._again.append(Part(self._chunk(rest)))
        if part.kills + 1 >= KILLS:
            return suspects
        self._again.extend(Part(self._chunk(g), part.kills + 1) for g in groups if g)
        return []

    def _chunk(self, indices: Sequence[int]) -> Chunk:
        return replace(self.model, indices=tuple(indices))
