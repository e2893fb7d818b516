"""Do intervals, gates and alarms keep what they promise? A simulation of `bakeoff.analysis.stats`.

    python benchmarks/studies/intervals.py [coverage] [gates] [nightly] [--runs 4000] [--seed 0]

Prints Markdown. One core; two minutes for all three at 4,000 runs.
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cache, partial

import numpy as np
from scipy import special

import rivals
from bakeoff.analysis import stats
from bakeoff.analysis.stats import RATE, Floats, Ints
from bakeoff.core.estimate import Estimate

Random = np.random.Generator
Draw = Callable[[Random, int], tuple[Floats, Ints | None]]
"""(random, samples) -> values, or features of a statistic, and clusters."""
Rule = Callable[[Floats, Ints | None], Estimate]

SIZES = (20, 50, 200)
SIZE_HEADS = " | ".join(f"n = {n}" for n in SIZES)
SLOW = {"BCa": 8, "bootstrap, of medians": 8}
"""Rules that are applied to every eighth run only."""
ALPHA = 0.05
DISCORDANCE = 0.25


@dataclass(frozen=True)
class Case:
    """Data of which the truth is known, and the rules whose intervals should hold it."""

    name: str
    draw: Draw
    truth: float
    rules: dict[str, Rule]


def default(bounds: tuple[float, float] | None, exact: bool = False) -> Rule:
    return partial(stats.mean_interval, bounds=bounds, exact=exact)


def bca(values: Floats, clusters: Ints | None) -> Estimate:
    features = np.stack([values, np.ones(len(values))], axis=1)
    return rivals.bootstrap_interval(features, rivals.mean_of, clusters)


def unclustered(rule: Rule) -> Rule:
    return lambda values, _: rule(values, None)


def newcombe(pairs: Floats, _: Ints | None) -> Estimate:
    """Newcombe's interval; `pairs` is coded 2 left + right."""
    both, wins, losses, neither = (float(np.sum(pairs == code)) for code in (3, 2, 1, 0))
    low, high = rivals.newcombe(both, wins, losses, neither)
    return Estimate.of((wins - losses) / len(pairs), low, high, "")


def tango(pairs: Floats, _: Ints | None) -> Estimate:
    return stats.difference_interval(np.floor(pairs / 2) - pairs % 2)


def alone(draw: Callable[[Random, int], Floats]) -> Draw:
    return lambda random, n: (draw(random, n), None)


def mixture(none: float, full: float) -> Callable[[Random, int], Floats]:
    """Scores such as token F1: so many at 0, so many at 1, the rest between (mean 1/2)."""

    def draw(random: Random, n: int) -> Floats:
        place = random.random(n)
        between = random.beta(2, 2, n)
        return np.where(place < none, 0.0, np.where(place < none + full, 1.0, between))

    return draw


def gains(better: float, worse: float, random: Random, n: int) -> Floats:
    """Differences of scores of which most are 0."""
    place, size = random.random(n), random.beta(2, 2, n)
    return np.where(place < better, size, np.where(place < better + worse, -size, 0.0))


def documents(random: Random, n: int) -> Ints:
    """Clusters of one to ten samples, four on average."""
    sizes = 1 + random.poisson(3, n)
    return np.repeat(np.arange(n), sizes)[:n]


def by_document(of: Callable[[Random, int, Ints], Floats]) -> Draw:
    def draw(random: Random, n: int) -> tuple[Floats, Ints]:
        clusters = documents(random, n)
        return of(random, n, clusters), clusters

    return draw


def shared_rate(rate: float, share: float, random: Random, n: int, clusters: Ints) -> Floats:
    """Hits at a rate of the document's own: beta, with `share` of the variance between them."""
    scale = (1 - share) / share
    rates = random.beta(rate * scale, (1 - rate) * scale, n)[clusters]
    return (random.random(n) < rates).astype(float)


def shared_scores(random: Random, n: int, clusters: Ints) -> Floats:
    hard = 1 - random.beta(1.2, 1.2, n)[clusters]
    return np.where(random.random(n) < hard, 0.0, random.beta(2, 2, n))


def shared_exponential(random: Random, n: int, clusters: Ints) -> Floats:
    return 0.5 * random.exponential(size=n)[clusters] + 0.5 * random.exponential(size=n)


def shared_gains(random: Random, n: int, clusters: Ints) -> Floats:
    """0/1 pairs, 35% of them different: whether a document is won is half its own affair."""
    wins = np.where(
        random.random(n) < 0.5, random.random(n)[clusters] < 0.6, random.random(n) < 0.6
    )
    return np.where(random.random(n) < 0.35, np.where(wins, 1.0, -1.0), 0.0)


def shared_score_gains(random: Random, n: int, clusters: Ints) -> Floats:
    push = random.normal(0.03, 0.1, n)[clusters]
    return np.clip(push + gains(0.15, 0.15, random, n), -1, 1)


def labels(random: Random, n: int) -> Floats:
    """Features of macro-F1 over four labels, 70% and some right."""
    expected = random.integers(0, 4, n)
    predicted = np.where(random.random(n) < 0.7, expected, random.integers(0, 4, n))
    ones = np.eye(4)
    return np.hstack([ones[expected] * ones[predicted], ones[expected], ones[predicted]])


def macro_f1(totals: Floats) -> Floats:
    hits, both = totals[:, :4], totals[:, 4:8] + totals[:, 8:]
    return np.mean(np.divide(2 * hits, both, out=np.zeros_like(hits), where=both > 0), axis=1)


def seconds(noise: float, random: Random, n: int) -> Floats:
    """Two setups' seconds as one complex number each: the second twice the first, about."""
    first = random.lognormal(0, 0.5, n)
    found: Floats = first + 1j * first * 2 * random.lognormal(0, noise, n)
    return found


def median_ratio(values: Floats, _: Ints | None) -> Estimate:
    return rivals.quantile_ratio(values.imag, values.real)


def mean_ratio(values: Floats, _: Ints | None) -> Estimate:
    return rivals.mean_ratio(values.imag, values.real)


def quantile(share: float, values: Floats, _: Ints | None) -> Estimate:
    return stats.quantile_interval(values, share)


def rates_table() -> None:
    """Exact, summed over all numbers of hits: no sampling error."""
    print("\n### Rates (exact, not simulated)\n")
    print(f"| rate | interval | {SIZE_HEADS} |\n|---|---|{'---|' * len(SIZES)}")
    for rate in (0.05, 0.2, 0.5, 0.9):
        for name, rule in RATES.items():
            cells = []
            for n in SIZES:
                hits = np.arange(n + 1)
                found = np.array([rule(int(k), n) for k in hits])
                chance = np.exp(
                    special.gammaln(n + 1)
                    - special.gammaln(hits + 1)
                    - special.gammaln(n - hits + 1)
                    + hits * math.log(rate)
                    + (n - hits) * math.log1p(-rate)
                )
                holds = (found[:, 0] <= rate) & (rate <= found[:, 1])
                widths = found[:, 1] - found[:, 0]
                cells.append(cell(float(chance @ holds), float(chance @ widths)))
            print(f"| {rate} | {name} | {' | '.join(cells)} |")


def default_rate(hits: int, n: int) -> tuple[float, float]:
    found = stats.mean_interval(np.repeat([1.0, 0.0], [hits, n - hits]), bounds=RATE)
    return found.ends


RATES: dict[str, Callable[[int, int], tuple[float, float]]] = {
    "default": default_rate,
    "exact (Clopper-Pearson)": stats.clopper_pearson,
    "Wilson": stats.wilson,
    "Wald": rivals.wald,
}


def cell(held: float, width: float) -> str:
    mark = "" if 0.93 <= held <= 0.99 else " *"
    return f"{100 * held:.1f}{mark} ({'open' if math.isinf(width) else f'{width:.3f}'})"


def mean_cases() -> Iterable[Case]:
    scores = {"default": default(RATE), "t": stats.t_interval, "BCa": bca}
    values = {"default": default(None), "t": stats.t_interval, "BCa": bca}
    yield Case("scores, uniform", alone(lambda r, n: r.random(n)), 0.5, scores)
    yield Case("scores, beta(0.3, 2)", alone(lambda r, n: r.beta(0.3, 2, n)), 0.3 / 2.3, scores)
    yield Case("scores, half 0, 15% 1", alone(mixture(0.5, 0.15)), 0.15 + 0.35 / 2, scores)
    yield Case("scores, 85% 1", alone(mixture(0, 0.85)), 0.85 + 0.15 / 2, scores)
    yield Case("values, normal", alone(lambda r, n: r.normal(size=n)), 0.0, values)
    yield Case("values, exponential", alone(lambda r, n: r.exponential(size=n)), 1.0, values)
    for sigma in (0.5, 1.0):
        draw = alone(lambda r, n, sigma=sigma: r.lognormal(0, sigma, n))
        yield Case(f"values, lognormal({sigma})", draw, math.exp(sigma**2 / 2), values)


def clustered_cases() -> Iterable[Case]:
    for rate, share in ((0.05, 0.3), (0.2, 0.3), (0.5, 0.3), (0.9, 0.3), (0.5, 0.8), (0.9, 0.05)):
        rules = {
            "default": default(RATE),
            "exact": default(RATE, exact=True),
            "cluster t": stats.t_interval,
            "clusters ignored": unclustered(default(RATE)),
        }
        draw = by_document(partial(shared_rate, rate, share))
        yield Case(f"rate {rate}, {share:.0%} shared", draw, rate, rules)
    for name, of, truth, bounds in (
        ("scores", shared_scores, 0.25, RATE),
        ("exponential", shared_exponential, 1.0, None),
    ):
        rule = default(bounds)
        rules = {
            "default": rule,
            "cluster t": stats.t_interval,
            "clusters ignored": unclustered(rule),
            "BCa": bca,
        }
        yield Case(name, by_document(of), truth, rules)


def paired_cases() -> Iterable[Case]:
    for wins, losses in ((0.125, 0.125), (0.2, 0.05), (0.35, 0.05), (0.05, 0.05)):
        rest = (1 - wins - losses) / 2

        def draw(
            random: Random, n: int, cells: Sequence[float] = (rest, losses, wins, rest)
        ) -> Floats:
            return random.choice(4, n, p=cells).astype(float)

        rules: dict[str, Rule] = {"default (Tango)": tango, "Newcombe": newcombe}
        yield Case(f"0/1, +{wins} -{losses}", alone(draw), wins - losses, rules)
    rules = {"default": stats.difference_interval, "t": stats.t_interval, "BCa": bca}
    ignored = unclustered(stats.difference_interval)
    for better, worse in ((0.2, 0.1), (0.5, 0.3), (0.1, 0.0)):
        name = f"scores, {better:.0%} up {worse:.0%} down"
        draws = alone(partial(gains, better, worse))
        yield Case(name, draws, (better - worse) / 2, rules)
    rules = {"default": stats.difference_interval, "clusters ignored": ignored}
    yield Case("0/1 in documents", by_document(shared_gains), 0.35 * 0.2, rules)
    yield Case("scores in documents", by_document(shared_score_gains), 0.03, rules)


def other_cases() -> Iterable[Case]:
    jackknife = partial(stats.statistic_interval, statistic=macro_f1, bounds=RATE)
    resampled = partial(rivals.bootstrap_interval, statistic=macro_f1)
    truth = float(macro_f1(labels(np.random.default_rng(0), 2_000_000).sum(axis=0)[None])[0])
    rules: dict[str, Rule] = {
        "default (jackknife)": lambda values, _: jackknife(values),
        "BCa": lambda values, _: resampled(values),
    }
    yield Case("macro-F1 of four labels", alone(labels), truth, rules)
    draw = alone(lambda random, n: random.lognormal(0, 0.5, n))
    yield Case("median", draw, 1.0, {"default": partial(quantile, 0.5)})
    yield Case("p90", draw, math.exp(0.5 * 1.2815515655), {"default": partial(quantile, 0.9)})
    rules = {"bootstrap, of medians": median_ratio, "t of logs, of means": mean_ratio}
    for noise in (0.1, 0.5):
        yield Case(f"ratio of seconds, noise {noise}", alone(partial(seconds, noise)), 2.0, rules)


def coverage_table(title: str, cases: Iterable[Case], runs: int, seed: int) -> None:
    """How often a 95% interval holds the truth, and its mean width, by sample size."""
    print(f"\n### {title}\n")
    print(f"| data | interval | {SIZE_HEADS} |\n|---|---|{'---|' * len(SIZES)}")
    for case in cases:
        by_size = [covered(case, n, runs, seed) for n in SIZES]
        for name in case.rules:
            row = " | ".join(cell(*found[name]) for found in by_size)
            print(f"| {case.name} | {name} | {row} |", flush=True)


def covered(case: Case, n: int, runs: int, seed: int) -> dict[str, tuple[float, float]]:
    random = np.random.default_rng([seed, n])
    held: dict[str, list[bool]] = {name: [] for name in case.rules}
    widths: dict[str, list[float]] = {name: [] for name in case.rules}
    for run in range(runs):
        values, clusters = case.draw(random, n)
        for name, rule in case.rules.items():
            if run % SLOW.get(name, 1) == 0:
                low, high = rule(values, clusters).ends
                held[name].append(low - 1e-12 <= case.truth <= high + 1e-12)
                widths[name].append(high - low)
    return {name: (np.mean(held[name]), np.mean(widths[name])) for name in case.rules}


@cache
def worse(wins: int, losses: int, n: int, margin: float = 0.0) -> float:
    """The gate's p for "no worse than the other side, less the margin"."""
    pairs = np.repeat([1.0, -1.0, 0.0], [wins, losses, n - wins - losses])
    return stats.difference_p(pairs, margin=-margin, alternative="less")


def unpaired_z(both: int, wins: int, losses: int, n: int) -> bool:
    left, right = (both + wins) / n, (both + losses) / n
    error = math.sqrt((left * (1 - left) + right * (1 - right)) / (n - 1))
    return left - right < -1.6448536 * error


GATES: dict[str, Callable[[int, int, int, int], bool]] = {
    "default gate: sign test, margin 0": lambda b, w, x, n: worse(w, x, n) < ALPHA,
    "default gate, margin 0.02": lambda b, w, x, n: worse(w, x, n, 0.02) < ALPHA,
    "candidate below baseline": lambda b, w, x, n: w < x,
    "drop above 0.02": lambda b, w, x, n: (x - w) / n > 0.02 + 1e-12,
    "unpaired z, one-sided 5%": lambda b, w, x, n: unpaired_z(b, w, x, n),
}
GATE_SIZES = (50, 100, 200, 500, 1000)


def gate_rates(drop: float, runs: int, seed: int) -> dict[str, list[float]]:
    """How often each rule fails a candidate whose true accuracy is 0.70 - `drop`, by size."""
    wins, losses = (DISCORDANCE - drop) / 2, (DISCORDANCE + drop) / 2
    shares = [0.7 - losses, wins, losses, 1 - 0.7 - wins]
    drawn = {
        n: np.random.default_rng([seed, n]).multinomial(n, shares, runs)[:, :3].tolist()
        for n in GATE_SIZES
    }
    return {
        name: [float(np.mean([fails(*cells, n) for cells in drawn[n]])) for n in GATE_SIZES]
        for name, fails in GATES.items()
    }


def gate_table(title: str, drop: float, runs: int, seed: int) -> None:
    print(f"\n### {title}\n")
    sizes = " | ".join(f"n = {n}" for n in GATE_SIZES)
    print(f"| rule | {sizes} |\n|---|{'---|' * len(GATE_SIZES)}")
    for name, found in gate_rates(drop, runs, seed).items():
        print(f"| {name} | {' | '.join(f'{100 * share:.1f}' for share in found)} |", flush=True)
    power = [rivals.paired_power(n, DISCORDANCE, -drop) for n in GATE_SIZES]
    print(f"| the first, computed | {' | '.join(f'{100 * share:.1f}' for share in power)} |")


def family_table(runs: int, seed: int) -> None:
    """Ten gates on identical models: how often any of them fails."""
    print("\n### Ten gates on identical models: runs (%) in which any fails\n")
    sizes = " | ".join(f"n = {n}" for n in GATE_SIZES)
    print(f"| rule | {sizes} |\n|---|{'---|' * len(GATE_SIZES)}")
    rows: dict[str, list[float]] = {"default gates, Holm": [], "each at 5%": [], "below": []}
    half = DISCORDANCE / 2
    for n in GATE_SIZES:
        random = np.random.default_rng([seed, n, 10])
        drawn = random.multinomial(n, [half, half, 1 - 2 * half], (runs // 4, 10))
        p = [[worse(w, x, n) for w, x, _ in run] for run in drawn.tolist()]
        rows["default gates, Holm"].append(np.mean([min(stats.adjust_holm(x)) < ALPHA for x in p]))
        rows["each at 5%"].append(np.mean([min(x) < ALPHA for x in p]))
        rows["below"].append(np.mean((drawn[..., 0] < drawn[..., 1]).any(axis=1)))
    for name, found in rows.items():
        label = "candidate below baseline" if name == "below" else name
        print(f"| {label} | {' | '.join(f'{100 * share:.1f}' for share in found)} |")


def scores_table(runs: int, seed: int) -> None:
    """Scores and clusters instead of 0/1: a gate at its border fails in at most 5% of runs."""
    print("\n### The gate on scores: runs (%) that fail, true difference at the border\n")
    print(f"| data | margin | {SIZE_HEADS} |\n|---|---|---|---|---|")
    draws: dict[str, Draw] = {
        "scores, half 0, 15% 1": alone(mixture(0.5, 0.15)),
        "scores in documents": by_document(
            lambda r, n, c: r.normal(0, 0.2, n)[c] + r.normal(0, 0.2, n)
        ),
    }
    for name, draw in draws.items():
        for margin in (0.0, 0.03):
            row = []
            for n in SIZES:
                random, fails = np.random.default_rng([seed, n]), 0
                for _ in range(runs):
                    left, clusters = draw(random, n)
                    other = draw(random, n)[0] if clusters is None else np.zeros(n)
                    p = stats.difference_p(
                        left - other - margin,
                        clusters,
                        margin=-margin,
                        alternative="less",
                        bounds=None,
                    )
                    fails += p < ALPHA
                row.append(f"{100 * fails / runs:.1f}")
            print(f"| {name} | {margin} | {' | '.join(row)} |", flush=True)


def night_means(random: Random, nights: int, n: int) -> Floats:
    """Accuracy of one fixed model on one fixed suite, where two nights differ on a quarter."""
    flip = (1 - math.sqrt(1 - 2 * DISCORDANCE)) / 2
    known = round(0.7 * n)
    hits = random.binomial(known, 1 - flip, nights) + random.binomial(n - known, flip, nights)
    return hits / n


def nightly_table(runs: int, seed: int) -> None:
    """False alarms over 100 nights, and nights until a step of 0.02 after night 30 or 60."""
    print("\n### The nightly detector\n")
    print("| samples | sd of a night | false alarms in 100 nights | series with any (%) ", end="")
    print("| nights to find a step of 0.02 at night 30: median, 90% | at night 60 |")
    print("|---|---|---|---|---|---|")
    for n in (200, 500, 700, 1000, 2000):
        random = np.random.default_rng([seed, n])
        quiet = [stats.drift(night_means(random, 100, n)) for _ in range(runs)]
        sigma = float(np.std(night_means(random, 100_000, n)))
        steps = [found_after(random, start, n, runs) for start in (30, 60)]
        print(
            f"| {n} | {sigma:.4f} | {np.mean([len(alarms) for alarms in quiet]):.2f} | "
            f"{100 * np.mean([bool(alarms) for alarms in quiet]):.0f} | {' | '.join(steps)} |",
            flush=True,
        )
    random = np.random.default_rng([seed, 1])
    alarms = []
    for _ in range(runs):
        series = night_means(random, 100, 1000)
        series[random.random(100) < 0.02] -= 0.2
        alarms.append(len(stats.drift(series)))
    print(
        f"\nOne night in fifty broken (20 points down), n = 1,000: {np.mean(alarms):.2f} ", end=""
    )
    print("alarms in 100 nights.")


def found_after(random: Random, start: int, n: int, runs: int) -> str:
    delays = []
    for _ in range(runs):
        series = night_means(random, start + 40, n)
        series[start:] -= 0.02
        delays.append(
            next(
                (alarm.night - start + 1 for alarm in stats.drift(series) if alarm.night >= start),
                math.inf,
            )
        )
    late = float(np.quantile(delays, 0.9, method="higher"))
    return f"{np.median(delays):.0f}, {'over 40' if math.isinf(late) else f'{late:.0f}'}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("parts", nargs="*", default=["coverage", "gates", "nightly"])
    parser.add_argument("--runs", type=int, default=4000)
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    if "coverage" in given.parts:
        print("## Coverage of 95% intervals (%) and mean width; * outside 93-99%")
        rates_table()
        for title, cases in (
            ("Means", mean_cases()),
            ("Means over documents of one to ten samples", clustered_cases()),
            ("Paired differences", paired_cases()),
            ("Other statistics", other_cases()),
        ):
            coverage_table(title, cases, given.runs, given.seed)
    if "gates" in given.parts:
        print("\n## Gates: runs (%) that fail; two runs of one model differ on 25% of samples")
        gate_table("Identical models (false failures)", 0.0, given.runs, given.seed)
        gate_table(
            "A drop of 2 points (the border of a margin of 0.02)", 0.02, given.runs, given.seed
        )
        gate_table("A drop of 5 points (power)", 0.05, given.runs, given.seed)
        family_table(given.runs, given.seed)
        scores_table(given.runs, given.seed)
    if "nightly" in given.parts:
        print("\n## Nightly")
        nightly_table(max(1, given.runs // 8), given.seed)


if __name__ == "__main__":
    main()
