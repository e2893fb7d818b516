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
from typing import Annotated, Any

from pydantic import BeforeValidator, ConfigDict

from bakeoff.core.strict_json import loads
from bakeoff.core.words import BakeoffError
from bakeoff.running.importing.foreign import Foreign, is_number, understood
from bakeoff.running.importing.sources import OwnRow, Row, Source, slug
from bakeoff.tasks.formats.json_rows import json_lines

_NAME = re.compile(r"samples_(?P<task>.+?)(_(?P<date>\d{4}[-T:.\d]*))?\.jsonl")


def _as_lists(arguments: Any) -> Any:
    """Arguments of all requests: of late they have names (`gen_args_0: {arg_0: ...}`)."""
    if isinstance(arguments, dict):
        arguments = list(arguments.values())
    if not isinstance(arguments, list):
        return arguments
    return [list(one.values()) if isinstance(one, dict) else one for one in arguments]


class _Sample(Foreign):
    """A document under one filter; its metrics stand beside the fields, under their names."""

    model_config = ConfigDict(extra="allow")

    doc_id: Any
    doc: Any = None
    target: Any = ""
    arguments: Annotated[tuple[Any, ...], BeforeValidator(_as_lists)] = ()
    resps: Any
    filtered_resps: Any
    filter: str = "none"
    metrics: tuple[str, ...] = ()
    doc_hash: str | None = None
    prompt_hash: str | None = None
    target_hash: str | None = None

    @property
    def values(self) -> Mapping[str, object]:
        """Metric -> value; samples of before `metrics` have no other keys."""
        held = self.model_extra or {}
        return {name: held.get(name) for name in self.metrics} if self.metrics else held

    @property
    def right(self) -> bool | None:
        """Whether the likeliest option is the right one, where the harness says so."""
        accuracy = self.values.get("acc")
        return accuracy == 1 if is_number(accuracy) else None

    def scores(self, end: str) -> dict[str, float]:
        """The metrics that are numbers."""
        return {slug(f"{n}{end}"): value for n, value in self.values.items() if is_number(value)}


class _Results(Foreign):
    """What the file of a run's results says of its tasks."""

    model_name: str = ""
    model_name_sanitized: str = ""
    higher_is_better: Mapping[str, Mapping[str, bool | None] | None] = {}
    versions: Mapping[str, object] = {}
    lm_eval_version: str = ""


def recognizes(file: Path) -> bool:
    """By its name: the harness gives no other."""
    return bool(_NAME.fullmatch(file.name))


def rows(source: Source) -> Iterator[Row]:
    """A row a document."""
    about = _About.of(source)
    further, names = _further(source)
    first = True
    for place, sample in _samples(source):
        if isinstance(sample, str):
            yield place, sample
            continue
        if names and sample.filter != names[0]:
            continue
        if first:
            about.say(source, sample, names)
            first = False
        scores = sample.scores(f"_{sample.filter}" if len(names) > 1 else "")
        scores |= further.get(sample.doc_id, {})
        yield place, {**_row(sample, len(names) > 1), **about.row, "scores": scores}


def _samples(source: Source) -> Iterator[tuple[str, _Sample | str]]:
    """Those that are asked for, or what is wrong with a line."""
    for place, raw in json_lines(source.file):
        if isinstance(raw, str):
            yield place, raw
        elif source.wants(raw):
            yield place, understood(_Sample, raw)


@dataclass(frozen=True)
class _About:
    """What the files beside one of samples say of all its rows."""

    row: OwnRow
    lower: frozenset[str]
    version: str
    """Of the harness."""

    @classmethod
    def of(cls, source: Source) -> _About:
        file = source.file.resolve()
        match = _NAME.fullmatch(file.name)
        task = match["task"] if match else file.stem
        setup, results = file.parent.name, _results(file, match["date"] if match else None)
        if results.model_name_sanitized == setup:
            setup = results.model_name or setup
        row: OwnRow = {"task": task, "setup": setup}
        if task in results.versions:
            row["version"] = str(results.versions[task])
        better = results.higher_is_better.get(task) or {}
        lower = frozenset(name for name, higher in better.items() if higher is False)
        return cls(row, lower, results.lm_eval_version)

    def say(self, source: Source, sample: _Sample, names: Sequence[str]) -> None:
        """Note what is to be known of the file, as its first sample shows it."""
        for metric in sample.metrics:
            if not is_number(sample.values[metric]):
                source.left[f"metric {metric} (no number for a sample)"] += 1
        source.lower |= {slug(name) for name in self.lower}
        source.lower |= {slug(f"{name}_{kind}") for name in self.lower for kind in names}
        if self.version:
            source.notes.append(f"made by lm-eval {self.version}")
        replies = sample.resps[0] if _is_list(sample.resps) else ()
        if _is_list(replies) and len(replies) > 1:
            source.notes.append(f"{len(replies)} replies to a sample made one score")


def _is_list(value: Any) -> bool:
    return isinstance(value, list) and bool(value)


def _results(file: Path, date: str | None) -> _Results:
    """The results that belong to a file of samples, empty where there are none."""
    exact = file.parent / f"results_{date}.json"
    beside = sorted(file.parent.glob("results*.json"))
    chosen = exact if exact.is_file() else beside[0] if len(beside) == 1 else None
    if chosen is None:
        return _Results()
    try:
        whole = loads(chosen.read_text(encoding="utf-8"), constants=True)
    except ValueError as error:
        raise BakeoffError(f"{chosen}: not JSON: {error}") from error
    results = understood(_Results, whole)
    if isinstance(results, str):
        raise BakeoffError(f"{chosen}: not results of lm-eval: {results}")
    return results


def _further(source: Source) -> tuple[dict[Any, dict[str, float]], list[str]]:
    """Document -> its scores under all filters but the first; and the filters' names."""
    scores: dict[Any, dict[str, float]] = {}
    names: list[str] = []
    # A source of its own: what is left out is counted when the rows are taken.
    for _, sample in _samples(Source(source.file, source.where)):
        if isinstance(sample, str):
            continue
        if not names and sample.filter == "none":
            return {}, []
        if sample.filter not in names:
            names.append(sample.filter)
        if sample.filter != names[0]:
            scores.setdefault(sample.doc_id, {}).update(sample.scores(f"_{sample.filter}"))
    return scores, names


def _row(sample: _Sample, unfiltered: bool) -> OwnRow:
    question = sample.arguments[0][0] if sample.arguments and _is_list(sample.arguments[0]) else ""
    row: OwnRow = {
        "id": sample.doc_id,
        "question": question,
        "targets": sample.target,
        "same": sample.doc_hash,
        "doc": sample.doc,
    }
    likely = _likelihoods(sample.filtered_resps)
    if likely:
        return {**row, **_chosen(sample, likely)}
    replies = sample.resps if unfiltered else sample.filtered_resps
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


def _chosen(sample: _Sample, likely: Sequence[tuple[float, bool]]) -> OwnRow:
    """The likeliest option as the answer, and its probability among the options."""
    asked = [a for a in sample.arguments if _is_list(a) and len(a) > 1]
    pairs = [(str(a[0]), str(a[1]).strip()) for a in asked]
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
        "targets": _target(sample, options, top),
        "fields": {"options": "\n".join(options)},
    }


def _target(sample: _Sample, options: Sequence[str], top: int) -> str:
    """The right option: the target is its text, or its place."""
    target = str(sample.target).strip()
    place = int(target) if target.isdecimal() and int(target) < len(options) else None
    if place is None or (
        # Where options are numbers, the metric tells what the target is.
        target in options and sample.right is not None and (place == top) != sample.right
    ):
        return target
    return options[place]
