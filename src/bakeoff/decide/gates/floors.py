"""Floors of a scorer: what counts without understanding, and how far the scorer is above it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from bakeoff.analysis.stats import Floats, Ints, cluster_codes
from bakeoff.core.estimate import Estimate
from bakeoff.decide.gates.labels import Labelled
from bakeoff.metrics.support import Evidence, words_missing

DRAWS = 400
"""Bootstrap draws of an interval, over sources."""


@dataclass(frozen=True)
class Ahead:
    """How far the AUROC of a scorer is above that of its best floor, on the same answers."""

    floor: str
    difference: Estimate

    def in_words(self) -> str:
        """A line for people."""
        value, (low, high) = self.difference.value or 0.0, self.difference.ends
        floor = f"than the best floor ({self.floor})"
        by = f"{value:+.3f} of AUROC [{low:+.3f}, {high:+.3f}]"
        if low > 0:
            return f"Better {floor}: {by}."
        if high < 0:
            return f"Worse {floor}: {by}. The floor costs nothing."
        return f"Not shown to be better {floor}: {by}."


def floors(rows: Sequence[Labelled]) -> dict[str, Floats]:
    """Scores of every answer by counting alone: a scorer that is no better is not worth its price.

    The share of its content words that are in the passages, the number of those that are not,
    its length in the better direction and, where rows name generators, how often answers of its
    generator on other sources are good.
    """
    good = np.array([row.good for row in rows], dtype=np.int64)
    length = np.array([float(len(row.answer.text)) for row in rows])
    missing, words = np.array([_missing(row) for row in rows], dtype=float).T
    found = {
        "containment": 1 - missing / np.maximum(words, 1),
        "words not in the passages": -missing,
        "length alone": length if share_in_order(good, length) >= 0.5 else -length,
    }
    writers = [row.generator for row in rows]
    if len(set(writers) - {""}) > 1:
        found["who wrote it"] = by_writer(writers, good, cluster_codes([r.source for r in rows]))
    return found


def _missing(row: Labelled) -> tuple[int, int]:
    evidence = Evidence.of([passage.text for passage in row.answer.passages])
    return words_missing(row.answer.text, evidence)


def by_writer(writers: Sequence[str], good: Ints, sources: Ints) -> Floats:
    """How much more often answers of the same generator are good than all are, in the other half of
    the sources.

    By halves, where all answers of a generator are level: with each source left out alone, its
    good answers come after its bad ones, and who wrote it seems to say less than it does.
    """
    names, who = np.unique(writers, return_inverse=True)
    score = np.zeros(len(good))
    for half in (sources % 2 == 0, sources % 2 == 1):
        other = ~half
        if not other.any():
            continue
        overall = good[other].mean()
        count = np.bincount(who[other], minlength=len(names))
        right = np.bincount(who[other], weights=good[other], minlength=len(names))
        score[half] = ((right + overall) / (count + 1) - overall)[who[half]]
    return score


def ahead(
    rows: Sequence[Labelled], scored: Floats, counted: Mapping[str, Floats], seed: int
) -> Ahead:
    """A scorer against the floor with the best AUROC, on the answers that it judged."""
    kept = ~np.isnan(scored)
    judged = [row for row, keep in zip(rows, kept, strict=True) if keep]
    good = np.array([row.good for row in judged], dtype=np.int64)
    sources = cluster_codes([row.source for row in judged])
    best = max(counted, key=lambda name: share_in_order(good, counted[name][kept]))
    mine, other = scored[kept], counted[best][kept]

    def difference(part: Ints) -> float:
        label = good[part]
        return share_in_order(label, mine[part]) - share_in_order(label, other[part])

    differences = [
        difference(drawn) for drawn in redrawn(sources, seed) if 0 < good[drawn].sum() < len(drawn)
    ]
    low, high = np.quantile(differences, [0.025, 0.975]) if differences else (-1.0, 1.0)
    value = difference(np.arange(len(good)))
    method, count = "bootstrap over sources", len(sources)
    return Ahead(best, Estimate.of(value, float(low), float(high), method, count))


def share_in_order(good: Ints, values: Floats) -> float:
    """AUROC by ranks, as Mann and Whitney count pairs: a tie is half of one."""
    hits, misses = int(good.sum()), int((1 - good).sum())
    _, place, count = np.unique(values, return_inverse=True, return_counts=True)
    ranks = (np.cumsum(count) - (count - 1) / 2)[place]
    above = float(ranks[good == 1].sum()) - hits * (hits + 1) / 2
    return above / (hits * misses)


def redrawn(sources: Ints, seed: int) -> Iterator[Ints]:
    """Rows of sources drawn with replacement."""
    random = np.random.default_rng([seed, len(sources)])
    places = [np.flatnonzero(sources == source) for source in np.unique(sources)]
    for _ in range(DRAWS):
        yield np.concatenate([places[i] for i in random.integers(0, len(places), len(places))])
