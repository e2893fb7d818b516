"""The program against an endpoint that fails, is killed, and starts again: nothing is lost."""

from __future__ import annotations

import json
import os
import random
import re
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from stub import running_stub, stats

from bakeoff.analysis.measured_run import Run
from bakeoff.core.words import Record
from bakeoff.runs import store
from bakeoff.runs.store import Unit
from conftest import Cli, logged

CANARY = "sk-canary-5f1c0e77aa"
UNIT = Unit("words", "base")


def write_words(folder: Path, n: int, url: str, questions: str = "say w{i}", **suite: Any) -> Path:
    """A project that asks an endpoint `n` questions; its benchmark file."""
    (folder / "tasks" / "rows").mkdir(parents=True)
    (folder / "benchmarks").mkdir()
    rows = [
        {
            "id": f"q{i}",
            "question": f"Question {i}: {questions.format(i=i)}",
            "targets": [f"w{i}"],
            "tags": {"half": str(i % 2)},
        }
        for i in range(n)
    ]
    lines = [json.dumps(row) for row in rows]
    (folder / "tasks" / "rows" / "test.jsonl").write_text("\n".join(lines) + "\n")
    (folder / "tasks" / "words.yaml").write_text(
        "description: Say a word.\nrows: {test: rows/test.jsonl}\nscorers: [exact_match]\n"
    )
    endpoint = {"url": f"{url}/v1", "concurrency": 32, "timeout_s": 3.0, "deadline_s": 60}
    benchmark = {
        "endpoints": {"stub": {**endpoint, **suite.pop("endpoint", {})}},
        "tasks": ["words"],
        "setups": {"base": {"model": "stub:some-model"}},
        "latency": {"samples": 0},
        **suite,
    }
    path = folder / "benchmarks" / "words.yaml"
    path.write_text(json.dumps(benchmark))  # JSON is YAML
    return path


def run_of(folder: Path) -> Run:
    (manifest,) = folder.glob("results/words/*/manifest.json")
    return Run(manifest.parent)


def records(run: Run) -> list[Record]:
    return list(run.records("words", "base"))


@pytest.fixture
def quick(tmp_path: Path, cli: Cli) -> Iterator[Any]:
    """Runs the benchmark of `tmp_path` without MLflow, its cache in `tmp_path`."""

    def call(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
        return cli(
            *("run", "benchmarks/words.yaml", "--no-mlflow", *arguments),
            cwd=tmp_path,
            BAKEOFF_CACHE=str(tmp_path / "cache"),
            **environment,
        )

    yield call


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(3))
def test_every_sample_is_answered_once_by_an_endpoint_that_often_fails(
    seed: int, tmp_path: Path, quick: Any
) -> None:
    faults = {"429": 0.05, "500": 0.02, "reset": 0.01, "hang": 0.005}
    with running_stub(latency=0.01, faults=faults, seed=seed, retry_after=0.2) as url:
        write_words(tmp_path, 400, url)
        done = quick("--no-cache")
        said = stats(url)
    assert done.returncode == 0, done.stderr
    run = run_of(tmp_path)
    assert Counter(r.sample for r in records(run) if r.answer) == Counter(
        f"q{i}" for i in range(400)
    )
    assert run.columns["words", "base", "exact_match"].values.mean() == 1.0
    assert said["requests"] == run.manifest.spent["base"].requests <= 1.12 * 400
    assert said["retry_after_violations"] == 0


def test_what_fails_for_good_is_counted_and_both_denominators_are_shown(
    tmp_path: Path, quick: Any
) -> None:
    with running_stub(latency=0.0) as url:
        file = write_words(tmp_path, 40, url, endpoint={"attempts": 2})
        rows = tmp_path / "tasks" / "rows" / "test.jsonl"
        lines = rows.read_text().splitlines()
        lines[20] = lines[20].replace("say", "[always 400] say")
        lines[21] = lines[21].replace("say", "[always 500] say")
        rows.write_text("\n".join(lines) + "\n")
        done = quick()
        asked = stats(url)["requests"]
        assert done.returncode == 0, done.stderr
        failed = {r.sample: r.error for r in records(run_of(tmp_path)) if r.error}
        assert set(failed) == {"q20", "q21"}
        assert failed["q20"].startswith("rejected (400)")
        assert failed["q21"].startswith("server") and asked == 38 + 1 + 2
        report = (run_of(tmp_path).folder / "report.md").read_text()
        assert "| 1 rejected, 1 server |" in report
        assert "0.950 [" in report and "exact_match, failures left out | 38 | 1.000" in report
        # Asked for, failures are tried again, and only they are.
        again = quick("--resume", run_of(tmp_path).folder.name, "--retry-failed")
        assert again.returncode == 0, again.stderr
        assert stats(url)["requests"] == asked + 1 + 2
    assert file.is_file()


@pytest.mark.parametrize("problem", ["[always 401]", "[always 404]", "[always 400]"])
def test_what_no_question_would_survive_stops_the_run_at_once(
    problem: str, tmp_path: Path, quick: Any
) -> None:
    with running_stub(latency=0.0) as url:
        write_words(tmp_path, 500, url, f"{problem} say w{{i}}")
        done = quick()
        assert stats(url)["requests"] < 100
    assert done.returncode == 2, done.stderr
    assert "Traceback" not in done.stderr
    assert run_of(tmp_path).manifest.status == "interrupted"


@pytest.mark.slow
def test_kill_9_loses_nothing_and_repeats_at_most_what_was_in_flight(
    tmp_path: Path, cache: Path
) -> None:
    n, kills = 1000, 4
    moments = random.Random(7)
    command = [sys.executable, "-m", "bakeoff.cli", "run", "benchmarks/words.yaml"]
    command += ["--no-mlflow", "--no-cache"]
    with running_stub(latency=0.05) as url:
        write_words(tmp_path, n, url)
        for number in range(kills):
            # Killed in the middle of its work, however long it takes to get there.
            until = 200 * number + moments.randrange(100, 200)
            process = subprocess.Popen(
                command, cwd=tmp_path, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
            )
            while stats(url)["requests"] < until:
                assert process.poll() is None
                time.sleep(0.01)
            process.kill()
            process.wait()
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
        said = stats(url)
    assert done.returncode == 0, done.stderr
    assert "resuming" in done.stderr
    assert Counter(r.sample for r in records(run_of(tmp_path))) == Counter(
        f"q{i}" for i in range(n)
    )
    assert said["requests"] <= n + 32 * kills
    twice = sum(count - 1 for count in said["answered"].values())
    assert twice <= 32 * kills
    column = run_of(tmp_path).columns["words", "base", "exact_match"]
    assert column.values.tolist() == [1.0] * n


def test_a_second_process_on_one_run_is_refused(tmp_path: Path, quick: Any) -> None:
    with running_stub(latency=0.0) as url:
        write_words(tmp_path, 20, url)
        assert quick().returncode == 0
        folder = run_of(tmp_path).folder
        with store.held(folder):
            done = quick("--resume", folder.name)
    assert done.returncode == 2
    assert "another process is running this run" in done.stderr


def test_a_run_that_goes_on_elsewhere_is_told_and_its_command_resumes_it(
    tmp_path: Path, quick: Any, cli: Cli
) -> None:
    with running_stub(latency=0.0) as url:
        file = write_words(tmp_path, 80, url)
        assert quick("--limit", "70").returncode == 0
        before = run_of(tmp_path).folder
        file.write_text(json.dumps(json.loads(file.read_text()) | {"limits": {"tokens": 20}}))
        assert quick("--limit", "70", "--new", "--no-cache").returncode == 20
        (folder,) = set(before.parent.glob("2*")) - {before}
        told = cli("gate", folder.name, "--check", "base.words.exact_match >= 0", cwd=tmp_path)
        command = f"bakeoff run {file.relative_to(tmp_path)} --limit 70 --resume {folder.name}"
        assert told.returncode == 12 and command in told.stderr
        file.write_text(json.dumps(json.loads(file.read_text()) | {"limits": {}}))
        with store.held(folder):
            done = quick("--limit", "70")
        assert f"{folder.name}, a run of the same plan, goes on in another process" in done.stderr
        assert done.returncode == 0 and "resuming" not in done.stderr
        assert quick("--limit", "70", "--resume", folder.name).returncode == 0
    assert len(records(Run(folder))) == 70


def test_a_key_is_nowhere_whatever_fails(tmp_path: Path, quick: Any) -> None:
    words = ["say w1", "[always 400] x", "[always 500] x", "[once reset] say w3", "[always hang]"]
    words += ["[once truncated] say w5", *["say more"] * 6]
    with running_stub(latency=0.0, key=CANARY) as url:
        file = write_words(
            tmp_path,
            len(words),
            url,
            endpoint={
                "api_key_env": "STUB_KEY",
                "attempts": 2,
                "timeout_s": 0.3,
                "stream": "always",
            },
        )
        rows = tmp_path / "tasks" / "rows" / "test.jsonl"
        lines = rows.read_text().splitlines()
        rows.write_text(
            "\n".join(
                line.replace(f"say w{i}", word)
                for i, (line, word) in enumerate(zip(lines, words, strict=True))
            )
        )
        good = quick(STUB_KEY=CANARY)
        wrong = quick("--new", "--no-cache", STUB_KEY=f"{CANARY}-but-wrong")
        missing = quick("--new", "--no-cache")
    assert good.returncode == 0, good.stderr
    assert wrong.returncode == 2 and "401" in wrong.stderr, wrong.stderr
    assert missing.returncode == 2 and "'STUB_KEY' is not set" in missing.stderr
    assert CANARY not in "".join(d.stdout + d.stderr for d in (good, wrong, missing))
    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert len(files) > 10 and file in files
    assert [path for path in files if CANARY.encode() in path.read_bytes()] == []


def test_the_cache_answers_a_second_run_and_never_its_latency(tmp_path: Path, quick: Any) -> None:
    with running_stub(latency=0.0) as url:
        write_words(tmp_path, 30, url, latency={"samples": 4, "warmup": 1})
        assert quick().returncode == 0
        first = stats(url)["requests"]
        assert first == 30 + 1 + 4 * 2
        assert quick().returncode == 0
        assert stats(url)["requests"] == first + 1 + 4 * 2
        runs = [Run(m.parent) for m in sorted(tmp_path.glob("results/words/*/manifest.json"))]
        assert quick("--no-cache").returncode == 0
        assert stats(url)["requests"] == first + 2 * (1 + 4 * 2) + 30
    spent = [run.manifest.spent["base"] for run in runs]
    assert [s.from_cache for s in spent] == [0, 30]
    assert spent[1].prompt_tokens == spent[1].requests == 0
    tokens = [run.columns["words", "base", "prompt_tokens"].values.tolist() for run in runs]
    assert tokens[0] == tokens[1]


@pytest.mark.slow
def test_a_cache_without_room_stops_a_run_and_no_answer_is_asked_for_twice(
    tmp_path: Path, quick: Any
) -> None:
    """A limit of file sizes is the full disk: the cache reaches it before the journal does."""
    code = """
import os, resource, sys
# Python keeps compiled modules that the limit has cut.
sys.dont_write_bytecode = True
resource.setrlimit(resource.RLIMIT_FSIZE, (70_000, 70_000))
sys.argv = ["bakeoff", "run", "benchmarks/words.yaml", "--no-mlflow"]
from bakeoff.cli import main
main()
"""
    with running_stub(latency=0.01) as url:
        write_words(tmp_path, 200, url, endpoint={"concurrency": 4})
        environment = {**os.environ, "BAKEOFF_CACHE": str(tmp_path / "cache")}
        done = subprocess.run(
            [sys.executable, "-c", code],
            cwd=tmp_path,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 20, done.stderr
        assert "responses.sqlite: " in done.stderr and "make room" in done.stderr
        assert "Traceback" not in done.stderr
        assert len(records(run_of(tmp_path))) >= 100
        assert quick().returncode == 0
        # Those in flight when it stopped may be asked for again.
        assert stats(url)["requests"] <= 200 + 4
    assert len(records(run_of(tmp_path))) == 200


def test_limits_stop_a_run_that_can_be_gone_on_with(tmp_path: Path, quick: Any) -> None:
    with running_stub(latency=0.0) as url:
        file = write_words(tmp_path, 150, url, limits={"tokens": 100})
        stopped = quick()
        assert stopped.returncode == 20
        assert "limits.tokens" in stopped.stderr and "Traceback" not in stopped.stderr
        kept = len(records(run_of(tmp_path)))
        assert 5 < kept < 150
        # Only what was in flight is lost: what had arrived with it is kept.
        assert stats(url)["requests"] - kept <= 32
        wider = json.loads(file.read_text()) | {"limits": {"errors": "1%"}}
        file.write_text(json.dumps(wider))
        assert quick().returncode == 0  # limits are no part of what is asked: the run goes on
        assert stats(url)["requests"] <= 150 + 32
    assert len(records(run_of(tmp_path))) == 150


def test_too_many_errors_stop_a_run(tmp_path: Path, quick: Any) -> None:
    with running_stub(latency=0.0) as url:
        write_words(
            tmp_path,
            60,
            url,
            limits={"errors": "5%"},
            endpoint={"attempts": 1, "concurrency": 4},
        )
        rows = tmp_path / "tasks" / "rows" / "test.jsonl"
        text = rows.read_text()
        for i in range(20, 40):
            text = text.replace(f'say w{i}"', f'[always 500] say w{i}"')
        rows.write_text(text)
        done = quick()
    assert done.returncode == 20
    counted = re.search(r"limits\.errors: (\d+) is past 3\b", done.stderr)
    # What arrives with the fourth is kept and counted, and so is what was sent on its arrival.
    assert counted and 4 <= int(counted[1]) <= 3 + 2 * 4, done.stderr


@pytest.mark.slow
def test_shards_make_up_the_whole_and_nothing_else(tmp_path: Path, quick: Any, cli: Cli) -> None:
    with running_stub(latency=0.0) as url:
        write_words(tmp_path, 31, url, gates=["base.words.exact_match >= 0.99"])
        for part in (1, 2, 3):
            assert quick("--shard", f"{part}/3", "--no-cache").returncode == 0
        assert stats(url)["requests"] == 31
        parts = sorted(p.parent.name for p in tmp_path.glob("results/words/*/manifest.json"))
        assert cli("gate", parts[0], cwd=tmp_path).returncode == 12
        short = cli("merge", *parts[:2], cwd=tmp_path)
        assert short.returncode == 2 and "every part" in short.stderr
        assert cli("merge", parts[0], parts[1], parts[1], cwd=tmp_path).returncode == 2
        joined = cli("merge", *reversed(parts), cwd=tmp_path)
        assert joined.returncode == 0, joined.stderr
        whole = quick("--no-cache")
        assert whole.returncode == 0
    names = sorted(p.parent for p in tmp_path.glob("results/words/*/manifest.json"))
    merged, alone = Run(names[-2]), Run(names[-1])
    assert list(merged.samples["words"].values()) == list(alone.samples["words"].values())
    for key, column in alone.columns.items():
        assert merged.columns[key].values.tolist() == column.values.tolist(), key
    assert merged.manifest.spent == alone.manifest.spent


def test_a_limited_run_says_so(tmp_path: Path, quick: Any, cli: Cli) -> None:
    with running_stub(latency=0.0) as url:
        write_words(tmp_path, 30, url, gates=["base.words.exact_match >= 0.5"])
        done = quick("--tags", "half=1", "--limit", "5")
        ids = {r.sample for r in records(run_of(tmp_path))}
        assert len(ids) == 5 and all(int(name[1:]) % 2 for name in ids)
        assert "limited: limit 5" in done.stdout and "not the benchmark's verdict" in done.stdout
        chosen = quick("--sample-ids", "q3", "--sample-ids", "q4", "--repeats", "3")
        assert chosen.returncode == 0, chosen.stderr
        run = Run(sorted(tmp_path.glob("results/words/*/manifest.json"))[-1].parent)
        assert Counter(r.sample for r in records(run)) == {"q3": 3, "q4": 3}
        assert run.columns["words", "base", "exact_match"].samples == ("q3", "q4")
        nothing = quick("--sample-ids", "none")
    assert nothing.returncode == 2 and "no sample 'none'" in nothing.stderr


def test_stored_answers_are_scored_again_without_asking(
    tmp_path: Path, quick: Any, cli: Cli
) -> None:
    with running_stub(latency=0.0) as url:
        write_words(tmp_path, 20, url)
        assert quick().returncode == 0
        asked, wanted = stats(url)["requests"], run_of(tmp_path).manifest.tasks["words"]
        task = tmp_path / "tasks" / "words.yaml"
        worded = task.read_text().replace("[exact_match]", "[token_f1, exact_match]")
        task.write_text(f"{worded}\nsystem: Say it aloud.\n")
        done = cli("score", "latest", cwd=tmp_path)
        assert done.returncode == 0, done.stderr
        assert stats(url)["requests"] == asked
    assert "token_f1" in done.stdout
    assert ("words", "base", "token_f1") in run_of(tmp_path).columns
    again = run_of(tmp_path).manifest.tasks["words"]
    # The answers stay those to the questions as they were worded.
    assert (again.wording, again.digests.prompt) == (wanted.wording, wanted.digests.prompt)
    rows = tmp_path / "tasks" / "rows" / "test.jsonl"
    rows.write_text(rows.read_text().replace('say w3"', 'say w4"'))
    changed = cli("score", "latest", cwd=tmp_path)
    assert changed.returncode == 2 and "its rows changed" in changed.stderr


def test_a_plan_counts_what_the_run_then_sends(tmp_path: Path, quick: Any, cli: Cli) -> None:
    with running_stub(latency=0.0) as url:
        write_words(tmp_path, 25, url, latency={"samples": 3, "warmup": 1})
        before = cli("plan", "benchmarks/words.yaml", cwd=tmp_path)
        assert stats(url)["requests"] == 0
        assert quick().returncode == 0
        sent = stats(url)["requests"]
        after = cli("plan", "benchmarks/words.yaml", cwd=tmp_path)
    row = next(line.split() for line in before.stdout.splitlines() if line.startswith("  base"))
    assert int(row[1]) == sent == 25 + 1 + 3 * 2
    assert "No complete run" in before.stdout and "At its pace" in after.stdout


def test_a_verification_finds_what_the_endpoint_now_answers_otherwise(
    tmp_path: Path, quick: Any, cli: Cli
) -> None:
    def verify() -> subprocess.CompletedProcess[str]:
        cache = str(tmp_path / "cache")
        arguments = ("cache", "verify", "benchmarks/words.yaml", "--share", "1")
        return cli(*arguments, cwd=tmp_path, BAKEOFF_CACHE=cache)

    with running_stub(latency=0.0, words=4) as url:
        write_words(tmp_path, 10, url, "tell me something about w{i}")
        assert quick().returncode == 0
        same = verify()
        port = url.rpartition(":")[2]
    assert same.returncode == 0, same.stderr
    with running_stub(latency=0.0, words=5, port=port):
        changed = verify()
        assert changed.returncode == 10, changed.stderr
        assert verify().returncode == 0  # what differed was forgotten, and is not checked again


@pytest.mark.slow
def test_an_mlflow_server_that_is_gone_costs_nothing(tmp_path: Path, cli: Cli) -> None:
    with running_stub(latency=0.0) as url:
        write_words(tmp_path, 10, url)
        done = cli(
            *("run", "benchmarks/words.yaml"),
            cwd=tmp_path,
            BAKEOFF_CACHE=str(tmp_path / "cache"),
            MLFLOW_TRACKING_URI="http://127.0.0.1:9",
        )
    assert done.returncode == 0, done.stderr
    assert "send it later with `bakeoff log" in done.stderr
    assert run_of(tmp_path).manifest.status == "complete"
    for _ in range(2):
        assert cli("log", "latest", cwd=tmp_path).returncode == 0
    assert len(logged(tmp_path / "results", "words")) == 1


def test_endpoints_are_timed_at_stated_levels_of_concurrency(tmp_path: Path, quick: Any) -> None:
    with running_stub(latency=0.02, token_interval=0.002) as url:
        write_words(tmp_path, 30, url, latency={"samples": 16, "warmup": 1, "concurrency": [8]})
        assert quick().returncode == 0
        assert stats(url)["in_flight_max"] <= 32
    timed = run_of(tmp_path).comparison.tasks["words"].latency
    assert timed.setups["base"].n == timed.loaded["8"]["base"].n == 16
    for found in (timed.setups["base"], timed.loaded["8"]["base"]):
        assert found.first_token_s >= 0.02
        assert found.quantiles["p50"].low >= 0.02
    assert timed.noise.low is not None


def test_token_counts_that_differ_from_the_named_tokenizer_are_reported(
    tmp_path: Path, cli: Cli
) -> None:
    with running_stub(latency=0.0) as url:  # it counts words, and no chat template
        write_words(tmp_path, 5, url, endpoint={"tokenizer": "embedded"})
        done = cli("run", "benchmarks/words.yaml", "--no-mlflow", "--no-cache", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    report = (run_of(tmp_path).folder / "report.md").read_text()
    assert "counted 5 of 5 prompts otherwise than the named tokenizer" in report


def test_money_is_a_metric_that_gates_can_bound(tmp_path: Path, quick: Any, cli: Cli) -> None:
    price = {"price": {"prompt": 1000.0, "completion": 5000.0}}
    with running_stub(latency=0.0) as url:
        write_words(tmp_path, 30, url, endpoint=price, gates=["sum(*.cost) <= 5.0"])
        done = quick()
    assert done.returncode == 0, done.stdout
    run = run_of(tmp_path)
    prompt, completion, cost = (
        run.columns["words", "base", name].values
        for name in ("prompt_tokens", "completion_tokens", "cost")
    )
    assert cost.tolist() == pytest.approx(((prompt * 1000 + completion * 5000) / 1e6).tolist())
    assert cost.sum() == pytest.approx(run.manifest.spent["base"].cost)
    bound = f"sum(*.cost) <= {cost.sum() * 0.99:.6f}"
    assert cli("gate", run.folder, "--check", bound, cwd=tmp_path).returncode == 10
