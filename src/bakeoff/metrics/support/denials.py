"""Yes-or-no values of a record of which a claim says the opposite."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from itertools import pairwise

from bakeoff.metrics.lexical.words import Word, read_words
from bakeoff.metrics.support.alignment import Alignment
from bakeoff.metrics.support.evidence import Evidence, Line
from bakeoff.metrics.support.reading import one_spelling

REACH, BEHIND = 10, 4
"""Words before and behind a yes-or-no value in which a negator denies it."""
SPREAD = 2
"""Words between those of a value's name, at most."""


def _stems(text: str) -> frozenset[str]:
    return frozenset([word.key for word in read_words(text)[0]])


_DENYING = _stems("lacks unavailable without")
_TURNING = _stems("but however although while though yet just")
_IDLE = _stems("far just only merely simply doubt question mind matter")
"""Words behind a negator that then denies nothing."""
_VERBS = _stems("is are was were has have offer provide accept allow feature serve do does")
_SUBJECTS = _stems("it they there you we this that")
_LINKS = _VERBS | _stems("be been currently also available availability option at this here")
"""Words between a value's name and what denies it."""
_ABSENT = _stems(
    "absent missing prohibited forbidden banned denied denies gone removed off disabled false "
    "excluded against ruled"
)
"""Words that say of what is named before them that it is not so."""
_FREE = _stems("free")
_CONDITIONS = _stems("if unless until except without before after")
"""Words that make a denial one for some cases only."""
_FOR = _stems("for thanks")
"""Words between a negator and a name that say what something else is for, or comes from."""
_REFUSING = _stems("no false")
"""Cells of a row that deny its column."""
_SHORT = _stems("no not false unavailable")
"""What denies a value right behind its name."""
_GENERIC = _stems("restaurant business attributes good for offers accepts has is allows")
"""Words of a key that do not tell what it is about."""
_BREAK = re.compile(r"([;.!?—–]\s|,\s)")


def denied_words(aligned: Alignment, evidence: Evidence) -> list[str]:
    """Names of the values of which the claim says the opposite, unless its best line does, too."""
    if not evidence.facts:
        return []
    spots = _spots(aligned.words)
    values: dict[tuple[Word, ...], set[bool]] = {}
    for fact in evidence.facts:
        values.setdefault(fact.words, set()).add(fact.value)
    clauses = _clauses(aligned)
    best = None if aligned.line is None else evidence.lines[aligned.line]
    denied = []
    for words, known in values.items():
        spot = _place(words, spots)
        # A name that is yes in one place and no in another says nothing by itself.
        if not spot or len(known) > 1 or not _in_one_breath(aligned.words, clauses, *spot):
            continue
        (value,) = known
        says_no = _is_denied(aligned.words, clauses, *spot)
        if value:
            opposite = says_no and not _is_conditional(aligned.words, spot[0])
        else:
            opposite = not (says_no or _is_absent(aligned.words, clauses, *spot))
        if opposite and not _says(best, words, not value):
            denied.append(" ".join(word.text for word in words))
    return denied


def _spots(words: Sequence[Word]) -> dict[str, tuple[int, int]]:
    """Where a claim first has a word, its stem, or two words written as one."""
    spots: dict[str, tuple[int, int]] = {}
    for place, word in enumerate(words):
        spots.setdefault(word.key, (place, place))
        spots.setdefault(word.text.lower(), (place, place))
    for place, (word, following) in enumerate(pairwise(words)):
        spots.setdefault((word.text + following.text).lower(), (place, place + 1))
    return spots


def _says(line: Line | None, words: Sequence[Word], value: bool) -> bool:
    """Whether a line has all the words, and affirms them (or denies one of them)."""
    keys = {word.key for word in words if word.content}
    if line is None or not keys or not keys <= line.unique:
        return False
    if value:
        # "open: no" is a cell of a row.
        return keys.isdisjoint(line.negated) and _REFUSING.isdisjoint(line.keys)
    return not keys.isdisjoint(line.negated)


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


def _in_one_breath(
    words: Sequence[Word], clauses: Sequence[tuple[int, int]], first: int, last: int
) -> bool:
    """Whether a name's words belong together: not "Basic has no wifi, while Pro has it"."""
    turned = any(word.key in _TURNING for word in words[first:last])
    return clauses[first] == clauses[last] and not turned


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
    """Whether a negator stands before a place, in the same breath, within it or right behind it."""
    if any(word.negator for word in words[first + 1 : last]):
        return True
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
        if word.key in _DENYING or word.key in _REFUSING or word.negator:
            return at > last + 1 or word.key in _SHORT
        if word.key not in _LINKS:
            return False
    return False


def _is_conditional(words: Sequence[Word], first: int) -> bool:
    """Whether a denial is one for some cases only, or of something else that is for a name."""
    negators = [at for at, word in enumerate(words) if word.negator or word.key in _DENYING]
    conditions = [at for at, word in enumerate(words) if word.key in _CONDITIONS]
    # "Without takeout" alone is no condition.
    if conditions and (len(negators) > 1 or words[conditions[0]].key != "without"):
        return True
    before = [word.key for word in words[negators[0] if negators else 0 : first]]
    return not _FOR.isdisjoint(before)


def _is_absent(
    words: Sequence[Word], clauses: Sequence[tuple[int, int]], first: int, last: int
) -> bool:
    """Whether a name is said to be absent in other words: "denies fever", "pets are forbidden"."""
    before = [word.key for word in words[max(first - 2, 0) : first]]
    if (before[-1:] and before[-1] in _ABSENT) or (before[-1:] == ["of"] and before[0] in _FREE):
        return True
    for at in range(last + 1, len(words)):
        if clauses[at][1] != clauses[last][1] or words[at].key in _TURNING:
            return False
        # "cats and smoking are not allowed", not "outdoor seating and no parking"
        behind = words[min(at + 1, len(words) - 1)]
        if words[at].key == "and" and (behind.negator or behind.key in _VERBS | _SUBJECTS):
            return False
        if words[at].negator or words[at].key in _ABSENT:
            return True
        # "gluten-free"
        if at == last + 1 and words[at].key in _FREE:
            return True
    return False
