"""What a person has: questions, documents and training rows, as they were understood."""

from __future__ import annotations

import glob
import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import quantiles

from bakeoff.core.scripts import words
from bakeoff.core.strict_json import loads
from bakeoff.core.words import BakeoffError, Sample, faults
from bakeoff.spec.task import TaskFile
from bakeoff.tasks.columns import has
from bakeoff.tasks.formats.workbook import filled_sheets
from bakeoff.tasks.inspection import Rows, inspect_rows, is_workbook
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
    columns: Sequence[tuple[str, str]] = ()
    """(our field, the column that holds it) where a guess would be wrong; of every file that has
    such a column; an empty one: no column holds it."""
    sheets: Mapping[str, str] = field(default_factory=dict)
    """`questions`, `training` -> the sheet of a workbook that has several."""


@dataclass(frozen=True)
class Understood:
    """What is in it."""

    questions: Rows
    documents: Library | None
    training: Rows | None
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
    parts = _parts(given, documents.names if documents else ())
    for part in parts.values():
        _require_columns(part)
    questions, training = parts["questions"], parts.get("training")
    file = TaskFile.model_validate(
        {
            **_LEAST,
            "rows": rows_part(questions, training, given.questions.parent),
            "columns": questions.mapping,
        }
    )
    problems: list[str] = []
    asked = test_rows(file, given.questions, None, hub=False)
    taught = train_rows(file, given.questions, None, hub=False, before=False)
    samples = samples_of(asked, file, f"{given.questions}:", problems)
    train = samples_of(taught, file, f"{given.training}:", problems) if training else []
    faults(problems)
    repeats = near_duplicates(
        {row.id: row.question for row in samples}, {row.id: row.question for row in train}
    )
    if train and len(repeats) == len(train):
        raise BakeoffError(
            f"{given.training}: every row repeats a question of {given.questions}, and what is "
            "tested must not be trained on; name other rows, or leave --training out"
        )
    return Understood(questions, documents, training, samples, train, len(repeats))


def _parts(given: Given, names: Sequence[str]) -> dict[str, Rows]:
    """`questions` and `training` as they are understood, with the columns that were named."""
    files = {"questions": given.questions, "training": given.training}
    faults(
        [
            f"--sheet {name}=...: write questions=SHEET or training=SHEET"
            for name in given.sheets
            if name not in files
        ]
    )
    parts = {
        name: inspect_rows(path, names, sheet=_sheet(path, name, given.sheets.get(name, "")))
        for name, path in files.items()
        if path
    }
    return _taking(parts, given.columns)


def _sheet(path: Path, name: str, named: str) -> str:
    """The sheet that rows are read from; empty where there is no choice."""
    if named and not is_workbook(path):
        raise BakeoffError(f"--sheet {name}={named}: {path} is not a workbook")
    if not named and len(several := sheets_of(path)) > 1:
        raise BakeoffError(
            f"{path}: several sheets ({', '.join(several)}); name one: --sheet {name}=SHEET"
        )
    return named


def sheets_of(path: Path) -> list[str]:
    """The sheets of a workbook that hold something; none of another file."""
    return filled_sheets(path) if path.is_file() and is_workbook(path) else []


def _taking(parts: Mapping[str, Rows], named: Sequence[tuple[str, str]]) -> dict[str, Rows]:
    """The parts, each with the named columns that it has."""
    if odd := [ours for ours, _ in named if ours not in FIELDS]:
        raise BakeoffError(f"--column {odd[0]}: no such field; known: {', '.join(FIELDS)}")
    there = {name: [column.name for column in rows.columns] for name, rows in parts.items()}
    for ours, theirs in named:
        if theirs and not any(has(theirs, columns) for columns in there.values()):
            known = "; ".join(
                f"{rows.path} has {', '.join(there[name])}" for name, rows in parts.items()
            )
            raise BakeoffError(f"--column {ours}={theirs}: no column '{theirs}'; {known}")
    return {
        name: rows.taking({o: c for o, c in named if not c or has(c, there[name])})
        for name, rows in parts.items()
    }


def _among(given: Given) -> list[Path]:
    """Files of rows that the globs of documents would catch, too."""
    folder = given.documents
    rows = [path for path in (given.questions, given.training) if path]
    if folder is None or not folder.is_dir():
        return []
    inside = [path for path in rows if path.resolve().is_relative_to(folder.resolve())]
    return [path for path in inside if path.suffix.lower() in FORMATS]


_LEAST = {"description": "-", "refusal": {"say": "unknown"}, "scorers": ["contains"]}


def rows_part(questions: Rows, training: Rows | None, folder: Path) -> dict[str, object]:
    """What `rows:` of a task file in `folder` holds."""
    parts: dict[str, object] = {"test": _source(questions, folder)}
    if training is None:
        return parts
    source = _source(training, folder)
    there = [column.name for column in training.columns]
    taken_over = {
        ours: theirs
        for ours, theirs in questions.mapping.items()
        if ours in ("question", "targets") or has(theirs, there)
    }
    if not training.format.startswith("chat") and training.mapping != taken_over:
        plain = {"files": source} if isinstance(source, str) else source
        source = {**plain, "columns": training.mapping}
    return {**parts, "train": source}


def _source(rows: Rows, folder: Path) -> str | dict[str, object]:
    path = relative(rows.path, folder)
    return path if isinstance(rows.source, str) else {**rows.source, "files": path}


def relative(path: Path, folder: Path) -> str:
    """A path as a glob that a file in `folder` names it by."""
    return glob.escape(Path(os.path.relpath(path, folder)).as_posix())


def _require_columns(rows: Rows) -> None:
    """Raise `BakeoffError` where no column holds questions or answers."""
    if not rows.missing:
        return
    columns = ", ".join(column.name for column in rows.columns)
    if len(rows.untaken) < len(rows.missing):
        wanted = " and ".join(_MEANING[name] for name in rows.missing)
        raise BakeoffError(
            f"{rows.path}: no column of {wanted} (columns: {columns}); add one, with an empty cell "
            "where a question has no answer"
        )
    raise BakeoffError(
        f"{rows.path}: no column looks like {' and '.join(rows.missing)}; name it: "
        + " ".join(f"--column {name}=COLUMN" for name in rows.missing)
        + f" (columns: {columns})"
    )


_MEANING = {"question": "questions", "targets": "right answers"}


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
    """A text as the name of a task: small letters, digits and underscores, no digit first."""
    plain = re.sub(r"\W+", "_", text.casefold()).strip("_")
    return plain if plain.isidentifier() else f"task_{plain}".rstrip("_")
