"""What setups and judges were asked in a run, and what that took."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import TypeVar

from bakeoff.spec.yaml_files import Stored


class SetupSpent(Stored):
    """What one setup sent and spent, answers from the cache left out."""

    requests: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0
    from_cache: int = 0
    failed: Mapping[str, int] = {}
    """Kind of failure -> how many cells."""
    cost: float = 0.0

    def plus(self, other: SetupSpent) -> SetupSpent:
        failed = Counter(self.failed) + Counter(other.failed)
        return _sum(self, other).model_copy(update={"failed": dict(sorted(failed.items()))})


class JudgeSpent(Stored):
    """What one judge or verifier was asked, and what that took."""

    fingerprint: Mapping[str, str]
    asked: int = 0
    from_cache: int = 0
    failed: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0
    cost: float = 0.0

    def plus(self, other: JudgeSpent) -> JudgeSpent:
        return _sum(self, other)


S = TypeVar("S", bound=Stored)


def _sum(one: S, other: S) -> S:
    """The one with its numbers raised by those of the other."""
    numbers = {name: value for name, value in one if isinstance(value, int | float)}
    return one.model_copy(
        update={name: round(value + getattr(other, name), 6) for name, value in numbers.items()}
    )
