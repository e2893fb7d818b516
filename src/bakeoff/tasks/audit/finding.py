"""One thing an audit looked for, and how often it is there."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from bakeoff.runs.manifest import AuditFinding

FIRST = 5
"""Ids named with a count of them."""


@dataclass(frozen=True, slots=True)
class Finding:
    """A count of rows or documents, of how many, and the first of them."""

    name: str
    about: str
    """What is counted, in words."""
    count: int
    of: int
    first: tuple[str, ...] = ()
    note: str = ""
    """What else must be known to read it."""
    grave: bool = False
    """Whether a run's numbers are wrong or doubtful where the count is above 0."""

    @property
    def warns(self) -> bool:
        """Whether a run warns of it when it starts."""
        return self.grave and self.count > 0

    def __str__(self) -> str:
        more = ", …" if self.count > len(self.first) else ""
        named = f" ({', '.join(self.first)}{more})" if self.first else ""
        note = f"; {self.note}" if self.note else ""
        return f"{self.count} of {self.of} {self.about}{named}{note}"

    @property
    def facts(self) -> AuditFinding:
        """As a manifest keeps it, under its name."""
        return AuditFinding(
            about=self.about,
            count=self.count,
            of=self.of,
            first=self.first,
            note=self.note,
            grave=self.grave,
        )


def counted(
    name: str, about: str, ids: Iterable[str], of: int, *, note: str = "", grave: bool = False
) -> Finding:
    """The finding of these ids, in their order."""
    listed = tuple(ids)
    return Finding(name, about, len(listed), of, listed[:FIRST], note, grave)
