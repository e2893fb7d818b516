"""Commands for vendors' batch services: half the price, and nobody waits for a connection."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from bakeoff.cli.app import data_option, main, planned, progress, pull_baselines, selecting
from bakeoff.cli.named import BENCHMARK
from bakeoff.cli.running import finish
from bakeoff.core.counts import quantity
from bakeoff.core.program import program
from bakeoff.running.environment import workspace
from bakeoff.running.sending import sinks

_no_cache = click.option(
    "--no-cache", is_flag=True, help="Neither read nor write the response cache."
)


@main.group()
def batch() -> None:
    """Use a vendor's batch service for the answers of endpoints."""


@batch.command("write")
@click.argument("benchmark", type=BENCHMARK)
@click.option(
    "--output",
    required=True,
    type=click.Path(path_type=Path, dir_okay=False),
    help="The file to write: JSON Lines, to be uploaded.",
)
@_no_cache
@selecting
@data_option
def write_requests(
    benchmark: Path, output: Path, no_cache: bool, data: Path | None, **chosen: Any
) -> None:
    """Write the requests of a BENCHMARK's setups on endpoints as a batch file.

    In the format of OpenAI's batch API. What the response cache answers is left out.
    """
    from bakeoff.running import batches

    plan = planned(benchmark, data, cached=not no_cache, **chosen)
    written = batches.write(plan, workspace(data), progress(), output)
    shared = (
        f", for {quantity(written.requests + written.shared, 'answer')}" if written.shared else ""
    )
    click.echo(f"requests: {output} ({written.requests}{shared})")
    click.echo(f"with the results: {program()} batch read {benchmark} RESULTS [ERRORS]")


@batch.command("read")
@click.argument("benchmark", type=BENCHMARK)
@click.argument(
    "files",
    nargs=-1,
    required=True,
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
)
@click.option(
    "--price-factor",
    type=click.FloatRange(0),
    default=0.5,
    show_default=True,
    help="What the batch costs, as a share of the endpoint's price.",
)
@_no_cache
@click.option("--no-mlflow", is_flag=True, help="Do not log to MLflow.")
@selecting
@data_option
def read_results(
    benchmark: Path,
    files: tuple[Path, ...],
    price_factor: float,
    no_cache: bool,
    no_mlflow: bool,
    data: Path | None,
    **chosen: Any,
) -> None:
    """Run a BENCHMARK with the answers of a batch: its result and error FILES.

    Takes the options that `batch write` was given. Setups that are not on endpoints, and judges,
    are run as by `bakeoff run`. Latency is not measured. A request that failed is that answer's
    failure.
    """
    from bakeoff.models.batched import read_results as read
    from bakeoff.running import batches
    from bakeoff.running.confirm import begin

    plan = planned(benchmark, data, cached=not no_cache, **chosen)
    results = read(files)
    if results.twice:
        click.echo(
            f"answered twice: {quantity(results.twice, 'request')}; the first reply counts",
            err=True,
        )
    requests = batches.collected(plan, workspace(data), progress())
    plan = batches.answered_by(plan, results, requests, price_factor, files)
    if more := len(results.by_id.keys() - requests.requests.keys()):
        click.echo(
            f"left out: {quantity(more, 'result')} of requests that this benchmark does not make"
            f"{'' if no_cache else ', or whose answers the response cache holds'}",
            err=True,
        )
    done, verdicts = begin(plan, workspace(data), progress(), before_judging=pull_baselines)
    finish(done, verdicts, sinks(no_mlflow))
