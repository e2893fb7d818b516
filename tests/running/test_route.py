"""Setups put together from two others: where the second answers, and that nothing is asked anew."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError
from stub import running_stub, stats

from bakeoff.analysis.measured_run import Run
from bakeoff.core.words import LATENCY, QUALITY, Answer, Failure, Passage, Record, Step
from bakeoff.running.route import composed, thresholds, timed
from bakeoff.runs.store import Unit, read_records
from bakeoff.spec.benchmark import Setup, Suite
from conftest import Cli, write_project

if TYPE_CHECKING:
    from bakeoff.models.local import LocalModel


def test_the_threshold_is_the_best_of_the_other_parts() -> None:
    confidence = np.array([0.9, 0.8, 0.2, 0.1, 0.95, 0.85, 0.3, 0.15])
    first = np.array([1, 1, 0, 0, 1, 1, 0, 0.0])
    then = np.array([0, 0, 1, 1, 0, 0, 1, 1.0])
    parts = [0, 0, 0, 0, 1, 1, 1, 1]
    found = thresholds(confidence, first, then, parts, higher=True)
    # Part 0 learns from part 1, whose answers are right from 0.85 on; part 1 from 0.8 on.
    assert found.tolist() == [0.85] * 4 + [0.8] * 4


def test_of_equals_the_second_setup_is_asked_least() -> None:
    same = np.array([1, 0, 1, 0.0])
    found = thresholds(np.array([0.4, 0.3, 0.2, 0.1]), same, same, [0, 0, 1, 1], higher=True)
    assert found.tolist() == [-math.inf] * 4


def test_a_metric_of_which_less_is_better() -> None:
    confidence, parts = np.array([0.9, 0.1, 0.9, 0.1]), [0, 0, 1, 1]
    first, then = np.array([0, 1, 0, 1.0]), np.array([1, 0, 1, 0.0])
    assert thresholds(confidence, first, then, parts, higher=False).tolist() == [0.9] * 4


@given(
    st.lists(
        st.tuples(st.floats(0, 1), st.booleans(), st.booleans(), st.integers(0, 4)), min_size=2
    )
)
def test_a_samples_own_scores_do_not_move_its_threshold(
    rows: list[tuple[float, bool, bool, int]],
) -> None:
    confidence, first, then, parts = (
        np.array(part, dtype=float) for part in zip(*rows, strict=True)
    )
    found = thresholds(confidence, first, then, parts.astype(int).tolist(), higher=True)
    mine = parts == parts[0]
    other = thresholds(
        confidence,
        np.where(mine, 1 - first, first),
        np.where(mine, 1 - then, then),
        parts.astype(int).tolist(),
        higher=True,
    )
    assert (found[mine] == other[mine]).all()


def record(setup: str, phase: str, text: str | None, *steps: Step) -> Record:
    outcome = Failure("gone") if text is None else Answer(text, (), steps)
    return Record(phase, "t", setup, "q", outcome)


def test_a_routed_answer_has_the_tokens_of_both() -> None:
    first = record("a", QUALITY, "A", Step("decode", prompt_tokens=10, completion_tokens=3))
    then = record("b", QUALITY, "B", Step("retrieve"), Step("decode", prompt_tokens=90))
    kept = composed(first, then, "r", takes_first=True)
    assert (kept.setup, kept.answer and kept.answer.text) == ("r", "A")
    assert kept.answer
    assert kept.answer.tokens("prompt_tokens") == 10
    passed_on = composed(first, then, "r", takes_first=False).answer
    assert passed_on
    assert passed_on.text == "B"
    assert passed_on.tokens("prompt_tokens") == 100
    assert passed_on.tokens("completion_tokens") == 3
    assert all(step.cached for step in passed_on.steps)
    failed = composed(record("a", QUALITY, None), then, "r", takes_first=False).answer
    assert failed
    assert failed.tokens("prompt_tokens") == 90


def test_a_routed_time_is_that_of_both_where_both_were_asked() -> None:
    setup = Setup.model_validate({"name": "r", "route": {"first": "a", "then": "b"}})
    found = [
        record("a", LATENCY, "A", Step("decode", 0.25)),
        record("b", LATENCY, "B", Step("retrieve", 0.5), Step("decode", 1.0)),
    ]
    for takes, seconds in ((True, 0.25), (False, 1.75)):
        (made,) = timed(setup, {("q", 0): takes}, found)
        assert made.answer
        assert made.answer.seconds() == seconds


@pytest.mark.parametrize(
    ("setups", "message"),
    [
        ({"r": {"route": {"first": "a", "then": "bb"}}, "a": {}}, "no setup 'bb'"),
        ({"r": {"route": {"first": "r", "then": "a"}}, "a": {}}, "'r' is routed itself"),
        (
            {"r": {"route": {"first": "a", "then": "b"}}, "a": {"tasks": ["u"]}, "b": {}},
            "'a' does not have all of this setup's tasks",
        ),
        ({"r": {"route": {"first": "a", "then": "a"}, "retrieve": {}}, "a": {}}, "takes no tune"),
    ],
)
def test_a_route_that_cannot_be_is_named(setups: dict[str, object], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        Suite.model_validate({"tasks": ["t", "u"], "setups": setups})


BOTS = """
def shy(sample):
    return "19 kilos" if sample.id == "q1" else "unknown"


def bold(sample):
    return "at 6.40" if sample.id == "q2" else "green"
"""
DECLINED = """
tasks: [tiny]
setups:
  shy: {call: "../bot.py::shy"}
  bold: {call: "../bot.py::bold"}
  routed: {route: {first: shy, then: bold, when: declined}}
  unsure: {route: {first: shy, then: bold}}
latency: {samples: 1}
"""


def test_a_setup_that_declines_passes_the_question_on(cli: Cli, tmp_path: Path) -> None:
    benchmark = write_project(tmp_path)
    (tmp_path / "bot.py").write_text(BOTS)
    benchmark.write_text(DECLINED.replace("  unsure: {route: {first: shy, then: bold}}\n", ""))
    done = cli("run", benchmark, "--no-mlflow", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    run = Run(next((tmp_path / "results" / "smallest").iterdir()))
    said = {r.sample: r.answer.text for r in run.records("tiny", "routed") if r.answer}
    assert said == {"q1": "19 kilos", "q2": "at 6.40", "q3": "green"}
    assert run.kinds["routed"] == "routed"
    values = run.columns["tiny", "routed", "contains"]
    assert dict(zip(values.samples, values.values, strict=True)) == {"q1": 1, "q2": 1, "q3": 0}
    assert {r.setup for r in run.latencies("tiny")} == {"shy", "bold", "routed"}
    assert run.manifest.spent["routed"].requests == 0


def test_a_setup_that_tells_no_confidence_cannot_be_unsure(cli: Cli, tmp_path: Path) -> None:
    benchmark = write_project(tmp_path)
    (tmp_path / "bot.py").write_text(BOTS)
    benchmark.write_text(DECLINED)
    done = cli("run", benchmark, "--no-mlflow", cwd=tmp_path)
    assert done.returncode == 2
    assert "'shy' reports no confidence (sample 'q1')" in done.stderr
    assert "use when: declined" in done.stderr


MODEL = """
dtype: float32
tasks: [tiny]
setups:
  base: {}
  rag: {retrieve: {k: 1}}
  routed: {route: {first: base, then: rag}}
latency: {samples: 1}
"""


@pytest.mark.slow
def test_confidence_decides_and_is_kept_with_the_answers(cli: Cli, tmp_path: Path) -> None:
    benchmark = write_project(tmp_path)
    benchmark.write_text(MODEL)
    for _ in range(2):
        done = cli("run", benchmark, "--no-mlflow", "--new", cwd=tmp_path)
        assert done.returncode == 0, done.stderr
    runs = sorted((tmp_path / "results" / "smallest").iterdir())
    found = []
    for folder in runs:
        run = Run(folder)
        sure = {r.sample: r.answer.confidence for r in run.records("tiny", "base") if r.answer}
        assert all(value is not None and 0 < value < 1 for value in sure.values())
        said = [
            {r.sample: r.answer.text for r in run.records("tiny", name) if r.answer}
            for name in ("base", "rag", "routed")
        ]
        assert all(text in (said[0][q], said[1][q]) for q, text in said[2].items())
        found.append((sure, said))
    # The second run's answers came from the cache, their confidence with them.
    assert found[0] == found[1]


def test_confidence_is_the_geometric_mean_of_the_tokens_probabilities(model: LocalModel) -> None:
    import torch

    from bakeoff.core.words import Decoding, Generation

    prompt = model.render([{"role": "user", "content": "Name a colour."}])
    ((_, done),) = model.generate([prompt], Decoding(4))
    assert isinstance(done, Generation)
    ids = model.tokenizer(prompt, add_special_tokens=False).input_ids
    logs = []
    with torch.inference_mode():
        for _ in range(done.completion_tokens):
            shares = model.network(torch.tensor([ids])).logits[0, -1].log_softmax(-1)
            ids.append(int(shares.argmax()))
            logs.append(float(shares.max()))
    assert done.confidence == pytest.approx(math.exp(np.mean(logs)), abs=1e-4)


def test_passages_of_the_setup_that_answered_are_kept() -> None:
    shown = (Passage("d", 0, 1, "x"),)
    then = Record(QUALITY, "t", "b", "q", Answer("B", shown))
    made = composed(record("a", QUALITY, "A"), then, "r", takes_first=False)
    assert made.answer
    assert made.answer.passages == shown


def test_a_routed_setup_sends_no_requests_when_others_are_timed_side_by_side(
    tmp_path: Path, cli: Cli
) -> None:
    """Two served setups and one routed between them, which has their times and is asked nothing."""
    file = write_project(tmp_path).with_name("routed.yaml")
    with running_stub() as url:
        file.write_text(
            f"tasks: [tiny]\nendpoints: {{stub: {{url: '{url}/v1'}}}}\nmodel: stub:any\n"
            "setups:\n  base: {}\n  other: {model: stub:more}\n"
            "  both: {route: {first: base, then: other, when: declined}}\n"
            "latency: {samples: 1, concurrency: [2]}\n"
        )
        done = cli("run", "benchmarks/routed.yaml", "--no-mlflow", cwd=tmp_path)
        requests = stats(url)["requests"]
    assert done.returncode == 0, done.stderr + done.stdout
    # Three samples; to warm up; one at a time, the first setup twice; side by side.
    assert requests == 2 * 3 + 2 + 3 + 2
    (folder,) = (tmp_path / "results" / "routed").iterdir()
    at_two = [r.setup for r in read_records(folder, Unit("tiny")) if r.phase == f"{LATENCY}@2"]
    assert sorted(at_two) == ["base", "both", "other"], "the third is put together from the others"
