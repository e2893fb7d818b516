"""Functions of the user's through whole runs: side by side, and known by what their file holds."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from bakeoff.analysis.measured_run import Run
from bakeoff.cli.app import main
from bakeoff.runs.naming import find_run

WAITS = """
import asyncio
running, most, loops = 0, 0, set()

async def answer(sample):
    global running, most
    running += 1
    most = max(most, running)
    loops.add(id(asyncio.get_running_loop()))
    await asyncio.sleep(0.02)
    running -= 1
    if sample.id == "q3":
        raise ValueError("no door")
    return f"{sample.id} {most} {len(loops)}"

async def leaves(sample):
    raise SystemExit(3)
"""


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("BAKEOFF_RESULTS", str(tmp_path / "results"))
    return tmp_path


def bench(folder: Path, code: str, setup: dict[str, Any], samples: int = 8) -> Path:
    (folder / "bot.py").write_text(code)
    rows = [{"id": f"q{n}", "question": f"Where? {n}", "targets": ["left"]} for n in range(samples)]
    (folder / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    task = {"description": "", "rows": {"test": "rows.jsonl"}, "scorers": ["exact_match"]}
    (folder / "doors.yaml").write_text(json.dumps(task))
    whole = {
        "description": "Doors.",
        "tasks": ["doors.yaml"],
        "setups": {"ours": setup},
        "latency": {"samples": 0},
    }
    (folder / "bench.yaml").write_text(json.dumps(whole))
    return folder / "bench.yaml"


def bakeoff(*arguments: str | Path) -> Result:
    return CliRunner().invoke(main, [str(part) for part in arguments])


def latest() -> Run:
    return Run(find_run("latest", Path("results")))


@pytest.mark.parametrize(("given", "most"), [({}, 8), ({"concurrency": 3}, 3)])
def test_an_async_function_is_called_side_by_side(
    here: Path, given: dict[str, int], most: int
) -> None:
    done = bakeoff("run", bench(here, WAITS, {"call": "./bot.py::answer", **given}), "--no-mlflow")
    assert done.exit_code in (0, 12), done.output
    records = {r.sample: r for r in latest().records("doors", "ours")}
    assert len(records) == 8 and records["q3"].error == "ValueError: no door"
    texts = [r.answer.text.split() for r in records.values() if r.answer]
    assert all(
        name == sample
        for (name, *_), sample in zip(texts, sorted({*records} - {"q3"}), strict=True)
    )
    assert max(int(seen) for _, seen, _ in texts) == most
    assert {loops for *_, loops in texts} == {"1"}


def test_an_async_function_that_leaves_ends_the_run_with_one_message(here: Path) -> None:
    done = bakeoff("run", bench(here, WAITS, {"call": "./bot.py::leaves"}), "--no-mlflow")
    assert done.exit_code == 2
    assert "it called sys.exit(3)" in done.output


ANSWERS = "def answer(sample):\n    return 'left'\n"


def test_a_run_knows_the_file_of_a_function_and_is_not_resumed_after_a_change(here: Path) -> None:
    path = bench(here, ANSWERS, {"call": "./bot.py::answer"})
    assert bakeoff("run", path, "--no-mlflow").exit_code == 0
    first = latest()
    assert list(first.manifest.code) == ["./bot.py::answer"]
    (here / "bot.py").write_text(ANSWERS.replace("left", "right"))
    refused = bakeoff("run", path, "--no-mlflow", "--resume", first.folder.name)
    assert refused.exit_code == 2
    assert "code changed since (./bot.py::answer)" in refused.output
    assert bakeoff("run", path, "--no-mlflow").exit_code == 0
    compared = bakeoff("compare", first.folder, latest().folder)
    assert compared.exit_code == 0, compared.output
    assert "code" in compared.output
