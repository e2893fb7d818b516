"""What a large run takes: many samples on four setups that answer at once.

python benchmarks/perf/size_speed.py --samples 100000
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from figures import Table

TASK = """
description: Say a word.
rows: {test: rows/test.jsonl}
scorers: [exact_match]
"""
BENCHMARK = """
tasks: [words]
setups:
  one: {call: "../bot.py::answer"}
  two: {call: "../bot.py::answer"}
  three: {call: "../bot.py::answer"}
  four: {call: "../bot.py::answer"}
latency: {samples: 0}
"""
BOT = "def answer(sample):\n    return sample.fields['question'].split()[-1]\n"


def write_project(folder: Path, samples: int) -> None:
    """A project whose setups are one Python function."""
    (folder / "tasks" / "rows").mkdir(parents=True)
    (folder / "benchmarks").mkdir()
    (folder / "bot.py").write_text(BOT)
    (folder / "tasks" / "words.yaml").write_text(TASK)
    (folder / "benchmarks" / "words.yaml").write_text(BENCHMARK)
    rows = ({"id": str(n), "question": f"Say w{n}", "targets": [f"w{n}"]} for n in range(samples))
    lines = "".join(f"{json.dumps(row)}\n" for row in rows)
    (folder / "tasks" / "rows" / "test.jsonl").write_text(lines)


def table(samples: int = 20_000) -> Table:
    """One run, from the start of its process to the end."""
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        write_project(folder, samples)
        command = [sys.executable, "-m", "bakeoff.cli", "run", "benchmarks/words.yaml"]
        environment = {**os.environ, "BAKEOFF_CACHE": str(folder / "cache")}
        environment["BAKEOFF_RESULTS"] = str(folder / "results")
        environment.pop("PYTHONDONTWRITEBYTECODE", None)
        started = time.perf_counter()
        child = subprocess.Popen(
            [*command, "--no-mlflow"], cwd=folder, env=environment, stdout=subprocess.DEVNULL
        )
        _, status, used = os.wait4(child.pid, 0)
        whole = time.perf_counter() - started
        child.returncode = os.waitstatus_to_exitcode(status)
        if child.returncode:
            raise RuntimeError(f"exit code {child.returncode}")
        (manifest,) = (folder / "results").glob("words/*/manifest.json")
        spent = json.loads(manifest.read_text())["seconds"]
    header = ("samples", "setups", "whole process, s", "answering, s", "scoring, s", "comparing, s")
    parts = [float(spent[name]) for name in ("quality", "score", "compare")]
    return Table.of((*header, "peak, MB"), [[samples, 4, whole, *parts, used.ru_maxrss / 1024]])


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--samples", type=int, default=100_000)
    print(table(parser.parse_args().samples).markdown())


if __name__ == "__main__":
    main()
