"""Where an answer's claims come from: each is in its context or not, and right or not.

The four shares add up to 1 for every answer. The idea is RAGChecker's (Ru et al. 2024); right here
means supported by the gold documents or by an expected answer. An answer without passages has an
empty context, so the shares exist for every setup.
"""

from __future__ import annotations

from bakeoff.core.counts import quantity
from bakeoff.core.words import SUPPORTED, Answer, Checked, CheckedClaim, Sample, Score
from bakeoff.metrics.scorer import Context, Outcome, scorer
from bakeoff.metrics.scorers.support import claims_of, decided_by


def _share(
    sample: Sample, answer: Answer, context: Context, verifier: str, *, inside: bool, right: bool
) -> Score | None:
    """Share of claims that are in the context or not (`inside`), and right or not."""
    if not sample.targets:
        return None
    expected = [f"{sample.question} {target}" for target in sample.targets]
    truth = claims_of(sample, answer, context, verifier, [*context.gold(sample), *expected])
    if isinstance(truth, Score):
        return truth
    shown = [passage.text for passage in answer.passages]
    seen = claims_of(sample, answer, context, verifier, shown) if shown else Checked()
    assert isinstance(seen, Checked)
    known = seen.claims or (None,) * len(truth.claims)
    mine = [
        claim
        for claim, beside in zip(truth.claims, known, strict=True)
        if _supported(claim) == right and _supported(beside) == inside
    ]
    reason = f"{len(mine)} of {quantity(len(truth.claims), 'claim')}" + (
        f": {mine[0].text}" if mine else ""
    )
    return Score(len(mine) / len(truth.claims), reason, claims=tuple(mine))


def _supported(claim: CheckedClaim | None) -> bool:
    return claim is not None and claim.verdict == SUPPORTED


@scorer(version=5, asks="verifier", made_of=decided_by)
def claims_grounded_correct(
    sample: Sample, answer: Answer, context: Context, *, verifier: str = ""
) -> Outcome:
    """Share of the claims that are correct and in the context."""
    return _share(sample, answer, context, verifier, inside=True, right=True)


@scorer(version=5, asks="verifier", made_of=decided_by)
def self_knowledge(
    sample: Sample, answer: Answer, context: Context, *, verifier: str = ""
) -> Outcome:
    """Share of the claims that are correct and not in the context."""
    return _share(sample, answer, context, verifier, inside=False, right=True)


@scorer(version=5, asks="verifier", made_of=decided_by, higher_is_better=False)
def noise_sensitivity(
    sample: Sample, answer: Answer, context: Context, *, verifier: str = ""
) -> Outcome:
    """Share of the claims that are wrong and in the context."""
    return _share(sample, answer, context, verifier, inside=True, right=False)


@scorer(version=5, asks="verifier", made_of=decided_by, higher_is_better=False)
def hallucination(
    sample: Sample, answer: Answer, context: Context, *, verifier: str = ""
) -> Outcome:
    """Share of the claims that are wrong and not in the context."""
    return _share(sample, answer, context, verifier, inside=False, right=False)
