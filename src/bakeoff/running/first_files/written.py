"""A first benchmark and task put on the disk, never over what is there."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

from bakeoff.core import disk
from bakeoff.core.words import faults
from bakeoff.running.file_kinds import schema_text
from bakeoff.running.first_files.texts import Answers, benchmark_text, task_text
from bakeoff.running.first_files.understood import Understood

SCHEMAS = {kind: f".bakeoff/{kind}.schema.json" for kind in ("task", "benchmark")}
"""What the first lines of the files name; made anew whenever a first file is."""


def files_of(name: str) -> tuple[Path, Path]:
    """The task file and the benchmark file of a name."""
    return Path("tasks", f"{name}.yaml"), Path("benchmarks", f"{name}.yaml")


def all_files(name: str) -> tuple[Path, ...]:
    """Everything that `write_first` writes."""
    return (*files_of(name), *map(Path, SCHEMAS.values()))


def write_first(known: Understood, name: str, answers: Answers) -> tuple[Path, Path]:
    """Write task, benchmark and their schemas below the current folder; the two files, in order.

    `require_new` has seen to it that nothing is overwritten.
    """
    task, benchmark = files_of(name)
    texts = {
        task: task_text(known, task.parent, answers),
        benchmark: benchmark_text(known, name, answers),
    }
    schemas = {Path(file): schema_text(kind) for kind, file in SCHEMAS.items()}
    write_all({**texts, **schemas})
    return task, benchmark


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


@contextmanager
def undone_on_failure(paths: Iterable[Path]) -> Iterator[None]:
    """Where the block fails or is interrupted, have these files, and their folders, as before."""
    before = {path: path.read_bytes() if path.is_file() else None for path in paths}
    folders = {folder for path in before for folder in path.parents if not folder.exists()}
    try:
        yield
    except BaseException:
        for path, content in before.items():
            if content is None:
                path.unlink(missing_ok=True)
            else:
                path.write_bytes(content)
        for folder in sorted(folders, reverse=True):  # what is within comes first
            with suppress(OSError):  # not made, or somebody put a file there meanwhile
                folder.rmdir()
        raise
