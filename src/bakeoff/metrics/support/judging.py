"""An answer held against its passages, claim by claim."""

from __future__ import annotations

from collections.abc import Iterable, Sequence, Set
from dataclasses import replace
from functools import lru_cache

from bakeoff.core.words import CONTRADICTED, NOT_FOUND, SUPPORTED
from bakeoff.metrics.lexical.claims import Claim
from bakeoff.metrics.lexical.model import ClaimSupport, Labelled, Support, fit
from bakeoff.metrics.support.alignment import Alignment, Part, align
from bakeoff.metrics.support.claims import bare, claims
from bakeoff.metrics.support.conflicts import (
    negated_words,
    opposed_words,
    other_numbers,
    swapped_names,
)
from bakeoff.metrics.support.denials import denied_words
from bakeoff.metrics.support.evidence import Evidence
from bakeoff.metrics.support.features import features
from bakeoff.metrics.support.model import Model, shipped_model
from bakeoff.metrics.support.reading import read


def support(answer: str, evidence: Evidence, model: Model, question: str = "") -> Support:
    """The claims of an answer with their support. Refusals are the caller's to leave out.

    Words of the question that the answer repeats weigh half where no passage has them.
    """
    statements = claims(answer)
    if not statements:
        return Support((), None, None)
    asked = asked_words(question)
    aligned = [align(claim.text, evidence, asked) for claim in statements]
    seen = [features(one, evidence) for one in aligned]
    sizes = [one.total for one in aligned]
    judged = tuple(
        _judged(claim, one, model.probability(model.logit([row], [one.total])), evidence, model)
        for claim, one, row in zip(statements, aligned, seen, strict=True)
    )
    share = sum(claim.verdict == SUPPORTED for claim in judged) / len(judged)
    return Support(judged, share, model.probability(model.logit(seen, sizes)))


def answer_logit(answer: str, evidence: Evidence, model: Model, question: str = "") -> float | None:
    """The uncalibrated evidence for a whole answer; `None` when it makes no claim."""
    statements = claims(answer)
    if not statements:
        return None
    asked = asked_words(question)
    aligned = [align(claim.text, evidence, asked) for claim in statements]
    return model.logit([features(one, evidence) for one in aligned], [a.total for a in aligned])


@lru_cache(maxsize=256)
def asked_words(question: str) -> Set[str]:
    """The content words of a question."""
    return frozenset([word.key for word in read(question)[0] if word.content])


def words_missing(answer: str, evidence: Evidence) -> tuple[int, int]:
    """How many content words of an answer's claims stand in no passage, and how many it has."""
    words = [
        word.key for claim in claims(answer) for word in read(bare(claim.text))[0] if word.content
    ]
    return sum(word not in evidence.holders for word in words), len(words)


def nearest_passage(text: str, evidence: Evidence) -> int | None:
    """Place of the passage with the line that carries most of a text; `None`: none does."""
    line = align(text, evidence).line
    return None if line is None else evidence.owners[line]


def _judged(
    claim: Claim, aligned: Alignment, probability: float, evidence: Evidence, model: Model
) -> ClaimSupport:
    gone = [part for part in aligned.parts if not part.stands]
    numbers = [part for part in gone if _is_number(part)]
    names = [part for part in gone if part.name and not _is_number(part)]
    conflicts = () if aligned.verbatim else _conflicts(aligned, evidence)
    verdict = SUPPORTED
    if probability < model.threshold:
        verdict = CONTRADICTED if conflicts else NOT_FOUND
    return ClaimSupport(
        claim,
        probability,
        verdict,
        None if aligned.line is None else evidence.owners[aligned.line],
        _texts(part for part in gone if not part.name and not _is_number(part)),
        _texts(numbers),
        _texts(names),
        conflicts,
    )


def _is_number(part: Part) -> bool:
    return part.word.number or part.word.date


def _texts(parts: Iterable[Part]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(part.word.text for part in parts))


def _conflicts(aligned: Alignment, evidence: Evidence) -> tuple[str, ...]:
    """Words on which the claim and the lines that carry it disagree."""
    best = evidence.lines[aligned.line] if aligned.line is not None else None
    lines = [evidence.lines[number] for number in aligned.window]
    denied = [
        *negated_words(aligned, best, evidence),
        *opposed_words(aligned, lines),
        *other_numbers(aligned, best),
        *swapped_names(aligned, best),
        *denied_words(aligned, evidence),
    ]
    return tuple(dict.fromkeys(denied))


def calibrate(rows: Sequence[Labelled], model: Model | None = None) -> Model:
    """The model with its probabilities fitted to people's own labels (Platt scaling).

    Order between answers stays; only slope, offset and threshold change. The threshold becomes
    the share of supported rows, where both kinds of error cost the same. Raises `BakeoffError`
    where the labels hold one class only, or disagree with the model altogether.
    """
    model = model or shipped_model()
    made: dict[tuple[str, ...], Evidence] = {}
    logits, labels = [], []
    for row in rows:
        if row.passages not in made:
            made[row.passages] = Evidence.of(row.passages)
        logit = answer_logit(row.answer, made[row.passages], model, row.question)
        if logit is not None:
            logits.append(logit)
            labels.append(row.supported)
    fitted = fit(logits, labels, "the support score")
    return replace(
        model,
        slope=fitted.slope,
        offset=fitted.offset,
        threshold=fitted.threshold,
        provenance={**model.provenance, "calibrated_on": fitted.counts},
    )
