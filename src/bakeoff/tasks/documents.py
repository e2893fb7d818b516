"""The documents that a task is about, before and after a change."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from bakeoff.core.words import BakeoffError, Document, Sample, digest
from bakeoff.spec.functions import load_function, users_code
from bakeoff.spec.task import CorpusFile
from bakeoff.tasks.readers import reader_of


def corpus_digest(documents: Sequence[Document]) -> str:
    """Changes when any document's id or text does."""
    return digest([[d.id, d.text] for d in documents])


def documents_of(
    corpus: CorpusFile,
    path: Path,
    train: Sequence[Sample],
    raw: Sequence[Mapping[str, Any]],
    *,
    changed: bool,
) -> tuple[Document, ...]:
    if corpus.documents:
        texts = _files(corpus.documents, path)
    elif corpus.examples:
        texts = {s.id: f"{s.question}\n=> {s.targets[0]}" for s in train if s.targets}
    elif corpus.rows:
        texts = {k: v for row in raw for k, v in (row.get("documents") or {}).items()}
    else:
        assert corpus.call
        function = load_function(corpus.call, path.parent)
        with users_code(corpus.call):
            texts = dict(function())
    if not texts:
        raise BakeoffError("no documents found")
    if changed:
        if unknown := sorted(set(corpus.removed) - set(texts)):
            raise BakeoffError(f"removed: no document '{unknown[0]}'")
        later = _files(corpus.changes, path) if corpus.changes else {}
        if corpus.changes and not later:
            raise BakeoffError(f"changes: no file matches '{corpus.changes}'")
        if both := sorted(set(corpus.removed) & set(later)):
            raise BakeoffError(f"removed: '{both[0]}' stands among the changes as well")
        texts = {k: v for k, v in {**texts, **later}.items() if k not in corpus.removed}
    return tuple(Document(name, text) for name, text in sorted(texts.items()))


def _files(pattern: str, path: Path) -> dict[str, str]:
    """Texts by the stem of their file."""
    files = sorted(path.parent.glob(pattern))
    texts = {f.stem: reader_of(f).text(f) for f in files}
    if len(texts) < len(files):
        raise BakeoffError(f"'{pattern}': two files share a name")
    return texts
