"""The page of commands, made by docs/make_reference.py from the commands as click has them."""

from __future__ import annotations

import inspect
from collections.abc import Iterator

import click

from bakeoff.cli import main

HEAD = """# Reference: commands

<!-- Made by docs/make_reference.py. -->

`bakeoff COMMAND --help` prints the same. A RUN is named by its folder, its id or the beginning of
it, its benchmark, or `latest` ([names](../how-to/runs.md#names)). What a command exits with is in
[exit codes](exit-codes.md)."""


def commands_page() -> str:
    """A section for each command, in the order of the program's own help."""
    return "\n\n".join([HEAD, *(_section(name, command) for name, command in _walk(main))]) + "\n"


def _walk(group: click.Group, before: str = "bakeoff") -> Iterator[tuple[str, click.Command]]:
    context = click.Context(group)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        if command is None or command.hidden:
            continue
        whole = f"{before} {name}"
        if isinstance(command, click.Group):
            yield from _walk(command, whole)
        else:
            yield whole, command


def _section(name: str, command: click.Command) -> str:
    context = click.Context(command, info_name=name)
    usage = " ".join([name, *command.collect_usage_pieces(context)])
    about = inspect.cleandoc(command.help or "").replace("\b\n", "")
    rows = [record for part in command.params if (record := _row(part, context))]
    table = "\n".join(["| option | meaning |", "|---|---|", *rows])
    parts = [f"## {name}", f"```text\n{usage}\n```", _prose(about), *([table] if rows else [])]
    return "\n\n".join(parts)


def _row(part: click.Parameter, context: click.Context) -> str:
    record = part.get_help_record(context) if isinstance(part, click.Option) else None
    if not record:
        return ""
    return "| " + " | ".join(["`" + _cell(record[0]) + "`", _prose(_cell(record[1]))]) + " |"


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", r"\|")


def _prose(text: str) -> str:
    """Placeholders of a help text, such as [anchor] or <name>, are no Markdown."""
    return text.replace("<", "&lt;").replace("[", r"\[").replace("*", r"\*").replace("_", r"\_")
