"""Samples made of rows, and what is wrong with them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from bakeoff.core.words import Sample
from bakeoff.spec.task import TaskFile
from bakeoff.spec.yaml_files import prompt_fields


def samples_of(
    rows: Iterable[Mapping[str, Any]], file: TaskFile, where: str, problems: list[str]
) -> list[Sample]:
    samples: list[Sample] = []
    seen: set[str] = set()
    wanted = prompt_fields(file.prompt) | prompt_fields(file.system)
    for number, row in enumerate(rows, 1):
        renamed = {**row, **{ours: row.get(theirs) for ours, theirs in file.columns.items()}}
        identity = str(number if renamed.get("id") in (None, "") else renamed["id"])
        place = f"{where} row {number} ('{identity}')"
        if identity in seen:
            problems.append(f"{place}: id stands twice")
        seen.add(identity)
        if not isinstance(renamed.get("question"), str) or not renamed["question"].strip():
            problems.append(f"{place}: question: must be a text, found {renamed.get('question')!r}")
            continue
        fields = {k: str(v) for k, v in renamed.items() if isinstance(v, str | int | float)}
        if missing := sorted(wanted - set(fields)):
            problems.append(f"{place}: the prompt uses {missing}, which the row does not have")
        sample = Sample(
            id=identity,
            fields=fields,
            targets=_texts(renamed, "targets", place, problems),
            gold=_texts(renamed, "gold", place, problems),
            cluster=str(renamed.get("cluster") or ""),
            tags=_tags(renamed, place, problems),
        )
        if not sample.targets and not file.refusal:
            problems.append(f"{place}: targets: empty, and the task has no refusal for that")
        if file.labels and (odd := sorted(set(sample.targets) - set(file.labels))):
            problems.append(f"{place}: targets: {odd} are none of the task's labels")
        samples.append(sample)
    if not samples:
        problems.append(f"{where}: no rows")
    return samples


def _tags(row: Mapping[str, Any], place: str, problems: list[str]) -> dict[str, str]:
    tags = row.get("tags") or {}
    if not isinstance(tags, dict):
        problems.append(f"{place}: tags: must be a mapping of name to value, found {tags!r}")
        return {}
    return {str(name): str(value) for name, value in tags.items()}


def _texts(row: Mapping[str, Any], column: str, place: str, problems: list[str]) -> tuple[str, ...]:
    value = row.get(column)
    values = [] if value is None else [value] if isinstance(value, str) else value
    if not isinstance(values, list | tuple) or not all(isinstance(v, str) for v in values):
        problems.append(f"{place}: {column}: must be texts, found {value!r}")
        return ()
    return tuple(values)
