"""Where a claim says otherwise than the passages, in their own words."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from itertools import pairwise

from bakeoff.metrics.lexical.words import OPPOSING_PREFIXES, OPPOSITE, Word
from bakeoff.metrics.support.alignment import Alignment, Part
from bakeoff.metrics.support.english import english
from bakeoff.metrics.support.evidence import Evidence, Line

REACH = 10
"""Words before a yes-or-no value in which a negator denies it."""
SHORTEST = 4
"""Letters of a stem that may be turned by a prefix."""
_DENYING = frozenset(["lack", "unavailabl", "without"])
_TURNING = frozenset(["but", "however", "although", "while"])
_GENERIC = frozenset(
    ["restaurant", "busines", "attribut", "good", "for", "offer", "accept", "has", "is", "allow"]
)
"""Words of a key that do not tell what it is about."""


def negated_words(aligned: Alignment, best: Line | None) -> list[str]:
    """Words that either the claim or its best line denies."""
    if best is None or 2 * aligned.held_by_line < aligned.total:
        return []
    return [
        part.word.text
        for part in aligned.parts
        if part.word.key in best.unique
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
        if part.word.key not in there and (_opposites(part.word.key) & there) - own
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


def denied_words(aligned: Alignment, evidence: Evidence) -> list[str]:
    """Yes-or-no values of a record of which the claim says the opposite."""
    if not evidence.facts:
        return []
    spots: dict[str, int] = {}
    for place, word in enumerate(aligned.words):
        spots.setdefault(word.key, place)
        spots.setdefault(word.text.lower(), place)
    for place, (word, following) in enumerate(pairwise(aligned.words)):
        spots.setdefault((word.text + following.text).lower(), place)
    values: dict[tuple[Word, ...], set[bool]] = {}
    for fact in evidence.facts:
        values.setdefault(fact.words, set()).add(fact.value)
    denied = []
    for words, known in values.items():
        spot = _place(words, spots)
        # A name that is yes in one place and no in another says nothing by itself.
        if spot is not None and len(known) == 1 and _is_denied(aligned, spot) in known:
            denied.append(" ".join(word.text for word in words))
    return denied


def _place(words: Sequence[Word], spots: Mapping[str, int]) -> int | None:
    """Where all the telling words of a fact begin in a claim; `None` if one is missing."""
    telling = [word for word in words if word.key not in _GENERIC]
    joined = "".join(word.text for word in telling).lower()
    if not telling or joined in spots:
        return spots.get(joined) if telling else None
    places = [spots.get(word.key) for word in telling]
    known = [place for place in places if place is not None]
    return min(known) if len(known) == len(places) else None


def _is_denied(aligned: Alignment, place: int) -> bool:
    """Whether a negator stands before a place, in the same breath, or right behind it."""
    for word in reversed(aligned.words[max(0, place - REACH) : place]):
        if word.negator or word.key in _DENYING:
            return True
        if word.key in _TURNING:
            return False
    return any(
        word.negator or word.key in _DENYING for word in aligned.words[place + 1 : place + 4]
    )
