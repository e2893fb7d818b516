"""A pull request rehearsed with the program: baseline, good, idle and harmful changes."""

from __future__ import annotations

import json
import subprocess
import xml.etree.ElementTree as ElementTree
from collections.abc import Callable
from pathlib import Path

import pytest

from bakeoff.analysis.measured_run import Run
from conftest import Cli

N = 120
BOT = """
import json, pathlib

ANSWERS = json.loads((pathlib.Path(__file__).parent / "answers.json").read_text())

def answer(sample):
    return ANSWERS[sample.id]
"""
TASK = """
description: Words.
rows: {test: rows/test.jsonl}
scorers: [exact_match]
"""
BENCHMARK = """
tasks: [words]
setups: {mine: {call: "../bot.py::answer"}}
latency: {samples: 0}
gates:
  - {id: no-worse, check: "mine.words.exact_match >= baseline:mine.words.exact_match"}
  - {id: floor, check: "mine.words.exact_match >= 0.5"}
"""

Go = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def go(tmp_path: Path, cli: Cli) -> Go:
    """The program in a small project, whose bot errs on the samples named in `wrong`."""
    (tmp_path / "tasks" / "rows").mkdir(parents=True)
    (tmp_path / "benchmarks").mkdir()
    rows = [
        {"id": f"q{i}", "question": f"word {i}?", "targets": [f"w{i}"], "tags": {"odd": str(i % 2)}}
        for i in range(N)
    ]
    text = "\n".join(json.dumps(row) for row in rows) + "\n"
    (tmp_path / "tasks" / "rows" / "test.jsonl").write_text(text)
    (tmp_path / "tasks" / "words.yaml").write_text(TASK)
    (tmp_path / "benchmarks" / "words.yaml").write_text(BENCHMARK)
    (tmp_path / "bot.py").write_text(BOT)

    def call(*arguments: str, wrong: range | None = None, **environment: str):
        if wrong is not None:
            answers = {f"q{i}": "no" if i in wrong else f"w{i}" for i in range(N)}
            (tmp_path / "answers.json").write_text(json.dumps(answers))
        return cli(*arguments, cwd=tmp_path, **environment)

    return call


def run_of(done: subprocess.CompletedProcess[str], folder: Path) -> Path:
    (line,) = [line for line in done.stdout.splitlines() if line.startswith("report:")]
    return folder / Path(line.split()[1]).parent


RUN = ("run", "benchmarks/words.yaml", "--no-mlflow")


def test_a_pull_request_is_gated_against_what_was_accepted(go: Go, tmp_path: Path) -> None:
    first = go(*RUN, wrong=range(20))
    assert first.returncode == 12, first.stdout + first.stderr
    assert "there is no baseline" in first.stdout
    accepted = go("baseline", "accept", "--reason", "the first")
    assert accepted.returncode == 0, accepted.stderr
    summary = tmp_path / "summary.md"

    good = go(*RUN, wrong=range(8))
    idle = go(*RUN, wrong=range(20))
    harm = go(*RUN, wrong=range(32), GITHUB_STEP_SUMMARY=str(summary), GITHUB_ACTIONS="true")
    assert [done.returncode for done in (good, idle, harm)] == [0, 0, 10], harm.stdout

    broken = run_of(harm, tmp_path)
    verdict = json.loads((broken / "gates.json").read_text())
    (row,) = [gate for gate in verdict["gates"] if gate["id"] == "no-worse"]
    assert (row["state"], row["losses"], row["wins"]) == ("FAIL", 12, 0)
    assert row["p"] == pytest.approx(2**-12)
    comment = (broken / "gates.md").read_text()
    assert comment.startswith("<!-- bakeoff:gates:words -->")
    for sample in (f"q{i}" for i in range(20, 32)):
        assert sample in comment
    assert "q5" not in comment
    assert "FAIL" in summary.read_text()
    assert any(line.startswith("::error") for line in harm.stdout.splitlines())
    suite = ElementTree.parse(broken / "gates.xml").getroot().find("testsuite")
    assert (suite.get("tests"), suite.get("failures")) == ("2", "1")

    refused = go("baseline", "accept", "--reason", "no")
    assert refused.returncode == 2
    assert "it fails its gates (mine.words.exact_match >= baseline" in refused.stderr
    assert go("gate", "--soft").returncode == 0


def test_another_run_may_stand_for_the_baseline_once(go: Go, tmp_path: Path) -> None:
    better = run_of(go(*RUN, wrong=range(4)), tmp_path)
    worse = run_of(go(*RUN, wrong=range(30)), tmp_path)
    kept = (worse / "gates.json").read_bytes()
    done = go("gate", worse.name, "--baseline", better.name, "--output", "out")
    assert done.returncode == 10
    assert (worse / "gates.json").read_bytes() == kept != (tmp_path / "out/gates.json").read_bytes()
    assert go("gate", better.name, "--baseline", worse.name, "--output", "out").returncode == 0


def test_a_baseline_outlives_its_run_and_is_not_taken_when_it_was_changed(
    go: Go, tmp_path: Path
) -> None:
    first = run_of(go(*RUN, wrong=range(20)), tmp_path)
    assert go("baseline", "accept", "--reason", "r").returncode == 0
    for path in sorted(first.rglob("*"), reverse=True):
        path.unlink() if path.is_file() else path.rmdir()
    assert go(*RUN, wrong=range(20)).returncode == 0
    listed = go("baseline", "list")
    assert first.name in listed.stdout
    (rows,) = tmp_path.glob("results/baselines/*.rows.json.gz")
    rows.write_bytes(rows.read_bytes()[:-9] + b"\0" * 9)
    done = go("gate")
    assert done.returncode == 12
    assert "not the rows that were accepted" in done.stderr


def test_a_changed_prompt_is_what_a_pull_request_tests(go: Go, tmp_path: Path) -> None:
    go(*RUN, wrong=range(20))
    assert go("baseline", "accept", "--reason", "r").returncode == 0
    task = tmp_path / "tasks" / "words.yaml"
    task.write_text(task.read_text() + "system: Be brief.\n")
    better, worse = go(*RUN, wrong=range(18)), go(*RUN, wrong=range(32))
    assert (better.returncode, worse.returncode) == (0, 10), better.stdout
    for done in (better, worse):
        assert "other than the baseline: prompt" in done.stdout
        assert "Differs from the baseline in prompt of task words (" in done.stdout
        folder = run_of(done, tmp_path)
        assert json.loads((folder / "gates.json").read_text())["treatment"]
        for name in ("gates.md", "gates.xml", "report.md", "report.html"):
            assert "prompt of task words" in (folder / name).read_text(), name
    held = tmp_path / "gates.yaml"
    held.write_text(f"policy: {{same: [prompt]}}\n{BENCHMARK[BENCHMARK.index('gates:') :]}")
    refused = go("gate", "--gates", "gates.yaml")
    assert refused.returncode == 12
    assert "policy.same lists what differs: prompt of task words" in refused.stdout


def test_changed_rows_are_not_comparable_and_can_be_accepted_anew(go: Go, tmp_path: Path) -> None:
    go(*RUN, wrong=range(20))
    assert go("baseline", "accept", "--reason", "r").returncode == 0
    rows = tmp_path / "tasks" / "rows" / "test.jsonl"
    rows.write_text(rows.read_text().replace("word 7?", "word seven?"))
    changed = go(*RUN, wrong=range(20))
    assert changed.returncode == 12
    assert "not comparable with the baseline: samples of task words" in changed.stdout
    assert go("gate", "--allow-mismatch", "--output", "out").returncode == 0
    assert json.loads((tmp_path / "out" / "gates.json").read_text())["mismatch"]
    assert go("baseline", "accept", "--reason", "new rows").returncode == 0
    assert go("gate").returncode == 0


def test_limited_and_unfinished_runs_are_no_baseline(go: Go, tmp_path: Path) -> None:
    limited = go(*RUN, "--limit", "40", wrong=range(1))
    assert limited.returncode in (0, 12)
    refused = go("baseline", "accept", "--reason", "r")
    assert refused.returncode == 2
    assert "limited run (limit 40) cannot be a baseline" in refused.stderr
    run = run_of(limited, tmp_path)
    manifest = json.loads((run / "manifest.json").read_text())
    (run / "manifest.json").write_text(json.dumps({**manifest, "status": "interrupted"}))
    refused = go("baseline", "accept", "--reason", "r")
    assert refused.returncode == 2
    assert "the run is interrupted" in refused.stderr


def test_runs_are_compared_with_each_other(go: Go, tmp_path: Path) -> None:
    one = run_of(go(*RUN, wrong=range(20)), tmp_path)
    two = run_of(go(*RUN, wrong=range(10, 40)), tmp_path)
    found = json.loads(go("compare", one.name, two.name, "--format", "json").stdout)
    facts = found["tasks"]["words"]["exact_match"]
    assert facts["sides"]["A:mine"]["value"] == pytest.approx(100 / 120)
    difference = facts["differences"]["B:mine - A:mine"]
    assert difference["value"] == pytest.approx(-10 / 120)
    assert (difference["wins"], difference["losses"]) == (10, 20)
    broke = {each["sample"] for each in difference["changed"]["broke"]}
    assert broke == {f"q{i}" for i in range(20, 40)}
    shown = go("compare", one.name, two.name).stdout
    assert f"A = {one.name}, B = {two.name}" in shown
    table = go("compare", one.name, two.name, "--format", "csv").stdout.splitlines()
    assert table[0].startswith("task,metric,slice,kind,name,value,low,high,n")
    assert len([line for line in table if line.startswith("words,exact_match,,difference")]) == 1
    task = tmp_path / "tasks" / "words.yaml"
    task.write_text(task.read_text() + "system: Be brief.\n")
    three = run_of(go(*RUN, wrong=range(20)), tmp_path)
    named = go("compare", one.name, three.name)
    assert named.returncode == 0
    assert "Differs: A and B: prompt of task words" in named.stdout
    rows = tmp_path / "tasks" / "rows" / "test.jsonl"
    rows.write_text(rows.read_text().replace("word 7?", "word seven?"))
    four = run_of(go(*RUN, wrong=range(20)), tmp_path)
    refused = go("compare", one.name, four.name)
    assert refused.returncode == 12
    assert "A and B: samples of task words" in refused.stderr
    marked = go("compare", one.name, four.name, "--allow-mismatch")
    assert marked.returncode == 0
    assert "NOT COMPARABLE" in marked.stdout
    frame_of = Run(one).comparison
    from bakeoff.outputs.export import frame

    assert {"task", "metric", "value", "p"} <= set(frame(frame_of).columns)


@pytest.mark.slow
def test_a_tracking_server_carries_baselines_to_other_machines(go: Go, tmp_path: Path) -> None:
    server = {"MLFLOW_TRACKING_URI": f"sqlite:///{tmp_path / 'server.db'}"}
    here, there = ({**server, "BAKEOFF_RESULTS": str(tmp_path / name)} for name in ("a", "b"))
    go(*RUN, wrong=range(20), **here)
    accepted = go("baseline", "accept", "--reason", "release", **here)
    assert accepted.returncode == 0, accepted.stderr
    harm = go(*RUN, wrong=range(32), **there)
    assert harm.returncode == 10, harm.stdout + harm.stderr
    assert list((tmp_path / "b" / "baselines").glob("*.rows.json.gz"))
    assert go(*RUN, wrong=range(20), **there).returncode == 0
    unreachable = go(
        *RUN, wrong=range(20), **{**there, "MLFLOW_TRACKING_URI": "http://127.0.0.1:9"}
    )
    assert unreachable.returncode == 2
    assert "MLflow at http://127.0.0.1:9" in unreachable.stderr


def test_a_comparison_is_the_same_in_every_process(go: Go, tmp_path: Path) -> None:
    go(*RUN, wrong=range(20))
    one, two = (go("compare", "--format", "json", PYTHONHASHSEED=seed).stdout for seed in "12")
    assert one == two
    assert json.loads(one)["tasks"]["words"]["metrics"]["exact_match"]
