"""A first task and benchmark made of what a person has, and proved to run."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

from bakeoff.core.words import BakeoffError
from bakeoff.running.first_files import written
from bakeoff.running.first_files.example import example_files
from bakeoff.running.first_files.texts import Answers
from bakeoff.running.first_files.understood import Given, Understood, name_for, slug, understand
from bakeoff.running.planning import planned
from bakeoff.running.readiness import require_ready
from bakeoff.runs.naming import LATEST

EXAMPLE = "example"


def make(
    given: Given | None,
    name: str,
    answers: Answers,
    *,
    force: bool = False,
    show: Callable[[Understood], None] = lambda _: None,
) -> tuple[Path, Path]:
    """Write a task file and a benchmark file below the current folder; without `given` an example.

    They are called as `slug` writes `name`, which is the questions' own where it is empty.
    `show` gets what was understood before it is written. Raises `BakeoffError` where something
    cannot be understood or would not run, or a file is there already unless `force`; then, or
    when it is interrupted, every file is as it was.
    """
    name = _free(slug(name or (name_for(given) if given else EXAMPLE)))
    example = {} if given else {Path(file): text for file, text in example_files(name).items()}
    written.require_new([*written.files_of(name), *example], force=force)
    with written.undone_on_failure([*written.all_files(name), *example]):
        written.write_all(example)
        known = understand(given or _example(Path("tasks", name)))
        show(known)
        made = written.write_first(known, name, answers)
        _require_ready(made[1])
    return made


def _free(name: str) -> str:
    if name == LATEST:
        raise BakeoffError(f"--name {name}: names the newest run; give another, such as mine")
    return name


def _example(folder: Path) -> Given:
    return Given(folder / "test.jsonl", folder / "documents", folder / "train.jsonl")


def _require_ready(benchmark: Path) -> None:
    try:
        require_ready(planned(benchmark, None), os.environ)
    except BakeoffError as error:
        raise BakeoffError(f"{error}\nNothing was written; correct this first") from error
