"""House formats: the task's `rules`, each a name and one condition on the answer."""

from __future__ import annotations

import re

from bakeoff.core.scripts import words
from bakeoff.core.words import Answer, BakeoffError, Sample, Score
from bakeoff.metrics.scorer import Context, Outcome, scorer
from bakeoff.spec.task import Rule

_FIELD = re.compile(r"<(\w+)>")


def _filled(pattern: str, sample: Sample) -> str:
    """The pattern with `<field>` replaced by the sample's own text, escaped."""

    def value(match: re.Match[str]) -> str:
        if match[1] not in sample.fields:
            raise BakeoffError(f"rules: sample '{sample.id}' has no field '{match[1]}'")
        return re.escape(sample.fields[match[1]])

    return _FIELD.sub(value, pattern)


def holds(rule: Rule, sample: Sample, text: str) -> bool:
    """Whether an answer keeps a rule."""
    if rule.match is not None:
        return re.search(_filled(rule.match, sample), text) is not None
    if rule.forbid is not None:
        return re.search(_filled(rule.forbid, sample), text) is None
    assert rule.words
    least, most = rule.words
    return least <= len(words(text)) <= most


@scorer(version=2)
def rules_kept(sample: Sample, answer: Answer, context: Context) -> Outcome:
    """Share of the task's `rules` that the answer keeps."""
    broken = [r.name for r in context.rules if not holds(r, sample, answer.text)]
    share = 1 - len(broken) / max(1, len(context.rules))
    return Score(share, f"broken: {', '.join(broken)}" if broken else "")


@scorer(version=2)
def all_rules_kept(sample: Sample, answer: Answer, context: Context) -> Outcome:
    """1 when the answer keeps every rule of the task."""
    return all(holds(r, sample, answer.text) for r in context.rules)
