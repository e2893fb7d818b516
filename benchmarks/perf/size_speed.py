"""What a large run takes: many samples on four setups that answer at once.

python benchmarks/perf/size_speed.py --samples 100000 [--on processes:4]
"""

from __future__ import annotations

import argparse
import json
import os
import re
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
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


@dataclass
class Driver:
    """The process that was started, without its workers, as last seen."""

    cpu_s: float = 0.0
    peak_mb: float = 0.0

    def look(self, pid: int) -> None:
        """What Linux says of it, as long as it is there."""
        try:
            stat = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
            status = Path(f"/proc/{pid}/status").read_text()
        except (FileNotFoundError, ProcessLookupError):
            return
        self.cpu_s = (int(stat[11]) + int(stat[12])) / os.sysconf("SC_CLK_TCK")
        if peak := re.search(r"VmHWM:\s+(\d+)", status):
            self.peak_mb = int(peak[1]) / 1024


def table(samples: int = 20_000, on: str = "here") -> Table:
    """One run, from the start of its process to the end."""
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        write_project(folder, samples)
        command = [sys.executable, "-m", "bakeoff.cli", "run", "benchmarks/words.yaml"]
        environment = {**os.environ, "BAKEOFF_CACHE": str(folder / "cache")}
        environment["BAKEOFF_RESULTS"] = str(folder / "results")
        environment.pop("PYTHONDONTWRITEBYTECODE", None)
        started, driver = time.perf_counter(), Driver()
        child = subprocess.Popen(
            [*command, "--no-mlflow", "--on", on],
            cwd=folder,
            env=environment,
            stdout=subprocess.DEVNULL,
        )
        ended, used = 0, None
        while not ended:
            driver.look(child.pid)
            time.sleep(0.1)
            ended, status, used = os.wait4(child.pid, os.WNOHANG)
        whole = time.perf_counter() - started
        child.returncode = os.waitstatus_to_exitcode(status)
        if child.returncode:
            raise RuntimeError(f"exit code {child.returncode}")
        (manifest,) = (folder / "results").glob("words/*/manifest.json")
        spent = json.loads(manifest.read_text())["seconds"]
    workers = max(0.0, used.ru_utime + used.ru_stime - driver.cpu_s)
    header = ("samples", "setups", "on", "whole process, s", "answering, s", "scoring, s")
    header += ("comparing, s", "driver's peak, MB", "driver, CPU ms a cell", "workers")
    parts = [float(spent[name]) for name in ("quality", "score", "compare")]
    cpu = [1000 * seconds / (4 * samples) for seconds in (driver.cpu_s, workers)]
    return Table.of(header, [[samples, 4, on, whole, *parts, driver.peak_mb, *cpu]])


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--samples", type=int, default=100_000)
    parser.add_argument("--on", default="here")
    chosen = parser.parse_args()
    print(table(chosen.samples, chosen.on).markdown())


if __name__ == "__main__":
    main()
