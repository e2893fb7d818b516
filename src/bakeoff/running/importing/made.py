"""Task, suite, manifest and notes of an imported run."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import yaml

from bakeoff.analysis.stats import RATE
from bakeoff.core.secrets import masked
from bakeoff.core.words import BakeoffError, digest
from bakeoff.metrics.refusals import BY_REFUSALS
from bakeoff.running.facts import blank_manifest
from bakeoff.running.importing.given import restore
from bakeoff.running.importing.intake import FIRST, Intake
from bakeoff.running.importing.wanted import Import
from bakeoff.running.scoring import score
from bakeoff.runs import store
from bakeoff.runs.digests import TaskDigests
from bakeoff.runs.manifest import COMPLETE, Imported, Manifest, MetricFacts
from bakeoff.spec import names
from bakeoff.spec.benchmark import Suite, TaskUse
from bakeoff.spec.metric import Metric
from bakeoff.spec.task import Rows, Source, TaskFile
from bakeoff.tasks.load import PROMPT, Selection, Task, load_task, take


def make(folder: Path, name: str, wanted: Import, taken: Intake) -> Manifest:
    """Task, samples, scores and manifest of the run whose journals are whole."""
    task, file = taken.task, wanted.task
    if not task and wanted.scorers:
        file = _write_task(folder, wanted, taken)
        task = take(load_task(file), TaskUse(), Selection(), 0)
    if not task:
        task = _task(wanted, taken)
    suite = _suite(name, file.name if file else taken.name, taken)
    store.write_samples(folder, {task.name: task.samples})
    if not file:
        named = taken.sources[0].file
    else:
        # Of a task made here only its name is known until the run has its place.
        named = os.path.relpath(file) if wanted.task else file.name
    manifest = _manifest(suite, wanted, taken, task, named)
    if task.scorers:
        manifest = score(folder, manifest, suite, {task.name: task})
    return restore(folder, manifest)


def _suite(name: str, task: str, taken: Intake) -> Suite:
    setups = {
        lane.name: {"model": lane.origin, "imported": list(lane.files)}
        for lane in taken.lanes.values()
    }
    return Suite.model_validate(
        {
            "name": name,
            "description": "Results of another tool, brought in by `bakeoff import`.",
            "tasks": [task],
            "setups": setups,
            "repeats": taken.repeats,
        }
    )


def _write_task(folder: Path, wanted: Import, taken: Intake) -> Path:
    """The task that the rows make, as files of its own: its answers can be scored again."""
    if empty := [sample.id for sample in taken.samples.values() if not sample.targets]:
        named = ", ".join(map(repr, empty[:FIRST]))
        raise BakeoffError(
            f"import: target: {len(empty)} samples have none: {named}; scorers compare with it"
        )
    place = folder / "task"
    place.mkdir()
    rows = (
        {"id": s.id, "question": s.question, "targets": s.targets}
        | ({"cluster": s.cluster} if s.cluster else {})
        | ({"tags": dict(s.tags)} if s.tags else {})
        for s in taken.samples.values()
    )
    with (place / f"{taken.name}.jsonl").open("w", encoding="utf-8") as stream:
        stream.writelines(json.dumps(row) + "\n" for row in rows)
    made: dict[str, Any] = {
        "description": _DESCRIPTION,
        "rows": {"test": f"{taken.name}.jsonl"},
        "scorers": list(wanted.scorers),
    }
    if any(Metric.parse(name).name in BY_REFUSALS for name in wanted.scorers):
        made["refusal"] = {"say": "I do not know."}
    file = place / f"{taken.name}.yaml"
    file.write_text(yaml.safe_dump(made, sort_keys=False), encoding="utf-8")
    return file


_DESCRIPTION = "What the rows of another tool say of their samples."


def _task(wanted: Import, taken: Intake) -> Task:
    """The task that the rows make, when they bring their scores: it has no scorers to run."""
    samples = tuple(taken.samples.values())
    file = TaskFile(
        name=taken.name,
        description=_DESCRIPTION,
        rows=Rows(test=Source(files=taken.sources[0].file)),
        scorers=tuple(wanted.fields.scores),
    )
    whole = [[s.id, dict(s.fields), s.targets, s.gold, s.cluster, dict(s.tags)] for s in samples]
    return Task(
        file=file,
        folder=taken.folder,
        samples=samples,
        train=(),
        corpora={},
        scorers={},
        population=samples,
        whole=len(samples),
        whole_ids=digest([sample.id for sample in samples]),
        digests=TaskDigests(
            {
                "task": digest([taken.name, sorted(wanted.fields.scores)]),
                "prompt": digest({part: getattr(file, part) for part in PROMPT}),
                "test": digest(whole),
                "train": digest([]),
            }
        ),
    )


def _manifest(suite: Suite, wanted: Import, taken: Intake, task: Task, file: str) -> Manifest:
    command = " ".join(["bakeoff import", *(os.path.relpath(path) for path in wanted.files)])
    parts = {
        "file": file,
        "command": masked(wanted.command or command),
        "status": COMPLETE,
        "imported": _imported(wanted, taken),
    }
    return blank_manifest(suite, Selection(), {task.name: task}).model_copy(update=parts)


def _imported(wanted: Import, taken: Intake) -> Imported:
    """Where everything came from, what was made of it, and what is to be known about it."""
    lower = set(map(names.metric, wanted.lower_is_better))
    scores = wanted.fields.scores
    mapping = {name: path for name, path in asdict(wanted.fields).items() if path}
    return Imported(
        files=tuple(taken.sources),
        fields={**mapping, "optional": sorted(wanted.fields.optional)},
        answers=bool(wanted.fields.answer),
        setups={lane.name: lane.origin for lane in taken.lanes.values()},
        metrics={
            metric: MetricFacts(
                higher_is_better=metric not in lower,
                bounds=RATE if _is_rate(taken.ends[metric]) else None,
                version=digest(["imported", metric, path, metric not in lower]),
                about=f"`{path}` of the imported rows.",
            )
            for metric, path in scores.items()
        },
        worst={metric: _worst(taken.ends[metric], metric in lower) for metric in scores},
        timing="the other tool's own" if taken.timed else None,
        notes=tuple(_notes(taken, lower)),
    )


def _is_rate(ends: tuple[float, float]) -> bool:
    return RATE[0] <= ends[0] and ends[1] <= RATE[1]


def _worst(ends: tuple[float, float], lower_is_better: bool) -> float:
    """What a failed answer scores: 0 (or 1), or the worst value of the import where that is."""
    return max(1.0, ends[1]) if lower_is_better else min(0.0, ends[0])


def _notes(taken: Intake, lower: Iterable[str]) -> Iterator[str]:
    """What a reader must know of the rows, a sentence each."""
    rows = sum(source.rows for source in taken.sources)
    lanes, cells = taken.lanes.values(), len(taken.samples) * taken.repeats
    times = f" x {taken.repeats} repeats" if taken.repeats > 1 else ""
    yield (
        f"imported {rows} rows of {len(taken.sources)} files: {len(lanes)} setups x "
        f"{len(taken.samples)} samples{times}"
    )
    for lane in lanes:
        if lane.name != lane.origin:
            yield f"setup {lane.origin!r} is called {lane.name}"
        missing = sum(n for error, n in lane.failed.items() if error.startswith("missing from"))
        if missing:
            yield (
                f"setup {lane.name}: {missing} of {cells} answers are missing from "
                f"{', '.join(lane.files)}: they are failures with the worst score"
            )
        if others := lane.failed.total() - missing:
            yield f"setup {lane.name}: {others} of {cells} rows have an error or no answer"
        for metric, count in lane.unjudged.items():
            yield f"setup {lane.name}: {count} of {cells} values of {metric} are unjudged"
    worst = {m: _worst(ends, m in lower) for m, ends in taken.ends.items() if not _is_rate(ends)}
    for metric, value in worst.items():
        yield f"{metric} is no rate: a failed answer scores {value:g} in it"
    if taken.timed:
        yield "seconds are the other tool's own timing: setups were not timed in turn"
