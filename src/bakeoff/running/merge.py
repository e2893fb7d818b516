"""Shards of one benchmark joined into a whole run, after proof that they are its parts."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import reduce
from itertools import zip_longest
from pathlib import Path

from bakeoff.analysis import measured_run
from bakeoff.core.words import BakeoffError, Record, Sample, canonical, digest
from bakeoff.runs import store, strip_texts, written
from bakeoff.runs.manifest import Manifest, MergedShard
from bakeoff.runs.spent import JudgeSpent, SetupSpent
from bakeoff.runs.store import ScoreRow, Unit

ALIKE = ("format", "suite", "models", "adapters", "indexes", "versions")


def merge(folders: Sequence[Path], results: Path) -> measured_run.Run:
    """A whole run made of the shards in `folders`, which stay as they are.

    Raises `BakeoffError` when they are not all the parts of one run: another benchmark, data,
    model or version, a part twice, missing or unfinished.
    """
    runs = sorted((measured_run.Run(folder) for folder in folders), key=lambda run: run.shard)
    _check(runs)
    samples = {
        task: _interleaved([run.samples.get(task, {}) for run in runs]) for task in _tasks(runs)
    }
    for task, members in samples.items():
        whole = next(r.manifest.tasks[task].whole for r in runs if task in r.samples)
        if not whole or digest([sample.id for sample in members]) != whole.ids:
            raise BakeoffError(f"merge: task '{task}': the parts do not make up its samples")
    folder = store.new_folder(results, runs[0].manifest.benchmark)
    store.write_samples(folder, samples)
    for unit in dict.fromkeys(unit for run in runs for unit in store.units(run.folder)):
        _join(runs, unit, folder)
    store.write_manifest(folder, written.digested(folder, _manifest(runs, samples, folder)))
    done = measured_run.Run(folder)
    measured_run.write_comparison(done)
    return done


def _tasks(runs: Sequence[measured_run.Run]) -> list[str]:
    return list(dict.fromkeys(task for run in runs for task in run.samples))


def _check(runs: Sequence[measured_run.Run]) -> None:
    first, parts = runs[0], runs[0].shard[1]
    lasting = _lasting(first)
    for run in runs:
        for (part, value), (_, other) in zip(_lasting(run), lasting, strict=True):
            if value != other:
                raise BakeoffError(f"merge: {run.folder}: {part} differs from {first.folder}")
        for task, facts in run.manifest.tasks.items():
            if facts.digests != first.manifest.tasks.get(task, facts).digests:
                raise BakeoffError(
                    f"merge: {run.folder}: task '{task}' differs from {first.folder}"
                )
        strip_texts.with_texts(run.folder, run.manifest)
        if not run.manifest.complete:
            raise BakeoffError(f"merge: {run.folder}: the run is {run.manifest.status}")
        _ = run.written
    shards = [run.shard for run in runs]
    if shards != [(part, parts) for part in range(1, parts + 1)] or parts == 1:
        listed = ", ".join(f"{part}/{n}" for part, n in shards)
        raise BakeoffError(f"merge: give every part of one run once; these are {listed}")


def _lasting(run: measured_run.Run) -> list[tuple[str, str]]:
    """The parts of a manifest that are alike, without what differs from machine to machine."""
    alike = run.manifest.model_dump(mode="json", include=set(ALIKE))
    adapters = {name: adapter.digest for name, adapter in run.manifest.adapters.items()}
    more = {"adapters": adapters, "code": run.manifest.code}
    return [(part, canonical(value)) for part, value in {**alike, **more}.items()]


def _interleaved(parts: Sequence[dict[str, Sample]]) -> list[Sample]:
    """Sample j of the whole is sample j // n of part j % n: shards were cut that way."""
    rows = zip_longest(*(part.values() for part in parts))
    return [sample for row in rows for sample in row if sample is not None]


def _join(runs: Sequence[measured_run.Run], unit: Unit, folder: Path) -> None:
    """The records of the attempts that count, as one committed journal, and their scores."""
    with store.open_journal(folder, unit) as journal:
        for run in runs:
            if unit in store.units(run.folder):
                for record in _records(run, unit):
                    journal.append(record)
        journal.commit()
    if unit.setup:
        rows = (row for run in runs for row in _scores(run, unit))
        store.write_scores(folder, unit, rows)


def _records(run: measured_run.Run, unit: Unit) -> Iterable[Record]:
    return run.records(unit.task, unit.setup) if unit.setup else run.latencies(unit.task)


def _scores(run: measured_run.Run, unit: Unit) -> Iterable[ScoreRow]:
    return run.scores(unit.task, unit.setup) if unit in store.units(run.folder) else ()


def _manifest(
    runs: Sequence[measured_run.Run], samples: dict[str, list[Sample]], folder: Path
) -> Manifest:
    manifests = [run.manifest for run in runs]
    first = manifests[0]
    facts = {t: next(r.manifest.tasks[t] for r in runs if t in r.samples) for t in samples}
    phases = {phase for manifest in manifests for phase in manifest.seconds}
    parts = {
        "run": folder.name,
        "command": "bakeoff merge " + " ".join(run.folder.name for run in runs),
        "selection": first.selection.model_copy(update={"shard": (1, 1)}),
        "tasks": {
            task: facts[task].model_copy(update={"n": len(members)})
            for task, members in samples.items()
        },
        # The same in every part; a part that had no sample of a task has none of it.
        "audit": {task: audit for m in manifests for task, audit in m.audit.items()},
        "spent": {name: _spent([m.spent[name] for m in manifests]) for name in first.spent},
        "judges": _judges([m.judges for m in manifests]),
        "seconds": {
            phase: round(sum(m.seconds.get(phase, 0) for m in manifests), 3)
            for phase in sorted(phases)
        },
        "files": {},
        "merged": tuple(
            MergedShard(run=run.folder.name, hardware=run.manifest.hardware) for run in runs
        ),
    }
    return first.model_copy(update=parts)


def _judges(parts: Sequence[Mapping[str, JudgeSpent]]) -> dict[str, JudgeSpent]:
    """What each judge was asked in all parts together. Raises when it was not the same judge."""
    whole: dict[str, JudgeSpent] = {}
    for by, judge in (item for part in parts for item in part.items()):
        if by in whole and whole[by].fingerprint != judge.fingerprint:
            raise BakeoffError(f"merge: judge '{by}' is not the same in all parts")
        whole[by] = whole[by].plus(judge) if by in whole else judge
    return whole


def _spent(parts: Sequence[SetupSpent]) -> SetupSpent:
    return reduce(SetupSpent.plus, parts)
