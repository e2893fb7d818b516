"""Targets and labels that a task's metrics cannot compare with, or cannot tell apart."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from bakeoff.core.strict_json import loads
from bakeoff.core.words import Sample
from bakeoff.metrics.forms import SQUAD, squad, strict
from bakeoff.metrics.scorers.labels import alike
from bakeoff.spec.metric import Metric

BY_TEXT = ("exact_match", "token_f1", "contains", "crag", "selective_accuracy")
"""Metrics that compare normalised texts."""
BY_NORMALIZATION = (*BY_TEXT, "answer_in_context", "stale_answer")
"""Metrics that a task's `normalization` decides about."""
BY_FIELD = ("field_f1", "exact_json")
"""Metrics that compare JSON values."""


def unreadable_targets(
    path: Path, samples: Sequence[Sample], metrics: Iterable[Metric]
) -> Iterator[str]:
    """Targets that are no JSON, where a metric compares JSON."""
    named = [metric.name for metric in metrics if metric.name in BY_FIELD]
    if not named:
        return
    for sample in samples:
        for target in sample.targets:
            try:
                loads(target)
            except ValueError as error:
                place = f"{path}: test row '{sample.id}'"
                yield f"{place}: targets: no JSON, as {named[0]} needs: {error}"


def unclear_labels(path: Path, labels: Sequence[str]) -> Iterator[str]:
    """Labels that differ in case or separators alone: no answer could tell which one is meant."""
    for one, other in alike(labels):
        yield f"{path}: labels: '{one}' and '{other}' differ in case or separators alone"


def compares_texts(metrics: Iterable[Metric]) -> bool:
    """Whether a metric goes by the task's normalization: a task made for it has the strict one.

    SQuAD's, the default of a task file, would take 19 litres for 1.9 litres.
    """
    return any(
        metric.name in BY_NORMALIZATION and not metric.setting("normalization")
        for metric in metrics
    )


def alike_in_squad(
    samples: Sequence[Sample], metrics: Iterable[Metric], normalization: str
) -> list[str]:
    """Ids of samples with a target that SQuAD's form takes for another sample's.

    Each with the two targets: `q2 ('15' = '1.5')`. None where no metric compares in that form,
    be it by its own setting or by the task's.
    """
    by_text = [metric for metric in metrics if metric.name in BY_TEXT]
    if SQUAD not in {metric.setting("normalization") or normalization for metric in by_text}:
        return []
    targets = [
        (sample, target, squad(target), strict(target))
        for sample in samples
        for target in sample.targets
    ]
    known: defaultdict[str, dict[str, str]] = defaultdict(dict)
    for _, target, loose, exact in targets:
        # Of what nothing is left in SQuAD's form, the strict one is compared.
        known[loose or exact].setdefault(exact, target)
    return [
        f"{sample.id} ({target!r} = {other!r})"
        for sample, target, loose, exact in targets
        for form, other in known[loose or exact].items()
        if form != exact and other not in sample.targets
    ]
