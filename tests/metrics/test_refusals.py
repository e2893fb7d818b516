"""Whether an answer declines."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from bakeoff.core.words import QUALITY, REFUSAL, Answer, Failure, Record, Sample, Score
from bakeoff.metrics.refusals import refused
from bakeoff.metrics.registry import find_scorer
from bakeoff.metrics.score import Cell, no_models, scores
from bakeoff.metrics.scorer import Context
from bakeoff.spec.metric import Metric
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


CONTEXT = Context(refusals=("do not know",))
KNOWN = Sample("q1", {"question": "How heavy?", "stale": "18 kilos"}, ("19 kilos",))
UNKNOWN = Sample("q2", {"question": "Who made it?"}, ())


def scored(name: str, sample: Sample, outcome: Answer | Failure) -> Score:
    metric, record = Metric.parse(name), Record(QUALITY, "task", "setup", sample.id, outcome)
    scorer = find_scorer(metric, Path())
    (score,) = scores([Cell(record, sample, metric, scorer, CONTEXT, False)], no_models)
    assert score is not None
    return score


@pytest.mark.parametrize(
    ("metric", "sample", "value"),
    [
        ("right_refusal", UNKNOWN, 1.0),
        ("exact_match", UNKNOWN, 1.0),
        ("crag", UNKNOWN, 1.0),
        ("declined", KNOWN, 1.0),
        ("wrong_refusal", KNOWN, 1.0),
        ("contains", KNOWN, 0.0),
        ("crag", KNOWN, 0.0),
        ("selective_accuracy", KNOWN, None),
    ],
)
def test_an_answer_whose_finish_reason_is_refusal_declines_whatever_it_says(
    metric: str, sample: Sample, value: float | None
) -> None:
    answer = Answer("This goes against my rules; 19 kilos.", finish_reason=REFUSAL)
    assert scored(metric, sample, answer).value == value


@pytest.mark.parametrize("metric", ["declined", "wrong_refusal", "stale_answer"])
def test_a_failed_answer_neither_declined_nor_said_what_is_stale(metric: str) -> None:
    score = scored(metric, KNOWN, Failure("timeout: none in 9 s"))
    assert (score.value, score.applies) == (None, True)
    assert score.reason == "failed: timeout: none in 9 s"
