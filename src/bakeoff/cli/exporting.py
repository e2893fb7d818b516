"""The command that writes files for other tools: export."""

from __future__ import annotations

from pathlib import Path

import click

from bakeoff.cli.app import data_option, finished, main, planned, progress
from bakeoff.cli.named import BENCHMARK, RUN
from bakeoff.core.counts import quantity
from bakeoff.running.environment import workspace


@main.command()
@click.argument("run", type=RUN, default="latest", metavar="[RUN|BENCHMARK]")
@click.option(
    "--output", required=True, type=click.Path(path_type=Path, file_okay=False), help="A folder."
)
@click.option(
    "--format",
    "form",
    type=click.Choice(["parquet", "csv", "every-eval-ever", "model-card"]),
    default="parquet",
    show_default=True,
)
@click.option(
    "--organization",
    default="unknown",
    metavar="NAME",
    help="Who evaluated, as records of every-eval-ever say it.",
)
@click.option(
    "--training",
    metavar="SETUP",
    help="Write what this setup of a BENCHMARK learns, for a service that fine-tunes.",
)
@data_option
def export(
    run: str,
    output: Path,
    form: str,
    organization: str,
    training: str | None,
    data: Path | None,
) -> None:
    """Write a RUN as tables: samples, scores and numbers (estimates, effects, differences).

    In CSV, lists and tags are JSON. With `--format every-eval-ever`, write a record of each setup
    and a file of its scored answers in the shared format of evaluation results; with `model-card`,
    a card for the model hub of each adapter that the run trained.

    With --training, write the training rows of a BENCHMARK's tuned setup as JSON Lines of chats
    (`messages`): those to learn and those to validate on. Rows of documents (`cpt`) have a `text`.
    """
    if training:
        from bakeoff.running import training_files

        file = BENCHMARK.convert(run, None, None)
        plan = planned(file, data, dead_gates=True)
        written = training_files.write(plan, workspace(data), progress(), training, output)
        click.echo("\n".join(f"{path} ({quantity(rows, 'row')})" for path, rows in written.items()))
        click.echo(
            f"tuned by a service, the model is named on its endpoint: "
            f"setups: {{{training}: {{model: ENDPOINT:BASE, tune: NAME}}}}"
        )
        return
    done = finished(run)
    if form == "every-eval-ever":
        from bakeoff.outputs.every_eval_ever.written import write as write_records

        files = write_records(done, output, organization)
    elif form == "model-card":
        from bakeoff.outputs.model_card import write as write_cards

        files = write_cards(done, output)
    else:
        from bakeoff.outputs.frames import write

        files = write(done, output, form)
    click.echo("\n".join(f"{path} ({entries} rows)" for path, entries in files.items()))
