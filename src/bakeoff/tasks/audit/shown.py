"""Audits as tables and as JSON."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Literal

from bakeoff.core.table import Table
from bakeoff.runs.manifest import AuditFacts
from bakeoff.spec.yaml_files import Stored

if TYPE_CHECKING:
    from bakeoff.tasks.audit import Audit


def tables(audits: Mapping[str, Audit], skipped: Mapping[str, str]) -> list[Table]:
    """A table for each task, and one of the tasks whose data could not be had."""
    header = ("finding", "count", "of", "what", "first")
    sections = [
        Table(
            name,
            header,
            tuple(
                (
                    finding.name,
                    str(finding.count),
                    str(finding.of),
                    finding.about + (f" ({finding.note})" if finding.note else ""),
                    ", ".join(finding.first),
                )
                for finding in audit.findings
            ),
            "\n".join((f"{audit.rows}.", *audit.notes)),
        )
        for name, audit in audits.items()
    ]
    if skipped:
        sections.append(Table("Skipped", ("task", "why"), tuple(skipped.items())))
    return sections


class Audits(Stored):
    """What `--format json` prints."""

    format: Literal[1] = 1
    tasks: Mapping[str, AuditFacts]
    skipped: Mapping[str, str]
    """Task whose data could not be had -> why."""


def as_stored(audits: Mapping[str, Audit], skipped: Mapping[str, str]) -> Audits:
    """The audits as facts."""
    return Audits(tasks={name: audit.facts for name, audit in audits.items()}, skipped=skipped)
