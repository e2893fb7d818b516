"""Nights of a benchmark through the program: twice, after a kill, late, and over weeks."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from bakeoff.analysis.measured_run import Run
from bakeoff.analysis.trend import Night, Point, keep, read
from bakeoff.testing import Reply, fake_endpoint, in_turn
from conftest import Cli

N = 40
BOT = """
import json, pathlib, time

HERE = pathlib.Path(__file__).parent

def answer(sample):
    said = json.loads((HERE / "answers.json").read_text())
    with (HERE / "asked").open("a") as stream:
        stream.write(sample.id + "\\n")
    time.sleep(said.get("seconds", 0))
    return said.get(sample.id, "no")
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
  - {id: floor, check: "mine.words.exact_match >= 0.5"}
"""

Go = Callable[..., subprocess.CompletedProcess[str]]
HISTORY = "results/nightly/words.jsonl"


def right(folder: Path, n: int, seconds: float = 0) -> None:
    """The bot knows the first `n` answers."""
    said: dict[str, Any] = {f"q{i}": f"w{i}" for i in range(n)}
    (folder / "answers.json").write_text(json.dumps(said | {"seconds": seconds}))


@pytest.fixture
def go(tmp_path: Path, cli: Cli) -> Go:
    (tmp_path / "tasks" / "rows").mkdir(parents=True)
    (tmp_path / "benchmarks").mkdir()
    rows = [{"id": f"q{i}", "question": f"word {i}?", "targets": [f"w{i}"]} for i in range(N)]
    text = "\n".join(json.dumps(row) for row in rows) + "\n"
    (tmp_path / "tasks" / "rows" / "test.jsonl").write_text(text)
    (tmp_path / "tasks" / "words.yaml").write_text(TASK)
    (tmp_path / "benchmarks" / "words.yaml").write_text(BENCHMARK)
    (tmp_path / "bot.py").write_text(BOT)
    right(tmp_path, 32)

    def call(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
        return cli(
            *("nightly", "benchmarks/words.yaml", "--no-mlflow", *arguments),
            cwd=tmp_path,
            **environment,
        )

    return call


def runs(folder: Path) -> list[Path]:
    return sorted(path.parent for path in folder.glob("results/words/*/manifest.json"))


def asked(folder: Path) -> list[str]:
    return (folder / "asked").read_text().split()


def test_a_night_may_be_called_twice_and_late(go: Go, tmp_path: Path) -> None:
    first = go("--night", "2026-03-01")
    assert first.returncode == 0, first.stderr
    again = go("--night", "2026-03-01")
    assert again.returncode == 0
    assert "is done already" in again.stdout
    assert len(runs(tmp_path)) == 1
    assert len(asked(tmp_path)) == N
    assert go("--night", "2026-03-03").returncode == 0
    nights = read(tmp_path / HISTORY)
    assert [str(night.night) for night in nights] == ["2026-03-01", "2026-03-03"]
    point = nights[0].series["mine.words.exact_match"]
    assert (point.value, point.n) == (0.8, N)
    assert nights[0].state == "PASS"
    beat = json.loads((tmp_path / "results/nightly/words.heartbeat.json").read_text())
    assert (beat["night"], beat["exit_code"]) == ("2026-03-03", 0)


def test_a_night_that_was_killed_goes_on_where_it_was(go: Go, tmp_path: Path) -> None:
    right(tmp_path, 32, seconds=0.1)
    program = subprocess.Popen(
        [
            *(sys.executable, "-m", "bakeoff.cli", "nightly", "benchmarks/words.yaml"),
            *("--no-mlflow", "--night", "2026-03-01"),
        ],
        cwd=tmp_path,
        env={**os.environ, "BAKEOFF_CACHE": str(tmp_path / "cache")},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    while not (tmp_path / "asked").exists() or len(asked(tmp_path)) < 5:
        assert program.poll() is None
        time.sleep(0.01)
    program.kill()
    program.wait()
    right(tmp_path, 32)
    done = go("--night", "2026-03-01")
    assert done.returncode == 0, done.stderr
    assert "resuming" in done.stderr
    assert len(runs(tmp_path)) == 1
    assert set(asked(tmp_path)) == {f"q{i}" for i in range(N)}
    assert len(asked(tmp_path)) <= N + 3


def test_a_night_that_died_after_its_run_asks_nothing_again(go: Go, tmp_path: Path) -> None:
    assert go("--night", "2026-03-01").returncode == 0
    (tmp_path / HISTORY).unlink()
    done = go("--night", "2026-03-01")
    assert done.returncode == 0, done.stderr
    assert len(asked(tmp_path)) == N
    assert len(read(tmp_path / HISTORY)) == 1
    assert len(runs(tmp_path)) == 1


def test_what_another_night_left_unfinished_is_not_taken_for_this_one(
    go: Go, tmp_path: Path
) -> None:
    assert go("--night", "2026-03-01").returncode == 0
    (tmp_path / HISTORY).unlink()
    manifest = runs(tmp_path)[0] / "manifest.json"
    stopped = {**json.loads(manifest.read_text()), "status": "interrupted"}
    manifest.write_text(json.dumps(stopped))
    assert go("--night", "2026-03-02").returncode == 0
    assert len(runs(tmp_path)) == 2
    assert len(asked(tmp_path)) == 2 * N


def test_a_night_that_died_before_it_told_anyone_tells_them_when_called_again(
    go: Go, tmp_path: Path
) -> None:
    right(tmp_path, 8)
    assert go("--night", "2026-03-01").returncode == 10
    alerts = tmp_path / "results/nightly/words.alerts.jsonl"
    beat = tmp_path / "results/nightly/words.heartbeat.json"
    told = [json.loads(line)["id"] for line in alerts.read_text().splitlines()]
    alerts.unlink()
    beat.unlink()
    assert [go("--night", "2026-03-01").returncode for _ in range(2)] == [10, 10]
    assert [json.loads(line)["id"] for line in alerts.read_text().splitlines()] == told
    assert json.loads(beat.read_text())["exit_code"] == 10


def test_a_night_without_gates_has_passed_nothing(go: Go, tmp_path: Path) -> None:
    benchmark = tmp_path / "benchmarks" / "words.yaml"
    benchmark.write_text(benchmark.read_text().split("gates:")[0])
    done = go("--night", "2026-03-01", "--advance")
    assert done.returncode == 0, done.stderr
    assert read(tmp_path / HISTORY)[0].state == "UNGATED"
    assert not (tmp_path / "results" / "baselines").exists()


def test_a_red_night_is_published_kept_and_told(go: Go, tmp_path: Path) -> None:
    right(tmp_path, 8)
    with fake_endpoint(in_turn(Reply(status=204))) as hook:
        webhook = f"{hook.url}/secret-path"
        red = [go("--night", "2026-03-01", BAKEOFF_WEBHOOK=webhook) for _ in range(2)]
    assert [done.returncode for done in red] == [10, 10]
    (alert,) = hook.asked
    wanted = "gates of the nightly run of 2026-03-01: FAIL: mine.words.exact_match >= 0.5"
    assert wanted in alert.body["text"]
    assert read(tmp_path / HISTORY)[0].exit_code == 10
    (run,) = runs(tmp_path)
    for name in ("report.md", "report.html", "gates.xml"):
        assert (run / name).is_file()
    assert not any("secret-path" in done.stdout + done.stderr for done in red)


def test_a_night_that_cannot_finish_says_so(go: Go, tmp_path: Path) -> None:
    (tmp_path / "bot.py").write_text("def answer(sample):\n    raise ValueError('down')\n")
    benchmark = tmp_path / "benchmarks" / "words.yaml"
    benchmark.write_text(benchmark.read_text() + "limits: {errors: 3}\n")
    done = go("--night", "2026-03-01")
    assert done.returncode == 20, done.stderr
    alerts = (tmp_path / "results/nightly/words.alerts.jsonl").read_text()
    assert "the nightly run of 2026-03-01 did not finish: limits.errors" in alerts
    assert not (tmp_path / HISTORY).exists()


def backdate(folder: Path, nights: int) -> None:
    """Quiet nights before 2026-03-01, as if this very benchmark had run in each of them."""
    (last,) = read(folder / HISTORY)
    for i in range(1, nights + 1):
        day = date(2026, 3, 1) - timedelta(days=i)
        wobble = 0.8 + 0.025 * (i % 3 - 1)
        point = Point(value=wobble, low=wobble - 0.1, high=wobble + 0.1, n=N, higher_is_better=True)
        finished = datetime(day.year, day.month, day.day, 3, tzinfo=UTC)
        night = Night(
            *(day, f"run{i}", finished, None, 0, "PASS", last.pinned),
            {"mine.words.exact_match": point},
        )
        keep(folder / HISTORY, night)


@pytest.mark.slow
def test_a_harmful_drift_fails_a_night_that_no_gate_fails(go: Go, tmp_path: Path, cli: Cli) -> None:
    assert go("--night", "2026-03-01").returncode == 0
    backdate(tmp_path, 30)
    right(tmp_path, 25)
    codes = [go("--night", f"2026-03-0{day}").returncode for day in range(2, 8)]
    assert codes.count(10) >= 1, codes
    assert codes[0] == 0, "one bad night is no drift"
    first = 2 + codes.index(10)
    drifted = go("--night", f"2026-03-0{first}")
    assert (drifted.returncode, "is done already" in drifted.stdout) == (10, True)
    assert go("--night", f"2026-03-0{first}", "--tolerate-drift").returncode == 0
    shown = cli("trend", "words", cwd=tmp_path)
    assert shown.returncode == 0
    assert "mine.words.exact_match got worse: it fell from 0.800" in shown.stdout
    assert "did not" not in shown.stderr
    stale = cli("trend", "words", "--within", "26", cwd=tmp_path)
    assert stale.returncode == 0, "the last night has just finished, whatever its date"
    table = cli("trend", "words", "--csv", cwd=tmp_path).stdout.splitlines()
    assert len(table) == 1 + 31 + 6


def test_a_missing_night_is_not_a_green_one(go: Go, tmp_path: Path, cli: Cli) -> None:
    none = cli("trend", "words", "--within", "26", cwd=tmp_path)
    assert (none.returncode, "no nightly run yet" in none.stderr) == (12, True)
    assert go("--night", "2026-03-01").returncode == 0
    (night,) = read(tmp_path / HISTORY)
    old = Night(**{**night.__dict__, "finished": datetime.now(UTC) - timedelta(hours=50)})
    keep(tmp_path / HISTORY, old)
    stale = cli("trend", "words", "--within", "26", cwd=tmp_path)
    assert stale.returncode == 12
    assert "none in the last 26 hours" in stale.stderr


def test_a_good_night_advances_the_baseline_and_old_texts_go(go: Go, tmp_path: Path) -> None:
    done = go("--night", "2026-03-01", "--advance")
    assert "rolling baseline:" in done.stdout
    (first,) = runs(tmp_path)
    right(tmp_path, 33)
    assert go("--night", "2026-03-02").returncode == 0
    texts = go("--night", "2026-03-03", "--keep-texts", "0")
    assert texts.returncode == 0, texts.stderr
    assert any("answer" in line.read_text() for line in first.glob("units/*/1.jsonl"))
    assert next(iter(Run(first).records("words", "mine"))).answer.text == "w0"
    second = runs(tmp_path)[1]
    assert {r.answer.text for r in Run(second).records("words", "mine")} == {""}
    exact = Run(second).comparison.tasks["words"].metric("exact_match")
    assert exact.setups["mine"].value == pytest.approx(33 / 40)


def test_confirm_asks_again_before_a_failure_counts(go: Go, tmp_path: Path) -> None:
    right(tmp_path, 8)
    benchmark = tmp_path / "benchmarks" / "words.yaml"
    benchmark.write_text(benchmark.read_text() + "policy: {confirm: 2}\n")
    done = go("--night", "2026-03-01")
    assert done.returncode == 10
    assert len(asked(tmp_path)) == 3 * N
    (run,) = runs(tmp_path)
    column = Run(run).columns["words", "mine", "exact_match"]
    assert column.answers.shape == (N, 3)
