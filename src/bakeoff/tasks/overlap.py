"""Texts that (nearly) repeat each other across a split: what a model must not train on."""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping

from bakeoff.core.scripts import terms

THRESHOLD = 0.8
"""Jaccard similarity of two texts' word sets from which they count as the same."""

FEWEST = 5
"""Words of a text from which on another text can hold a copy of it."""


def words(text: str) -> frozenset[str]:
    """The terms of a text, as they are searched."""
    return frozenset(terms(text))


def normal(text: str) -> str:
    """The text's terms in their order; the bare text where it has none."""
    return " ".join(terms(text)) or text.strip()


def near_duplicates(test: Mapping[str, str], train: Mapping[str, str]) -> dict[str, str]:
    """Training id -> the first test id it repeats, exactly or nearly (Jaccard >= `THRESHOLD`)."""
    duplicates: dict[str, str] = {}
    for key, other in near_pairs(test, train):
        duplicates.setdefault(key, other)
    return duplicates


def near_pairs(test: Mapping[str, str], train: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    """Every (training id, test id) that repeat each other, exactly or nearly.

    Prefix filtering: with words sorted from rare to common, two sets as similar as t must share
    one of their first `n - ceil(t * n) + 1` words, so few pairs are compared
    (Chaudhuri et al. 2006, "A primitive operator for similarity joins").
    """
    if not (test and train):
        return
    test_words = {key: words(text) for key, text in test.items()}
    # Rows held against themselves are read once.
    train_words = test_words if train is test else {key: words(text) for key, text in train.items()}
    counts = Counter(w for group in (test_words, train_words) for ws in group.values() for w in ws)

    def prefix(ws: frozenset[str]) -> list[str]:
        ranked = sorted(ws, key=lambda w: (counts[w], w))
        return ranked[: len(ws) - math.ceil(THRESHOLD * len(ws)) + 1]

    rare = {key: prefix(ws) for key, ws in test_words.items()}
    index: dict[str, list[str]] = defaultdict(list)
    for key, some in rare.items():
        for word in some:
            index[word].append(key)
    for key, ws in train_words.items():
        some = rare[key] if train is test else prefix(ws)
        candidates = {other for word in some for other in index.get(word, ())}
        for other in sorted(candidates):
            shared = len(ws & test_words[other])
            if shared and shared / len(ws | test_words[other]) >= THRESHOLD:
                yield key, other


def held_pairs(parts: Mapping[str, str], wholes: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    """Every (part's id, whole's id) where a longer text holds all words of a part, in order."""
    known: dict[tuple[str, ...], list[str]] = defaultdict(list)
    lengths: dict[tuple[str, ...], set[int]] = defaultdict(set)
    """Of the parts that start with some words."""
    for key, text in parts.items():
        part = tuple(terms(text))
        if len(part) >= FEWEST:
            known[part].append(key)
            lengths[part[:FEWEST]].add(len(part))
    for other, text in wholes.items():
        whole = tuple(terms(text))
        for at in range(len(whole) - FEWEST + 1):
            for length in sorted(lengths.get(whole[at : at + FEWEST], ())):
                if length < len(whole):
                    yield from ((key, other) for key in known.get(whole[at : at + length], ()))
