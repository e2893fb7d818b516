"""Numbers with their nouns."""

from __future__ import annotations

import pytest

from bakeoff.core.counts import quantity


@pytest.mark.parametrize(
    ("number", "noun", "plural", "text"),
    [
        (0, "row", "", "0 rows"),
        (1, "row", "", "1 row"),
        (2, "row", "", "2 rows"),
        (1, "entry", "entries", "1 entry"),
        (3, "entry", "entries", "3 entries"),
    ],
)
def test_one_is_singular(number: int, noun: str, plural: str, text: str) -> None:
    assert quantity(number, noun, plural) == text
