"""Sequence classifiers, such as NLI cross-encoders, as verifiers."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import torch
from transformers import AutoModelForSequenceClassification

from bakeoff.core.words import BakeoffError, Checked
from bakeoff.metrics.needs import Entailment
from bakeoff.metrics.verifiers.loaded import Loaded
from bakeoff.metrics.verifiers.pairs import Pair, Weights, batched, check_pairs

_SUPPORT = re.compile(r"(entail|support|consistent|faithful|attributable|factual|true\b|yes\b)")
_AGAINST = re.compile(r"(contradict|refut)")


class SequenceClassifier:
    """Reads passage and claim side by side: one of its labels means support.

    Raises `BakeoffError` where no label says so.
    """

    auto = AutoModelForSequenceClassification

    def __init__(self, loaded: Loaded) -> None:
        self.loaded = loaded
        self._columns = _columns(loaded)

    def check(self, needs: Sequence[Entailment]) -> list[Checked]:
        template = self.loaded.spec.template or "{passages}"
        return check_pairs(self.loaded, needs, template, self._weighed)

    def _weighed(self, pairs: Sequence[Pair]) -> Weights:
        own = getattr(self.loaded.model, "predict", None)
        if callable(own):
            return [(float(p), 0.0) for p in own([(pair.part, pair.text) for pair in pairs])]
        return batched(self.loaded, [(pair.part, pair.text) for pair in pairs], self._classified)

    def _classified(self, encoded: Any) -> Weights:
        with torch.inference_mode():
            logits = self.loaded.model(**encoded).logits.float()
        if logits.shape[1] == 1:
            return [(float(p), 0.0) for p in torch.sigmoid(logits[:, 0])]
        shares = torch.softmax(logits, dim=1)
        support, against = self._columns
        return [
            (float(row[support]), float(row[against]) if against is not None else 0.0)
            for row in shares
        ]


def _columns(loaded: Loaded) -> tuple[int, int | None]:
    """The labels that mean support and contradiction. Raises `BakeoffError` for none."""
    against = next((i for i, name in enumerate(loaded.labels) if _AGAINST.match(name)), None)
    if len(loaded.labels) == 1:
        return 0, None
    wanted = (loaded.spec.supported or "").lower()
    for place, name in enumerate(loaded.labels):
        if name == wanted or (not wanted and _SUPPORT.match(name)):
            return place, against
    raise BakeoffError(
        f"verifier '{loaded.spec.model}': which of its labels means support? Name one of "
        f"{', '.join(loaded.labels)} in verifiers: NAME: supported"
    )
