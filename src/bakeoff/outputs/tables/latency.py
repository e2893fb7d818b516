"""Seconds: quantiles, parts, and ratios to the first setup."""

from __future__ import annotations

from bakeoff.analysis.comparison import Times
from bakeoff.analysis.measured_run import Run
from bakeoff.core.estimate import Estimate
from bakeoff.core.table import Table, cell, number
from bakeoff.outputs.tables.side_by_side import beyond_noise


def latencies(run: Run) -> Table:
    """The latency pass: quantiles, parts, and ratios to the first setup on the same samples."""
    rows = []
    for task, facts in run.comparison.tasks.items():
        if (timed := facts.latency) is None:
            continue
        for setup, times in timed.setups.items():
            again = setup == next(iter(timed.setups))
            ratio = timed.noise if again else times.ratio
            mark = "*" if not again and beyond_noise(timed, setup) else ""
            twice = " (timed twice)" if again and ratio.value is not None else ""
            text = _ratio(ratio) + mark + twice
            n = f"{times.n} ({times.failed} failed)" if times.failed else str(times.n)
            rows.append((task, setup, "1", n, text, *_times(times)))
        for level, by_setup in timed.loaded.items():
            for setup, under_load in by_setup.items():
                rows.append((task, setup, level, str(under_load.n), "-", *_times(under_load)))
    return Table(
        "Latency",
        (
            *("task", "setup", "at once", "n", "ratio", "p50", "p90", "p95", "p99"),
            *("first token", "per token", "retrieve", "prefill", "decode", "tokens/s"),
        ),
        tuple(rows),
        "One question at a time, setups in turn. Ratio: median over the same questions to the "
        "first setup, 95% interval by order statistics; * outside timing noise (first setup "
        "timed twice per round). Parts are medians; retrieval is not part of the times "
        "at several at once. Ratios compare; seconds are of this machine at that hour.",
    )


def _times(times: Times) -> tuple[str, ...]:
    quantiles = [
        "n too small" if estimate.value is None else cell(estimate, "latency_s")
        for estimate in times.quantiles.values()
    ]
    parts = (times.first_token_s, times.per_token_s, times.retrieve_s, times.prefill_s)
    seconds = [number(value, "latency_s") for value in (*parts, times.decode_s)]
    speed = times.tokens_per_s
    return (*quantiles, *seconds, "-" if speed is None else f"{speed:.0f}")


def _ratio(ratio: Estimate) -> str:
    if ratio.value is None:
        return "-"
    text = f"{ratio.value:.2f}x"
    if not ratio.known:
        return f"{text} (n too small for an interval)"
    low, high = ratio.ends
    return f"{text} [{low:.2f}, {high:.2f}]"
