"""The examples of docs/contributing/extending.md, run as they stand there."""

from __future__ import annotations

import importlib
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from stub import running_stub

from bakeoff.analysis.measured_run import Run
from bakeoff.cli import main
from bakeoff.core.progress import PlainProgress
from bakeoff.core.words import Answer, BakeoffError, Incomplete, Sample
from bakeoff.decide.gates.aggregates import AGGREGATES
from bakeoff.decide.gates.language import Check
from bakeoff.metrics.registry import find_scorer
from bakeoff.metrics.scorer import Context
from bakeoff.outputs.page import html
from bakeoff.outputs.page.pictures import CHARTS
from bakeoff.outputs.sinks import SINKS
from bakeoff.running.confirm import run_and_judge
from bakeoff.running.executors import EXECUTORS
from bakeoff.running.gating import chosen_gates, gate
from bakeoff.running.importing import Import, import_results
from bakeoff.running.importing.importers import IMPORTERS
from bakeoff.running.plan import Plan
from bakeoff.setups.builder import Workspace
from bakeoff.spec.backends import BACKENDS, ENDPOINT
from bakeoff.spec.benchmark import Suite, load_suite, suite_of
from bakeoff.spec.engines import ENGINES
from bakeoff.spec.metric import Metric
from bakeoff.tasks.load import load_task
from bakeoff.tasks.readers import READERS
from bakeoff.testing import make_run
from conftest import ROOT, Cli, write_project

PAGE = (ROOT / "docs" / "contributing" / "extending.md").read_text()
REGISTRIES: tuple[dict[str, Any], ...] = (
    AGGREGATES,
    CHARTS,
    READERS,
    SINKS,
    BACKENDS,
    EXECUTORS,
    IMPORTERS,
    ENGINES,
)


@pytest.fixture(autouse=True)
def _registered_for_one_test() -> Iterator[None]:
    before = [dict(registry) for registry in REGISTRIES]
    yield
    for registry, kept in zip(REGISTRIES, before, strict=True):
        registry.clear()
        registry.update(kept)


def example(title: str, language: str = "python") -> str:
    """The code block of a section."""
    section = PAGE.split(f"\n## {title}\n")[1].split("\n## ")[0]
    (block,) = re.findall(rf"```{language}\n(.*?)```", section, re.DOTALL)
    return str(block)


def run_example(title: str) -> dict[str, Any]:
    names: dict[str, Any] = {"__name__": "example"}
    exec(compile(example(title), f"docs/contributing/extending.md: {title}", "exec"), names)
    return names


def test_a_metric(tmp_path: Path) -> None:
    (tmp_path / "polite.py").write_text(example("A metric"))
    metric = Metric.parse("./polite.py::polite(least=2)")
    polite = find_scorer(metric, tmp_path)
    assert polite.version_of(metric, tmp_path) == "1"
    sample = Sample("1", {"question": "?"}, ("19 kilos",))
    for text, expected in (("Thanks 19 kilos please", 1.0), ("please", 0.0), ("", 0.0)):
        score = polite.score(sample, Answer(text), Context(), metric)
        assert score and score.value == expected


def test_a_gate_aggregate(tmp_path: Path) -> None:
    line = "min(rag.gate_qa.exact_match) >= 1"
    with pytest.raises(BakeoffError, match="no aggregate 'min'"):
        Check.parse(line)
    run_example("A gate aggregate")
    run = Run(make_run(tmp_path))
    (verdict,) = gate(run, tmp_path, chosen=chosen_gates(run, None, [line])).gates
    assert (verdict.left, verdict.mode, verdict.state) == (0.0, "estimate", "FAIL")


def test_the_docs_name_every_aggregate() -> None:
    listed = (ROOT / "docs" / "reference" / "gates.md").read_text()
    assert not [name for name in AGGREGATES if f"`{name.replace('k', 'K')}`" not in listed]


def test_a_chart(tmp_path: Path) -> None:
    run_example("A chart")
    run = Run(make_run(tmp_path))
    page = html.write(run).read_text()
    assert "gate_qa: length of answers" in page
    assert "Mean words of an answer." in page
    assert (run.folder / "plots" / "lengths.gate_qa.svg").is_file()


def test_a_retriever(tmp_path: Path, cli: Cli) -> None:
    """A whole run on a server that answers by fixed rules: no model is loaded."""
    write_project(tmp_path)
    for language in ("python", "yaml"):
        block = example("A retriever", language)
        (tmp_path / block.split("\n")[0].removeprefix("# ")).write_text(block)
    file = tmp_path / "benchmarks" / "long_words.yaml"
    with running_stub() as url:
        file.write_text(
            file.read_text().replace("[handbook_qa]", "[tiny]")
            + f"endpoints: {{stub: {{url: '{url}/v1'}}}}\n"
            + "model: stub:any\nlatency: {samples: 0}\n"
        )
        done = cli("run", "benchmarks/long_words.yaml", "--no-mlflow", cwd=tmp_path)
    assert done.returncode == 0, done.stderr + done.stdout
    (folder,) = (tmp_path / "results" / "long_words").iterdir()
    answers = [record.answer for record in Run(folder).records("tiny", "rag") if record.answer]
    assert answers
    assert all(len(answer.passages) in (1, 2) for answer in answers)
    scores = [passage.score for passage in answers[0].passages]
    assert scores == sorted(scores, reverse=True)
    assert scores[0] == int(scores[0]), "letters of the shared words"


TALKS = """
description: What was said.
rows: {test: rows/*.toml}
corpora: {talks: {documents: "talks/*.srt"}}
refusal: {say: unknown, phrases: [unknown]}
scorers: [contains]
"""


def test_a_reader(tmp_path: Path) -> None:
    run_example("A reader")
    for folder in ("rows", "talks"):
        (tmp_path / folder).mkdir()
    rows = tmp_path / "rows" / "test.toml"
    rows.write_text('[[row]]\nid = "q1"\nquestion = "How heavy?"\ntargets = ["19 kilos"]\n')
    talk = "1\n00:00:01,000 --> 00:00:02,000\nIt weighs\n19 kilos.\n"
    (tmp_path / "talks" / "barrow.srt").write_text(talk)
    file = tmp_path / "talk_qa.yaml"
    file.write_text(TALKS)
    task = load_task(file)
    assert [(s.id, s.question, s.targets) for s in task.samples] == [
        ("q1", "How heavy?", ("19 kilos",))
    ]
    (document,) = task.corpora["talks"]
    assert (document.id, document.text) == ("barrow", "It weighs\n19 kilos.")
    rows.write_text("[[row]\n")
    with pytest.raises(BakeoffError, match=r"test\.toml: no rows"):
        load_task(file)


def test_a_sink(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The program in this process, where the sink is registered."""
    run_example("A sink")
    file = write_project(tmp_path)
    benchmark = file.with_name("own.yaml")
    setups = 'setups: {mine: {call: "../bot.py::answer"}}'
    benchmark.write_text(f"tasks: [tiny]\n{setups}\nlatency: {{samples: 0}}\n")
    monkeypatch.chdir(tmp_path)
    command = ["run", "benchmarks/own.yaml", "--no-mlflow"]
    done = CliRunner().invoke(main, command)
    (folder,) = (tmp_path / "results" / "own").glob("*/")
    board = folder.with_name("noticeboard.txt")
    assert done.exit_code == 0, done.output
    assert board.read_text() == f"{folder.name}: mine\n"
    assert f"noticeboard:     {board.relative_to(tmp_path)}" in done.stdout
    assert "MLflow" not in done.output
    board.unlink()
    board.mkdir()
    done = CliRunner().invoke(main, [*command, "--new"])
    assert done.exit_code == 0, "a sink that fails does not stop the run"
    assert "noticeboard.txt: cannot be written" in done.stderr


def test_a_model_backend(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A run of two corners on it, in this process, where it is registered; timed as well."""
    (tmp_path / "parrot.py").write_text(example("A model backend"))
    monkeypatch.syspath_prepend(tmp_path)
    importlib.import_module("parrot")
    file = write_project(tmp_path)
    file.with_name("parrots.yaml").write_text(
        "tasks: [tiny]\nmodel: parrot:loud\nretrieve: {retriever: bm25, k: 1}\n"
        "setups: {base: {}, rag: {retrieve: true}}\nlatency: {samples: 1, concurrency: [2]}\n"
    )
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("BAKEOFF_CACHE", str(tmp_path / "cache"))
    done = CliRunner().invoke(main, ["run", "benchmarks/parrots.yaml", "--no-mlflow"])
    assert done.exit_code == 0, done.output
    run = Run(next((tmp_path / "results" / "parrots").glob("*/")))
    for setup in ("base", "rag"):
        texts = {r.sample: r.answer.text for r in run.records("tiny", setup) if r.answer}
        assert texts["q1"] == "HOW HEAVY IS THE LARCH BARROW?"
    assert run.manifest.models == {
        "parrot:loud": {"model": "parrot", "loud": "True", "version": "1"}
    }


def test_a_name_of_a_backend_is_no_name_for_an_endpoint() -> None:
    BACKENDS["parrot"] = BACKENDS[ENDPOINT]
    raw = {"tasks": ["t"], "setups": {"s": {}}, "endpoints": {"parrot": {"url": "http://here"}}}
    with pytest.raises(ValueError, match="'parrot:' is reserved for other models"):
        Suite.model_validate(raw)


ENGINE = {"engine": "my-server", "tasks": ["tiny"], "setups": {"base": {}}}
BOT = """
from pathlib import Path

CALLS = Path(__file__).with_name("calls")


def answer(sample):
    calls = CALLS.read_text() if CALLS.exists() else ""
    CALLS.write_text(calls + "x")
    if len(calls) < 2:
        raise ConnectionError("down")
    return "19 kilos"
"""


def test_an_executor(tmp_path: Path) -> None:
    """The bot is down for two calls, and a run stops at its second failure."""
    run_example("An executor")
    file = write_project(tmp_path)
    (tmp_path / "bot.py").write_text(BOT)
    file.write_text(
        "tasks: [tiny]\nsetups: {mine: {call: '../bot.py::answer'}}\n"
        "latency: {samples: 0}\nlimits: {errors: 1}\n"
    )
    plan = Plan(load_suite(file), file, {"tiny": load_task(tmp_path / "tasks" / "tiny.yaml")})
    workspace = Workspace(tmp_path / "cache", tmp_path / "results")
    progress = PlainProgress(print)
    with pytest.raises(Incomplete):
        run_and_judge(plan, workspace, progress)
    (tmp_path / "calls").unlink()
    done, _ = run_and_judge(replace(plan, executor="twice"), workspace, progress)
    assert done.manifest.complete
    assert {r.sample for r in done.records("tiny", "mine") if r.answer} == {"q1", "q2", "q3"}


def test_an_engine() -> None:
    with pytest.raises(BakeoffError, match=r"engine: no engine 'my-server'; known: command, "):
        suite_of(ENGINE, Path("b.yaml"))
    run_example("An engine")
    spec = suite_of(ENGINE, Path("b.yaml")).engine
    assert spec and spec.program({}) == ("my-server",)
    assert spec.template(adapters=False)[:2] == ("--model", "{model}")
    assert not spec.takes_adapters


def test_an_importer(tmp_path: Path) -> None:
    run_example("An importer")
    for name, points in (("old", "3"), ("new", "4")):
        (tmp_path / f"{name}.quiz").write_text(f"q1\tTuesday\t{points}\nq2\t42\t1\n")
    files = [tmp_path / "new.quiz", tmp_path / "old.quiz"]
    run = import_results(Import(files, name="quiz"), tmp_path / "results")
    measured = run.comparison.tasks["quiz"].metrics["points"]
    assert measured.setups["new"].value == 2.5
    assert measured.differences["old - new"].value == -0.5
    (tmp_path / "old.quiz").write_text("q1 Tuesday\n")
    with pytest.raises(BakeoffError, match=r"old\.quiz: line 1: an id, an answer and the points"):
        import_results(Import(files, name="quiz"), tmp_path / "results")
