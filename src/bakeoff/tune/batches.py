"""What a network reads in training: rows as tokens, in batches, and the loss on answers."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from random import Random
from typing import Any

import peft
import torch
from peft.helpers import disable_input_dtype_casting
from torch.nn import functional

from bakeoff.core import digest
from bakeoff.models import LocalModel

SHORT_ROW = 160
"""Batches up to this many tokens wide train with plain attention, wider ones with the fused."""


@dataclass(frozen=True)
class Example:
    """One training row as the model sees it: a rendered prompt and the answer to learn.

    Without a prompt it is a text of which every token is learnt.
    """

    prompt: str
    completion: str


def validation_rows(examples: Sequence[Example], share: float, seed: int) -> set[Example]:
    """A seeded share of the rows (at least one), the same whatever their order."""
    ranked = sorted(set(examples), key=lambda e: digest([seed, e.prompt, e.completion]))
    return set(ranked[: max(1, round(share * len(ranked)))])


def encode(model: LocalModel, example: Example) -> dict[str, Any]:
    """An example as tokens; the labels of its prompt are -100."""
    prompt = model.tokenizer(example.prompt, add_special_tokens=False).input_ids
    # What ends a text also starts one: the first token of a text has something before it.
    prompt = prompt or [model.tokenizer.eos_token_id]
    answer = model.tokenizer(example.completion, add_special_tokens=False).input_ids
    answer = [*answer, model.tokenizer.eos_token_id]
    return {
        "input_ids": [*prompt, *answer],
        "labels": [-100] * len(prompt) + answer,
        "length": len(prompt) + len(answer),
    }


def collate(batch: Sequence[Mapping[str, Any]], pad: int) -> dict[str, torch.Tensor]:
    """Left-padded tensors (rows, longest), so that the answers stand at the end of every row."""
    longest = max(row["length"] for row in batch)

    def padded(values: Sequence[int], filler: int) -> list[int]:
        return [filler] * (longest - len(values)) + list(values)

    mask = torch.tensor([padded([1] * row["length"], 0) for row in batch])
    return {
        "input_ids": torch.tensor([padded(row["input_ids"], pad) for row in batch]),
        "labels": torch.tensor([padded(row["labels"], -100) for row in batch]),
        "attention_mask": mask,
        "position_ids": (mask.cumsum(-1) - 1).clamp(min=0),
    }


class TokenBatches:
    """Batches of rows of like length: at most `rows` rows and `tokens` padded tokens each.

    Long rows come in small batches, so that memory is bounded whatever the prompts hold. Each
    pass over it (an epoch) shuffles anew, from the seed.
    """

    def __init__(self, lengths: Sequence[int], rows: int, tokens: int, seed: int) -> None:
        self.lengths, self.rows, self.tokens, self.seed = lengths, rows, tokens, seed
        self.epoch = 0

    def __iter__(self) -> Iterator[list[int]]:
        random = Random(f"{self.seed}:{self.epoch}")
        self.epoch += 1
        batches = self._batches(random)
        random.shuffle(batches)
        return iter(batches)

    def __len__(self) -> int:
        return len(self._batches(Random(0)))

    def _batches(self, random: Random) -> list[list[int]]:
        # Ties are broken at random, so that rows of one length meet different neighbours.
        order = sorted(range(len(self.lengths)), key=lambda i: (-self.lengths[i], random.random()))
        batches: list[list[int]] = []
        for index in order:
            batch = batches[-1] if batches else []
            room = self.tokens // self.lengths[batch[0]] if batch else 0
            if len(batch) < min(self.rows, room):
                batch.append(index)
            else:
                batches.append([index])
        return batches


def loss_on_answers(
    model: Any, batch: Mapping[str, torch.Tensor], answer_tokens: Any = None
) -> torch.Tensor:
    """Mean cross-entropy over the answer tokens of a left-padded batch (`collate`).

    `answer_tokens` is what the sum is divided by when the batch is a part of a larger one.
    """
    labels = batch["labels"]
    length = labels.shape[1]
    # A vocabulary's width of logits for each prompt token would take most of the memory.
    answer = int((labels != -100).sum(-1).max())
    base = model.get_base_model() if isinstance(model, peft.PeftModel) else model
    # Measured on CPU: the fused kernel is slow on short rows, plain attention on long ones.
    base.set_attn_implementation("eager" if length <= SHORT_ROW else "sdpa")
    # The adapter's own weights stay float32; autocast spares the copies of its inputs.
    low = base.dtype != torch.float32
    autocast = torch.autocast(labels.device.type, base.dtype, enabled=low)
    with disable_input_dtype_casting(model, low), autocast:
        logits = model(
            input_ids=batch["input_ids"],
            attention_mask=batch["attention_mask"],
            position_ids=batch["position_ids"],
            # Positions, not their number: a slice would be copied once per row (bmm).
            logits_to_keep=torch.arange(length - answer - 1, length, device=labels.device),
            use_cache=False,
        ).logits
    total = functional.cross_entropy(
        logits[:, :-1].float().flatten(0, 1),
        labels[:, -answer:].flatten(),
        ignore_index=-100,
        reduction="sum",
    )
    return total / (answer_tokens or (labels != -100).sum())
