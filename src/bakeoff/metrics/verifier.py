"""Local models that say whether passages support a claim. They run in this process, on torch.

Three kinds: sequence classifiers (NLI cross-encoders), token classifiers that mark what has no
support, and seq2seq models that answer with a word. A claim is held against every passage, long
ones in overlapping parts, and the part that supports it best counts.
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from transformers import (
    AutoConfig,
    AutoModelForSeq2SeqLM,
    AutoModelForSequenceClassification,
    AutoModelForTokenClassification,
    AutoTokenizer,
)

from bakeoff.core.words import (
    CONTRADICTED,
    NOT_FOUND,
    SUPPORTED,
    BakeoffError,
    Checked,
    CheckedClaim,
    digest,
)
from bakeoff.metrics.lexical import WEAKEST, Claim, Evidence, claims, nearest_passage, pooled
from bakeoff.metrics.needs import Entailment
from bakeoff.models.device import pick_device
from bakeoff.models.weights import resolve
from bakeoff.spec.benchmark import VerifierSpec

Floats = npt.NDArray[np.float64]

BATCH_TOKENS = 8192
"""Padded tokens in one batch."""
_SUPPORT = re.compile(r"(entail|support|consistent|faithful|attributable|factual|true\b|yes\b)")
_AGAINST = re.compile(r"(contradict|refut)")
_UNFOUNDED = re.compile(r"(hallucinat|not[_ -]?support|unsupport|inconsistent)")
_SEQ2SEQ = "predict: {passages}</s>{claim}"


@dataclass(frozen=True, slots=True)
class _Pair:
    """A claim beside a part of a passage."""

    need: int
    claim: int
    passage: int
    part: str
    text: str


class Verifier:
    """A verifier model, loaded. Raises `BakeoffError` when it cannot be, or is of no known kind."""

    def __init__(self, spec: VerifierSpec, cache: Path) -> None:
        self.spec = spec
        weights = resolve(spec.model, cache)
        if spec.trust_remote_code:
            warnings.warn(
                f"verifier '{spec.model}': code that comes with the model is run",
                stacklevel=2,
            )
        trust = spec.trust_remote_code
        try:
            config = AutoConfig.from_pretrained(weights.folder, trust_remote_code=trust)
            self.kind, load = _kind(config.architectures or [])
            self.tokenizer = AutoTokenizer.from_pretrained(weights.folder, trust_remote_code=trust)
            self.model: Any = load.from_pretrained(weights.folder, trust_remote_code=trust)
        except (OSError, ValueError, KeyError) as error:
            raise BakeoffError(f"verifier '{spec.model}': cannot be loaded: {error}") from error
        self.model = self.model.to(pick_device()).eval()
        self.labels = [str(name).lower() for _, name in sorted(config.id2label.items())]
        self.fingerprint = {"weights": weights.digest, "settings": digest(spec.model_dump())}
        if self.kind == "pairs":
            _ = self.columns

    def check(self, needs: Sequence[Entailment]) -> list[Checked]:
        """Each answer's claims held against its passages."""
        found = [claims(need.answer) for need in needs]
        if self.kind == "tokens":
            return [self._marked(need, c) for need, c in zip(needs, found, strict=True)]
        best: dict[tuple[int, int], tuple[float, float, int]] = {}
        pairs = list(self._pairs(needs, found))
        for pair, (support, against) in zip(pairs, self._weighed(pairs), strict=True):
            key = (pair.need, pair.claim)
            if key not in best or support > best[key][0]:
                best[key] = (support, against, pair.passage)
        nothing = (0.0, 0.0, None)
        return [
            self._checked(c, [best.get((n, k), nothing) for k in range(len(c))])
            for n, c in enumerate(found)
        ]

    def _checked(
        self, found: Sequence[Claim], best: Sequence[tuple[float, float, int | None]]
    ) -> Checked:
        checked = tuple(
            CheckedClaim(claim.text, self._verdict(support, against), support, passage, claim.start)
            for claim, (support, against, passage) in zip(found, best, strict=True)
        )
        return Checked(checked, _whole(checked))

    def _verdict(self, support: float, against: float) -> str:
        if support >= self.spec.threshold:
            return SUPPORTED
        return CONTRADICTED if against > 0.5 else NOT_FOUND

    def _pairs(
        self, needs: Sequence[Entailment], found: Sequence[Sequence[Claim]]
    ) -> Iterator[_Pair]:
        for n, need in enumerate(needs):
            for p, passage in enumerate(need.passages):
                for k, claim in enumerate(found[n]):
                    template = self.spec.template or (
                        _SEQ2SEQ if self.kind == "words" else "{passages}"
                    )
                    room = self.room(template, claim.text, need.question)
                    for part in self.parts(passage, room):
                        filled = template.format(
                            passages=part, claim=claim.text, question=need.question
                        )
                        yield _Pair(n, k, p, filled, claim.text)

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

    def _weighed(self, pairs: Sequence[_Pair]) -> list[tuple[float, float]]:
        """(support, contradiction) of each pair."""
        if self.kind == "words":
            return self._batched([(pair.part, None) for pair in pairs], self._worded)
        texts = [(pair.part, pair.text) for pair in pairs]
        own = getattr(self.model, "predict", None)
        if callable(own):
            return [(float(p), 0.0) for p in own(texts)]
        return self._batched(texts, self._classified)

    def _batched(
        self,
        texts: Sequence[tuple[str, str | None]],
        weigh: Callable[[Any], list[tuple[float, float]]],
    ) -> list[tuple[float, float]]:
        """What `weigh` says of each text, like lengths together."""
        found: dict[int, tuple[float, float]] = {}
        order = sorted(range(len(texts)), key=lambda i: -sum(len(t or "") for t in texts[i]))
        places = iter(order)
        size = 1
        while batch := list(islice(places, size)):
            encoded = self._encoded([texts[place] for place in batch])
            found |= zip(batch, weigh(encoded), strict=True)
            # The next ones are no longer than these.
            size = max(1, BATCH_TOKENS // int(encoded.input_ids.shape[1]))
        return [found[place] for place in range(len(texts))]

    def _encoded(self, texts: Sequence[tuple[str, str | None]]) -> Any:
        first, second = [a for a, _ in texts], [b for _, b in texts]
        beside = second if self.kind != "words" else None
        return self.tokenizer(
            first,
            beside,
            truncation="only_first" if beside else True,
            max_length=self.spec.max_tokens,
            padding=True,
            return_tensors="pt",
        ).to(self.model.device)

    def _classified(self, encoded: Any) -> list[tuple[float, float]]:
        with torch.inference_mode():
            logits = self.model(**encoded).logits.float()
        if logits.shape[1] == 1:
            return [(float(p), 0.0) for p in torch.sigmoid(logits[:, 0])]
        shares = torch.softmax(logits, dim=1)
        support, against = self.columns
        return [
            (float(row[support]), float(row[against]) if against is not None else 0.0)
            for row in shares
        ]

    @cached_property
    def columns(self) -> tuple[int, int | None]:
        """The labels that mean support and contradiction. Raises `BakeoffError` for none."""
        against = next((i for i, name in enumerate(self.labels) if _AGAINST.match(name)), None)
        if len(self.labels) == 1:
            return 0, None
        wanted = (self.spec.supported or "").lower()
        for place, name in enumerate(self.labels):
            if name == wanted or (not wanted and _SUPPORT.match(name)):
                return place, against
        raise BakeoffError(
            f"verifier '{self.spec.model}': which of its labels means support? Name one of "
            f"{', '.join(self.labels)} in verifiers: NAME: supported"
        )

    def _worded(self, encoded: Any) -> list[tuple[float, float]]:
        """By the first token of the model's answer: the word for support against the other."""
        words = (self.spec.supported or "1|0").split("|")
        ids = [self.tokenizer(word, add_special_tokens=False).input_ids[0] for word in words]
        start = self.model.config.decoder_start_token_id
        begin = torch.full((len(encoded.input_ids), 1), start, device=self.model.device)
        with torch.inference_mode():
            logits = self.model(**encoded, decoder_input_ids=begin).logits[:, 0].float()
        shares = torch.softmax(logits[:, ids], dim=1)
        return [(float(row[0]), 0.0) for row in shares]

    def _marked(self, need: Entailment, found: Sequence[Claim]) -> Checked:
        """By the answer's tokens: each claim is as well supported as its worst token."""
        if not found:
            return Checked()
        template = self.spec.template or "{passages}"
        room = self.room(template.replace("{claim}", ""), need.answer, need.question)
        parts = [
            template.format(passages=part, question=need.question)
            for part in self.parts("\n".join(need.passages), room)
        ]
        evidence = Evidence.of(need.passages)
        spans, support = self._tokens(parts, need.answer)
        checked = tuple(
            self._marked_claim(claim, spans, support, nearest_passage(claim.text, evidence))
            for claim in found
        )
        return Checked(checked, _whole(checked))

    def _tokens(self, parts: Sequence[str], answer: str) -> tuple[list[tuple[int, int]], Floats]:
        """Where each token of the answer stands, and its support by the best part."""
        support: Floats | None = None
        spans: list[tuple[int, int]] = []
        for part in parts:
            encoded = self.tokenizer(
                part,
                answer,
                truncation="only_first",
                max_length=max(self.spec.max_tokens, len(answer)),
                return_offsets_mapping=True,
                return_tensors="pt",
            )
            own = [place for place, side in enumerate(encoded.sequence_ids(0)) if side == 1]
            offsets = encoded.pop("offset_mapping")[0].tolist()
            spans = [tuple(offsets[place]) for place in own]
            with torch.inference_mode():
                logits = self.model(**encoded.to(self.model.device)).logits[0].float()
            shares = torch.softmax(logits, dim=-1)[:, self._unfounded].cpu().numpy()
            seen = 1 - shares[own].astype(np.float64)
            support = seen if support is None else np.maximum(support, seen)
        assert support is not None
        return spans, support

    @cached_property
    def _unfounded(self) -> int:
        """The label of tokens without support; by custom the last."""
        named = [i for i, name in enumerate(self.labels) if _UNFOUNDED.search(name)]
        return named[0] if named else len(self.labels) - 1

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
        bad = [spans[n] for n in mine if support[n] < self.spec.threshold]
        shift = claim.start
        missing = tuple(claim.text[max(0, a - shift) : b - shift] for a, b in _joined(bad))
        verdict = self._verdict(lowest, 0.0)
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


def _whole(checked: Sequence[CheckedClaim]) -> float | None:
    """The answer's probability from its claims': as for lexical support, mostly the weakest."""
    if not checked:
        return None
    clipped = [min(max(claim.probability or 0.0, 1e-6), 1 - 1e-6) for claim in checked]
    logits = [float(np.log(p / (1 - p))) for p in clipped]
    sizes = [len(claim.text.split()) for claim in checked]
    return float(1 / (1 + np.exp(-pooled(logits, sizes, WEAKEST))))


def _kind(architectures: Sequence[str]) -> tuple[str, Any]:
    """(`pairs`, `tokens` or `words`, the class that loads it). Raises `ValueError` for others."""
    name = " ".join(architectures)
    if "ForTokenClassification" in name:
        return "tokens", AutoModelForTokenClassification
    if "ForSequenceClassification" in name:
        return "pairs", AutoModelForSequenceClassification
    if "ForConditionalGeneration" in name:
        return "words", AutoModelForSeq2SeqLM
    raise ValueError(
        f"it is a {name or 'model of no stated kind'}; a verifier is a sequence classifier, a "
        "token classifier or a seq2seq model"
    )
