"""Features turned into the probability that a claim, and an answer, is supported.

What speaks against an answer is weighed and added: the mean over its words and, by the logarithm of
the sum, how much of it there is. Every weight is against support, so nothing that a model learnt
about who writes how can speak for an answer. A claim is an answer of one claim.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from functools import lru_cache
from importlib import resources
from typing import Any

from bakeoff.core.words import BakeoffError, digest
from bakeoff.metrics.support.features import FEATURES

_FILES = ("support_model.json", "english.txt.gz")
_FURTHEST = 35.0
"""Logits beyond it are all the same in double precision."""


@dataclass(frozen=True, slots=True)
class Model:
    """Weights against support, as plain numbers."""

    mean: Mapping[str, float]
    """Of a feature's mean over the claims, by their weight in words."""
    amount: Mapping[str, float]
    """Of log(1 + the sum over the claims)."""
    slope: float = 1.0
    """Calibration: the probability is the logistic function of `slope * z + offset`."""
    offset: float = 0.0
    """The log odds of an answer that nothing speaks against."""
    threshold: float = 0.5
    """Probability from which on a claim counts as supported."""
    provenance: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def parse(cls, text: str) -> Model:
        """The model that `as_json` wrote. Raises `BakeoffError` when `text` is none."""
        try:
            fields = json.loads(text)
            if "intercept" in fields:
                raise BakeoffError(
                    "this support model is of an earlier version: calibrate it again, with "
                    "`bakeoff scorers calibrate`"
                )
            model = cls(**fields)
            weights = [*model.mean.values(), *model.amount.values()]
            numbers = [*weights, model.slope, model.offset, model.threshold]
            sound = all(math.isfinite(x) for x in numbers) and min(weights) >= 0
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            raise BakeoffError(f"this is no support model: {error}") from error
        if unknown := sorted({*model.mean, *model.amount} - set(FEATURES)):
            raise BakeoffError(
                f"this support model is of another version: it asks for {unknown[0]!r}"
            )
        if not sound:
            raise BakeoffError("this is no support model: its weights must be finite and above 0")
        return model

    def as_json(self) -> str:
        """The model as text, the same for the same model."""
        return json.dumps(asdict(self), indent=1, ensure_ascii=False) + "\n"

    def logit(self, seen: Sequence[Mapping[str, float]], sizes: Sequence[float]) -> float:
        """Uncalibrated evidence for the support of claims together, from their features; at most 0.

        `sizes` are the weights of their words. It is the cube root of what speaks against them: the
        first flaw in a copied text says more than one in a text that is written anew. By people's
        labels, nine of ten copied answers are supported, and a line in the sum itself ends at .74.
        """
        total = sum(sizes) or 1.0
        against = 0.0
        for name, weight in self.mean.items():
            held = sum([one[name] * size for one, size in zip(seen, sizes, strict=True)])
            against += weight * held / total
        for name, weight in self.amount.items():
            against += weight * math.log1p(sum([one[name] for one in seen]))
        return -math.cbrt(against)

    def probability(self, logit: float) -> float:
        """The calibrated probability of a logit."""
        value = self.slope * logit + self.offset
        return 1 / (1 + math.exp(-max(min(value, _FURTHEST), -_FURTHEST)))


@lru_cache(maxsize=1)
def shipped_model() -> Model:
    """The model that comes with bakeoff; how it was trained stands in its `provenance`."""
    return Model.parse(_packed(_FILES[0]).decode("utf-8"))


@lru_cache(maxsize=1)
def shipped_digest() -> str:
    """Changes with the model and the table of words that come with bakeoff."""
    return digest([digest(_packed(name)) for name in _FILES])


def _packed(name: str) -> bytes:
    return (resources.files("bakeoff.metrics.support") / name).read_bytes()
