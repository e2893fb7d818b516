"""What `bakeoff run` costs over a bare loop at the same endpoint: rounds of both, interleaved.

    python benchmarks/perf/endpoint_speed.py --rounds 3

Both programs ask a stub server the same prompts. When the first request came and the last reply
went is taken from the stub, so that both are measured alike; the rest is what the system says of
the finished process. Prints a Markdown table of medians and their ratios to the bare loop.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import astuple, dataclass
from pathlib import Path

from figures import Table, ratio
from stub import reset, running_stub, stats

HERE = Path(__file__).resolve().parent
TASK = """
description: Say a word.
rows: {test: rows/test.jsonl}
scorers: [exact_match]
max_tokens: 16
"""
BENCHMARK = """
endpoints:
  stub: {url: "URL/v1", concurrency: CONCURRENCY}
tasks: [words]
setups:
  base: {model: "stub:some-model"}
latency: {samples: 0}
"""


@dataclass(frozen=True)
class Measured:
    """One run of a program; seconds are counted from the start of its process."""

    first_request_s: float
    sending_window_s: float
    """From the first request received to the last reply sent, by the stub's clock."""
    process_s: float
    cpu_ms_per_sample: float
    peak_mb: float


TITLES = ("first request, s", "sending window, s", "whole process, s", "CPU, ms/sample", "peak, MB")


def write_project(folder: Path, url: str, samples: int, concurrency: int) -> None:
    """A project of `samples` questions whose endpoint is the stub."""
    (folder / "tasks" / "rows").mkdir(parents=True)
    (folder / "benchmarks").mkdir()
    (folder / "tasks" / "words.yaml").write_text(TASK)
    rows = (
        {"id": str(n), "question": f"Question {n}: say w{n}", "targets": [f"w{n}"]}
        for n in range(samples)
    )
    lines = "".join(f"{json.dumps(row)}\n" for row in rows)
    (folder / "tasks" / "rows" / "test.jsonl").write_text(lines)
    benchmark = BENCHMARK.replace("URL", url).replace("CONCURRENCY", str(concurrency))
    (folder / "benchmarks" / "words.yaml").write_text(benchmark)


def commands(url: str, samples: int, concurrency: int) -> dict[str, list[str]]:
    """Program -> its command line; the first is what the others are compared with."""
    bare = [str(HERE / "bare_loop.py"), url]
    bare += ["--samples", str(samples), "--concurrency", str(concurrency)]
    bakeoff = ["-m", "bakeoff.cli", "run", "benchmarks/words.yaml", "--no-mlflow", "--no-cache"]
    return {"bare": [sys.executable, *bare], "bakeoff": [sys.executable, *bakeoff]}


def measure(command: Sequence[str], folder: Path, url: str, samples: int) -> Measured:
    """Run the command in `folder`. Raises `RuntimeError` unless each sample is answered once."""
    reset(url)
    log = folder / "output.txt"
    environment = {**os.environ, "BAKEOFF_CACHE": str(folder / "cache")}
    environment["BAKEOFF_RESULTS"] = str(folder / "results")
    # As installed: with this set, every run would compile all of its own modules again.
    environment.pop("PYTHONDONTWRITEBYTECODE", None)
    started = time.time()
    with log.open("w") as output:
        child = subprocess.Popen(
            command, cwd=folder, env=environment, stdout=output, stderr=subprocess.STDOUT
        )
        _, status, used = os.wait4(child.pid, 0)
    ended = time.time()
    code = child.returncode = os.waitstatus_to_exitcode(status)
    seen = stats(url)
    once = sum(count == 1 for count in seen["answered"].values())
    if code or once != samples or seen["requests"] != samples:
        raise RuntimeError(
            f"{' '.join(command)}: exit code {code}, "
            f"{seen['requests']} requests, {once} of {samples} prompts answered once\n"
            f"{log.read_text()[-2000:]}"
        )
    return Measured(
        first_request_s=seen["first_request_at"] - started,
        sending_window_s=seen["last_reply_at"] - seen["first_request_at"],
        process_s=ended - started,
        cpu_ms_per_sample=1000 * (used.ru_utime + used.ru_stime) / samples,
        peak_mb=used.ru_maxrss / 1024,
    )


def medians(rounds: Sequence[Measured]) -> Measured:
    """The median of each figure, which need not be of one and the same round."""
    return Measured(*map(statistics.median, zip(*map(astuple, rounds), strict=True)))


def interleave(url: str, samples: int, options: argparse.Namespace) -> dict[str, Measured]:
    """Program -> the medians of its rounds."""
    found: dict[str, list[Measured]] = {}
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        write_project(folder, url, samples, options.concurrency)
        programs = [
            (name, command)
            for name, command in commands(url, samples, options.concurrency).items()
            if options.only in (None, name)
        ]
        for _, command in programs:
            measure(command, folder, url, samples)  # untimed: compiled modules, the disk's cache
        for number in range(options.rounds):
            # Every other round backwards: a machine that warms up or slows down favours none.
            for name, command in programs[:: -1 if number % 2 else 1]:
                measured = measure(command, folder, url, samples)
                found.setdefault(name, []).append(measured)
                print(f"{samples} samples, round {number + 1}, {name}: {measured}", file=sys.stderr)
    return {name: medians(found[name]) for name, _ in programs}


def rows(samples: int, found: dict[str, Measured]) -> list[list[object]]:
    """Table rows: a line per program, then how many times the bare loop each other one takes."""
    lines: list[list[object]] = [[samples, name, *astuple(each)] for name, each in found.items()]
    bare = found.get("bare")
    for name, measured in found.items():
        if bare and name != "bare":
            pairs = zip(astuple(measured), astuple(bare), strict=True)
            lines.append([samples, f"{name} / bare", *(ratio(a, b) for a, b in pairs)])
    return lines


def table(
    samples: Sequence[int] = (1000, 10_000),
    rounds: int = 3,
    concurrency: int = 64,
    latency: float = 0.05,
    only: str | None = None,
) -> Table:
    """Medians of interleaved rounds."""
    options = argparse.Namespace(rounds=rounds, concurrency=concurrency, only=only)
    with running_stub(latency=latency, idle=600) as url:
        made = [row for n in samples for row in rows(n, interleave(url, n, options))]
    return Table.of(("samples", "program", *TITLES), made)


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--samples", type=int, nargs="+", default=[1000, 10000])
    parser.add_argument("--concurrency", type=int, default=64)
    parser.add_argument("--latency", type=float, default=0.05, help="seconds, of the stub")
    parser.add_argument("--only", choices=("bare", "bakeoff"), help="run this program alone")
    options = parser.parse_args()
    found = table(
        options.samples, options.rounds, options.concurrency, options.latency, options.only
    )
    print(found.markdown())
    limit = options.concurrency / options.latency if options.latency else float("inf")
    print(
        f"\nMedians of {options.rounds} rounds; {options.concurrency} requests at a time, "
        f"{options.latency:g} s latency: at most {limit:.0f} requests/s."
    )


if __name__ == "__main__":
    main()
