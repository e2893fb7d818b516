"""Commands that read finished runs: runs, compare, gate, cost, report, log."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from bakeoff.cli.app import (
    finished,
    format_option,
    main,
    pull_baselines,
    show,
    show_as,
    show_gates,
    waiting,
    write_report,
)
from bakeoff.cli.named import PRICES, RUN, benchmarks_with_runs
from bakeoff.core.program import program
from bakeoff.core.words import BakeoffError
from bakeoff.running.environment import results, tracking_uri

if TYPE_CHECKING:
    from bakeoff.analysis.measured_run import Run

NEWEST = 20
"""Runs that are listed unless all are asked for."""


@main.command("runs")
@click.argument(
    "benchmark", default="*", metavar="[BENCHMARK]", shell_complete=benchmarks_with_runs
)
@click.option("--all", "whole", is_flag=True, help=f"List all, not the newest {NEWEST} alone.")
def list_runs(benchmark: str, whole: bool) -> None:
    """List the runs of a BENCHMARK (else of all): when, state, setups, samples, gates.

    Commands take a run by its folder, its id or the beginning of it, its benchmark, or as `latest`:
    the last complete run of the benchmark that was run last. `latest~1` is the one before.
    """
    from bakeoff.outputs.tables.runs import runs_table
    from bakeoff.runs.naming import runs_in

    name = Path(benchmark).stem if benchmark.endswith((".yaml", ".yml")) else benchmark
    known = runs_in(results(), name)
    if not known:
        of = "" if name == "*" else f" of '{name}'"
        raise BakeoffError(f"{results()}: no runs{of} yet; `{program()} run BENCHMARK` makes one")
    listed = known if whole else known[:NEWEST]
    show(runs_table(listed, len(known) - len(listed)))


@main.command()
@click.argument("runs", nargs=-1, metavar="[RUN]...", type=RUN)
@click.option(
    "--format",
    "form",
    type=click.Choice(["terminal", "markdown", "json", "csv"]),
    default="terminal",
    show_default=True,
)
@click.option(
    "--allow-mismatch",
    is_flag=True,
    help="Compare runs that did not measure the same (rows, scorers, judges, ...).",
)
@click.option("--wide", is_flag=True, help="A line for each row, also where the screen is narrow.")
def compare(runs: tuple[str, ...], form: str, allow_mismatch: bool, wide: bool) -> None:
    """Compare the setups of a RUN (by default the latest), or several runs.

    `bakeoff runs` lists them and explains how to name them.
    """
    from dataclasses import asdict

    from bakeoff.outputs.compared import compared

    done = [finished(run) for run in runs or ("latest",)]
    with waiting("comparing"):
        made = compared(done, allow_mismatch)
    if form == "csv":
        click.echo(made.csv(), nl=False)
    else:
        show_as(form, made.tables, lambda: asdict(made.comparison), wide=wide)
        if form == "terminal" and sys.stdout.isatty() and not wide:
            from bakeoff.outputs import terminal

            if terminal.narrow(made.tables):
                click.echo("A row that does not fit is a block; --wide keeps each on a line.")


@main.command()
@click.argument("run", type=RUN, default="latest")
@click.option(
    "--check", "checks", multiple=True, help="A gate to evaluate instead of the benchmark's."
)
@click.option(
    "--gates",
    "file",
    type=click.Path(path_type=Path),
    help="A file of gates, or a benchmark file, whose gates replace those of the run.",
)
@click.option("--baseline", type=RUN, metavar="RUN", help="Use this run as `baseline:`.")
@click.option("--anchor", type=RUN, metavar="RUN", help="Use this run as `anchor:`.")
@click.option(
    "--allow-mismatch", is_flag=True, help="Accept a baseline or anchor that is not comparable."
)
@click.option(
    "--soft",
    is_flag=True,
    help="Exit with 0 whatever the verdicts; without any (an incomplete run) still with 12.",
)
@click.option(
    "--output",
    type=click.Path(path_type=Path, file_okay=False),
    help="Folder for gates.json, gates.xml (JUnit) and gates.md; default: the run's.",
)
def gate(
    run: str,
    checks: tuple[str, ...],
    file: Path | None,
    baseline: str | None,
    anchor: str | None,
    allow_mismatch: bool,
    soft: bool,
    output: Path | None,
) -> None:
    """Evaluate the gates of a RUN: PASS, FAIL, INCONCLUSIVE, ERROR or SKIPPED.

    Exit code 0: nothing fails, 10: a gate fails, 11: at least one gate is inconclusive (with
    `on_inconclusive: fail`), 12: evidence is missing, damaged or not comparable.
    """
    from bakeoff.running import gating

    done = finished(run, newest=True)
    chosen = gating.chosen_gates(done, file, checks)
    pull_baselines(done)
    named = {"baseline": baseline, "anchor": anchor}
    references = {name: gating.reference(r, results()) for name, r in named.items() if r}
    with waiting("judging the gates"):
        verdicts = gating.gate(
            done,
            results(),
            chosen=chosen,
            references=references,
            allow_mismatch=allow_mismatch,
            output=output,
        )
    code = show_gates(verdicts)
    sys.exit(0 if soft else code)


_AMOUNT = click.FloatRange(0, max=1e15)


def _numbers(_: Any, __: Any, values: tuple[str, ...]) -> dict[str, float]:
    weights: dict[str, float] = {}
    for text in values:
        name, _, value = text.partition("=")
        try:
            weights[name] = float(value)
        except ValueError:
            raise click.BadParameter(f"write TASK=N (found {text!r})") from None
        if not 0 <= weights[name] < float("inf"):
            raise click.BadParameter(f"a weight is 0 or more (found {text!r})")
    return weights


@main.command()
@click.argument("run", type=RUN, default="latest")
@click.option(
    "--prices",
    "file",
    type=PRICES,
    metavar="FILE",
    required=True,
    help="Prices of tokens, machines and people; examples are in benchmarks/prices.",
)
@click.option(
    "--volume", type=_AMOUNT, default=10_000, show_default=True, help="Requests per month."
)
@click.option("--updates", type=_AMOUNT, default=1, show_default=True, help="Updates per month.")
@click.option(
    "--months",
    type=click.FloatRange(0, min_open=True),
    default=12,
    show_default=True,
    help="Number of months over which up-front costs are spread.",
)
@click.option(
    "--weight",
    "weights",
    multiple=True,
    metavar="TASK=N",
    callback=_numbers,
    help="Requests of a task per request of a task without a weight.",
)
@format_option
def cost(
    run: str,
    file: Path,
    volume: float,
    updates: float,
    months: float,
    weights: dict[str, float],
    form: str,
) -> None:
    """Compute a RUN's costs per request, correct answer and month, and break-even volumes."""
    from bakeoff.decide import cost as costs
    from bakeoff.decide.cost import prices, shown

    priced, done = prices.load_prices(file), finished(run)
    with waiting("computing the costs"):
        made = costs.compute(done, priced, costs.Load(volume, updates, months, weights))
    path = costs.write(done.folder, made)
    show_as(form, shown.tables(made), lambda: made.model_dump(mode="json"))
    if form == "terminal":
        click.echo(f"{path}: `{program()} report {run}` shows it, too")


@main.command()
@click.argument("run", type=RUN, default="latest")
@click.option(
    "--output",
    type=click.Path(path_type=Path),
    help="File to write instead: HTML when it ends in .html, else Markdown.",
)
@click.option("--open", "shown", is_flag=True, help="Open it in the browser.")
@click.option(
    "--plots",
    type=click.Path(path_type=Path, file_okay=False),
    help="Folder to write the pictures to as well, as SVG and PNG; PNG needs Chromium.",
)
def report(run: str, output: Path | None, shown: bool, plots: Path | None) -> None:
    """Write the report of a RUN again: report.md, report.html and its plots."""
    from bakeoff.analysis.measured_run import write_comparison
    from bakeoff.outputs.page import html, pictures
    from bakeoff.outputs.tables.markdown import markdown
    from bakeoff.runs.store import PAGE

    done = finished(run)
    with waiting("comparing"):
        _ = done.comparison
    if output is None:
        write_comparison(done)
        click.echo(write_report(done))
    elif output.suffix == ".html":
        page = html.page(done, pictures.draw(done))
        output.write_text(page, encoding="utf-8", newline="\n")
    else:
        output.write_text(markdown(done), encoding="utf-8")
    written = output or done.folder / PAGE
    click.echo(written)
    if plots:
        with waiting("drawing the pictures"):
            made = _drawn(done, plots)
        click.echo(f"{plots}: {made} pictures, each as SVG and PNG")
    if shown:
        click.launch(written.resolve().as_uri())


def _drawn(done: Run, folder: Path) -> int:
    """Write every picture of a run into a folder; how many."""
    from bakeoff.outputs.page import pictures, raster

    browser = raster.browser()
    shown = pictures.draw(done)
    folder.mkdir(parents=True, exist_ok=True)
    pictures.write(shown, folder)
    raster.write(browser, [folder / f"{picture.file}.svg" for picture in shown])
    return len(shown)


@main.command()
@click.argument("run", type=RUN, default="latest")
@click.option("--traces", default=20, show_default=True, help="Traces per setup.")
@click.option("--quiet", is_flag=True, help="Print no links.")
@click.option("--when-told", is_flag=True, hidden=True, help="Read RUN from the standard input.")
def log(run: str, traces: int, quiet: bool, when_told: bool) -> None:
    """Log a RUN to MLflow (again); nothing is duplicated."""
    from bakeoff.outputs.mlflow import sink
    from bakeoff.outputs.mlflow.whole import get_ready, log_whole

    if when_told:
        get_ready(tracking_uri())
        if not (run := sink.told()):
            return
    done = finished(run)
    log_whole(done, tracking_uri(), traces)
    if not quiet:
        for line in sink.seen(done):
            click.echo(line)
