"""Samples of lm-evaluation-harness: `MODEL/samples_TASK_DATE.jsonl` beside `results_DATE.json`.

A row is a document under one filter. Several filters of a document become one row, in which every
metric x filter is a score. https://github.com/EleutherAI/lm-evaluation-harness
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bakeoff.core.strict_json import loads
from bakeoff.core.words import BakeoffError
from bakeoff.running.importing.sources import Source, slug
from bakeoff.tasks.formats.json_rows import Row, json_lines

_NAME = re.compile(r"samples_(?P<task>.+?)(_(?P<date>\d{4}[-T:.\d]*))?\.jsonl")
_OWN = {"doc_id", "doc", "target", "arguments", "resps", "filtered_resps", "filter", "metrics"}


def recognizes(file: Path) -> bool:
    """By its name: the harness gives no other."""
    return bool(_NAME.fullmatch(file.name))


def rows(source: Source) -> Iterator[Row]:
    """A row a document."""
    about = _About.of(source)
    further, names = _further(source)
    first = True
    for place, raw in json_lines(source.file):
        if isinstance(raw, str):
            yield place, raw
            continue
        if missing := {"doc_id", "resps", "filtered_resps"} - set(raw):
            yield place, f"no {', '.join(sorted(missing))}: not a sample of lm-eval"
            continue
        kind = raw.get("filter")
        if not source.wants(raw) or (names and kind != names[0]):
            continue
        scores = _scores(raw, f"_{kind}" if len(names) > 1 else "")
        scores |= further.get(raw["doc_id"], {})
        if first:
            about.say(source, raw, names)
            first = False
        yield (
            place,
            {**_row(raw, len(names) > 1), **about.row, "doc": raw.get("doc")} | {"scores": scores},
        )


@dataclass(frozen=True)
class _About:
    """What the files beside one of samples say of all its rows."""

    row: Mapping[str, Any]
    lower: frozenset[str]
    version: str
    """Of the harness."""

    @classmethod
    def of(cls, source: Source) -> _About:
        file = source.file.resolve()
        match = _NAME.fullmatch(file.name)
        task = match["task"] if match else file.stem
        setup, results = file.parent.name, _results(file, match["date"] if match else None)
        if results.get("model_name_sanitized") == setup:
            setup = str(results.get("model_name") or setup)
        better = results.get("higher_is_better", {}).get(task) or {}
        version = results.get("versions", {}).get(task)
        row = {"task": task, "setup": setup}
        if version is not None:
            row["version"] = str(version)
        lower = frozenset(name for name, higher in better.items() if higher is False)
        return cls(row, lower, str(results.get("lm_eval_version") or ""))

    def say(self, source: Source, raw: Mapping[str, Any], names: Sequence[str]) -> None:
        listed = [
            m for m in raw.get("metrics", ()) if not isinstance(raw.get(m), bool | int | float)
        ]
        for metric in listed:
            source.left[f"metric {metric} (no number for a sample)"] += 1
        source.lower |= {slug(name) for name in self.lower}
        source.lower |= {slug(f"{name}_{kind}") for name in self.lower for kind in names}
        if self.version:
            source.notes.append(f"made by lm-eval {self.version}")
        asked = len(raw["resps"][0]) if _is_list(raw["resps"]) and _is_list(raw["resps"][0]) else 1
        if asked > 1:
            source.notes.append(f"{asked} replies to a sample made one score")


def _is_number(value: Any) -> bool:
    return isinstance(value, bool | int | float)


def _is_list(value: Any) -> bool:
    return isinstance(value, list) and bool(value)


def _results(file: Path, date: str | None) -> Mapping[str, Any]:
    """The results that belong to a file of samples, empty where there are none."""
    exact = file.parent / f"results_{date}.json"
    beside = sorted(file.parent.glob("results*.json"))
    chosen = exact if exact.is_file() else beside[0] if len(beside) == 1 else None
    if chosen is None:
        return {}
    try:
        whole = loads(chosen.read_text(encoding="utf-8"), constants=True)
    except ValueError as error:
        raise BakeoffError(f"{chosen}: not JSON: {error}") from error
    return whole if isinstance(whole, dict) else {}


def _further(source: Source) -> tuple[dict[Any, dict[str, Any]], list[str]]:
    """Document -> its scores under all filters but the first; and the filters' names."""
    scores: dict[Any, dict[str, Any]] = {}
    names: list[str] = []
    for _, raw in json_lines(source.file):
        if isinstance(raw, str) or not Source(source.file, source.where).wants(raw):
            continue
        kind = raw.get("filter")
        if not names and kind in (None, "none"):
            return {}, []
        if kind not in names:
            names.append(str(kind))
        if kind != names[0]:
            scores.setdefault(raw.get("doc_id"), {}).update(_scores(raw, f"_{kind}"))
    return scores, names


def _scores(raw: Mapping[str, Any], end: str) -> dict[str, Any]:
    listed = raw.get("metrics")
    names = listed if isinstance(listed, list) else [n for n in raw if n not in _OWN]
    return {
        slug(f"{name}{end}"): raw[name] for name in map(str, names) if _is_number(raw.get(name))
    }


def _row(raw: Mapping[str, Any], unfiltered: bool) -> dict[str, Any]:
    given = raw.get("arguments")
    listed = list(given.values()) if isinstance(given, dict) else given or []
    arguments = [list(a.values()) if isinstance(a, dict) else a for a in listed]
    question = arguments[0][0] if arguments and _is_list(arguments[0]) else ""
    row = {
        "id": raw["doc_id"],
        "question": question,
        "targets": raw.get("target"),
        "same": raw.get("doc_hash"),
    }
    likely = _likelihoods(raw["filtered_resps"])
    if likely:
        return row | _chosen(raw, arguments, likely)
    replies = raw["resps"] if unfiltered else raw["filtered_resps"]
    while _is_list(replies):
        replies = replies[0]
    return {**row, "answer": replies if isinstance(replies, str) else ""}


def _likelihoods(replies: Any) -> list[tuple[float, bool]]:
    """(log-likelihood, is the greedy continuation) of every option; empty for generated texts."""
    if not _is_list(replies):
        return []
    try:
        return [(float(value), str(greedy) == "True") for value, greedy in replies]
    except (TypeError, ValueError):
        return []


def _chosen(
    raw: Mapping[str, Any], arguments: Sequence[Any], likely: Sequence[tuple[float, bool]]
) -> dict[str, Any]:
    """The likeliest option as the answer, and its probability among the options."""
    pairs = [(str(a[0]), str(a[1]).strip()) for a in arguments if _is_list(a) and len(a) > 1]
    # Metrics such as acc_mutual_info ask the options again, without the question.
    options = [text for context, text in pairs if context == pairs[0][0]]
    if len(options) == 1:
        options = [context.strip() for context, _ in pairs]
    if not options:
        options = [str(number) for number in range(len(likely))]
    likely = likely[: len(options)]
    if len(likely) == 1:
        value, greedy = likely[0]
        return {"answer": options[0] if greedy else "", "confidence": math.exp(min(value, 0.0))}
    values = [value for value, _ in likely]
    top = max(range(len(values)), key=lambda place: values[place])
    total = math.fsum(math.exp(value - values[top]) for value in values)
    return {
        "answer": options[top],
        "confidence": 1 / total,
        "targets": _target(raw, options, top),
        "fields": {"options": "\n".join(options)},
    }


def _target(raw: Mapping[str, Any], options: Sequence[str], top: int) -> Any:
    """The right option: the target is its text, or its place."""
    target = str(raw.get("target", "")).strip()
    place = int(target) if target.isdecimal() and int(target) < len(options) else None
    if place is None or (
        # Where options are numbers, the metric tells what the target is.
        target in options and "acc" in raw and (place == top) != (raw["acc"] == 1)
    ):
        return target
    return options[place]
