"""The nights of a benchmark in an experiment of their own: a long-lived run per setup."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, date, datetime, time
from pathlib import Path

import mlflow
from mlflow.entities import Metric
from mlflow.entities import Run as Stored

from bakeoff.analysis import trend
from bakeoff.analysis.trend import Night
from bakeoff.outputs.mlflow.connection import alone, experiment, reaching
from bakeoff.outputs.mlflow.names import COLOURS, TAG, key, rounded, text

DONE = "gate exit code"
"""The metric that every logged night has."""
NOTE = "One run per setup; a step is the number of days since the first night."


def log(benchmark: str, nights: Sequence[Night], folder: Path, uri: str) -> None:
    """Log the nights of a benchmark that are not there yet; a missing night is a gap.

    Raises `BakeoffError` when the store cannot be reached or refuses.
    """
    if not nights:
        return
    drifts = [drift.text for drift in trend.alarms(nights)]
    note = text("\n\n".join([NOTE, *(f"- {sentence}" for sentence in drifts[-20:])]))[:TAG]
    with alone(folder), reaching(uri, "the next night logs it as well") as client:
        name = f"{benchmark}-trend"
        where = experiment(client, name, uri, folder.parent, {"mlflow.note.content": note})
        there = {run.data.tags.get("setup"): run for run in client.search_runs([where])}
        setups = dict.fromkeys(s.split(".", 1)[0] for night in nights for s in night.series)
        for place, setup in enumerate(setups):
            identity = _log_setup(client, where, setup, there.get(setup), nights)
            client.set_tag(identity, "mlflow.runColor", COLOURS[place % len(COLOURS)])


def _log_setup(
    client: mlflow.MlflowClient,
    where: str,
    setup: str,
    stored: Stored | None,
    nights: Sequence[Night],
) -> str:
    """The id of the setup's run, which has all nights now."""
    first = stored.data.tags["first_night"] if stored else str(nights[0].night)
    if stored:
        identity = stored.info.run_id
    else:
        tags = {"setup": setup, "first_night": first}
        start = _at(nights[0].night)
        made = client.create_run(where, start_time=start, tags=tags, run_name=setup)
        identity = made.info.run_id
    done = {point.step for point in client.get_metric_history(identity, DONE)} if stored else set()
    metrics: list[Metric] = []
    for night in nights:
        step = (night.night - date.fromisoformat(first)).days
        if step not in done:
            metrics += _points(setup, night, step)
    for start in range(0, len(metrics), 900):
        client.log_batch(identity, metrics=metrics[start : start + 900])
    client.set_terminated(identity, end_time=_at(nights[-1].night))
    return str(identity)


def _points(setup: str, night: Night, step: int) -> list[Metric]:
    """The series of a setup on one night; last the metric that marks it complete."""
    points = []
    for series, point in night.series.items():
        owner, task, metric = series.split(".", 2)
        if owner == setup and point.value is not None:
            name = key(task, metric, top=True)
            points.append(Metric(name, rounded(point.value), _at(night.night), step))
    return [*points, Metric(DONE, float(night.exit_code), _at(night.night), step)]


def _at(night: date) -> int:
    return int(datetime.combine(night, time(), UTC).timestamp() * 1000)
