"""Documents as rows: a JSON Lines corpus, a table, Parquet."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from bakeoff.core.hints import shown
from bakeoff.core.words import BakeoffError, faults
from bakeoff.tasks.columns import Getter, columns_of, getter, has
from bakeoff.tasks.readers import Reading, reader_of

COLUMNS: Mapping[str, tuple[str, ...]] = {
    "id": ("id", "_id", "doc_id", "docid", "document_id"),
    "title": ("title", "headline"),
    "text": ("text", "contents", "content", "body", "passage"),
}
"""What a document needs -> columns that hold it where the task maps none."""


def documents_in(
    file: Path, columns: Mapping[str, str], reading: Reading
) -> Iterator[tuple[str, str]]:
    """Id and text of a file's documents, the title in front as a heading.

    Without a column of ids, they are numbered (`corpus/1`). Raises `BakeoffError` for rows that
    are no documents.
    """
    rows = list(reader_of(file).rows(file, reading))
    if not rows:
        raise BakeoffError(f"{file}: no rows")
    places = _places(file, columns, columns_of(rows))
    problems = []
    for number, row in enumerate(rows, 1):
        named = places.id(row) if places.id else f"{file.stem}/{number}"
        text = places.text(row)
        title = places.title(row) if places.title else None
        if named in (None, "") or not isinstance(named, str | int):
            problems.append(f"{file}: row {number}: id: found {shown(named)}; a document has one")
        elif text is not None and not isinstance(text, str):
            problems.append(f"{file}: row {number}: text: must be a text, found {shown(text)}")
        elif not text or not text.strip():
            reading.leave_out("documents without text", str(named))
        else:
            yield str(named), f"# {title}\n\n{text}" if title else text
    faults(problems)


@dataclass(frozen=True)
class _Places:
    """How the parts of a document are taken out of a row."""

    text: Getter
    title: Getter | None = None
    id: Getter | None = None


def _places(file: Path, columns: Mapping[str, str], there: Sequence[str]) -> _Places:
    """Raises `BakeoffError` if there is no text."""
    places: dict[str, Getter] = {}
    for ours, theirs in columns.items():
        try:
            places[ours] = getter(theirs, there)
        except BakeoffError as error:
            names = ", ".join(there)
            raise BakeoffError(f"{file}: columns: {ours}: {error}; they have {names}") from error
    for ours, likely in COLUMNS.items():
        for name in likely:
            if ours not in places and has(name, there):
                places[ours] = getter(name, there)
    if "text" not in places:
        raise BakeoffError(
            f"{file}: no row has a column 'text'; they have {', '.join(there)}; for a document a "
            "row, name them with columns: {text: NAME, id: NAME}"
        )
    return _Places(**places)
