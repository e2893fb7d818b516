"""A first benchmark and task put on the disk, never over what is there."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

from bakeoff.core import disk
from bakeoff.core.words import faults
from bakeoff.running.file_kinds import schema_text
from bakeoff.running.first_files.texts import Answers, benchmark_text, task_text
from bakeoff.running.first_files.understood import Understood

SCHEMAS = (".bakeoff/task.schema.json", ".bakeoff/benchmark.schema.json")
"""What the first lines of the files name; made anew whenever a first file is."""


def task_file(name: str) -> Path:
    return Path("tasks", f"{name}.yaml")


def benchmark_file(name: str) -> Path:
    return Path("benchmarks", f"{name}.yaml")


def write_first(known: Understood, name: str, answers: Answers, *, force: bool) -> list[Path]:
    """Write task, benchmark and their schemas below the current folder; the two files, in order.

    Raises `BakeoffError` where one is there and `force` is not given: nothing is written then.
    """
    task, benchmark = task_file(name), benchmark_file(name)
    texts = {
        task: task_text(known, task.parent),
        benchmark: benchmark_text(known, name, answers),
    }
    require_new(texts, force=force)
    write_all(texts)
    for schema in map(Path, SCHEMAS):
        schema.parent.mkdir(exist_ok=True)
        disk.replace(schema, [schema_text(schema.name.partition(".")[0])])
    return list(texts)


def require_new(paths: Iterable[Path], *, force: bool) -> None:
    """Raise `BakeoffError` naming those that are there, unless they may be replaced."""
    there = [path for path in paths if path.exists()]
    if not force:
        faults(
            [
                f"{path}: is there already; --name NAME makes another, --force replaces it"
                for path in there
            ]
        )


def write_all(texts: Mapping[Path, str]) -> None:
    """Write files and their folders."""
    for path, text in texts.items():
        with disk.refusals(path):
            path.parent.mkdir(parents=True, exist_ok=True)
        disk.replace(path, [text])
