"""Targets that a task's metrics cannot compare with."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from bakeoff.core.strict_json import loads
from bakeoff.core.words import Sample
from bakeoff.spec.metric import Metric

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
