"""Results of promptfoo: the JSON document or the JSON Lines of `promptfoo eval --output`.

https://www.promptfoo.dev/docs/configuration/outputs
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import Annotated, Any

from pydantic import BeforeValidator, ConfigDict, Field
from pydantic.alias_generators import to_camel

from bakeoff.core.words import BakeoffError
from bakeoff.running.importing.cells import OTHER_TEXTS
from bakeoff.running.importing.foreign import Foreign, is_number, understood
from bakeoff.running.importing.sources import MONEY, PASSAGES, OwnRow, Row, Source, slug
from bakeoff.tasks.formats.decoding import decoded
from bakeoff.tasks.formats.json_rows import json_lines, json_list

_QUESTIONS = ("question", "query", "input", "user_input", "prompt", "message", "text")
_LABEL = 40
"""Characters up to which a prompt's label is a name, not its text."""
_LINES = (".jsonl", ".ndjson")
_PROVIDER_FAILED = 2
"""The reason of a failure where the provider failed, rather than an assertion."""


class _Named(Foreign):
    """A part of promptfoo's results: its names are written likeThis."""

    model_config = ConfigDict(alias_generator=to_camel)


class _Prompt(_Named):
    raw: str | None = None
    label: str = ""


class _Provider(_Named):
    id: str = ""
    label: str = ""


def _labelled(value: Any) -> Any:
    """Before version 3 of the format a prompt or a provider could be its text alone."""
    return {"label": value} if isinstance(value, str) else value


class _Asked(_Named):
    """Under which prompt a result was made."""

    prompt_id: str = ""
    prompt: Annotated[_Prompt, BeforeValidator(_labelled)] = Field(default_factory=_Prompt)

    @property
    def key(self) -> str:
        return self.prompt_id or self.prompt.label


class _Tokens(_Named):
    prompt: float | None = None
    completion: float | None = None


class _Response(_Named):
    output: Any = None
    error: Any = None
    cached: bool | None = None
    finish_reason: str | None = None
    token_usage: _Tokens = Field(default_factory=_Tokens)


class _Assertion(_Named):
    type: str = ""
    metric: str = ""
    weight: float = 1


class _Component(_Named):
    """What one assertion gave."""

    score: float | None = None
    assertion: _Assertion | None = None


class _Grading(_Named):
    component_results: tuple[_Component | None, ...] = ()
    named_score_weights: Mapping[str, float] = {}

    @property
    def judged(self) -> Iterator[tuple[_Assertion, float]]:
        """The assertions, each with its score."""
        for part in self.component_results:
            if part and part.assertion and part.score is not None:
                yield part.assertion, part.score


class _TestCase(_Named):
    description: str | None = None


class _Result(_Asked):
    """A test case under a prompt and a provider."""

    test_idx: int
    provider: Annotated[_Provider, BeforeValidator(_labelled)]
    response: _Response = Field(default_factory=_Response)
    vars: Mapping[str, object] = {}
    error: Any = None
    """Why the provider failed, or an assertion, which is a score of 0."""
    failure_reason: int | None = None
    latency_ms: float | None = None
    score: float | None = None
    """Of all assertions, by their weights."""
    success: bool | None = None
    named_scores: Mapping[str, object] = {}
    grading_result: _Grading = Field(default_factory=_Grading)
    cost: float | None = None
    metadata: Any = None
    test_case: _TestCase | None = None


def recognizes(file: Path) -> bool:
    """By its beginning: its keys are promptfoo's own."""
    ending = file.suffix.lower()
    if ending not in (*_LINES, ".json"):
        return False
    try:
        if ending in _LINES:
            first = next(json_lines(file), ("", ""))[1]
            return isinstance(first, dict) and {"testIdx", "promptIdx", "provider"} <= set(first)
        head = "".join(islice(decoded(file), 3))[:4096]
    except BakeoffError:
        return False
    return bool(re.match(r'\s*{\s*"evalId":', head))


def rows(source: Source) -> Iterator[Row]:
    """A row a test case under a prompt and a provider."""
    labels = _labels(source.file)
    source.lower.add(MONEY)
    for place, raw in _rows(source.file):
        if isinstance(raw, str):
            yield place, raw
        elif source.wants(raw):
            result = understood(_Result, raw)
            yield place, result if isinstance(result, str) else _row(result, labels)


def _rows(file: Path) -> Iterator[Row]:
    if file.suffix.lower() in _LINES:
        return json_lines(file)
    return json_list(file, _results, "at 'results.results'")


class _Listed(_Named):
    results: Any = None


def _results(whole: Any) -> Any:
    """The list of results: until version 2 of the format it stood one level higher."""
    for _ in range(2):
        if isinstance(whole, dict):
            whole = _Listed.model_validate(whole).results
    return whole


def _labels(file: Path) -> Mapping[str, str]:
    """Prompt -> how it is called; empty where there is one alone."""
    prompts: dict[str, str] = {}
    for _, raw in _rows(file):
        asked = understood(_Asked, raw)
        if not isinstance(asked, str):
            prompts.setdefault(asked.key, asked.prompt.label)
    if len(prompts) < 2:
        return {}
    names: dict[str, str] = {}
    for number, (prompt, label) in enumerate(prompts.items(), 1):
        name = label.partition(": ")[0]
        plain = len(name) <= _LABEL and "{{" not in name and name not in names.values()
        names[prompt] = name if name and plain else f"prompt-{number}"
    return names


def _is_text(value: Any) -> bool:
    """Whether a variable may be passages: a text, or a list of texts or objects with one."""
    if isinstance(value, list):
        return bool(value) and all(
            isinstance(part, str) or (isinstance(part, dict) and {"text", *OTHER_TEXTS} & {*part})
            for part in value
        )
    return isinstance(value, str)


def _row(result: _Result, labels: Mapping[str, str]) -> OwnRow:
    response, variables = result.response, result.vars
    looked_up = next((name for name in PASSAGES if _is_text(variables.get(name))), None)
    others = (name for name in variables if name != looked_up)
    asked = next((name for name in _QUESTIONS if name in variables), next(others, None))
    provider = result.provider.label or result.provider.id
    label = labels.get(result.key)
    return {
        "id": result.test_idx,
        "setup": f"{provider} {label}" if label else provider,
        "question": variables[asked] if asked else result.prompt.raw,
        "fields": {name: value for name, value in variables.items() if name != asked},
        "answer": response.output,
        "passages": variables[looked_up] if looked_up else None,
        "error": response.error
        or (result.error if result.failure_reason == _PROVIDER_FAILED else None),
        "finish_reason": response.finish_reason,
        "prompt_tokens": response.token_usage.prompt,
        "completion_tokens": response.token_usage.completion,
        "seconds": None if result.latency_ms is None else result.latency_ms / 1000,
        "cached": response.cached,
        "scores": _scores(result),
        "metadata": result.metadata,
        "description": result.test_case and result.test_case.description,
    }


def _scores(result: _Result) -> dict[str, float | None]:
    """The test's own score and success, named scores, assertions by type, and its price."""
    scores: dict[str, float | None] = {"score": result.score, "success": result.success}
    scores = {name: value for name, value in scores.items() if value is not None}
    grading, by_type = result.grading_result, dict[str, list[tuple[float, float]]]()
    times = Counter(assertion.metric for assertion, _ in grading.judged)
    for name, value in result.named_scores.items():
        if is_number(value):
            # Before the weights were kept beside it, it was the sum over its assertions.
            summed = name not in grading.named_score_weights
            scores[slug(name)] = value / max(1, times[name]) if summed else value
    for assertion, score in grading.judged:
        if assertion.type and not assertion.metric:
            by_type.setdefault(slug(assertion.type), []).append((score, assertion.weight))
    scores |= {name: _mean(given) for name, given in by_type.items() if name not in scores}
    return {**scores, MONEY: result.cost} if result.cost else scores


def _mean(given: Sequence[tuple[float, float]]) -> float:
    """The mean of several assertions by their weights; plain, where none has any."""
    total = sum(weight for _, weight in given)
    if total == 0:
        return sum(score for score, _ in given) / len(given)
    return sum(score * weight for score, weight in given) / total
