"""What `plan` and `run` refuse before a model is loaded, both the same."""

from __future__ import annotations

from pathlib import Path

import pytest

from bakeoff.core.words import BakeoffError
from bakeoff.running.estimate import forecast
from bakeoff.running.planning import planned
from bakeoff.running.readiness import require_ready
from bakeoff.spec.functions import missing_function
from conftest import Cli, write_project

SETUP = "tasks: [tiny]\nsetups: {{mine: {setup}}}\n{rest}"
SERVED = 'endpoints: {e: {url: "http://localhost:9/v1", api_key_env: NO_SUCH_KEY}}'


@pytest.mark.parametrize(
    ("setup", "rest", "message"),
    [
        ("{call: '../bot.py::anser'}", "", "mine.call: .*no function 'anser'; did you mean"),
        ("{call: '../bott.py::answer'}", "", "mine.call: '../bott.py::answer': there is no file"),
        ("{call: 'no_such_module::answer'}", "", "there is no module 'no_such_module'"),
        ("{model: ./weights}", "", r"mine.model: './weights': no such file or folder; write emb"),
        ("{retrieve: {embedder: ./e}}", "", "mine.retrieve.embedder: './e': no such file"),
        ("{retrieve: {retriever: '../bot.py::R'}}", "", "mine.retrieve.retriever: .*function 'R'"),
        ("{tune: ./adapter}", "", "mine.tune.adapter: './adapter': no such folder"),
        (
            "{tune: {processes: 999, batch_size: 999}}",
            "",
            r"mine.tune.processes: 999 is more than the \d+ \w+ that can be used here",
        ),
        ("{model: 'e:m'}", SERVED, "endpoints.e.api_key_env: .*'NO_SUCH_KEY' is not set"),
    ],
)
def test_what_a_setup_names_must_be_there(
    setup: str, rest: str, message: str, tmp_path: Path
) -> None:
    file = write_project(tmp_path)
    file.write_text(SETUP.format(setup=setup, rest=rest))
    with pytest.raises(BakeoffError, match=message):
        require_ready(planned(file, None), {})


def test_what_a_setup_needs_of_a_task_must_be_there(tmp_path: Path) -> None:
    file = write_project(tmp_path)
    task = tmp_path / "tasks" / "tiny.yaml"
    lines = task.read_text().replace(", train: rows/train.jsonl", "").splitlines()
    lines = [line for line in lines if not line.startswith("corpora")]
    task.write_text("\n".join(lines).replace(', "retrieval_recall(k=2)", faithfulness', ""))
    file.write_text("tasks: [tiny]\nsetups: {a: {tune: true}, b: {retrieve: true}, c: {}}\n")
    with pytest.raises(BakeoffError) as refused:
        require_ready(planned(file, None), {})
    first, second = str(refused.value).splitlines()
    assert "setups.a.tune: task 'tiny' has no training rows; name them in its file" in first
    assert "setups.b.retrieve: task 'tiny' has no corpora to retrieve from" in second


def test_a_plan_counts_the_processes_that_train(tmp_path: Path) -> None:
    file = write_project(tmp_path)
    file.write_text("tasks: [tiny]\nsetups: {a: {tune: {processes: 3}}, b: {tune: true}, c: {}}\n")
    note = forecast(planned(file, None), tmp_path / "results").note
    assert "Processes that train: a by 3. " in note
    file.write_text("tasks: [{tiny: {tune: {processes: 2}}}]\nsetups: {a: {tune: true}, c: {}}\n")
    note = forecast(planned(file, None), tmp_path / "results").note
    assert "Processes that train: a by 2. " in note


def test_plan_and_run_refuse_with_the_same_words_and_no_folder_is_made(
    tmp_path: Path, cli: Cli
) -> None:
    file = write_project(tmp_path)
    file.write_text(SETUP.format(setup="{call: '../bot.py::anser'}", rest=""))
    plan, run = (cli(verb, file, cwd=tmp_path) for verb in ("plan", "run"))
    assert (plan.returncode, run.returncode) == (2, 2)
    assert plan.stderr == run.stderr
    assert not (tmp_path / "results").exists()


def test_plan_says_why_a_task_is_skipped(tmp_path: Path, cli: Cli) -> None:
    file = write_project(tmp_path)
    (tmp_path / "tasks" / "far.yaml").write_text(
        "description: d\nrows: {test: {local: far/*.jsonl}}\nscorers: [contains]\n"
    )
    file.write_text("tasks: [tiny, far]\nsetups: {mine: {call: '../bot.py::answer'}}\n")
    done = cli("plan", file, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "skipped far: needs --data DIR with far/*.jsonl" in done.stdout
    file.write_text("tasks: [far]\nsetups: {mine: {call: '../bot.py::answer'}}\n")
    plan, run = (cli(verb, file, cwd=tmp_path) for verb in ("plan", "run"))
    assert plan.returncode == run.returncode == 2
    assert "none of its tasks can run here: far: needs" in plan.stderr == run.stderr


def test_looking_for_a_function_runs_no_code_of_the_file(tmp_path: Path) -> None:
    (tmp_path / "a.py").write_text("raise SystemExit(3)\nif True:\n    def f(s): return 1\ng = f\n")
    assert missing_function("./a.py::f", tmp_path) == missing_function("a.py::g", tmp_path) == ""
    (tmp_path / "b.py").write_text("from os.path import *\n")
    assert missing_function("b.py::join", tmp_path) == ""
    (tmp_path / "c.py").write_text("def f(:\n")
    assert "line 1: SyntaxError" in missing_function("c.py::f", tmp_path)
    assert missing_function("bakeoff.testing::FakeRetriever", tmp_path) == ""
    assert "write ./file.py::function" in missing_function("c.py", tmp_path)
