"""What was understood of a person's files, as tables: columns, documents, counts, three rows."""

from __future__ import annotations

from bakeoff.core.counts import quantity
from bakeoff.core.plain_text import plain
from bakeoff.core.table import Table
from bakeoff.running.first_files.understood import Understood
from bakeoff.tasks.inspection import Rows
from bakeoff.tasks.library import Library

_CELL = 60
"""Characters of a value that is shown."""


def tables(known: Understood) -> list[Table]:
    """Of each file and folder what is in it, then the first rows."""
    files = [_rows(rows) for rows in (known.questions, known.training) if rows]
    return [*files, *([_documents(known.documents)] if known.documents else []), _first(known)]


def _rows(rows: Rows) -> Table:
    guesses = {guess.column: guess for guess in rows.guesses}
    cells = tuple(
        (
            column.name,
            f"{column.filled} of {rows.count}",
            plain(" / ".join(column.examples), _CELL),
            f"{guess.field}: {guess.reason}" if guess else "a field for prompts",
        )
        for column in rows.columns
        for guess in (guesses.get(column.name),)
    )
    form = [
        rows.format,
        f"sheet {rows.sheet!r}" if rows.sheet else "",
        rows.encoding,
        f"separated by {rows.delimiter!r}" if rows.delimiter else "",
    ]
    title = f"{rows.path}: {', '.join(filter(None, form))}"
    return Table(title, ("column", "filled", "examples", "taken as"), cells, "\n".join(rows.notes))


def _documents(documents: Library) -> Table:
    rows = tuple((form, str(count)) for form, count in documents.formats.items())
    size = f"{quantity(len(documents.ids), 'document')}, {quantity(documents.words, 'word')}."
    notes = "\n".join([size, *documents.notes])
    return Table(f"{documents.folder}: documents", ("format", "files"), rows, notes)


def _first(known: Understood) -> Table:
    first = [
        (row.id, row.question, " | ".join(row.targets) or "(none)", ", ".join(row.gold) or "-")
        for row in known.samples[:3]
    ]
    without = sum(not row.answerable for row in known.samples)
    counts = f"{quantity(len(known.samples), 'question')}: "
    counts += f"{len(known.samples) - without} answerable, {without} unanswerable"
    if known.train:
        counts += f"; {quantity(len(known.train), 'training row')}"
    if known.repeated:
        counts += f", {known.repeated} of them left out: repeats of a question"
    rows = tuple(tuple(plain(cell, _CELL) for cell in row) for row in first)
    return Table("The first rows", ("id", "question", "answer", "document"), rows, f"{counts}.")
