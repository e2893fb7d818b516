"""What a folder of documents holds, understood without a task file."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path

from bakeoff.core.scripts import words
from bakeoff.core.words import BakeoffError
from bakeoff.spec.task import CorpusFile
from bakeoff.tasks.documents import documents_of, with_text
from bakeoff.tasks.readers import Reading

FORMATS = {
    **dict.fromkeys((".md", ".markdown", ".mdx"), "Markdown"),
    **dict.fromkeys((".txt", ".text"), "text"),
    **dict.fromkeys((".html", ".htm", ".xhtml"), "HTML"),
    ".rst": "reStructuredText",
    ".pdf": "PDF",
    ".docx": "DOCX",
    **dict.fromkeys((".jsonl", ".ndjson"), "JSON Lines"),
    ".parquet": "Parquet",
}
"""Ending of files that hold documents -> what the format is called."""


@dataclass(frozen=True)
class Library:
    """Documents as they are understood."""

    folder: Path
    patterns: tuple[str, ...]
    """Globs, relative to the folder, of what can be read."""
    formats: Mapping[str, int]
    """Format -> files."""
    ids: tuple[str, ...]
    """Of those that have text."""
    names: tuple[str, ...]
    """By which rows may name the documents, with text or without: ids and file names."""
    words: int
    notes: tuple[str, ...]
    """What reading had to guess, and what it left out."""


def inspect_documents(place: Path) -> Library:
    """What is in a folder of documents, or in one file of them.

    Files in formats that hold no documents are left out and counted. Raises `BakeoffError` listing
    the files that cannot be read, or saying what is there where none holds documents.
    """
    if not place.exists():
        raise BakeoffError(f"{place}: no such folder or file")
    files = [place] if place.is_file() else sorted(_files(place))
    folder = place.parent if place.is_file() else place
    known = [file for file in files if file.suffix.lower() in FORMATS]
    if not known:
        there = Counter(file.suffix for file in files)
        endings = ", ".join(f"{ending or 'no ending'} ({n})" for ending, n in there.most_common(5))
        raise BakeoffError(
            f"{place}: no documents; there are {endings or 'no files'}; documents are "
            f"{', '.join(ending for ending in FORMATS if ending)}"
        )
    patterns = (place.name,) if place.is_file() else _patterns(known, folder)
    reading = Reading()
    corpus = CorpusFile(documents=patterns)
    made = documents_of(corpus, folder / "task.yaml", (), (), reading, changed=False)
    for file in files:
        if file not in known:
            reading.dropped[f"{file.suffix.lower() or 'other'} files"] += 1
    every = (document.id for document in made)
    return Library(
        folder=folder,
        patterns=patterns,
        formats=Counter(FORMATS[file.suffix.lower()] for file in known),
        ids=tuple(document.id for document in with_text(made)),
        names=tuple(dict.fromkeys((*every, *(file.name for file in known)))),
        words=sum(len(words(document.text)) for document in made),
        notes=tuple(reading.notes),
    )


def _files(folder: Path) -> list[Path]:
    """All files below, without hidden ones and what is in hidden folders."""
    return [
        file
        for file in folder.rglob("*")
        if file.is_file()
        and not any(part.startswith((".", "~$")) for part in file.relative_to(folder).parts)
    ]


def _patterns(files: Collection[Path], folder: Path) -> tuple[str, ...]:
    """A glob for each ending: of the folder alone where no file is deeper."""
    deep = {file.suffix for file in files if file.parent != folder}
    endings = sorted({file.suffix for file in files})
    return tuple(f"{'**/' if ending in deep else ''}*{ending}" for ending in endings)
