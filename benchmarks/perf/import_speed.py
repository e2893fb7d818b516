"""How long `bakeoff import` takes: 100,000 rows of two setups, in files of several tools.

    python benchmarks/perf/import_speed.py [--rows 100000] [--only inspect]

Rows are as long as those of real files: 1.3 kB of lm-evaluation-harness, 2.5 kB of inspect.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import random
import subprocess
import sys
import tempfile
import time
import zipfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from figures import Table

SETUPS = ("keeper", "visitor")
QUESTION = "Which of the lights along the channel marks the left side for ship {n}? " * 4
ANSWER = "The light on the left side for ship {n} is the red one, says the keeper. " * 3


def answered(setup: str, rows: int) -> Iterator[tuple[int, str, str, bool]]:
    """(number, question, answer, right) of every row of a setup."""
    drawn = random.Random(setup)
    for n in range(rows):
        yield n, QUESTION.format(n=n), ANSWER.format(n=n), drawn.random() < 0.6


def write_lm_eval(folder: Path, rows: int) -> list[str]:
    """A results folder of lm-evaluation-harness."""
    for setup in SETUPS:
        place = folder / setup
        place.mkdir()
        lines = (
            {
                "doc_id": n,
                "doc": {"question": question, "answer": "red"},
                "target": "red",
                "arguments": {"gen_args_0": {"arg_0": question, "arg_1": {"until": ["\n"]}}},
                "resps": [[answer]],
                "filtered_resps": [answer],
                "filter": "none",
                "metrics": ["exact_match"],
                "doc_hash": f"{n:064x}",
                "prompt_hash": f"{n:064x}",
                "target_hash": f"{0:064x}",
                "exact_match": float(right),
            }
            for n, question, answer, right in answered(setup, rows)
        )
        with (place / "samples_lights_2026-11-01T10-00-00.jsonl").open("w") as stream:
            stream.writelines(json.dumps(line) + "\n" for line in lines)
    return ["."]


def write_inspect(folder: Path, rows: int) -> list[str]:
    """A log of inspect for every setup, without events."""
    for setup in SETUPS:
        with zipfile.ZipFile(folder / f"{setup}.eval", "w", zipfile.ZIP_DEFLATED) as archive:
            stated = {"task": "lights", "model": f"harbour/{setup}", "task_version": 0}
            header = {"version": 2, "status": "success", "eval": stated}
            archive.writestr("header.json", json.dumps(header))
            for n, question, answer, right in answered(setup, rows):
                sample = inspect_sample(f"harbour/{setup}", n, question, answer, right)
                archive.writestr(f"samples/{n}_epoch_1.json", json.dumps(sample))
    return [f"{setup}.eval" for setup in SETUPS]


def inspect_sample(model: str, n: int, question: str, answer: str, right: bool) -> dict[str, Any]:
    """A sample of a log of inspect."""
    said = {"id": f"{n:022}", "content": answer, "source": "generate", "role": "assistant"}
    usage = {"input_tokens": 80, "output_tokens": 40, "total_tokens": 120}
    return {
        "id": n,
        "epoch": 1,
        "input": question,
        "target": "red",
        "messages": [{"id": "a", "content": question, "role": "user"}, said],
        "output": {
            "model": model,
            "choices": [{"message": said, "stop_reason": "stop"}],
            "completion": answer,
            "usage": usage,
            "time": 0.5,
        },
        "scores": {
            "match": {"value": "C" if right else "I", "answer": answer, "history": []},
            "f1": {"value": 0.5, "answer": answer, "explanation": answer},
        },
        "metadata": {},
        "store": {},
        "model_usage": {model: usage},
        "total_time": 0.6,
        "working_time": 0.5,
        "uuid": f"{n:022}",
    }


def table_rows(rows: int) -> Iterator[dict[str, Any]]:
    """Rows of a table of both setups."""
    for setup in SETUPS:
        for n, question, answer, right in answered(setup, rows):
            yield {
                "id": n,
                "setup": setup,
                "question": question,
                "answer": answer,
                "accuracy": int(right),
                "rating": n % 5,
            }


COLUMNS = ("--column", "setup=setup", "--column", "question=question", "--column", "answer=answer")
SCORES = ("--score", "accuracy", "--score", "rating")


def write_csv(folder: Path, rows: int) -> list[str]:
    """One table."""
    with (folder / "rows.csv").open("w", newline="") as stream:
        header = ("id", "setup", "question", "answer", "accuracy", "rating")
        writer = csv.DictWriter(stream, header)
        writer.writeheader()
        writer.writerows(table_rows(rows))
    return ["rows.csv", *COLUMNS, *SCORES]


def write_jsonl(folder: Path, rows: int) -> list[str]:
    """One file of rows."""
    with (folder / "rows.jsonl").open("w") as stream:
        stream.writelines(json.dumps(row) + "\n" for row in table_rows(rows))
    return ["rows.jsonl", *COLUMNS, *SCORES]


FILES: dict[str, Callable[[Path, int], list[str]]] = {
    "inspect": write_inspect,
    "lm-eval": write_lm_eval,
    "csv": write_csv,
    "jsonl": write_jsonl,
}
"""Kind of file -> writes one or more and gives the arguments that import them."""


def imported(kind: str, rows: int) -> list[object]:
    """An import in a process of its own: seconds by the clock and of the processor, peak memory."""
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch) / "in"
        folder.mkdir()
        arguments = FILES[kind](folder, rows // len(SETUPS))
        size = sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())
        environment = {**os.environ, "BAKEOFF_RESULTS": str(Path(scratch) / "results")}
        environment.pop("PYTHONDONTWRITEBYTECODE", None)
        started = time.perf_counter()
        child = subprocess.Popen(
            [sys.executable, "-m", "bakeoff", "import", *arguments],
            cwd=folder,
            env=environment,
            stdout=subprocess.DEVNULL,
        )
        _, status, used = os.wait4(child.pid, 0)
        whole = time.perf_counter() - started
        child.returncode = os.waitstatus_to_exitcode(status)
        if child.returncode:
            raise RuntimeError(f"{kind}: exit code {child.returncode}")
    seconds = used.ru_utime + used.ru_stime
    return [kind, rows, size / 2**20, whole, seconds, used.ru_maxrss / 1024]


def table(rows: int = 100_000, kinds: Sequence[str] = tuple(FILES)) -> Table:
    """One import of each kind of file."""
    header = ("files of", "rows", "MB", "whole process, s", "processor, s", "peak, MB")
    return Table.of(header, [imported(kind, rows) for kind in kinds])


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=100_000)
    parser.add_argument("--only", choices=list(FILES), nargs="*", default=list(FILES))
    options = parser.parse_args()
    print(table(options.rows, options.only).markdown())


if __name__ == "__main__":
    main()
