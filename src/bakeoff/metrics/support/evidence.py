"""Passages read once, so that many claims can be laid beside them."""

from __future__ import annotations

import math
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

from bakeoff.metrics.lexical.evidence import capitals_of
from bakeoff.metrics.lexical.words import Word
from bakeoff.metrics.support.reading import read
from bakeoff.metrics.support.records import told
from bakeoff.metrics.support.sentences import sentence_spans

LONGEST_LINE = 60
"""Words; longer stretches without a sentence end are cut."""
MOST_DIGITS = 15
"""Of a number that may be rounded."""
KIN = 6
"""Letters that two different stems share at the start to be kin (forecaster, forecast)."""


@dataclass(frozen=True, slots=True)
class Line:
    """A sentence or a record's row of a passage."""

    keys: tuple[str, ...]
    """Of all its words."""
    content: tuple[str, ...]
    """Its content words in order."""
    unique: frozenset[str]
    negated: frozenset[str]
    affirmed: frozenset[str]
    numbers: tuple[str, ...]
    names: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Stated:
    """What a record says is so, or is not so."""

    words: tuple[Word, ...]
    """Of its name."""
    value: bool


@dataclass(frozen=True, slots=True)
class Read:
    """One passage, read."""

    lines: tuple[Line, ...]
    triples: frozenset[tuple[str, str, str]]
    facts: tuple[Stated, ...]


@dataclass(frozen=True, slots=True)
class Evidence:
    """Passages made ready for comparison; make it once with `Evidence.of` and keep it.

    The order of the passages changes nothing but the places that are named.
    """

    passages: tuple[str, ...]
    lines: tuple[Line, ...]
    owners: tuple[int, ...]
    """The passage of each line."""
    holders: Mapping[str, Sequence[int]]
    """Lines that hold each content word."""
    ordered: tuple[str, ...]
    """The content words by the alphabet."""
    rounded: Mapping[str, tuple[str, ...]]
    """A number as it may be rounded -> the numbers as they stand."""
    names: frozenset[str]
    triples: frozenset[tuple[str, str, str]]
    """Every three words that follow each other."""
    facts: tuple[Stated, ...]
    valued: frozenset[str]
    """The words of the facts' names."""

    @classmethod
    def of(cls, passages: Sequence[str]) -> Evidence:
        """The passages, read."""
        # Sorted by text: ties between passages must not hang on their order.
        order = sorted(range(len(passages)), key=lambda place: passages[place])
        lines: list[Line] = []
        owners: list[int] = []
        facts: list[Stated] = []
        triples: set[tuple[str, str, str]] = set()
        for place in order:
            one = _read(passages[place])
            lines += one.lines
            owners += [place] * len(one.lines)
            facts += one.facts
            triples |= one.triples
        holders: dict[str, list[int]] = defaultdict(list)
        names: set[str] = set()
        for number, line in enumerate(lines):
            for key in line.unique:
                holders[key].append(number)
            names.update(line.names)
        rounded: dict[str, list[str]] = defaultdict(list)
        for key in holders:
            if key[0].isdigit():
                for other in roundings(key):
                    rounded[other].append(key)
        return cls(
            tuple(passages),
            tuple(lines),
            tuple(owners),
            holders,
            tuple(sorted(holders)),
            {number: tuple(words) for number, words in rounded.items()},
            frozenset(names),
            frozenset(triples),
            tuple(facts),
            frozenset([word.key for fact in facts for word in fact.words]),
        )

    def kin(self, key: str) -> list[str]:
        """Words of the passages that begin as a long word does."""
        if len(key) < KIN:
            return []
        start = key[:KIN]
        place = bisect_left(self.ordered, start)
        found = []
        while place < len(self.ordered) and self.ordered[place].startswith(start):
            found.append(self.ordered[place])
            place += 1
        return found


# Answers to many questions rest on few passages, in ever other company.
@lru_cache(maxsize=1024)
def _read(passage: str) -> Read:
    record = told(passage)
    lines = []
    for start, end in sentence_spans(record.text):
        words, negated = read(record.text[start:end])
        for cut in range(0, len(words), LONGEST_LINE):
            part = words[cut : cut + LONGEST_LINE]
            lines.append(_line(part, {n - cut for n in negated}))
    facts = tuple([Stated(read(fact.name)[0], fact.value) for fact in record.facts])
    triples = frozenset(
        [
            triple
            for line in lines
            for triple in zip(line.keys, line.keys[1:], line.keys[2:], strict=False)
        ]
    )
    return Read(tuple(lines), triples, facts)


def _line(words: Sequence[Word], negated: set[int]) -> Line:
    keys = tuple([word.key for word in words])
    places = [place for place, word in enumerate(words) if word.content]
    content = tuple([keys[place] for place in places])
    return Line(
        keys,
        content,
        frozenset(content),
        frozenset([keys[place] for place in places if place in negated]),
        frozenset([keys[place] for place in places if place not in negated]),
        tuple([word.key for word in words if word.number]),
        tuple([keys[place] for place in capitals_of(words)]),
    )


@lru_cache(maxsize=1 << 14)
def roundings(key: str) -> frozenset[str]:
    """How a number may be written shorter: fewer decimals, or two or three leading digits.

    Also a time without its seconds."""
    if key.count(":") == 2:
        return frozenset([key.rpartition(":")[0]])
    if ":" in key or len(key) > MOST_DIGITS:
        return frozenset()
    try:
        value = float(key)
    except ValueError:
        return frozenset()
    found = set()
    if "." in key:
        found = {plain(round(value, places)) for places in (0, 1)}
        found.add(str(math.floor(value)))
    elif value >= 1000 and not 1000 <= value <= 2100:
        size = len(str(int(value)))
        found = {plain(round(value, digits - size)) for digits in (2, 3)}
        found.add(plain(value // 10 ** (size - 2) * 10 ** (size - 2)))
    return frozenset(found) - {key}


def plain(value: float) -> str:
    return f"{value:.4f}".rstrip("0").rstrip(".")
