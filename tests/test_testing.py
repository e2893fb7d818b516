"""The public fakes, each in the place of the real thing."""

from __future__ import annotations

import urllib.error
import urllib.request
from pathlib import Path

import pytest

from bakeoff.analysis.measured_run import Run
from bakeoff.core.words import Failure
from bakeoff.models.pool import Pool
from bakeoff.setups.answerer import Engine, build
from bakeoff.setups.retrieval.retriever import RetrievalCache
from bakeoff.spec.benchmark import Suite
from bakeoff.spec.wording import context_text
from bakeoff.tasks.load import load_task
from bakeoff.testing import (
    NEVER,
    FakeModel,
    Reply,
    Request,
    completion,
    fake_endpoint,
    in_turn,
)
from conftest import Cli, write_project


def knows_the_barrow(prompt: str) -> str | Failure:
    if "gate" in prompt.splitlines()[-1]:
        return Failure("no gates")
    return "19 kilos" if "The Larch barrow weighs" in prompt else "unknown"


def test_setups_are_built_on_a_fake_model_and_a_fake_retriever(tmp_path: Path) -> None:
    """The first passage is that of the barrow: the open book knows what the closed one does not."""
    file = write_project(tmp_path)
    retrieve = {"by": "bakeoff.testing::FakeRetriever", "k": 1}
    setups = {"base": {}, "rag": {"retrieve": retrieve}}
    suite = Suite.model_validate({"tasks": ["tiny"], "setups": setups})
    task = load_task(tmp_path / "tasks" / "tiny.yaml")
    model = FakeModel(knows_the_barrow)
    engine = Engine(model, RetrievalCache(Pool(suite, file, tmp_path, {})), 0.0, 0)
    outcomes = {
        name: dict(build(setup, task, engine)(task.samples)) for name, setup in suite.setups.items()
    }
    assert [outcomes[name][0].text for name in ("base", "rag")] == ["unknown", "19 kilos"]
    assert [passage.document for passage in outcomes["rag"][0].passages] == ["barrow"]
    assert outcomes["rag"][1].error == "no gates"
    assert len(model.asked) == 2 * len(task.samples)
    # What a record holds gives the very prompt again.
    wording, first = task.file.wording, task.samples[0]
    shown = context_text(outcomes["rag"][0].passages)
    assert shown.startswith("[1] ") and outcomes["rag"][0].passages[0].title in shown
    assert model.asked[len(task.samples)] == wording.messages(first.fields, shown)
    ((_, timed),) = build(suite.setups["base"], task, engine)(task.samples[:1], timed=True)
    assert timed.seconds() == 1.5


def test_a_run_asks_a_fake_endpoint(tmp_path: Path, cli: Cli) -> None:
    def heavy(request: Request) -> Reply:
        return completion("19 kilos" if "How heavy" in str(request.body) else "unknown")

    file = write_project(tmp_path).with_name("served.yaml")
    with fake_endpoint(heavy) as endpoint:
        file.write_text(
            f"tasks: [tiny]\nendpoints: {{fake: {{url: '{endpoint.url}/v1'}}}}\n"
            "model: fake:any\nsetups: {base: {}}\nlatency: {samples: 1, warmup: 0}\n"
        )
        done = cli("run", "benchmarks/served.yaml", "--no-mlflow", cwd=tmp_path)
    assert done.returncode == 0, done.stderr + done.stdout
    (folder,) = (tmp_path / "results" / "served").iterdir()
    answers = {r.sample: r.answer for r in Run(folder).records("tiny", "base")}
    assert {name: answer and answer.text for name, answer in answers.items()} == {
        "q1": "19 kilos",
        "q2": "unknown",
        "q3": "unknown",
    }
    assert {request.path for request in endpoint.asked} == {"/v1/chat/completions"}
    assert {request.body["model"] for request in endpoint.asked} == {"any"}


def test_replies_come_in_turn_and_the_last_one_for_good() -> None:
    with fake_endpoint(in_turn(Reply(status=503), Reply({"a": 1}))) as endpoint:
        with pytest.raises(urllib.error.HTTPError, match="503"):
            urllib.request.urlopen(endpoint.url)
        bodies = [urllib.request.urlopen(f"{endpoint.url}/{n}").read() for n in range(2)]
    assert bodies == [b'{"a": 1}'] * 2
    assert [request.path for request in endpoint.asked] == ["/", "/0", "/1"]


def test_an_endpoint_may_never_answer_and_ends_with_the_block() -> None:
    with fake_endpoint(in_turn(NEVER)) as endpoint, pytest.raises(TimeoutError):
        urllib.request.urlopen(endpoint.url, timeout=0.1)
