"""The command that makes a first benchmark and task: init."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import click

from bakeoff.cli.app import main, named_values, show
from bakeoff.core.plain_text import plain
from bakeoff.core.program import program
from bakeoff.core.table import Table
from bakeoff.core.words import BakeoffError

if TYPE_CHECKING:
    from bakeoff.running.first_files.understood import Given, Understood
    from bakeoff.tasks.inspection import Rows
    from bakeoff.tasks.library import Library

EXAMPLE = "example"
_FILE = click.Path(path_type=Path, exists=True, dir_okay=False)
_CELL = 60
"""Characters of a value that is shown."""


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
    help="The column of question, targets, id or gold, where the guess is wrong.",
)
@click.option("--force", is_flag=True, help="Replace files that are there.")
def init(
    questions: Path | None,
    documents: Path | None,
    training: Path | None,
    name: str,
    columns: tuple[tuple[str, str], ...],
    force: bool,
    **model: str,
) -> None:
    """Make a benchmark and a task of your own from QUESTIONS, documents and training rows.

    Asks on a terminal where nothing is given. Without questions it makes a small example to edit.
    Formats and columns are recognized, and what was understood is shown.
    """
    from bakeoff.running.first_files import written
    from bakeoff.running.first_files.example import example_files
    from bakeoff.running.first_files.texts import Answers
    from bakeoff.running.first_files.understood import Given, name_for, slug, understand

    asks = sys.stdin.isatty()
    nothing = not (questions or documents or training)
    if asks and nothing:
        questions, documents, training = _asked()
    if questions is None and (documents or training):
        raise BakeoffError("--questions FILE: must be given: rows with a question and its answer")
    if questions is None:
        name = slug(name or EXAMPLE)
        files = {Path(path): text for path, text in example_files(name).items()}
        written.require_new([*written.files_of(name), *files], force=force)
        written.write_all(files)
        folder = Path("tasks", name)
        given = Given(folder / "test.jsonl", folder / "documents", folder / "train.jsonl")
    else:
        given = Given(questions, documents, training, dict(columns))
        name = slug(name or name_for(given))
        written.require_new(written.files_of(name), force=force)
    known = understand(_with_columns(given) if asks else given)
    _show(known)
    made = written.write_first(known, name, Answers(**model))
    _verify(made[1])
    click.echo(f"wrote {made[0]} and {made[1]}: edit them as you like")
    _next(name)


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


def _with_columns(given: Given) -> Given:
    """What is given, with the columns that cannot be guessed asked for."""
    from dataclasses import replace

    from bakeoff.tasks.inspection import inspect_rows

    rows, chosen = inspect_rows(given.questions), dict(given.columns or {})
    names = click.Choice([column.name for column in rows.columns])
    for field in rows.missing:
        if field not in chosen:
            question = f"{given.questions.name}: the column of the {field}"
            chosen[field] = click.prompt(question, type=names, err=True)
    return replace(given, columns=chosen)


def _show(known: Understood) -> None:
    """Print what was understood: columns, documents, counts, three rows."""
    _show_rows(known.questions, known.mapping)
    if known.training:
        _show_rows(known.training, known.training.mapping)
    if known.documents:
        _show_documents(known.documents)
    first = [
        (row.id, row.question, " | ".join(row.targets) or "(none)", ", ".join(row.gold) or "-")
        for row in known.samples[:3]
    ]
    without = sum(not row.answerable for row in known.samples)
    counts = f"{len(known.samples) - without} answerable and {without} unanswerable questions"
    if known.train:
        repeated = f", {known.repeated} of them left out: they repeat a question"
        counts += f"; {len(known.train)} training rows{repeated if known.repeated else ''}"
    rows = tuple(tuple(plain(cell, _CELL) for cell in row) for row in first)
    show(Table("The first rows", ("id", "question", "answer", "document"), rows, f"{counts}."))


def _show_rows(rows: Rows, mapping: Mapping[str, str]) -> None:
    fields = {column: field for field, column in mapping.items()}
    fields = {guess.column: guess.field for guess in rows.guesses} | fields
    why = {guess.column: guess.reason for guess in rows.guesses}
    table = tuple(
        (
            column.name,
            f"{column.filled} of {rows.count}",
            plain(" / ".join(column.examples), _CELL),
            _use(fields.get(column.name, ""), why.get(column.name, "")),
        )
        for column in rows.columns
    )
    form = [
        rows.format,
        rows.encoding,
        f"separated by {rows.delimiter!r}" if rows.delimiter else "",
    ]
    title = f"{rows.path}: {', '.join(filter(None, form))}"
    header = ("column", "filled", "examples", "taken as")
    show(Table(title, header, table, "\n".join(rows.notes)))


def _use(field: str, reason: str) -> str:
    if not field:
        return "a field for prompts"
    return f"{field}: {reason}" if reason else field


def _show_documents(documents: Library) -> None:
    rows = tuple((form, str(count)) for form, count in documents.formats.items())
    count = len(documents.ids)
    counted = f"{count} document{'' if count == 1 else 's'}, {documents.words} words."
    notes = [counted, *documents.notes]
    show(Table(f"{documents.folder}: documents", ("format", "files"), rows, "\n".join(notes)))


def _verify(benchmark: Path) -> None:
    """Raise `BakeoffError` where the written files would not run, with what to do."""
    import os

    from bakeoff.running.planning import planned
    from bakeoff.running.readiness import require_ready

    try:
        require_ready(planned(benchmark, None), os.environ)
    except BakeoffError as error:
        raise BakeoffError(
            f"{error}\nThe files are written; correct this in them, then: {program()} plan "
            f"{benchmark}"
        ) from error


def _next(name: str) -> None:
    commands: dict[str, str] = {
        f"{program()} run {name}": "runs it: the first table",
        f"{program()} plan {name}": "estimates what that takes",
        f"{program()} tasks {name}": "shows the prompts as a model gets them",
    }
    click.echo("next:")
    for command, what in commands.items():
        click.echo(f"  {command:<{max(map(len, commands))}}   {what}")
