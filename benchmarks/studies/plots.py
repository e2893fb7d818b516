"""The plots of docs/validation/gates.md, from the simulations of intervals.py.

    python benchmarks/studies/plots.py [--runs 4000] [--output docs/images]

The same bytes in every run. One core; three minutes.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import intervals
import matplotlib
import numpy as np
from reliability_plot import STYLE

from bakeoff.analysis import stats

matplotlib.use("svg")
import matplotlib.pyplot as plt

matplotlib.rcParams.update(STYLE)
LABELS = {
    "default gate: sign test, margin 0": "bakeoff, default gate",
    "default gate, margin 0.02": "bakeoff, margin 0.02",
    "candidate below baseline": "candidate below baseline",
    "drop above 0.02": "drop above 0.02",
    "unpaired z, one-sided 5%": "unpaired z test",
}
COLOURS = ("#1b6ca8", "#7fb2d9", "#c0392b", "#e59866", "#7d7d7d")


def gates(runs: int, seed: int) -> Any:
    """False failures of identical models, and failures after a drop of five points."""
    figure, axes = plt.subplots(1, 2, figsize=(11, 4.2), layout="constrained")
    titles = ("Identical models: false failures", "True drop of 5 points: found")
    for axis, title, drop in zip(axes, titles, (0.0, 0.05), strict=True):
        rates = intervals.gate_rates(drop, runs, seed)
        for (name, found), colour in zip(rates.items(), COLOURS, strict=True):
            axis.plot(
                intervals.GATE_SIZES,
                [100 * rate for rate in found],
                marker="o",
                color=colour,
                label=LABELS[name],
            )
        axis.set(title=title, xlabel="samples", ylabel="runs that fail (%)", xscale="log")
        axis.set_xticks(intervals.GATE_SIZES, [str(n) for n in intervals.GATE_SIZES])
        axis.minorticks_off()
        axis.set_ylim(0, 101 if drop else 55)
    axes[0].axhline(5, color="black", linewidth=1, linestyle=":")
    axes[0].annotate("5%, promised", (52, 5.8))
    figure.legend(*axes[1].get_legend_handles_labels(), loc="outside lower center", ncols=5)
    return figure


def coverage(runs: int, seed: int) -> Any:
    """How often the default intervals hold the truth, by kind of data."""
    cases = [*intervals.mean_cases(), *intervals.clustered_cases(), *intervals.paired_cases()]
    figure, axis = plt.subplots(figsize=(9, 7), layout="constrained")
    names = []
    for place, case in enumerate(cases):
        name, rule = next((n, r) for n, r in case.rules.items() if n.startswith("default"))
        names.append(case.name)
        only = intervals.Case(case.name, case.draw, case.truth, {name: rule})
        for n, colour in zip(intervals.SIZES, ("#c0392b", "#e59866", "#1b6ca8"), strict=True):
            held, _ = intervals.covered(only, n, runs, seed)[name]
            axis.plot(100 * held, place, "o", color=colour, label=f"n = {n}" if not place else None)
    axis.axvspan(93, 99, color="#1b6ca8", alpha=0.08)
    axis.axvline(95, color="black", linewidth=1, linestyle=":")
    axis.set_yticks(range(len(names)), names)
    axis.invert_yaxis()
    axis.set(xlabel="intervals that hold the truth (%), nominal 95", xlim=(89, 100))
    axis.legend(frameon=False, loc="lower left")
    return figure


def nights(runs: int, seed: int) -> Any:
    """Nights until a step of 0.02 is found, by samples; whiskers are from 10 to 90%."""
    figure, axis = plt.subplots(figsize=(7, 4), layout="constrained")
    sizes = (500, 700, 1000, 2000)
    delays = [_delays(n, runs, seed) for n in sizes]
    axis.boxplot(delays, tick_labels=[str(n) for n in sizes], whis=(10, 90), showfliers=False)
    axis.axhline(6, color="black", linewidth=1, linestyle=":")
    axis.set(
        xlabel="samples of a night",
        ylabel="nights until it is found",
        title="A step of 0.02 after 60 quiet nights",
        ylim=(0, 26),
    )
    return figure


def _delays(n: int, runs: int, seed: int) -> Sequence[float]:
    random = np.random.default_rng([seed, n, 60])
    found = []
    for _ in range(runs):
        series = intervals.night_means(random, 100, n)
        series[60:] -= 0.02
        alarms = (a.night - 59 for a in stats.drift(series) if a.night >= 60)
        found.append(float(next(alarms, 40)))
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=int, default=4000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--output", type=Path, default=Path("docs/images"))
    given = parser.parse_args()
    given.output.mkdir(parents=True, exist_ok=True)
    made = {
        "gates": gates(given.runs, given.seed),
        "coverage": coverage(given.runs, given.seed),
        "nights": nights(given.runs // 8, given.seed),
    }
    for name, figure in made.items():
        figure.savefig(given.output / f"{name}.svg", metadata={"Date": None})


if __name__ == "__main__":
    main()
