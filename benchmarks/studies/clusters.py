"""Do intervals and gates of times and of macro-F1 keep their promise where samples share documents?

    python benchmarks/studies/clusters.py [coverage] [gates] [power] [--runs 2000]
        [--rows p50 p90] [--worlds "8 a document"] [--sizes 50 100]

Prints Markdown, of which docs/validation/gates.md has the tables. One core; half an hour.
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import NormalDist
from typing import TypeVar

import numpy as np
from intervals import ALPHA, Random, macro_f1

from bakeoff.analysis import stats
from bakeoff.analysis.stats import RATE, Floats, Ints

T = TypeVar("T")
SIZES = (50, 100, 200)
SPREAD, OWN = 0.5, 0.3
"""Standard deviations of the logarithm of seconds: of the question, and of setup and question."""


@dataclass(frozen=True)
class World:
    """Samples of documents: how many share one on average, and how much of the variance."""

    size: int
    shared: float

    def __str__(self) -> str:
        return f"{self.size} a document, {self.shared:.0%} shared"

    def clusters(self, random: Random, n: int) -> Ints:
        sizes = 1 + random.poisson(self.size - 1, n)
        return np.repeat(np.arange(n), sizes)[:n]

    def normal(self, random: Random, clusters: Ints) -> Floats:
        """Standard normal values, `shared` of whose variance is their document's."""
        n = len(clusters)
        own = math.sqrt(1 - self.shared) * random.normal(size=n)
        found: Floats = math.sqrt(self.shared) * random.normal(size=n)[clusters] + own
        return found

    def seconds(self, random: Random, n: int) -> tuple[Floats, Floats, Ints]:
        """The seconds of two setups that are equally fast, and the documents."""
        clusters = self.clusters(random, n)
        question = SPREAD * self.normal(random, clusters)
        one, two = (
            np.exp(question + OWN * self.normal(random, clusters)) for _ in ("left", "right")
        )
        return one, two, clusters

    def labels(self, random: Random, n: int) -> tuple[Floats, Ints]:
        """Features of macro-F1 over four labels, of which a document has mostly one, 70% right."""
        clusters = self.clusters(random, n)
        ones = np.eye(4)
        mine = random.integers(0, 4, n)[clusters]
        expected = np.where(random.random(n) < 0.5, mine, random.integers(0, 4, n))
        right = self.normal(random, clusters) < NormalDist().inv_cdf(0.7)
        predicted = np.where(right, expected, random.integers(0, 4, n))
        hits = ones[expected] * ones[predicted]
        return np.hstack([hits, ones[expected], ones[predicted]]), clusters


WORLDS = (World(4, 0.3), World(4, 0.7), World(8, 0.3))


def truth_of_seconds(share: float | None) -> float:
    """The quantile of the seconds, or their mean."""
    spread = math.hypot(SPREAD, OWN)
    if share is None:
        return math.exp(spread**2 / 2)
    return math.exp(spread * NormalDist().inv_cdf(share))


def truth_of_labels(world: World) -> float:
    features, _ = world.labels(np.random.default_rng(1), 2_000_000)
    return float(macro_f1(features.sum(axis=0, keepdims=True))[0])


Holds = Callable[[Random, int], tuple[bool, bool]]
"""(random, samples) -> whether the interval, clusters counted and ignored, holds the truth."""


def of_seconds(world: World, share: float | None) -> Holds:
    truth = truth_of_seconds(share)

    def held(random: Random, n: int) -> tuple[bool, bool]:
        values, _, clusters = world.seconds(random, n)
        ends = [
            (
                stats.mean_interval(values, codes)
                if share is None
                else stats.quantile_interval(values, share, codes)
            ).ends
            for codes in (clusters, None)
        ]
        one, two = (low <= truth <= high for low, high in ends)
        return one, two

    return held


def of_labels(world: World) -> Holds:
    truth = truth_of_labels(world)

    def held(random: Random, n: int) -> tuple[bool, bool]:
        features, clusters = world.labels(random, n)
        ends = [
            stats.statistic_interval(features, macro_f1, codes, bounds=RATE).ends
            for codes in (clusters, None)
        ]
        one, two = (low <= truth <= high for low, high in ends)
        return one, two

    return held


def chosen(cases: dict[str, T], rows: Sequence[str]) -> list[tuple[str, T]]:
    """The cases whose name holds one of `rows`; all without any."""
    return [(n, case) for n, case in cases.items() if not rows or any(r in n for r in rows)]


@dataclass(frozen=True)
class Table:
    """What of the tables is simulated, and how often."""

    runs: int
    seed: int
    rows: Sequence[str]
    worlds: Sequence[World]
    sizes: Sequence[int]

    def print_head(self, title: str, columns: str) -> None:
        heads = " | ".join(f"n = {n}" for n in self.sizes)
        print(f"\n### {title}; {self.runs} runs\n")
        print(f"| {columns} | {heads} |\n| --- | --- |{' --- |' * len(self.sizes)}")


def coverage(table: Table) -> None:
    table.print_head(
        "Coverage of 95% intervals (%), clusters ignored in brackets", "data | estimate"
    )
    for world in table.worlds:
        cases = {
            "mean of times": of_seconds(world, None),
            "p50 of times": of_seconds(world, 0.5),
            "p90 of times": of_seconds(world, 0.9),
            "macro-F1": of_labels(world),
        }
        for name, held in chosen(cases, table.rows):
            row = []
            for n in table.sizes:
                random = np.random.default_rng([table.seed, n])
                shares = np.mean([held(random, n) for _ in range(table.runs)], axis=0)
                row.append(f"{100 * shares[0]:.1f} ({100 * shares[1]:.1f})")
            print(f"| {world} | {name} | {' | '.join(row)} |", flush=True)


Tails = Callable[[Random, int], Sequence[float]]
"""(random, samples) -> p of the gate where nothing is wrong: clusters counted, and ignored.

Bootstraps only with clusters: they are slow.
"""


def against_number(world: World, share: float | None) -> Tails:
    """ "At most so many seconds", where that is the truth."""
    truth = truth_of_seconds(share)

    def tails(random: Random, n: int) -> Sequence[float]:
        values, _, clusters = world.seconds(random, n)
        if share is None:
            return [
                stats.difference_p(-values, codes, margin=-truth, alternative="less", bounds=None)
                for codes in (clusters, None)
            ]
        return [
            stats.quantile_p(values, share, truth, "greater", codes) for codes in (clusters, None)
        ]

    return tails


def against_setup(world: World, share: float | None) -> Tails:
    """ "No slower than the other setup", where both are equally fast."""

    def tails(random: Random, n: int) -> Sequence[float]:
        one, two, clusters = world.seconds(random, n)
        if share is None:
            return [
                stats.difference_p(two - one, codes, alternative="less", bounds=None)
                for codes in (clusters, None)
            ]
        gap = stats.quantile(two, share) - stats.quantile(one, share)
        known = min(stats.effective_trials(side, share, clusters) for side in (one, two))
        if known < stats.samples_to_bound(share):
            return [1.0]
        above, below = stats.quantile_draws(two, one, share, clusters)
        degrees = stats.gap_degrees(two, one, share, clusters)
        return [stats.draws_p(gap, above - below, degrees)]

    return tails


def of_f1(world: World) -> Tails:
    """ "Macro-F1 of at least so much", where that is the truth."""
    truth = truth_of_labels(world)

    def tails(random: Random, n: int) -> Sequence[float]:
        features, clusters = world.labels(random, n)
        return [
            stats.difference_p(
                stats.pseudo_values(features, macro_f1, codes),
                margin=truth,
                alternative="less",
                bounds=None,
            )
            for codes in (clusters, None)
        ]

    return tails


def gates(table: Table) -> None:
    table.print_head(
        "Gates that fail at the border (%), clusters ignored in brackets", "data | gate"
    )
    for world in table.worlds:
        kinds = {"mean": None, "p50": 0.5, "p90": 0.9}
        cases = {f"{k} against a number": against_number(world, s) for k, s in kinds.items()}
        cases |= {f"{k} against a setup": against_setup(world, s) for k, s in kinds.items()}
        cases["macro-F1 against a number"] = of_f1(world)
        for name, tails in chosen(cases, table.rows):
            row = []
            for n in table.sizes:
                random = np.random.default_rng([table.seed, n, 1])
                p = np.array([tails(random, n) for _ in range(table.runs)])
                shares = 100 * np.mean(p < ALPHA, axis=0)
                ignored = f" ({shares[1]:.1f})" if len(shares) > 1 else ""
                row.append(f"{shares[0]:.1f}{ignored}")
            print(f"| {world} | {name} | {' | '.join(row)} |", flush=True)


Shifted = Callable[[Random, float], tuple[Floats, Ints | None]]
"""(random, true mean) -> differences and clusters."""


def pairs(n: int, world: World | None = None) -> Shifted:
    """0/1 pairs of which 35% differ, or more where the mean needs it."""

    def draw(random: Random, mean: float) -> tuple[Floats, Ints | None]:
        share = max(0.35, abs(mean))
        clusters = world.clusters(random, n) if world else None
        known = world.normal(random, clusters) if world and clusters is not None else None
        place = random.normal(size=n) if known is None else known
        wins = place < NormalDist().inv_cdf(min(1 - 1e-9, max(1e-9, (1 + mean / share) / 2)))
        differ = random.random(n) < share
        return np.where(differ, np.where(wins, 1.0, -1.0), 0.0), clusters

    return draw


def scores(n: int, world: World | None = None) -> Shifted:
    """Differences of scores, normal with a deviation of 0.2."""

    def draw(random: Random, mean: float) -> tuple[Floats, Ints | None]:
        if world is None:
            return mean + random.normal(0, 0.2, n), None
        clusters = world.clusters(random, n)
        return mean + 0.2 * world.normal(random, clusters), clusters

    return draw


def power(table: Table) -> None:
    table.print_head("Power (%) at the minimum detectable effect, 80 promised", "data |")
    cases: dict[str, Callable[[int], Shifted]] = {"0/1 pairs": pairs, "scores": scores}
    worlds: list[World | None] = [None, *table.worlds]
    for name, make in chosen(cases, table.rows):
        for world in worlds:
            row = []
            for n in table.sizes:
                draw = make(n, world) if world else make(n)
                random = np.random.default_rng([table.seed, n, 2])
                bounds = stats.GAIN if make is pairs else None
                sizes = [
                    stats.detectable_gain(*draw(random, 0.0), bounds=bounds)
                    for _ in range(max(1, table.runs // 4))
                ]
                known = [size for size in sizes if math.isfinite(size)]
                effect = float(np.mean(known))
                drawn = [draw(random, effect) for _ in range(table.runs)]
                # Where nothing could be found, the program says so and promises no power.
                p = [
                    stats.difference_p(*values, bounds=bounds)
                    for values in drawn
                    if math.isfinite(stats.detectable_gain(*values, bounds=bounds))
                ]
                row.append(f"{100 * np.mean(np.array(p) < ALPHA):.0f}")
            print(f"| {name} | {world or 'no documents'} | {' | '.join(row)} |", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("parts", nargs="*", default=["coverage", "gates", "power"])
    parser.add_argument("--rows", nargs="+", default=[])
    parser.add_argument("--worlds", nargs="+", default=[])
    parser.add_argument("--sizes", nargs="+", type=int, default=SIZES)
    parser.add_argument("--runs", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    worlds = [world for _, world in chosen({str(world): world for world in WORLDS}, given.worlds)]
    table = Table(given.runs, given.seed, given.rows, worlds, given.sizes)
    for part in (coverage, gates, power):
        if part.__name__ in given.parts:
            part(table)


if __name__ == "__main__":
    main()
