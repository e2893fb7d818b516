"""What is lost when `bakeoff run` is killed again and again at random moments.

python benchmarks/perf/endpoint_kills.py --kills 10
"""

from __future__ import annotations

import argparse
import random
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Any

from endpoint_faults import answers, start
from endpoint_speed import write_project
from figures import Table
from stub import running_stub, stats


def killed(samples: int, kills: int, seed: int) -> list[object]:
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
            _wait(url, process)
            time.sleep(0.4 * moments.random())
            process.kill()
            process.communicate()
            last = _more(again, twice, stats(url), last)
        process = start(folder)
        _, said = process.communicate()
        if process.returncode:
            raise RuntimeError(said)
        _more(again, twice, stats(url), last)
        found = answers(folder)
    counts = (sum(again), max(again), sum(twice), max(twice))
    return [samples, kills, len(found), *counts]


def _wait(url: str, process: subprocess.Popen[str]) -> None:
    """Until the program has sent something, or ended."""
    before = stats(url)["requests"]
    while stats(url)["requests"] == before and process.poll() is None:
        time.sleep(0.02)


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


def table(samples: int = 2000, kills: int = 6) -> Table:
    """One row."""
    header = (
        *("samples", "kills", "answered", "sent again", "most after a kill"),
        *("answered twice", "most of those after a kill"),
    )
    return Table.of(header, [killed(samples, kills, seed=1)])


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--samples", type=int, default=2000)
    parser.add_argument("--kills", type=int, default=10)
    options = parser.parse_args()
    print(table(options.samples, options.kills).markdown())


if __name__ == "__main__":
    main()
