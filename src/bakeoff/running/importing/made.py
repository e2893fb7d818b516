"""Tasks, suite, manifest and notes of an imported run."""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import yaml

from bakeoff.analysis.stats import RATE
from bakeoff.core.counts import quantity
from bakeoff.core.secrets import masked
from bakeoff.core.words import BakeoffError, Sample, digest
from bakeoff.metrics.forms import STRICT
from bakeoff.metrics.refusals import BY_REFUSALS, WITHOUT_REFUSALS, refused
from bakeoff.running.facts import blank_manifest
from bakeoff.running.importing.given import restore
from bakeoff.running.importing.intake import FIRST, Intake
from bakeoff.running.importing.receiving import Receiver, from_passages
from bakeoff.running.importing.sources import MONEY
from bakeoff.running.importing.wanted import Import
from bakeoff.running.scoring import score
from bakeoff.runs import store
from bakeoff.runs.digests import TaskDigests
from bakeoff.runs.manifest import COMPLETE, Imported, Manifest, MetricFacts
from bakeoff.spec.benchmark import Suite, TaskUse
from bakeoff.spec.metric import Metric
from bakeoff.spec.refusals import PHRASES
from bakeoff.spec.task import Rows, Source, TaskFile
from bakeoff.tasks.beir import NEED_NO_ANSWER
from bakeoff.tasks.load import PROMPT, Selection, Task, load_task, take
from bakeoff.tasks.targets import compares_texts


def make(
    folder: Path, name: str, wanted: Import, taken: Receiver, passed: Sequence[Path]
) -> Manifest:
    """Tasks, samples, scores and manifest of the run whose journals are whole."""
    tasks, files = {}, []
    for intake in taken.intakes.values():
        task, file, selection = intake.task, wanted.task, Selection()
        if task and len(intake.samples) < len(task.samples):
            selection = Selection(ids=tuple(intake.samples))
            task = take(task, TaskUse(), selection, 0)
        if not task and wanted.scorers:
            file = _write_task(folder, wanted, intake)
            task = take(load_task(file), TaskUse(), Selection(), 0)
        tasks[intake.name] = task or _task(taken, intake)
        files.append(file.name if file else intake.name)
    suite = _suite(name, files, taken)
    store.write_samples(folder, {name: task.samples for name, task in tasks.items()})
    named = taken.sources[0].file
    if wanted.task or wanted.scorers:
        # Of tasks made here only the names are known until the run has its place.
        named = os.path.relpath(wanted.task) if wanted.task else files[0]
    manifest = blank_manifest(suite, selection, tasks).model_copy(
        update={
            "file": named,
            "command": masked(wanted.command or _command(wanted)),
            "status": COMPLETE,
            "imported": _imported(wanted, taken, passed),
        }
    )
    if wanted.task or wanted.scorers:
        manifest = score(folder, manifest, suite, tasks)
    return restore(folder, manifest)


def _command(wanted: Import) -> str:
    return " ".join(["bakeoff import", *(os.path.relpath(path) for path in wanted.files)])


def _suite(name: str, tasks: Sequence[str], taken: Receiver) -> Suite:
    setups: dict[str, dict[str, Any]] = {}
    for setup, origin in taken.setups.items():
        lanes = {
            task: lane
            for task, intake in taken.intakes.items()
            if (lane := intake.lanes.get(origin))
        }
        files = dict.fromkeys(file for lane in lanes.values() for file in lane.files)
        all_of_them = len(lanes) == len(taken.intakes)
        only = {} if all_of_them else {"tasks": list(lanes)}
        setups[setup] = {"model": origin, "imported": list(files), **only}
    return Suite.model_validate(
        {
            "name": name,
            "description": "Results of another tool, brought in by `bakeoff import`.",
            "tasks": list(tasks),
            "setups": setups,
            "repeats": taken.repeats,
        }
    )


def _write_task(folder: Path, wanted: Import, taken: Intake) -> Path:
    """The task that the rows make, as files of its own: its answers can be scored again."""
    metrics = [Metric.parse(text) for text in wanted.scorers]
    asked = [metric.name for metric in metrics]
    unanswered = set(asked) <= set(NEED_NO_ANSWER)
    empty = [sample.id for sample in taken.samples.values() if not sample.targets]
    if empty and not unanswered:
        named = ", ".join(map(repr, empty[:FIRST]))
        raise BakeoffError(
            f"import: target: none for {quantity(len(empty), 'sample')}: {named}; "
            "scorers compare with it"
        )
    place = folder / "task"
    place.mkdir(exist_ok=True)
    rows = (
        {**s.fields, "id": s.id, "targets": s.targets}
        | ({"gold": s.gold} if s.gold else {})
        | ({"cluster": s.cluster} if s.cluster else {})
        | ({"tags": dict(s.tags)} if s.tags else {})
        for s in taken.samples.values()
    )
    with (place / f"{taken.name}.jsonl").open("w", encoding="utf-8") as stream:
        stream.writelines(json.dumps(row) + "\n" for row in rows)
    phrases = _phrases(wanted)
    made = {
        "description": _DESCRIPTION,
        "rows": {"test": f"{taken.name}.jsonl"},
        "scorers": list(wanted.scorers),
        **({"normalization": STRICT} if compares_texts(metrics) else {}),
        **({"refusal": {"say": "I do not know.", "phrases": list(phrases)}} if phrases else {}),
    }
    file = place / f"{taken.name}.yaml"
    file.write_text(yaml.safe_dump(made, sort_keys=False), encoding="utf-8")
    return file


def _phrases(wanted: Import) -> tuple[str, ...]:
    """What counts as declining; none where no scorer treats answers that decline apart."""
    asked = {Metric.parse(text).name for text in wanted.scorers}
    apart = asked & {*BY_REFUSALS, *WITHOUT_REFUSALS} or asked <= set(NEED_NO_ANSWER)
    return tuple(wanted.refusals or PHRASES) if wanted.refusals or apart else ()


_DESCRIPTION = "What the rows of another tool say of their samples."


def _task(received: Receiver, taken: Intake) -> Task:
    """The task that the rows make, when they bring their scores: it has no scorers to run."""
    samples = tuple(taken.samples.values())
    file = TaskFile(
        name=taken.name,
        description=_DESCRIPTION,
        rows=Rows(test=Source(files=received.sources[0].file)),
        scorers=tuple(taken.metrics),
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
                "task": digest([taken.name, sorted(taken.metrics)]),
                "prompt": digest({part: getattr(file, part) for part in PROMPT}),
                "test": digest(whole),
                "train": digest([]),
            }
        ),
    )


def _imported(wanted: Import, taken: Receiver, passed: Sequence[Path]) -> Imported:
    """Where everything came from, what was made of it, and what is to be known about it."""
    stated = (*wanted.lower_is_better, *taken.lower)
    lower = {taken.renamed.get(name, name) for name in stated}
    scores = wanted.fields.scores
    mapping = {name: path for name, path in asdict(wanted.fields).items() if path}
    ends = taken.ends
    several = {name: tuple(intake.metrics) for name, intake in taken.intakes.items()}
    return Imported(
        files=tuple(taken.sources),
        fields={**mapping, "optional": sorted(wanted.fields.optional)},
        answers=bool(wanted.fields.answer) or any(source.format for source in taken.sources),
        setups=taken.setups,
        metrics={
            metric: MetricFacts(
                higher_is_better=metric not in lower,
                bounds=RATE if _is_rate(metric, ends[metric]) else None,
                version=digest(
                    ["imported", metric, scores.get(metric, metric), metric not in lower]
                ),
                about=f"`{scores.get(metric, metric)}` of the imported rows.",
            )
            for metric in dict.fromkeys(name for listed in several.values() for name in listed)
        },
        worst={metric: _worst(metric, ends[metric], metric in lower) for metric in ends},
        tasks=several if len(several) > 1 else None,
        timing="the other tool's own" if any(i.times for i in taken.intakes.values()) else None,
        notes=tuple(_notes(taken, lower, passed)),
    )


def _is_rate(metric: str, ends: tuple[float, float]) -> bool:
    return metric != MONEY and RATE[0] <= ends[0] and ends[1] <= RATE[1]


def _worst(metric: str, ends: tuple[float, float], lower_is_better: bool) -> float:
    """What a failed answer scores: 0 (or 1), or the worst value of the import where that is."""
    if metric == MONEY:
        return ends[1]
    return max(1.0, ends[1]) if lower_is_better else min(0.0, ends[0])


def _notes(taken: Receiver, lower: Collection[str], passed: Sequence[Path]) -> Iterator[str]:
    """What a reader must know of the rows, a sentence each."""
    formats = Counter(source.format or "rows of named columns" for source in taken.sources)
    rows = sum(source.rows for source in taken.sources)
    known = ", ".join(f"{name} ({count})" for name, count in formats.items())
    yield f"imported {quantity(rows, 'row')} of {quantity(len(taken.sources), 'file')}: {known}"
    for name, intake in taken.intakes.items():
        times = f" x {taken.repeats} repeats" if taken.repeats > 1 else ""
        metrics = ", ".join(intake.metrics) or "none"
        yield (
            f"task {name}: {quantity(len(intake.lanes), 'setup')} x "
            f"{quantity(len(intake.samples), 'sample')}{times}; "
            f"scores: {metrics}"
        )
        yield from _notes_of(intake, len(intake.samples) * taken.repeats)
        scorers = intake.task.scorers if intake.task else taken.wanted.scorers
        yield from _notes_of_passages(intake, from_passages(scorers))
    for setup, origin in taken.setups.items():
        if setup != origin:
            yield f"setup {origin!r} is called {setup}"
    for metric, name in taken.renamed.items():
        yield f"score {metric} is called {name}: bakeoff has, or had, a metric of its name"
    for what, count in taken.left.items():
        yield f"left out: {count} {what}"
    if passed:
        first = ", ".join(path.name for path in passed[:FIRST])
        yield f"left out: {quantity(len(passed), 'file')} without samples: {first}"
    yield from taken.notes
    samples = (sample for intake in taken.intakes.values() for sample in intake.samples.values())
    yield from _notes_of_scorers(taken.wanted, samples)
    worst = {
        m: _worst(m, ends, m in lower) for m, ends in taken.ends.items() if not _is_rate(m, ends)
    }
    for metric, value in worst.items():
        yield f"{metric} is no rate: a failed answer scores {value:g} in it"
    if any(intake.times for intake in taken.intakes.values()):
        yield "seconds are the other tool's own timing: setups were not timed in turn"


def _notes_of_scorers(wanted: Import, samples: Iterable[Sample]) -> Iterator[str]:
    """What is to be known of how a task that the rows make is scored."""
    metrics = [Metric.parse(text) for text in wanted.scorers]
    if compares_texts(metrics):
        yield (
            "answers and targets are compared in strict normalization, which tells 1.5 from 15 and "
            "C from C++; exact_match(normalization='squad') is SQuAD's"
        )
    phrases = _phrases(wanted)
    apart = {metric.name for metric in metrics} & {*BY_REFUSALS, *WITHOUT_REFUSALS}
    if not phrases or not (apart or wanted.refusals):
        return
    named = "those of --refusal" if wanted.refusals else "the default ones, or --refusal"
    yield (
        f"answers that decline, by phrases ({named}), are left out where support is judged, and "
        "count as empty where answers are compared with targets"
    )
    declining = [
        sample.id
        for sample in samples
        if any(refused(target, phrases) for target in sample.targets)
    ]
    if declining:
        first = ", ".join(map(repr, declining[:FIRST]))
        yield (
            f"{quantity(len(declining), 'sample')} with a target that itself declines: {first}; "
            "an answer that says the same counts as wrong: name other phrases with --refusal"
        )


def _notes_of_passages(intake: Intake, needing: str) -> Iterator[str]:
    """Which answers came without passages, where there are metrics in `needing` of them."""
    for lane in intake.lanes.values() if needing else ():
        bare = sum(sample in intake.samples for sample in lane.bare)
        if bare and lane.open_book:
            answers = quantity(bare, "answer")
            yield f"setup {lane.name}: {answers} without passages, as if none were found: {needing}"
        elif bare:
            yield f"setup {lane.name}: no answer has passages, and none is scored by {needing}"


def _notes_of(intake: Intake, cells: int) -> Iterator[str]:
    """What is to be known of the setups of a task."""
    for lane in intake.lanes.values():
        missing = sum(n for error, n in lane.failed.items() if error.startswith("missing from"))
        if missing:
            yield (
                f"setup {lane.name}: {missing} of {cells} answers are missing from "
                f"{', '.join(lane.files)}: they are failures with the worst score"
            )
        elif lane.absent or lane.dropped:
            yield (
                f"setup {lane.name}: {lane.absent} samples have no answer of it, and "
                f"{lane.dropped} of its samples are left out: compared on the "
                f"{len(intake.samples)} common samples"
            )
        if others := lane.failed.total() - missing:
            yield f"setup {lane.name}: {others} of {cells} rows have an error or no answer"
        for metric, count in lane.unjudged.items():
            yield f"setup {lane.name}: {count} of {cells} values of {metric} are unjudged"
