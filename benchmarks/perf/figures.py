"""Measured figures as a table: what `bench.py` keeps and the documents show."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Table:
    """Rows of texts under a header. A ratio ends in ` x`: other machines should show it, too."""

    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]

    @classmethod
    def of(cls, header: Sequence[str], rows: Iterable[Sequence[object]]) -> Table:
        return cls(tuple(header), tuple(tuple(map(shown, row)) for row in rows))

    def markdown(self) -> str:
        numeric = [
            all(row[place][:1].isdigit() or row[place] in ("", "-") for row in self.rows)
            for place in range(len(self.header))
        ]
        lines = [self.header, tuple("---:" if right else ":---" for right in numeric), *self.rows]
        return "\n".join(f"| {' | '.join(line)} |" for line in lines)

    def ratios(self) -> dict[str, float]:
        """Where each ratio stands -> the ratio."""
        return {
            f"{' '.join(part for part in row[:2] if not part.endswith(' x'))}: {title}": float(
                cell.removesuffix(" x")
            )
            for row in self.rows
            for title, cell in zip(self.header, row, strict=True)
            if cell.endswith(" x")
        }


def ratio(over: float, under: float) -> str:
    """How many times one is the other, as a cell."""
    return f"{over / under:.2f} x"


def shown(value: object) -> str:
    """A number in few digits; texts as they are."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return str(value)
    if isinstance(value, int) or abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{value:.2f}"
