"""Samples made of rows, and what is wrong with them."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from bakeoff.core.parts import parts_of
from bakeoff.core.words import BakeoffError, Sample
from bakeoff.spec.task import TaskFile
from bakeoff.spec.yaml_files import prompt_fields
from bakeoff.tasks.columns import columns_of, getter
from bakeoff.tasks.rows import Rows, id_of
from bakeoff.tasks.targets import BY_FIELD


class _Columns(NamedTuple):
    """What a row says of a sample, beside the fields of its prompt."""

    id: Any = None
    question: Any = None
    targets: Any = None
    gold: Any = None
    cluster: Any = None
    tags: Any = None


def samples_of(read: Rows, file: TaskFile, where: str, problems: list[str]) -> list[Sample]:
    """The rows as samples. What is wrong with them is added to `problems`."""
    rows, columns = read.rows, read.columns
    there = columns_of(rows)
    if misnamed := list(_misnamed(there, columns)) if rows else []:
        problems += [f"{where}: {problem}" for problem in misnamed]
        return []
    samples: list[Sample] = []
    seen: set[str] = set()
    wanted = prompt_fields(file.prompt) | prompt_fields(file.system)
    getters = {ours: getter(theirs, there) for ours, theirs in columns.items()} if rows else {}
    answers = columns.get("targets", "targets")
    for number, row in enumerate(rows, 1):
        renamed = {**row, **{ours: get(row) for ours, get in getters.items()}} if getters else row
        own = parts_of(_Columns, renamed)
        identity = id_of(own.id, number)
        wrong = ["id occurs twice"] if identity in seen else []
        if isinstance(own.id, bool | list | tuple | dict):
            wrong.append(f"id: must be a text or a number, found {own.id!r}")
        seen.add(identity)
        if sample := _sample(identity, own, renamed, wanted, wrong):
            samples.append(sample)
            if read.answered:
                missing = answers if own.targets is None and answers not in row else ""
                wrong += [f"targets: {problem}" for problem in _no_answer(sample, file, missing)]
            if file.labels and (odd := sorted(set(sample.targets) - set(file.labels))):
                wrong.append(f"targets: {odd} are none of the task's labels")
        if wrong:
            place = f"{where} row {number} ('{identity}')"
            problems += [f"{place}: {problem}" for problem in wrong]
    if not samples:
        problems.append(f"{where}: no rows")
    return samples


def _sample(
    identity: str,
    own: _Columns,
    row: Mapping[str, object],
    wanted: Collection[str],
    wrong: list[str],
) -> Sample | None:
    """The sample of a row whose prompt needs the fields `wanted`; `None` without a question.

    What is wrong with the row is added to `wrong`.
    """
    question = own.question
    if not isinstance(question, str) or not question.strip():
        blank = question is None or isinstance(question, str)
        wrong.append(f"question: {'is blank' if blank else _no_text(question, 'a text')}")
        return None
    fields = {k: str(v) for k, v in row.items() if isinstance(v, _SCALARS)}
    if missing := [name for name in wanted if name not in fields]:
        wrong.append(f"the prompt uses {sorted(missing)}, which the row does not have")
    return Sample(
        identity,
        fields,
        targets=_texts(own.targets, "targets", wrong),
        gold=_texts(own.gold, "gold", wrong),
        cluster=str(own.cluster or ""),
        tags=_tags(own.tags, wrong),
    )


_SCALARS = (str, int, float)


def _misnamed(there: Sequence[str], columns: Mapping[str, str]) -> Iterator[str]:
    """Columns that rows need, or that are named, and no row has."""
    for ours in dict.fromkeys(("question", "targets", *columns)):
        theirs = columns.get(ours, ours)
        try:
            getter(theirs, there)
        except BakeoffError as error:
            from bakeoff.tasks.guessing import guesses

            likely = {guess.field: guess.column for guess in guesses(dict.fromkeys(there, ()))}
            hint = (
                f"did you mean columns: {{{ours}: {json.dumps(likely[ours], ensure_ascii=False)}}}?"
                if likely.get(ours, theirs) != theirs
                else f"name it with columns: {{{ours}: NAME}}"
            )
            names = ", ".join(there) or "nothing"
            yield f"{error}; they have {names}; {hint}{_headless(there)}"


def _headless(there: Sequence[str]) -> str:
    """A hint where the names of the columns look like a row."""
    row = any(name.strip().endswith("?") or name.strip().isdigit() for name in there)
    return "; the first line of a table must name its columns" if row else ""


def _no_answer(sample: Sample, file: TaskFile, missing: str) -> Iterator[str]:
    """Why a row is no question without an answer: that is one that says so.

    `missing` is the column of answers that it does not have.
    """
    if missing:
        yield f"the row has no '{missing}'; {_UNANSWERABLE}"
    elif not sample.targets and not file.refusal:
        yield "empty, and the task has no refusal for that; write refusal: {say: unknown}"
    elif any(not target.strip() for target in sample.targets):
        yield f"an empty text; {_UNANSWERABLE}"
    elif "[]" in sample.targets and not any(metric.startswith(BY_FIELD) for metric in file.scorers):
        yield f"the text '[]', which is not an empty list; {_UNANSWERABLE}"


_UNANSWERABLE = "[] is a question without an answer (in CSV: an empty cell)"


def _tags(value: object, wrong: list[str]) -> dict[str, str]:
    tags = value or {}
    if not isinstance(tags, dict):
        wrong.append(f"tags: must be a mapping of name to value, found {tags!r}")
        return {}
    return {str(name): str(value) for name, value in tags.items()}


def _texts(value: object, column: str, wrong: list[str]) -> tuple[str, ...]:
    if value is None:
        return ()
    if isinstance(value, str):
        return (value,)
    values = value if isinstance(value, list | tuple) else [value]
    if not all(isinstance(v, str) for v in values):
        wrong.append(f"{column}: {_no_text(value, 'texts')}")
        return ()
    return tuple(values)


def _no_text(value: object, wanted: str) -> str:
    """What is wrong with a value that is no text, or no list of texts."""
    parts = value if isinstance(value, list | tuple) else [value]
    quoted = all(isinstance(part, str | int | float) for part in parts)
    return f"must be {wanted}, found {value!r}{'; quote it' if quoted else ''}"
