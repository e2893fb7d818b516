"""The documents that a task is about, before and after a change."""

from __future__ import annotations

import os
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bakeoff.core.hints import shown
from bakeoff.core.words import BakeoffError, Document, Sample, digest, faults
from bakeoff.spec.functions import load_function, users_code
from bakeoff.spec.task import CorpusFile
from bakeoff.tasks.document_rows import documents_in
from bakeoff.tasks.matching import NO_TEXT, fixed_folder, matching
from bakeoff.tasks.readers import ROW_FILES, Reading, reader_of


def corpus_digest(documents: Sequence[Document]) -> str:
    """Changes when any document's id or text does."""
    return digest([[d.id, d.text] for d in documents])


def documents_of(
    corpus: CorpusFile,
    path: Path,
    train: Sequence[Sample],
    brought: Sequence[object],
    reading: Reading,
    *,
    changed: bool,
) -> tuple[Document, ...]:
    """The documents; `brought` are those that the rows themselves bring.

    `reading` counts what readers leave out. Raises `BakeoffError` if there is nothing to search.
    """
    groups = {"documents": globs(corpus.documents), "changes": globs(corpus.changes)}
    files = {name: _matching(patterns, path, name) for name, patterns in groups.items()}
    by_path = _ambiguous(files.values())
    if corpus.documents:
        texts = _texts(files["documents"], corpus, by_path, reading)
    elif corpus.examples:
        texts = {s.id: f"{s.question}\n=> {s.targets[0]}" for s in train if s.targets}
    elif corpus.rows:
        texts = {k: v for part in brought for k, v in _mapping(part or {}).items()}
    else:
        assert corpus.call
        function = load_function(corpus.call, path.parent)
        with users_code(corpus.call):
            made = function()
        texts = _mapping(made)
    if not texts:
        raise BakeoffError("no documents found")
    if not any(text.strip() for text in texts.values()):
        raise BakeoffError(f"nothing to search: all documents are blank ({len(texts)})")
    if changed:
        if unknown := sorted(set(corpus.removed) - set(texts)):
            raise BakeoffError(f"removed: no document '{unknown[0]}'")
        later = _texts(files["changes"], corpus, by_path, reading)
        if both := sorted(set(corpus.removed) & set(later)):
            raise BakeoffError(f"removed: '{both[0]}' is among the changes as well")
        texts = {k: v for k, v in {**texts, **later}.items() if k not in corpus.removed}
    return tuple(Document(name, text) for name, text in sorted(texts.items()))


def with_text(documents: Iterable[Document]) -> list[Document]:
    """Those that can be found. The others are of the corpus, too: rows may name them as gold."""
    return [document for document in documents if document.text.strip()]


def globs(patterns: str | Sequence[str] | None) -> tuple[str, ...]:
    """One or several patterns as several."""
    return (patterns,) if isinstance(patterns, str) else tuple(patterns or ())


def _mapping(documents: Any) -> dict[str, str]:
    """Documents that rows or a function of the user's bring: id -> text."""
    if not isinstance(documents, Mapping):
        raise BakeoffError(f"documents must map ids to texts, found {shown(documents)}")
    for name, text in documents.items():
        if not (isinstance(name, str) and isinstance(text, str)):
            raise BakeoffError(f"documents must map ids to texts, found {shown({name: text})}")
    return dict(documents)


@dataclass(frozen=True)
class _Files:
    """The files of some patterns, and the folder that all of them are in."""

    folder: Path
    files: tuple[Path, ...]


def _matching(patterns: Sequence[str], path: Path, field: str) -> _Files:
    if not patterns:
        return _Files(path.parent, ())
    folders = [fixed_folder(pattern, path).resolve() for pattern in patterns]
    files = {file.resolve(): file for p in patterns for file in matching(p, path, field)}
    return _Files(Path(os.path.commonpath(folders)), tuple(files[file] for file in sorted(files)))


def _ambiguous(groups: Iterable[_Files]) -> frozenset[str]:
    """Stems that several files of one group have."""
    counts = [Counter(file.stem for file in group.files) for group in groups]
    return frozenset(stem for count in counts for stem, n in count.items() if n > 1)


def _texts(
    group: _Files, corpus: CorpusFile, by_path: Collection[str], reading: Reading
) -> dict[str, str]:
    """Texts by the stem of their file; of a stem in `by_path`, by the path below the folder.

    That path has its ending where two files differ in nothing else. Documents in rows have ids of
    their own.
    """
    reading = reading.stating(corpus.encoding or "")
    names: dict[str, list[Path]] = defaultdict(list)
    for file in group.files:
        if file.suffix.lower() in NO_TEXT:
            reading.dropped[f"{file.suffix.lower()} files"] += 1
            continue
        below = file.resolve().relative_to(group.folder).with_suffix("").as_posix()
        names[below if file.stem in by_path else file.stem].append(file)
    texts: dict[str, str] = {}
    problems: list[str] = []
    for name, files in names.items():
        for file in files:
            own = name if len(files) == 1 else f"{name}{file.suffix}"
            try:
                for key, text in _read(file, own, corpus, reading):
                    if key in texts:
                        problems.append(f"{file}: the id '{key}' occurs twice")
                    texts[key] = text
            except BakeoffError as error:
                problems.append(str(error))
    faults(problems)
    return texts


def _read(file: Path, name: str, corpus: CorpusFile, reading: Reading) -> Iterable[tuple[str, str]]:
    """The ids and texts of the documents in a file."""
    reader = reader_of(file)
    if reader.text is None or (corpus.columns and file.suffix.lower() in ROW_FILES):
        return documents_in(file, corpus.columns or {}, reading)
    text = reader.text(file, reading)
    if not text.strip():
        reading.leave_out("documents without text", file.name)
    return [(name, text)]
