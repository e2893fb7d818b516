"""A small project: a task of three questions, of which one has no answer."""

from __future__ import annotations

import json
from pathlib import Path

ROWS = [
    {"id": "q1", "question": "When does the desk open?", "targets": ["9"], "gold": ["desk"]},
    {"id": "q2", "question": "Who runs the desk?", "targets": [], "gold": []},
    {"id": "q3", "question": "<script>At what hour?", "targets": ["9"], "gold": ["desk"]},
]


def write_desk(folder: Path) -> Path:
    """`tasks/desk.yaml` with its rows and its document."""
    tasks = folder / "tasks"
    tasks.mkdir()
    rows = [{**row, "tags": {"part": part}} for row, part in zip(ROWS, "aba", strict=True)]
    (tasks / "desk.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    (tasks / "desk.md").write_text("The desk opens at 9.\n")
    (tasks / "desk.yaml").write_text(
        "description: A desk.\nrows: {test: desk.jsonl}\ncorpora: {notes: {documents: desk.md}}\n"
        "refusal: {say: unknown}\nscorers: [contains, faithfulness]\n"
    )
    return folder


def write_benchmark(folder: Path, benchmark: str, bot: str) -> Path:
    """`benchmarks/mine.yaml` and `bot.py`, whose function it names."""
    (folder / "benchmarks").mkdir()
    (folder / "benchmarks" / "mine.yaml").write_text(benchmark)
    (folder / "bot.py").write_text(bot)
    return folder
