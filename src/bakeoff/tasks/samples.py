"""Samples made of rows, and what is wrong with them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from bakeoff.core.words import Sample
from bakeoff.spec.task import TaskFile
from bakeoff.spec.yaml_files import prompt_fields
from bakeoff.tasks.targets import BY_FIELD


def samples_of(
    rows: Iterable[Mapping[str, Any]], file: TaskFile, where: str, problems: list[str]
) -> list[Sample]:
    rows = list(rows)
    if misnamed := list(_misnamed(rows, file)):
        problems += [f"{where}: {problem}" for problem in misnamed]
        return []
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
        problems += [f"{place}: targets: {problem}" for problem in _no_answer(row, sample, file)]
        if file.labels and (odd := sorted(set(sample.targets) - set(file.labels))):
            problems.append(f"{place}: targets: {odd} are none of the task's labels")
        samples.append(sample)
    if not samples:
        problems.append(f"{where}: no rows")
    return samples


def _misnamed(rows: Sequence[Mapping[str, Any]], file: TaskFile) -> Iterator[str]:
    """Columns that every row needs and none has."""
    there = dict.fromkeys(name for row in rows for name in row)
    chat = next((name for name in ("messages", "conversations") if name in there), "")
    for ours in ("question", "targets") if rows else ():
        theirs = file.columns.get(ours, ours)
        if theirs in there:
            continue
        mend = f"columns: {{{ours}: NAME}} says which it is"
        if chat:
            mend = f"these are chat rows: a function of yours ({_ADAPT}) makes questions of them"
        yield f"no row has a column '{theirs}'; they have {', '.join(there) or 'nothing'}; {mend}"
        if chat:
            return


_ADAPT = "rows: {test: {files: ..., adapt: ./file.py::name}}"


def _no_answer(row: Mapping[str, Any], sample: Sample, file: TaskFile) -> Iterator[str]:
    """Why a row is no question without an answer: that is one that says so."""
    column = file.columns.get("targets", "targets")
    if column not in row:
        yield f"the row has no '{column}'; {_UNANSWERABLE}"
    elif not sample.targets and not file.refusal:
        yield "empty, and the task has no refusal for that"
    elif any(not target.strip() for target in sample.targets):
        yield f"an empty text; {_UNANSWERABLE}"
    elif "[]" in sample.targets and not any(metric.startswith(BY_FIELD) for metric in file.scorers):
        yield f"the text '[]', which is no empty list; {_UNANSWERABLE}"


_UNANSWERABLE = "[] is a question without an answer (in CSV: an empty cell)"


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
