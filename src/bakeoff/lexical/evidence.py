"""Passages read once, so that many claims can be laid beside them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

from bakeoff.lexical.claims import sentence_spans
from bakeoff.lexical.records import in_words
from bakeoff.lexical.words import Word, read_words

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
    names: frozenset[str]


@dataclass(frozen=True, slots=True)
class Evidence:
    """Passages made ready for comparison; make it once with `Evidence.of` and keep it.

    The order of the passages changes nothing but the places that `ClaimSupport.passage` names.
    """

    passages: tuple[str, ...]
    sentences: tuple[Sentence, ...]
    keys: frozenset[str]
    """Every word of the context."""
    starts: frozenset[str]
    """First letters of long words: a kin of a missing word may stand there."""
    names: frozenset[str]
    """Words that the context writes with a capital letter inside sentences."""
    holders: Mapping[str, tuple[int, ...]]
    """Sentences that hold each content word."""
    sequence: tuple[str | None, ...]
    """All words in order, `None` between passages."""
    places: Mapping[tuple[str, str], tuple[int, ...]]
    """Where in `sequence` each pair of neighbouring words starts."""
    near: frozenset[tuple[str, str]]
    """Pairs of content words, in their order, that stand near each other in a sentence."""

    @classmethod
    def of(cls, passages: Sequence[str]) -> Evidence:
        """The passages, read."""
        # Sorted by text: ties between passages must not hang on their order.
        order = sorted(range(len(passages)), key=lambda place: passages[place])
        sentences = [s for place in order for s in _read(in_words(passages[place]), place)]
        sequence: list[str | None] = [None]
        for before, sentence in pairwise([None, *sentences]):
            if before and sentence and before.passage != sentence.passage:
                sequence.append(None)
            sequence += sentence.keys if sentence else ()
        sequence.append(None)
        places: dict[tuple[str, str], list[int]] = defaultdict(list)
        for place, (one, other) in enumerate(pairwise(sequence)):
            if one is not None and other is not None:
                places[one, other].append(place)
        holders: dict[str, list[int]] = defaultdict(list)
        for number, sentence in enumerate(sentences):
            for key in sentence.where:
                holders[key].append(number)
        keys = frozenset(key for key in sequence if key)
        return cls(
            tuple(passages),
            tuple(sentences),
            keys,
            frozenset(key[:KIN] for key in keys if len(key) >= KIN),
            frozenset(name for sentence in sentences for name in sentence.names),
            {key: tuple(numbers) for key, numbers in holders.items()},
            tuple(sequence),
            {pair: tuple(starts) for pair, starts in places.items()},
            frozenset(pair for sentence in sentences for pair in _near_pairs(sentence)),
        )


KIN = 6
"""Letters that two different stems must share at the start to be kin (forecaster, forecast)."""


def _read(passage: str, place: int) -> Iterator[Sentence]:
    for start, end in sentence_spans(passage):
        words, negated = read_words(passage[start:end])
        for cut in range(0, len(words), _LONGEST_SENTENCE):
            part = words[cut : cut + _LONGEST_SENTENCE]
            yield _sentence(part, {n - cut for n in negated}, place)


def _sentence(words: Sequence[Word], negated: Collection[int], passage: int) -> Sentence:
    where: dict[str, list[int]] = defaultdict(list)
    for place, word in enumerate(words):
        if word.content:
            where[word.key].append(place)
    return Sentence(
        passage,
        tuple(word.key for word in words),
        {key: tuple(places) for key, places in where.items()},
        frozenset(w.key for place, w in enumerate(words) if place in negated),
        frozenset(w.key for place, w in enumerate(words) if w.content and place not in negated),
        frozenset(word.key for word in words if word.number),
        frozenset(words[place].key for place in capitals_of(words)),
    )


def capitals_of(words: Sequence[Word]) -> list[int]:
    """Places of names by their capital letter; none where every word has one (titles)."""
    content = [place for place, word in enumerate(words) if word.content and not word.number]
    capital = [place for place in content if words[place].capital and not words[place].date]
    if len(content) > 4 and len(capital) > 0.7 * len(content):
        return []
    if capital and capital[0] == 0 and (len(words) == 1 or not words[1].capital):
        return capital[1:]
    return capital


def _near_pairs(sentence: Sentence) -> Iterator[tuple[str, str]]:
    content = [key for key in sentence.keys if key in sentence.where]
    for place, key in enumerate(content):
        for other in content[place + 1 : place + 1 + _NEAR]:
            yield key, other
