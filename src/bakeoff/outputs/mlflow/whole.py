"""A run and the nights of its benchmark, logged to MLflow."""

from __future__ import annotations

from contextlib import suppress

from bakeoff.analysis.measured_run import Run
from bakeoff.analysis.trend import history, read
from bakeoff.core.words import BakeoffError
from bakeoff.outputs.mlflow import nights, runs
from bakeoff.outputs.mlflow.connection import reaching
from bakeoff.runs.links import refuse_links


def get_ready(uri: str) -> None:
    """What can be done before there is a run: a database of this machine gets its tables."""
    if not uri.startswith("sqlite"):
        return
    # What is wrong with it is said when there is something to log.
    with suppress(BakeoffError), reaching(uri, "") as client:
        client.get_experiment_by_name("")


def log_whole(run: Run, uri: str, traces: int = 20) -> None:
    """Log a run (again), with so many traces per setup, and its benchmark's nights."""
    # Before anything is read: what a link leads to is not damage of the run.
    refuse_links(run.folder)
    # Tables and traces are made of the same answers, and so is the comparison.
    runs.log(run.held(), uri, traces)
    benchmark = run.manifest.benchmark
    kept = history(run.folder.parent.parent, benchmark)
    nights.log(benchmark, read(kept), run.folder.parent, uri)
