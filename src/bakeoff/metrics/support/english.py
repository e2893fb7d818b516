"""How common English words are, which mean nearly the same, and which the opposite.

`english.txt.gz` is made by benchmarks/studies/word_table.py from WordNet 3.1 (its licence lies
beside it) and the vocabulary of BERT.
"""

from __future__ import annotations

import gzip
import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from importlib import resources

_FILE = "english.txt.gz"
_COMMON, _RARE = 2_000, 30_000
"""Places in the vocabulary (its first 2,000 are signs and the most frequent words)."""


@dataclass(frozen=True, slots=True)
class English:
    """What is known of English stems."""

    weight: Mapping[str, float]
    """0.2 of the most common words, up to 1."""
    alike: Mapping[str, Mapping[str, float]]
    """How far another word says the same, up to 0.9."""
    opposite: Mapping[str, frozenset[str]]


@lru_cache(maxsize=1)
def english() -> English:
    """The table that comes with bakeoff."""
    packed = (resources.files("bakeoff.metrics.support") / _FILE).read_bytes()
    weight, alike, opposite = {}, {}, {}
    for line in gzip.decompress(packed).decode().split("\n"):
        key, rank, *others = line.split(" ")
        weight[key] = _weight(int(rank))
        near = dict.fromkeys([other for other in others if other[0] != "!"], 0.6)
        if near:
            alike[key] = near
        if len(near) < len(others):
            opposite[key] = frozenset([other[1:] for other in others if other[0] == "!"])
    return English(weight, alike, opposite)


def _weight(rank: int) -> float:
    place = math.log(max(rank, _COMMON) / _COMMON) / math.log(_RARE / _COMMON)
    return round(0.2 + 0.7 * min(place, 1.0), 3)
