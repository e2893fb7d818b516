"""Results of promptfoo: the JSON document or the JSON Lines of `promptfoo eval --output`.

https://www.promptfoo.dev/docs/configuration/outputs
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from itertools import islice
from pathlib import Path
from typing import Any

from bakeoff.core.words import BakeoffError
from bakeoff.running.importing.sources import Source, slug
from bakeoff.tasks.formats.decoding import decoded
from bakeoff.tasks.formats.json_rows import Row, json_lines, json_list

_QUESTIONS = ("question", "query", "input", "user_input", "prompt", "message", "text")
_LABEL = 40
"""Characters up to which a prompt's label is a name, not its text."""
_LINES = (".jsonl", ".ndjson")


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
    source.lower.add("usd")
    for place, raw in _rows(source.file):
        if isinstance(raw, str):
            yield place, raw
        elif missing := {"testIdx", "provider", "response"} - set(raw):
            yield place, f"no {', '.join(sorted(missing))}: not a result of promptfoo"
        elif source.wants(raw):
            yield place, {**_row(raw), "setup": _setup(raw, labels)}


def _rows(file: Path) -> Iterator[Row]:
    if file.suffix.lower() in _LINES:
        return json_lines(file)
    return json_list(file, _results, "at 'results.results'")


def _results(whole: Any) -> Any:
    results = whole.get("results") if isinstance(whole, dict) else None
    # Until version 2 of the format the list stood one level higher.
    return results.get("results") if isinstance(results, dict) else results


def _labels(file: Path) -> Mapping[str, str]:
    """Prompt -> how it is called; empty where there is one alone."""
    prompts: dict[str, str] = {}
    for _, raw in _rows(file):
        if isinstance(raw, dict):
            prompts.setdefault(_prompt(raw), _label(raw))
    if len(prompts) < 2:
        return {}
    names: dict[str, str] = {}
    for number, (prompt, label) in enumerate(prompts.items(), 1):
        name = label.partition(": ")[0]
        plain = len(name) <= _LABEL and "{{" not in name and name not in names.values()
        names[prompt] = name if name and plain else f"prompt-{number}"
    return names


def _label(raw: Mapping[str, Any]) -> str:
    prompt = raw.get("prompt")
    return str((prompt.get("label") if isinstance(prompt, dict) else prompt) or "")


def _prompt(raw: Mapping[str, Any]) -> str:
    return str(raw.get("promptId") or _label(raw))


def _setup(raw: Mapping[str, Any], labels: Mapping[str, str]) -> str:
    provider = raw["provider"]
    if isinstance(provider, dict):
        provider = provider.get("label") or provider.get("id")
    prompt = labels.get(_prompt(raw))
    return f"{provider} {prompt}" if prompt else str(provider)


def _row(raw: Mapping[str, Any]) -> dict[str, Any]:
    response = raw.get("response") or {}
    tokens = response.get("tokenUsage") or {}
    variables = raw.get("vars") or {}
    asked = next((name for name in _QUESTIONS if name in variables), next(iter(variables), None))
    prompt = raw.get("prompt")
    text = prompt.get("raw") if isinstance(prompt, dict) else None
    return {
        "id": raw["testIdx"],
        "question": variables[asked] if asked else text,
        "fields": {name: value for name, value in variables.items() if name != asked},
        "answer": response.get("output"),
        # Not the row's own `error`: it also says why an assertion failed, which is a score of 0.
        "error": response.get("error") or (raw.get("error") if _broke(raw) else None),
        "finish_reason": response.get("finishReason"),
        "prompt_tokens": tokens.get("prompt"),
        "completion_tokens": tokens.get("completion"),
        "seconds": raw["latencyMs"] / 1000 if _is_number(raw.get("latencyMs")) else None,
        "cached": response.get("cached"),
        "scores": _scores(raw),
        "metadata": raw.get("metadata"),
        "description": (raw.get("testCase") or {}).get("description"),
    }


def _broke(raw: Mapping[str, Any]) -> bool:
    """Whether the provider failed, rather than an assertion."""
    return raw.get("failureReason") == 2


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _scores(raw: Mapping[str, Any]) -> dict[str, Any]:
    """The row's own score and success; its named scores; its assertions by type; its price."""
    scores: dict[str, Any] = {n: raw[n] for n in ("score", "success") if raw.get(n) is not None}
    named = raw.get("namedScores") or {}
    scores |= {slug(name): value for name, value in named.items() if _is_number(value)}
    by_type: dict[str, list[float]] = {}
    for part in (raw.get("gradingResult") or {}).get("componentResults") or ():
        assertion = part.get("assertion") or {}
        if assertion.get("type") and not assertion.get("metric") and _is_number(part.get("score")):
            by_type.setdefault(slug(assertion["type"]), []).append(part["score"])
    # Several assertions of one type in a test case: their mean.
    scores |= {name: sum(v) / len(v) for name, v in by_type.items() if name not in scores}
    price = raw.get("cost")
    return {**scores, "usd": price} if _is_number(price) and price else scores
