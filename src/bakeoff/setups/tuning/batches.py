"""What a network reads in training: rows as tokens, packed into one sequence for each step.

All rows start with the same tokens (a system prompt), which are read once for a pack: each row
then sees them and itself. No token is padding. Attention between rows is masked, so that a row's
loss and gradients are those that it would have alone.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from random import Random
from typing import Any

import torch

from bakeoff.core.words import digest
from bakeoff.models.decoding import shared_start
from bakeoff.models.local import LocalModel


@dataclass(frozen=True)
class Example:
    """One training row as the model sees it: a rendered prompt and the answer to learn.

    Without a prompt it is a text of which every token is learnt.
    """

    prompt: str
    completion: str


@dataclass(frozen=True)
class Lessons:
    """What a recipe learns from, and what is to be known of it."""

    examples: Sequence[Example]
    validation: Sequence[Example] = ()
    """Rows that are never learnt; where empty, a share of the examples is held out instead."""
    facts: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Row:
    """An example as tokens."""

    tokens: list[int]
    answer: int
    """Where the answer begins (at 1 or later): this token and all behind it are learnt."""


@dataclass(frozen=True)
class Pack:
    """Rows side by side in one sequence of n places, behind the tokens that all start with."""

    tokens: torch.Tensor
    """(1, n)"""
    positions: torch.Tensor
    """(1, n): the place of each token in its own row."""
    lengths: tuple[int, ...]
    """Places of what all start with, then of each row: n in all. A row attends to that start and
    to itself."""
    asked: torch.Tensor
    """(m,): the places in front of the tokens to learn."""
    targets: torch.Tensor
    """(m,): the tokens to learn."""


def validation_rows(examples: Sequence[Example], share: float, seed: int) -> set[Example]:
    """A seeded share of the rows (at least one), the same whatever their order."""
    ranked = sorted(set(examples), key=lambda e: digest([seed, e.prompt, e.completion]))
    return set(ranked[: max(1, round(share * len(ranked)))])


def split(lessons: Lessons, share: float, seed: int) -> tuple[Sequence[Example], Sequence[Example]]:
    """The examples to train on, and those held out to choose the epoch to keep."""
    held_out = set(lessons.validation) or validation_rows(lessons.examples, share, seed)
    every = [*lessons.examples, *lessons.validation]
    return (
        [example for example in lessons.examples if example not in held_out],
        [example for example in every if example in held_out],
    )


def encode(model: LocalModel, example: Example) -> Row:
    """An example as the model's tokens, with the one that ends an answer, or a text."""
    answer = model.encode(example.completion)
    if prompt := model.encode(example.prompt):
        return Row([*prompt, *answer, model.end_of_answer], len(prompt))
    # The first token of a text has something before it: what ends a text also starts one.
    begin = begin_of_text(model) or [model.end_of_text]
    return Row([*begin, *answer, model.end_of_text], len(begin))


def begin_of_text(model: LocalModel) -> list[int]:
    """What the tokenizer itself puts before a text: some families read nothing well without it."""
    (first, *_), whole = model.encode("a"), model.tokenizer("a").input_ids
    begin: list[int] = whole[: whole.index(first)]
    return begin


def start_of_all(rows: Sequence[Row]) -> int:
    """How many tokens all rows start with; at least one of each row is left out."""
    # Of sorted rows the first and the last differ most.
    first, last = (chosen(row.tokens for row in rows) for chosen in (min, max))
    return min(shared_start(first, last), *(len(row.tokens) - 1 for row in rows))


def pack(rows: Sequence[Row], shared: int) -> Pack:
    """Rows behind their first `shared` tokens, which are the same in all of them."""
    tokens, positions = list(rows[0].tokens[:shared]), list(range(shared))
    asked: list[int] = []
    targets: list[int] = []
    for row in rows:
        offset = len(tokens) - shared
        tokens += row.tokens[shared:]
        positions += range(shared, len(row.tokens))
        # The token in front of an answer may be the last that all rows share.
        learnt = range(max(row.answer, shared), len(row.tokens))
        asked += [at - 1 if at == shared else offset + at - 1 for at in learnt]
        targets += row.tokens[learnt.start :]
    return Pack(
        torch.tensor([tokens]),
        torch.tensor([positions]),
        (shared, *(len(row.tokens) - shared for row in rows)),
        torch.tensor(asked),
        torch.tensor(targets),
    )


class Packs:
    """Which rows are packed together: rows of like length, at most `rows` and `tokens` of them.

    Long rows come in small packs, so that memory is bounded whatever the prompts hold; a row
    longer than `tokens` comes alone. Each epoch is shuffled again, from the seed.
    """

    def __init__(
        self, lengths: Sequence[int], rows: int, tokens: int, shared: int, seed: int
    ) -> None:
        self.lengths, self.rows, self.tokens = lengths, rows, tokens
        self.shared, self.seed = shared, seed
        self.epoch = 0
        """Set it before each pass."""

    def __iter__(self) -> Iterator[list[int]]:
        random = Random(f"{self.seed}:{self.epoch}")
        packs = self._packs(random)
        random.shuffle(packs)
        return iter(packs)

    def __len__(self) -> int:
        return len(self._packs(Random(0)))

    def _packs(self, random: Random) -> list[list[int]]:
        # Ties are broken at random, so that rows of one length meet different neighbours.
        order = sorted(range(len(self.lengths)), key=lambda i: (-self.lengths[i], random.random()))
        packs: list[list[int]] = []
        room = 0
        for index in order:
            own = self.lengths[index] - self.shared
            if packs and len(packs[-1]) < self.rows and own <= room:
                packs[-1].append(index)
            else:
                packs.append([index])
                room = self.tokens - self.shared
            room -= own
        return packs
