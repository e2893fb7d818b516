"""Texts cut into sentences: also those of pages with hard line breaks, with initials and titles."""

from __future__ import annotations

import re
from collections.abc import Iterator

from bakeoff.metrics.lexical.claims import sentence_spans as stretches
from bakeoff.metrics.lexical.words import listed

FEWEST = 3
"""Words of a line that is broken within a sentence."""
_CELLS = (":", ";", "|", "#", "\t")
"""Signs of a record's line."""
_SPACED_STOP = re.compile(r"(?<=[^\s.] )(?<!\s\w )[.!?](?=\s+\w)")
"""Of tokenized text, often without capital letters."""
_STOPS = ".!?:;…|"
_MARK = re.compile(r"\s*(?:[a-zA-Z]\)|\(?(?:\d{1,2}|[a-z])[.)]\s)")
_SHORT = frozenset(listed("al ph.d"))
_NUMBERED = re.compile(r"\s*[*_]{1,3}\d{1,2}\.")
"""`**3.`, the mark of a list item in bold."""
_STARTS = frozenset(listed("the a an it he she they we i this that these those in on at there but"))
"""Words that with a capital letter begin a sentence, and no name."""


def sentence_spans(text: str) -> Iterator[tuple[int, int]]:
    """Where the sentences and lines of a text lie, in order."""
    whole: tuple[int, int] | None = None
    for start, end in _stretches(text):
        if whole and _goes_on(text, whole, start, end):
            whole = whole[0], end
        else:
            if whole:
                yield whole
            whole = start, end
    if whole:
        yield whole


def _stretches(text: str) -> Iterator[tuple[int, int]]:
    spaced = any(stop in text for stop in (" .", " !", " ?"))
    for start, end in stretches(text):
        for stop in _SPACED_STOP.finditer(text, start, end) if spaced else ():
            yield start, stop.end()
            start = stop.end()
        if text[start:end].strip():
            yield start, end


def _goes_on(text: str, before: tuple[int, int], start: int, end: int) -> bool:
    """Whether what lies at `start` belongs to the sentence before it."""
    sentence, following = text[slice(*before)], text[start:end].lstrip()
    last = sentence.rstrip()
    gap = text[before[0] + len(last) : end - len(following)]
    if "\n" in gap:
        lines = last.rpartition("\n")[2], following.partition("\n")[0]
        prose = following[:1].islower() and sentence.lstrip()[:1].isupper()
        few = len(lines[0].split()) < FEWEST or gap.count("\n") > 1
        if not prose or few or last[-1] in _STOPS or _MARK.match(following):
            return False
        return not any(sign in line for line in lines for sign in _CELLS) and not text.islower()
    if not last.endswith("."):
        return False
    if _NUMBERED.fullmatch(last):
        return True
    word = last[last.rfind(" ") + 1 : -1].lstrip("([\"'“‘").lower()
    dotted = len(word) > 2 and all(len(part) == 1 for part in word.split("."))
    dotted = dotted and word not in ("a.m", "p.m")
    return (word in _SHORT or dotted) and following.split()[0].lower() not in _STARTS
