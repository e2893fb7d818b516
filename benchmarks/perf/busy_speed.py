"""How fast the embedded model answers beside another busy process, and what spinning costs.

    python benchmarks/perf/busy_speed.py [--rounds 3]

Threads that wait for each other spin for `GOMP_SPINCOUNT` rounds before they sleep: by itself
libgomp's 300,000, as bakeoff sets it 5,000. Each way answers in a process of its own, alone and
beside one process that computes for ever; the ways take turns, and the table holds medians.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import time
from pathlib import Path
from statistics import median

from figures import Table, ratio

from bakeoff.core.words import Decoding
from bakeoff.models.device import choose_dtype, limit_threads
from bakeoff.models.local import LocalModel
from bakeoff.models.weights import resolve

PROMPTS, NEW = 8, 24
WAYS = {"300,000 rounds (libgomp)": "300000", "5,000 rounds (bakeoff)": "5000"}
HEADER = ("beside", "threads spin for", "answers/s", "x 300,000 rounds")


def answers_per_second() -> float:
    """Of the embedded model in this process, once it is warm."""
    limit_threads()
    cache = Path(os.environ.get("BAKEOFF_CACHE", "~/.cache/bakeoff")).expanduser()
    model = LocalModel(resolve("embedded", cache), choose_dtype("auto"))
    asked = [f"Name {number} towns by a river, and say why." for number in range(2, PROMPTS + 2)]
    prompts = [model.render([{"role": "user", "content": text}]) for text in asked]
    list(model.generate(prompts, Decoding(2)))
    start = time.perf_counter()
    list(model.generate(prompts, Decoding(NEW)))
    return PROMPTS / (time.perf_counter() - start)


def _in_a_process(spin: str) -> float:
    done = subprocess.run(
        [sys.executable, __file__, "--answer"],
        env={**os.environ, "GOMP_SPINCOUNT": spin},
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    return float(done.stdout.split()[-1])


def table(rounds: int = 3) -> Table:
    """Answers per second, alone and beside a busy process."""
    rows = []
    for beside in ("nothing", "one busy process"):
        command = [sys.executable, "-c", "while True: pass"]
        busy = None if beside == "nothing" else subprocess.Popen(command)
        try:
            turns = [[_in_a_process(spin) for spin in WAYS.values()] for _ in range(rounds)]
        finally:
            if busy:
                busy.kill()
                busy.wait()
        paces = [median(way) for way in zip(*turns, strict=True)]
        rows += [
            (beside, name, pace, ratio(pace, paces[0]))
            for name, pace in zip(WAYS, paces, strict=True)
        ]
    return Table.of(HEADER, rows)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--answer", action="store_true", help="answer once, print the pace")
    options = parser.parse_args()
    if options.answer:
        print(answers_per_second())
    else:
        print(table(options.rounds).markdown())


if __name__ == "__main__":
    main()
