"""Structured answers: JSON that parses, JSON that fits a schema, fields that are right."""

from __future__ import annotations

import functools
import json
import re
from collections import Counter
from typing import TYPE_CHECKING, Any

from bakeoff.core.words import Answer, Sample, Score, canonical
from bakeoff.metrics.scorer import Context, Outcome, scorer

if TYPE_CHECKING:
    from jsonschema import Draft202012Validator

_FENCE = re.compile(r"```(?:json)?\s*(.*?)```", re.DOTALL)


def parse(text: str, lenient: bool) -> Any:
    """The JSON value an answer is; lenient also takes it out of a fence or the first `{...}`.

    Raises `ValueError` when there is none. `NaN` and `Infinity` are not JSON.
    """
    candidates = [text.strip()]
    if lenient:
        candidates += _FENCE.findall(text)
        start, end = text.find("{"), text.rfind("}")
        if 0 <= start < end:
            candidates.append(text[start : end + 1])
    for candidate in candidates:
        try:
            return json.loads(candidate, parse_constant=_refuse)
        except (ValueError, RecursionError):
            continue
    raise ValueError("the answer is not JSON")


def _refuse(constant: str) -> Any:
    raise ValueError(f"{constant} is not JSON")


@scorer(version=1)
def json_valid(
    sample: Sample, answer: Answer, context: Context, *, lenient: bool = False
) -> Outcome:
    """1 when the whole answer is JSON; `lenient=True` takes it out of prose or a code fence."""
    try:
        parse(answer.text, lenient)
    except ValueError as error:
        return Score(0.0, str(error))
    return 1.0


@functools.lru_cache(maxsize=8)
def _validator(schema: str) -> Draft202012Validator:
    # Here, as it takes longer to import than all of the scorers together.
    from jsonschema import Draft202012Validator

    return Draft202012Validator(json.loads(schema))


@scorer(version=1)
def schema_valid(
    sample: Sample, answer: Answer, context: Context, *, lenient: bool = False
) -> Outcome:
    """1 when the answer is JSON that fits the task's `json_schema`."""
    try:
        value = parse(answer.text, lenient)
    except ValueError as error:
        return Score(0.0, str(error))
    problem = next(_validator(canonical(context.schema or {})).iter_errors(value), None)
    return Score(0.0, problem.message[:200]) if problem else 1.0


Leaves = Counter[tuple[str, str]]


def leaves(value: Any, path: str = "") -> Leaves:
    """(path, value) of every leaf. List items share one path, so their order does not count.

    Numbers compare by value (3 equals 3.0), texts without case and outer spaces; an empty object
    or list is a leaf of its own.
    """
    if isinstance(value, dict) and value:
        return sum((leaves(v, f"{path}.{k}") for k, v in value.items()), Counter())
    if isinstance(value, list) and value:
        return sum((leaves(v, f"{path}[]") for v in value), Counter())
    if isinstance(value, str):
        return Counter([(path, " ".join(value.casefold().split()))])
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return Counter([(path, f"={value!r}")])


def _said(answer: Answer, lenient: bool) -> Leaves:
    """The leaves of the answer's JSON. Raises `ValueError` when it is none, or too deep."""
    try:
        return leaves(parse(answer.text, lenient))
    except RecursionError as error:
        raise ValueError("the answer is nested too deeply") from error


@scorer(version=1)
def field_f1(sample: Sample, answer: Answer, context: Context, *, lenient: bool = True) -> Outcome:
    """F1 over the leaf fields of the expected JSON object (path and value both right)."""
    try:
        predicted = _said(answer, lenient)
    except ValueError as error:
        return Score(0.0, str(error))
    best = 0.0
    for target in sample.targets:
        wanted = leaves(json.loads(target))
        shared = sum((predicted & wanted).values())
        best = max(best, 2 * shared / max(1, predicted.total() + wanted.total()))
    return best


@scorer(version=1)
def exact_json(
    sample: Sample, answer: Answer, context: Context, *, lenient: bool = True
) -> Outcome:
    """1 when every field of the object is right and none is added (order of lists aside)."""
    try:
        predicted = _said(answer, lenient)
    except ValueError as error:
        return Score(0.0, str(error))
    return any(predicted == leaves(json.loads(target)) for target in sample.targets)
