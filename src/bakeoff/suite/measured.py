"""Names of the columns that every run has, beside the scorers that a task names."""

from __future__ import annotations

LATENCY_METRICS = ("latency_s", "retrieve_s", "ttft_s", "decode_s")
"""Seconds per answer, from the latency pass."""
TOKEN_METRICS = ("prompt_tokens", "context_tokens", "completion_tokens")
MEASURED = ("error", "leak", "cost", *TOKEN_METRICS, *LATENCY_METRICS)
"""Columns every run has, beside the scorers a task names."""
