"""The package in tests/fixtures/plugin, installed as a user would, beside bakeoff."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from bakeoff.analysis.measured_run import Run
from conftest import ROOT, Cli, write_project

pytestmark = pytest.mark.slow

TASK = """
description: Letters.
rows: {test: asked.jsonl}
corpora: {letters: {documents: "letters/*"}}
scorers: [contains, polite]
"""
BENCHMARK = """
model: butler:old
tasks: [letters]
setups:
  base: {}
  rag: {retrieve: {retriever: alphabetical, k: 1}}
latency: {samples: 0}
"""


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder where the package is installed."""
    source = tmp_path_factory.mktemp("source") / "plugin"
    shutil.copytree(ROOT / "tests" / "fixtures" / "plugin", source)
    target = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-index"]
    command += ["--no-build-isolation", "--target", str(target), str(source)]
    subprocess.run(command, check=True)
    return target


def beside(*folders: Path) -> dict[str, str]:
    """The environment in which packages of these folders are installed too."""
    paths = [*map(str, folders), os.environ.get("PYTHONPATH", "")]
    return {"PYTHONPATH": os.pathsep.join(path for path in paths if path)}


@pytest.fixture
def project(tmp_path: Path) -> Path:
    write_project(tmp_path)
    letters = tmp_path / "tasks" / "letters"
    letters.mkdir()
    (letters / "one.letter").write_text("Dear all,\nthe barrow weighs 19 kilos.\nYours\n")
    (letters / "two.letter").write_text("Dear all,\nthe shed is locked.\nYours\n")
    asked = {"id": "q1", "question": "How heavy is it?", "targets": ["19 kilos"], "gold": ["one"]}
    (tmp_path / "tasks" / "asked.jsonl").write_text(json.dumps(asked))
    (tmp_path / "tasks" / "letters.yaml").write_text(TASK)
    (tmp_path / "benchmarks" / "letters.yaml").write_text(BENCHMARK)
    return tmp_path


def test_parts_of_an_installed_package_are_named_like_those_of_bakeoff(
    place: Path, project: Path, program: Cli
) -> None:
    done = program("run", "benchmarks/letters.yaml", cwd=project, **beside(place))
    assert done.returncode == 0, done.stderr
    assert "postcard: sent" in done.stdout
    run = Run(next((project / "results" / "letters").glob("*/")))
    answers = [record.answer for record in run.records("letters", "rag")]
    assert all(answer and answer.text.startswith("If you please: ") for answer in answers)
    read = {p.text for answer in answers if answer for p in answer.passages}
    assert read == {"the barrow weighs 19 kilos."}
    assert set(run.columns["letters", "rag", "polite"].values) == {1.0}
    assert run.manifest.tasks["letters"].metrics["polite"].version == "4"
    assert run.manifest.versions["bakeoff-courtesy"] == "0.3"


def test_plugins_are_listed_and_one_that_cannot_be_loaded_is_one_message(
    place: Path, project: Path, program: Cli
) -> None:
    done = program("plugins", cwd=project, **beside(place))
    rows = [line.split() for line in done.stdout.splitlines() if "bakeoff-courtesy" in line]
    assert [row[:4] for row in rows] == [
        ["backends", "butler", "bakeoff-courtesy", "0.3"],
        ["readers", ".letter", "bakeoff-courtesy", "0.3"],
        ["retrievers", "alphabetical", "bakeoff-courtesy", "0.3"],
        ["scorers", "broken", "bakeoff-courtesy", "0.3"],
        ["scorers", "polite", "bakeoff-courtesy", "0.3"],
        ["sinks", "postcard", "bakeoff-courtesy", "0.3"],
    ]
    assert (done.returncode, done.stderr) == (2, "bakeoff: 1 of 6 cannot be loaded\n")
    task = project / "tasks" / "letters.yaml"
    task.write_text(TASK.replace("polite", "broken"))
    done = program("plan", "benchmarks/letters.yaml", cwd=project, **beside(place))
    assert done.returncode == 2
    assert (
        "plugin 'broken' (bakeoff.scorers) of bakeoff-courtesy 0.3: "
        "bakeoff_courtesy.broken:scorer cannot be loaded: ModuleNotFoundError: "
        "No module named 'no_such_library'"
    ) in done.stderr


def test_without_the_package_its_names_are_unknown(project: Path, program: Cli) -> None:
    done = program("plan", "benchmarks/letters.yaml", cwd=project)
    assert done.returncode == 2
    known = "known: bm25, dense, fused; yours is ./file.py::name"
    assert f"setups.rag.retrieve.retriever: no retriever 'alphabetical'; {known}" in done.stderr
    assert "setups.base: 'butler:old': no endpoint 'butler'" in done.stderr


def test_a_name_of_two_packages_is_refused(place: Path, project: Path, program: Cli) -> None:
    other = project / "site" / "rival-1.0.dist-info"
    other.mkdir(parents=True)
    (other / "METADATA").write_text("Metadata-Version: 2.1\nName: rival\nVersion: 1.0\n")
    (other / "entry_points.txt").write_text("[bakeoff.scorers]\npolite = json:dumps\n")
    done = program("plugins", cwd=project, **beside(place, other.parent))
    assert (done.returncode, done.stderr) == (
        2,
        "bakeoff: bakeoff-courtesy and rival both add 'polite' to bakeoff.scorers: uninstall one\n",
    )
