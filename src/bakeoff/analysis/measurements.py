"""What a run measured, sample by sample: all that comparing and gating need, and no texts.

Rows outlive the answers they were scored from: a baseline is a file of rows.
"""

from __future__ import annotations

import gzip
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

import numpy as np
from pydantic import TypeAdapter, ValidationError

from bakeoff.analysis.columns import Column, Columns, Measure
from bakeoff.analysis.stats import Floats
from bakeoff.analysis.treatment import Change, Treatment, changes
from bakeoff.core import disk
from bakeoff.core.measure import LATENCY_METRICS, TOKEN_METRICS
from bakeoff.core.words import BakeoffError, faults
from bakeoff.spec import names
from bakeoff.spec.yaml_files import explained

FORMAT = 1
SCORER = "scorer "
"""What the condition that a metric's scorer is the same is called before the metric's name."""


@dataclass(frozen=True)
class Rows:
    """The columns of a run, with what says whether others can be compared with them."""

    run: str
    benchmark: str
    kinds: Mapping[str, str]
    """Setup -> its kind, a cell of the 2×2 design."""
    columns: Columns
    tags: Mapping[str, Mapping[str, Mapping[str, str]]]
    """Task -> sample -> its tags; every sample of the task is named."""
    conditions: Mapping[str, Mapping[str, str]]
    """Task -> what measured it, or was done to its samples -> its digest."""
    tokenizers: Mapping[str, str] = field(default_factory=dict)
    """Setup -> what counts its tokens."""
    dtypes: Mapping[str, str] = field(default_factory=dict)
    """Setup -> what its model computed in; empty or absent where that is not known."""
    noise: Mapping[str, float] = field(default_factory=dict)
    """Task -> the factor by which times differed that should be alike; absent where unknown."""
    skipped: Mapping[str, str] = field(default_factory=dict)
    """Task that could not be run -> why."""
    treatments: Mapping[str, Mapping[str, Treatment]] = field(default_factory=dict)
    """Task -> setup -> what it did to the samples; empty where that was not kept."""
    before: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    """Task -> the digests its conditions had when versions were hashes of files; of a run alone."""

    contents: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    """Task -> sample -> digest of its row; empty where that was not kept."""

    @property
    def setups(self) -> list[str]:
        return list(self.kinds)


def differences(
    one: Rows, other: Rows, task: str, metric: str, setups: tuple[str, str]
) -> list[str]:
    """Why a metric of a task cannot be compared between two runs; empty when it can.

    It can where both measured the same: rows, targets, scorers and judges. What was done to the
    samples (`treated`) may differ.
    """
    mine, theirs = one.conditions.get(task, {}), other.conditions.get(task, {})
    wanted = ["samples", SCORER + metric]
    if "scoring" in mine and "scoring" in theirs:
        wanted.append("scoring")
    reasons = [
        f"{what} of task {task} ({mine.get(what, 'none')} here, {theirs.get(what, 'none')} there)"
        for what in wanted
        if not _alike(one, other, task, what)
    ]
    dtypes = one.dtypes.get(setups[0], ""), other.dtypes.get(setups[1], "")
    same_model = "model" not in {change.name for change in treated(one, other, task, setups)}
    if same_model and all(dtypes) and dtypes[0] != dtypes[1]:
        reasons.append(
            f"dtype ({dtypes[0]} here, {dtypes[1]} there): the same model answers otherwise; name "
            "one dtype in the benchmark that both machines compute in"
        )
    if metric in TOKEN_METRICS:
        counters = one.tokenizers.get(setups[0], ""), other.tokenizers.get(setups[1], "")
        if counters[0] != counters[1]:
            reasons.append(f"tokenizer ({counters[0]} here, {counters[1]} there)")
    if metric in LATENCY_METRICS:
        reasons.append("seconds of another hour; compare setups within a run instead")
    return reasons


def edited(one: Rows, other: Rows, task: str) -> list[str]:
    """Ids of samples that both runs have, and whose rows differ."""
    mine, theirs = one.contents.get(task, {}), other.contents.get(task, {})
    return [name for name, row in mine.items() if theirs.get(name, row) != row]


def treated(one: Rows, other: Rows, task: str, setups: tuple[str, str]) -> list[Change]:
    """In what the treatment of a task differs between a setup of one run and of another."""
    mine = one.treatments.get(task, {}).get(setups[0])
    theirs = other.treatments.get(task, {}).get(setups[1])
    if mine is None or theirs is None:  # baselines of before kept these two alone
        mine, theirs = (
            {n: v for n, v in rows.conditions.get(task, {}).items() if n in ("prompt", "decoding")}
            for rows in (one, other)
        )
    return changes(task, mine, theirs)


def _alike(one: Rows, other: Rows, task: str, what: str) -> bool:
    """Whether a condition is the same for both, by its digest now or that of before."""
    mine, theirs = (rows.conditions.get(task, {}).get(what) for rows in (one, other))
    if mine is None or theirs is None:
        return mine == theirs
    mine_before, theirs_before = (rows.before.get(task, {}).get(what) for rows in (one, other))
    # Not where both are alike before alone: what was one version then may be two now.
    return theirs in (mine, mine_before) or mine == theirs_before


@dataclass(frozen=True)
class _Task:
    """A task in a file of rows: its samples in order, with their clusters and tags."""

    samples: Sequence[str]
    clusters: Sequence[str]
    tags: Sequence[Mapping[str, str]]
    conditions: Mapping[str, str]
    noise: float | None
    contents: Sequence[str] = ()


@dataclass(frozen=True)
class _Column:
    """A column in a file of rows. JSON knows neither NaN nor infinity: both are null."""

    task: str
    setup: str
    metric: str
    higher_is_better: bool
    aggregate: str
    bounds: tuple[float | None, float | None] | None
    at: Sequence[int]
    """Where its samples are in the task's."""
    values: Sequence[float | None]
    labels: Sequence[tuple[str, str]] | None
    answers: Sequence[Sequence[float | None]] | None


@dataclass(frozen=True)
class _File:
    """A file of rows. Samples are kept once for all columns of their task."""

    format: int
    run: str
    benchmark: str
    kinds: Mapping[str, str]
    tasks: Mapping[str, _Task]
    tokenizers: Mapping[str, str]
    skipped: Mapping[str, str]
    columns: Sequence[_Column]
    dtypes: Mapping[str, str] = field(default_factory=dict)
    treatments: Mapping[str, Mapping[str, Treatment]] = field(default_factory=dict)


@cache
def _reader() -> TypeAdapter[_File]:
    """What checks a file of rows. Made when first used: runs write such files, few read them."""
    return TypeAdapter(_File)


def write_rows(path: Path, rows: Rows) -> None:
    """Keep rows as compressed JSON, the same bytes for the same rows."""
    text = json.dumps(
        _filed(rows), default=vars, separators=(",", ":"), ensure_ascii=False, allow_nan=False
    )
    disk.replace(path, [gzip.compress(text.encode("utf-8", "replace"), mtime=0)])


def read_rows(path: Path) -> Rows:
    """The rows that `path` holds. Raises `BakeoffError` when it holds none."""
    try:
        file = _reader().validate_json(gzip.decompress(path.read_bytes()))
        if file.format != FORMAT:
            raise BakeoffError(f"{path}: rows of format {file.format}; this reads {FORMAT}")
        return _rows(file)
    except ValidationError as error:
        faults([f"{path}: no file of rows: {fault}" for fault in explained(error)])
        raise
    except (OSError, EOFError, ValueError, IndexError) as error:
        raise BakeoffError(f"{path}: no file of rows: {type(error).__name__}: {error}") from error


def _filed(rows: Rows) -> _File:
    clusters: dict[str, dict[str, str]] = {task: {} for task in rows.tags}
    for (task, _, _), column in rows.columns.items():
        clusters[task].update(zip(column.samples, column.clusters, strict=True))
    places = {task: {name: i for i, name in enumerate(tags)} for task, tags in rows.tags.items()}
    tasks = {
        task: _Task(
            list(tags),
            [clusters[task].get(name, name) for name in tags],
            list(tags.values()),
            rows.conditions.get(task, {}),
            rows.noise.get(task),
            [row for name in tags if (row := rows.contents.get(task, {}).get(name))],
        )
        for task, tags in rows.tags.items()
    }
    columns = [
        _Column(
            *(task, setup, metric, column.measure.higher_is_better, column.measure.aggregate),
            bounds=_bounded(column.measure),
            at=[places[task][name] for name in column.samples],
            values=_numbers(column.values),
            labels=column.labels,
            answers=None if column.answers is None else [_numbers(row) for row in column.answers],
        )
        for (task, setup, metric), column in rows.columns.items()
    ]
    return _File(
        *(FORMAT, rows.run, rows.benchmark, rows.kinds, tasks),
        *(rows.tokenizers, rows.skipped, columns, rows.dtypes, rows.treatments),
    )


def _bounded(measure: Measure) -> tuple[float | None, float | None] | None:
    if measure.bounds is None:
        return None
    low, high = measure.bounds
    return low if math.isfinite(low) else None, high if math.isfinite(high) else None


def _numbers(values: Floats) -> list[float | None]:
    if not np.isnan(values).any():
        return [float(value) for value in values]
    return [None if np.isnan(value) else float(value) for value in values]


def _floats(values: Sequence[float | None]) -> Floats:
    return np.array([np.nan if value is None else value for value in values], dtype=np.float64)


def _rows(file: _File) -> Rows:
    tasks = file.tasks
    return Rows(
        *(file.run, file.benchmark, names.kinds(file.kinds)),
        {
            (c.task, c.setup, names.metric(c.metric)): _column(c, tasks[c.task])
            for c in file.columns
        },
        {name: dict(zip(task.samples, task.tags, strict=True)) for name, task in tasks.items()},
        {name: _conditions(task.conditions) for name, task in tasks.items()},
        file.tokenizers,
        file.dtypes,
        {name: task.noise for name, task in tasks.items() if task.noise is not None},
        file.skipped,
        {task: _treatments(setups) for task, setups in file.treatments.items()},
        contents={
            name: dict(zip(task.samples, task.contents, strict=True))
            for name, task in tasks.items()
            if task.contents
        },
    )


def _conditions(kept: Mapping[str, str]) -> dict[str, str]:
    """Digests by condition; a scorer's is under the present name of its metric."""
    return {
        SCORER + names.metric(what.removeprefix(SCORER)) if what.startswith(SCORER) else what: value
        for what, value in kept.items()
    }


def _treatments(kept: Mapping[str, Treatment]) -> dict[str, Treatment]:
    """Treatments by setup; the model of a custom setup is its kind, by the present name."""
    return {
        setup: {**what, "model": names.KINDS.get(str(model), model)}
        if (model := what.get("model")) is not None
        else what
        for setup, what in kept.items()
    }


def _column(kept: _Column, task: _Task) -> Column:
    return Column(
        tuple(task.samples[i] for i in kept.at),
        tuple(task.clusters[i] for i in kept.at),
        _floats(kept.values),
        tuple(kept.labels) if kept.labels else None,
        _measure(kept),
        None if kept.answers is None else np.stack([_floats(row) for row in kept.answers]),
    )


def _measure(kept: _Column) -> Measure:
    if kept.bounds is None:
        return Measure(kept.higher_is_better, kept.aggregate, None)
    low, high = kept.bounds
    ends = (-math.inf if low is None else low, math.inf if high is None else high)
    return Measure(kept.higher_is_better, kept.aggregate, ends)
