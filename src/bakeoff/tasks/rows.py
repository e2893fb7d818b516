"""Rows of a task, from files, a hub data set or a local copy of one. The door to `datasets`."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from bakeoff.core.hints import shown
from bakeoff.core.words import BakeoffError, faults
from bakeoff.spec.functions import load_function, users_code
from bakeoff.spec.task import Source, TaskFile
from bakeoff.tasks.readers import json_document, reader_of, table
from bakeoff.tasks.task import Unavailable


def read_rows(source: Source, path: Path, data: Path | None, hub: bool) -> list[dict[str, Any]]:
    if source.files:
        rows = list(_rows(sorted(path.parent.glob(source.files)), path, source.files))
    else:
        rows = _data_set(source, path, data, hub)
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
    rows: Sequence[Mapping[str, Any]], changes: str, path: Path, file: TaskFile
) -> list[dict[str, Any]]:
    """The rows after a change: some replaced, some gone, new ones behind them."""
    column = file.columns.get("id", "id")
    by_name = {str(row.get(column, number)): dict(row) for number, row in enumerate(rows, 1)}
    files = sorted(path.parent.glob(changes))
    for number, row in enumerate(_rows(files, path, changes), 1):
        if row.get(column) in (None, ""):
            raise BakeoffError(f"{path}: train.changes row {number}: {column}: must be given")
        name = str(row[column])
        if not row.get("removed"):
            by_name[name] = row
        elif by_name.pop(name, None) is None:
            raise BakeoffError(f"{path}: train.changes row {number}: no row '{name}' to remove")
    return list(by_name.values())


def _rows(files: Sequence[Path], path: Path, pattern: str) -> Iterator[dict[str, Any]]:
    if not files:
        raise BakeoffError(f"{path}: rows: no file matches '{pattern}'")
    for file in files:
        yield from reader_of(file).rows(file)


def _data_set(source: Source, path: Path, data: Path | None, hub: bool) -> list[dict[str, Any]]:
    """Rows of a hub data set, or of a local copy of it where there is one."""
    local = sorted(data.glob(source.local)) if data and source.local else []
    if source.hub and not local and not hub:
        raise Unavailable(f"{path.stem}: '{source.hub}' is on the hub; give --hub or --data DIR")
    if local:
        read = _LOCAL[source.format]
        return [row for file in local for row in read(file)]
    if source.hub:
        import datasets

        datasets.disable_progress_bars()
        try:
            loaded = datasets.load_dataset(
                source.hub, source.config, split=source.split, revision=source.revision
            )
        except Exception as error:  # the hub client raises many unrelated types
            raise Unavailable(
                f"{path.stem}: '{source.hub}' cannot be loaded from the hub "
                f"({type(error).__name__}); give a folder with a local copy: --data DIR"
            ) from error
        return [dict(row) for row in loaded]
    raise Unavailable(f"{path.stem}: needs --data DIR with {source.local}")


def _whole_file(file: Path) -> Iterator[dict[str, Any]]:
    yield {"text": file.read_text(encoding="utf-8", errors="replace")}


_LOCAL: Mapping[str, Callable[[Path], Iterator[dict[str, Any]]]] = {
    "json": json_document,
    "csv": table,
    "text": _whole_file,
}
"""How the local copy of a data set is read, by its `format`."""
