"""A run from elsewhere: reading it runs nothing, and scoring it only what the user trusts."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from bakeoff.cli.app import main
from bakeoff.testing import Reply, completion, fake_endpoint

CODE = """
from pathlib import Path
Path({mark!r}).touch()
def score(sample, answer):
    return 1.0
def answer(sample):
    return "gate"
def rows(rows):
    return rows
def documents():
    return {{"d": "gate"}}
"""


def call(*arguments: object) -> Result:
    return CliRunner().invoke(main, [str(argument) for argument in arguments])


def write_project(folder: Path, mark: Path, **endpoint: object) -> Path:
    """A benchmark whose every part that may be a function is one; the code leaves a mark."""
    (folder / "tasks").mkdir(parents=True)
    (folder / "benchmarks").mkdir()
    code = CODE.format(mark=str(mark))
    (folder / "tasks" / "code.py").write_text(code)
    (folder / "benchmarks" / "code.py").write_text(code)
    row = {"id": "1", "question": "Which?", "targets": ["gate"]}
    (folder / "tasks" / "rows.jsonl").write_text(json.dumps(row) + "\n")
    judged = ["judged_correct(verifier='api:judge')"] if endpoint else []
    task = {
        "description": "Gates.",
        "rows": {"test": {"files": "rows.jsonl", "adapt": "./code.py::rows"}},
        "corpora": {"notes": {"call": "./code.py::documents"}},
        "scorers": ["./code.py::score", *judged],
    }
    if endpoint:
        task = {**task, "rows": {"test": "rows.jsonl"}, "corpora": {}, "scorers": judged}
    (folder / "tasks" / "gates.yaml").write_text(json.dumps(task))
    bench = {
        "tasks": ["gates"],
        **({"endpoints": {"api": endpoint}} if endpoint else {}),
        "setups": {"own": {"call": "./code.py::answer"}},
        "latency": {"samples": 0},
    }
    (folder / "benchmarks" / "bench.yaml").write_text(json.dumps(bench))
    return Path("benchmarks/bench.yaml")


@pytest.fixture
def mark(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("BAKEOFF_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("KEY_OF_MINE", "mine-0123")
    return tmp_path / "mark"


def run_of(folder: Path) -> Path:
    return next((folder / "results" / "bench").glob("*/manifest.json")).parent


def made(folder: Path, mark: Path, monkeypatch: pytest.MonkeyPatch, **endpoint: object) -> Path:
    """A run made in `folder`, which is the working folder from here on; the mark is gone."""
    bench = write_project(folder, mark, **endpoint)
    monkeypatch.chdir(folder)
    done = call("run", bench, "--no-mlflow")
    assert done.exit_code == 0, done.output
    mark.unlink()
    return run_of(folder)


def test_a_run_of_this_project_is_scored_as_ever(
    tmp_path: Path, mark: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made(tmp_path / "project", mark, monkeypatch)
    assert call("score").exit_code == 0
    assert mark.exists()


@pytest.mark.slow
def test_a_run_from_elsewhere_runs_its_code_only_when_trusted(
    tmp_path: Path, mark: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    theirs = made(tmp_path / "theirs", mark, monkeypatch)
    # A folder in the project that is no part of it: unpacked as it came, or put among the results.
    project = tmp_path / "project"
    shutil.copytree(tmp_path / "theirs", project / "unpacked")
    inside = project / "results" / "bench" / theirs.name
    shutil.copytree(theirs, inside)
    shutil.copytree(tmp_path / "theirs" / "tasks", project / "results" / "tasks")
    monkeypatch.chdir(project)
    for run, place in ((project / "unpacked", "unpacked"), (project, "results")):
        folder = run_of(run)
        manifest = json.loads((folder / "manifest.json").read_text())
        manifest["file"] = f"{place}/benchmarks/bench.yaml"
        # Runs of before have no digests, and anybody can take them out.
        manifest["files"], manifest["seal"] = {}, ""
        (folder / "manifest.json").write_text(json.dumps(manifest))
        refused = call("score", folder)
        assert refused.exit_code == 2
        assert not mark.exists()
        for function in ("score", "rows", "documents"):
            assert f"run ./code.py::{function}, which {place}/tasks/gates.yaml" in refused.output
        assert "--trust" in refused.output
        for command in ("compare", "report", "gate", "log", "advise"):
            call(command, folder)
        call("merge", folder)
        assert not mark.exists()
    (project / "results" / "benchmarks").mkdir()
    shutil.copy(project / "unpacked" / "benchmarks" / "bench.yaml", project / "results/benchmarks")
    assert call("score", run_of(project), "--trust").exit_code == 0
    assert mark.exists()


def test_a_link_to_code_of_elsewhere_is_not_the_projects_own(
    tmp_path: Path, mark: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made(tmp_path / "project", mark, monkeypatch)
    code = tmp_path / "project" / "tasks" / "code.py"
    code.rename(tmp_path / "other.py")
    code.symlink_to(tmp_path / "other.py")
    assert call("score").exit_code == 2
    assert not mark.exists()


def test_a_run_does_not_choose_who_gets_a_key(
    tmp_path: Path, mark: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    verdict = completion('{"verdict": "correct"}')
    with fake_endpoint(lambda _: verdict) as mine, fake_endpoint(lambda _: Reply({})) as theirs:
        run = made(tmp_path / "project", mark, monkeypatch, url=f"{mine.url}/v1")
        assert call("score").exit_code == 0
        manifest = json.loads((run / "manifest.json").read_text())
        manifest["suite"]["endpoints"]["api"] |= {"url": theirs.url, "api_key_env": "KEY_OF_MINE"}
        manifest["files"], manifest["seal"] = {}, ""
        (run / "manifest.json").write_text(json.dumps(manifest))
        refused = call("score")
        assert refused.exit_code == 2
        assert f"ask {theirs.url} with the environment variables KEY_OF_MINE" in refused.output
        assert theirs.asked == []
