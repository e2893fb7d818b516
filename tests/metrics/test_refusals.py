"""Whether an answer declines."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from bakeoff.metrics.refusals import refused
from bakeoff.spec.refusals import PHRASES

LABELLED = Path(__file__).parent / "refusals.jsonl"
DOCS = Path(__file__).parents[2] / "docs" / "scorers" / "README.md"


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


def test_the_default_phrases_find_as_many_refusals_as_the_documentation_says() -> None:
    rows = [json.loads(line) for line in LABELLED.read_text().splitlines()]
    marked = {
        kind: [refused(row["text"], PHRASES) for row in rows if row["declines"] is kind]
        for kind in (True, False)
    }
    hits, false = sum(marked[True]), sum(marked[False])
    measured = f"{hits} of {len(marked[True])} refusals and {false} of {len(marked[False])} answers"
    assert measured in " ".join(DOCS.read_text(encoding="utf-8").split())
