"""A claim laid beside the evidence: what of it is there, and where."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from bakeoff.metrics.lexical.claims import without_citations
from bakeoff.metrics.lexical.evidence import Evidence, Sentence, capitals_of
from bakeoff.metrics.lexical.words import Word, read_words


@dataclass(frozen=True, slots=True)
class Match:
    """A claim laid beside the evidence."""

    words: tuple[Word, ...]
    negated: frozenset[int]
    content: tuple[Word, ...]
    names: tuple[int, ...]
    """Places in `content` of names."""
    missing: tuple[Word, ...]
    """Content words that are not in the context."""
    best: Sentence | None
    """The sentence that shares most with the claim."""
    held: int
    """How many content words the best sentence holds."""
    held_by_passage: int
    """How many content words the best passage holds."""
    longest_run: int
    """Words of the longest stretch that the context has word for word."""
    in_runs: int
    """Words in such stretches of three words or more."""


def lay_beside(text: str, evidence: Evidence) -> Match:
    words, negated = read_words(without_citations(text))
    content = [word for word in words if word.content]
    capitals = {words[place].text for place in capitals_of(words)}
    names = [
        place
        for place, word in enumerate(content)
        if word.text in capitals or (word.key in evidence.names and not word.number)
    ]
    best, held, held_by_passage = _best(content, words, evidence)
    return Match(
        words,
        negated,
        tuple(content),
        tuple(names),
        tuple(word for word in content if word.key not in evidence.keys),
        best,
        held,
        held_by_passage,
        *_runs([word.key for word in words], evidence),
    )


def nearest_passage(text: str, evidence: Evidence) -> int | None:
    """Place of the passage with the sentence that shares most with a text; `None`: none does."""
    best = lay_beside(text, evidence).best
    return best.passage if best else None


def _best(
    content: Sequence[Word], words: Sequence[Word], evidence: Evidence
) -> tuple[Sentence | None, int, int]:
    counts: Counter[int] = Counter()
    passages: dict[int, set[str]] = defaultdict(set)
    for word in content:
        for number in evidence.holders.get(word.key, ()):
            counts[number] += 1
            passages[evidence.owners[number]].add(word.key)
    if not counts:
        return None, 0, 0
    most = max(counts.values())
    near = [number for number, count in counts.items() if count == most]
    if len(near) > 1:
        pairs = {(one.key, other.key) for one, other in pairwise(words)}
        shared = {n: sum(p in pairs for p in pairwise(evidence.lines[n].keys)) for n in near}
        near.sort(key=lambda number: (-shared[number], len(evidence.lines[number].keys)))
    by_passage = max(sum(word.key in keys for word in content) for keys in passages.values())
    return evidence.lines[near[0]].sentence(evidence.owners[near[0]]), most, by_passage


def _runs(keys: Sequence[str], evidence: Evidence) -> tuple[int, int]:
    """The longest verbatim stretch, and how many words are in stretches of three or more.

    Every start is tried: a passage added can then only lengthen what is found.
    """
    if len(keys) == 1 and keys[0] in evidence.keys:
        return 1, 1
    longest = covered = reached = 0
    sequence, size = evidence.sequence, len(keys)
    for start in range(size - 1):
        end = start
        for place in evidence.places.get(keys[start], ()):
            if sequence[place + 1] != keys[start + 1]:
                continue
            length = 2
            while start + length < size and sequence[place + length] == keys[start + length]:
                length += 1
            end = max(end, start + length)
        longest = max(longest, end - start)
        if end > reached and (end - start > 2 or end - start == size):
            covered += end - max(start, reached)
            reached = end
    return longest, covered
