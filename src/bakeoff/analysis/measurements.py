"""What a run measured, sample by sample: all that comparing and gating need, and no texts.

Rows outlive the answers they were scored from: a baseline is a file of rows.
"""

from __future__ import annotations

import gzip
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from bakeoff.analysis.columns import Column, Columns, Measure
from bakeoff.analysis.stats import Floats
from bakeoff.core.measure import LATENCY_METRICS, TOKEN_METRICS
from bakeoff.core.words import BakeoffError

FORMAT = 1


@dataclass(frozen=True)
class Rows:
    """The columns of a run, with what says whether others can be compared with them."""

    run: str
    benchmark: str
    kinds: Mapping[str, str]
    """Setup -> its corner of the square."""
    columns: Columns
    tags: Mapping[str, Mapping[str, Mapping[str, str]]]
    """Task -> sample -> its tags; every sample of the task is named."""
    conditions: Mapping[str, Mapping[str, str]]
    """Task -> what must be alike for its numbers to be comparable -> its digest."""
    tokenizers: Mapping[str, str] = field(default_factory=dict)
    """Setup -> what counts its tokens."""
    dtypes: Mapping[str, str] = field(default_factory=dict)
    """Setup -> what its model computed in; empty or absent where that is not known."""
    noise: Mapping[str, float] = field(default_factory=dict)
    """Task -> the factor by which times differed that should be alike; absent where unknown."""
    skipped: Mapping[str, str] = field(default_factory=dict)
    """Task that could not be run -> why."""
    before: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    """Task -> the digests its conditions had when versions were hashes of files; of a run alone."""

    @property
    def setups(self) -> list[str]:
        return list(self.kinds)


def differences(
    one: Rows, other: Rows, task: str, metric: str, setups: tuple[str, str]
) -> list[str]:
    """Why a metric of a task cannot be compared between two runs; empty when it can."""
    mine, theirs = one.conditions.get(task, {}), other.conditions.get(task, {})
    wanted = ["samples", "prompt", "decoding", f"scorer {metric}"]
    found = [
        f"{what} of task {task} ({mine.get(what, 'none')} here, {theirs.get(what, 'none')} there)"
        for what in wanted
        if not _alike(one, other, task, what)
    ]
    dtypes = one.dtypes.get(setups[0], ""), other.dtypes.get(setups[1], "")
    if all(dtypes) and dtypes[0] != dtypes[1]:
        found.append(
            f"dtype ({dtypes[0]} here, {dtypes[1]} there): the same model answers otherwise; name "
            "one dtype in the benchmark that both machines compute in"
        )
    if metric in (*TOKEN_METRICS, "cost"):
        counters = one.tokenizers.get(setups[0], ""), other.tokenizers.get(setups[1], "")
        if counters[0] != counters[1]:
            found.append(f"tokenizer ({counters[0]} here, {counters[1]} there)")
    if metric in LATENCY_METRICS:
        found.append("seconds of another hour; compare setups within a run instead")
    return found


def _alike(one: Rows, other: Rows, task: str, what: str) -> bool:
    """Whether a condition is the same for both, by its digest now or that of before."""
    mine, theirs = (rows.conditions.get(task, {}).get(what) for rows in (one, other))
    if mine is None or theirs is None:
        return mine == theirs
    mine_before, theirs_before = (rows.before.get(task, {}).get(what) for rows in (one, other))
    # Not where both are alike before alone: what was one version then may be two now.
    return theirs in (mine, mine_before) or mine == theirs_before


def write_rows(path: Path, rows: Rows) -> None:
    """Keep rows as compressed JSON, the same bytes for the same rows."""
    text = json.dumps(_as_json(rows), separators=(",", ":"), ensure_ascii=False, allow_nan=False)
    path.write_bytes(gzip.compress(text.encode("utf-8", "replace"), mtime=0))


def read_rows(path: Path) -> Rows:
    """The rows that `path` holds. Raises `BakeoffError` when it holds none."""
    try:
        raw = json.loads(gzip.decompress(path.read_bytes()))
        if raw["format"] != FORMAT:
            raise BakeoffError(f"{path}: rows of format {raw['format']}; this reads {FORMAT}")
        return _from_json(raw)
    except (OSError, EOFError, ValueError, KeyError, TypeError, IndexError) as error:
        raise BakeoffError(f"{path}: no file of rows: {type(error).__name__}: {error}") from error


def _as_json(rows: Rows) -> dict[str, Any]:
    clusters: dict[str, dict[str, str]] = {task: {} for task in rows.tags}
    for (task, _, _), column in rows.columns.items():
        clusters[task].update(zip(column.samples, column.clusters, strict=True))
    places = {task: {name: i for i, name in enumerate(tags)} for task, tags in rows.tags.items()}
    return {
        "format": FORMAT,
        "run": rows.run,
        "benchmark": rows.benchmark,
        "kinds": dict(rows.kinds),
        "tasks": {
            task: {
                "samples": list(tags),
                "clusters": [clusters[task].get(name, name) for name in tags],
                "tags": [dict(each) for each in tags.values()],
                "conditions": dict(rows.conditions.get(task, {})),
                "noise": rows.noise.get(task),
            }
            for task, tags in rows.tags.items()
        },
        "tokenizers": dict(rows.tokenizers),
        "dtypes": dict(rows.dtypes),
        "skipped": dict(rows.skipped),
        "columns": [
            {
                "task": task,
                "setup": setup,
                "metric": metric,
                "higher_is_better": column.measure.higher_is_better,
                "aggregate": column.measure.aggregate,
                "bounds": _bounded(column.measure),
                "at": [places[task][name] for name in column.samples],
                "values": _numbers(column.values),
                "labels": column.labels,
                "answers": None
                if column.answers is None
                else [_numbers(row) for row in column.answers],
            }
            for (task, setup, metric), column in rows.columns.items()
        ],
    }


def _bounded(measure: Measure) -> list[float | None] | None:
    """Bounds as JSON, which knows no infinity."""
    if measure.bounds is None:
        return None
    return [end if np.isfinite(end) else None for end in measure.bounds]


def _numbers(values: Floats) -> list[float | None]:
    """Values as JSON, which knows no NaN."""
    if not np.isnan(values).any():
        return [float(value) for value in values]
    return [None if np.isnan(value) else float(value) for value in values]


def _floats(values: Sequence[Any]) -> Floats:
    return np.array([np.nan if value is None else value for value in values], dtype=np.float64)


def _measure(raw: Mapping[str, Any]) -> Measure:
    if raw["bounds"] is None:
        return Measure(raw["higher_is_better"], raw["aggregate"], None)
    low, high = raw["bounds"]
    ends = (-np.inf if low is None else low, np.inf if high is None else high)
    return Measure(raw["higher_is_better"], raw["aggregate"], ends)


def _from_json(raw: Mapping[str, Any]) -> Rows:
    tasks = raw["tasks"]
    return Rows(
        raw["run"],
        raw["benchmark"],
        raw["kinds"],
        {(c["task"], c["setup"], c["metric"]): _column(c, tasks) for c in raw["columns"]},
        {t: dict(zip(f["samples"], f["tags"], strict=True)) for t, f in tasks.items()},
        {task: facts["conditions"] for task, facts in tasks.items()},
        raw["tokenizers"],
        raw.get("dtypes", {}),
        {task: f["noise"] for task, f in tasks.items() if f["noise"] is not None},
        raw["skipped"],
    )


def _column(raw: Mapping[str, Any], tasks: Mapping[str, Any]) -> Column:
    facts = tasks[raw["task"]]
    return Column(
        tuple(facts["samples"][i] for i in raw["at"]),
        tuple(facts["clusters"][i] for i in raw["at"]),
        _floats(raw["values"]),
        tuple((e, p) for e, p in raw["labels"]) if raw["labels"] else None,
        _measure(raw),
        None if raw["answers"] is None else np.stack([_floats(row) for row in raw["answers"]]),
    )
