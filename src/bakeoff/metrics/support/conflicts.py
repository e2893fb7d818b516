"""Where a claim says otherwise than the passages, in their own words."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from itertools import pairwise

from bakeoff.metrics.lexical.words import OPPOSING_PREFIXES, OPPOSITE, Word, listed, read_words
from bakeoff.metrics.support.alignment import Alignment, Part
from bakeoff.metrics.support.english import english
from bakeoff.metrics.support.evidence import Evidence, Line
from bakeoff.metrics.support.reading import one_spelling

REACH, BEHIND = 10, 4
"""Words before and behind a yes-or-no value in which a negator denies it."""
SPREAD = 2
"""Words between those of a value's name, at most."""
SHORTEST = 4
"""Letters of a stem that may be turned by a prefix."""
_DENYING = frozenset(["lack", "unavailabl", "without"])
_TURNING = frozenset(["but", "however", "although", "while", "though", "yet", "just"])
_IDLE = frozenset(["far", "just", "only", "mere", "simp", "doubt", "question", "mind", "matter"])
"""Words behind a negator that then denies nothing."""
_VERBS = frozenset(listed("is are was were has have offer provid accept allow featur serv do doe"))
_SUBJECTS = frozenset(listed("it they there you we this that"))
_LINKS = _VERBS | frozenset(listed("be been current also avail availabl option offer at this here"))
"""Words between a value's name and what denies it."""
_BREAK = re.compile(r"([;.!?—–]\s|,\s)")
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


def denied_words(aligned: Alignment, evidence: Evidence) -> list[str]:
    """Yes-or-no values of a record of which the claim says the opposite."""
    if not evidence.facts:
        return []
    spots: dict[str, tuple[int, int]] = {}
    for place, word in enumerate(aligned.words):
        spots.setdefault(word.key, (place, place))
        spots.setdefault(word.text.lower(), (place, place))
    for place, (word, following) in enumerate(pairwise(aligned.words)):
        spots.setdefault((word.text + following.text).lower(), (place, place + 1))
    values: dict[tuple[Word, ...], set[bool]] = {}
    for fact in evidence.facts:
        values.setdefault(fact.words, set()).add(fact.value)
    clauses = _clauses(aligned)
    denied = []
    for words, known in values.items():
        spot = _place(words, spots)
        # A name that is yes in one place and no in another says nothing by itself.
        if spot and len(known) == 1 and _is_denied(aligned.words, clauses, *spot) in known:
            denied.append(" ".join(word.text for word in words))
    return denied


def _place(words: Sequence[Word], spots: Mapping[str, tuple[int, int]]) -> tuple[int, int] | None:
    """First and last place of the telling words of a fact in a claim, if they stand together."""
    telling = [word for word in words if word.key not in _GENERIC]
    joined = "".join(word.text for word in telling).lower()
    if telling and joined in spots:
        return spots[joined]
    places = [spots[word.key] for word in telling if word.key in spots]
    if not telling or len(places) < len(telling):
        return None
    first, last = min(places)[0], max(places)[1]
    return (first, last) if last - first < len(places) + SPREAD else None


def _clauses(aligned: Alignment) -> list[tuple[int, int]]:
    """For each word the number of its clause, by full stops and semicolons, and by commas too."""
    numbers: list[tuple[int, int]] = []
    stops = commas = 0
    for piece in _BREAK.split(one_spelling(aligned.text)):
        if _BREAK.fullmatch(piece):
            stops, commas = stops + (piece[0] != ","), commas + 1
        else:
            numbers += [(stops, commas)] * len(read_words(piece)[0])
    # Where a sign that breaks is part of a word, they are fewer or more.
    return numbers if len(numbers) == len(aligned.words) else [(0, 0)] * len(aligned.words)


def _is_denied(
    words: Sequence[Word], clauses: Sequence[tuple[int, int]], first: int, last: int
) -> bool:
    """Whether a negator stands before a place, in the same breath, or right behind it."""
    for at in range(first - 1, max(first - REACH, 0) - 1, -1):
        word, following = words[at], words[at + 1]
        ended = clauses[at][0] != clauses[first][0] or word.key in _TURNING
        if ended or (word.key == "and" and following.key in _VERBS):
            break
        denying = word.key in _DENYING or (word.negator and word.key != "nothing")
        if not denying or following.key in _IDLE:
            continue
        beyond = [n for n in range(at, first) if clauses[n][1] != clauses[at][1]]
        if clauses[at][1] == clauses[first][1]:
            return True
        # "no takeout, delivery and reservations", not "no takeout, and it has a TV"
        if not any(words[n].key in _VERBS | _SUBJECTS for n in beyond):
            return True
        break
    return _is_denied_behind(words, clauses, last) or (first > 0 and words[first - 1].key == "non")


def _is_denied_behind(words: Sequence[Word], clauses: Sequence[tuple[int, int]], last: int) -> bool:
    """Whether a value's name is followed by "is not available", "unavailable" or "no"."""
    for at in range(last + 1, min(last + 1 + BEHIND, len(words))):
        word = words[at]
        if clauses[at][1] != clauses[last][1]:
            return False
        if word.key in _DENYING or word.key == "fals" or word.negator:
            return at > last + 1 or word.key in ("no", "not", "fals", "unavailabl")
        if word.key not in _LINKS:
            return False
    return False
