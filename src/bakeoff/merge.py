"""Shards of one benchmark joined into a whole run, after proof that they are its parts."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from itertools import zip_longest
from pathlib import Path
from typing import Any

from bakeoff import finished, prune, store
from bakeoff.core import BakeoffError, Sample, canonical, digest
from bakeoff.store import Unit

ALIKE = ("format", "suite", "models", "adapters", "indexes", "versions")


def merge(folders: Sequence[Path], results: Path) -> finished.Run:
    """A whole run made of the shards in `folders`, which stay as they are.

    Raises `BakeoffError` when they are not all the parts of one run: another benchmark, data,
    model or version, a part twice, missing or unfinished.
    """
    runs = sorted((finished.Run(folder) for folder in folders), key=lambda run: run.shard)
    _check(runs)
    samples = {
        task: _interleaved([run.samples.get(task, {}) for run in runs]) for task in _tasks(runs)
    }
    for task, members in samples.items():
        whole = next(r.manifest["tasks"][task]["whole"] for r in runs if task in r.samples)
        if digest([sample.id for sample in members]) != whole["ids"]:
            raise BakeoffError(f"merge: task '{task}': the parts do not make up its samples")
    folder = store.new_folder(results, str(runs[0].manifest["benchmark"]))
    store.write_samples(folder, samples)
    for unit in dict.fromkeys(unit for run in runs for unit in store.units(run.folder)):
        _join(runs, unit, folder)
    store.write_json(folder / store.MANIFEST, _manifest(runs, samples, folder))
    done = finished.Run(folder)
    finished.write_comparison(done)
    return done


def _tasks(runs: Sequence[finished.Run]) -> list[str]:
    return list(dict.fromkeys(task for run in runs for task in run.samples))


def _check(runs: Sequence[finished.Run]) -> None:
    first, parts = runs[0], runs[0].shard[1]
    for run in runs:
        for part in ALIKE:
            if canonical(_lasting(run, part)) != canonical(_lasting(first, part)):
                raise BakeoffError(f"merge: {run.folder}: {part} differs from {first.folder}")
        for task, facts in run.manifest["tasks"].items():
            other = first.manifest["tasks"].get(task, facts)
            if canonical(facts["digests"]) != canonical(other["digests"]):
                raise BakeoffError(
                    f"merge: {run.folder}: task '{task}' differs from {first.folder}"
                )
        prune.with_texts(run.folder, run.manifest)
        if run.manifest["status"] != "complete":
            raise BakeoffError(f"merge: {run.folder}: the run is {run.manifest['status']}")
    found = [run.shard for run in runs]
    if found != [(part, parts) for part in range(1, parts + 1)] or parts == 1:
        listed = ", ".join(f"{part}/{n}" for part, n in found)
        raise BakeoffError(f"merge: give every part of one run once; these are {listed}")


def _lasting(run: finished.Run, part: str) -> Any:
    """A part of the manifest without what may differ from machine to machine."""
    value = run.manifest[part]
    if part == "adapters":
        return {name: facts["digest"] for name, facts in value.items()}
    return value


def _interleaved(parts: Sequence[dict[str, Sample]]) -> list[Sample]:
    """Sample j of the whole is sample j // n of part j % n: shards were cut that way."""
    rows = zip_longest(*(part.values() for part in parts))
    return [sample for row in rows for sample in row if sample is not None]


def _join(runs: Sequence[finished.Run], unit: Unit, folder: Path) -> None:
    """The records of the attempts that count, as one committed journal, and their scores."""
    with store.open_journal(folder, unit) as journal:
        for run in runs:
            for record in store.read_records(run.folder, unit):
                journal.append(record)
        journal.commit()
    if unit.setup:
        rows = (row for run in runs for row in _scores(run, unit))
        store.write_scores(folder, unit, rows)


def _scores(run: finished.Run, unit: Unit) -> Any:
    return run.scores(unit.task, unit.setup) if unit in store.units(run.folder) else ()


def _manifest(
    runs: Sequence[finished.Run], samples: dict[str, list[Sample]], folder: Path
) -> dict[str, Any]:
    first = runs[0].manifest
    facts = {t: next(r.manifest["tasks"][t] for r in runs if t in r.samples) for t in samples}
    spent = {s: _spent([run.manifest["spent"][s] for run in runs]) for s in first["spent"]}
    phases = {phase for run in runs for phase in run.manifest["seconds"]}
    return {
        **first,
        "run": folder.name,
        "command": "bakeoff merge " + " ".join(run.folder.name for run in runs),
        "selection": {**first["selection"], "shard": [1, 1]},
        "tasks": {task: {**facts[task], "n": len(samples[task])} for task in samples},
        # The same in every part; a part that had no sample of a task has none of it.
        "audit": {t: a for run in runs for t, a in run.manifest.get("audit", {}).items()},
        "spent": spent,
        "judges": _judges([run.manifest.get("judges", {}) for run in runs]),
        "seconds": {
            phase: round(sum(r.manifest["seconds"].get(phase, 0) for r in runs), 3)
            for phase in sorted(phases)
        },
        "merged": [{"run": run.folder.name, "hardware": run.manifest["hardware"]} for run in runs],
    }


def _judges(parts: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """What each judge was asked in all parts together. Raises when it was not the same judge."""
    found: dict[str, Any] = {}
    for part in parts:
        for by, facts in part.items():
            known = found.setdefault(by, {"fingerprint": facts["fingerprint"]})
            if known["fingerprint"] != facts["fingerprint"]:
                raise BakeoffError(f"merge: judge '{by}' is not the same in all parts")
            for name in facts.keys() - {"fingerprint"}:
                known[name] = known.get(name, 0) + facts[name]
    return found


def _spent(parts: Sequence[dict[str, Any]]) -> dict[str, Any]:
    failed: Counter[str] = Counter()
    for part in parts:
        failed.update(part["failed"])
    sums = {name: sum(part[name] for part in parts) for name in parts[0] if name != "failed"}
    return {**sums, "failed": dict(sorted(failed.items()))}
