"""Whether an answer declines."""

from __future__ import annotations

import pytest

from bakeoff.metrics.refusals import refused


@pytest.mark.parametrize(
    ("text", "phrase"),
    [
        ("I don't know", "don't know"),
        ("I don’t know", "don't know"),
        ("I DON'T KNOW", "don’t know"),
        ("I do not know", "don't know"),
        ("I don't know", "do not know"),
        ("It cannot be said", "can't be said"),
        ("That can't be\n said", "cannot be said"),
        ("I'm unsure", "i am unsure"),
        ("It's not stated", "it is not stated"),
        ("I won't say", "will not say"),
        ("Das weiß ich nicht", "weiss ich nicht"),
        ("分かりません。", "分かりません"),
        ("Unknown.", "=unknown"),
        ("**unknown**", "= unknown"),
        ("", "x"),
        (" \n", "x"),
    ],
)
def test_a_phrase_declines_however_it_is_written(text: str, phrase: str) -> None:
    assert refused(text, [phrase])


@pytest.mark.parametrize(
    ("text", "phrase"),
    [
        ("The painter is unknown.", "=unknown"),
        (".", "unknown"),
        ("the", "unknown"),
        ("19 kilos", "unknown"),
    ],
)
def test_what_holds_no_phrase_is_an_answer(text: str, phrase: str) -> None:
    assert not refused(text, [phrase])
