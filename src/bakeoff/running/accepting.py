"""A run accepted as a baseline, here and on the tracking server."""

from __future__ import annotations

from bakeoff.analysis.measured_run import Run
from bakeoff.decide.gates import baseline
from bakeoff.decide.gates.baseline import Channel, Pointer
from bakeoff.outputs.mlflow import links
from bakeoff.running.environment import environment, results, tracking_uri


def accept(run: Run, channel: Channel, reason: str) -> Pointer:
    """Make a run the baseline of its benchmark; a server, or the run's own logs, learn of it.

    Raises `BakeoffError` where it is not complete, or fails a gate.
    """
    pointer = baseline.accept(run, channel, reason, results())
    if uri := environment().tracking_uri:
        from bakeoff.outputs.mlflow import baselines as server

        server.push(run, pointer, baseline.folder(results()) / pointer.rows, uri)
    elif links.read(run.folder):
        from bakeoff.outputs.mlflow import baselines as server

        server.mark(run, pointer, tracking_uri())
    return pointer
