"""Rows of RAG evaluations: questions, answers and the passages that they were made from.

Data sets and results of ragas, test cases and test runs of deepeval, and tables of the same kind.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from pydantic import AliasChoices, BaseModel, ConfigDict, Field

from bakeoff.core.strict_json import loads
from bakeoff.core.words import BakeoffError
from bakeoff.running.importing.fields import Fields
from bakeoff.running.importing.foreign import Foreign, is_number, understood
from bakeoff.running.importing.rows import read_rows, row_file
from bakeoff.running.importing.sources import PASSAGES, OwnRow, Row, Source, made_id, slug
from bakeoff.tasks.formats.decoding import decoded

_BEGINNING = 4096
_TEST_CASES = ("testCases", "test_cases")


def _kin(*names: str) -> Any:
    """A column by the names that tools give it, the likeliest first."""
    return Field(default=None, validation_alias=AliasChoices(*names))


class _Metric(Foreign):
    name: str
    score: float | None = None


class _Row(BaseModel):
    """The columns of a row; a table's cells may hold anything, and nothing, in any of them."""

    model_config = ConfigDict(frozen=True, extra="allow", defer_build=True)

    question: Any = _kin("user_input", "question", "query", "input")
    answer: Any = _kin("response", "answer", "actual_output", "actualOutput")
    passages: Any = _kin(*PASSAGES)
    targets: Any = _kin(
        *(
            "reference",
            "ground_truth",
            "ground_truths",
            "expected_output",
            "expectedOutput",
            "target",
        )
    )
    documents: Any = _kin("retrieved_context_ids")
    gold: Any = _kin("reference_context_ids")
    id: Any = _kin("id", "sample_id", "question_id", "qid")
    setup: Any = _kin("setup", "system", "experiment")
    prompt_tokens: Any = _kin("prompt_tokens")
    completion_tokens: Any = _kin("completion_tokens", "tokenCount")
    seconds: Any = _kin("latency_s", "seconds", "completionTime", "completion_time")
    error: Any = _kin("error")

    @property
    def others(self) -> Mapping[str, object]:
        """Columns of other names."""
        return self.model_extra or {}

    @property
    def lacks(self) -> str:
        """What makes it no row of such an evaluation; empty where nothing does."""
        for name in ("question", "answer", "passages"):
            if name not in self.model_fields_set:
                choices = type(self).model_fields[name].validation_alias
                assert isinstance(choices, AliasChoices)
                return f"no {name}: none of {', '.join(map(str, choices.choices))}"
        return ""

    @property
    def retrieved(self) -> Any:
        """The passages, with their documents where each has one."""
        texts, documents = self.passages, self.documents
        both = isinstance(texts, list) and isinstance(documents, list)
        if not both or len(texts) != len(documents):
            return texts
        return [{"text": t, "document": str(d)} for t, d in zip(texts, documents, strict=True)]

    def own(self, met: Counter[str]) -> OwnRow:
        """The known columns that it has."""
        stated = self.model_fields_set
        question = _asked(self.question)
        row: OwnRow = {"question": question, "answer": self.answer, "passages": self.retrieved}
        row["id"] = self.id if "id" in stated else made_id(str(question), met)
        if "setup" in stated:
            row["setup"] = self.setup
        return {
            **row,
            "targets": self.targets,
            "gold": self.gold,
            "prompt_tokens": self.prompt_tokens,
            "completion_tokens": self.completion_tokens,
            "seconds": self.seconds,
            "error": self.error,
        }


class _Judged(Foreign):
    """What deepeval keeps beside a test case."""

    metrics: tuple[_Metric, ...] = Field(
        default=(), validation_alias=AliasChoices("metricsData", "metrics_data")
    )


class _TestRun(Foreign):
    cases: list[Any] = Field(default=[], validation_alias=AliasChoices(*_TEST_CASES))


def recognizes(file: Path) -> bool:
    """By the first row: it has a question, an answer and passages under names that are known."""
    if not row_file(file):
        return False
    try:
        cases = _test_cases(file)
        rows = enumerate(cases) if cases is not None else _table(file)
        first = next((row for _, row in rows if isinstance(row, dict)), None)
    except BakeoffError:
        # Cut short, it is still a test run, and the message is about that.
        head = file.read_bytes()[:_BEGINNING]
        return any(f'"{name}"'.encode() in head for name in _TEST_CASES)
    return first is not None and not _Row.model_validate(first).lacks


def rows(source: Source) -> Iterator[Row]:
    """The rows, with ids made of the questions where they have none."""
    met: Counter[str] = Counter()
    cases = _test_cases(source.file)
    # A test case has other numbers, such as its place, which are no scores.
    columns = _score_columns(source.file) if cases is None else ["success"]
    numbered = None if cases is None else ((f"test case {n}", c) for n, c in enumerate(cases, 1))
    for place, raw in numbered or _table(source.file):
        row, judged = understood(_Row, raw), understood(_Judged, raw)
        if isinstance(raw, str) or isinstance(row, str) or isinstance(judged, str):
            yield place, next(part for part in (raw, row, judged) if isinstance(part, str))
        elif row.lacks:
            yield place, row.lacks
        elif source.wants(raw):
            scores = {slug(name): row.others.get(name) for name in columns}
            scores |= {slug(metric.name.lower()): metric.score for metric in judged.metrics}
            yield place, {**raw, **row.own(met), "scores": scores}


def _table(file: Path) -> Iterator[Row]:
    return read_rows(file, Fields(optional=frozenset({"id"})))


def _test_cases(file: Path) -> list[Any] | None:
    """The test cases of a test run of deepeval; `None` for any other file."""
    if file.suffix.lower() != ".json":
        return None
    text = "".join(decoded(file))
    if not any(f'"{name}"' in text for name in _TEST_CASES):
        return None
    try:
        whole = loads(text, constants=True)
    except ValueError as error:
        raise BakeoffError(f"{file}: not JSON: {error}") from error
    run = understood(_TestRun, whole) if isinstance(whole, dict) else ""
    return None if isinstance(run, str) or not run.cases else run.cases


def _score_columns(file: Path) -> list[str]:
    """Columns beside the known ones that hold numbers and nothing else, in some row."""
    number: dict[str, bool] = {}
    for _, raw in _table(file):
        others = _Row.model_validate(raw).others if isinstance(raw, dict) else {}
        for name, value in others.items():
            if value not in (None, ""):
                number[name] = number.get(name, True) and _reads_as_number(value)
    return [name for name, all_of_them in number.items() if all_of_them]


def _reads_as_number(value: Any) -> bool:
    """A number, or a text that is one: tables hold texts alone."""
    if isinstance(value, str):
        try:
            float(value)
        except ValueError:
            return False
        return True
    return is_number(value)


class _Turn(Foreign):
    speaker: Any = Field(default=None, validation_alias=AliasChoices("type", "role"))
    content: Any = ""


def _asked(value: Any) -> Any:
    """A question; of a conversation, the last that the user wrote."""
    if not isinstance(value, list):
        return value
    turns = [_Turn.model_validate(turn) for turn in value if isinstance(turn, dict)]
    users = [turn for turn in turns if turn.speaker in ("human", "user")] or turns
    return str(users[-1].content) if users else ""
