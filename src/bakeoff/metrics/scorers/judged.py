"""Whole answers, by a judge behind an endpoint: right or wrong, declined, better or worse."""

from __future__ import annotations

from bakeoff.core.words import Answer, Sample, Score
from bakeoff.metrics.needs import Embedding
from bakeoff.metrics.refusals import declines, declining
from bakeoff.metrics.scorer import Context, Outcome, scorer
from bakeoff.metrics.scorers import verdict


@scorer(
    version=2,
    asks="judge",
    made_of=verdict.prompt_digest(verdict.correct, "How heavy?", "9 kilos", ["nine kilos"]),
)
def judged_correct(
    sample: Sample, answer: Answer, context: Context, *, verifier: str = ""
) -> Outcome:
    """1 when a judge finds that it says what an expected answer says; unanswerable: refused."""
    if not sample.answerable:
        return declining(answer, context)
    if declines(answer, context.refusals):
        return Score(0.0, "declined")
    correct, why = verdict.correct(context, verifier, sample.question, answer.text, sample.targets)
    return Score(float(correct), why)


@scorer(version=2, higher_is_better=False, of_failures=False)
def declined(sample: Sample, answer: Answer, context: Context) -> Outcome:
    """1 when the answer declines, by the task's phrases; whether that is right is not asked."""
    return declining(answer, context)


@scorer(
    version=2,
    asks="judge",
    made_of=verdict.prompt_digest(verdict.declined, "How heavy?", "9 kilos"),
    higher_is_better=False,
    of_failures=False,
)
def judged_declined(
    sample: Sample, answer: Answer, context: Context, *, verifier: str = ""
) -> Outcome:
    """1 when a judge finds that the answer declines: where phrases miss a refusal, it differs."""
    if not answer.text.strip():
        return Score(1.0, "an empty answer")
    refused, why = verdict.declined(context, verifier, sample.question, answer.text)
    return Score(float(refused), why)


@scorer(
    version=1,
    asks="judge",
    made_of=verdict.prompt_digest(verdict.better, "How heavy?", "9 kilos", "nine kilos"),
)
def preferred(
    sample: Sample, answer: Answer, context: Context, *, against: str = "", verifier: str = ""
) -> Outcome:
    """1 when a judge prefers it to the answer of setup `against` in both orders; 0.5 is a tie."""
    rival = context.rivals.get(against)
    if rival is None:
        return None
    if rival.text.strip() == answer.text.strip():
        return Score(0.5, "the same answer")
    if not (rival.text.strip() and answer.text.strip()):
        return Score(float(bool(answer.text.strip())), "the other is empty")
    first = verdict.better(context, verifier, sample.question, answer.text, rival.text)
    second = 1 - verdict.better(context, verifier, sample.question, rival.text, answer.text)
    if first != second:
        return Score(
            0.5, f"the judge's choice depends on the order ({first:g} first, {second:g} last)"
        )
    return first


@scorer(version=1, asks="embedder")
def similarity(
    sample: Sample, answer: Answer, context: Context, *, embedder: str = "embedded"
) -> Outcome:
    """Cosine of the answer and the nearest expected one, by an embedder; below 0 counts as 0."""
    if not sample.targets:
        return None
    if not answer.text.strip():
        return Score(0.0, "an empty answer")
    texts = [answer.text, *sample.targets]
    answer_vector, *wanted = context.ask(*(Embedding(embedder, text) for text in texts))
    return min(1.0, max(0.0, *(float(answer_vector @ vector) for vector in wanted)))
