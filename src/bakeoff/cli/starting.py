"""Commands for the first files of one's own: tasks, schema."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from bakeoff.cli.app import data_option, main, show, waiting
from bakeoff.cli.named import BENCHMARK, TASKS
from bakeoff.core.plain_text import lines
from bakeoff.core.program import program
from bakeoff.core.words import BakeoffError
from bakeoff.running.environment import data_folder, workspace
from bakeoff.spec import shipped

if TYPE_CHECKING:
    from bakeoff.tasks.task import Task


@main.command()
@click.argument(
    "named",
    type=TASKS,
    default=lambda: shipped.folder(shipped.TASKS),
    metavar="[NAME|FILE|FOLDER]",
)
@click.option(
    "--benchmark",
    type=BENCHMARK,
    help="Show the prompts of this benchmark; default: one in ./benchmarks that has the task.",
)
@click.option("--hub", is_flag=True, help="Also check tasks whose rows are on the hub.")
@data_option
def tasks(named: Path, benchmark: Path | None, hub: bool, data: Path | None) -> None:
    """Check and list the task files of a FOLDER; or show one, as it was understood.

    Of one task: its rows and documents, its scorers, and three prompts as a model gets them. An
    own scorer of the listed tasks is listed, too; `bakeoff scorers list` has all others.
    """
    from bakeoff.tasks.load import load_task

    if named.is_dir():
        _list(named, hub, data)
    else:
        task = load_task(named, data_folder(data), refuse=False)
        _describe(task, named, benchmark, data)


def _list(folder: Path, hub: bool, data: Path | None) -> None:
    from bakeoff.core.table import Table
    from bakeoff.tasks.load import Unavailable, load_task

    files = sorted(folder.glob("*.yaml"))
    if not files:
        raise BakeoffError(
            f"{folder}: no task files (*.yaml) there; `{program()} init` makes a first one"
        )
    rows: list[tuple[str, ...]] = []
    problems, loaded = [], []
    for file in files:
        try:
            task = load_task(file, data_folder(data), hub=hub)
        except Unavailable as unavailable:
            rows.append((file.stem, "-", "-", "-", "-", "-", f"skipped: {unavailable.reason}"))
        except BakeoffError as error:
            problems.append(str(error))
        else:
            loaded.append(task)
            rows.append(_row(task))
    header = ("task", "answerable", "unanswerable", "train", "corpora", "primary metric")
    note = (
        "Answerable, unanswerable: questions of the test rows with and without an answer. "
        f"`{program()} tasks NAME` shows a task and its prompts."
    )
    show(Table("Tasks", (*header, "description"), tuple(rows), note))
    if own := _own_scorers(loaded):
        show(Table("Own scorers", ("task", "scorer", "what it measures"), own))
    if problems:
        raise BakeoffError("\n".join(problems))


def _row(task: Task) -> tuple[str, ...]:
    from bakeoff.tasks.documents import with_text

    corpora = ", ".join(f"{n} ({len(with_text(d))})" for n, d in task.corpora.items())
    return (
        task.name,
        str(len(task.samples) - task.unanswerable),
        str(task.unanswerable),
        str(len(task.train)),
        corpora,
        task.file.headline_metric,
        task.file.description.split(". ")[0].strip(),
    )


def _own_scorers(loaded: Sequence[Task]) -> tuple[tuple[str, ...], ...]:
    return tuple(
        (task.name, str(metric), scorer.about or "no docstring")
        for task in loaded
        for metric, scorer in task.scorers.items()
        if "::" in metric.name
    )


def _describe(task: Task, file: Path, benchmark: Path | None, data: Path | None) -> None:
    from bakeoff.running import task_view
    from bakeoff.running.task_benchmark import benchmark_of

    suite, source = benchmark_of(task.name, file, benchmark)
    show(task_view.rows_table(task))
    if task.corpora:
        show(task_view.documents_table(task, suite.retrieve))
    show(task_view.scorers_table(task))
    with waiting("writing the prompts"):
        shown = task_view.prompts(task, suite, source or file, workspace(data))
    how = f"as {source} asks" if source else "by the defaults: no benchmark here has the task"
    click.echo(f"\nPrompts, {how}")
    for prompt in shown:
        click.echo(f"\n  {prompt.title}\n  ({prompt.note})\n")
        for line in lines(prompt.text):
            click.echo(f"  | {line}")


@main.command()
@click.argument("kind", type=click.Choice(["task", "benchmark", "gates", "prices", "needs"]))
def schema(kind: str) -> None:
    """Print the JSON Schema of a KIND of file, by which an editor checks and explains it.

    A first line `# yaml-language-server: $schema=FILE` in a YAML file names the schema.
    """
    from bakeoff.running.file_kinds import schema_text

    click.echo(schema_text(kind), nl=False)
