"""The plot of docs/scorers/support.md: what the support score says, and what people found."""

from __future__ import annotations

from pathlib import Path

import matplotlib
import numpy as np
from faithfulness_pool import KINDS, SEED, SETS, Labels

matplotlib.use("svg")
import matplotlib.pyplot as plt

BINS = 10
FEWEST = 40
"""Answers of a kind in a bin that is drawn."""
DRAWS = 400
COLOURS = ("#1b6ca8", "#c0392b", "#e59866", "#2e8b57", "#8e6bbf", "#7d7d7d", "#b8860b")
STYLE = {
    "svg.hashsalt": "bakeoff",
    "figure.facecolor": "white",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "grid.alpha": 0.3,
    "font.size": 11,
}


def plot(probability: np.ndarray, weight: np.ndarray, labels: Labels, file: Path) -> None:
    """Draw the share supported over the probability, of all sets and by kind; the same bytes in
    every run. Bars: 95% by bootstrap over sources."""
    every = np.flatnonzero(np.isin(labels.data, SETS))
    with matplotlib.rc_context(STYLE):
        figure, axis = plt.subplots(figsize=(7, 6), layout="constrained")
        axis.plot([0, 1], [0, 1], color="black", linewidth=1, linestyle=":")
        for (kind, sets), colour in zip(KINDS.items(), COLOURS, strict=True):
            rows = np.flatnonzero(np.isin(labels.data, sets))
            said, share = _bins(probability[rows], weight[rows], labels.good[rows], FEWEST)
            axis.plot(said, share, color=colour, linewidth=1, marker=".", label=kind)
        said, share = _bins(probability[every], weight[every], labels.good[every], FEWEST)
        low, high = _ends(probability[every], weight[every], labels, every)
        known = ~np.isnan(share)
        bars = [(share - low)[known], (high - share)[known]]
        axis.errorbar(
            said[known],
            share[known],
            bars,
            color="black",
            marker="o",
            linewidth=2,
            label="all sets",
        )
        axis.set(
            xlabel="probability of the support score, on sets left out",
            ylabel="share that people found supported",
            xlim=(0, 1),
            ylim=(0, 1),
        )
        axis.legend(frameon=False, loc="upper left")
        file.parent.mkdir(parents=True, exist_ok=True)
        figure.savefig(file, metadata={"Date": None})


def _bins(
    probability: np.ndarray, weight: np.ndarray, good: np.ndarray, fewest: int
) -> tuple[np.ndarray, np.ndarray]:
    """Mean probability and share supported in each bin; nan in bins with too few answers."""
    place = np.minimum((probability * BINS).astype(int), BINS - 1)
    total = np.bincount(place, weight, BINS)
    few = np.bincount(place, minlength=BINS) < fewest
    total[few] = np.nan
    total[total == 0] = np.nan
    said = np.bincount(place, weight * probability, BINS) / total
    return said, np.bincount(place, weight * good, BINS) / total


def _ends(
    probability: np.ndarray, weight: np.ndarray, labels: Labels, rows: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    names = np.char.add(
        np.char.add(labels.data[rows].astype(str), "/"), labels.source[rows].astype(str)
    )
    codes = np.unique(names, return_inverse=True)[1]
    chance = np.random.default_rng(SEED)
    shares = []
    for _ in range(DRAWS):
        times = np.bincount(
            chance.integers(codes.max() + 1, size=codes.max() + 1), minlength=codes.max() + 1
        )
        shares.append(_bins(probability, weight * times[codes], labels.good[rows], 0)[1])
    low, high = np.nanpercentile(shares, [2.5, 97.5], axis=0)
    return low, high
