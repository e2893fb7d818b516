"""Rows of another tool's JSON Lines, JSON and CSV files, streamed, and what is wrong with them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from bakeoff.running.importing.fields import Fields, find
from bakeoff.tasks.formats.delimited import TABLES, csv_rows
from bakeoff.tasks.formats.json_rows import Row, is_json_list, json_lines, json_list

LINES = (".jsonl", ".ndjson", ".json")


def read_rows(file: Path, taken: Fields) -> Iterator[Row]:
    """The rows of a file, streamed. Raises `BakeoffError` for what is no such file at all."""

    def pick(whole: Any) -> Any:
        return find(whole, taken.rows) if taken.rows and isinstance(whole, dict) else whole

    def missing(header: Sequence[str]) -> list[str]:
        known = ", ".join(header) or "nothing"
        return [
            f"{name}: no column '{path}'; found {known}"
            for name, path in taken.places.items()
            if path not in header and name not in taken.optional
        ]

    if file.suffix.lower() in TABLES:
        yield from csv_rows(file, missing)
    elif file.suffix.lower() == ".json" and (taken.rows or is_json_list(file)):
        yield from json_list(file, pick, f"at '{taken.rows}'" if taken.rows else "in it")
    else:
        yield from json_lines(file)
