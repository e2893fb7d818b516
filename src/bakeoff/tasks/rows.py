"""Rows of a task, from files or a hub data set. The only module that imports `datasets`."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from bakeoff.core.counts import quantity
from bakeoff.core.hints import shown
from bakeoff.core.words import BakeoffError, faults
from bakeoff.spec.functions import load_function, users_code
from bakeoff.spec.task import Source, TaskFile
from bakeoff.spec.yaml_files import prompt_fields
from bakeoff.tasks import beir, chats
from bakeoff.tasks.columns import columns_of, has, listed
from bakeoff.tasks.matching import matching
from bakeoff.tasks.readers import Reading, document, reader_of, table
from bakeoff.tasks.targets import BY_FIELD
from bakeoff.tasks.task import Unavailable


@dataclass(frozen=True)
class Rows:
    """The rows of a split of a task."""

    rows: list[dict[str, object]] = field(default_factory=list)
    columns: Mapping[str, str] = field(default_factory=dict)
    """Our column -> theirs."""
    notes: tuple[str, ...] = ()
    """What reading them had to guess, and what it left out."""
    answered: bool = True
    """Whether they have answers: queries of BEIR have none unless the task says where."""


def test_rows(file: TaskFile, path: Path, data: Path | None, hub: bool) -> Rows:
    """The rows of the task file `path` that are asked. Raises `BakeoffError`, or `Unavailable`."""
    source = file.rows.test
    reading = Reading()
    columns = file.columns if source.columns is None else source.columns
    rows = read_rows(source, path, data, hub, reading, _lists(file, columns))
    read = Rows(rows, columns)
    if source.beir and "targets" not in columns:
        reading.remark("queries of BEIR have no answers: count as unanswerable, for retrieval only")
        read = Rows([{**row, "targets": []} for row in rows], columns, answered=False)
    return _questions(read, file, f"{path}: test", reading)


def train_rows(file: TaskFile, path: Path, data: Path | None, hub: bool, *, before: bool) -> Rows:
    """The rows to train on, none without `rows.train`; `before` those before their change."""
    source = file.rows.train
    if not source:
        return Rows()
    reading = Reading()
    lists = _lists(file, file.columns if source.columns is None else source.columns)
    rows = read_rows(source, path, data, hub, reading, lists)
    columns = source.columns
    if columns is None:
        # Test rows alone may have what training does not need, such as gold documents.
        there = columns_of(rows)
        columns = {
            ours: theirs
            for ours, theirs in file.columns.items()
            if ours in ("question", "targets") or has(theirs, there)
        }
    if source.changes and not before:
        rows = changed_rows(rows, source.changes, path, columns.get("id", "id"), reading, lists)
    if source.beir and "targets" not in columns:
        raise BakeoffError(
            f"{path}: rows.train: queries of BEIR have no answers to train on; name their column: "
            "columns: {targets: metadata.answer}"
        )
    return _questions(Rows(rows, columns), file, f"{path}: train", reading)


def _lists(file: TaskFile, columns: Mapping[str, str]) -> set[str]:
    """The columns whose cells may hold several texts; where JSON is asked for, a list is a text."""
    by_field = any(metric.startswith(BY_FIELD) for metric in file.scorers)
    return {columns.get(name, name) for name in ("gold", *(() if by_field else ("targets",)))}


def _questions(read: Rows, file: TaskFile, where: str, reading: Reading) -> Rows:
    """The rows with what was noted; chats made into questions."""
    rows, columns = read.rows, read.columns
    if chat := chats.column_of(columns_of(rows), columns):
        rows = chats.questions_of(rows, chat, where, reading)
        made = ("question", "targets", "system", "messages")
        columns = {ours: theirs for ours, theirs in columns.items() if ours not in made}
        used = prompt_fields(file.system) | prompt_fields(file.prompt)
        systems = sum(row["system"] not in ("", file.system) for row in rows)
        if systems and "system" not in used:
            reading.remark(
                f"{quantity(systems, 'chat')} with a system turn that the task does not use: "
                "system: '{system}' gives it to the model"
            )
    split = where.rpartition(" ")[2]
    notes = tuple(f"{split} rows: {note}" for note in reading.notes)
    return replace(read, rows=rows, columns=columns, notes=notes)


def read_rows(
    source: Source,
    path: Path,
    data: Path | None,
    hub: bool,
    reading: Reading | None = None,
    lists: Collection[str] = (),
) -> list[dict[str, object]]:
    """The rows of a source of the task file `path`, as they are there or as `adapt` makes them.

    `reading` notes what readers guessed and left out; in the columns `lists`, cells of tables may
    hold several texts, unless there is an `adapt`. Raises `BakeoffError` for files that cannot
    be read, `Unavailable` where there is no copy of a data set.
    """
    stated = reading or Reading()
    reading = replace(stated, encoding=source.encoding or "", sheet=source.sheet or "")
    if source.files:
        rows = list(_rows(source.files, path, reading, () if source.adapt else lists))
    elif source.beir:
        split = source.split if "split" in source.model_fields_set else ""
        rows = list(beir.beir_rows(path.parent / source.beir, split, reading))
    else:
        rows = _data_set(source, path, data, hub, reading)
    if source.adapt:
        function = load_function(source.adapt, path.parent)
        with users_code(source.adapt):
            rows = list(function(rows))
        faults(
            [
                f"{path}: rows: {source.adapt}: row {number}: found {shown(row)}; return mappings "
                "of column to value"
                for number, row in enumerate(rows, 1)
                if not isinstance(row, Mapping)
            ]
        )
    return rows


def changed_rows(
    rows: Sequence[Mapping[str, object]],
    changes: str,
    path: Path,
    column: str,
    reading: Reading,
    lists: Collection[str] = (),
) -> list[dict[str, object]]:
    """The rows after a change: some replaced, some gone, new ones behind them; `column` has ids."""
    by_name: dict[str, dict[str, object]] = {}
    for number, row in enumerate(rows, 1):
        name = id_of(row.get(column), number)
        if name in by_name:
            raise BakeoffError(f"{path}: train row {number} ('{name}'): id occurs twice")
        by_name[name] = dict(row)
    for number, row in enumerate(_rows(changes, path, reading, lists), 1):
        if row.get(column) in (None, ""):
            raise BakeoffError(f"{path}: train.changes row {number}: {column}: must be given")
        name = str(row[column])
        if not row.get("removed"):
            by_name[name] = row
        elif by_name.pop(name, None) is None:
            raise BakeoffError(f"{path}: train.changes row {number}: no row '{name}' to remove")
    return list(by_name.values())


def id_of(value: object, number: int) -> str:
    """The id of the row of a number, which is its id where it has none of its own."""
    return str(number if value is None or not str(value).strip() else value)


def _rows(
    pattern: str, path: Path, reading: Reading, lists: Collection[str]
) -> Iterator[dict[str, object]]:
    for file in matching(pattern, path, f"{path}: rows"):
        reader = reader_of(file)
        for row in reader.rows(file, reading):
            held = {name: listed(row[name]) for name in lists if name in row}
            yield {**row, **held} if reader.cells else row


def _data_set(
    source: Source, path: Path, data: Path | None, hub: bool, reading: Reading
) -> list[dict[str, object]]:
    """Rows of a hub data set, or of a local copy of it where there is one."""
    local = sorted(data.glob(source.local)) if data and source.local else []
    if source.hub and not local and not hub:
        raise Unavailable(path.stem, f"'{source.hub}' is on the hub; give --hub or --data DIR")
    if local:
        read = _LOCAL[source.format]
        return [row for file in local for row in read(file, reading)]
    if source.hub:
        import datasets

        datasets.disable_progress_bars()
        try:
            loaded = datasets.load_dataset(
                source.hub, source.config, split=source.split, revision=source.revision
            )
        except Exception as error:  # the hub client raises many unrelated types
            raise Unavailable(
                path.stem,
                f"'{source.hub}' cannot be loaded from the hub "
                f"({type(error).__name__}); give a folder with a local copy: --data DIR",
            ) from error
        return [dict(row) for row in loaded]
    raise Unavailable(path.stem, f"needs --data DIR with {source.local}")


def _whole_file(file: Path, reading: Reading) -> Iterator[dict[str, object]]:
    encoding = reading.encoding or "utf-8"
    text = file.read_text(encoding, errors="replace")
    # Public data sets have single lines in other encodings; the rest of a file is worth reading.
    if lost := text.count("\N{REPLACEMENT CHARACTER}"):
        reading.remark(
            f"{file.name}: {quantity(lost, 'place')} not {encoding.upper()}, read as \ufffd"
        )
    yield {"text": text}


_LOCAL: Mapping[str, Callable[[Path, Reading], Iterator[dict[str, object]]]] = {
    "json": document,
    "csv": table,
    "text": _whole_file,
}
"""How the local copy of a data set is read, by its `format`."""
