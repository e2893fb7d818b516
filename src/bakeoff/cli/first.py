"""The command that makes a first benchmark and task: init."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from bakeoff.cli.app import main, named_values, show
from bakeoff.core.plain_text import plain
from bakeoff.core.program import program
from bakeoff.core.words import BakeoffError

if TYPE_CHECKING:
    from bakeoff.running.first_files.understood import Given, Understood

_FILE = click.Path(path_type=Path, exists=True)


@main.command()
@click.option("--questions", type=_FILE, help="Test rows: questions with their answers.")
@click.option(
    "--documents",
    type=click.Path(path_type=Path, exists=True),
    help="Folder of documents for retrieval, or one file with a document a row.",
)
@click.option("--training", type=_FILE, help="Rows to fine-tune on.")
@click.option("--name", default="", help="Name of the task and the benchmark.")
@click.option(
    "--model", default="embedded", show_default=True, help="What the setups are built on."
)
@click.option("--endpoint", default="", metavar="URL", help="OpenAI-compatible server of --model.")
@click.option(
    "--retriever",
    type=click.Choice(["dense", "bm25", "fused"]),
    default="dense",
    show_default=True,
    help="Find passages by meaning, by words, or by both.",
)
@click.option(
    "--column",
    "columns",
    multiple=True,
    metavar="FIELD=COLUMN",
    callback=named_values,
    help="The column of question, targets, id or gold, where the guess is wrong; FIELD= for none.",
)
@click.option(
    "--sheet",
    "sheets",
    multiple=True,
    metavar="FILE=SHEET",
    callback=named_values,
    help="The sheet of a workbook that has several: questions=SHEET, training=SHEET.",
)
@click.option("--force", is_flag=True, help="Replace files that are there.")
def init(
    questions: Path | None,
    documents: Path | None,
    training: Path | None,
    name: str,
    force: bool,
    **more: Any,
) -> None:
    """Make a benchmark and a task of your own from QUESTIONS, documents and training rows.

    Asks on a terminal where nothing is given. Without questions it makes a small example to edit.
    Formats and columns are recognized, and what was understood is shown.
    """
    from bakeoff.running.first_files.making import make
    from bakeoff.running.first_files.shown import tables
    from bakeoff.running.first_files.texts import Answers
    from bakeoff.running.first_files.understood import Given

    columns, sheets = more.pop("columns"), dict(more.pop("sheets"))
    asks = sys.stdin.isatty()
    if asks and not (questions or documents or training):
        questions, documents, training = _asked()
    if questions is None and (documents or training):
        raise BakeoffError("--questions FILE: must be given: rows with a question and its answer")
    given = Given(questions, documents, training, columns, sheets) if questions else None
    if given and asks:
        given = _completed(given)

    def show_all(known: Understood) -> None:
        for table in tables(known):
            show(table)

    task, benchmark = make(given, name, Answers(**more), force=force, show=show_all)
    if name not in ("", benchmark.stem):
        click.echo(
            f"the name '{plain(name)}' became {benchmark.stem}: small letters, digits and _, no "
            "digit first"
        )
    click.echo(f"wrote {task} and {benchmark}: edit them as you like")
    _next(benchmark.stem)


def _asked() -> tuple[Path | None, Path | None, Path | None]:
    """Questions, documents and training rows, asked for on the terminal."""
    questions = _path("Questions with answers: a file (empty: a small example to edit)")
    if questions is None:
        return None, None, None
    documents = _path("Documents that hold the answers: a folder (empty: none)", folder=True)
    return questions, documents, _path("Rows to fine-tune on: a file (empty: none)")


def _path(question: str, *, folder: bool = False) -> Path | None:
    while text := click.prompt(question, default="", show_default=False, err=True).strip():
        path = Path(text.strip("'\"")).expanduser()
        if path.is_file() or (folder and path.is_dir()):
            return path
        click.echo(f"{path}: {'is a folder' if path.is_dir() else 'is not there'}", err=True)
    return None


def _completed(given: Given) -> Given:
    """What is given, with the sheets and columns that cannot be guessed asked for."""
    from dataclasses import replace

    from bakeoff.running.first_files.understood import sheets_of
    from bakeoff.tasks.inspection import inspect_rows

    sheets, columns = dict(given.sheets), list(given.columns)
    for part, path in (("questions", given.questions), ("training", given.training)):
        if path is None:
            continue
        if part not in sheets and len(several := sheets_of(path)) > 1:
            sheets[part] = _choice(f"{path.name}: the sheet of the {part}", several)
        rows = inspect_rows(path, sheet=sheets.get(part, ""))
        names = [column.name for column in rows.columns]
        known = [field for field, column in columns if column in names]
        missing = [field for field in rows.missing if field not in known]
        for field in missing if len(missing) <= len(rows.untaken) else ():
            columns.append((field, _choice(f"{path.name}: the column of the {field}", names)))
    return replace(given, columns=columns, sheets=sheets)


def _choice(question: str, names: list[str]) -> str:
    return str(click.prompt(question, type=click.Choice(names), err=True))


def _next(name: str) -> None:
    commands: dict[str, str] = {
        f"{program()} run {name}": "runs it: the first table",
        f"{program()} plan {name}": "estimates what that takes",
        f"{program()} tasks {name}": "shows the prompts as a model gets them",
    }
    click.echo("next:")
    for command, what in commands.items():
        click.echo(f"  {command:<{max(map(len, commands))}}   {what}")
