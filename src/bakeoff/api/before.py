"""What can be known of a benchmark before it is run: first files, tasks, data, cost, power."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, TypedDict, Unpack

from bakeoff.api.benchmark import BenchmarkLike, Functions, plan_for, suite_for
from bakeoff.api.options import Options
from bakeoff.api.view import View, as_exceptions
from bakeoff.core.table import Table
from bakeoff.running import environment as here
from bakeoff.spec.shipped import BENCHMARKS, TASKS, find
from bakeoff.spec.yaml_files import File, validated

if TYPE_CHECKING:
    from bakeoff.decide.gates.power import Preview
    from bakeoff.running.estimate import Forecast
    from bakeoff.running.first_files.understood import Understood
    from bakeoff.running.task_view import Prompt
    from bakeoff.tasks.audit.shown import Audits
    from bakeoff.tasks.task import Task


class FirstFiles(TypedDict, total=False):
    """How the first files are made; the options of `bakeoff init`."""

    name: str
    """Of the task and the benchmark."""
    columns: Mapping[str, str]
    """Our field -> the column that holds it, where the guess would be wrong; empty for none."""
    sheets: Mapping[str, str]
    """`questions`, `training` -> the sheet of a workbook that has several."""
    model: str
    endpoint: str
    retriever: str
    force: bool
    """Replace files that are there."""


class _FirstFiles(File):
    name: str = ""
    columns: Mapping[str, str] = {}
    sheets: Mapping[str, str] = {}
    model: str = ""
    endpoint: str = ""
    retriever: str = "dense"
    force: bool = False


def init(
    questions: str | Path | None = None,
    *,
    documents: str | Path | None = None,
    training: str | Path | None = None,
    **options: Unpack[FirstFiles],
) -> View[Path]:
    """Make a benchmark and a task of files as they are (`bakeoff init`); the benchmark's file.

    Without `questions` a small example to edit. The view shows what was understood.
    """
    from bakeoff.running.first_files.making import make
    from bakeoff.running.first_files.shown import tables
    from bakeoff.running.first_files.texts import EMBEDDED, Answers
    from bakeoff.running.first_files.understood import Given

    shown: list[Table] = []

    def keep(known: Understood) -> None:
        shown.extend(tables(known))

    with as_exceptions():
        chosen = validated(_FirstFiles, Path("bakeoff.init"), dict(options))
        given = None
        if questions:
            given = Given(
                Path(questions),
                Path(documents) if documents else None,
                Path(training) if training else None,
                tuple(chosen.columns.items()),
                chosen.sheets,
            )
        answers = Answers(chosen.model or EMBEDDED, chosen.endpoint, chosen.retriever)
        _, benchmark = make(given, chosen.name, answers, force=chosen.force, show=keep)
    return View(benchmark, tuple(shown))


@dataclass(frozen=True)
class ShownTask:
    """A task as it was understood."""

    task: Task
    prompts: Sequence[Prompt]
    """Of each kind of setup, as its model gets it."""


def task(
    name: str | Path, benchmark: str | Path | None = None, *, data: str | Path | None = None
) -> View[ShownTask]:
    """A task's rows, documents, scorers and prompts, as `benchmark` asks (`bakeoff tasks NAME`)."""
    from bakeoff.running import task_view
    from bakeoff.running.task_benchmark import benchmark_of
    from bakeoff.tasks.load import load_task

    with as_exceptions():
        file, folder = find(str(name), TASKS), Path(data) if data else None
        known = load_task(file, here.data_folder(folder), refuse=False)
        chosen = find(str(benchmark), BENCHMARKS) if benchmark else None
        suite, source = benchmark_of(known.name, file, chosen)
        prompts = task_view.prompts(known, suite, source or file, here.workspace(folder))
        tables = [task_view.rows_table(known), task_view.scorers_table(known)]
        if known.corpora:
            tables.insert(1, task_view.documents_table(known, suite.retrieve))
    texts = tuple((prompt.title, prompt.note, prompt.text) for prompt in prompts)
    tables.append(Table("Prompts", ("of", "how", "text"), texts))
    return View(ShownTask(known, prompts), tuple(tables))


def plan(
    benchmark: BenchmarkLike,
    *,
    setups: Functions | None = None,
    data: str | Path | None = None,
    **options: Unpack[Options],
) -> View[Forecast]:
    """The requests, tokens and cost of a run (`bakeoff plan`). Raises what `run` would raise."""
    from bakeoff.running.estimate import forecast
    from bakeoff.running.readiness import require_ready

    with as_exceptions():
        wanted = plan_for(benchmark, setups, data, options)
        require_ready(wanted, os.environ)
        made = forecast(wanted, here.results())
    skipped = Table("Skipped", ("task", "why"), tuple(made.skipped.items()))
    return View(made, (made.table(), *([skipped] if made.skipped else [])))


def audit(
    benchmark: BenchmarkLike,
    task: str = "",
    *,
    window: int | None = None,
    embed: bool = False,
    data: str | Path | None = None,
) -> View[Audits]:
    """Leaks, duplicates, contradictions and suspect labels in its data (`bakeoff audit`).

    `task` is the only one that is looked at; prompts must fit `window` tokens; `embed` also looks
    for paraphrases of test questions in the training rows.
    """
    from bakeoff.tasks.audit import shown
    from bakeoff.tasks.audit.deeper import audit_all

    with as_exceptions():
        embedder = None
        if embed:
            from bakeoff.models.embedders import LocalEmbedder

            embedder = LocalEmbedder("embedded", here.cache_folder())
        folder = here.data_folder(Path(data) if data else None)
        audits, skipped = audit_all(
            *(*suite_for(benchmark), folder), only=task, window=window, embedder=embedder
        )
    return View(shown.as_stored(audits, skipped), tuple(shown.tables(audits, skipped)))


def power(
    benchmark: BenchmarkLike,
    *,
    setups: Functions | None = None,
    data: str | Path | None = None,
    **options: Unpack[Options],
) -> View[Sequence[Preview]]:
    """The minimum detectable effect of each gate before anything is run (`bakeoff power`).

    A `problem` says that a gate can never fail, or never pass.
    """
    from bakeoff.decide.gates.power import earlier
    from bakeoff.outputs.tables.gates import power as power_table
    from bakeoff.running.planning import previews

    with as_exceptions():
        wanted = plan_for(benchmark, setups, data, options, dead_gates=True)
        shown = previews(wanted, earlier(here.results(), wanted.suite.name))
    return View(shown, (power_table(shown),))
