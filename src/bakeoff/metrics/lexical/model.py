"""Features turned into the probability that a claim, and an answer, is supported."""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from functools import lru_cache
from importlib import resources
from typing import Any, NamedTuple

from bakeoff.core.words import CONTRADICTED, NOT_FOUND, SUPPORTED, BakeoffError, digest
from bakeoff.metrics.lexical.claims import Claim, claims
from bakeoff.metrics.lexical.evidence import Evidence
from bakeoff.metrics.lexical.features import absent_words, features_of, opposed_words, swapped_names
from bakeoff.metrics.lexical.match import Match, lay_beside
from bakeoff.metrics.lexical.words import Word

_FOR = ("contained", "contained_rare", "contained_kin", "best_passage", "in_runs")


_AGAINST = (
    "missing_words",
    "missing_names",
    "missing_numbers",
    "missing_dates",
    "loose_numbers",
    "opposed",
    "swapped",
)


SIGNS: Mapping[str, int] = dict.fromkeys(_FOR, 1) | dict.fromkeys(_AGAINST, -1)
"""Every feature a model may use, and whether more of it speaks for support or against it."""


WEAKEST = 0.75


@dataclass(frozen=True, slots=True)
class Model:
    """A logistic regression over `features`, as plain numbers."""

    features: tuple[str, ...]
    means: tuple[float, ...]
    scales: tuple[float, ...]
    coefficients: tuple[float, ...]
    intercept: float
    slope: float = 1.0
    """Calibration: the probability is the logistic function of `slope * z + offset`."""
    offset: float = 0.0
    threshold: float = 0.5
    """Probability from which on a claim counts as supported."""
    weakest: float = WEAKEST
    """Weight of an answer's weakest claim; the mean over all its words has the rest."""
    provenance: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def parse(cls, text: str) -> Model:
        """The model that `as_json` wrote. Raises `BakeoffError` when `text` is none."""
        try:
            fields = json.loads(text)
            names, *lists = (tuple(fields.pop(name)) for name in _PER_FEATURE)
            model = cls(names, lists[0], lists[1], lists[2], **fields)
            numbers = [x for values in lists for x in values]
            numbers += [model.intercept, model.slope, model.offset, model.threshold, model.weakest]
            finite = all(math.isfinite(x) for x in numbers)
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            raise BakeoffError(f"this is no lexical support model: {error}") from error
        unknown = sorted(set(model.features) - set(SIGNS))
        if unknown:
            raise BakeoffError(
                f"this lexical support model is of another version: it asks for {unknown[0]!r}"
            )
        if (
            {len(values) for values in lists} != {len(names)}
            or not finite
            or min(model.scales) <= 0
        ):
            raise BakeoffError("this is no lexical support model: its numbers do not fit together")
        return model

    def as_json(self) -> str:
        """The model as text, the same for the same model."""
        return json.dumps(asdict(self), indent=1, ensure_ascii=False) + "\n"

    def logits(self, rows: Sequence[Mapping[str, float]]) -> list[float]:
        """Uncalibrated evidence for support of each claim, from its features."""
        # Inside, as in `platt`: every scorer is imported to know its name, and few weigh claims.
        import numpy as np

        seen = np.array([[row[name] for name in self.features] for row in rows], dtype=float)
        scaled = (seen - np.array(self.means)) / np.array(self.scales)
        values: list[float] = (scaled @ np.array(self.coefficients) + self.intercept).tolist()
        return values

    def probability(self, logit: float) -> float:
        """The calibrated probability of a logit."""
        return _logistic(self.slope * logit + self.offset)


_PER_FEATURE = ("features", "means", "scales", "coefficients")


def _logistic(value: float) -> float:
    return 1 / (1 + math.exp(-max(min(value, 35.0), -35.0)))


@lru_cache(maxsize=1)
def shipped_model() -> Model:
    """The model that comes with bakeoff; how it was trained is in its `provenance`."""
    return Model.parse(_shipped().decode("utf-8"))


@lru_cache(maxsize=1)
def shipped_digest() -> str:
    """Changes with the model that comes with bakeoff."""
    return digest(_shipped())


def _shipped() -> bytes:
    return (resources.files("bakeoff.metrics.lexical") / _MODEL_FILE).read_bytes()


_MODEL_FILE = "lexical_model.json"


@dataclass(frozen=True, slots=True)
class ClaimSupport:
    """What the passages say to one claim."""

    claim: Claim
    probability: float
    """That the claim is supported."""
    verdict: str
    """`supported`, `contradicted` or `not found`."""
    passage: int | None
    """The passage with the sentence that shares most with the claim; `None` when none does."""
    words: tuple[str, ...]
    """Content words that are in no passage, as the answer writes them."""
    numbers: tuple[str, ...]
    """Numbers and dates that are in no passage."""
    names: tuple[str, ...]
    """Names that are in no passage."""
    conflicts: tuple[str, ...]
    """Words on which the claim and the sentence nearest to it disagree."""


@dataclass(frozen=True, slots=True)
class Support:
    """How far an answer is lexically supported by its passages."""

    claims: tuple[ClaimSupport, ...]
    share: float | None
    """Share of claims supported; `None` when the answer makes no claim."""
    probability: float | None
    """That the whole answer is supported: the finer score, for ranking and comparing."""


def support(answer: str, evidence: Evidence, model: Model) -> Support:
    """The claims of an answer with their support. Refusals are the caller's to leave out."""
    statements = claims(answer)
    if not statements:
        return Support((), None, None)
    matches, logits = _weighed(statements, evidence, model)
    judged = tuple(
        _judged(claim, match, model.probability(logit), model.threshold)
        for claim, match, logit in zip(statements, matches, logits, strict=True)
    )
    share = sum(claim.verdict == SUPPORTED for claim in judged) / len(judged)
    whole = pooled(logits, [len(match.content) for match in matches], model.weakest)
    return Support(judged, share, model.probability(whole))


def _weighed(
    statements: Sequence[Claim], evidence: Evidence, model: Model
) -> tuple[list[Match], list[float]]:
    matches = [lay_beside(claim.text, evidence) for claim in statements]
    return matches, model.logits([features_of(match, evidence) for match in matches])


REMARK = 2
"""A claim of so many content words weighs half in being the weakest: "That is great." """


def pooled(logits: Sequence[float], sizes: Sequence[int], weakest: float) -> float:
    """An answer's logit: its weakest claim and its mean over words, in fixed parts.

    `sizes` are the content words of each claim.
    """
    mean = sum(z * size for z, size in zip(logits, sizes, strict=True)) / sum(sizes)
    lowest = min(
        mean + (z - mean) * size / (size + REMARK) for z, size in zip(logits, sizes, strict=True)
    )
    return weakest * lowest + (1 - weakest) * mean


def _judged(claim: Claim, match: Match, probability: float, threshold: float) -> ClaimSupport:
    names, numbers, dates = absent_words(match)
    counted = {word.key for word in [*names, *numbers, *dates]}
    conflicts = () if match.longest_run == len(match.words) else _conflicts(match)
    verdict = SUPPORTED
    if probability < threshold:
        verdict = CONTRADICTED if conflicts else NOT_FOUND
    return ClaimSupport(
        claim,
        probability,
        verdict,
        match.best.passage if match.best else None,
        _texts(word for word in match.missing if word.key not in counted),
        _texts([*numbers, *dates]),
        _texts(names),
        conflicts,
    )


def _texts(words: Iterable[Word]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(word.text for word in words))


def _conflicts(match: Match) -> tuple[str, ...]:
    """Words of the claim that its best sentence, otherwise alike, denies or says otherwise."""
    best = match.best
    plain = [word for word in match.content if not word.number]
    if best is None or sum(word.key in best.where for word in plain) < 0.6 * len(plain):
        return ()
    denied = list(opposed_words(match))
    if swapped_names(match):
        denied += [match.content[place].text for place in match.names]
    own = {word.key for word in match.content}
    if best.numbers - own:
        denied += [w.text for w in match.content if w.number and w.key not in best.keys]
    return tuple(dict.fromkeys(denied))


@dataclass(frozen=True, slots=True)
class Labelled:
    """An answer that a person has judged."""

    answer: str
    passages: tuple[str, ...]
    supported: bool
    question: str = ""


class Fitted(NamedTuple):
    """What labels made of a score's logits."""

    slope: float
    offset: float
    threshold: float
    """The share of supported rows."""
    counts: dict[str, int]
    """How many rows were read, and were supported."""


def fit(logits: Sequence[float], labels: Sequence[bool], score: str) -> Fitted:
    """The calibration of a score, which messages call `score`.

    Raises `BakeoffError` where the labels hold one class only, or disagree with the score.
    """
    counts = Counter(labels)
    if len(counts) < 2:
        raise BakeoffError(
            "calibration needs answers labelled supported and answers labelled unsupported; "
            f"found {counts[True]} and {counts[False]} with a claim in them"
        )
    slope, offset = platt(logits, labels)
    if slope <= 0:
        raise BakeoffError(
            f"these labels do not go with {score}: supported answers score no higher than "
            "the others; check that the labels mean 'supported by the passages'"
        )
    read = {"rows": len(labels), "supported": counts[True]}
    return Fitted(slope, offset, counts[True] / len(labels), read)


def answer_logit(answer: str, evidence: Evidence, model: Model) -> float | None:
    """The uncalibrated evidence for a whole answer; `None` when it makes no claim."""
    statements = claims(answer)
    if not statements:
        return None
    matches, logits = _weighed(statements, evidence, model)
    return pooled(logits, [len(match.content) for match in matches], model.weakest)


def platt(logits: Sequence[float], labels: Sequence[bool]) -> tuple[float, float]:
    """Slope and offset of a logistic curve through labels, by Newton's method.

    Labels are drawn in a little (Platt 1999), so that few, separable rows give finite numbers.
    """
    import numpy as np

    z, y = np.array(logits), np.array(labels)
    target = np.where(y, (y.sum() + 1) / (y.sum() + 2), 1 / ((~y).sum() + 2))
    design = np.stack([z, np.ones_like(z)], axis=1)
    at = np.array([0.0, math.log(y.sum() / (~y).sum())])
    for _ in range(100):
        p = 1 / (1 + np.exp(-np.clip(design @ at, -35, 35)))
        slope = design.T @ (p - target) + 1e-6 * at
        curve = (design * (p * (1 - p))[:, None]).T @ design + 1e-6 * np.eye(2)
        step = np.linalg.solve(curve, slope)
        at = at - step * min(1.0, 5.0 / max(float(np.abs(step).max()), 1e-12))
        if float(np.abs(step).max()) < 1e-9:
            break
    return float(at[0]), float(at[1])
