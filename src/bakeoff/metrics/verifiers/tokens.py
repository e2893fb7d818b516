"""Token classifiers that mark what has no support, as verifiers."""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import torch
from transformers import AutoModelForTokenClassification

from bakeoff.core.words import Checked, CheckedClaim
from bakeoff.metrics.needs import Entailment
from bakeoff.metrics.support import Claim, Evidence, claims, nearest_passage
from bakeoff.metrics.verifiers.loaded import Loaded, whole

Floats = npt.NDArray[np.float64]

_UNFOUNDED = re.compile(r"(hallucinat|not[_ -]?support|unsupport|inconsistent)")


class TokenClassifier:
    """Reads all passages and the answer: each claim is as well supported as its worst token."""

    auto = AutoModelForTokenClassification

    def __init__(self, loaded: Loaded) -> None:
        self.loaded = loaded
        named = [i for i, name in enumerate(loaded.labels) if _UNFOUNDED.search(name)]
        self._unfounded = named[0] if named else len(loaded.labels) - 1
        """The label of tokens without support; by custom the last."""

    def check(self, needs: Sequence[Entailment]) -> list[Checked]:
        return [self._marked(need) for need in needs]

    def _marked(self, need: Entailment) -> Checked:
        stated = claims(need.answer)
        if not stated:
            return Checked()
        template = self.loaded.spec.template or "{passages}"
        room = self.loaded.room(template.replace("{claim}", ""), need.answer, need.question)
        parts = [
            template.format(passages=part, question=need.question)
            for part in self.loaded.parts("\n".join(need.passages), room)
        ]
        evidence = Evidence.of(need.passages)
        spans, support = self._tokens(parts, need.answer)
        return whole(
            [
                self._marked_claim(claim, spans, support, nearest_passage(claim.text, evidence))
                for claim in stated
            ]
        )

    def _tokens(self, parts: Sequence[str], answer: str) -> tuple[list[tuple[int, int]], Floats]:
        """The place of each token of the answer, and its support by the best part."""
        support: Floats | None = None
        spans: list[tuple[int, int]] = []
        for part in parts:
            encoded = self.loaded.tokenizer(
                part,
                answer,
                truncation="only_first",
                max_length=max(self.loaded.spec.max_tokens, len(answer)),
                return_offsets_mapping=True,
                return_tensors="pt",
            )
            own = [place for place, side in enumerate(encoded.sequence_ids(0)) if side == 1]
            offsets = encoded.pop("offset_mapping")[0].tolist()
            spans = [tuple(offsets[place]) for place in own]
            with torch.inference_mode():
                logits = self.loaded.model(**encoded.to(self.loaded.model.device)).logits[0].float()
            shares = torch.softmax(logits, dim=-1)[:, self._unfounded].cpu().numpy()
            seen = 1 - shares[own].astype(np.float64)
            support = seen if support is None else np.maximum(support, seen)
        assert support is not None
        return spans, support

    def _marked_claim(
        self,
        claim: Claim,
        spans: Sequence[tuple[int, int]],
        support: Floats,
        passage: int | None,
    ) -> CheckedClaim:
        mine = [
            n for n, (start, end) in enumerate(spans) if start < claim.end and end > claim.start
        ]
        lowest = float(min(support[mine])) if mine else 0.0
        bad = [spans[n] for n in mine if support[n] < self.loaded.spec.threshold]
        shift = claim.start
        missing = tuple(claim.text[max(0, a - shift) : b - shift] for a, b in _joined(bad))
        verdict = self.loaded.verdict(lowest)
        return CheckedClaim(claim.text, verdict, lowest, passage, claim.start, missing)


def _joined(spans: Sequence[tuple[int, int]]) -> list[tuple[int, int]]:
    """Spans that touch, or have one sign between them, as one."""
    joined: list[tuple[int, int]] = []
    for start, end in spans:
        if joined and start <= joined[-1][1] + 1:
            joined[-1] = (joined[-1][0], end)
        else:
            joined.append((start, end))
    return joined
