"""Accepted runs that later ones are compared with: a pointer and a file of rows per channel.

`rolling` is the last accepted run, `anchor` the last release: it catches the slow drift that a
rolling baseline follows. Rows are kept here, so that a baseline outlives its run's folder.
"""

from __future__ import annotations

import getpass
from collections.abc import Collection, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from bakeoff.analysis.measured_run import Run
from bakeoff.analysis.measurements import Rows, read_rows, write_rows
from bakeoff.core.words import BakeoffError, MissingEvidence, sha256_file
from bakeoff.decide.gates.judging import judged
from bakeoff.runs import store
from bakeoff.runs.machine import commit
from bakeoff.runs.verdicts import ERROR, FAIL

CHANNELS: Mapping[str, str] = {"baseline": "rolling", "anchor": "anchor"}
"""Prefix in a gate -> channel."""
FORMAT = 1


def folder(results: Path) -> Path:
    return results / "baselines"


def _pointer(results: Path, benchmark: str, channel: str) -> Path:
    return folder(results) / f"{benchmark}.{channel}.json"


def accept(run: Run, channel: str, reason: str, results: Path) -> dict[str, Any]:
    """Make a run the baseline of a channel, and return the pointer to it.

    Raises `BakeoffError` for a run that is incomplete, limited, a shard, or fails its gates.
    """
    _acceptable(run, results)
    benchmark, name = run.manifest.benchmark, run.manifest.run
    folder(results).mkdir(parents=True, exist_ok=True)
    rows = folder(results) / f"{benchmark}.{name}.rows.json.gz"
    write_rows(rows, run.rows)
    pointer = {
        "format": FORMAT,
        "benchmark": benchmark,
        "channel": channel,
        "run": name,
        "accepted": datetime.now(UTC).isoformat(timespec="seconds"),
        "by": _person(),
        "reason": reason,
        "commit": commit(),
        "rows": rows.name,
        "sha256": sha256_file(rows),
    }
    # The rows first: a pointer never leads nowhere.
    store.write_json(_pointer(results, benchmark, channel), pointer)
    return pointer


def adopt(results: Path, found: Mapping[str, Any]) -> None:
    """Take over a pointer from elsewhere, whose rows are in the folder of baselines already."""
    store.write_json(_pointer(results, str(found["benchmark"]), str(found["channel"])), found)


def _acceptable(run: Run, results: Path) -> None:
    manifest = run.manifest
    if not manifest.complete:
        raise BakeoffError(f"{run.folder}: the run is {manifest.status}: it cannot be a baseline")
    if run.shard[1] > 1:
        raise BakeoffError(f"{run.folder}: one shard of {run.shard[1]}: merge the shards first")
    if run.limited:
        raise BakeoffError(
            f"{run.folder}: a limited run ({run.limited}) cannot be a baseline: run all samples"
        )
    if failed := _failed(run, references(results, manifest.benchmark)):
        raise BakeoffError(
            f"{run.folder}: it fails its gates ({'; '.join(failed[:3])}): it cannot be "
            "a baseline; fix the run or the gate first"
        )


def _failed(run: Run, known: Mapping[str, Rows]) -> list[str]:
    """The gates that a run fails, or has no evidence for other than a baseline.

    The first baseline has none before it, and after a change of prompt or data none is
    comparable: the run then stands in for its own.
    """
    if not run.suite.gates:
        return []
    itself = dict.fromkeys(CHANNELS, run.rows)
    held = judged(run, references=known).gates
    alone = judged(run, references=itself).gates
    return [
        f"{verdict.check}: {verdict.state}"
        for verdict, own in zip(held, alone, strict=True)
        if (verdict.state == FAIL and verdict.severity == "fail") or own.state == ERROR
    ]


def _person() -> str:
    try:
        return getpass.getuser()
    except (OSError, KeyError):  # a container without a name for its user
        return ""


def pointer(results: Path, benchmark: str, channel: str) -> dict[str, Any] | None:
    """What the channel points to, or `None` when nothing was accepted yet.

    Raises `MissingEvidence` for a pointer that cannot be read.
    """
    path = _pointer(results, benchmark, channel)
    if not path.exists():
        return None
    try:
        found = store.read_json(path)
    except BakeoffError as error:
        raise MissingEvidence(str(error)) from error
    if found.get("format") != FORMAT or not {"run", "rows", "sha256"} <= set(found):
        raise MissingEvidence(f"{path}: no baseline of format {FORMAT}; accept a run again")
    return found


def pointers(results: Path) -> list[dict[str, Any]]:
    """All baselines, by benchmark and channel."""
    found = []
    for path in sorted(folder(results).glob("*.json")):
        benchmark, _, channel = path.stem.rpartition(".")
        if each := pointer(results, benchmark, channel):
            found.append(each)
    return found


def rows_of(results: Path, found: Mapping[str, Any]) -> Rows:
    """The rows of a pointer. Raises `MissingEvidence` when they are not those accepted."""
    path = folder(results) / Path(str(found["rows"])).name
    if not path.is_file():
        raise MissingEvidence(
            f"{path}: the rows of baseline {found['run']} are gone; accept it again"
        )
    if sha256_file(path) != found["sha256"]:
        raise MissingEvidence(f"{path}: not the rows that were accepted (sha256 differs)")
    return read_rows(path)


def references(
    results: Path, benchmark: str, names: Collection[str] = tuple(CHANNELS)
) -> dict[str, Rows]:
    """The accepted runs that gates can name: `baseline` and `anchor`."""
    return {
        name: rows_of(results, found)
        for name in names
        if (found := pointer(results, benchmark, CHANNELS[name]))
    }
