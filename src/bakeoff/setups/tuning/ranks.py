"""Processes that train one network together: each reads a part of every batch, and all step alike.

Their gradients are added up before each step, so that it is the step of the whole batch.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import TypeVar

import torch
from torch import distributed

from bakeoff.core.words import digest

T = TypeVar("T")

PATIENCE = timedelta(days=7)
"""Who starts the processes sees it when one ends: none need give the others up."""
AT_ONCE = 2**24
"""Numbers that are added up in one message."""


class RankLost(Exception):
    """Another one of the processes is not there any more."""


@dataclass(frozen=True)
class Ranks:
    """All processes of a training, seen from one of them."""

    rank: int = 0
    size: int = 1

    @property
    def first(self) -> bool:
        """Whether this one keeps what is made, and says how far it is."""
        return self.rank == 0

    def part(self, rows: Sequence[T]) -> Sequence[T]:
        """What this one reads of a batch; of rows by length, all have as much to read."""
        return rows[self.rank :: self.size]

    def total(self, parts: Sequence[torch.Tensor]) -> None:
        """Replace the numbers by their sums over all processes, bit for bit the same in all."""
        if self.size == 1:
            return
        for group in _groups(parts):
            flat = torch.cat([part.flatten() for part in group])
            with _others():
                distributed.all_reduce(flat)
            sums = torch.split(flat, [part.numel() for part in group])
            for part, added in zip(group, sums, strict=True):
                part.copy_(added.view_as(part))

    def sum(self, number: float, device: torch.device) -> float:
        """The sum over all processes."""
        if self.size == 1:
            return number
        part = torch.tensor([number], dtype=torch.float64, device=device)
        self.total([part])
        return float(part)

    def spread(self, part: torch.Tensor, owner: int) -> torch.Tensor:
        """The numbers that the process `owner` has; those of the others are replaced by them."""
        if self.size > 1:
            with _others():
                distributed.broadcast(part, owner)
        return part

    def seed(self, seed: int, step: int) -> None:
        """Draw anew for a step; each process by its own seed, and a resumed one as before."""
        if self.size > 1:
            torch.manual_seed(int(digest([seed, step, self.rank]), 16) % 2**63)


ALONE = Ranks()


def _groups(parts: Sequence[torch.Tensor]) -> Iterator[list[torch.Tensor]]:
    group: list[torch.Tensor] = []
    for part in parts:
        if group and sum(other.numel() for other in group) + part.numel() > AT_ONCE:
            yield group
            group = []
        group.append(part)
    yield group


@contextmanager
def joined(ranks: Ranks, meeting: Path, device: str) -> Iterator[Ranks]:
    """The processes, once all of them have met at a file that none has written before."""
    # Of this machine alone: nobody else is to reach what they say to each other.
    for name in _loopback():
        os.environ.setdefault("GLOO_SOCKET_IFNAME", name)
    with _others():
        distributed.init_process_group(
            "nccl" if device == "cuda" else "gloo",
            init_method=meeting.as_uri(),
            rank=ranks.rank,
            world_size=ranks.size,
            timeout=PATIENCE,
        )
    try:
        yield ranks
    finally:
        distributed.destroy_process_group()


def _loopback() -> list[str]:
    return [name for _, name in socket.if_nameindex() if name.startswith("lo")]


@contextmanager
def _others() -> Iterator[None]:
    try:
        yield
    except RuntimeError as error:  # all that torch.distributed raises
        raise RankLost(str(error)) from error
