"""Rows of RAG evaluations: questions, answers and the passages that they were made from.

Data sets and results of ragas, test cases and test runs of deepeval, and tables of the same kind.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from bakeoff.core.strict_json import loads
from bakeoff.core.words import BakeoffError
from bakeoff.running.importing.fields import Fields
from bakeoff.running.importing.rows import read_rows, row_file
from bakeoff.running.importing.sources import Source, made_id, slug
from bakeoff.tasks.formats.decoding import decoded
from bakeoff.tasks.formats.json_rows import Row

KIN: Mapping[str, tuple[str, ...]] = {
    "question": ("user_input", "question", "query", "input"),
    "answer": ("response", "answer", "actual_output", "actualOutput"),
    "passages": ("retrieved_contexts", "contexts", "retrieval_context", "retrievalContext"),
    "targets": ("reference", "ground_truth", "ground_truths", "expected_output", "expectedOutput"),
    "documents": ("retrieved_context_ids",),
    "gold": ("reference_context_ids",),
    "id": ("id", "sample_id", "question_id", "qid"),
    "setup": ("setup", "system", "experiment"),
    "prompt_tokens": ("prompt_tokens",),
    "completion_tokens": ("completion_tokens", "tokenCount"),
    "seconds": ("latency_s", "seconds", "completionTime", "completion_time"),
    "error": ("error",),
}
"""Field -> the names that tools give it, the likeliest first."""
_NEEDED = ("question", "answer", "passages")
_BEGINNING = 4096
_TEST_CASES = ("testCases", "test_cases")
_METRICS = ("metricsData", "metrics_data")


def recognizes(file: Path) -> bool:
    """By the first row: it has a question, an answer and passages under names that are known."""
    if not row_file(file):
        return False
    try:
        first = next((row for _, row in _rows(file) if isinstance(row, dict)), None)
    except BakeoffError:
        # Cut short, it is still a test run, and the message is about that.
        head = file.read_bytes()[:_BEGINNING]
        return any(f'"{name}"'.encode() in head for name in _TEST_CASES)
    return first is not None and all(_column(first, name) for name in _NEEDED)


def rows(source: Source) -> Iterator[Row]:
    """The rows, with ids made of the questions where they have none."""
    scores = _score_columns(row for _, row in _rows(source.file) if isinstance(row, dict))
    met: Counter[str] = Counter()
    for place, raw in _rows(source.file):
        if isinstance(raw, str):
            yield place, raw
            continue
        columns = {name: _column(raw, name) for name in KIN}
        if missing := [name for name in _NEEDED if not columns[name]]:
            yield place, f"no {missing[0]}: none of {', '.join(KIN[missing[0]])}"
            continue
        if not source.wants(raw):
            continue
        row = {name: raw[column] for name, column in columns.items() if column}
        row["question"] = _text(row["question"])
        if columns["id"] is None:
            row["id"] = made_id(str(row["question"]), met)
        row["passages"] = _passages(row["passages"], row.pop("documents", None))
        given = {slug(name): raw.get(name) for name in scores}
        yield place, {**raw, **row, "scores": {**given, **_test_scores(raw)}}


def _rows(file: Path) -> Iterator[Row]:
    """The rows of a file; the test cases of a test run of deepeval."""
    if file.suffix.lower() == ".json":
        text = "".join(decoded(file))
        if any(f'"{name}"' in text for name in _TEST_CASES):
            try:
                whole = loads(text, constants=True)
            except ValueError as error:
                raise BakeoffError(f"{file}: not JSON: {error}") from error
            cases = _first(whole, _TEST_CASES) if isinstance(whole, dict) else None
            if isinstance(cases, list):
                yield from ((f"test case {n}", case) for n, case in enumerate(cases, 1))
                return
    yield from read_rows(file, Fields(optional=frozenset({"id"})))


def _first(row: Mapping[str, Any], names: Sequence[str]) -> Any:
    return next((row[name] for name in names if name in row), None)


def _column(row: Mapping[str, Any], field: str) -> str | None:
    return next((name for name in KIN[field] if name in row), None)


def _score_columns(rows: Iterable[Mapping[str, Any]]) -> list[str]:
    """Columns beside the known ones that hold numbers and nothing else, in some row."""
    known = {name for names in KIN.values() for name in names}
    number: dict[str, bool] = {}
    for row in rows:
        for name, value in row.items():
            if name not in known and value not in (None, ""):
                number[name] = number.get(name, True) and _is_number(value)
    return [name for name, all_of_them in number.items() if all_of_them]


def _is_number(value: Any) -> bool:
    if isinstance(value, str):
        try:
            float(value)
        except ValueError:
            return False
        return True
    return isinstance(value, int | float)


def _test_scores(raw: Mapping[str, Any]) -> dict[str, Any]:
    """Scores of the metrics that a test case of deepeval lists."""
    listed = _first(raw, _METRICS)
    return {
        slug(str(metric["name"]).lower()): metric.get("score")
        for metric in (listed if isinstance(listed, list) else ())
        if isinstance(metric, dict) and "name" in metric
    }


def _text(value: Any) -> Any:
    """A question; of a conversation, the last that the user wrote."""
    if not isinstance(value, list):
        return value
    turns = [turn for turn in value if isinstance(turn, dict)]
    users = [t for t in turns if t.get("type", t.get("role")) in ("human", "user")] or turns
    return str(users[-1].get("content", "")) if users else ""


def _passages(value: Any, documents: Any) -> Any:
    if not (isinstance(value, list) and isinstance(documents, list)):
        return value
    if len(value) != len(documents):
        return value
    return [{"text": t, "document": str(d)} for t, d in zip(value, documents, strict=True)]
