"""From Python: first files, a task, data, cost and power before a run, as on a terminal."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from bakeoff import api
from bakeoff.core.words import BakeoffError
from conftest import ROOT, Cli
from desk import write_benchmark, write_desk

MINE = """\
tasks: [desk]
setups:
  shrugs: {call: "../bot.py::answer"}
  reads: {call: "../bot.py::answer"}
latency: {samples: 0}
policy: {max_error_rate: 0.5}
gates:
  - {check: "reads.contains >= shrugs.contains", mode: estimate}
"""


@pytest.fixture
def mine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return write_benchmark(
        write_desk(tmp_path), MINE, "def answer(sample):\n    return 'unknown'\n"
    )


def test_a_plan_has_the_numbers_of_the_command(mine: Path, cli: Cli) -> None:
    planned = api.plan("mine")
    # Three samples, no latency pass; a function has no tokens that could be foreseen.
    assert {n: s.requests for n, s in planned.value.setups.items()} == {"shrugs": 3, "reads": 3}
    assert planned.value.whole == api.plan("mine", repeats=1).value.whole
    assert api.plan("mine", repeats=2).value.whole.requests == 12
    assert f"{planned}\n" == cli("plan", "mine", cwd=mine).stdout
    assert list(planned.frame()["answers"]) == ["3", "3", "6"]


def test_a_plan_takes_functions_and_refuses_what_a_run_refuses(mine: Path) -> None:
    whole = {"name": "own", "tasks": ["desk"], "latency": {"samples": 0}}
    planned = api.plan(whole, setups={"ours": lambda sample: "9"}, limit=2)
    assert planned.value.whole.requests == 2
    (mine / "benchmarks" / "mine.yaml").write_text(MINE.replace("::answer", "::answr"))
    with pytest.raises(BakeoffError, match="no function 'answr'; did you mean 'answer'"):
        api.plan("mine")
    with pytest.raises(BakeoffError, match="limit"):
        api.plan(whole, limit=0)


def test_audit_and_power_are_those_of_the_commands(mine: Path, cli: Cli) -> None:
    audited = api.audit("mine", "desk", window=100)
    done = cli("audit", "mine", "--format", "json", "--window", "100", cwd=mine)
    assert audited.value.model_dump(mode="json") == json.loads(done.stdout)
    assert audited.tables[0].title == "desk"
    previews = api.power("mine")
    assert [(p.check, p.n) for p in previews.value] == [("reads.contains >= shrugs.contains", 3)]
    assert f"{previews}\n" == cli("power", "mine", cwd=mine).stdout


def test_a_task_shows_what_a_model_gets(mine: Path) -> None:
    whole = {"base": {}, "rag": {"retrieve": {"retriever": "bm25", "k": 1}}}
    (mine / "benchmarks" / "two.yaml").write_text(f"tasks: [desk]\nsetups: {json.dumps(whole)}\n")
    shown = api.task("desk", "two")
    assert [row.id for row in shown.value.task.samples] == ["q1", "q2", "q3"]
    titles = [prompt.title.split(":")[0] for prompt in shown.value.prompts]
    assert titles == ["closed book", "open book"]
    assert "When does the desk open?" in shown.value.prompts[0].text
    assert [table.title for table in shown.tables[:3]] == [
        *("desk: rows", "desk: documents", "desk: scorers"),
    ]


def test_first_files_are_made_and_run(mine: Path) -> None:
    (mine / "q.csv").write_text("x;y\nWho runs it?;Ida\nWhere is the mill?;there\n")
    made = api.init(
        "q.csv", name="mill", columns={"targets": "y"}, model="m", endpoint="http://h:1/v1"
    )
    assert made.value == Path("benchmarks/mill.yaml")
    assert "2 questions: 2 answerable, 0 unanswerable." in repr(made)
    assert "model: server:m" in made.value.read_text()
    with pytest.raises(BakeoffError, match=r"bakeoff\.init: modle: no such field.*model"):
        api.init("q.csv", name="mill", modle="m")  # type: ignore[call-arg]
    with pytest.raises(BakeoffError, match=r"tasks/mill.yaml: is there already"):
        api.init("q.csv", name="mill")
    assert api.init().value == Path("benchmarks/example.yaml")
    assert api.plan("example").value.setups["base"].requests > 8


@pytest.mark.slow
def test_the_example_of_the_page_runs(mine: Path) -> None:
    """With a function in the place of the model, from the second line on."""
    page = (ROOT / "docs" / "reference" / "python.md").read_text()
    (block,) = [b for b in re.findall(r"```python\n(.*?)```", page, re.DOTALL) if "api." in b]
    importing, making, *rest = block.strip().replace("\n\n", "\n").split("\n")
    (mine / "policy").mkdir()
    (mine / "policy" / "returns.md").write_text("Goods come back within 30 days.\n")
    (mine / "questions.csv").write_text("Frage,Antwort\nHow long?,30 days\nOn which form?,R-4\n")
    space: dict[str, object] = {}
    exec(f"{importing}\n{making}", space)
    (mine / "benchmarks" / "returns.yaml").write_text(
        "tasks: [returns]\nsetups: {mine: {call: '../bot.py::answer'}}\nlatency: {samples: 0}\n"
    )
    for line in rest:
        exec(line, space)
    assert len(list((mine / "results" / "returns").glob("*/manifest.json"))) == 1
