"""Passages read once, so that many claims can be laid beside them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import chain

from bakeoff.metrics.lexical.claims import sentence_spans
from bakeoff.metrics.lexical.records import in_words
from bakeoff.metrics.lexical.words import Word, read_words

_NEAR = 4
"""Content words are neighbours up to this distance, counted in content words."""


_LONGEST_SENTENCE = 60
"""Words; longer stretches without a sentence end (tables, lists, JSON) are cut."""


@dataclass(frozen=True, slots=True)
class Sentence:
    """A sentence of a passage: its words, and which of them are negated."""

    passage: int
    keys: tuple[str, ...]
    where: Mapping[str, tuple[int, ...]]
    """Places of each content word."""
    negated: frozenset[str]
    affirmed: frozenset[str]
    numbers: frozenset[str]


@dataclass(frozen=True, slots=True)
class Line:
    """A sentence as it is kept: most are never laid beside a claim."""

    words: tuple[Word, ...]
    keys: tuple[str, ...]
    negated: frozenset[int]
    content: tuple[str, ...]
    """Its content words, each once."""
    names: tuple[str, ...]
    """Words with a capital letter inside the sentence."""
    near: tuple[tuple[str, str], ...]
    """Pairs of a number and a content word near it."""

    def sentence(self, passage: int) -> Sentence:
        """What a claim is compared with."""
        words, negated = self.words, self.negated
        where: dict[str, list[int]] = defaultdict(list)
        for place, word in enumerate(words):
            if word.content:
                where[word.key].append(place)
        return Sentence(
            passage,
            self.keys,
            {key: tuple(places) for key, places in where.items()},
            frozenset(words[place].key for place in negated),
            frozenset(w.key for place, w in enumerate(words) if w.content and place not in negated),
            frozenset(word.key for word in words if word.number),
        )


@dataclass(frozen=True, slots=True)
class Evidence:
    """Passages made ready for comparison; make it once with `Evidence.of` and keep it.

    The order of the passages changes nothing but the places that `ClaimSupport.passage` names.
    """

    passages: tuple[str, ...]
    lines: tuple[Line, ...]
    owners: tuple[int, ...]
    """The passage of each line."""
    keys: frozenset[str]
    """Every word of the context."""
    starts: frozenset[str]
    """First letters of long words: a word related to a missing one may be there."""
    names: frozenset[str]
    """Words that the context writes with a capital letter inside sentences."""
    holders: Mapping[str, Sequence[int]]
    """Sentences that hold each content word."""
    sequence: tuple[str | None, ...]
    """All words in order, `None` between passages."""
    places: Mapping[str, Sequence[int]]
    """The places of each word in `sequence`."""
    near: frozenset[tuple[str, str]]
    """Pairs of a number and a content word, in their order, near each other in a sentence."""

    @classmethod
    def of(cls, passages: Sequence[str]) -> Evidence:
        """The passages, read."""
        # Sorted by text: ties between passages must not hang on their order.
        order = sorted(range(len(passages)), key=lambda place: passages[place])
        lines: list[Line] = []
        owners: list[int] = []
        sequence: list[str | None] = [None]
        for place in order:
            read = _read(passages[place])
            lines += read
            owners += [place] * len(read)
            sequence += chain.from_iterable(line.keys for line in read)
            sequence.append(None)
        places: dict[str, list[int]] = defaultdict(list)
        for spot, key in enumerate(sequence):
            if key is not None:
                places[key].append(spot)
        holders: dict[str, list[int]] = defaultdict(list)
        for number, line in enumerate(lines):
            for key in line.content:
                holders[key].append(number)
        return cls(
            tuple(passages),
            tuple(lines),
            tuple(owners),
            frozenset(places),
            frozenset([key[:KIN] for key in places if len(key) >= KIN]),
            frozenset(chain.from_iterable(line.names for line in lines)),
            holders,
            tuple(sequence),
            places,
            frozenset(chain.from_iterable(line.near for line in lines)),
        )


KIN = 6
"""Letters that two different stems must share at the start to be kin (forecaster, forecast)."""


# Answers to many questions rest on few passages, in ever other company.
@lru_cache(maxsize=1024)
def _read(passage: str) -> tuple[Line, ...]:
    passage = in_words(passage)
    lines = []
    for start, end in sentence_spans(passage):
        words, negated = read_words(passage[start:end])
        for cut in range(0, len(words), _LONGEST_SENTENCE):
            part = words[cut : cut + _LONGEST_SENTENCE]
            lines.append(
                _line(part, frozenset(n - cut for n in negated if 0 <= n - cut < len(part)))
            )
    return tuple(lines)


def _line(words: tuple[Word, ...], negated: frozenset[int]) -> Line:
    keys = tuple([word.key for word in words])
    content = tuple(dict.fromkeys([word.key for word in words if word.content]))
    names = tuple([keys[place] for place in capitals_of(words)])
    return Line(words, keys, negated, content, names, tuple(_near_numbers(keys, content)))


def capitals_of(words: Sequence[Word]) -> list[int]:
    """Places of names by their capital letter; none where every word has one (titles)."""
    content = [place for place, word in enumerate(words) if word.content and not word.number]
    capital = [place for place in content if words[place].capital and not words[place].date]
    if len(content) > 4 and len(capital) > 0.7 * len(content):
        return []
    if capital and capital[0] == 0 and (len(words) == 1 or not words[1].capital):
        return capital[1:]
    return capital


def _near_numbers(keys: Sequence[str], content: Sequence[str]) -> Iterator[tuple[str, str]]:
    known = set(content)
    row = [key for key in keys if key in known]
    for place, key in enumerate(row):
        if key[0].isdigit():
            for other in row[max(place - _NEAR, 0) : place]:
                yield other, key
            for other in row[place + 1 : place + 1 + _NEAR]:
                yield key, other
