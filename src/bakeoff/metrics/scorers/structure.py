"""Structured answers: JSON that parses, JSON that fits a schema, fields that are right."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any
from unicodedata import normalize

from bakeoff.core.strict_json import loads
from bakeoff.core.words import Answer, Sample, Score, canonical
from bakeoff.metrics.json_answer import inside, whole
from bakeoff.metrics.scorer import Context, Outcome, scorer

if TYPE_CHECKING:
    from jsonschema import Draft202012Validator


def parse(text: str, lenient: bool) -> Any:
    """The JSON value an answer is; `lenient` also takes it out of prose, fences and thoughts.

    Raises `ValueError` when there is none.
    """
    return inside(text) if lenient else whole(text)


@scorer(version=2)
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

    return Draft202012Validator(loads(schema))


@scorer(version=2)
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


def plain(value: Any) -> Any:
    """A value as it is compared: texts in NFC without case and outer spaces, 3.0 as 3, True not 1.

    Raises `RecursionError` for what is nested too deeply.
    """
    if isinstance(value, dict):
        return {normalize("NFC", key): plain(part) for key, part in value.items()}
    if isinstance(value, list):
        return [plain(item) for item in value]
    if isinstance(value, str):
        return "'" + " ".join(normalize("NFC", normalize("NFC", value).casefold()).split())
    return repr(int(value) if isinstance(value, float) and value.is_integer() else value)


def _unordered(value: Any) -> str:
    """One text for all values that are equal, the order of lists aside."""
    if isinstance(value, dict):
        return canonical({key: _unordered(part) for key, part in value.items()})
    if isinstance(value, list):
        return canonical(sorted(map(_unordered, value)))
    return canonical(value)


def leaves(value: Any) -> int:
    """How many leaf fields a value has; an empty object or list is one of its own."""
    parts = value.values() if isinstance(value, dict) else value
    return sum(map(leaves, parts)) if isinstance(value, dict | list) and value else 1


def shared(one: Any, other: Any) -> int:
    """Leaf fields that two values have in common: the same keys all the way, and the same value.

    Each item of a list is compared with one item of the other list, in the best matching pairs.
    """
    if isinstance(one, dict) and isinstance(other, dict) and one and other:
        return sum(shared(one[key], other[key]) for key in one.keys() & other.keys())
    if isinstance(one, list) and isinstance(other, list) and one and other:
        return _paired(one, other)
    return int(one == other)


def _paired(one: Sequence[Any], other: Sequence[Any]) -> int:
    # Taking equal items first loses nothing: neither of them shares more with any other.
    items, others = _by_form(one), _by_form(other)
    equal = {form: min(len(items[form]), len(others[form])) for form in items.keys() & others}
    same = sum(count * leaves(items[form][0]) for form, count in equal.items())
    rows, columns = (
        [v for form, alike in side.items() for v in alike[equal.get(form, 0) :] if v and _parts(v)]
        for side in (items, others)
    )
    return same + _best_pairs([[shared(row, column) for column in columns] for row in rows])


def _by_form(values: Sequence[Any]) -> dict[str, list[Any]]:
    by_form: dict[str, list[Any]] = {}
    for value in values:
        by_form.setdefault(_unordered(value), []).append(value)
    return by_form


def _parts(value: Any) -> bool:
    return isinstance(value, dict | list)


def _best_pairs(gains: Sequence[Sequence[int]]) -> int:
    """The largest sum of gains, with at most one taken of each row and of each column."""
    if not gains or not gains[0]:
        return 0
    if len(gains) == 1 or len(gains[0]) == 1:
        return max(map(max, gains))
    # Here, as only lists with several odd objects need it.
    import numpy as np
    from scipy.optimize import linear_sum_assignment

    table = np.array(gains)
    return int(table[linear_sum_assignment(table, maximize=True)].sum())


def _parsed(answer: Answer, lenient: bool) -> Any:
    """The answer's value as it is compared. Raises `ValueError` when it is none, or too deep."""
    try:
        return plain(parse(answer.text, lenient))
    except RecursionError as error:
        raise ValueError("the answer is nested too deeply") from error


def _targets(sample: Sample) -> list[Any]:
    return [plain(loads(target)) for target in sample.targets]


@scorer(version=3)
def field_f1(sample: Sample, answer: Answer, context: Context, *, lenient: bool = True) -> Outcome:
    """F1 over the leaf fields of the expected JSON (path and value right; lists item by item)."""
    try:
        value = _parsed(answer, lenient)
    except ValueError as error:
        return Score(0.0, str(error))
    targets = _targets(sample)
    try:
        f1s = [2 * shared(value, t) / (leaves(value) + leaves(t)) for t in targets]
    except RecursionError:
        return Score(0.0, "the answer is nested too deeply")
    return max(f1s, default=0.0)


@scorer(version=3)
def exact_json(
    sample: Sample, answer: Answer, context: Context, *, lenient: bool = True
) -> Outcome:
    """1 when every field of the JSON is right and none is added (order of lists aside)."""
    try:
        value = _unordered(_parsed(answer, lenient))
    except ValueError as error:
        return Score(0.0, str(error))
    except RecursionError:
        return Score(0.0, "the answer is nested too deeply")
    return any(value == _unordered(target) for target in _targets(sample))
