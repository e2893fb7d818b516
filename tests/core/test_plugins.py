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
    # A sink that cannot be loaded is one message, once all else is done.
    assert (
        "bakeoff: plugin 'telegram' (bakeoff.sinks) of bakeoff-courtesy 0.3: "
        "bakeoff_courtesy.broken:telegram cannot be loaded: ModuleNotFoundError: "
        "No module named 'no_such_library'\n"
    ) in done.stderr
    assert (run.folder / "report.html").is_file()


def test_executor_engine_and_importer_of_a_package_are_named_like_those_of_bakeoff(
    place: Path, project: Path, program: Cli
) -> None:
    served = BENCHMARK.replace("model: butler:old", "engine: valet")
    (project / "benchmarks" / "letters.yaml").write_text(served)
    command = ["run", "benchmarks/letters.yaml", "--no-mlflow", "--on", "politely"]
    done = program(*command, cwd=project, **beside(place))
    assert done.returncode == 0, done.stderr
    assert "with your permission" in done.stderr
    run = Run(next((project / "results" / "letters").glob("*/")))
    (engine,) = run.manifest.engines.values()
    assert (engine.kind, engine.version) == ("valet", "0.3")
    assert set(run.columns["letters", "base", "polite"].values) == {1.0}
    assert run.manifest.versions["bakeoff-courtesy"] == "0.3"
    # Where the package is not installed, its run is read all the same, and not made again.
    alone = program("compare", run.folder, cwd=project)
    assert alone.returncode == 0, alone.stderr
    again = program("plan", "benchmarks/letters.yaml", cwd=project)
    assert "engine: no engine 'valet'" in again.stderr

    (project / "may.guestbook").write_text("ann\tyes please\nben\tno\n")
    taken = program("import", "may.guestbook", "--name", "guests", cwd=project, **beside(place))
    assert taken.returncode == 0, taken.stderr
    imported = Run(next((project / "results" / "guests").glob("*/")))
    assert imported.comparison.tasks["guests"].metrics["polite"].setups["may"].value == 0.5


def test_a_command_does_not_go_on_with_a_run_of_another_version_of_a_package(
    place: Path, project: Path, program: Cli
) -> None:
    command = ["run", "benchmarks/letters.yaml", "--no-mlflow"]
    assert program(*command, cwd=project, **beside(place)).returncode == 0
    (first,) = (project / "results" / "letters").glob("*/manifest.json")
    first.write_text(first.read_text().replace('"complete"', '"interrupted"'))
    newer = project / "newer"
    shutil.copytree(place, newer)
    (info,) = newer.glob("bakeoff_courtesy-*.dist-info")
    told = info / "METADATA"
    told.write_text(told.read_text().replace("Version: 0.3", "Version: 0.4"))
    done = program(*command, cwd=project, **beside(newer))
    assert done.returncode == 0 and "resuming" not in done.stderr
    second = max((project / "results" / "letters").glob("*/"))
    assert second != first.parent
    assert Run(second).manifest.versions["bakeoff-courtesy"] == "0.4"
    shutil.rmtree(second)
    assert "resuming" in program(*command, cwd=project, **beside(place)).stderr


def test_plugins_are_listed_and_one_that_cannot_be_loaded_is_one_message(
    place: Path, project: Path, program: Cli
) -> None:
    done = program("plugins", cwd=project, **beside(place))
    rows = [line.split() for line in done.stdout.splitlines() if "bakeoff-courtesy" in line]
    assert [row[:4] for row in rows] == [
        ["backends", "butler", "bakeoff-courtesy", "0.3"],
        ["engines", "valet", "bakeoff-courtesy", "0.3"],
        ["executors", "politely", "bakeoff-courtesy", "0.3"],
        ["importers", "guestbook", "bakeoff-courtesy", "0.3"],
        ["readers", ".letter", "bakeoff-courtesy", "0.3"],
        ["retrievers", "alphabetical", "bakeoff-courtesy", "0.3"],
        ["scorers", "broken", "bakeoff-courtesy", "0.3"],
        ["scorers", "polite", "bakeoff-courtesy", "0.3"],
        ["sinks", "postcard", "bakeoff-courtesy", "0.3"],
        ["sinks", "telegram", "bakeoff-courtesy", "0.3"],
    ]
    assert (done.returncode, done.stderr) == (2, "bakeoff: 2 of 10 cannot be loaded\n")
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
    own = "tasks: [tiny]\nsetups: {mine: {call: '../bot.py::answer'}}\nlatency: {samples: 0}\n"
    (project / "benchmarks" / "own.yaml").write_text(own)
    command = ["run", "benchmarks/own.yaml", "--no-mlflow"]
    done = program(*command, cwd=project, **beside(place, other.parent))
    assert done.returncode == 0, "a run that names none of both is made and reported"
    assert "both add 'polite' to bakeoff.scorers" in done.stderr
    assert next((project / "results" / "own").glob("*/report.html")).is_file()
