"""An answer cut into claims: sentences and list items with at least one content word."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

from bakeoff.metrics.lexical.words import listed, read_words

_ABBREVIATIONS = frozenset(
    listed(
        """
        mr mrs ms dr prof st mt vs gen col sgt capt lt rev hon gov sen rep e.g i.e eg ie cf ca
        u.s u.k u.n u.s.a
        """
    )
)


# "No. 5" goes on, "The answer is no. It" does not.
_ABBREVIATIONS_BEFORE_NUMBERS = frozenset(
    listed("no nos fig figs vol pp approx jan feb mar apr jun jul aug sep sept oct nov dec")
)


_SENTENCE_END = re.compile(r"[.!?…]+[\"'”’»)\]]*(?=\s)|[。！？]+[」』”]*|:(?=\s+\d{1,2}[.)]\s)|\n+")


_CITATION = re.compile(r"\s*\[\d{1,3}(?:\s*[,;]\s*\d{1,3})*\]")


_LIST_MARK = re.compile(r"\s*(?:[-*•–—·#>]+|\(?(?:\d{1,2}[.)]|[a-zA-Z]\)))\s+")


@dataclass(frozen=True, slots=True)
class Claim:
    """One sentence or list item of an answer: `answer[start:end] == text`."""

    text: str
    start: int
    end: int


@lru_cache(maxsize=256)
def claims(answer: str) -> tuple[Claim, ...]:
    """The sentences and list items of an answer that say something that can be looked up.

    What has no content word ("Yes.") is no claim, nor is a list's own mark ("1."). Abbreviations,
    initials and decimals end no sentence.
    """
    statements = []
    for start, end in sentence_spans(answer):
        mark = _LIST_MARK.match(answer, start, end)
        statements += _claim(answer, mark.end() if mark else start, end)
    return tuple(statements or _claim(answer, 0, len(answer)))


def _claim(answer: str, start: int, end: int) -> list[Claim]:
    text = answer[start:end].strip()
    if not any(word.content for word in read_words(without_citations(text))[0]):
        return []
    start = answer.index(text, start)
    return [Claim(text, start, start + len(text))]


def without_citations(text: str) -> str:
    """The text without marks such as [1]: what a sentence cites is no number that it states."""
    return _CITATION.sub("", text) if "[" in text else text


def sentence_spans(text: str) -> Iterator[tuple[int, int]]:
    start = 0
    cased = any(c.isupper() for c in text)
    for match in _SENTENCE_END.finditer(text):
        if text[match.start()] == "." and not _ends(text, start, match, cased):
            continue
        if text[start : match.end()].strip():
            yield start, match.end()
        start = match.end()
    if text[start:].strip():
        yield start, len(text)


def _ends(text: str, start: int, match: re.Match[str], cased: bool) -> bool:
    """Whether the full stop that `match` found ends a sentence."""
    following = text[match.end() :].lstrip()[:1]
    before = text[start : match.start()].split()
    if not before or (len(before) == 1 and _LIST_MARK.fullmatch(text[start : match.end()] + " ")):
        return False
    last = before[-1].lstrip("([\"'“‘")
    if last.lower() in _ABBREVIATIONS:
        return False
    if last.lower() in _ABBREVIATIONS_BEFORE_NUMBERS and following.isdigit():
        return False
    initial = len(last) == 1 and last.isalpha() and last.isupper()
    return not initial and not (cased and following.islower())
