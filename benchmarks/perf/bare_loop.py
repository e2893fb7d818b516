"""The least that a program can do: answer prompts at an endpoint with aiohttp, keep, compare.

    python benchmarks/perf/bare_loop.py http://127.0.0.1:8000 --samples 1000 --concurrency 64

It prints one JSON line, see `Measured`. What `bakeoff run` takes beyond this is its own cost. Linux
only: the start of the process is read from /proc.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import resource
import time
from dataclasses import asdict, dataclass
from pathlib import Path

import aiohttp


@dataclass(frozen=True)
class Measured:
    """What one loop took; seconds are counted from the start of the process, imports included."""

    samples: int
    right: int
    """Samples whose answer is the expected word."""
    first_request_s: float
    sending_window_s: float
    """From the first request sent to the last reply."""
    process_s: float
    cpu_s: float
    peak_mb: float


def process_age_s() -> float:
    """Seconds since this process was started, to the hundredth."""
    # The second field, the program's name, may hold blanks: count from its closing bracket.
    fields = Path("/proc/self/stat").read_text().rpartition(")")[2].split()
    started_s = int(fields[19]) / os.sysconf("SC_CLK_TCK")
    return time.clock_gettime(time.CLOCK_BOOTTIME) - started_s


async def ask_all(url: str, expected: dict[str, str], concurrency: int) -> dict[str, str]:
    """Prompt -> answer, with at most `concurrency` requests at a time."""
    answers: dict[str, str] = {}
    waiting = iter(expected)
    connector = aiohttp.TCPConnector(limit=concurrency)

    async with aiohttp.ClientSession(connector=connector) as session:

        async def work() -> None:
            for prompt in waiting:
                body = {
                    "model": "some-model",
                    "messages": [{"role": "user", "content": prompt}],
                    "max_tokens": 16,
                }
                async with session.post(f"{url}/v1/chat/completions", json=body) as response:
                    response.raise_for_status()
                    reply = await response.json()
                answers[prompt] = reply["choices"][0]["message"]["content"]

        await asyncio.gather(*(work() for _ in range(concurrency)))
    return answers


def measure(url: str, samples: int, concurrency: int) -> Measured:
    """Ask `samples` prompts and say what it took."""
    expected = {f"Question {number}: say w{number}": f"w{number}" for number in range(samples)}
    first_request_s = process_age_s()
    answers = asyncio.run(ask_all(url, expected, concurrency))
    last_reply_s = process_age_s()
    right = sum(answers[prompt] == word for prompt, word in expected.items())
    used = resource.getrusage(resource.RUSAGE_SELF)
    return Measured(
        samples=samples,
        right=right,
        first_request_s=round(first_request_s, 3),
        sending_window_s=round(last_reply_s - first_request_s, 3),
        process_s=round(process_age_s(), 3),
        cpu_s=round(used.ru_utime + used.ru_stime, 3),
        peak_mb=round(used.ru_maxrss / 1024, 1),
    )


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("url", help="address of the server, without /v1")
    parser.add_argument("--samples", type=int, default=1000)
    parser.add_argument("--concurrency", type=int, default=64)
    options = parser.parse_args()
    print(json.dumps(asdict(measure(options.url, options.samples, options.concurrency))))


if __name__ == "__main__":
    main()
