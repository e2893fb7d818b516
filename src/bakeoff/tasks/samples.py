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
    columns = list(dict.fromkeys(name for row in rows for name in row))
    if misnamed := list(_misnamed(columns, file)) if rows else []:
        problems += [f"{where}: {problem}" for problem in misnamed]
        return []
    samples: list[Sample] = []
    seen: set[str] = set()
    wanted = prompt_fields(file.prompt) | prompt_fields(file.system)
    answers = file.columns.get("targets", "targets")
    for number, row in enumerate(rows, 1):
        renamed = {**row, **{ours: row.get(theirs) for ours, theirs in file.columns.items()}}
        named, question = renamed.get("id"), renamed.get("question")
        identity = str(number if named in (None, "") else named)
        place = f"{where} row {number} ('{identity}')"
        if identity in seen:
            problems.append(f"{place}: id stands twice")
        seen.add(identity)
        if not isinstance(question, str) or not question.strip():
            problems.append(f"{place}: question: must be a text, found {question!r}")
            continue
        fields = {k: str(v) for k, v in renamed.items() if isinstance(v, str | int | float)}
        if missing := sorted(wanted - set(fields)):
            problems.append(f"{place}: the prompt uses {missing}, which the row does not have")
        sample = Sample(
            id=identity,
            fields=fields,
            targets=_texts(renamed.get("targets"), f"{place}: targets", problems),
            gold=_texts(renamed.get("gold"), f"{place}: gold", problems),
            cluster=str(renamed.get("cluster") or ""),
            tags=_tags(renamed.get("tags"), f"{place}: tags", problems),
        )
        problems += [
            f"{place}: targets: {problem}"
            for problem in _no_answer(sample, file, there=answers in row)
        ]
        if file.labels and (odd := sorted(set(sample.targets) - set(file.labels))):
            problems.append(f"{place}: targets: {odd} are none of the task's labels")
        samples.append(sample)
    if not samples:
        problems.append(f"{where}: no rows")
    return samples


def _misnamed(there: Sequence[str], file: TaskFile) -> Iterator[str]:
    """Columns that every row needs and none has."""
    chat = next((name for name in ("messages", "conversations") if name in there), "")
    for ours in ("question", "targets"):
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


def _no_answer(sample: Sample, file: TaskFile, *, there: bool) -> Iterator[str]:
    """Why a row is no question without an answer: that is one that says so."""
    if not there:
        yield f"the row has no '{file.columns.get('targets', 'targets')}'; {_UNANSWERABLE}"
    elif not sample.targets and not file.refusal:
        yield "empty, and the task has no refusal for that"
    elif any(not target.strip() for target in sample.targets):
        yield f"an empty text; {_UNANSWERABLE}"
    elif "[]" in sample.targets and not any(metric.startswith(BY_FIELD) for metric in file.scorers):
        yield f"the text '[]', which is no empty list; {_UNANSWERABLE}"


_UNANSWERABLE = "[] is a question without an answer (in CSV: an empty cell)"


def _tags(value: object, place: str, problems: list[str]) -> dict[str, str]:
    tags = value or {}
    if not isinstance(tags, dict):
        problems.append(f"{place}: must be a mapping of name to value, found {tags!r}")
        return {}
    return {str(name): str(value) for name, value in tags.items()}


def _texts(value: object, place: str, problems: list[str]) -> tuple[str, ...]:
    values = [] if value is None else [value] if isinstance(value, str) else value
    if not isinstance(values, list | tuple) or not all(isinstance(v, str) for v in values):
        problems.append(f"{place}: must be texts, found {value!r}")
        return ()
    return tuple(values)
