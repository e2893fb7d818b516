"""What a person has: questions, documents and training rows, as they were understood."""

from __future__ import annotations

import glob
import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import quantiles
from typing import Any

from bakeoff.core.scripts import words
from bakeoff.core.strict_json import loads
from bakeoff.core.words import BakeoffError, Sample, faults
from bakeoff.spec.task import TaskFile
from bakeoff.tasks.inspection import Rows, inspect_rows
from bakeoff.tasks.library import FORMATS, Library, inspect_documents
from bakeoff.tasks.overlap import near_duplicates
from bakeoff.tasks.rows import test_rows, train_rows
from bakeoff.tasks.samples import samples_of

LABELS = 20
"""Different answers at most that are taken for the labels of a classification."""
ROWS_A_LABEL = 5
"""Rows at least for each of them, on average."""
SHORT = 8
"""Words of an answer up to which the target is looked for in the model's answer."""
FIELDS = ("question", "targets", "id", "gold", "cluster")
GENERIC = ("questions", "question", "test", "data", "rows", "qa", "eval", "train", "dev")


@dataclass(frozen=True)
class Given:
    """What a person names."""

    questions: Path
    documents: Path | None = None
    training: Path | None = None
    columns: Mapping[str, str] | None = None
    """Our field -> the column that holds it, where a guess would be wrong."""


@dataclass(frozen=True)
class Understood:
    """What is in it."""

    questions: Rows
    documents: Library | None
    training: Rows | None
    mapping: Mapping[str, str]
    """What `columns:` of the task file holds."""
    samples: Sequence[Sample]
    train: Sequence[Sample]
    repeated: int
    """Training rows that (nearly) repeat a test row."""

    @property
    def targets(self) -> list[str]:
        """All texts that a right answer may be."""
        return [target for row in (*self.samples, *self.train) for target in row.targets]

    @property
    def unanswerable(self) -> bool:
        """Whether some question says that it has no answer."""
        return any(not row.answerable for row in (*self.samples, *self.train))

    @property
    def labels(self) -> tuple[str, ...]:
        """The labels of a classification; none where the answers are too many or too different."""
        known = sorted(set(self.targets))
        one_each = all(len(row.targets) == 1 for row in (*self.samples, *self.train))
        few = 2 <= len(known) <= LABELS and len(self.targets) >= ROWS_A_LABEL * len(known)
        return tuple(known) if one_each and few and not self.unanswerable else ()

    @property
    def json(self) -> bool:
        """Whether every answer is a JSON object."""
        return bool(self.targets) and all(map(_is_object, self.targets))

    @property
    def answer_words(self) -> float:
        """Words of a long answer: nine of ten have no more."""
        counts = [len(words(target)) for target in self.targets]
        return quantiles(counts, n=10)[-1] if len(counts) > 1 else float(sum(counts))

    @property
    def gold(self) -> bool:
        """Whether questions name the documents that hold their answers."""
        return any(row.gold for row in self.samples)

    @property
    def system(self) -> str:
        """The system turn of chat rows; empty where there is none, or not one for all."""
        turns = {rows.system for rows in (self.questions, self.training) if rows and rows.system}
        return "" if len(turns) != 1 or "{system}" in turns else turns.pop()


def understand(given: Given) -> Understood:
    """What is in the files. Raises `BakeoffError` for what cannot be read, or lacks a column."""
    faults(
        [f"{row}: lies among the documents of {given.documents}; move it" for row in _among(given)]
    )
    documents = inspect_documents(given.documents) if given.documents else None
    names = documents.names if documents else ()
    questions = inspect_rows(given.questions, names)
    training = inspect_rows(given.training, names) if given.training else None
    mapping = _mapping(questions, given.columns or {})
    if training:
        _mapping(training, {})
    parts = rows_part(questions, training, mapping, given.questions.parent)
    file = TaskFile.model_validate({**_LEAST, "rows": parts, "columns": mapping})
    problems: list[str] = []
    asked = test_rows(file, given.questions, None, hub=False)
    taught = train_rows(file, given.questions, None, hub=False, before=False)
    samples = samples_of(asked, file, f"{given.questions}:", problems)
    train = samples_of(taught, file, f"{given.training}:", problems) if training else []
    faults(problems)
    repeats = near_duplicates(
        {row.id: row.question for row in samples}, {row.id: row.question for row in train}
    )
    return Understood(questions, documents, training, mapping, samples, train, len(repeats))


def _among(given: Given) -> list[Path]:
    """Files of rows that the globs of documents would catch, too."""
    folder = given.documents
    rows = [path for path in (given.questions, given.training) if path]
    if folder is None or not folder.is_dir():
        return []
    inside = [path for path in rows if path.resolve().is_relative_to(folder.resolve())]
    return [path for path in inside if path.suffix.lower() in FORMATS]


_LEAST = {"description": "-", "refusal": {"say": "unknown"}, "scorers": ["contains"]}


def rows_part(
    questions: Rows, training: Rows | None, mapping: Mapping[str, str], folder: Path
) -> dict[str, Any]:
    """What `rows:` of a task file in `folder` holds."""
    parts: dict[str, Any] = {"test": _source(questions, folder)}
    if training is None:
        return parts
    source = _source(training, folder)
    there = {column.name for column in training.columns}
    same = {field: column for field, column in mapping.items() if column in there}
    if not training.format.startswith("chat") and same != training.mapping:
        plain = {"files": source} if isinstance(source, str) else source
        source = {**plain, "columns": dict(training.mapping)}
    return {**parts, "train": source}


def _source(rows: Rows, folder: Path) -> str | dict[str, Any]:
    path = relative(rows.path, folder)
    return path if isinstance(rows.source, str) else {**rows.source, "files": path}


def relative(path: Path, folder: Path) -> str:
    """A path as a glob that a file in `folder` names it by."""
    return glob.escape(Path(os.path.relpath(path, folder)).as_posix())


def _mapping(rows: Rows, chosen: Mapping[str, str]) -> dict[str, str]:
    """Our field -> the column, of what is called otherwise; those that were chosen come first."""
    there = [column.name for column in rows.columns]
    if odd := [name for name in chosen if name not in FIELDS]:
        raise BakeoffError(f"--column {odd[0]}: no such field; known: {', '.join(FIELDS)}")
    if missing := [name for name in rows.missing if name not in chosen]:
        raise BakeoffError(
            f"{rows.path}: no column looks like {' and '.join(missing)}; name it: "
            + " ".join(f"--column {name}=COLUMN" for name in missing)
            + f" (columns: {', '.join(there)})"
        )
    if unknown := [column for column in chosen.values() if column.split(".")[0] not in there]:
        raise BakeoffError(
            f"{rows.path}: no column '{unknown[0]}'; its columns are {', '.join(there)}"
        )
    taken = set(chosen.values())
    guessed = {field: column for field, column in rows.mapping.items() if column not in taken}
    return {**guessed, **{field: c for field, c in chosen.items() if c != field}}


def _is_object(text: str) -> bool:
    try:
        return isinstance(loads(text), dict)
    except ValueError:
        return False


def name_for(given: Given) -> str:
    """A name for the task, of its file of questions, of its documents, or of this folder."""
    places = [given.questions.stem, given.documents.name if given.documents else ""]
    named = [text for text in places if text and text.casefold() not in GENERIC]
    return slug(next(iter([*named, Path.cwd().name])))


def slug(text: str) -> str:
    """A text as the name of a task: letters, digits and underscores, no digit first."""
    plain = re.sub(r"\W+", "_", text.casefold()).strip("_")
    return plain if plain.isidentifier() else f"task_{plain}".rstrip("_")
