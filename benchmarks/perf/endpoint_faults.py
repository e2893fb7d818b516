"""What is lost when an endpoint often fails.

python benchmarks/perf/endpoint_faults.py --seeds 20
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections import Counter
from pathlib import Path

from endpoint_speed import write_project
from figures import Table
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


def faulty(seed: int, samples: int) -> list[object]:
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
    per_sample = seen["requests"] / samples
    return [seed, len(found), twice, per_sample, seen["retry_after_violations"]]


def table(seeds: int = 4, samples: int = 1000) -> Table:
    """A row for each seed."""
    header = ("seed", "answered", "twice", "requests per sample", "too early after a 429")
    return Table.of(header, [faulty(seed, samples) for seed in range(seeds)])


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=20)
    parser.add_argument("--samples", type=int, default=1000)
    options = parser.parse_args()
    print(table(options.seeds, options.samples).markdown())


if __name__ == "__main__":
    main()
