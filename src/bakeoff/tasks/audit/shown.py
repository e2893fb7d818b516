"""Audits as tables and as JSON."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from bakeoff.core.table import Table

if TYPE_CHECKING:
    from bakeoff.tasks.audit import Audit


def tables(audits: Mapping[str, Audit], skipped: Mapping[str, str]) -> list[Table]:
    """A table for each task, and one of the tasks whose data could not be had."""
    header = ("finding", "count", "of", "what", "first")
    found = [
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
            f"{audit.rows}.",
        )
        for name, audit in audits.items()
    ]
    if skipped:
        found.append(Table("Skipped", ("task", "why"), tuple(skipped.items())))
    return found


def as_json(audits: Mapping[str, Audit], skipped: Mapping[str, str]) -> dict[str, Any]:
    """What `--format json` prints."""
    return {
        "format": 1,
        "tasks": {name: audit.as_json() for name, audit in audits.items()},
        "skipped": dict(skipped),
    }
