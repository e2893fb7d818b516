"""What is lost when an endpoint often fails, and when `bakeoff run` is killed again and again.

    python benchmarks/perf/endpoint_faults.py --seeds 20 --kills 10

Prints two Markdown tables: a line per seed, and a line for the killed run.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import Any

from endpoint_speed import write_project
from stub import running_stub, stats

FAULTS = {"429": 0.05, "500": 0.02, "reset": 0.01, "hang": 0.005}
COMMAND = [sys.executable, "-m", "bakeoff.cli", "run", "benchmarks/words.yaml"]
COMMAND += ["--no-mlflow", "--no-cache"]


def start(folder: Path) -> subprocess.Popen[str]:
    """The program, in the background."""
    environment = {**os.environ, "BAKEOFF_CACHE": str(folder / "cache")}
    return subprocess.Popen(
        COMMAND,
        cwd=folder,
        env=environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )


def answers(folder: Path) -> Counter[str]:
    """How many answers each sample has in the journal that counts."""
    (journal,) = folder.glob("results/words/*/units/words.base/committed.jsonl")
    rows = map(json.loads, journal.read_text().splitlines())
    return Counter(row["sample"] for row in rows if "answer" in row)


def patient(folder: Path) -> None:
    """Hangs are given up after two seconds."""
    file = folder / "benchmarks" / "words.yaml"
    file.write_text(file.read_text().replace("concurrency: 64", "concurrency: 64, timeout_s: 2"))


def faulty(seed: int, samples: int) -> str:
    """One run against an endpoint that often fails, as a table row."""
    with (
        tempfile.TemporaryDirectory() as scratch,
        running_stub(latency=0.05, seed=seed, retry_after=0.5, faults=FAULTS, idle=600) as url,
    ):
        folder = Path(scratch)
        write_project(folder, url, samples, 64)
        patient(folder)
        process = start(folder)
        _, said = process.communicate()
        if process.returncode:
            raise RuntimeError(said)
        seen, found = stats(url), answers(folder)
    twice = sum(count - 1 for count in found.values())
    cells = [seed, len(found), twice, seen["requests"] / samples, seen["retry_after_violations"]]
    return _row(cells)


def killed(samples: int, kills: int, seed: int) -> str:
    """One run that is killed `kills` times at random moments, as a table row."""
    moments = random.Random(seed)
    with (
        tempfile.TemporaryDirectory() as scratch,
        running_stub(latency=0.05, idle=600) as url,
    ):
        folder = Path(scratch)
        write_project(folder, url, samples, 64)
        again, twice, last = [], [], (0, 0)
        for _ in range(kills):
            process = start(folder)
            time.sleep(0.5 + 0.15 * moments.random())
            process.kill()
            process.communicate()
            last = _more(again, twice, stats(url), last)
        process = start(folder)
        _, said = process.communicate()
        if process.returncode:
            raise RuntimeError(said)
        _more(again, twice, stats(url), last)
        found = answers(folder)
    return _row([samples, kills, len(found), sum(again), max(again), sum(twice), max(twice)])


def _more(
    again: list[int], twice: list[int], seen: dict[str, Any], last: tuple[int, int]
) -> tuple[int, int]:
    """Note how many prompts were sent, and answered, once more since the last look."""
    now = (
        sum(count - 1 for count in seen["per_prompt"].values()),
        sum(count - 1 for count in seen["answered"].values()),
    )
    again.append(now[0] - last[0])
    twice.append(now[1] - last[1])
    return now


def _row(cells: list[Any]) -> str:
    texts = (f"{cell:.3f}" if isinstance(cell, float) else str(cell) for cell in cells)
    return f"| {' | '.join(texts)} |"


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=20)
    parser.add_argument("--samples", type=int, default=1000)
    parser.add_argument("--kills", type=int, default=10)
    parser.add_argument("--killed-samples", type=int, default=2000)
    options = parser.parse_args()
    print("| seed | answered | twice | requests per sample | too early after a 429 |")
    print("| ---: | ---: | ---: | ---: | ---: |")
    for seed in range(options.seeds):
        print(faulty(seed, options.samples), flush=True)
    print()
    print(
        "| samples | kills | answered | sent again | most after a kill | answered twice "
        "| most after a kill |"
    )
    print("| ---: | ---: | ---: | ---: | ---: | ---: | ---: |")
    print(killed(options.killed_samples, options.kills, seed=1))


if __name__ == "__main__":
    main()
