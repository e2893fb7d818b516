"""What files of rows hold, understood without a task file."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from bakeoff.core.words import BakeoffError
from bakeoff.tasks import chats
from bakeoff.tasks.columns import columns_of, listed
from bakeoff.tasks.formats.decoding import encoding_of
from bakeoff.tasks.formats.delimited import TABLES, csv_form
from bakeoff.tasks.guessing import Guess, guesses
from bakeoff.tasks.readers import Reading, reader_of

_EXAMPLES = 3
_LOOKED_AT = 1000
"""Rows from whose values columns are guessed."""
_FORMATS = {
    **{".jsonl": "JSON Lines", ".ndjson": "JSON Lines", ".json": "JSON"},
    **{".parquet": "Parquet", ".xlsx": "XLSX", ".xlsm": "XLSX"},
    **dict.fromkeys(TABLES, "CSV"),
}


@dataclass(frozen=True)
class Column:
    """A column of a file, with the first different values that it holds."""

    name: str
    filled: int
    """Rows that have a value there."""
    examples: tuple[str, ...]


@dataclass(frozen=True)
class Rows:
    """A file of rows as it is understood."""

    path: Path
    format: str
    encoding: str
    """In words; empty for formats that are not text."""
    delimiter: str
    """Of a CSV file."""
    sheet: str
    """Of a workbook that has several; else empty."""
    count: int
    columns: tuple[Column, ...]
    guesses: tuple[Guess, ...]
    """At most one for each of question, targets, gold, id."""
    system: str
    """Of chats: their system turn, `{system}` where they have several."""
    notes: tuple[str, ...]
    """What reading had to guess, and what it left out."""

    @property
    def mapping(self) -> dict[str, str]:
        """What `columns:` of a task file must hold: what is not called as bakeoff calls it."""
        return {g.field: g.column for g in self.guesses if g.field != g.column}

    @property
    def missing(self) -> tuple[str, ...]:
        """Fields that a task needs and no column may be."""
        known = {guess.field for guess in self.guesses}
        return tuple(name for name in ("question", "targets") if name not in known)

    @property
    def untaken(self) -> list[str]:
        """Columns that are not taken for a field."""
        taken = {guess.column for guess in self.guesses}
        return [column.name for column in self.columns if column.name not in taken]

    @property
    def source(self) -> str | dict[str, str]:
        """What `rows: {test: ...}` holds for the file where it is beside the task file."""
        detected = self.encoding.removesuffix(" (detected)")
        settings = {
            **({"sheet": self.sheet} if self.sheet else {}),
            **({"encoding": detected} if detected != self.encoding else {}),
        }
        return {"files": self.path.name, **settings} if settings else self.path.name

    def taking(self, columns: Mapping[str, str]) -> Rows:
        """The same with columns that a person named, field -> column, before those guessed.

        An empty column: none holds the field.
        """
        named = tuple(Guess(field, name, "named") for field, name in columns.items() if name)
        left = [
            g for g in self.guesses if g.field not in columns and g.column not in columns.values()
        ]
        return replace(self, guesses=(*named, *left))


def is_workbook(path: Path) -> bool:
    """Whether it is a file of sheets."""
    return _format(path) == "XLSX"


def inspect_rows(path: Path, documents: Collection[str] = (), *, sheet: str = "") -> Rows:
    """What is in a file of rows: format, columns, and which of them may be what.

    `documents` are the ids or file names that a column of gold documents may hold; `sheet` is that
    of a workbook which has several. Raises `BakeoffError` for a file that cannot be read or has no
    rows.
    """
    if (path / "queries.jsonl").is_file():
        raise BakeoffError(
            f"{path}: is a BEIR folder: rows: {{test: {{beir: {path.name}}}}} reads it"
        )
    if not path.is_file():
        raise BakeoffError(
            f"{path}: {'is a folder; name a file' if path.is_dir() else 'no such file'}"
        )
    reading = Reading(sheet=sheet)
    reader = reader_of(path)
    rows = list(reader.rows(path, reading))
    if not rows:
        raise BakeoffError(f"{path}: no rows")
    form = _format(path)
    if chat := chats.column_of(columns_of(rows), {}):
        rows = chats.questions_of(rows, chat, f"{path}:", reading)
        form = f"chat {form}"
    columns = {
        name: [row[name] for row in rows if not _blank(row.get(name))] for name in columns_of(rows)
    }
    looked_at = {name: values[:_LOOKED_AT] for name, values in columns.items()}
    if reader.cells:
        looked_at = {name: [*map(listed, values)] for name, values in looked_at.items()}
    text = form not in ("XLSX", "Parquet")
    return Rows(
        path=path,
        format=form,
        encoding=encoding_of(path) if text else "",
        delimiter=csv_form(path, Reading()).delimiter if form == "CSV" else "",
        sheet=sheet,
        count=len(rows),
        columns=tuple(_column(name, values) for name, values in columns.items()),
        guesses=guesses(looked_at, documents),
        system=_system(rows) if chat else "",
        notes=tuple(reading.notes),
    )


def _system(chats: list[dict[str, object]]) -> str:
    texts = {str(chat["system"]) for chat in chats}
    return next(iter(texts)) if len(texts) == 1 else "{system}"


def _format(path: Path) -> str:
    return _FORMATS.get(path.suffix.lower(), "JSON Lines")


def _blank(value: Any) -> bool:
    return value is None or value == [] or (isinstance(value, str) and not value.strip())


def _column(name: str, values: list[Any]) -> Column:
    return Column(name, len(values), tuple(dict.fromkeys(map(_shown, values)))[:_EXAMPLES])


def _shown(value: Any) -> str:
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)
