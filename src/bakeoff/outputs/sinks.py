"""Where finished runs are sent, beside their own folder."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Protocol

from bakeoff.core.plugins import Registry
from bakeoff.outputs.mlflow import sink as mlflow

if TYPE_CHECKING:
    from bakeoff.analysis.measured_run import Run


class Sink(Protocol):
    """Takes a finished run that is reported and, where it has gates, judged.

    A run may come more than once, as when its gates are judged again.
    """

    def __call__(self, run: Run) -> Sequence[str]:
        """Send the run; lines for the user, such as where it can be seen.

        Raises `BakeoffError` when it cannot be sent: that is printed, and the run goes on.
        """
        ...


SINKS: Registry[Sink] = Registry("sinks", {mlflow.NAME: mlflow.send})
"""Name, as users read it -> the sink. Every run is sent to all; `--no-mlflow` leaves MLflow out."""
