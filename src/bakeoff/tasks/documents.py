"""The documents that a task is about, before and after a change."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Mapping, Sequence
from itertools import takewhile
from pathlib import Path
from typing import Any

from bakeoff.core.hints import shown
from bakeoff.core.words import BakeoffError, Document, Sample, digest
from bakeoff.spec.functions import load_function, users_code
from bakeoff.spec.task import CorpusFile
from bakeoff.tasks.readers import Reading, reader_of


def corpus_digest(documents: Sequence[Document]) -> str:
    """Changes when any document's id or text does."""
    return digest([[d.id, d.text] for d in documents])


def documents_of(
    corpus: CorpusFile,
    path: Path,
    train: Sequence[Sample],
    brought: Sequence[object],
    *,
    changed: bool,
) -> tuple[Document, ...]:
    """The documents; `brought` are those that the rows themselves bring."""
    patterns = [pattern for pattern in (corpus.documents, corpus.changes) if pattern]
    by_path = _ambiguous(patterns, path)
    if corpus.documents:
        texts = _files(corpus.documents, path, by_path)
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
        later = _files(corpus.changes, path, by_path) if corpus.changes else {}
        if corpus.changes and not later:
            raise BakeoffError(f"changes: no file matches '{corpus.changes}'")
        if both := sorted(set(corpus.removed) & set(later)):
            raise BakeoffError(f"removed: '{both[0]}' stands among the changes as well")
        texts = {k: v for k, v in {**texts, **later}.items() if k not in corpus.removed}
    return tuple(Document(name, text) for name, text in sorted(texts.items()))


def _mapping(documents: Any) -> dict[str, str]:
    """Documents that rows or a function of the user's bring: id -> text."""
    if not isinstance(documents, Mapping):
        raise BakeoffError(f"documents must map ids to texts, found {shown(documents)}")
    for name, text in documents.items():
        if not (isinstance(name, str) and isinstance(text, str)):
            raise BakeoffError(f"documents must map ids to texts, found {shown({name: text})}")
    return dict(documents)


def _files(pattern: str, path: Path, by_path: Collection[str]) -> dict[str, str]:
    """Texts by the stem of their file; of a stem in `by_path`, by the path below the glob's folder.

    That path has its ending where two files differ in nothing else.
    """
    fixed = takewhile(lambda part: not _WILD & set(part), Path(pattern).parts[:-1])
    root = path.parent.joinpath(*fixed)
    names: dict[str, list[Path]] = defaultdict(list)
    for file in _matching(pattern, path):
        below = file.relative_to(root).with_suffix("").as_posix()
        names[below if file.stem in by_path else file.stem].append(file)
    return {
        name if len(files) == 1 else f"{name}{file.suffix}": reader_of(file).text(file, Reading())
        for name, files in names.items()
        for file in files
    }


_WILD = set("*?[")


def _ambiguous(patterns: Sequence[str], path: Path) -> frozenset[str]:
    """Stems that several files of one pattern have."""
    counts = [Counter(file.stem for file in _matching(pattern, path)) for pattern in patterns]
    return frozenset(stem for count in counts for stem, n in count.items() if n > 1)


def _matching(pattern: str, path: Path) -> list[Path]:
    return sorted(file for file in path.parent.glob(pattern) if not file.is_dir())
