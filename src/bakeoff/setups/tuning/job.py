"""What is to be trained, and the digest that it is kept under."""

from __future__ import annotations

from dataclasses import dataclass

import peft

from bakeoff.core.words import digest
from bakeoff.models.local import LocalModel
from bakeoff.setups.tuning.batches import Lessons
from bakeoff.spec.recipes import Tune


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
        return digest(
            {
                **self.model.fingerprint(),
                "rows": [[e.prompt, e.completion] for e in self.lessons.examples],
                **({"validation": held_out} if held_out else {}),
                "recipe": self.recipe.identity(),
                "seed": self.seed,
                "peft": peft.__version__.rsplit(".", 1)[0],
                "format": 2,
            }
        )
