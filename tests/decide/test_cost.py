"""Costs of a finished run written by hand, with the sums written out; and where costs cross."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bakeoff import testing
from bakeoff.analysis import stats
from bakeoff.analysis.measured_run import Run
from bakeoff.core.estimate import Estimate, exactly
from bakeoff.core.table import money
from bakeoff.core.words import (
    Answer,
    BakeoffError,
    Failure,
    Sample,
    Score,
    Step,
)
from bakeoff.decide import cost
from bakeoff.decide.cost import Costs, Load, compute, shown
from bakeoff.decide.cost.costs import Pair
from bakeoff.decide.cost.crossover import (
    ALWAYS,
    CROSSES,
    INCONCLUSIVE,
    NEVER,
    SAME,
    Crossover,
    crossover,
    quotients,
    total,
)
from bakeoff.decide.cost.prices import Prices, load_prices
from bakeoff.outputs.page import html, pictures
from bakeoff.outputs.tables.costs import costs
from bakeoff.outputs.tables.markdown import markdown
from bakeoff.runs.store import (
    MANIFEST,
    Unit,
    write_json,
)
from bakeoff.runs.store import write_scores as keep_scores
from bakeoff.spec.benchmark import Suite
from bakeoff.testing import RATE, Made, made_manifest, task_facts
from conftest import ROOT, Cli

SQUARE: dict[str, Any] = {
    "base": {},
    "fine-tuned": {"tune": True},
    "rag": {"retrieve": True},
    "hybrid": {"tune": True, "retrieve": True},
}
RIGHT = {"base": 1, "rag": 2, "fine-tuned": 4, "hybrid": 3}
"""Of four answers, how many are right."""
TRAINING = {"rows": 9, "tokens": 50_000, "seconds": 7200.0, "peak_memory_mb": 1.0, "curve": []}
WORK = {"passages": 200, "embedded": 50, "embed_s": 9.0, "build_s": 1.0, "bytes": 3_000_000_000}
INDEX = {"digest": "ii", "passages": 200, "work": WORK}
BY_TOKENS = {
    "prices": "v1",
    "dated": "2026-11-15",
    "currency": "EUR",
    "models": {"embedded": {"prompt": 2.0, "completion": 10.0}},
    "training": {"per_million_tokens": 4.0},
    "embedding": {"per_hour": 36.0, "machine": "cpu"},
    "retrieval": {"per_hour": 36.0, "machine": "cpu"},
    "index_gb_month": 0.25,
    "engineer_hour": 80.0,
    "hours": {"fine-tuned": {"up_front": [5, 15], "per_update": 1}},
}
BY_HOURS = {
    **{key: BY_TOKENS[key] for key in ("prices", "dated", "currency")},
    "models": {"embedded": {"per_hour": 36.0, "machine": "cpu"}},
    "training": {"per_hour": 0.5, "machine": "cpu"},
}

THERE: dict[str, Any] = {
    **{key: BY_TOKENS[key] for key in ("prices", "dated", "currency", "training")},
    "models": {"there:small": {"prompt": 2.0, "completion": 10.0}},
}


def sample(n: int) -> Sample:
    return Sample(str(n), {"question": f"Question {n}?"}, ("x",), cluster=f"book {n // 2}")


def answer(task: str, setup: str, n: int) -> Answer | Failure:
    """Prompts of 100, 110, 120, 130 tokens, 1,000 more with passages; answers of 10."""
    opened = setup in ("rag", "hybrid")
    prompt = 100 + 10 * n + (1000 if opened else 0)
    return Answer("x", steps=(Step("decode", None, prompt, 1000 * opened, 10),))


def timed(setup: str, n: int) -> Answer:
    """Answers in 1, 2, 3, 4 seconds; half of that where tuned; a second more of retrieval."""
    decode = (1.0 + n) / (2 if setup in ("fine-tuned", "hybrid") else 1)
    found = [Step("retrieve", 1.0)] if setup in ("rag", "hybrid") else []
    return Answer("x", steps=(*found, Step("decode", decode, 10, 0, 10)))


def write_run(
    folder: Path,
    setups: Mapping[str, Any] = SQUARE,
    tasks: Mapping[str, int] = {"qa": 4},
    answered: Callable[[str, str, int], Answer | Failure] = answer,
    clock: Callable[[str, int], Answer] | None = timed,
    suite: Suite | None = None,
    **changes: Any,
) -> Run:
    """A finished run; `tasks` are names and numbers of samples, `changes` of the manifest."""
    path = folder / "20260101-000000-000000"
    suite = suite or Suite.model_validate({"name": "small", "tasks": list(tasks), "setups": setups})
    tuned = [(t, s.name) for t in tasks for s in suite.setups.values() if s.tune]
    facts = {
        "adapters": {f"{t}/{s}": {"digest": f"{t} dd", "training": TRAINING} for t, s in tuned},
        "indexes": {f"{task}/books": {**INDEX, "digest": f"{task} ii"} for task in tasks},
        "seconds": {"quality": 1.0},
        **changes,
    }
    asked = {task: task_facts(n, {"contains": RATE}) for task, n in tasks.items()}
    samples = {task: [sample(i) for i in range(n)] for task, n in tasks.items()}

    def made(task: str, setup: str, sample: Sample) -> Made:
        n = int(sample.id)
        outcome = answered(task, setup, n)
        right = n < RIGHT.get(setup, 0) and isinstance(outcome, Answer)
        scores = {"contains": Score(float(right))}
        return Made((outcome,), scores, (clock(setup, n),) if clock else ())

    manifest = made_manifest(path.name, suite, asked, **facts)
    return Run(testing.write_run(path, manifest, samples, made))


@pytest.fixture
def run(tmp_path: Path) -> Run:
    return write_run(tmp_path)


def prices(raw: Mapping[str, Any] = BY_TOKENS, **changes: Any) -> Prices:
    return Prices.model_validate({**raw, **changes})


LOAD = Load(volume=1000, updates=2, months=10)


def value(found: Costs, setup: str, part: str) -> float:
    number: float = getattr(found.setups[setup], part).value
    return number


def three(money: Estimate) -> tuple[float | None, float | None, float | None]:
    return money.value, money.low, money.high


def test_a_request_by_tokens(run: Run) -> None:
    found = compute(run, prices(), LOAD)
    # Prompts of (100 + 110 + 120 + 130) / 4 = 115 tokens at 2, answers of 10 at 10, by million.
    assert value(found, "base", "per_request") == pytest.approx((115 * 2 + 10 * 10) / 1e6)
    # 1,000 more of passages; and a second of retrieval at 36 an hour, which is 0.01.
    expected = (1115 * 2 + 10 * 10) / 1e6 + 0.01
    assert value(found, "rag", "per_request") == pytest.approx(expected)


def test_a_request_by_the_machines_time(run: Run) -> None:
    found = compute(run, prices(BY_HOURS), LOAD)
    # (1 + 2 + 3 + 4) / 4 = 2.5 seconds at 0.01; tuned 1.25; a second more of retrieval.
    seconds = {"base": 2.5, "fine-tuned": 1.25, "rag": 3.5, "hybrid": 2.25}
    for setup, each in seconds.items():
        assert value(found, setup, "per_request") == pytest.approx(each * 0.01)
    assert any("upper bound" in note and "4 samples" in note for note in found.notes)


def test_a_share_of_prompt_tokens_at_the_cached_price(run: Run) -> None:
    raw = {"prompt": 2.0, "cached": 0.5, "cached_share": 0.4, "completion": 10.0}
    found = compute(run, prices(models={"embedded": raw}), LOAD)
    # 115 tokens at 0.6 x 2 + 0.4 x 0.5 = 1.4.
    assert value(found, "base", "per_request") == pytest.approx((115 * 1.4 + 100) / 1e6)
    assert any("40% of prompt tokens" in note for note in found.notes)


def test_a_setups_own_price_comes_before_that_of_its_model(run: Run) -> None:
    found = compute(run, prices(setups={"rag": {"per_request": 0.5}}, retrieval=None), LOAD)
    assert found.setups["rag"].per_request == Estimate(0.5, 0.5, 0.5)
    assert value(found, "base", "per_request") < 0.001


def test_a_right_answer_costs_the_mean_over_the_score(run: Run) -> None:
    found = compute(run, prices(), LOAD)
    each = (115 * 2 + 100) / 1e6
    # Base is right once in four times: four requests for a right answer.
    assert value(found, "base", "per_correct") == pytest.approx(4 * each)
    assert value(found, "fine-tuned", "per_correct") == pytest.approx(each)
    ends = found.setups["base"].per_correct
    assert ends.low < ends.value < ends.high
    # Clusters of two: twice the samples would not be so sure.
    assert ends.high > 10 * each


def test_no_right_answer_has_no_price_but_a_least_one(tmp_path: Path) -> None:
    run = write_run(tmp_path, {"none": {}, "base": {}})
    found = compute(run, prices(hours={"base": {}}), LOAD).setups["none"].per_correct
    assert found.value is None and found.high is None and found.low > 0


def test_work_up_front(run: Run) -> None:
    found = compute(run, prices(), LOAD)
    # 50,000 tokens at 4 by million; 5 to 15 hours at 80, 10 of them in the middle.
    tuned = found.setups["fine-tuned"].up_front
    assert three(tuned) == pytest.approx((800.2, 400.2, 1200.2))
    # 9 s for 50 of 200 passages are 36 s for all; 1 s to build; 37 s at 0.01.
    assert value(found, "rag", "up_front") == pytest.approx(0.37)
    # Seconds that were measured once: nothing is known of how they vary.
    assert found.setups["rag"].up_front.low is None
    assert value(found, "hybrid", "up_front") == pytest.approx(0.2 + 0.37)
    assert found.setups["base"].up_front == Estimate(0, 0, 0)


def test_training_by_the_hour(run: Run) -> None:
    found = compute(run, prices(BY_HOURS), LOAD)
    # 7,200 s are two hours at 0.5.
    assert found.setups["fine-tuned"].up_front == Estimate(1.0)


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        # The bill comes before amounts; it varies no more than any sum that was paid.
        ({"trained": {"fine-tuned": {"paid": 12.5, "seconds": 9}}}, Estimate(12.5, 12.5, 12.5)),
        # 300,000 tokens at 4 by million; half an hour at 2 by hour, on whatever machine.
        ({"trained": {"fine-tuned": {"tokens": 300_000}}}, Estimate(1.2, 1.2, 1.2)),
        (
            {
                "trained": {"fine-tuned": {"seconds": 1800}},
                "training": {"per_hour": 2.0, "machine": "gpu"},
            },
            Estimate(1.0),
        ),
    ],
)
def test_tuning_of_a_service_is_paid_as_the_price_file_states(
    tmp_path: Path, changes: dict[str, Any], expected: Estimate
) -> None:
    found = compute(served(tmp_path), prices(THERE, **changes), LOAD)
    assert found.setups["fine-tuned"].up_front == expected
    assert not any(text.startswith("training") for text in found.left_out)


@pytest.mark.parametrize(
    ("trained", "says"),
    [
        ({}, "training of fine-tuned: made outside of bakeoff; the price file can state it"),
        (
            {"fine-tuned": {"seconds": 1800}},
            "training of fine-tuned: trained.fine-tuned lacks tokens, which training prices",
        ),
    ],
)
def test_tuning_of_a_service_that_is_not_stated_is_left_out(
    tmp_path: Path, trained: dict[str, Any], says: str
) -> None:
    found = compute(served(tmp_path), prices(THERE, trained=trained), LOAD)
    assert found.setups["fine-tuned"].up_front == Estimate(0, 0, 0)
    assert any(text.startswith(says) for text in found.left_out)


def test_a_served_tuned_model_has_its_own_price_or_that_of_its_base_which_is_said(
    tmp_path: Path,
) -> None:
    run = served(tmp_path)
    dearer = {"there:ft-small-1": {"prompt": 4.0, "completion": 20.0}}
    own, base = (
        compute(run, prices(THERE, models={**THERE["models"], **models}), LOAD)
        for models in (dearer, {})
    )
    for found, factor in ((own, 2), (base, 1)):
        expected = factor * value(found, "base", "per_request")
        assert value(found, "fine-tuned", "per_request") == pytest.approx(expected)
    note = "requests of fine-tuned are priced as those of there:small, which it was tuned from"
    assert note in base.notes and note not in own.notes


def served(folder: Path) -> Run:
    """A run whose tuned model a service has made and serves."""
    raw = {
        **{"name": "small", "tasks": ["qa"], "model": "there:small"},
        "endpoints": {"there": {"url": "http://127.0.0.1:9/v1"}},
        "setups": {"base": {}, "fine-tuned": {"tune": "ft-small-1"}},
    }
    run = write_run(folder, suite=Suite.model_validate(raw), adapters={}, indexes={})
    assert run.suite.setups["fine-tuned"].kind == "fine-tuned"
    return run


def test_an_adapter_of_all_tasks_together_is_paid_once(tmp_path: Path) -> None:
    shared = {"digest": "one", "reused": False, "training": TRAINING}
    adapters = {f"{task}/fine-tuned": shared for task in ("a", "b")}
    setups = {"fine-tuned": {"tune": {"together": True}}}
    run = write_run(tmp_path, setups, {"a": 4, "b": 4}, adapters=adapters)
    found = compute(run, prices(BY_HOURS), LOAD)
    assert value(found, "fine-tuned", "up_front") == 1.0


def test_a_month_is_the_sum_of_its_parts(run: Run) -> None:
    found = compute(run, prices(), LOAD)
    each = (115 * 2 + 100) / 1e6
    # Up front over 10 months; 2 updates of training again (0.2) and an hour (80); 1,000 requests.
    month = 800.2 / 10 + 2 * (0.2 + 80) + 1000 * each
    assert value(found, "fine-tuned", "per_month") == pytest.approx(month)
    assert value(found, "fine-tuned", "per_update") == pytest.approx(80.2)
    # Index: 0.37 to build, again for each update; 3 GB at 0.25.
    month = 0.37 / 10 + 2 * 0.37 + 0.75 + 1000 * ((1115 * 2 + 100) / 1e6 + 0.01)
    assert value(found, "rag", "per_month") == pytest.approx(month)
    for setup in SQUARE:
        parts = found.setups[setup].parts
        assert sum(parts.values()) == pytest.approx(value(found, setup, "per_month"))


def changing(folder: Path, **index: Any) -> Run:
    """A run whose task also stands there as it was before a change of five passages."""
    run = write_run(folder, SQUARE, {"qa_before": 4, "qa": 4})
    raw = json.loads((run.folder / MANIFEST).read_text())
    raw["tasks"]["qa"]["before"] = "qa_before"
    about = {"setups": ["rag", "hybrid"], "embedder": "e"}
    raw["indexes"]["qa_before/books"] |= about
    raw["indexes"]["qa/books"] |= about | {"changed": 5} | index
    write_json(run.folder / MANIFEST, raw)
    return Run(run.folder)


def test_measured_work_of_an_update_comes_before_all_of_it_again(run: Run, tmp_path: Path) -> None:
    free = {"base": {}}
    again = compute(run, prices(hours=free), LOAD)
    assert any("fine-tuned is taken to be all of its work" in note for note in again.notes)
    found = compute(changing(tmp_path / "changing"), prices(hours=free), LOAD)
    # Training anew: 50,000 tokens at 4 by million.
    assert value(found, "fine-tuned", "per_update") == pytest.approx(0.2)
    # Five passages of 9 / 50 s each, and 1 s to build: 1.9 s at 0.01.
    assert value(found, "rag", "per_update") == pytest.approx(0.019)
    assert value(found, "hybrid", "per_update") == pytest.approx(0.219)
    assert value(found, "base", "per_update") == 0
    assert not any("again" in note for note in found.notes)


def test_a_task_of_before_a_change_is_no_load(tmp_path: Path) -> None:
    found = compute(changing(tmp_path), prices(hours={"base": {}})).setups
    assert set(found["base"].tasks) == {"qa"}
    assert found["rag"].up_front.value == pytest.approx(0.37)


def test_an_update_that_was_not_timed_is_not_free(tmp_path: Path) -> None:
    work = {**WORK, "embedded": 0, "embed_s": 0.0}
    run = changing(tmp_path, work=work)
    raw = json.loads((run.folder / MANIFEST).read_text())
    raw["indexes"]["qa_before/books"]["work"] = work
    write_json(run.folder / MANIFEST, raw)
    found = compute(Run(run.folder), prices(hours={"base": {}}))
    assert "embedding of an update on qa: it was not timed in this run" in found.left_out


def test_tasks_count_by_their_share_of_the_requests(tmp_path: Path) -> None:
    def by_task(task: str, setup: str, n: int) -> Answer:
        return Answer("x", steps=(Step("decode", None, 100 if task == "a" else 300, 0, 10),))

    run = write_run(tmp_path, {"base": {}}, {"a": 4, "b": 8}, by_task)
    free = prices(hours={"base": {}})
    a, b = (100 * 2 + 100) / 1e6, (300 * 2 + 100) / 1e6
    assert value(compute(run, free), "base", "per_request") == pytest.approx((a + b) / 2)
    found = compute(run, free, Load(weights={"a": 3}))
    assert value(found, "base", "per_request") == pytest.approx((3 * a + b) / 4)
    assert found.weights == {"a": 0.75, "b": 0.25}
    assert found.setups["base"].tasks["b"].per_request.value == pytest.approx(b)


def test_seconds_that_are_all_alike_may_still_be_otherwise(tmp_path: Path) -> None:
    def steady(setup: str, n: int) -> Answer:
        return Answer("x", steps=(Step("decode", 0.7 if setup == "base" else 0.1, 10, 0, 10),))

    run = write_run(tmp_path, {"base": {}, "other": {}}, {"qa": 20}, clock=steady)
    found = compute(run, prices(BY_HOURS))
    # At most a share of 1 - 0.025^(1/10 clusters) of them, up to the dearest: 0.007.
    share = 1 - 0.025 ** (1 / 10)
    each = found.setups["other"].per_request
    expected = (0.001, 0.001 - share * 0.001, 0.001 + share * 0.006)
    assert three(each) == pytest.approx(expected)
    gap = pair(found, "base", "other").difference.per_request
    expected = (-0.006, -0.006 - share * 0.001, -0.006 + share * 0.013)
    assert three(gap) == pytest.approx(expected)


def test_only_what_lacks_something_is_marked(run: Run) -> None:
    hours = {name: {"up_front": 1} for name in SQUARE}
    raw = {key: each for key, each in BY_TOKENS.items() if key != "training"}
    (costs, *_) = shown.tables(compute(run, prices(raw, hours=hours)))
    assert [row[0] for row in costs.rows] == ["base", "fine-tuned *", "rag", "hybrid *"]


def test_a_failed_request_is_no_right_answer(tmp_path: Path) -> None:
    def failing(task: str, setup: str, n: int) -> Answer | Failure:
        return Failure("timeout") if n == 3 else answer(task, setup, n)

    run = write_run(tmp_path, {"fine-tuned": {"tune": True}}, answered=failing)
    found = compute(run, prices(), LOAD)
    # Three answers of 100, 110, 120 tokens; three of four are right.
    each = (110 * 2 + 100) / 1e6
    assert value(found, "fine-tuned", "per_correct") == pytest.approx(each / 0.75)


def test_what_has_no_price_is_said_and_not_free(tmp_path: Path) -> None:
    setups = {"base": {}, "mine": {"call": "./bot.py::answer"}}
    run = write_run(tmp_path, setups, clock=None)
    found = compute(run, prices(hours={"base": {}}))
    assert found.setups["mine"].per_request == Estimate()
    assert found.setups["mine"].per_month.value is None
    assert found.crossovers == ()
    assert any(text.startswith("mine: what a request costs") for text in found.left_out)
    (row,) = [row for row in shown.tables(found)[0].rows if row[0] == "mine *"]
    assert row[3] == "not known"


@pytest.mark.parametrize(
    ("lacks", "says"),
    [
        ("training", "training: the price file lacks training"),
        ("embedding", "embedding: the price file lacks embedding"),
        ("retrieval", "retrieval of rag: the price file lacks retrieval"),
        ("index_gb_month", "index storage: the price file lacks index_gb_month"),
    ],
)
def test_every_price_that_is_left_out_is_named(run: Run, lacks: str, says: str) -> None:
    raw = {key: each for key, each in BY_TOKENS.items() if key != lacks}
    found = compute(run, prices(raw))
    assert says in found.left_out
    assert says not in compute(run, prices()).left_out
    assert ("left out", says) in shown.tables(found)[-1].rows


def test_an_index_that_a_cache_had_is_not_cheap(tmp_path: Path) -> None:
    work = {**WORK, "embedded": 0, "embed_s": 0.0}
    indexes = {"qa/books": {**INDEX, "work": work}}
    run = write_run(tmp_path, {"rag": {"retrieve": True}}, indexes=indexes)
    found = compute(run, prices())
    assert "embedding on qa: it was not timed in this run" in found.left_out
    assert value(found, "rag", "up_front") == 0


def test_seconds_of_another_kind_of_machine_are_not_priced(tmp_path: Path, run: Run) -> None:
    raw = {"models": {"embedded": {"per_hour": 3.0, "machine": "gpu"}}}
    with pytest.raises(BakeoffError, match=r"models\.embedded\.machine: gpu"):
        compute(run, prices(BY_HOURS, **raw))
    with pytest.raises(BakeoffError, match=r"training\.machine: gpu"):
        compute(run, prices(BY_HOURS, training={"per_hour": 3.0, "machine": "gpu"}))
    hardware = {"processor": "p", "cores": 2, "memory_gb": 1.0, "gpu": "G", "system": "s"}
    other = write_run(tmp_path / "gpu", hardware=hardware)
    with pytest.raises(BakeoffError, match="of a machine with a GPU"):
        compute(other, prices(BY_HOURS))


def test_a_machine_behind_an_endpoint_may_be_any(tmp_path: Path) -> None:
    setups = {"served": {"model": "there:small"}}
    suite = Suite.model_validate(
        {
            "name": "small",
            "tasks": ["qa"],
            "setups": setups,
            "endpoints": {"there": {"url": "http://127.0.0.1:9"}},
        }
    )
    run = write_run(tmp_path, {"served": {}}, suite=suite)
    gpu = {"there:small": {"per_hour": 36.0, "machine": "gpu"}}
    assert value(compute(run, prices(BY_HOURS, models=gpu)), "served", "per_request") == 0.025


def test_setups_of_different_tasks_are_not_crossed(tmp_path: Path) -> None:
    setups = {"base": {}, "other": {"tasks": ["a"]}}
    run = write_run(tmp_path, setups, {"a": 4, "b": 4})
    found = compute(run, prices(hours={"base": {}}))
    assert found.crossovers == ()
    assert any("base and other have different tasks" in note for note in found.notes)


def test_a_load_names_tasks_of_the_run(run: Run) -> None:
    with pytest.raises(BakeoffError, match=r"weights: no task 'qq' in this run; .*qa"):
        compute(run, prices(), Load(weights={"qq": 1}))


def test_prices_of_other_models_are_refused_with_the_names_that_would_work(run: Run) -> None:
    with pytest.raises(BakeoffError, match=r"no setup of it has a price: .* there:small.*embedded"):
        compute(run, prices(models={"there:small": {"per_request": 1.0}}))


FAULTS = {
    "models: {embedded: {prompt: 1}}": "models.embedded: give both prompt and completion",
    "models: {embedded: {per_hour: 1}}": "per_hour and machine (cpu or gpu) go together",
    "models: {embedded: {}}": "give one of prompt and completion, per_hour, per_request",
    "models: {embedded: {per_request: -1}}": "per_request: must be 0 or more (found -1)",
    "models: {embedded: {per_request: .nan}}": "finite",
    "models: {embedded: {per_request: 1, cached: 1}}": "cached and cached_share go together",
    "setups: {}": "give the price of one model at least",
    "model: {}": "no such field; did you mean 'models'?",
    "models: {e: {per_request: 1}}\nhours: {rag: {up_front: 1}}": "need engineer_hour",
    "models: {e: {per_request: 1}}\nengineer_hour: 80": "needs hours",
    "models: {e: {per_request: 1}}\nengineer_hour: 80\nhours: {rag: {up_front: [3, 1]}}": (
        "a range goes from low to high (found [3, 1])"
    ),
    "models: {e: {per_request: 1}}\nengineer_hour: 80\nhours: {rag: {up_front: much}}": (
        "give a number of hours, or a range [low, high]"
    ),
    "models: {e: {per_request: 1}}\ntrained: {t: {}}": "give paid, tokens or seconds",
    "models: {e: {per_request: 1}}\ntraining: {}": "give one of per_million_tokens, per_hour",
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_of_a_price_file_is_named(tmp_path: Path, fault: str) -> None:
    file = tmp_path / "p.yaml"
    file.write_text(f"prices: v1\ndated: 2026-11-15\ncurrency: EUR\n{fault}\n")
    with pytest.raises(BakeoffError) as error:
        load_prices(file)
    assert str(error.value).startswith(f"{file}: ") and FAULTS[fault] in str(error.value)


@pytest.mark.parametrize("head", ["prices: v2", "dated: soon", "currency: euro"])
def test_version_date_and_currency_are_checked(tmp_path: Path, head: str) -> None:
    fields = {"prices": "v1", "dated": "2026-11-15", "currency": "EUR"}
    name, _, said = head.partition(": ")
    lines = [f"{key}: {each}" for key, each in {**fields, name: said}.items()]
    file = tmp_path / "p.yaml"
    file.write_text("\n".join([*lines, "models: {e: {per_request: 1}}"]))
    with pytest.raises(BakeoffError, match=f"{name}: "):
        load_prices(file)


@pytest.mark.parametrize(
    "file", sorted((ROOT / "benchmarks" / "prices").glob("*.yaml")), ids=lambda file: file.name
)
def test_the_shipped_prices_are_valid_and_say_that_they_are_examples(file: Path) -> None:
    assert load_prices(file).dated.isoformat() == "2026-11-15"
    assert "example" in file.read_text().splitlines()[0]


# Where two costs cross.

ENDS = st.floats(0.01, 100).map(lambda x: round(x, 3))


@st.composite
def ranges(draw: st.DrawFn) -> Estimate:
    """Numbers of either sign, exact or with an interval of unequal sides."""
    middle = draw(ENDS) * draw(st.sampled_from((-1, 1)))
    below, above = draw(st.sampled_from((0.0, 1.0))) * draw(ENDS), draw(ENDS)
    return Estimate(middle, middle - below, middle + above if below else middle)


@st.composite
def above_0(draw: st.DrawFn) -> Estimate:
    """Numbers above 0 for sure."""
    middle, share = draw(ENDS), draw(st.sampled_from((0.0, 0.3, 0.7)))
    return Estimate(middle, middle * (1 - share), middle * (1 + 2 * share))


def test_a_sum_by_hand() -> None:
    # Distances 3 and 4 make 5: 10 - 5; the other way 6 and 8 make 10.
    found = total([(Estimate(6, 3, 12), 1), (Estimate(8, 0, 12), 0.5)])
    assert (found.value, found.low) == (10, 10 - 5)
    assert found.high == pytest.approx(10 + math.hypot(6, 2))
    # Taken away, the sides change places.
    assert total([(Estimate(6, 3, 12), -1)]) == Estimate(-6, -12, -3)


def test_an_exact_crossover_is_a_point() -> None:
    # 100 a month more, 0.5 a request less: 200 requests.
    found = crossover(exactly(100.0), exactly(-0.5))
    assert found == Crossover(CROSSES, exactly(200.0), 1)


def test_with_one_uncertain_line_the_interval_is_that_of_the_line() -> None:
    # A request of b costs 0.25 to 1 less: 100 / 1 to 100 / 0.25.
    found = crossover(exactly(100.0), Estimate(-0.5, -1.0, -0.25))
    assert (found.state, found.volume.value) == (CROSSES, 200.0)
    assert (found.volume.low, found.volume.high) == pytest.approx((100, 400))
    # Fixed cost of 50 to 300 more: 50 / 0.5 to 300 / 0.5.
    found = crossover(Estimate(100.0, 50.0, 300.0), exactly(-0.5))
    assert (found.volume.low, found.volume.high) == pytest.approx((100, 600))


def test_fiellers_own_set() -> None:
    # Equal sides of 2 around 10 and of 1 around 4: (10 - 4r)² = 4 + r², 15r² - 80r + 96 = 0.
    root = math.sqrt(80**2 - 4 * 15 * 96)
    ((low, high),) = quotients(Estimate(10, 8, 12), Estimate(4, 3, 5))
    assert (low, high) == pytest.approx(((80 - root) / 30, (80 + root) / 30))


def test_a_difference_that_may_be_none_has_no_upper_end() -> None:
    found = crossover(exactly(100.0), Estimate(-0.5, -1.0, 0.25))
    assert (found.state, found.volume.value, found.volume.high, found.cheaper) == (
        INCONCLUSIVE,
        200.0,
        None,
        0,
    )
    assert found.volume.low == pytest.approx(100)


def test_a_fixed_cost_that_may_be_none_has_no_lower_end() -> None:
    found = crossover(Estimate(100.0, -50.0, 300.0), exactly(-0.5))
    assert (found.state, found.volume.low, found.cheaper) == (INCONCLUSIVE, 0.0, 1)
    assert found.volume.high == pytest.approx(600)


def test_alike_in_one_and_dearer_in_the_other_is_never() -> None:
    assert crossover(exactly(0.0), exactly(0.5)).state == NEVER
    assert crossover(exactly(7.0), exactly(0.0)) == Crossover(NEVER, Estimate(), -1)
    assert crossover(exactly(0.0), exactly(-0.5)).state == ALWAYS
    assert crossover(exactly(0.0), exactly(0.0)).state == SAME
    assert crossover(exactly(0.0), Estimate(0.1, -0.1, 0.3)).state == INCONCLUSIVE


@given(ranges(), ranges())
def test_a_crossover_is_the_same_from_both_sides(fixed: Estimate, each: Estimate) -> None:
    one, two = crossover(fixed, each), crossover(fixed.scaled(-1), each.scaled(-1))
    swapped = {NEVER: ALWAYS, ALWAYS: NEVER}
    assert two.state == swapped.get(one.state, one.state)
    assert vars(two.volume) == pytest.approx(vars(one.volume))
    assert two.cheaper == -one.cheaper


@given(ranges(), ranges(), st.sampled_from((2.0**-20, 0.25, 8.0, 2.0**20)))
def test_the_currency_does_not_matter(fixed: Estimate, each: Estimate, k: float) -> None:
    assert crossover(fixed.scaled(k), each.scaled(k)) == crossover(fixed, each)


@given(above_0(), above_0(), ENDS)
def test_a_dearer_start_moves_the_crossover_its_way(
    dear: Estimate, each: Estimate, more: float
) -> None:
    """b is dearer at first and cheaper by request: a dearer start asks for more requests."""
    dearer = dear.scaled(1, more)
    one, two = crossover(dear, each.scaled(-1)), crossover(dearer, each.scaled(-1))
    assert one.state == two.state == CROSSES and one.cheaper == two.cheaper == 1
    for end in ("value", "low", "high"):
        assert getattr(two.volume, end) > getattr(one.volume, end)


@given(ranges(), ranges())
def test_the_set_is_where_the_difference_may_be_0(fixed: Estimate, each: Estimate) -> None:
    found = crossover(fixed, each)
    for volume in (1e-3, 0.1, 0.5, 1.0, 2.0, 10.0, 1e3):
        gap = total([(fixed, 1), (each, volume)])
        inside = any(low <= volume <= high for low, high in quotients(fixed, each.scaled(-1)))
        near = min(abs(gap.low), abs(gap.high)) < 1e-6 * abs(gap.value) + 1e-9
        assert near or inside == (not gap.clear)
        if inside and not near:
            assert found.volume.low is not None and found.volume.low <= volume <= (
                found.volume.high or math.inf
            )


@given(above_0(), above_0())
def test_cheaper_in_both_never_crosses(fixed: Estimate, each: Estimate) -> None:
    assert crossover(fixed, each) == Crossover(NEVER, Estimate(), -1)
    assert crossover(fixed.scaled(-1), each.scaled(-1)) == Crossover(ALWAYS, Estimate(), 1)


def holds(found: Crossover, fixed: float, each: float) -> bool:
    """Whether what is said is true, where the true costs are these."""
    if found.cheaper not in (0, 1 if (each or fixed) < 0 else -1):
        return False
    if fixed * each < 0:
        at = -fixed / each
        return found.volume.low is not None and found.volume.low <= at <= (
            found.volume.high or math.inf
        )
    return found.state in (INCONCLUSIVE, NEVER if max(fixed, each) > 0 else ALWAYS)


SIMULATED = {
    "crosses": (100.0, 20.0, -1.0),
    "crosses, fixed cost known": (100.0, 0.0, -1.0),
    "crosses, barely told": (100.0, 40.0, -0.35),
    "cheaper at once": (-100.0, 20.0, 1.0),
    "never": (30.0, 20.0, 0.3),
    "never, alike by request": (30.0, 20.0, 0.0),
    "always": (-30.0, 20.0, -0.3),
}


@pytest.mark.parametrize("skewed", [False, True], ids=["normal", "skewed"])
@pytest.mark.parametrize("case", SIMULATED)
def test_what_is_said_is_true_in_95_of_100_experiments(case: str, skewed: bool) -> None:
    fixed, error, each = SIMULATED[case]
    random = np.random.default_rng([len(case), skewed])
    true, n, samples = 0, 2000, 30
    for _ in range(n):
        drawn = random.gamma(2.0, 0.7, samples) - 1.4 if skewed else random.normal(size=samples)
        seen = stats.skewed_t(drawn + each)
        start = random.normal(fixed, error) if error else fixed
        known = Estimate(start, start - 1.96 * error, start + 1.96 * error)
        true += holds(crossover(known, Estimate(seen.value, seen.low, seen.high)), fixed, each)
    assert true / n >= 0.93


def test_the_price_of_a_right_answer_is_true_in_95_of_100_experiments() -> None:
    """Answers that are long cost more and are wrong more often; 60 of them, in pairs."""
    from bakeoff.analysis.columns import Column, Measure
    from bakeoff.decide.cost.requests import dearest, per_correct
    from bakeoff.decide.cost.usage import MONEY, Part

    random = np.random.default_rng(5)
    names = tuple(map(str, range(60)))
    clusters = tuple(str(i // 2) for i in range(60))
    true, n = 0, 500
    for _ in range(n):
        hard = np.repeat(random.random(30), 2)
        money = 1.0 + hard + random.gamma(2.0, 0.1, 60)
        right = (random.random(60) > hard * 0.8).astype(float)
        part = Part("p", "prompt", "tokens", Column(names, clusters, money, measure=MONEY))
        scores = {"t": Column(names, clusters, right, measure=Measure())}
        costs = {"t": [part]}
        found = per_correct(costs, scores, {"t": 1.0}, dearest([costs]))
        # 1 + 1/2 + 0.2 by request, and 1 - 0.8 / 2 of them right.
        true += found.low <= 1.7 / 0.6 <= found.high
    assert true / n >= 0.93


# The whole, from a run.


def pair(found: Costs, a: str, b: str) -> Pair:
    (each,) = [each for each in found.crossovers if (each.a, each.b) == (a, b)]
    return each


def test_the_crossover_of_tuning_and_retrieval(run: Run) -> None:
    """Retrieval costs by request, tuning up front: by the machine's time."""
    found = compute(run, prices(BY_HOURS), Load(updates=0, months=10))
    each = pair(found, "fine-tuned", "rag")
    # Training: 1.0 over 10 months. A request 0.0125 against 0.035: 0.1 / 0.0225.
    assert each.volume.value == pytest.approx(0.1 / 0.0225)
    assert each.volume.ends[0] < each.volume.value < each.volume.ends[1]
    assert each.cheaper_here in (None, "fine-tuned")
    # Paired by sample: base differs from rag by the same second on every sample.
    each = pair(found, "base", "rag")
    assert each.difference.per_request.value == pytest.approx(0.01)


def test_what_both_setups_share_cancels_exactly(run: Run) -> None:
    found = compute(run, prices(hours={"base": {}}), Load(updates=3))
    each = pair(found, "fine-tuned", "hybrid")
    # Both train; hybrid alone has an index: 0.37 up front and for each update, 0.75 by month.
    assert each.difference.fixed.value == pytest.approx(0.37 / 12 + 3 * 0.37 + 0.75)
    assert each.state in (NEVER, INCONCLUSIVE)


def test_hours_that_are_alike_are_still_not_the_same_hours(run: Run) -> None:
    hours = {name: {"up_front": [5, 15]} for name in ("fine-tuned", "rag")}
    found = pair(compute(run, prices(hours=hours)), "fine-tuned", "rag").difference.fixed
    assert found.low < -40 and found.high > 40


def test_differences_are_paired_by_sample(tmp_path: Path) -> None:
    """Samples differ wildly, the setups by little on each: paired, that is clear."""

    def wild(task: str, setup: str, n: int) -> Answer:
        more = 10 + n % 3 if setup == "b" else 0
        return Answer("x", steps=(Step("decode", None, 100 * 2**n + more, 0, 10),))

    run = write_run(tmp_path, {"a": {}, "b": {}}, {"qa": 10}, wild)
    found = compute(run, prices(hours={"base": {}}))
    each = pair(found, "a", "b")
    assert each.difference.per_request.low > 0
    ends = [found.setups[s].per_request for s in "ab"]
    assert ends[0].high > ends[1].low


@pytest.mark.parametrize("k", [0.01, 0.5, 3.0, 1000.0])
def test_another_currency_changes_no_volume(run: Run, k: float) -> None:

    def times(found: Any) -> Any:
        if isinstance(found, dict):
            return {
                key: found[key] if key in ("hours", "machine") else times(found[key])
                for key in found
            }
        return found * k if isinstance(found, float) else found

    one, two = compute(run, prices()), compute(run, prices(times(BY_TOKENS)))
    for a, b in zip(one.crossovers, two.crossovers, strict=True):
        assert (a.state, a.cheaper_above) == (b.state, b.cheaper_above)
        for end in ("value", "low", "high"):
            expected = getattr(a.volume, end)
            assert getattr(b.volume, end) == (expected and pytest.approx(expected, rel=1e-6))
    assert value(two, "hybrid", "per_month") == pytest.approx(k * value(one, "hybrid", "per_month"))


def test_sensitivity_by_hand(run: Run) -> None:
    found = compute(run, prices(hours={"base": {}}), Load(volume=1000, updates=2, months=10))
    rows = {(row.what, row.factor): row for row in found.sensitivity}
    now, each = rows["", 1.0].per_month, 1000 * (1115 * 2 + 100) / 1e6
    assert now["rag"] == pytest.approx(value(found, "rag", "per_month"))
    # Requests of rag at half the price of tokens; retrieval is another price.
    assert rows["models.embedded", 0.5].per_month["rag"] == pytest.approx(now["rag"] - each / 2)
    # 1,000 tokens of passages at 2 by million, twice.
    passages = 1000 * 1000 * 2 / 1e6
    assert rows["tokens of passages", 2.0].per_month["rag"] == pytest.approx(now["rag"] + passages)
    assert rows["tokens of passages", 2.0].per_month["base"] == pytest.approx(now["base"])
    # Twenty updates instead of two, of 0.2 each.
    tuned = rows["updates per month", 10.0].per_month["fine-tuned"]
    assert tuned == pytest.approx(now["fine-tuned"] + 18 * 0.2)
    assert rows["requests per month", 10.0].per_month["base"] == pytest.approx(10 * now["base"])


def test_a_flip_is_where_two_setups_cost_the_same(run: Run) -> None:
    load = Load(volume=1000, updates=0, months=10)
    found = compute(run, prices(BY_HOURS), load)
    flips = {(row.what, row.factor > 1): row for row in found.flips}
    # Fine-tuned: 0.1 + 12.5, base 25: the price of training may grow to 12.5 / 0.1 = 125 times.
    assert flips["training", True].factor == pytest.approx(12.5 / 0.1)
    assert (flips["training", True].before, flips["training", True].after) == (
        "fine-tuned",
        "base",
    )
    # At 1,000 f requests: 0.1 + 12.5 f = 25 f.
    assert flips["requests per month", False].factor == pytest.approx(0.1 / 12.5)


def test_costs_are_the_same_in_every_order_of_tasks_and_setups(tmp_path: Path) -> None:
    one = compute(write_run(tmp_path / "1", SQUARE, {"a": 4, "b": 6}), prices())
    turned = dict(reversed(SQUARE.items()))
    two = compute(write_run(tmp_path / "2", turned, {"b": 6, "a": 4}), prices())
    for name in SQUARE:
        for part in ("up_front", "per_request", "per_correct", "per_month"):
            left, right = (getattr(costs.setups[name], part) for costs in (one, two))
            assert three(left) == pytest.approx(three(right))


# The report and the command.


def test_without_costs_the_report_is_as_it_was(run: Run) -> None:
    before = markdown(run), html.page(run, pictures.draw(run))
    path = cost.write(run.folder, compute(run, prices(), LOAD))
    assert "Which is cheaper at what volume" in markdown(run)
    path.unlink()
    assert (markdown(run), html.page(run, pictures.draw(run))) == before


def test_the_report_shows_costs_that_are_kept(run: Run) -> None:
    found = compute(run, prices(), LOAD)
    cost.write(run.folder, found)
    page = html.write(run).read_text()
    for text in ("Cost in EUR", "Which is cheaper at what volume", "cost per month"):
        assert text in page
    assert (run.folder / "plots" / "monthly-cost.svg").is_file()
    (drawn,) = [each for each in pictures.draw(run) if each.subject == "monthly-cost"]
    # The line at the stated volume is the number of the table.
    (middle,) = [row for row in drawn.table.rows if row[:2] == ("rag", "1,000")]
    assert middle[2] == money(value(found, "rag", "per_month"))


def test_a_setup_without_a_price_has_no_line(tmp_path: Path) -> None:
    run = write_run(tmp_path, {"base": {}, "mine": {"call": "./bot.py::answer"}})
    cost.write(run.folder, compute(run, prices(hours={"base": {}})))
    (drawn,) = [each for each in pictures.draw(run) if each.subject == "monthly-cost"]
    assert {row[0] for row in drawn.table.rows} == {"base"}


def test_costs_of_answers_scored_since_are_not_shown(run: Run) -> None:
    cost.write(run.folder, compute(run, prices(), LOAD))
    keep_scores(
        run.folder,
        Unit("qa", "base"),
        (((str(n), 0), {"contains": Score(1.0)}) for n in range(4)),
    )
    (table,) = costs(Run(run.folder))
    assert "older than the answers" in table.rows[0][0]
    assert not [each for each in pictures.draw(Run(run.folder)) if not each.task]


def test_costs_kept_by_an_earlier_version_are_read() -> None:
    folder = ROOT / "results" / "reference" / "choose"
    kept = cost.read(folder)
    assert kept is not None
    before = json.loads((folder / cost.COST).read_text())
    before["evidence"] = before.pop("stands_on")
    for old in before["crossovers"]:  # the ends were beside the volume then
        old["volume"] = {"value": old["volume"], "low": old.pop("low"), "high": old.pop("high")}
        old["state"] = old["state"].replace("cannot be told", "inconclusive")
    assert kept.model_dump(mode="json") == before


def test_damaged_costs_are_refused_with_the_field(run: Run) -> None:
    made = compute(run, prices(), LOAD).model_dump(mode="json")
    del made["setups"]["rag"]["fixed"]
    write_json(run.folder / cost.COST, made)
    with pytest.raises(BakeoffError, match=r"cost\.json: setups\.rag\.fixed: must be given"):
        cost.read(run.folder)


def test_costs_of_another_version_are_refused(run: Run) -> None:
    write_json(run.folder / cost.COST, {"format": 99})
    with pytest.raises(BakeoffError, match=r"cost\.json: format 99"):
        cost.read(run.folder)


def test_the_command_prints_and_keeps_the_same(run: Run, tmp_path: Path, cli: Cli) -> None:
    file = tmp_path / "prices.yaml"
    file.write_text(json.dumps(BY_TOKENS))
    options = ("--prices", file, "--volume", "1000", "--updates", "2", "--months", "10")
    done = cli("cost", run.folder, *options, "--format", "json")
    assert done.returncode == 0, done.stderr
    printed = json.loads(done.stdout)
    assert printed == json.loads((run.folder / "cost.json").read_text())
    assert printed == compute(run, prices(), LOAD).model_dump(mode="json")
    done = cli("cost", run.folder, *options, "--format", "markdown", "--weight", "qa=2")
    assert done.returncode == 0 and "| fine-tuned |" in done.stdout
    done = cli("cost", run.folder, *options, "--weight", "qa")
    assert done.returncode == 2 and "write TASK=N" in done.stderr
    done = cli("cost", run.folder, "--prices", tmp_path / "none.yaml")
    assert done.returncode == 2 and "no such file" in done.stderr


@pytest.mark.parametrize(
    ("found", "text"),
    [
        (12345.6, "12,346"),
        (12.3, "12.30"),
        (0.01234, "0.012340"),
        (0, "0"),
        (3.2e-7, "0.000000320"),
    ],
)
def test_money_is_never_in_powers_of_ten(found: float, text: str) -> None:
    assert money(found) == text
