"""How files of a task are read, by their ending: as rows, or as the text of a document."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bakeoff.core.plugins import Registry
from bakeoff.core.words import BakeoffError, faults
from bakeoff.tasks.formats.decoding import Reading, decoded
from bakeoff.tasks.formats.delimited import TABLES, csv_rows
from bakeoff.tasks.formats.json_rows import Row, json_document, json_lines
from bakeoff.tasks.formats.parquet import parquet_rows
from bakeoff.tasks.formats.pdf import pdf_text
from bakeoff.tasks.formats.restructured import restructured_text
from bakeoff.tasks.formats.web import web_page
from bakeoff.tasks.formats.word import word_text
from bakeoff.tasks.formats.workbook import workbook_rows

__all__ = ["READERS", "Reader", "Reading", "reader_of"]


def plain_text(file: Path, reading: Reading) -> str:
    """A whole file of text, line ends as `\\n`, without a byte-order mark.

    Raises `BakeoffError` for one that cannot be decoded.
    """
    return "".join(decoded(file, reading)).replace("\r\n", "\n").replace("\r", "\n")


def lines(file: Path, reading: Reading) -> Iterator[dict[str, object]]:
    """The rows of JSON Lines, blank lines passed over."""
    yield from _whole(file, json_lines(file, reading))


def document(file: Path, reading: Reading) -> Iterator[dict[str, object]]:
    """The rows of a `.json` file: a list, an object that holds one list of rows, or JSON Lines."""
    yield from _whole(file, json_document(file, reading))


def table(file: Path, reading: Reading) -> Iterator[dict[str, object]]:
    """The rows of a CSV file: texts, and `None` for an empty cell."""
    for row in _whole(file, csv_rows(file, lambda header: (), reading)):
        yield {name: text if str(text).strip() else None for name, text in row.items()}


def _whole(file: Path, rows: Iterable[Row]) -> Iterator[dict[str, object]]:
    """The rows. Raises `BakeoffError` listing those that cannot be read."""
    problems = []
    for place, row in rows:
        if isinstance(row, str):
            problems.append(f"{file}: {place}: {row}")
        else:
            yield row
    faults(problems)


@dataclass(frozen=True)
class Reader:
    """How files of one ending are read; both raise `BakeoffError` for what cannot be read.

    Both get the file and its `Reading`: the encoding that is stated, and where to count what is
    left out (`reading.dropped["images"] += 1`).
    """

    rows: Callable[[Path, Reading], Iterable[dict[str, object]]] = lines
    text: Callable[[Path, Reading], str] | None = plain_text
    """`None`: every row is a document."""
    cells: bool = False
    """Whether the values of rows are cells, of which none is a list."""


def _only_text(text: Callable[[Path, Reading], str]) -> Reader:
    """A reader of documents that hold no rows."""

    def no_rows(file: Path, _: Reading) -> Iterable[dict[str, object]]:
        raise BakeoffError(f"{file}: holds text, no rows: rows are {', '.join(ROW_FILES)}")

    return Reader(no_rows, text)


def _unreadable(mend: str) -> Reader:
    """A reader that says what to do with files of a format that is not read."""

    def refuse(file: Path, _: Reading) -> Any:
        raise BakeoffError(f"{file}: {file.suffix} is not read: {mend}")

    return Reader(refuse, refuse)


ROW_FILES = (".jsonl", ".ndjson", ".json", *TABLES, ".parquet", ".xlsx")
READERS = Registry(
    "readers",
    {
        **dict.fromkeys(("", ".txt", ".text", ".md", ".markdown", ".mdx"), Reader()),
        ".jsonl": Reader(lines, None),
        ".ndjson": Reader(lines, None),
        ".json": Reader(document),
        **{ending: Reader(table, cells=True) for ending in TABLES},
        ".parquet": Reader(parquet_rows, None),
        **dict.fromkeys((".xlsx", ".xlsm"), Reader(workbook_rows, None, cells=True)),
        **{ending: _only_text(web_page) for ending in (".html", ".htm", ".xhtml")},
        ".rst": _only_text(restructured_text),
        ".pdf": _only_text(pdf_text),
        ".docx": _only_text(word_text),
        ".xls": _unreadable("save it as .xlsx or .csv"),
        ".ods": _unreadable("save it as .xlsx or .csv"),
        **{
            ending: _unreadable("save it as .docx, .pdf or text")
            for ending in (".doc", ".odt", ".rtf", ".pptx", ".ppt", ".epub", ".pages")
        },
    },
)
"""File ending in lower case (`.jsonl`) -> its reader; `""` reads all other endings."""


def reader_of(file: Path) -> Reader:
    """The reader of the file's ending, without that of its compression."""
    name = Path(file.stem) if file.suffix == ".gz" else file
    return READERS.find(name.suffix.lower()) or READERS[""]
