"""A finished run in MLflow: one flat run per setup, tied by tags. The one door to mlflow.

Written from the run's folder, so that it can be replayed, and a dead server costs nothing.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from bakeoff import finished
from bakeoff.core import BakeoffError, Record, Score
from bakeoff.scoring import Metric
from bakeoff.suite import MEASURED, Setup

# Before mlflow is imported: with the defaults, every call to a dead server blocks for minutes.
os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "1")
os.environ.setdefault("MLFLOW_HTTP_REQUEST_TIMEOUT", "20")
os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
os.environ.setdefault("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")

import mlflow
import pandas as pd
from mlflow.entities import Metric as LoggedMetric
from mlflow.exceptions import MlflowException

DIGITS = 6
"""Decimals of a logged metric; longer ones fill the UI's cells with zeros."""


def metric_name(metric: str) -> str:
    """A metric's name as MLflow allows it: `recall(k=5)` is `recall k:5`. Reversible.

    >>> metric_name("evidence_recall(k=5)")
    'evidence_recall k:5'
    """
    parsed = Metric.parse(metric)
    settings = [f"{name}:{value!r}".replace("'", "") for name, value in parsed.settings]
    return " ".join([parsed.name.rpartition("::")[2], *settings])


def log(run: finished.Run, uri: str) -> list[str]:
    """Log every setup of the run, each once whatever happened before; the MLflow run ids.

    Raises `BakeoffError` when the store cannot be reached or refuses.
    """
    with _reaching(uri, f"send it later with `bakeoff log {run.folder.name}`"):
        experiment = _experiment(run, uri)
        return [_log_setup(run, setup, experiment) for setup in run.suite.setups.values()]


@contextmanager
def _reaching(uri: str, remedy: str) -> Iterator[None]:
    """Work with the store at `uri`; what it refuses becomes one `BakeoffError`."""
    try:
        mlflow.set_tracking_uri(uri)
        yield
    except (MlflowException, OSError) as error:
        reason = str(error).strip().splitlines()[0] if str(error).strip() else repr(error)
        raise BakeoffError(f"MLflow at {uri}: {reason}. Nothing is lost: {remedy}") from error


def _tag(benchmark: str, channel: str) -> str:
    return f"bakeoff.baseline.{benchmark}.{channel}"


def push_baseline(run: finished.Run, pointer: Mapping[str, Any], rows: Path, uri: str) -> None:
    """Make an accepted run the baseline on the server: its rows as artifact, then the pointer.

    The pointer is a tag of the benchmark's experiment, replaced in one step. Raises
    `BakeoffError` when the store cannot be reached or refuses.
    """
    logged = log(run, uri)[0]
    with _reaching(uri, "the baseline is kept in the results folder; accept the run again"):
        client = mlflow.MlflowClient()
        client.log_artifact(logged, str(rows), "baseline")
        experiment = client.get_run(logged).info.experiment_id
        value = json.dumps({**pointer, "mlflow_run": logged})
        key = _tag(str(pointer["benchmark"]), str(pointer["channel"]))
        client.set_experiment_tag(experiment, key, value)


def pull_baselines(benchmark: str, folder: Path, uri: str) -> list[dict[str, Any]]:
    """The baselines of a benchmark that the server points to, their rows fetched to `folder`.

    Raises `BakeoffError` when the store cannot be reached or holds no rows for a pointer.
    """
    with _reaching(uri, "baselines in the results folder are used without MLFLOW_TRACKING_URI"):
        experiment = mlflow.get_experiment_by_name(benchmark)
        tags = dict(experiment.tags) if experiment else {}
        prefix = _tag(benchmark, "")
        found = [json.loads(value) for key, value in tags.items() if key.startswith(prefix)]
        for pointer in found:
            if not (folder / pointer["rows"]).is_file():
                fetched = mlflow.artifacts.download_artifacts(
                    run_id=pointer["mlflow_run"],
                    artifact_path=f"baseline/{pointer['rows']}",
                    dst_path=str(folder),
                )
                Path(fetched).replace(folder / pointer["rows"])
        return found


def _experiment(run: finished.Run, uri: str) -> str:
    name = run.manifest["benchmark"]
    found = mlflow.get_experiment_by_name(name)
    if found is not None and found.lifecycle_stage == "active":
        return str(found.experiment_id)
    if found is not None:
        mlflow.MlflowClient().restore_experiment(found.experiment_id)
        return str(found.experiment_id)
    artifacts = None
    if uri.startswith("sqlite"):
        # Else artifacts would go to ./mlruns of whatever folder the command was called from.
        artifacts = (Path(uri.removeprefix("sqlite:///")).parent / "artifacts" / name).as_uri()
    return str(mlflow.create_experiment(name, artifact_location=artifacts))


def _log_setup(run: finished.Run, setup: Setup, experiment: str) -> str:
    client = mlflow.MlflowClient()
    invocation = run.manifest["run"]
    where = f"tags.invocation = '{invocation}' and tags.setup = '{setup.name}'"
    for old in client.search_runs([experiment], where):
        if old.data.tags.get("logged") == "complete":
            return str(old.info.run_id)
        # What an earlier attempt left half-logged would stand twice.
        client.delete_run(old.info.run_id)
    with mlflow.start_run(
        experiment_id=experiment, run_name=setup.name, tags=_tags(run, setup)
    ) as active:
        identity = str(active.info.run_id)
        mlflow.log_params(_params(run, setup))
        client.log_batch(identity, metrics=_metrics(run, setup, active.info.start_time))
        _log_data(run)
        mlflow.log_table(_table(run, setup), "samples.json")
        for name in ("report.md", finished.COMPARISON, finished.GATES, "manifest.json"):
            if (run.folder / name).is_file():
                mlflow.log_artifact(str(run.folder / name))
        mlflow.set_tag("logged", "complete")
    return identity


def _tags(run: finished.Run, setup: Setup) -> dict[str, str]:
    verdict = run.verdicts["state"] if run.suite.gates else "none"
    return {
        "invocation": run.manifest["run"],
        "suite": run.manifest["benchmark"],
        "setup": setup.name,
        "kind": setup.kind,
        "gate": verdict,
        "commit": str(run.manifest["commit"]),
    }


def _params(run: finished.Run, setup: Setup) -> dict[str, Any]:
    params: dict[str, Any] = {
        "kind": setup.kind,
        "model": setup.model if not setup.call else setup.call,
        "dtype": run.suite.dtype,
        "seed": run.suite.seed,
    }
    for part, spec in (("tune", setup.tune), ("retrieve", setup.retrieve)):
        values = spec.model_dump(mode="json") if spec else {}
        params |= {f"{part}.{name}": value for name, value in values.items() if value}
    for name, digest in run.manifest["models"].get(setup.model, {}).items():
        params[f"model.{name}"] = digest
    for name, facts in run.manifest["adapters"].items():
        task, _, owner = name.partition("/")
        if owner == setup.name:
            params[f"adapter.{task}"] = facts["digest"]
    return params


def metrics(run: finished.Run, setup: str) -> dict[str, float]:
    """Every metric of a setup as MLflow gets it, headline metrics first.

    Headlines stand at the top, `task` being their name; all others are `task/metric`.
    """
    tasks = run.comparison["tasks"]
    named: dict[str, float] = {}
    for task, facts in tasks.items():
        for metric in sorted(
            facts["metrics"], key=lambda m: (m != facts["headline"], m in MEASURED)
        ):
            estimate = facts["metrics"][metric]["setups"].get(setup)
            if estimate and estimate["value"] is not None:
                value = round(float(estimate["value"]), DIGITS)
                if metric == facts["headline"]:
                    named[task] = value
                named[f"{task}/{metric_name(metric)}"] = value
    return dict(sorted(named.items(), key=lambda item: "/" in item[0]))


def _metrics(run: finished.Run, setup: Setup, timestamp: int) -> list[LoggedMetric]:
    logged = [LoggedMetric(k, v, timestamp, 0) for k, v in metrics(run, setup.name).items()]
    for name, facts in run.manifest["adapters"].items():
        task, _, owner = name.partition("/")
        made = facts["training"]
        if owner != setup.name or not made:
            continue
        for kind in ("seconds", "tokens", "peak_memory_mb"):
            logged.append(LoggedMetric(f"{task}/train_{kind}", made[kind], timestamp, 0))
        for step, point in enumerate(made["curve"], 1):
            for kind in ("train_loss", "validation_loss"):
                if kind in point:
                    logged.append(LoggedMetric(f"{task}/{kind}", point[kind], timestamp, step))
    return logged


def _log_data(run: finished.Run) -> None:
    for task, members in run.samples.items():
        frame = pd.DataFrame(
            {
                "id": [s.id for s in members.values()],
                "question": [s.question for s in members.values()],
                "targets": [" | ".join(s.targets) for s in members.values()],
            }
        )
        data = mlflow.data.from_pandas(  # type: ignore[attr-defined]
            frame,
            name=task,
            targets="targets",
            digest=run.manifest["tasks"][task]["digests"]["test"],
        )
        mlflow.log_input(data, context="evaluation")


def _table(run: finished.Run, setup: Setup) -> pd.DataFrame:
    """One row per sample, with the columns alike for all setups: the UI sets them side by side."""
    rows: list[Mapping[str, Any]] = []
    for task, setups in run.asked.items():
        if setup.name in setups:
            scores = dict(run.scores(task, setup.name))
            for record in run.records(task, setup.name):
                rows.append(_row(run, record, scores.get((record.sample, record.repeat), {})))
    return pd.DataFrame(sorted(rows, key=lambda row: (row["task"], row["id"])))


def _row(run: finished.Run, record: Record, scores: Mapping[str, Score]) -> dict[str, Any]:
    sample, answer = run.samples[record.task][record.sample], record.answer
    return {
        "task": record.task,
        "id": sample.id,
        "question": sample.question,
        "expected": sample.targets[0] if sample.targets else "(unanswerable)",
        "answer": answer.text if answer else f"(failed: {record.error})",
        "sources": ", ".join(p.document for p in answer.passages) if answer else "",
        "headline": _headline(run, record.task, scores),
        "scores": json.dumps({metric_name(m): s.value for m, s in scores.items()}),
    }


def _headline(run: finished.Run, task: str, scores: Mapping[str, Score]) -> float | None:
    score = scores.get(run.headlines[task])
    return None if score is None else score.value
