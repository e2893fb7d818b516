"""What a person may have meant, and what was found instead."""

from __future__ import annotations

import difflib
from collections.abc import Iterable

SHORT = 12
"""Names that a message lists; of more, the nearest."""
TYPO = 0.85
"""Likeness from which on one name is meant and no other."""


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """`; did you mean 'x'?`, else what is known: of a long list, the nearest three."""
    names = sorted(known)
    near = difflib.get_close_matches(name, names, n=3)
    if near and (len(names) <= SHORT or difflib.get_close_matches(name, near[:1], 1, TYPO)):
        return f"; did you mean '{near[0]}'?"
    if near:
        return f"; did you mean {' or '.join(repr(other) for other in near)}?"
    if len(names) <= SHORT:
        return f"; known: {', '.join(names) or 'none'}"
    nearest = difflib.get_close_matches(name, names, n=3, cutoff=0.0)
    return f"; the nearest of {len(names)}: {', '.join(nearest)}"


def near(name: str, known: Iterable[str]) -> str:
    """`; did you mean 'x'?`, or nothing."""
    likely = difflib.get_close_matches(name, sorted(known), n=1)
    return f"; did you mean '{likely[0]}'?" if likely else ""


def shown(value: object) -> str:
    """A value as a message may hold it: `nothing` for none, a long one cut."""
    text = "nothing" if value is None else repr(value)
    return text if len(text) <= 60 else text[:59] + "…"
