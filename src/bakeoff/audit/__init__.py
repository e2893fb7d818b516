"""What is wrong with a task's rows and documents before any model is asked: counts, and ids."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bakeoff.audit.answers import answers
from bakeoff.audit.finding import Finding, counted
from bakeoff.audit.labels import balance, suspects
from bakeoff.audit.lengths import lengths
from bakeoff.audit.meaning import alike
from bakeoff.audit.repeats import leaks, overlap, solved, within
from bakeoff.core import BakeoffError, Embedder, faults
from bakeoff.data import Task, Unavailable, load_task
from bakeoff.scoring import did_you_mean
from bakeoff.suite import Suite
from bakeoff.taskfile import task_path

__all__ = ["Audit", "Finding", "audit", "audit_all"]


@dataclass(frozen=True)
class Audit:
    """The findings on one task; `leaked` are the test rows that must not count as unseen."""

    rows: str
    """How much was read, in words."""
    findings: tuple[Finding, ...]
    leaked: tuple[str, ...]

    def __getitem__(self, name: str) -> Finding:
        return next(finding for finding in self.findings if finding.name == name)

    def as_json(self) -> dict[str, Any]:
        return {
            "findings": {finding.name: finding.as_json() for finding in self.findings},
            "leaked": list(self.leaked),
        }


def audit(task: Task, suite: Suite, window: int | None = None) -> Audit:
    """The checks that take seconds and load nothing: over all rows, whatever a run's limit is."""
    leaked = leaks(task, suite)
    in_documents = solved(task, task.corpora)
    documents = sum(
        len(found) for name, found in task.corpora.items() if not task.file.corpora[name].examples
    )
    n = len(task.population)
    findings = [
        counted(
            "leak",
            "test questions have a copy in what a setup trains on or reads",
            [f"{test} = {other}" for test, other in leaked.items()],
            n,
            grave=True,
        ),
        *overlap(task),
        counted(
            "solved_in_documents",
            "test questions stand with an answer in a document that is not their gold",
            [f"{test} = {other}" for test, other in in_documents.items()],
            n,
        ),
        *within(task),
        *answers(task),
        *balance(task),
        *lengths(task, suite, window),
    ]
    train = len(task.train) + len(task.left_out)
    rows = f"{n} test rows, {train} training rows, {documents} documents"
    return Audit(rows, tuple(findings), tuple(leaked))


def audit_all(
    suite: Suite,
    path: Path,
    data: Path | None = None,
    *,
    only: str = "",
    window: int | None = None,
    embedder: Embedder | None = None,
) -> tuple[dict[str, Audit], dict[str, str]]:
    """Every check on a benchmark's tasks, and why some tasks could not be read.

    Training rows that repeat test rows are left out, even where a run would be refused. Raises
    `BakeoffError` with the faults of all task files together.
    """
    names = {Path(name).stem: name for name in suite.tasks}
    if only and only not in names:
        raise BakeoffError(f"{path}: no task '{only}'{did_you_mean(only, names)}")
    found: dict[str, Audit] = {}
    skipped: dict[str, str] = {}
    problems: list[str] = []
    for name in [only] if only else names:
        try:
            task = load_task(task_path(names[name], path), data, refuse=False)
        except Unavailable as reason:
            skipped[name] = str(reason)
        except BakeoffError as error:
            problems.append(str(error))
        else:
            found[name] = _deeper(task, suite, window, embedder)
    faults(problems)
    return found, skipped


def _deeper(task: Task, suite: Suite, window: int | None, embedder: Embedder | None) -> Audit:
    cheap = audit(task, suite, window)
    more = [*suspects(task, suite.seed), *(alike(task, embedder) if embedder else [])]
    return Audit(cheap.rows, (*cheap.findings, *more), cheap.leaked)
