"""What must be known of a metric before its values can be compared."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

LATENCY_METRICS = ("latency_s", "retrieve_s", "ttft_s", "decode_s")
"""Seconds per answer, from the latency pass."""
TOKEN_METRICS = ("prompt_tokens", "context_tokens", "completion_tokens")
MEASURED = ("error", "cut", "leak", "cost", *TOKEN_METRICS, *LATENCY_METRICS)
"""Columns every run has, beside the scorers a task names."""
Bounds = tuple[float, float]
"""The smallest and the largest value there can be."""


@dataclass(frozen=True)
class Measure:
    """Which way a metric is good, how its values are summed up, and where they end."""

    higher_is_better: bool = True
    aggregate: str = "mean"
    """`mean`, `median` (times), or `macro_f1` for values that carry label pairs."""
    bounds: Bounds | None = (0.0, 1.0)
    """The smallest and the largest value that can occur; `None` where nothing bounds them."""


MEASURES: Mapping[str, Measure] = {
    **dict.fromkeys(("error", "cut", "leak"), Measure(higher_is_better=False)),
    **dict.fromkeys((*TOKEN_METRICS, "cost"), Measure(higher_is_better=False, bounds=None)),
    **dict.fromkeys(LATENCY_METRICS, Measure(False, "median", None)),
}
"""The columns that every run has."""
