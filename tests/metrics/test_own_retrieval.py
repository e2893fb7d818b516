"""A user's own retrieval is scored by the passages it gives, whatever its steps are called."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pytest

from bakeoff.core.words import QUALITY, Answer, Failure, Passage, Record, Sample, Score, Step
from bakeoff.metrics.registry import find_scorer
from bakeoff.metrics.score import answers_from_passages, score_records
from bakeoff.metrics.scorer import Context, Scorer
from bakeoff.spec.metric import Metric
from bakeoff.spec.setups import Setup

METRICS = (
    *("retrieval_recall(k=1)", "retrieval_precision(k=1)", "retrieval_hit(k=1)"),
    *("retrieval_mrr", "retrieval_ndcg(k=1)", "answer_in_context"),
)
LEAFLET = "The lamp burns for nine hours."
OURS = Setup(name="ours", call="bot.py::answer")
SERVICE = Setup.model_validate(
    {
        "name": "ours",
        "endpoint": {
            "url": "http://127.0.0.1:9/ask",
            "request": {"q": "{question}"},
            "response": {"text": "a", "passages": "p"},
        },
    }
)


class Lamps:
    """A task of two questions without a corpus."""

    samples: Sequence[Sample] = tuple(
        Sample(name, {"question": "How long does the lamp burn?"}, ("nine hours",), ("leaflet",))
        for name in ("one", "two")
    )
    scorers: Mapping[Metric, Scorer]

    def __init__(self, *metrics: str) -> None:
        parsed = map(Metric.parse, metrics)
        self.scorers = {metric: find_scorer(metric, Context().folder) for metric in parsed}

    def context(self) -> Context:
        return Context()


def scored(
    setup: Setup, *outcomes: Answer | Failure, metrics: Sequence[str] = METRICS
) -> list[Mapping[str, Score]]:
    """The scores of the answers to the task's questions."""
    task = Lamps(*metrics)
    pairs = zip(task.samples, outcomes, strict=True)
    records = [Record(QUALITY, "lamps", setup.name, s.id, outcome) for s, outcome in pairs]
    rows = score_records(records, task, answers_from_passages(setup, records))
    return [row.scores for row in rows]


def read(text: str = "nine hours", step: str = "call") -> Answer:
    return Answer(text, (Passage("leaflet", 0, len(LEAFLET), LEAFLET),), (Step(step),))


def values(scores: Mapping[str, Score]) -> dict[str, float | None]:
    return {name: score.value for name, score in scores.items()}


@pytest.mark.parametrize("setup", [OURS, SERVICE])
def test_passages_are_scored_and_answers_without_any_found_none(setup: Setup) -> None:
    first, second = scored(setup, read(), Answer("nine hours", (), (Step("call"),)))
    assert values(first) == dict.fromkeys(METRICS, 1.0)
    assert values(second) == dict.fromkeys(METRICS, 0.0)


def test_failures_of_an_own_retrieval_score_the_worst() -> None:
    assert values(scored(OURS, read(), Failure("timeout"))[1]) == dict.fromkeys(METRICS, 0.0)


def test_a_service_that_never_finds_anything_scores_nothing() -> None:
    found = scored(SERVICE, Answer("nine hours"), Answer("ten"))
    assert [values(scores) for scores in found] == [dict.fromkeys(METRICS, 0.0)] * 2


def test_a_function_without_passages_is_closed_book() -> None:
    assert scored(OURS, Answer("nine hours"), Failure("timeout")) == [{}, {}]


def test_faithfulness_asks_for_passages_not_for_a_step() -> None:
    right, wrong = scored(
        OURS,
        read("The lamp burns for nine hours."),
        read("Whales migrate to Norway every autumn.", "search"),
        metrics=["faithfulness"],
    )
    high, low = right["faithfulness"].value, wrong["faithfulness"].value
    assert high is not None
    assert low is not None
    assert low < 0.5 < high


def test_the_text_of_a_gold_document_that_the_task_lacks_is_asked_for_by_name() -> None:
    (score, _) = scored(OURS, read(), read(), metrics=["support_gold"])
    assert score["support_gold"] == Score(None, "the task has no text of document 'leaflet'")
