"""Accepted runs on a tracking server: the pointer is a tag of the benchmark's experiment."""

from __future__ import annotations

from pathlib import Path

import mlflow
from pydantic import ValidationError

from bakeoff.analysis.measured_run import Run
from bakeoff.core.words import faults
from bakeoff.decide.gates.baseline import Pointer
from bakeoff.outputs.mlflow import runs
from bakeoff.outputs.mlflow.connection import reaching
from bakeoff.spec.yaml_files import explained


def _tag(benchmark: str, channel: str) -> str:
    return f"bakeoff.decide.gates.baseline.{benchmark}.{channel}"


def push(run: Run, pointer: Pointer, rows: Path, uri: str) -> None:
    """Make an accepted run the baseline on the server: its rows as artifact, then the pointer.

    The pointer is replaced in one step. Raises `BakeoffError` when the store cannot be reached
    or refuses.
    """
    logged = runs.log(run, uri)
    first = next(iter(logged.runs.values()))
    with reaching(uri, "the baseline is kept in the results folder; accept it again") as client:
        client.log_artifact(first, str(rows), "baseline")
        value = pointer.model_copy(update={"mlflow_run": first}).model_dump_json()
        key = _tag(pointer.benchmark, pointer.channel)
        client.set_experiment_tag(logged.experiment, key, value)
    mark(run, pointer, uri)


def mark(run: Run, pointer: Pointer, uri: str) -> None:
    """Mark the runs of an accepted bake-off as the baseline, and those before it no longer."""
    logged = runs.log(run, uri)
    channel = pointer.channel
    with reaching(uri, "the baseline is kept in the results folder; accept it again") as client:
        for old in client.search_runs([logged.experiment], f"tags.baseline LIKE '%{channel}%'"):
            kept = [c for c in old.data.tags["baseline"].split(", ") if c != channel]
            if kept:
                client.set_tag(old.info.run_id, "baseline", ", ".join(kept))
            else:
                client.delete_tag(old.info.run_id, "baseline")
        when = f"{channel} on {pointer.accepted.date()} by {pointer.by or 'unknown'}"
        for identity in logged.runs.values():
            known = client.get_run(identity).data.tags.get("baseline")
            names = ", ".join(sorted({channel, *(known.split(", ") if known else [])}))
            client.set_tag(identity, "baseline", names)
            client.set_tag(identity, "accepted", f"{when}: {pointer.reason}")


def pull(benchmark: str, folder: Path, uri: str) -> list[Pointer]:
    """The baselines of a benchmark that the server points to, their rows fetched to `folder`.

    Raises `BakeoffError` when the store cannot be reached or holds no rows for a pointer.
    """
    remedy = "baselines in the results folder are used without MLFLOW_TRACKING_URI"
    with reaching(uri, remedy) as client:
        experiment = client.get_experiment_by_name(benchmark)
        tags = dict(experiment.tags) if experiment else {}
        prefix = _tag(benchmark, "")
        pointers = [_parsed(key, text) for key, text in tags.items() if key.startswith(prefix)]
        for pointer in pointers:
            if not (folder / pointer.rows).is_file():
                fetched = mlflow.artifacts.download_artifacts(
                    run_id=pointer.mlflow_run,
                    artifact_path=f"baseline/{pointer.rows}",
                    dst_path=str(folder),
                    tracking_uri=uri,
                )
                Path(fetched).replace(folder / pointer.rows)
        return pointers


def _parsed(tag: str, text: str) -> Pointer:
    try:
        return Pointer.model_validate_json(text)
    except ValidationError as error:
        faults([f"tag {tag} of the tracking server: {fault}" for fault in explained(error)])
        raise
