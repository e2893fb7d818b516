"""Where a claim says otherwise than the passages, in their own words."""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache
from itertools import pairwise

from bakeoff.metrics.lexical.words import OPPOSING_PREFIXES, OPPOSITE
from bakeoff.metrics.support.alignment import Alignment, Part
from bakeoff.metrics.support.english import english
from bakeoff.metrics.support.evidence import Evidence, Line

SHORTEST = 4
"""Letters of a stem that may be turned by a prefix."""


def negated_words(aligned: Alignment, best: Line | None, evidence: Evidence) -> list[str]:
    """Words that either the claim or its best line denies; `denied_words` reads those of facts."""
    if best is None or 2 * aligned.held_by_line < aligned.total:
        return []
    return [
        part.word.text
        for part in aligned.parts
        if part.word.key in best.unique
        and part.word.key not in evidence.valued
        and (
            part.word.key not in best.negated
            if part.place in aligned.negated
            else part.word.key not in best.affirmed
        )
    ]


def opposed_words(aligned: Alignment, lines: Iterable[Line]) -> list[str]:
    """Words whose opposite stands in their place where the claim is carried."""
    if 2 * aligned.held_by_window < aligned.total:
        return []
    own = {part.word.key for part in aligned.parts}
    there = frozenset[str]().union(*[line.unique for line in lines])
    return [
        part.word.text
        for part in aligned.parts
        if part.word.key not in there
        and part.place not in aligned.negated
        and (_opposites(part.word.key) & there) - own
    ]


@lru_cache(maxsize=1 << 15)
def _opposites(key: str) -> frozenset[str]:
    """Opposites of a word, itself with a negating prefix or without one (happy, unhappy)."""
    known = english().opposite.get(key, frozenset()) | OPPOSITE.get(key, frozenset())
    if len(key) < SHORTEST:
        return known
    bare = [key.removeprefix(prefix) for prefix in OPPOSING_PREFIXES]
    turned = [prefix + key for prefix in OPPOSING_PREFIXES]
    return known.union(word for word in [*bare, *turned] if len(word) >= SHORTEST and word != key)


def other_numbers(aligned: Alignment, best: Line | None) -> list[str]:
    """Numbers that the best line does not have, where it has others than the claim."""
    if best is None or 2 * aligned.held_by_line < aligned.total or not best.numbers:
        return []
    own = {key for part in aligned.parts for key in (part.word.key, *part.stands)}
    if all(number in own for number in best.numbers):
        return []
    return [
        p.word.text for p in aligned.parts if p.word.number and best.unique.isdisjoint(p.stands)
    ]


def swapped_names(aligned: Alignment, best: Line | None) -> list[str]:
    """Names that have changed places around a word that stands between them.

    A passive ("was beaten by") is read the other way round.
    """
    if best is None:
        return []
    where: dict[str, list[int]] = {}
    for place, key in enumerate(best.keys):
        where.setdefault(key, []).append(place)
    for left, right in pairwise(_grouped(aligned.parts)):
        one, other = left[-1], right[0]
        spots = [where.get(part.word.key, []) for part in (one, other)]
        if one.word.key == other.word.key or any(len(places) != 1 for places in spots):
            continue
        there = sorted((spots[0][0], spots[1][0]))
        between = [
            part
            for part in aligned.parts
            if one.place < part.place < other.place
            and any(there[0] < spot < there[1] for spot in where.get(part.word.key, ()))
        ]
        stretch = [word.key for word in aligned.words[one.place : other.place]]
        passive = ("by" in stretch) != ("by" in best.keys[there[0] : there[1]])
        if between and (spots[0][0] > spots[1][0]) != passive:
            return [one.word.text, other.word.text]
    return []


def _grouped(parts: Iterable[Part]) -> list[list[Part]]:
    """Names, each with all its words."""
    groups: list[list[Part]] = []
    for part in parts:
        if part.name:
            if groups and groups[-1][-1].place == part.place - 1:
                groups[-1].append(part)
            else:
                groups.append([part])
    return groups
