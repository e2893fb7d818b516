"""A run and the nights of its benchmark, logged to MLflow."""

from __future__ import annotations

from bakeoff.analysis.measured_run import Run
from bakeoff.analysis.trend import history, read
from bakeoff.outputs.mlflow import nights, runs


def log_whole(run: Run, uri: str, traces: int = 20) -> None:
    """Log a run (again), with so many traces per setup, and its benchmark's nights."""
    runs.log(run, uri, traces)
    benchmark = run.manifest.benchmark
    kept = history(run.folder.parent.parent, benchmark)
    nights.log(benchmark, read(kept), run.folder.parent, uri)
