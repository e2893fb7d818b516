"""How the replies of each setup ended, and why answers failed: counted as records are read."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass, field

from bakeoff.analysis.comparison import Ended, Reason
from bakeoff.core.words import QUALITY, Record

REASONS, CHARACTERS = 10, 200
"""Reasons of failures kept of a setup, and characters of one."""
_NUMBER = re.compile(r"\d+")


@dataclass
class Endings:
    """Counts of the quality pass, by task and setup."""

    reasons: dict[tuple[str, str], Counter[str]] = field(default_factory=dict)
    failures: dict[tuple[str, str], dict[str, list[str]]] = field(default_factory=dict)

    def add(self, record: Record) -> None:
        """Count a record."""
        if record.phase != QUALITY:
            return
        cell = (record.task, record.setup)
        if reason := record.outcome.finish_reason:
            self.reasons.setdefault(cell, Counter())[reason] += 1
        if record.error is not None:
            # Reasons that differ in numbers alone, such as tokens of a prompt, are one.
            alike = _NUMBER.sub("0", record.error)
            self.failures.setdefault(cell, {}).setdefault(alike, []).append(record.error)

    def of(self, task: str, setup: str) -> Ended:
        """What was counted of a setup on a task."""
        groups = self.failures.get((task, setup), {}).values()
        failures = sorted(groups, key=lambda texts: (-len(texts), texts[0]))
        return Ended(
            dict(self.reasons.get((task, setup), Counter()).most_common()),
            tuple(Reason(texts[0][:CHARACTERS], len(texts)) for texts in failures[:REASONS]),
        )
