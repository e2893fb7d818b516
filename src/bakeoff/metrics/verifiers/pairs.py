"""Claims checked against passages pair by pair; the part of a passage that supports best counts."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any

from bakeoff.core.words import Checked, CheckedClaim
from bakeoff.metrics.needs import Entailment
from bakeoff.metrics.support import Claim, claims
from bakeoff.metrics.verifiers.loaded import Loaded, whole

BATCH_TOKENS = 8192
"""Padded tokens in one batch."""
Weights = list[tuple[float, float]]
"""The probabilities of support and of contradiction, of each pair."""


@dataclass(frozen=True, slots=True)
class Pair:
    """A claim beside a part of a passage."""

    need: int
    claim: int
    passage: int
    part: str
    """The template filled in."""
    text: str
    """The claim itself."""


def check_pairs(
    loaded: Loaded,
    needs: Sequence[Entailment],
    template: str,
    weigh: Callable[[Sequence[Pair]], Weights],
) -> list[Checked]:
    """Each answer's claims, every one by the part of a passage that supports it best."""
    stated = [claims(need.answer) for need in needs]
    best: dict[tuple[int, int], tuple[float, float, int]] = {}
    pairs = list(_pairs(loaded, needs, stated, template))
    for pair, (support, against) in zip(pairs, weigh(pairs), strict=True):
        key = (pair.need, pair.claim)
        if key not in best or support > best[key][0]:
            best[key] = (support, against, pair.passage)
    nothing = (0.0, 0.0, None)
    return [
        whole(
            [
                _checked(loaded, claim, *best.get((number, place), nothing))
                for place, claim in enumerate(of_answer)
            ]
        )
        for number, of_answer in enumerate(stated)
    ]


def _checked(
    loaded: Loaded, claim: Claim, support: float, against: float, passage: int | None
) -> CheckedClaim:
    verdict = loaded.verdict(support, against)
    return CheckedClaim(claim.text, verdict, support, passage, claim.start)


def _pairs(
    loaded: Loaded, needs: Sequence[Entailment], stated: Sequence[Sequence[Claim]], template: str
) -> Iterator[Pair]:
    for n, need in enumerate(needs):
        for p, passage in enumerate(need.passages):
            for k, claim in enumerate(stated[n]):
                room = loaded.room(template, claim.text, need.question)
                for part in loaded.parts(passage, room):
                    filled = template.format(
                        passages=part, claim=claim.text, question=need.question
                    )
                    yield Pair(n, k, p, filled, claim.text)


def batched(
    loaded: Loaded,
    texts: Sequence[tuple[str, str | None]],
    weigh: Callable[[Any], Weights],
) -> Weights:
    """What `weigh` says of each text and the one beside it, like lengths together."""
    weighed: dict[int, tuple[float, float]] = {}
    order = sorted(range(len(texts)), key=lambda i: -sum(len(t or "") for t in texts[i]))
    places = iter(order)
    size = 1
    while batch := list(islice(places, size)):
        encoded = _encoded(loaded, [texts[place] for place in batch])
        weighed |= zip(batch, weigh(encoded), strict=True)
        # The next ones are no longer than these.
        size = max(1, BATCH_TOKENS // int(encoded.input_ids.shape[1]))
    return [weighed[place] for place in range(len(texts))]


def _encoded(loaded: Loaded, texts: Sequence[tuple[str, str | None]]) -> Any:
    first, second = [a for a, _ in texts], [b for _, b in texts if b is not None]
    return loaded.tokenizer(
        first,
        second or None,
        truncation="only_first" if second else True,
        max_length=loaded.spec.max_tokens,
        padding=True,
        return_tensors="pt",
    ).to(loaded.model.device)
