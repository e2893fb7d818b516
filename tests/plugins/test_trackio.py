"""The package in plugins/trackio, installed beside bakeoff: a sink that nothing else knows of."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from bakeoff.analysis.measured_run import Run
from conftest import ROOT, Cli, write_project

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not find_spec("trackio"), reason="trackio is not installed (make setup)"),
]
BENCHMARK = """
tasks: [tiny]
setups:
  mine: {call: "../bot.py::answer"}
  other: {call: "../bot.py::answer", description: "=1+1"}
latency: {samples: 2}
"""
LOGGED = """
import json, sys, trackio
from trackio.sqlite_storage import SQLiteStorage
print(json.dumps([
    {"name": run.name, "config": run.config, "logs": SQLiteStorage.get_logs("own", run.name)}
    for run in trackio.Api().runs("own")
]))
"""
OFFLINE = """
import socket

def refuse(*_):
    raise OSError("no network in this test")

socket.socket.connect = socket.socket.connect_ex = refuse
"""


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder where the package is installed; processes beside it have no network."""
    source = tmp_path_factory.mktemp("source") / "trackio"
    shutil.copytree(ROOT / "plugins" / "trackio", source)
    target = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-index"]
    command += ["--no-build-isolation", "--target", str(target), str(source)]
    subprocess.run(command, check=True)
    (target / "sitecustomize.py").write_text(OFFLINE)
    return target


@pytest.fixture
def project(tmp_path: Path) -> Path:
    write_project(tmp_path).with_name("own.yaml").write_text(BENCHMARK)
    return tmp_path


def beside(place: Path, project: Path) -> dict[str, str]:
    paths = [str(place), os.environ.get("PYTHONPATH", "")]
    return {
        "PYTHONPATH": os.pathsep.join(path for path in paths if path),
        "TRACKIO_DIR": str(project / "trackio"),
    }


def logged(place: Path, project: Path) -> list[dict[str, Any]]:
    """What Trackio says that it holds."""
    environment = {**os.environ, **beside(place, project)}
    command = [sys.executable, "-c", LOGGED]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    found: list[dict[str, Any]] = json.loads(done.stdout)
    return found


def folders(project: Path) -> Iterator[Path]:
    yield from sorted((project / "results" / "own").glob("*/"))


def test_a_run_stands_in_trackio_with_the_numbers_of_its_report(
    place: Path, project: Path, program: Cli
) -> None:
    command = ["run", "benchmarks/own.yaml", "--no-mlflow"]
    done = program(*command, cwd=project, **beside(place, project))
    assert done.returncode == 0, done.stderr
    assert "Trackio:         trackio show --project own" in done.stdout
    assert "Trackio project initialized" not in done.stdout + done.stderr
    (folder,) = folders(project)
    run = Run(folder)
    entries = {entry["config"]["setup"]: entry for entry in logged(place, project)}
    assert set(entries) == {"mine", "other"}
    assert entries["mine"]["name"] == f"mine {folder.name}"
    assert entries["mine"]["config"]["kind"] == "custom"
    assert entries["mine"]["config"]["samples"] == 3
    (numbers,) = entries["mine"]["logs"]
    # One of three answers is right.
    assert numbers["tiny/contains"] == pytest.approx(1 / 3)
    estimate = run.comparison.tasks["tiny"].metrics["contains"].setups["mine"]
    assert numbers["tiny/contains low"] == estimate.low
    assert numbers["tiny/contains high"] == estimate.high
    assert "tiny/latency_s:p50" in numbers
    assert not any("mine - " in name or " - mine" in name for name in numbers)


def test_what_is_sent_twice_stands_there_once(place: Path, project: Path, program: Cli) -> None:
    for more in ([], ["--new"]):
        command = ["run", "benchmarks/own.yaml", "--no-mlflow", *more]
        assert not program(*command, cwd=project, **beside(place, project)).returncode
    first, second = folders(project)
    again = (
        "import sys, bakeoff_trackio\nfrom pathlib import Path\n"
        "from bakeoff.analysis.measured_run import Run\n"
        "print(*bakeoff_trackio.send(Run(Path(sys.argv[1]))))"
    )
    environment = {**os.environ, **beside(place, project)}
    environment["PYTHONPATH"] += os.pathsep + str(ROOT / "src")
    subprocess.run([sys.executable, "-c", again, str(first)], env=environment, check=True)
    names = [entry["name"] for entry in logged(place, project)]
    expected = [f"{setup} {run.name}" for run in (first, second) for setup in ("mine", "other")]
    assert sorted(names) == sorted(expected)


def test_a_folder_that_cannot_be_written_is_one_message_and_no_end(
    place: Path, project: Path, program: Cli
) -> None:
    (project / "trackio").write_text("mine")
    command = ["run", "benchmarks/own.yaml", "--no-mlflow"]
    done = program(*command, cwd=project, **beside(place, project))
    assert done.returncode == 0
    (line,) = [line for line in done.stderr.splitlines() if "Trackio" in line]
    assert line.startswith("bakeoff: Trackio: trackio failed to flush metric logs for run 'mine")
    assert (project / "trackio").read_text() == "mine"


def test_it_is_listed_where_it_is_installed(place: Path, project: Path, program: Cli) -> None:
    listed = program("plugins", cwd=project, **beside(place, project)).stdout
    (row,) = [line.split() for line in listed.splitlines() if "bakeoff-trackio" in line]
    assert row == ["sinks", "Trackio", "bakeoff-trackio", "0.1", "yes"]
    assert "bakeoff-trackio" not in program("plugins", cwd=project).stdout
