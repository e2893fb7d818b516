"""A claim laid beside the evidence: which of its words stand where, and in what company."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass

from bakeoff.metrics.lexical.evidence import capitals_of
from bakeoff.metrics.lexical.words import Word
from bakeoff.metrics.support.claims import bare
from bakeoff.metrics.support.english import english
from bakeoff.metrics.support.evidence import Evidence
from bakeoff.metrics.support.reading import read
from bakeoff.metrics.support.spellings import spellings

WINDOW = 3
"""Lines that may carry a claim together."""
ASKED = 0.5
"""What a word of the question weighs that no passage has: it is repeated rather than claimed."""
KINDRED = 0.6
"""What a word of the same root counts, where the word itself is missing."""
DENYING = frozenset(["no", "not", "never", "neither", "nor", "without", "non"])
"""Words that a part of a sentence may not leave out before it."""
ROUNDED = 0.9
"""What a number counts that is one of the evidence, rounded."""


@dataclass(frozen=True, slots=True)
class Part:
    """A content word of a claim."""

    word: Word
    place: int
    """Among all words of the claim."""
    weight: float
    name: bool
    stands: Mapping[str, float]
    """The words of the evidence that it may stand for, and how far, up to 1; empty: none."""
    exact: bool
    """Whether the word itself stands in the evidence."""

    @property
    def held(self) -> float:
        """How far anything in the evidence says it, up to 1."""
        return max(self.stands.values(), default=0.0)


@dataclass(frozen=True, slots=True)
class Alignment:
    """A claim laid beside the evidence."""

    text: str
    """Without source marks."""
    words: tuple[Word, ...]
    negated: frozenset[int]
    parts: tuple[Part, ...]
    total: float
    """Sum of the weights."""
    line: int | None
    """The line that carries most of the claim."""
    window: tuple[int, ...]
    """The lines that carry most of it together."""
    held_by_line: float
    held_by_window: float
    """Weights held by the best line and by the best window."""
    in_runs: int
    """Words in stretches of three or more that stand word for word in the evidence."""
    verbatim: bool
    """Whether all of it stands so in one line."""


def align(text: str, evidence: Evidence, asked: Set[str] = frozenset()) -> Alignment:
    """The claim's words in the evidence, and the lines that carry most of it.

    `asked` are the words of the question.
    """
    text = bare(text)
    words, negated = read(text)
    capitals = set(capitals_of(words))
    parts = tuple(
        [
            _part(word, place, place in capitals, evidence, asked)
            for place, word in enumerate(words)
            if word.content
        ]
    )
    total = sum([part.weight for part in parts]) or 1.0
    keys = tuple([word.key for word in words])
    in_runs = _in_runs(keys, evidence)
    verbatim = in_runs == len(keys) or len(keys) < 3
    return Alignment(
        text,
        words,
        negated,
        parts,
        total,
        *_windows(parts, evidence),
        in_runs,
        verbatim and _is_copied(keys, parts, evidence),
    )


def _part(word: Word, place: int, capital: bool, evidence: Evidence, asked: Set[str]) -> Part:
    key = word.key
    known = english()
    name = capital or (key in evidence.names and not word.number)
    holders = evidence.holders.get(key)
    stands = {key: 1.0} if holders else _near(word, name, evidence)
    rarity = 1.0 if word.number or name else known.weight.get(key, 1.0)
    weight = rarity * (ASKED if not holders and key in asked else 1.0)
    return Part(word, place, weight, name, stands, bool(holders))


def _near(word: Word, name: bool, evidence: Evidence) -> Mapping[str, float]:
    """Words of the evidence that may say the same as one that is not among them."""
    key = word.key
    if word.number:
        return dict.fromkeys(evidence.rounded.get(key, ()), ROUNDED)
    found = {}
    if not name:
        found = {o: c for o, c in english().alike.get(key, {}).items() if o in evidence.holders}
    for other in evidence.kin(key):
        found[other] = max(found.get(other, 0.0), KINDRED)
    if same := [other for other in spellings(key) if other in evidence.holders]:
        found |= dict.fromkeys(same, 1.0)
    return found


def _windows(
    parts: Sequence[Part], evidence: Evidence
) -> tuple[int | None, tuple[int, ...], float, float]:
    """Best line, best window, and the weights that they hold."""
    masks: dict[int, int] = defaultdict(int)
    soft: dict[int, dict[int, float]] = {}
    weights = [part.weight for part in parts]
    for bit, part in enumerate(parts):
        for key, credit in part.stands.items():
            for number in evidence.holders[key]:
                if part.exact:
                    masks[number] |= 1 << bit
                else:
                    near = soft.setdefault(number, {})
                    near[bit] = max(near.get(bit, 0.0), credit * part.weight)
    if not masks and not soft:
        return None, (), 0.0, 0.0
    memo: dict[int, float] = {0: 0.0}

    def of(mask: int, near: Mapping[int, float]) -> float:
        held = _weight(mask, weights, memo)
        return held + sum(near.values()) if near else held

    touched = sorted(masks.keys() | soft.keys())
    single = {n: of(masks.get(n, 0), soft.get(n, NOTHING)) for n in touched}
    line = max(touched, key=lambda n: (single[n], -len(evidence.lines[n].content)))
    joined: dict[int, tuple[int, Mapping[int, float]]] = {}
    owners = evidence.owners
    for n in touched:
        for start in range(max(0, n - WINDOW + 1), n + 1):
            if owners[start] == owners[n]:
                mask, beside = joined.get(start, (0, NOTHING))
                joined[start] = (mask | masks.get(n, 0), _merged(beside, soft.get(n, NOTHING)))
    whole = {start: of(*both) for start, both in joined.items()}
    best = max(joined, key=lambda start: (whole[start], start))
    end = min(best + WINDOW, len(owners))
    window = tuple([n for n in range(best, end) if owners[n] == owners[best]])
    return line, window, single[line], whole[best]


def _weight(mask: int, weights: Sequence[float], memo: dict[int, float]) -> float:
    """The weights of the bits of a mask together; `memo` keeps those of its ends."""
    unknown, left = [], mask
    while left not in memo:
        unknown.append(left)
        left &= left - 1
    for bits in reversed(unknown):
        low = bits & -bits
        memo[bits] = weights[low.bit_length() - 1] + memo[bits ^ low]
    return memo[mask]


NOTHING: Mapping[int, float] = {}


def _merged(one: Mapping[int, float], other: Mapping[int, float]) -> Mapping[int, float]:
    if not one or not other:
        return one or other
    return {bit: max(one.get(bit, 0.0), other.get(bit, 0.0)) for bit in one.keys() | other.keys()}


def _in_runs(keys: Sequence[str], evidence: Evidence) -> int:
    inside = bytearray(len(keys))
    for start, triple in enumerate(zip(keys, keys[1:], keys[2:], strict=False)):
        if triple in evidence.triples:
            inside[start] = inside[start + 1] = inside[start + 2] = 1
    return sum(inside)


def _is_copied(keys: tuple[str, ...], parts: Sequence[Part], evidence: Evidence) -> bool:
    if not parts:
        return False
    size = len(keys)
    for number in evidence.holders.get(parts[0].word.key, ()):
        there = evidence.lines[number].keys
        for at in range(len(there) - size + 1):
            # "Dogs are allowed" is no copy of "no dogs are allowed".
            if there[at : at + size] == keys and not (at and there[at - 1] in DENYING):
                return True
    return False
