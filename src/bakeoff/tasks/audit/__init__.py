"""What is wrong with a task's rows and documents before any model is asked: counts, and ids."""

from __future__ import annotations

from dataclasses import dataclass

from bakeoff.core.counts import quantity
from bakeoff.runs.manifest import AuditFacts
from bakeoff.spec.benchmark import Suite
from bakeoff.tasks.audit.answers import answers
from bakeoff.tasks.audit.duplicates import leaks, overlap, solved, within
from bakeoff.tasks.audit.finding import Finding, counted
from bakeoff.tasks.audit.forms import forms
from bakeoff.tasks.audit.labels import balance
from bakeoff.tasks.audit.lengths import lengths
from bakeoff.tasks.documents import with_text
from bakeoff.tasks.load import Task

__all__ = ["Audit", "Finding", "audit"]


@dataclass(frozen=True)
class Audit:
    """The findings on one task; `leaked` are the test rows that must not count as unseen."""

    rows: str
    """How much was read, in words."""
    notes: tuple[str, ...]
    """What reading had to guess, and what it left out."""
    findings: tuple[Finding, ...]
    leaked: tuple[str, ...]

    def __getitem__(self, name: str) -> Finding:
        return next(finding for finding in self.findings if finding.name == name)

    @property
    def facts(self) -> AuditFacts:
        """As a manifest keeps them."""
        findings = {finding.name: finding for finding in self.findings}
        return AuditFacts(findings=findings, leaked=self.leaked)


def audit(task: Task, suite: Suite, window: int | None = None) -> Audit:
    """The checks that take seconds and load nothing: over all rows, whatever a run's limit is."""
    leaked = leaks(task, suite)
    in_documents = solved(task, task.corpora)
    documents = sum(
        len(with_text(corpus))
        for name, corpus in task.corpora.items()
        if not task.file.corpora[name].examples
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
            "test questions appear with an answer in a document other than their gold",
            [f"{test} = {other}" for test, other in in_documents.items()],
            n,
        ),
        *within(task),
        *answers(task),
        *forms(task),
        *balance(task),
        *lengths(task, suite, window),
    ]
    train = len(task.train) + len(task.left_out)
    rows = ", ".join(
        (
            quantity(n, "test row"),
            quantity(train, "training row"),
            quantity(documents, "document"),
        )
    )
    return Audit(rows, task.notes, tuple(findings), tuple(leaked))
