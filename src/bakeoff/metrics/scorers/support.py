"""Faithfulness: how far the passages that should carry an answer do, claim by claim.

`verifier` names what checks the claims: a verifier model of this machine (a folder, `hf:ORG/NAME`
or a name of the benchmark's `verifiers`) or a judge behind an endpoint (NAME:MODEL). Without it, or
with a `.json` file of calibrated probabilities, it is the support score, which needs no model.
Agreement with human labels: docs/scorers/.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache
from pathlib import Path

from bakeoff.core.words import SUPPORTED, Answer, BakeoffError, Checked, CheckedClaim, Sample, Score
from bakeoff.metrics import lexical
from bakeoff.metrics.needs import Entailment
from bakeoff.metrics.refusals import declines
from bakeoff.metrics.scorer import Context, Outcome, scorer
from bakeoff.metrics.scorers import verdict
from bakeoff.metrics.support import (
    ClaimSupport,
    Evidence,
    Model,
    Support,
    shipped_digest,
    shipped_model,
    support,
)
from bakeoff.spec.metric import Metric, behind_endpoint

NAMED = 8
"""Words named as the reason of a score."""


NO_CLAIM = Score(None, "the answer makes no claim", applies=False)
"""Of a refusal, and of answers such as "Yes."."""


@lru_cache(maxsize=1024)
def evidence_of(passages: tuple[str, ...]) -> Evidence:
    """Passages read once: setups and repeats are judged by the same ones."""
    return Evidence.of(passages)


def checked(
    context: Context, verifier: str, question: str, answer: str, passages: Sequence[str]
) -> Checked:
    """The claims of an answer checked against passages, by what `verifier` names.

    Raises `Unjudged` when a model was asked and gave no verdict.
    """
    if not verifier or verifier.endswith(".json"):
        model = calibrated(context.folder / verifier) if verifier else shipped_model()
        return _scored(question, answer, tuple(passages), model)
    if behind_endpoint(verifier):
        return verdict.verdicts(context, verifier, question, answer, passages)
    (judged,) = context.ask(Entailment(verifier, question, answer, tuple(passages)))
    assert isinstance(judged, Checked)
    return judged


_prompt = verdict.prompt_digest(
    verdict.verdicts, "How heavy?", "It weighs 9 kilos.", ["It weighs 9 kilos."]
)


def decided_by(metric: Metric) -> Mapping[str, str]:
    """What `checked` goes by beside the code: the support model, or what a judge is told."""
    if not metric.judge:
        return {"support_model": shipped_digest()}
    return _prompt(metric) if metric.asks_model and behind_endpoint(metric.judge) else {}


def calibrated(path: Path) -> Model | lexical.Model:
    """The model that `bakeoff scorers calibrate` wrote. Raises `BakeoffError` when it is none."""
    try:
        return _parsed(path.read_text(encoding="utf-8"))
    except (BakeoffError, ValueError) as error:
        raise BakeoffError(f"{path}: {error}") from error


# By its text: a file may be calibrated anew while the program runs.
@lru_cache(maxsize=8)
def _parsed(text: str) -> Model | lexical.Model:
    """Files of before the support score hold the lexical model."""
    return lexical.Model.parse(text) if '"coefficients"' in text else Model.parse(text)


def _scored(
    question: str, answer: str, passages: tuple[str, ...], model: Model | lexical.Model
) -> Checked:
    if isinstance(model, lexical.Model):
        return _checked(lexical.support(answer, _lexical_evidence(passages), model))
    return _checked(support(answer, evidence_of(passages), model, question))


@lru_cache(maxsize=1024)
def _lexical_evidence(passages: tuple[str, ...]) -> lexical.Evidence:
    return lexical.Evidence.of(passages)


def _checked(judged: Support) -> Checked:
    return Checked(tuple(map(_claim, judged.claims)), judged.probability)


def _claim(judged: ClaimSupport) -> CheckedClaim:
    missing = (*judged.numbers, *judged.names, *judged.words)
    return CheckedClaim(
        judged.claim.text,
        judged.verdict,
        round(judged.probability, 4),
        judged.passage,
        judged.claim.start,
        tuple(dict.fromkeys(missing)),
    )


def claims_of(
    sample: Sample, answer: Answer, context: Context, verifier: str, passages: Sequence[str]
) -> Checked | Score:
    """The answer's claims, checked; or why there are none to check."""
    if declines(answer, context.refusals):
        return NO_CLAIM
    judged = checked(context, verifier, sample.question, answer.text, passages)
    return judged if judged.claims else NO_CLAIM


def _score(judged: Checked | Score, share: bool) -> Score:
    if isinstance(judged, Score):
        return judged
    value = judged.share if share or judged.probability is None else judged.probability
    return Score(value, _reason(judged.claims), claims=judged.claims)


def _reason(claims: Sequence[CheckedClaim]) -> str:
    missing = dict.fromkeys(word for claim in claims for word in claim.missing)
    if missing:
        return f"not found: {', '.join(list(missing)[:NAMED])}"
    unsupported = [f"{c.verdict}: {c.text}" for c in claims if c.verdict != SUPPORTED]
    return unsupported[0] if unsupported else ""


@scorer(version=6, asks="verifier", made_of=decided_by)
def faithfulness(
    sample: Sample, answer: Answer, context: Context, *, verifier: str = "", share: bool = False
) -> Outcome:
    """Probability (`share`: of claims) that the retrieved passages support it; no refusals."""
    if not answer.open_book:
        return None
    passages = [p.text for p in answer.passages]
    return _score(claims_of(sample, answer, context, verifier, passages), share)


@scorer(version=6, asks="verifier", made_of=decided_by)
def support_gold(
    sample: Sample, answer: Answer, context: Context, *, verifier: str = "", share: bool = False
) -> Outcome:
    """Probability (`share`: of claims) that the gold documents support it; no refusals."""
    if not sample.gold:
        return None
    return _score(claims_of(sample, answer, context, verifier, context.gold(sample)), share)


@scorer(version=1, made_of=lambda _: {"lexical_model": lexical.shipped_digest()})
def support_lexical(
    sample: Sample, answer: Answer, context: Context, *, share: bool = False
) -> Outcome:
    """Probability (`share`: of claims) of support by counted words alone, as a baseline."""
    if not answer.open_book:
        return None
    if declines(answer, context.refusals):
        return NO_CLAIM
    passages = tuple([passage.text for passage in answer.passages])
    judged = _scored("", answer.text, passages, lexical.shipped_model())
    return _score(judged if judged.claims else NO_CLAIM, share)
