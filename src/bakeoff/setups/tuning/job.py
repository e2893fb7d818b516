"""What is to be trained, and the digest that it is kept under."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import peft

from bakeoff.core.words import digest
from bakeoff.models.local import LocalModel
from bakeoff.setups.tuning.batches import Lessons, Row, begin_of_text, encode, split
from bakeoff.spec.recipes import Tune


@dataclass(frozen=True)
class Inputs:
    """All that a process needs to train."""

    name: str
    """In messages."""
    base: Path
    """The folder of the base weights."""
    dtype: str
    recipe: Tune
    seed: int
    rows: Sequence[Row]
    validation: Sequence[Row]
    device_map: str | None = None
    """Of the network that is trained, as of the one that answers."""


@dataclass(frozen=True)
class Job:
    """A training: all that decides what comes of it, and its name in messages."""

    model: LocalModel
    lessons: Lessons
    recipe: Tune
    seed: int
    name: str

    @property
    def key(self) -> str:
        """The digest of base weights, rows as rendered, recipe and seed."""
        held_out = [[e.prompt, e.completion] for e in self.lessons.validation]
        whole = any(not example.prompt for example in self.lessons.examples)
        begin = begin_of_text(self.model) if whole else []
        return digest(
            {
                **self.model.fingerprint(),
                "rows": [[e.prompt, e.completion] for e in self.lessons.examples],
                **({"validation": held_out} if held_out else {}),
                **({"begin": begin} if begin else {}),
                "recipe": self.recipe.identity(),
                "seed": self.seed,
                "peft": peft.__version__.rsplit(".", 1)[0],
                "format": 2,
            }
        )

    def inputs(self) -> Inputs:
        """The rows as the model's tokens, with all else that training needs."""
        rows, validation = (
            [encode(self.model, example) for example in part]
            for part in split(self.lessons, self.recipe.validation, self.seed)
        )
        model = self.model
        return Inputs(
            *(self.name, model.weights.folder, model.dtype, self.recipe, self.seed),
            *(rows, validation, model.device_map),
        )
