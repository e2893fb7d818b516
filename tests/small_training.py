"""A small random network and rows to train it on."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
import transformers
from safetensors.torch import load_file

from bakeoff.setups.tuning.batches import Row
from bakeoff.setups.tuning.job import Inputs
from bakeoff.spec.recipes import Tune

WORDS = 60
SMALL = {
    "vocab_size": WORDS,
    "hidden_size": 32,
    "intermediate_size": 48,
    "num_hidden_layers": 4,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "max_position_embeddings": 128,
    "bos_token_id": 0,
    "eos_token_id": 1,
    "pad_token_id": 1,
}
ROWS = [
    Row([5, 6, 7, 20, 21, 22, 1], 5),
    Row([5, 6, 7, 30, 31, 1], 4),
    Row([5, 6, 7, 40, 41, 42, 43, 44, 1], 6),
    # Its answer begins where all rows part.
    Row([5, 6, 7, 50, 51, 1], 3),
    Row([5, 6, 7, 23, 33, 1], 4),
    Row([5, 6, 7, 24, 34, 35, 1], 5),
]
HELD_OUT = [Row([5, 6, 7, 25, 36, 1], 4)]


class Silent:
    """Progress that nobody watches; it stops the work after so many steps of training."""

    def __init__(self, stop_after: int | None = None) -> None:
        self.stop_after, self.notes = stop_after, list[str]()
        self.units, self.figures = list[str](), list[str]()
        self.steps = self.finished = 0
        """Steps of training (`figures` of each), and units of work that have ended."""
        self.training = False

    def note(self, text: str) -> None:
        self.notes.append(text)

    def show(self, table: Any) -> None: ...

    def start(self, unit: str, total: int | None = None) -> None:
        self.units.append(unit)
        self.training = unit.endswith("training")

    def advance(self, count: int = 1, figures: str = "") -> None:
        self.steps += count if self.training else 0
        self.figures += [figures] if self.training else []
        if self.training and self.stop_after is not None:
            self.stop_after -= count
            if self.stop_after <= 0:
                raise KeyboardInterrupt

    def finish(self) -> None:
        self.finished += 1


def network(kind: str = "Llama", **settings: Any) -> Any:
    torch.manual_seed(3)
    config = getattr(transformers, f"{kind}Config")(**SMALL, **settings)
    return getattr(transformers, f"{kind}ForCausalLM")(config).eval()


def recipe(**given: Any) -> Tune:
    return Tune(**{"epochs": 3, "batch_size": 2, "rank": 4, "dropout": 0.2, "layers": 0.5, **given})


def inputs(base: Path, recipe: Tune) -> Inputs:
    return Inputs("x", base, "float32", recipe, 7, ROWS, HELD_OUT)


def weights(folder: Path) -> dict[str, torch.Tensor]:
    (file,) = (folder / "adapter").glob("*.safetensors")
    return load_file(file)


def alone(net: Any, rows: Sequence[Row]) -> torch.Tensor:
    """The mean loss of the answers' tokens, one unpadded row at a time, by transformers itself."""
    total, tokens = torch.tensor(0.0), 0
    for row in rows:
        ids = torch.tensor([row.tokens])
        labels = torch.tensor([[-100] * row.answer + row.tokens[row.answer :]])
        learnt = len(row.tokens) - row.answer
        total = total + net(input_ids=ids, labels=labels).loss * learnt
        tokens += learnt
    return total / tokens
