"""Trackio as a sink: one of its runs for each setup, in a project named after the benchmark.

Where it goes is Trackio's own business: a folder of this machine (`TRACKIO_DIR`), unless
`TRACKIO_SERVER_URL` or `TRACKIO_SPACE_ID` names a server.
"""

from __future__ import annotations

import io
import warnings
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout

import trackio

from bakeoff.analysis.measured_run import Run
from bakeoff.core.words import BakeoffError
from bakeoff.outputs import export

QUANTITIES = ("estimate", "p50", "p90", "p95", "p99")
"""Kinds of numbers that a setup has by itself; differences are between two of them."""


def send(run: Run) -> list[str]:
    """Log every setup with its numbers and their intervals; a run that is sent again is replaced.

    Raises `BakeoffError` where Trackio cannot write.
    """
    project, group = run.manifest.benchmark, run.manifest.run
    logged = numbers(run)
    with _refused():
        _forget(project, [f"{name} {group}" for name in logged])
        for name, values in logged.items():
            setup = run.suite.setups[name]
            trackio.init(
                project=project,
                name=f"{name} {group}",
                group=group,
                config={
                    "setup": name,
                    "kind": setup.kind,
                    "model": run.suite.asks(setup),
                    "samples": sum(len(run.samples[t]) for t in run.asked if name in run.asked[t]),
                    "folder": str(run.folder),
                },
                embed=False,
                auto_log_cpu=False,
                auto_log_gpu=False,
            )
            trackio.log(values)
            trackio.finish()
    return [f"Trackio:         trackio show --project {project}"]


def numbers(run: Run) -> dict[str, dict[str, float]]:
    """Setup -> `TASK/METRIC` -> value; the ends of its interval as `TASK/METRIC low`, `high`."""
    logged: dict[str, dict[str, float]] = defaultdict(dict)
    for row in export.rows(run.comparison):
        if row.kind not in QUANTITIES or row.slice or row.value is None:
            continue
        quantile = "" if row.kind == "estimate" else f":{row.kind}"
        name = f"{row.task}/{row.metric}{quantile}"
        ends = {name: row.value, f"{name} low": row.low, f"{name} high": row.high}
        logged[row.name] |= {key: value for key, value in ends.items() if value is not None}
    return dict(logged)


def _forget(project: str, names: list[str]) -> None:
    """Delete what was logged under these names before."""
    try:
        known = trackio.Api().runs(project)
    except ValueError:  # there is no such project yet
        return
    for entry in known:
        if entry.name in names:
            entry.delete()


@contextmanager
def _refused() -> Iterator[None]:
    """Have what goes wrong be one message, and keep what Trackio prints from the screen."""
    try:
        with redirect_stdout(io.StringIO()), warnings.catch_warnings(record=True) as warned:
            warnings.simplefilter("always", UserWarning)
            yield
    except Exception as error:  # Trackio raises whatever its store and clients raise
        raise BakeoffError(f"Trackio: {type(error).__name__}: {error}") from error
    # What it could not write it says in a warning, from a thread of its own, and goes on.
    if lost := [str(one.message) for one in warned if "trackio" in one.filename]:
        raise BakeoffError(f"Trackio: {lost[0]}")
