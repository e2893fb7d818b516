"""Local models that say whether passages support a claim. They run in this process, on torch.

One class for each kind: sequence classifiers (NLI cross-encoders), token classifiers that mark
what has no support, and seq2seq models that answer with a word. Long passages are read in
overlapping parts, and the part that supports a claim best counts.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Protocol

from transformers import AutoConfig

from bakeoff.core.words import BakeoffError, Checked, digest
from bakeoff.metrics.needs import Entailment
from bakeoff.metrics.verifiers.loaded import Loaded
from bakeoff.metrics.verifiers.seq2seq import Seq2Seq
from bakeoff.metrics.verifiers.sequence import SequenceClassifier
from bakeoff.metrics.verifiers.tokens import TokenClassifier
from bakeoff.models.device import pick_device
from bakeoff.models.networks import filled
from bakeoff.models.tokenizer import tokenizer_in
from bakeoff.models.weights import resolve
from bakeoff.spec.benchmark import VerifierSpec


class Verifier(Protocol):
    """A verifier model, loaded."""

    loaded: Loaded

    def check(self, needs: Sequence[Entailment]) -> list[Checked]:
        """Each answer's claims checked against its passages."""
        ...


Kind = type[SequenceClassifier] | type[TokenClassifier] | type[Seq2Seq]
VERIFIERS: dict[str, Kind] = {
    "ForTokenClassification": TokenClassifier,
    "ForSequenceClassification": SequenceClassifier,
    "ForConditionalGeneration": Seq2Seq,
}
"""What the name of a model's architecture holds -> its kind."""


def open_verifier(spec: VerifierSpec, cache: Path) -> Verifier:
    """Load a verifier. Raises `BakeoffError` when that fails, or for a model of no known kind."""
    weights = resolve(spec.model, cache)
    trust = spec.trust_remote_code
    if trust:
        warnings.warn(
            f"verifier '{spec.model}': code that comes with the model is run", stacklevel=2
        )
    try:
        config = AutoConfig.from_pretrained(weights.folder, trust_remote_code=trust)
        kind = _kind(config.architectures or [])
        tokenizer = tokenizer_in(weights.folder, trust_remote_code=trust)
        # Code that comes with a model may fill in by itself what its files lack.
        opened = kind.auto.from_pretrained if trust else partial(filled, kind.auto)
        model = opened(weights.folder, trust_remote_code=trust)
    except (OSError, ValueError, KeyError) as error:
        raise BakeoffError(f"verifier '{spec.model}': cannot be loaded: {error}") from error
    labels = [str(name).lower() for _, name in sorted(config.id2label.items())]
    fingerprint = {"weights": weights.digest, "settings": digest(spec.model_dump())}
    return kind(Loaded(spec, tokenizer, model.to(pick_device()).eval(), labels, fingerprint))


def _kind(architectures: Sequence[str]) -> Kind:
    """Raises `ValueError` for what is no verifier."""
    name = " ".join(architectures)
    for part, kind in VERIFIERS.items():
        if part in name:
            return kind
    raise ValueError(
        f"it is a {name or 'model of no stated kind'}; a verifier is a sequence classifier, a "
        "token classifier or a seq2seq model"
    )
