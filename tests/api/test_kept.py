"""From Python: nights, parts, lists of runs, results of other tools, as the commands have them."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest

import bakeoff
from bakeoff import api
from bakeoff.core.words import MissingEvidence
from conftest import Cli
from desk import write_benchmark, write_desk

MINE = """\
tasks: [desk]
setups:
  mine: {call: "../bot.py::answer"}
latency: {samples: 0}
gates: ["rate(*.error) <= 0.5"]
"""


BOT = """\
from pathlib import Path


def answer(sample):
    if Path("broken").exists():
        raise ValueError("no")
    return "9"
"""


@pytest.fixture
def mine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return write_benchmark(write_desk(tmp_path), MINE, BOT)


def test_a_night_is_kept_once_and_shown(mine: Path, cli: Cli) -> None:
    with pytest.raises(MissingEvidence, match="no nightly run yet"):
        api.trend("mine")
    day = date(2026, 11, 20)
    first = api.nightly("mine", day, mlflow=False, advance=True)
    assert (first.value.exit_code, first.value.night.state) == (0, "PASS")
    assert "PASS" in repr(first)
    again = api.nightly("mine", day, mlflow=False)
    assert again.value.run is None
    assert "is done already" in again.value.notes[0]
    (pointer,) = api.baselines().value
    assert pointer.run == first.value.night.run
    assert f"{api.baselines()}\n" == cli("baseline", "list", cwd=mine).stdout
    nights = api.trend("mine")
    assert [night.night for night in nights.value] == [day]
    series = nights.frame().set_index("series")["value"]
    # The answer 9 is right for two of three samples.
    assert series["mine.desk.contains"] == pytest.approx(2 / 3)


def test_shards_are_merged_and_runs_listed(mine: Path, cli: Cli) -> None:
    parts = [bakeoff.run("mine", shard=(part, 2), mlflow=False) for part in (1, 2)]
    whole = api.merge(*parts)
    assert len(whole.samples()) == 3
    assert (whole.folder / "report.html").is_file()
    listed = api.runs("mine")
    assert {run.folder for run in listed.value} == {whole.folder, *(p.folder for p in parts)}
    assert f"{listed}\n" == cli("runs", "mine", cwd=mine).stdout
    assert api.runs("none").value == ()
    written = whole.export(mine / "tables", "csv")
    assert written[mine / "tables" / "samples.csv"] == 3


def test_failed_answers_are_asked_again(mine: Path) -> None:
    (mine / "broken").touch()
    first = bakeoff.run("mine", mlflow=False)
    assert set(first.samples()["error"]) == {"ValueError: no"}
    (mine / "broken").unlink()
    again = bakeoff.run("mine", mlflow=False, resume=first.folder.name, retry_failed=True)
    assert again.folder == first.folder
    assert set(again.samples()["error"]) == {None}


def test_results_of_another_tool_are_a_run(mine: Path) -> None:
    (mine / "other.csv").write_text("n,reply,model\nq1,at 9,a\nq2,unknown,a\nq3,8,a\n")
    run = api.import_results(
        "other.csv",
        columns={"id": "n", "answer": "reply", "setup": "model"},
        task="desk",
        name="other",
    )
    scores = run.scores().query("metric == 'contains'").set_index("sample")["score"]
    assert scores.to_dict() == {"q1": 1, "q2": 1, "q3": 0}
