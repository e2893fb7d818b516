"""The labels of a task: how often each occurs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from bakeoff.core.words import Sample
from bakeoff.tasks.audit.finding import Finding, counted
from bakeoff.tasks.load import Task


def balance(task: Task) -> list[Finding]:
    """Labels without rows, the commonest label's share, and what always saying it would score."""
    if not task.file.labels:
        return []
    findings = []
    for name, side, rows in (
        ("test", "test", task.population),
        ("train", "training", training_rows(task)),
    ):
        if rows:
            findings += _shares(name, side, rows, task.file.labels)
    rows = training_rows(task) or list(task.population)
    common = _common(rows)
    hits = [s.id for s in task.population if common in s.targets]
    where = "training" if task.train else "test"
    about = f"test rows are correct by always answering '{common}', the most frequent {where} label"
    return [
        *findings,
        counted("majority", about, hits, len(task.population), note=_share(hits, task)),
    ]


def _share(hits: Sequence[str], task: Task) -> str:
    return f"accuracy {len(hits) / len(task.population):.3f}"


def training_rows(task: Task) -> list[Sample]:
    """Those that are used and those left out."""
    return [*task.train, *task.left_out]


def _common(rows: Sequence[Sample]) -> str:
    counts = Counter(s.targets[0] for s in rows if s.targets)
    return min(counts, key=lambda label: (-counts[label], label)) if counts else ""


def _shares(name: str, side: str, rows: Sequence[Sample], labels: Sequence[str]) -> list[Finding]:
    counts = Counter(s.targets[0] for s in rows if s.targets)
    ranked = sorted(labels, key=lambda label: (-counts[label], label))
    most, least = ranked[0], ranked[-1]
    note = f"commonest {most} {counts[most]} ({counts[most] / len(rows):.1%}), rarest " + (
        f"{least} {counts[least]} ({counts[least] / len(rows):.1%})"
    )
    absent = [label for label in labels if not counts[label]]
    about = f"labels have no {side} row"
    return [counted(f"labels_absent_{name}", about, absent, len(labels), note=note)]
