"""A small project: two functions answer four questions, and another tool's rows."""

from __future__ import annotations

import json
from pathlib import Path

N, FILE = 4, "benchmarks/words.yaml"
BOT = """
import pathlib

def answer(sample):
    with (pathlib.Path(__file__).parent / "asked").open("a") as stream:
        stream.write(sample.id + "\\n")
    return "w" + sample.id[1:] if sample.id != "q3" else "no"

def other(sample):
    return "w1"
"""
TASK = """
description: Words.
rows: {test: rows.jsonl}
scorers: [exact_match]
"""
BENCHMARK = """
tasks: [words]
setups: {mine: {call: "../bot.py::answer"}, other: {call: "../bot.py::other"}}
latency: {samples: 0}
gates:
  - {id: floor, check: "mine.words.exact_match >= 0.5", mode: estimate}
"""


def write_project(folder: Path) -> None:
    """Two functions that answer four questions, and another tool's rows."""
    rows = [{"id": f"q{i}", "question": f"word {i}?", "targets": [f"w{i}"]} for i in range(N)]
    for name in ("tasks", "benchmarks"):
        (folder / name).mkdir(parents=True)
    lines = "".join(json.dumps(row) + "\n" for row in rows)
    (folder / "tasks" / "rows.jsonl").write_text(lines)
    (folder / "tasks" / "words.yaml").write_text(TASK)
    (folder / FILE).write_text(BENCHMARK)
    (folder / "bot.py").write_text(BOT)
    theirs = [{"id": f"q{i}", "m": m, "s": i % 2} for i in range(N) for m in "ab"]
    (folder / "theirs.jsonl").write_text("".join(json.dumps(row) + "\n" for row in theirs))
