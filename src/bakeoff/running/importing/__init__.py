"""Another tool's results, sample by sample, made into a run that is compared and gated like any.

Rows are streamed into the journals of a folder beside the results, which takes its place among
them in one step once everything in it is whole. `fields` says where a row says what, `rows` reads
the files, `cells` understands the rows, `intake` takes them in, `made` makes the run.
"""

from __future__ import annotations

import os
import re
import shutil
import tempfile
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

from bakeoff.analysis import measured_run
from bakeoff.core.hints import did_you_mean
from bakeoff.core.measure import MEASURED
from bakeoff.core.words import BakeoffError, faults
from bakeoff.running.importing.fields import Fields, find
from bakeoff.running.importing.given import restore
from bakeoff.running.importing.intake import Intake, identifier
from bakeoff.running.importing.made import make
from bakeoff.running.importing.rows import LINES, read_rows
from bakeoff.running.importing.wanted import Import
from bakeoff.runs import store
from bakeoff.runs.manifest import Manifest
from bakeoff.runs.written import GIVEN, digested
from bakeoff.spec import names
from bakeoff.spec.benchmark import TaskUse
from bakeoff.spec.metric import Metric
from bakeoff.tasks.formats.delimited import TABLES
from bakeoff.tasks.load import Selection, load_task, take

__all__ = ["GIVEN", "Import", "import_results", "restore"]


def import_results(
    wanted: Import, results: Path, note: Callable[[str], None] = lambda _: None
) -> measured_run.Run:
    """A complete run in `results` made of another tool's rows; `note` is told what they lack.

    Every setup has a cell for every sample: those that no row answers are failures. Raises
    `BakeoffError` that lists what is wrong, and then leaves nothing behind.
    """
    files = _files(wanted)
    wanted = replace(wanted, fields=_with_listed(wanted.fields, files))
    _check(wanted)
    task = load_task(wanted.task, wanted.data) if wanted.task else None
    if task:
        task = take(task, TaskUse(), Selection(), 0)
        _check_metrics(wanted.fields, {str(metric) for metric in task.scorers})
    name = wanted.name or (task.name if task else identifier(_stem(wanted.files[0])))
    if not name.replace("-", "_").isidentifier():
        raise BakeoffError(f"'{name}' cannot name a benchmark: use letters, digits, - and _")
    results.mkdir(parents=True, exist_ok=True)
    # Deeper than runs are looked for: until it is whole, nobody finds it.
    with tempfile.TemporaryDirectory(prefix=".import-", dir=results) as scratch:
        folder = Path(scratch) / "unfinished" / "run"
        folder.mkdir(parents=True)
        with ExitStack() as stack:
            taken = Intake(folder, task.name if task else name, task, wanted.fields, stack)
            for file in files:
                taken.add_file(file, wanted.setup)
            taken.end()
        manifest = make(folder, name, wanted, taken)
        for text in manifest.imported.notes if manifest.imported else ():
            note(text)
        return measured_run.Run(_put(folder, manifest, results))


def _put(folder: Path, manifest: Manifest, results: Path) -> Path:
    """Give the folder its place among the results; where it is."""
    place = store.new_folder(results, manifest.benchmark)
    try:
        file = manifest.file
        if (folder / "task").is_dir():
            file = os.path.relpath(place / "task" / file)
        placed = manifest.model_copy(update={"run": place.name, "file": file})
        store.write_manifest(folder, digested(folder, placed))
        measured_run.write_comparison(measured_run.Run(folder))
        folder.rename(place)
    except BaseException:
        shutil.rmtree(place)
        raise
    return place


def _files(wanted: Import) -> list[Path]:
    """The files to read, in an order that does not depend on the file system."""
    files: list[Path] = []
    for path in wanted.files:
        if not path.is_dir():
            if not path.is_file():
                raise BakeoffError(f"{path}: no such file")
            files.append(path)
            continue
        known = (*LINES, *TABLES)
        inside = sorted(path.rglob(wanted.fields.files or "*"))
        inside = [p for p in inside if p.is_file() and p.suffix.lower() in known]
        if not inside:
            raise BakeoffError(
                f"{path}: no file {wanted.fields.files or 'that ends in ' + ', '.join(known)}"
            )
        files += inside
    if not files:
        raise BakeoffError("import: name at least one file")
    return list(dict.fromkeys(files))


def _stem(path: Path) -> str:
    """A file's name without its ending, or a folder's name."""
    return path.resolve().name if path.is_dir() else path.stem


def _with_listed(wanted: Fields, files: Sequence[Path]) -> Fields:
    """The fields with the scores that the first row lists; those that are no numbers left out."""
    if not wanted.scores_listed or wanted.scores:
        return wanted
    place, row = next(read_rows(files[0], wanted), ("line 1", ""))
    listed = None if isinstance(row, str) else find(row, wanted.scores_listed)
    if isinstance(row, str) or not isinstance(listed, list):
        raise BakeoffError(
            f"{files[0]}: {place}: no list of scores in '{wanted.scores_listed}'; name "
            "them with --score COLUMN"
        )
    values = {str(name): find(row, str(name)) for name in listed}
    kept = {n: v for n, v in values.items() if v is None or isinstance(v, bool | int | float)}
    if not kept:
        raise BakeoffError(f"{files[0]}: {place}: none of {list(values)} is a number")
    return replace(wanted, scores={names.metric(re.sub(r"\W+", "_", n)): n for n in kept})


def _check(wanted: Import) -> None:
    """Raise for fields and options that do not go together."""
    taken, problems = wanted.fields, []
    if not taken.id:
        problems.append("id: must be given: it tells which rows belong to one sample")
    if not (taken.scores or wanted.task or wanted.scorers):
        problems.append(
            "nothing to compare: name columns of scores, or score answers by a task or by scorers"
        )
    if (wanted.task or wanted.scorers) and not taken.answer:
        problems.append("answer: its column must be named, or nothing can be scored")
    if wanted.setup and taken.setup:
        problems.append(
            f"setup: '{wanted.setup}' for all rows, or column '{taken.setup}': not both"
        )
    if taken.seconds and taken.milliseconds:
        problems.append("seconds: they come from one column, not also from milliseconds")
    if taken.completion_tokens and not taken.prompt_tokens:
        problems.append("completion_tokens: prompt_tokens must be named too")
    if wanted.task:
        own = [name for name in ("target", "cluster", "tags") if getattr(taken, name)]
        own = [name for name in own if name not in taken.optional]
        problems += [f"{name}: the task has its own: leave it out" for name in own]
        if wanted.scorers:
            problems.append("scorers: the task has its own: leave them out")
    elif wanted.scorers and not taken.target:
        problems.append("target: its column must be named: scorers compare answers with it")
    problems += [
        f"lower-is-better: no imported score '{name}'{did_you_mean(name, taken.scores)}"
        for name in wanted.lower_is_better
        if names.metric(name) not in taken.scores
    ]
    faults([f"import: {problem}" for problem in problems])
    _check_metrics(taken, {str(Metric.parse(text)) for text in wanted.scorers})


def _check_metrics(taken: Fields, others: set[str]) -> None:
    """Raise for imported metrics that have the name of another column of the run."""
    faults(
        [
            f"import: score {metric}: there is a {metric} already; give it another name, such as "
            f"their_{metric}={path}"
            for metric, path in taken.scores.items()
            if metric in others or metric in MEASURED
        ]
    )
