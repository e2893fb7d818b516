"""Which judges are told to be the model of a setup, and which are not."""

from __future__ import annotations

from typing import Any

import pytest

from bakeoff.spec.benchmark import Suite
from bakeoff.spec.self_judged import self_judged

RAW: dict[str, Any] = {
    "tasks": ["qa", "other"],
    "endpoints": {
        "judge": {"url": "http://one:1/v1"},
        "same": {"url": "http://one:1/v1/"},
        "far": {"url": "http://two:2/v1"},
    },
    "verifiers": {"nli": {"model": "hf:org/nli@main"}},
}
END = ": judges favour their own answers; name another judge."


def told(setups: dict[str, Any], by: str = "judge:m", **known: Any) -> list[str]:
    suite = Suite.model_validate({**RAW, "setups": setups})
    return self_judged(suite, {"qa": {f"faithfulness(verifier='{by}')": "verifier"}}, **known)


def own(setups: dict[str, Any], by: str = "judge:m", **known: Any) -> str:
    """What stands in the brackets of the one sentence; empty where none is told."""
    sentences = told(setups, by, **known)
    assert len(sentences) <= 1
    return sentences[0].partition("(")[2].removesuffix(f"){END}") if sentences else ""


def test_a_judge_that_is_the_model_of_setups_is_told_with_them() -> None:
    setups = {"base": {"model": "judge:m"}, "rag": {"model": "judge:m", "retrieve": True}, "c": {}}
    assert told(setups) == [f"judge:m judges answers of m itself (base, rag){END}"]


def test_several_metrics_tasks_and_opinions_of_one_judge_are_one_sentence() -> None:
    suite = Suite.model_validate({**RAW, "setups": {"a": {"model": "judge:m"}}})
    names = ("judged_correct", "faithfulness", "preferred", "ragas")
    metrics = {f"{n}(verifier='judge:m{o}')": "judge" for n in names for o in ("", "#2")}
    assert len(self_judged(suite, {"qa": metrics, "other": metrics})) == 1


@pytest.mark.parametrize(
    ("model", "by"),
    [
        ("same:m", "judge:m"),  # one address under two names
        ("far:org/m", "judge:org/m"),  # one name on the Hub, served twice
        ("hf:org/m@v1", "judge:org/m"),  # here, or on an engine, and behind an endpoint
        ("hf:org/nli", "nli"),
        ("./weights/", "./weights/"),
    ],
)
def test_one_model_is_known_under_two_names(model: str, by: str) -> None:
    assert own({"base": {"model": model}, "rag": {"call": "./b.py::f"}}, by) == "base"


@pytest.mark.parametrize(
    ("model", "by"),
    [
        ("judge:n", "judge:m"),
        ("far:m", "judge:m"),  # `m` there may be any model
        ("embedded", "judge:embedded"),
        ("embedded", "nli"),
        ("embedded", "support.json"),
        ("hf:org/other", "judge:org/m"),
    ],
)
def test_another_model_is_not_told(model: str, by: str) -> None:
    assert told({"base": {"model": model}}, by) == []


def test_a_systems_own_model_and_an_embedder_are_not_told() -> None:
    assert (
        told({"mine": {"call": "./b.py::f"}, "there": {"endpoint": {"url": "http://one:1"}}}) == []
    )
    suite = Suite.model_validate({**RAW, "setups": {"base": {}}})
    asking = {"qa": {"similarity(embedder='embedded')": "embedder", "contains": "", "<b>": ""}}
    assert self_judged(suite, asking) == []


def test_only_setups_that_are_asked_the_judged_task_are_told() -> None:
    setups = {"a": {"model": "judge:m", "tasks": ["other"]}, "b": {"model": "judge:m"}}
    assert own(setups) == "b"
    assert told({"a": setups["a"]}) == []


def test_answers_that_come_from_the_model_in_other_ways_are_told_as_such() -> None:
    setups = {
        "base": {"model": "judge:m"},
        "served": {"model": "judge:m", "tune": "my-adapter"},
        "pupil": {"model": "embedded", "tune": {"distill": {"teacher": "base"}}},
        "small": {"model": "embedded"},
        "both": {"route": {"first": "small", "then": "base"}},
    }
    assert own(setups) == "base, both; tuned from it: served; taught by it: pupil"
    assert own(setups, "judge:my-adapter") == "served"
    assert own({"ft": {"model": "hf:org/m", "tune": True}}, "far:org/m") == "tuned from it: ft"


def test_equal_weights_are_told_whatever_they_are_called() -> None:
    setups, models = {"base": {"model": "./a"}}, {"./a": {"weights": "abc", "dtype": "float32"}}
    assert told(setups, "nli", models=models, judges={"nli": {"weights": "abd"}}) == []
    assert told(setups, "nli", models=models, judges={"nli": {"weights": "abc"}}) == [
        f"nli judges answers of hf:org/nli@main itself (base){END}"
    ]


def test_a_judge_of_another_benchmark_file_is_known_by_where_it_was_asked() -> None:
    setups = {"base": {"model": "judge:m"}}
    other = {"other:m": {"url": "http://one:1/v1", "model": "m"}}
    (sentence,) = told(setups, "other:m", judges=other)
    assert sentence.startswith("other:m judges answers of m itself (base)")
    elsewhere = {"judge:m": {"url": "http://three:3/v1", "model": "m"}}
    assert told(setups, judges=elsewhere) == []
