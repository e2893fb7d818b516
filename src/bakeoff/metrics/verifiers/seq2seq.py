"""Seq2seq models that answer with a word, as verifiers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from transformers import AutoModelForSeq2SeqLM

from bakeoff.core.words import Checked
from bakeoff.metrics.needs import Entailment
from bakeoff.metrics.verifiers.loaded import Loaded
from bakeoff.metrics.verifiers.pairs import Pair, Weights, batched, check_pairs

TEMPLATE = "predict: {passages}</s>{claim}"


class Seq2Seq:
    """Reads passage and claim as one text; the first word of its answer decides."""

    auto = AutoModelForSeq2SeqLM

    def __init__(self, loaded: Loaded) -> None:
        self.loaded = loaded

    def check(self, needs: Sequence[Entailment]) -> list[Checked]:
        template = self.loaded.spec.template or TEMPLATE
        return check_pairs(self.loaded, needs, template, self._weighed)

    def _weighed(self, pairs: Sequence[Pair]) -> Weights:
        return batched(self.loaded, [(pair.part, None) for pair in pairs], self._worded)

    def _worded(self, encoded: Any) -> Weights:
        """By the first token of the model's answer: the word for support against the other."""
        words = (self.loaded.spec.supported or "1|0").split("|")
        ids = [self.loaded.tokenizer(word, add_special_tokens=False).input_ids[0] for word in words]
        start = self.loaded.model.config.decoder_start_token_id
        begin = torch.full((len(encoded.input_ids), 1), start, device=self.loaded.model.device)
        with torch.inference_mode():
            logits = self.loaded.model(**encoded, decoder_input_ids=begin).logits[:, 0].float()
        shares = torch.softmax(logits[:, ids], dim=1)
        return [(float(row[0]), 0.0) for row in shares]
