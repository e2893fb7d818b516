"""Tables as a terminal of 60, 80 and 120 columns and a pipe show them, in tests/golden/tables.txt.

python tests/golden_tables.py     stores the tables of today
"""

from __future__ import annotations

from pathlib import Path

from bakeoff.core.estimate import Difference, Estimate
from bakeoff.core.layout import laid_out, line_text
from bakeoff.core.table import Table, cell, number, signed_cell

KEPT = Path(__file__).parent / "golden" / "tables.txt"
WIDTHS = (60, 80, 120, None)
_SETUPS = ("base", "fine-tuned", "rag", "hybrid", *(f"rag-{k}-passages" for k in range(5, 15)))


def _estimate(place: int, size: float = 1.0) -> Estimate:
    value = (place + 1) / 20
    return Estimate(size * value, size * (value - 0.04), size * (value + 0.05), n=1000)


def _scores(setups: int) -> Table:
    """A headline table of so many setups."""
    rows = [
        (task, metric, "1000", *(cell(_estimate(n, size), metric, "*^") for n in range(setups)))
        for task, metric, size in (
            ("handbook_qa", "contains", 1.0),
            ("handbook_qa", "latency_s", 0.5),
            ("handbook_qa", "prompt_tokens", 800.0),
        )
    ]
    note = "95% confidence intervals in brackets; * significantly different from base."
    return Table("handbook, run 2026", ("task", "metric", "n", *_SETUPS[:setups]), (*rows,), note)


_GAP = signed_cell(Difference(-0.0001, -0.02, 0.019), "contains")
GATES = Table(
    "Gates",
    ("verdict", "gate", "evidence"),
    (
        (
            "FAIL",
            "hybrid.handbook_qa.contains >= rag.handbook_qa.contains - 0.02 (refute)",
            f"0.610 against 0.690, gap {_GAP}; significant violation (p = 0.003); n = 1000",
        ),
        ("PASS", "p90(rag.latency_s) <= 0.9", f"{number(0.717, 'latency_s')}; 日本語の評価"),
    ),
    "FAIL (exit code 10).",
)


def tables() -> str:
    """Every table at every width, each under a line that names the width."""
    parts = []
    for table in (_scores(4), _scores(14), GATES):
        for width in WIDTHS:
            lines = "\n".join(line_text(line) for line in laid_out(table, width))
            parts.append(f"== {width or 'pipe'}\n{lines}\n")
    return "\n".join(parts)


if __name__ == "__main__":
    KEPT.write_text(tables(), encoding="utf-8")
