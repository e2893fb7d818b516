"""Accepted runs that later ones are compared with: a pointer and a file of rows per channel.

`rolling` is the last accepted run, `anchor` the last release: it catches the slow drift that a
rolling baseline follows. Rows are kept here, so that a baseline outlives its run's folder.
"""

from __future__ import annotations

import getpass
from collections.abc import Collection, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Final, Literal

from pydantic import Field

from bakeoff.analysis.measured_run import Run
from bakeoff.analysis.measurements import Rows, read_rows, write_rows
from bakeoff.core.words import BakeoffError, MissingEvidence, sha256_file
from bakeoff.decide.gates.judging import judged
from bakeoff.runs import store
from bakeoff.runs.machine import commit
from bakeoff.runs.verdicts import ERROR, FAIL
from bakeoff.spec.yaml_files import Known, Stored

Channel = Literal["rolling", "anchor"]
CHANNELS: Mapping[str, Channel] = {"baseline": "rolling", "anchor": "anchor"}
"""Prefix in a gate -> channel."""
FORMAT: Final = 1


class Pointer(Stored):
    """An accepted run: where its rows are, and who accepted it and why."""

    format: Literal[1] = FORMAT
    benchmark: Annotated[str, Field(pattern=r"^[^/\\]+$")]
    channel: Channel
    run: str
    accepted: datetime
    by: str
    """Empty where the user has no name."""
    reason: str
    commit: str | None
    rows: Annotated[str, Field(pattern=r"^[^/\\]+\.rows\.json\.gz$")]
    """The file's name in the folder of baselines: a pointer may come from a server."""
    sha256: str
    """Of the file of rows."""
    mlflow_run: Known[str] = None
    """The run whose artifact the rows are, where they are kept on a tracking server."""


def folder(results: Path) -> Path:
    return results / "baselines"


def _pointer(results: Path, benchmark: str, channel: Channel) -> Path:
    return folder(results) / f"{benchmark}.{channel}.json"


def accept(run: Run, channel: Channel, reason: str, results: Path) -> Pointer:
    """Make a run the baseline of a channel, and return the pointer to it.

    Raises `BakeoffError` for a run that is incomplete, limited, a shard, or fails its gates, and
    for an empty reason.
    """
    if not reason.strip():
        raise BakeoffError("reason: is empty; write why this run is accepted")
    _acceptable(run, results)
    benchmark, name = run.manifest.benchmark, run.manifest.run
    folder(results).mkdir(parents=True, exist_ok=True)
    rows = folder(results) / f"{benchmark}.{name}.rows.json.gz"
    write_rows(rows, run.rows)
    pointer = Pointer(
        benchmark=benchmark,
        channel=channel,
        run=name,
        accepted=datetime.now(UTC).replace(microsecond=0),
        by=_person(),
        reason=reason,
        commit=commit(),
        rows=rows.name,
        sha256=sha256_file(rows),
    )
    # The rows first: a pointer never leads nowhere.
    adopt(results, pointer)
    return pointer


def adopt(results: Path, pointer: Pointer) -> None:
    """Make a pointer that of its channel; its rows are in the folder of baselines already."""
    path = _pointer(results, pointer.benchmark, pointer.channel)
    store.write_json(path, pointer.model_dump(mode="json"))


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
    _ = run.written
    if failed := _failed(run, references(results, manifest.benchmark)):
        raise BakeoffError(
            f"{run.folder}: it fails its gates ({'; '.join(failed[:3])}): it cannot be "
            "a baseline; fix the run or the gate first"
        )


def _failed(run: Run, known: Mapping[str, Rows]) -> list[str]:
    """The gates that a run fails, or has no evidence for other than a baseline.

    The first baseline has none before it, and after a change of prompt or data none is
    comparable: the run is then used as its own baseline.
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


def pointer(results: Path, benchmark: str, channel: Channel) -> Pointer | None:
    """What the channel points to, or `None` when nothing was accepted yet.

    Raises `MissingEvidence` for a pointer that cannot be read.
    """
    path = _pointer(results, benchmark, channel)
    if not path.exists():
        return None
    try:
        return store.read_model(Pointer, path, FORMAT, "accept a run again")
    except BakeoffError as error:
        raise MissingEvidence(str(error)) from error


def pointers(results: Path) -> list[Pointer]:
    """All baselines, by benchmark and channel."""
    known = []
    for path in sorted(folder(results).glob("*.json")):
        benchmark, _, name = path.stem.rpartition(".")
        for channel in CHANNELS.values():
            if name == channel and (accepted := pointer(results, benchmark, channel)):
                known.append(accepted)
    return known


def rows_of(results: Path, pointer: Pointer) -> Rows:
    """The rows of a pointer. Raises `MissingEvidence` when they are not those accepted."""
    path = folder(results) / pointer.rows
    if not path.is_file():
        raise MissingEvidence(
            f"{path}: the rows of baseline {pointer.run} are gone; accept it again"
        )
    if sha256_file(path) != pointer.sha256:
        raise MissingEvidence(f"{path}: not the rows that were accepted (sha256 differs)")
    return read_rows(path)


def references(
    results: Path, benchmark: str, names: Collection[str] = tuple(CHANNELS)
) -> dict[str, Rows]:
    """The accepted runs that gates can name: `baseline` and `anchor`."""
    return {
        name: rows_of(results, accepted)
        for name in names
        if (accepted := pointer(results, benchmark, CHANNELS[name]))
    }
