"""Another tool's results, sample by sample, made into a run that is compared and gated like any.

Rows are streamed into the journals of a folder beside the results, which takes its place among
them in one step once everything in it is whole. `importers` read the files of known tools, `rows`
others, of which `fields` says where a row says what; `cells` understands the rows, `receiving` and
`intake` take them in, task by task, `made` makes the run.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

from bakeoff.analysis import measured_run
from bakeoff.core.hints import did_you_mean
from bakeoff.core.measure import MEASURED
from bakeoff.core.words import BakeoffError, faults
from bakeoff.metrics.registry import find_scorer
from bakeoff.running.importing.fields import THEIRS, Fields
from bakeoff.running.importing.given import restore
from bakeoff.running.importing.importers import format_of, importer_named
from bakeoff.running.importing.intake import identifier
from bakeoff.running.importing.made import make
from bakeoff.running.importing.receiving import Receiver
from bakeoff.running.importing.rows import row_file, unknown_columns
from bakeoff.running.importing.wanted import Import
from bakeoff.runs import store
from bakeoff.runs.manifest import Manifest
from bakeoff.runs.written import GIVEN, digested
from bakeoff.spec.benchmark import TaskUse
from bakeoff.spec.metric import Metric
from bakeoff.tasks.beir import NEED_NO_ANSWER
from bakeoff.tasks.load import Selection, load_task, take
from bakeoff.tasks.readers import ROW_FILES

__all__ = ["GIVEN", "Import", "import_results", "restore"]


def import_results(
    wanted: Import, results: Path, note: Callable[[str], None] = lambda _: None
) -> measured_run.Run:
    """A complete run in `results` made of another tool's rows; `note` is told what they lack.

    Setups are compared on the samples that all of them have, or as `wanted.missing` says. Raises
    `BakeoffError` that lists what is wrong, and then leaves nothing behind.
    """
    files, passed = _files(wanted)
    try:
        _check(wanted, columns=not all(files.values()))
    except BakeoffError as error:
        tables = [file for file, format in files.items() if not format]
        unknown = [text for file in tables for text in unknown_columns(file, wanted.fields)]
        raise BakeoffError("\n".join([*unknown, str(error)])) from error
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
            taken = Receiver(folder, task.name if task else name, task, wanted, stack)
            for file, format in files.items():
                taken.add_file(file, format)
            taken.end()
        if not (wanted.name or task) and len(taken.intakes) == 1:
            (name,) = taken.intakes
        manifest = make(folder, name, wanted, taken, passed)
        for text in manifest.imported.notes if manifest.imported else ():
            note(text)
        return _put(folder, manifest, results)


def _put(folder: Path, manifest: Manifest, results: Path) -> measured_run.Run:
    """Give the folder its place among the results; the run that it is."""
    place = store.new_folder(results, manifest.benchmark)
    try:
        file = manifest.file
        if (folder / "task").is_dir():
            file = os.path.relpath(place / "task" / file)
        placed = manifest.model_copy(update={"run": place.name, "file": file})
        store.write_manifest(folder, digested(folder, placed))
        run = measured_run.Run(folder)
        measured_run.write_comparison(run)
        folder.rename(place)
    except BaseException:
        shutil.rmtree(place)
        raise
    return run.moved(place)


def _files(wanted: Import) -> tuple[dict[Path, str], list[Path]]:
    """File -> the format to read it by, empty for a table; and files of folders passed over.

    In an order that does not depend on the file system.
    """
    files: dict[Path, str] = {}
    passed: list[Path] = []
    for path in wanted.files:
        if not path.is_dir():
            if not path.is_file():
                raise BakeoffError(f"{path}: no such file")
            files[path] = _format(path, wanted)
            continue
        inside = [p for p in sorted(path.rglob(wanted.fields.files or "*")) if p.is_file()]
        formats = {file: _format(file, wanted) for file in inside}
        if any(formats.values()):
            # Beside files of a tool lie others, such as its summaries.
            files |= {file: format for file, format in formats.items() if format}
            passed += [file for file, format in formats.items() if not format]
        elif rows := [file for file in inside if row_file(file)]:
            files |= dict.fromkeys(rows, "")
        else:
            known = ", ".join((*ROW_FILES, ".eval"))
            raise BakeoffError(f"{path}: no file {wanted.fields.files or 'that ends in ' + known}")
    if not files:
        raise BakeoffError("import: name at least one file")
    return files, passed


def _format(file: Path, wanted: Import) -> str:
    """The format that is asked for, else the one that the file is recognized as; or none."""
    if wanted.format:
        importer = importer_named(wanted.format)
        # A folder's other files are not of the format because it was asked for.
        return wanted.format if file in wanted.files or importer.recognizes(file) else ""
    return "" if wanted.fields.names_columns else format_of(file)


def _stem(path: Path) -> str:
    """A file's name without its ending, or a folder's name."""
    return path.resolve().name if path.is_dir() else path.stem


def _check(wanted: Import, *, columns: bool) -> None:
    """Raise for fields and options that do not go together.

    `columns`: there are files whose columns must be named, as no format is known for them.
    """
    faults(_unknown_scorers(wanted))
    taken, problems = wanted.fields, []
    if not taken.id:
        problems.append("id: must be given: it tells which rows belong to one sample")
    if columns and not (taken.scores or wanted.task or wanted.scorers):
        problems.append(
            "nothing to compare: name columns of scores, or score answers by a task or by scorers"
        )
    if columns and (wanted.task or wanted.scorers) and not taken.answer:
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
        if wanted.refusals:
            problems.append("refusal: the task has its own phrases: leave it out")
    elif wanted.refusals and not wanted.scorers:
        problems.append("refusal: no answer is scored: name scorers (--scorers), or leave it out")
    elif columns and wanted.scorers and not taken.target and not _need_no_target(wanted):
        problems.append("target: its column must be named: scorers compare answers with it")
    problems += [
        f"lower-is-better: no imported score '{name}'{did_you_mean(name, taken.scores)}"
        for name in wanted.lower_is_better
        if columns and name not in taken.scores
    ]
    faults([f"import: {problem}" for problem in problems])
    _check_metrics(taken, {str(Metric.parse(text)) for text in wanted.scorers})


def _unknown_scorers(wanted: Import) -> list[str]:
    """What is wrong with the scorers, but for functions, which are found later."""
    problems = []
    for text in wanted.scorers:
        try:
            metric = Metric.parse(text)
            if "::" not in metric.name:
                find_scorer(metric, Path())
        except BakeoffError as error:
            problems.append(f"import: scorers: {error}")
    return problems


def _need_no_target(wanted: Import) -> bool:
    return all(Metric.parse(text).name in NEED_NO_ANSWER for text in wanted.scorers)


def _check_metrics(taken: Fields, others: set[str]) -> None:
    """Raise for imported metrics that have the name of another column of the run."""
    faults(
        [
            f"import: score {metric}: there is a {metric} already; give it another name, such as "
            f"{THEIRS}{metric}={path}"
            for metric, path in taken.scores.items()
            if metric in others or metric in MEASURED
        ]
    )
