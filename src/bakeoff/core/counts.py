"""Numbers with their nouns."""

from __future__ import annotations


def quantity(number: float, noun: str, plural: str = "") -> str:
    """A number with its noun.

    >>> quantity(1, "row"), quantity(2, "row"), quantity(0, "entry", "entries")
    ('1 row', '2 rows', '0 entries')
    """
    return f"{number:.12g} {noun if number == 1 else plural or noun + 's'}"
