"""Links in a run's folder: what they lead to stays as it was, whatever command writes there."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from bakeoff.cli.app import main
from bakeoff.runs import store
from bakeoff.runs.manifest import INTERRUPTED
from bakeoff.runs.naming import find_run
from bakeoff.runs.strip_texts import prune
from bakeoff.testing import completion, fake_endpoint, make_run

MINE = "what is mine stays\n"
PRICES = """
prices: v1
dated: 2026-11-28
currency: EUR
models: {embedded: {prompt: 0.3, completion: 1}}
training: {per_million_tokens: 4}
"""
COMMANDS = {
    "report": ("report",),
    "gate": ("gate",),
    "cost": ("cost", "--prices", "prices.yaml"),
    "advise": ("advise", "--needs", "needs.yaml"),
    "log": ("log",),
    "score": ("score",),
}
FILES = ("report.md", "report.html", "gates.json", "gates.xml", "gates.md", "comparison.json")
FILES += ("cost.json", "advice.json", "manifest.json.new", "mlflow.json", "lock", "plots/a.svg")
FILES += ("units/gate_qa.base/scores.jsonl",)


def call(*arguments: object) -> Result:
    return CliRunner().invoke(main, [str(argument) for argument in arguments])


@pytest.fixture
def mine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A file outside of the results, in a folder that nothing else is in."""
    monkeypatch.setenv("BAKEOFF_RESULTS", str(tmp_path / "results"))
    monkeypatch.setenv("BAKEOFF_CACHE", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)
    (tmp_path / "prices.yaml").write_text(PRICES)
    (tmp_path / "needs.yaml").write_text("needs: v1\nupdates_per_month: 0\n")
    file = tmp_path / "mine" / "file"
    file.parent.mkdir()
    file.write_text(MINE)
    return file


def untouched(mine: Path) -> bool:
    return mine.read_text() == MINE and [*mine.parent.iterdir()] == [mine]


@pytest.mark.parametrize("name", FILES)
def test_no_command_writes_through_a_link_to_a_file(name: str, mine: Path) -> None:
    run = make_run(mine.parent.parent / "results")
    path = run / name
    path.parent.mkdir(exist_ok=True)
    path.unlink(missing_ok=True)
    path.symlink_to(mine)
    for command, *arguments in COMMANDS.values():
        assert call(command, run, *arguments).exit_code, command
    here = mine.parent.parent
    refused = f"{path.relative_to(here)}: a link to {mine.relative_to(here)}"
    assert refused in call("log", run).output
    assert untouched(mine)
    # Reading alone is no harm, nor is writing elsewhere.
    assert "scores.jsonl" in name or call("compare", run).exit_code == 0


@pytest.mark.parametrize("name", ["plots", "units/gate_qa.base", "units"])
def test_no_command_writes_through_a_link_to_a_folder(name: str, mine: Path) -> None:
    run = make_run(mine.parent.parent / "results")
    shutil.rmtree(run / name, ignore_errors=True)
    (run / name).symlink_to(mine.parent, target_is_directory=True)
    for command, *arguments in COMMANDS.values():
        assert call(command, run, *arguments).exit_code
    assert untouched(mine)


def test_the_runs_folder_itself_may_be_a_link(mine: Path) -> None:
    run = make_run(mine.parent.parent / "elsewhere")
    (mine.parent.parent / "latest").symlink_to(run, target_is_directory=True)
    assert call("report", "latest").exit_code == 0
    assert (run / "report.html").is_file()


@pytest.mark.parametrize(
    ("command", "names"),
    [
        ("cost", ["cost.json"]),
        ("advise", ["advice.json"]),
        ("report", ["comparison.json", "report.md", "report.html"]),
        ("gate", ["gates.json", "gates.xml", "gates.md", f".gates.xml.{os.getpid()}"]),
    ],
)
def test_a_file_with_a_second_name_elsewhere_is_replaced(
    command: str, names: list[str], mine: Path
) -> None:
    run = make_run(mine.parent.parent / "results")
    for name in names:
        (run / name).unlink(missing_ok=True)
        os.link(mine, run / name)
    assert call(command, run, *COMMANDS[command][1:]).exit_code == 0
    assert mine.read_text() == MINE
    assert mine.stat().st_nlink == 1


def write_bench(folder: Path, url: str) -> None:
    row = {"id": "1", "question": "Which?", "targets": ["gate"]}
    (folder / "rows.jsonl").write_text(json.dumps(row) + "\n")
    task = {"description": "Gates.", "rows": {"test": "rows.jsonl"}, "scorers": ["contains"]}
    (folder / "gates.yaml").write_text(json.dumps(task))
    bench = {
        "tasks": ["gates.yaml"],
        "endpoints": {"api": {"url": url}},
        "model": "api:small",
        "setups": {"base": {}},
        "latency": {"samples": 0},
    }
    (folder / "bench.yaml").write_text(json.dumps(bench))


@pytest.mark.parametrize("link", [os.symlink, os.link])
def test_a_run_goes_on_in_no_journal_that_is_a_file_of_elsewhere(
    link: Callable[[Path, Path], None], mine: Path
) -> None:
    with fake_endpoint(lambda _: completion("gate")) as endpoint:
        write_bench(mine.parent.parent, endpoint.url)
        assert call("run", "bench.yaml", "--no-mlflow").exit_code == 0
        run = find_run("latest", mine.parent.parent / "results")
        stopped = store.read_manifest(run).model_copy(update={"status": INTERRUPTED, "files": {}})
        store.write_manifest(run, stopped)
        unit = run / "units" / "gates.base"
        for journal in unit.glob("*.jsonl"):
            journal.unlink()
        link(mine, unit / "1.jsonl")
        done = call("run", "bench.yaml", "--no-mlflow", "--resume", run)
    assert done.exit_code == 2, done.output
    assert f"bakeoff: {(unit / '1.jsonl').relative_to(mine.parent.parent)}: " in done.output
    assert mine.read_text() == MINE


def test_old_runs_lose_no_texts_through_links(mine: Path) -> None:
    run = make_run(mine.parent.parent / "results")
    (run / "report.html").unlink(missing_ok=True)
    (run / "report.html").symlink_to(mine)
    (left,) = prune(mine.parent.parent / "results", 1, (), datetime.now(UTC) + timedelta(days=9))
    assert f"a link to {mine}" in left.left
    assert untouched(mine)
