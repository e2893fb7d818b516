"""What logging a bake-off to MLflow takes, the import of mlflow apart: four setups, one task.

    python benchmarks/perf/track_speed.py [--samples 1000 10000] [--traces 20]

On a new sqlite file, on one that has its tables, and on a server on this machine.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import itertools
import time
from pathlib import Path
from tempfile import TemporaryDirectory

from bakeoff.testing import make_run

PORT = 5097


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--samples", type=int, nargs="+", default=[1000, 10_000])
    parser.add_argument("--traces", type=int, default=20)
    chosen = parser.parse_args()
    started = time.perf_counter()
    from bakeoff.analysis.measured_run import Run
    from bakeoff.outputs.mlflow import runs, server

    print(f"import of mlflow: {time.perf_counter() - started:.1f} s\n")
    print("| store | samples x setups | compare, s | log, s | log again, s |")
    print("| --- | --- | --- | --- | --- |")

    def measure(store: str, uri: str, results: Path, samples: int) -> None:
        folder = make_run(results, samples, timed=20)
        times = [time.perf_counter()]
        # Read afresh in a process of its own, so this is paid as well.
        run = Run(folder).held()
        for step in (lambda: run.comparison, *[lambda: runs.log(run, uri, chosen.traces)] * 2):
            with contextlib.redirect_stderr(io.StringIO()):
                step()
            times.append(time.perf_counter())
        compared, logged, again = (b - a for a, b in itertools.pairwise(times))
        print(f"| {store} | {samples:,} x 4 | {compared:.1f} | {logged:.1f} | {again:.1f} |")

    with TemporaryDirectory() as name:
        folder = Path(name)
        uri = f"sqlite:///{folder / 'mlflow.db'}"
        measure("new sqlite", uri, folder / "results", 10)
        for samples in chosen.samples:
            measure("sqlite", uri, folder / "results", samples)
        uri, host = f"sqlite:///{folder / 'server.db'}", "127.0.0.1"
        with server.serving(uri, host, PORT, folder / "artifacts") as (there, _):
            measure("server, first", there, folder / "other", 10)
            for samples in chosen.samples:
                measure("server", there, folder / "other", samples)


if __name__ == "__main__":
    main()
