"""Rows of a Parquet file. The door to `pyarrow`."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from bakeoff.core.words import BakeoffError
from bakeoff.tasks.formats.decoding import Reading


def parquet_rows(file: Path, _: Reading) -> Iterator[dict[str, object]]:
    """The rows, lists and structures as in JSON. Raises `BakeoffError` for a damaged file."""
    from pyarrow import ArrowException
    from pyarrow.parquet import ParquetFile

    try:
        with ParquetFile(file) as table:
            for batch in table.iter_batches():
                yield from batch.to_pylist()
    except (ArrowException, OSError) as error:
        reason = " ".join(str(error).split())[:200]
        raise BakeoffError(f"{file}: cannot be read as Parquet: {reason}") from error
