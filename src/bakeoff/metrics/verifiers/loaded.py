"""A verifier model in memory: how texts are cut for it, and what its numbers say of an answer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from bakeoff.core.words import CONTRADICTED, NOT_FOUND, SUPPORTED, Checked, CheckedClaim
from bakeoff.metrics.support import WEAKEST, pooled
from bakeoff.spec.benchmark import VerifierSpec


@dataclass(frozen=True)
class Loaded:
    """What verifiers of all kinds have in common."""

    spec: VerifierSpec
    tokenizer: Any
    model: Any
    labels: Sequence[str]
    """In lower case, by the model's own order."""
    fingerprint: Mapping[str, str]
    """What can change its verdicts."""

    def room(self, template: str, claim: str, question: str) -> int:
        """Tokens of a passage that fit beside the claim. At least 16: what is longer is cut."""
        beside = template.format(passages="", claim=claim, question=question)
        used = len(self.tokenizer(beside, claim).input_ids)
        return max(16, self.spec.max_tokens - used)

    def parts(self, passage: str, room: int) -> list[str]:
        """The passage in parts of at most `room` tokens, each sharing a quarter with the next."""
        if len(passage) < room:  # a token has a character at least
            return [passage]
        cut = self.tokenizer(
            passage,
            add_special_tokens=False,
            truncation=True,
            max_length=room,
            stride=room // 4,
            return_overflowing_tokens=True,
            return_offsets_mapping=True,
        )
        return [passage[spans[0][0] : spans[-1][1]] for spans in cut.offset_mapping if spans]

    def verdict(self, support: float, against: float = 0.0) -> str:
        """What the probabilities of support and of contradiction come to."""
        if support >= self.spec.threshold:
            return SUPPORTED
        return CONTRADICTED if against > 0.5 else NOT_FOUND


def whole(checked: Sequence[CheckedClaim]) -> Checked:
    """An answer by its claims. Its probability is, as for lexical support, mostly the weakest's."""
    if not checked:
        return Checked()
    clipped = [min(max(claim.probability or 0.0, 1e-6), 1 - 1e-6) for claim in checked]
    logits = [float(np.log(p / (1 - p))) for p in clipped]
    sizes = [len(claim.text.split()) for claim in checked]
    probability = float(1 / (1 + np.exp(-pooled(logits, sizes, WEAKEST))))
    return Checked(tuple(checked), probability)
