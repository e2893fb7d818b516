"""The complete run in `results/reference/quickstart`: commands work on it, and say what is in it.

After scorers or statistics changed on purpose: `bakeoff score results/reference/quickstart`.
"""

from __future__ import annotations

import json
import re
import shutil
import socket
import subprocess
import sys
from itertools import takewhile
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from bakeoff.cli import main
from bakeoff.core.words import sha256_file
from conftest import ROOT

RUN = ROOT / "results" / "reference" / "quickstart"
LARGEST = 1_500_000
HERE = re.compile(r"(?<![\w.])/(?:home|root|work|tmp|Users|private)/")


def call(place: Path, *arguments: str) -> str:
    environment = {"BAKEOFF_RESULTS": str(place / "results"), "MLFLOW_TRACKING_URI": None}
    done = CliRunner(env=environment).invoke(main, arguments, catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return done.stdout


def kept() -> dict[str, Path]:
    """The files that are in the repository, by their place in the folder."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "."], cwd=RUN, capture_output=True, text=True, check=True
    )
    return {name: RUN / name for name in listed.stdout.split("\0") if name}


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    for name, path in kept().items():
        (tmp_path / "run" / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, tmp_path / "run" / name)
    return tmp_path / "run"


def test_it_is_small_and_names_no_place_of_the_machine_it_was_made_on() -> None:
    files = kept()
    assert {"manifest.json", "report.html", "units/handbook_qa.hybrid/committed.jsonl"} <= set(
        files
    )
    assert not {"mlflow.json", "lock"} & set(files)
    assert sum(path.stat().st_size for path in files.values()) < LARGEST
    places = {name: HERE.search(path.read_text()) for name, path in files.items()}
    assert not {name: found[0] for name, found in places.items() if found}


def test_looking_at_it_changes_no_file_of_it(tmp_path: Path, copy: Path) -> None:
    # On a copy: where the numbers are out of date, they are computed again and written.
    before = {name: sha256_file(copy / name) for name in kept()}
    shown = call(tmp_path, "compare", str(copy))
    assert "hybrid" in shown
    call(tmp_path, "compare", str(copy), "--format", "csv")
    call(tmp_path, "report", str(copy), "--output", str(tmp_path / "page.html"))
    assert {name: sha256_file(copy / name) for name in kept()} == before


def test_what_commands_write_into_it_is_what_is_there(tmp_path: Path, copy: Path) -> None:
    for command in (("report",), ("gate",)):
        call(tmp_path, *command, str(copy))
    for name in ("comparison.json", "gates.json"):
        assert _numbers(copy / name) == _numbers(RUN / name), name
    page = (copy / "report.html").read_text()
    assert "handbook_qa" in page
    call(tmp_path, "cost", str(copy), "--prices", "cloud-api")
    call(tmp_path, "advise", str(copy), "--needs", "quickstart")
    assert (copy / "cost.json").is_file()
    assert (copy / "advice.json").is_file()


def _numbers(path: Path) -> Any:
    """A file of numbers, rounded: libraries of another version round the last digits otherwise."""
    return json.loads(path.read_text(), parse_float=lambda text: f"{float(text):.8g}")


def test_a_reference_is_not_the_latest_run_of_anybody(tmp_path: Path, copy: Path) -> None:
    from bakeoff.runs.naming import find_run

    results = tmp_path / "results"
    own = results / "mine" / "20260101-000000-000000"
    shutil.copytree(copy, own)
    shutil.copytree(copy, results / "reference" / "quickstart")
    assert find_run("latest", results) == own
    assert find_run("quickstart", results) == results / "reference" / "quickstart"


@pytest.mark.slow
def test_the_ui_opens_on_a_run_that_was_never_logged_here(tmp_path: Path, copy: Path) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = ["ui", str(copy), "--no-browser", "--port", str(port)]
    process = subprocess.Popen(
        [sys.executable, "-m", "bakeoff.cli", *command],
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    try:
        assert process.stdout
        shown = list(takewhile(lambda line: not line.startswith("charts:"), process.stdout))
        # The server itself says nothing.
        assert not [line for line in shown if "[MLflow]" in line or "Registry" in line]
        assert process.poll() is None
    finally:
        process.terminate()
        process.wait(60)
