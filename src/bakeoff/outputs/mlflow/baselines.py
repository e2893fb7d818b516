"""Accepted runs on a tracking server: the pointer is a tag of the benchmark's experiment."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import mlflow

from bakeoff.analysis.measured_run import Run
from bakeoff.outputs.mlflow import runs
from bakeoff.outputs.mlflow.door import reaching


def _tag(benchmark: str, channel: str) -> str:
    return f"bakeoff.decide.gates.baseline.{benchmark}.{channel}"


def push(run: Run, pointer: Mapping[str, Any], rows: Path, uri: str) -> None:
    """Make an accepted run the baseline on the server: its rows as artifact, then the pointer.

    The pointer is replaced in one step. Raises `BakeoffError` when the store cannot be reached
    or refuses.
    """
    logged = runs.log(run, uri)
    first = next(iter(logged.runs.values()))
    with reaching(uri, "the baseline is kept in the results folder; accept it again") as client:
        client.log_artifact(first, str(rows), "baseline")
        value = json.dumps({**pointer, "mlflow_run": first})
        key = _tag(str(pointer["benchmark"]), str(pointer["channel"]))
        client.set_experiment_tag(logged.experiment, key, value)
    mark(run, pointer, uri)


def mark(run: Run, pointer: Mapping[str, Any], uri: str) -> None:
    """Mark the runs of an accepted bake-off as the baseline, and those before it no longer."""
    logged = runs.log(run, uri)
    channel = str(pointer["channel"])
    with reaching(uri, "the baseline is kept in the results folder; accept it again") as client:
        for old in client.search_runs([logged.experiment], f"tags.baseline LIKE '%{channel}%'"):
            kept = [c for c in old.data.tags["baseline"].split(", ") if c != channel]
            if kept:
                client.set_tag(old.info.run_id, "baseline", ", ".join(kept))
            else:
                client.delete_tag(old.info.run_id, "baseline")
        when = f"{channel} on {pointer['accepted'][:10]} by {pointer['by'] or 'unknown'}"
        for identity in logged.runs.values():
            known = client.get_run(identity).data.tags.get("baseline")
            names = ", ".join(sorted({channel, *(known.split(", ") if known else [])}))
            client.set_tag(identity, "baseline", names)
            client.set_tag(identity, "accepted", f"{when}: {pointer['reason']}")


def pull(benchmark: str, folder: Path, uri: str) -> list[dict[str, Any]]:
    """The baselines of a benchmark that the server points to, their rows fetched to `folder`.

    Raises `BakeoffError` when the store cannot be reached or holds no rows for a pointer.
    """
    remedy = "baselines in the results folder are used without MLFLOW_TRACKING_URI"
    with reaching(uri, remedy) as client:
        experiment = client.get_experiment_by_name(benchmark)
        tags = dict(experiment.tags) if experiment else {}
        prefix = _tag(benchmark, "")
        found = [json.loads(value) for key, value in tags.items() if key.startswith(prefix)]
        for pointer in found:
            if not (folder / pointer["rows"]).is_file():
                fetched = mlflow.artifacts.download_artifacts(
                    run_id=pointer["mlflow_run"],
                    artifact_path=f"baseline/{pointer['rows']}",
                    dst_path=str(folder),
                    tracking_uri=uri,
                )
                Path(fetched).replace(folder / pointer["rows"])
        return found
