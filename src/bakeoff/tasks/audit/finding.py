"""One finding of an audit."""

from __future__ import annotations

from collections.abc import Iterable

from pydantic import Field

from bakeoff.runs.manifest import AuditFinding

FIRST = 5
"""Ids named with a count of them."""


class Finding(AuditFinding):
    """What an audit looked for, and how often it is there."""

    name: str = Field(exclude=True)
    """Not in a manifest: findings are kept under their names."""

    @property
    def warns(self) -> bool:
        """Whether a run warns of it when it starts."""
        return self.grave and self.count > 0

    def __str__(self) -> str:
        more = ", …" if self.count > len(self.first) else ""
        named = f" ({', '.join(self.first)}{more})" if self.first else ""
        note = f"; {self.note}" if self.note else ""
        return f"{self.count} of {self.of} {self.about}{named}{note}"


def counted(
    name: str, about: str, ids: Iterable[str], of: int, *, note: str = "", grave: bool = False
) -> Finding:
    """The finding of these ids, in their order."""
    listed = tuple(ids)
    return Finding(
        name=name,
        about=about,
        count=len(listed),
        of=of,
        first=listed[:FIRST],
        note=note,
        grave=grave,
    )
