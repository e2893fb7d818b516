"""Rows of a task, from files, a hub data set or a local copy of one. The door to `datasets`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from bakeoff.core.words import BakeoffError
from bakeoff.spec.functions import load_function, users_code
from bakeoff.spec.task import Source, TaskFile
from bakeoff.tasks.readers import reader_of
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
    return rows


def changed_rows(
    rows: Sequence[Mapping[str, Any]], changes: str, path: Path, file: TaskFile
) -> list[dict[str, Any]]:
    """The rows after a change: some replaced, some gone, new ones behind them."""
    column = file.columns.get("id", "id")
    found = {str(row.get(column, number)): dict(row) for number, row in enumerate(rows, 1)}
    files = sorted(path.parent.glob(changes))
    for number, row in enumerate(_rows(files, path, changes), 1):
        if row.get(column) in (None, ""):
            raise BakeoffError(f"{path}: train.changes row {number}: {column}: must be given")
        name = str(row[column])
        if not row.get("removed"):
            found[name] = row
        elif found.pop(name, None) is None:
            raise BakeoffError(f"{path}: train.changes row {number}: no row '{name}' to remove")
    return list(found.values())


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
    import datasets

    datasets.disable_progress_bars()
    if local:
        options: dict[str, Any] = {}
        if source.format == "text":
            options = {"sample_by": "document", "encoding_errors": "replace"}
        loaded = datasets.load_dataset(
            source.format, data_files=[str(f) for f in local], split="train", **options
        )
    elif source.hub:
        try:
            loaded = datasets.load_dataset(
                source.hub, source.config, split=source.split, revision=source.revision
            )
        except Exception as error:  # the hub client raises many unrelated types
            raise Unavailable(
                f"{path.stem}: '{source.hub}' cannot be loaded from the hub "
                f"({type(error).__name__}); give a folder with a local copy: --data DIR"
            ) from error
    else:
        raise Unavailable(f"{path.stem}: needs --data DIR with {source.local}")
    return [dict(row) for row in loaded]
