"""Commands for gates that are always on: power, baseline, nightly, trend."""

from __future__ import annotations

import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from bakeoff.cli.app import (
    data_option,
    finished,
    main,
    planned,
    progress,
    pull_baselines,
    selecting,
    send,
    show,
    show_gates,
    show_unanswered,
)
from bakeoff.cli.named import BENCHMARK, RUN, benchmarks_with_runs
from bakeoff.core.plain_text import plain
from bakeoff.core.table import TEXT
from bakeoff.core.words import MissingEvidence
from bakeoff.running.environment import environment, results, workspace
from bakeoff.running.sending import sinks

if TYPE_CHECKING:
    from bakeoff.analysis.measured_run import Run
    from bakeoff.decide.gates.baseline import Channel


@main.command()
@click.argument("benchmark", type=BENCHMARK)
@selecting
@data_option
def power(benchmark: Path, data: Path | None, **chosen: Any) -> None:
    """Show the minimum detectable effect of a BENCHMARK's gates before anything is run.

    The effect is for 80% power. Exit code 2 when a gate can never fail or never pass.
    """
    from bakeoff.decide.gates.power import earlier, problems
    from bakeoff.outputs.tables.gates import power
    from bakeoff.running.planning import previews

    plan = planned(benchmark, data, dead_gates=True, **chosen)
    shown = previews(plan, earlier(results(), plan.suite.name))
    show(power(shown))
    sys.exit(2 if problems(shown) else 0)


@main.group()
def baseline() -> None:
    """Accept and list the runs that gates compare later runs with."""


@baseline.command()
@click.argument("run", type=RUN, default="latest")
@click.option(
    "--channel",
    type=click.Choice(["rolling", "anchor"]),
    default="rolling",
    show_default=True,
    help="`baseline:` in a gate is the rolling one, `anchor:` the anchor.",
)
@click.option("--reason", required=True, help="Why this run is accepted; stored with the baseline.")
def accept(run: str, channel: Channel, reason: str) -> None:
    """Make a RUN the baseline of its benchmark; it must be complete and fail no gate."""
    from bakeoff.running import accepting

    pointer = accepting.accept(finished(run, newest=True), channel, reason)
    click.echo(f"{channel} baseline of {pointer.benchmark}: {pointer.run}")


@baseline.command("list")
def list_baselines() -> None:
    """List all baselines."""
    from bakeoff.decide.gates import baseline as gate_baselines
    from bakeoff.outputs.tables.gates import baselines

    show(baselines(list(gate_baselines.pointers(results()))))


@main.command()
@click.argument("benchmark", type=BENCHMARK)
@click.option(
    "--night",
    type=click.DateTime(["%Y-%m-%d"]),
    help="Date of the nightly run; default: today.",
)
@click.option("--keep-texts", type=float, metavar="DAYS", help="Remove the texts from older runs.")
@click.option(
    "--advance",
    is_flag=True,
    help="Accept the run as rolling baseline if gates pass and nothing drifts.",
)
@click.option("--tolerate-drift", is_flag=True, help="Warn on harmful drift, do not fail.")
@click.option("--no-mlflow", is_flag=True, help="Do not log to MLflow.")
@data_option
def nightly(
    benchmark: Path,
    night: datetime | None,
    keep_texts: float | None,
    advance: bool,
    tolerate_drift: bool,
    no_mlflow: bool,
    data: Path | None,
) -> None:
    """Run or resume a nightly run of a BENCHMARK: report, log, detect drift, evaluate gates.

    Safe to call twice, after a crash, or late. Alerts go to a file and, where BAKEOFF_WEBHOOK
    has an address, there. Exit codes are those of `gate`; harmful drift exits with 10.
    """
    from bakeoff.outputs.tables.headline import headline
    from bakeoff.running import nightly as nights

    day = night.date() if night else datetime.now().astimezone().date()
    webhook = environment().webhook or None
    lines: list[str] = []
    unsent: list[int] = []

    def publish(run: Run) -> None:
        messages, code = send(run, sinks(no_mlflow))
        lines.extend(messages)
        unsent.append(code)

    options = nights.NightlyOptions(day, webhook, keep_texts, advance, tolerate_drift)
    done = nights.nightly(
        # Cached answers of earlier nights would not measure this one.
        planned(benchmark, data, cached=False),
        workspace(data),
        options,
        progress(),
        publish,
        pull_baselines,
    )
    if done.run:
        show(headline(done.run))
        if done.run.suite.gates:
            from bakeoff.decide.gates.judging import verdicts_of

            show_gates(verdicts_of(done.run))
        for line in lines:
            click.echo(line)
    for note in done.notes:
        click.echo(plain(note, TEXT))
    click.echo(f"{day}: {done.night.state}, run {done.night.run}")
    code = done.exit_code or (show_unanswered(done.run) if done.run else 0)
    sys.exit(code or max(unsent, default=0))


@main.command()
@click.argument("benchmark", shell_complete=benchmarks_with_runs)
@click.option(
    "--csv", "as_csv", is_flag=True, help="All nightly runs and series as CSV, for other detectors."
)
@click.option("--last", default=7, show_default=True, help="Number of nightly runs to show.")
@click.option(
    "--within",
    type=float,
    metavar="HOURS",
    help="Exit 12 unless a nightly run finished in the last HOURS.",
)
def trend(benchmark: str, as_csv: bool, last: int, within: float | None) -> None:
    """Show the nightly runs of a BENCHMARK (its name), drift and missing nights."""
    from bakeoff.analysis import trend as trends

    path = trends.history(results(), Path(benchmark).stem)
    kept = trends.recorded(path)
    if as_csv:
        click.echo(trends.csv(kept), nl=False)
    else:
        show(trends.table(kept, last))
        for drift in trends.alarms(kept):
            click.echo(plain(drift.text, TEXT))
        if gone := trends.missing(kept, datetime.now().astimezone().date()):
            click.echo(f"missing nights: {', '.join(trends.spans(gone))}")
    if within is not None and (stale := trends.heartbeat(kept, datetime.now(UTC), within)):
        raise MissingEvidence(f"{path}: {stale}")
