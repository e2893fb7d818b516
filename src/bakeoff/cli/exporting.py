"""The command that writes files for other tools: export."""

from __future__ import annotations

from pathlib import Path

import click

from bakeoff.cli.app import data_option, finished, main, planned, progress
from bakeoff.cli.named import BENCHMARK, RUN
from bakeoff.running.environment import workspace


@main.command()
@click.argument("run", type=RUN, default="latest", metavar="[RUN|BENCHMARK]")
@click.option(
    "--output", required=True, type=click.Path(path_type=Path, file_okay=False), help="A folder."
)
@click.option(
    "--format",
    "form",
    type=click.Choice(["parquet", "csv"]),
    default="parquet",
    show_default=True,
)
@click.option(
    "--training",
    metavar="SETUP",
    help="Write what this setup of a BENCHMARK learns, for a service that fine-tunes.",
)
@data_option
def export(run: str, output: Path, form: str, training: str | None, data: Path | None) -> None:
    """Write a RUN as tables: samples, scores and numbers (estimates, effects, differences).

    In CSV, lists and tags are JSON.

    With --training, write the training rows of a BENCHMARK's tuned setup as JSON Lines of chats
    (`messages`): those to learn and those to validate on. Rows of documents (`cpt`) have a `text`.
    """
    if training:
        from bakeoff.running import training_files

        file = BENCHMARK.convert(run, None, None)
        plan = planned(file, data, dead_gates=True)
        written = training_files.write(plan, workspace(data), progress(), training, output)
        click.echo("\n".join(f"{path} ({rows} rows)" for path, rows in written.items()))
        click.echo(
            f"tuned by a service, the model is named on its endpoint: "
            f"setups: {{{training}: {{model: ENDPOINT:BASE, tune: NAME}}}}"
        )
        return
    from bakeoff.outputs.frames import write

    for path, rows in write(finished(run), output, form).items():
        click.echo(f"{path} ({rows} rows)")
