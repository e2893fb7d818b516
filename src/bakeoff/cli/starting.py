"""Commands for the first files of one's own: schema."""

from __future__ import annotations

import click

from bakeoff.cli.app import main


@main.command()
@click.argument("kind", type=click.Choice(["task", "benchmark", "gates", "prices", "needs"]))
def schema(kind: str) -> None:
    """Print the JSON Schema of a KIND of file, by which an editor checks and explains it.

    A first line `# yaml-language-server: $schema=FILE` in a YAML file names the schema.
    """
    from bakeoff.running.file_kinds import schema_text

    click.echo(schema_text(kind), nl=False)
