"""Shared by all commands: the group, exit codes, folders and options.

Exit codes: 0 success, 2 a usage or configuration error, 10 a gate fails (or drift is harmful, or
cached answers differ), 11 at least one gate is inconclusive, 12 evidence is missing, damaged or not
comparable, 20 a run stopped before its end, or the disk is full: the same command goes on, 130
interrupted, 143 ended by SIGTERM, 129 ended by SIGHUP.
"""

from __future__ import annotations

import atexit
import errno
import gc
import os
import signal
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from bakeoff.core.words import BakeoffError, Incomplete, MissingEvidence
from bakeoff.running.environment import data_folder, environment, results

if TYPE_CHECKING:
    from bakeoff.analysis.measured_run import Run
    from bakeoff.core.progress import Progress
    from bakeoff.core.table import Table
    from bakeoff.outputs.sinks import Sink
    from bakeoff.running.plan import Plan
    from bakeoff.runs.verdicts import Verdicts

# There are none, and the search reads the metadata of every installed package.
os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "true")

# numpy starts a thread for every core but one. Each spins for some 50 ms before it sleeps, after
# the import and after every product of matrices: 2 to this power of cycles are a third of a
# millisecond, in which products that follow each other still find them awake.
os.environ.setdefault("OPENBLAS_THREAD_TIMEOUT", "20")

# What a command reads it keeps to its end, and what it drops hangs together in hardly any circles.
# With Python's own threshold, 700 new objects, looking for garbage takes a fifth of the processor
# time of a run; with 100,000 still a fortieth where it has 10,000 samples.
gc.set_threshold(1_000_000, 20, 100)
# At the interpreter's end it would be looked for thrice more, in all that goes away anyway: that
# took a fifth of a second. Files and connections are closed by whoever opened them.
atexit.register(gc.freeze)


class _Commands(click.Group):
    """Turns errors that the user can fix into one message and the right exit code."""

    def invoke(self, ctx: click.Context) -> Any:
        try:
            with _stoppable():
                return super().invoke(ctx)
        except BakeoffError as error:
            _fail(error)
        except OSError as error:
            if error.errno == errno.EPIPE:
                raise  # nobody reads on: click ends quietly
            from bakeoff.core.disk import refused

            _fail(refused(error))
        except click.Abort:  # Ctrl-C, or the end of the input, at a question
            click.echo("\ninterrupted; nothing was changed", err=True)
            sys.exit(128 + signal.SIGINT)
        except KeyboardInterrupt as stop:
            click.echo("interrupted; finished work is kept: the same command resumes", err=True)
            sys.exit(128 + (stop.number if isinstance(stop, _Stop) else signal.SIGINT))
        finally:
            _show_changed_names()


class _Stop(KeyboardInterrupt):
    """A signal that asks the program to end: it ends as by Ctrl-C."""

    def __init__(self, number: int) -> None:
        super().__init__()
        self.number = number


@contextmanager
def _stoppable() -> Iterator[None]:
    """Have SIGTERM and SIGHUP end the program as Ctrl-C does; a second one ends it at once."""

    def stop(number: int, _: object) -> None:
        signal.signal(number, signal.SIG_DFL)
        raise _Stop(number)

    # `nohup` has SIGHUP ignored, and that stays.
    heard = [s for s in (signal.SIGTERM, signal.SIGHUP) if signal.getsignal(s) == signal.SIG_DFL]
    for number in heard:
        signal.signal(number, stop)
    try:
        yield
    finally:
        for number in heard:
            signal.signal(number, signal.SIG_DFL)


def _show_changed_names() -> None:
    """A line for each old name that was read, whatever came of the command."""
    from bakeoff.spec import names

    for old, new in names.take_noted().items():
        click.echo(f"`{old}` is now called `{new}`", err=True)


def _fail(error: BakeoffError) -> None:
    from bakeoff.core.plain_text import plain

    # Files of this folder by their paths from here, as they are typed.
    text = f"bakeoff: {error}".replace(f"{Path.cwd()}{os.sep}", "")
    # Messages quote files: what they hold must not move a terminal's cursor.
    lines = [plain(line, 5000) for line in text.split("\n")]
    click.echo("\n".join(lines), err=True)
    sys.exit(exit_code(error))


def exit_code(error: BakeoffError) -> int:
    if isinstance(error, MissingEvidence):
        return 12
    return 20 if isinstance(error, Incomplete) else 2


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="bakeoff")
def main() -> None:
    """Compare base, fine-tuned, RAG and hybrid setups on your own tasks."""


def finished(run: str, *, newest: bool = False) -> Run:
    """The run that `run` names: of a benchmark the last complete one, or `newest` the last."""
    from bakeoff.analysis.measured_run import Run

    return Run(named_run(run, newest=newest))


def named_run(run: str, *, newest: bool = False) -> Path:
    """The folder of a run; a newer one of its benchmark that is passed over is named."""
    from bakeoff.runs.naming import find_run, passed_over

    folder = find_run(run, results(), newest=newest)
    if not newest and (newer := passed_over(run, folder, results())):
        click.echo(newer, err=True)
    return folder


data_option = click.option(
    "--data",
    type=click.Path(path_type=Path, file_okay=False, exists=True),
    help="Folder with local copies of public data sets (else: BAKEOFF_DATA, else the hub).",
)

format_option = click.option(
    "--format",
    "form",
    type=click.Choice(["terminal", "markdown", "json"]),
    default="terminal",
    show_default=True,
)


def named_values(_: Any, __: Any, values: tuple[str, ...]) -> tuple[tuple[str, str], ...]:
    split = [value.partition("=") for value in values]
    if odd := [name for name, sign, _ in split if not sign]:
        raise click.BadParameter(f"write name=value (found {odd[0]!r})")
    return tuple((name, value) for name, _, value in split)


def shard(_: Any, __: Any, text: str) -> tuple[int, int]:
    from bakeoff.tasks.selection import shard_of

    try:
        return shard_of(text)
    except ValueError as error:
        raise click.BadParameter(f"{error} (found {text!r})") from error


def selecting(command: Any) -> Any:
    """The options that choose a part of the samples."""
    for option in (
        click.option(
            "--limit",
            type=click.IntRange(1),
            help="Maximum number of samples per task, and of rows for fine-tuning.",
        ),
        click.option("--sample-ids", multiple=True, metavar="ID", help="Only these samples."),
        click.option(
            "--tags",
            multiple=True,
            metavar="NAME=VALUE",
            callback=named_values,
            help="Only samples with these tags.",
        ),
        click.option("--repeats", type=click.IntRange(1), help="Number of runs per sample."),
        click.option(
            "--dtype",
            type=click.Choice(["float32", "bfloat16", "float16"]),
            help="Compute in this dtype: overrides the file, and accepts an emulated one.",
        ),
    ):
        command = option(command)
    return command


def planned(benchmark: Path, data: Path | None, *, dead_gates: bool = False, **choice: Any) -> Plan:
    """The plan of a benchmark, with all checks that need no model. Raises `BakeoffError`.

    `choice` has the fields of `planning.Choice`.
    """
    from bakeoff.running.planning import Choice, planned

    return planned(benchmark, data_folder(data), Choice(**choice), dead_gates=dead_gates)


def progress() -> Progress:
    """The live display on a terminal, plain lines elsewhere."""
    if sys.stderr.isatty():
        from bakeoff.outputs.terminal import LiveProgress

        return LiveProgress()
    from bakeoff.core.progress import PlainProgress

    return PlainProgress(show)


def show(table: Table, *, wide: bool = False) -> None:
    """Print a table: with colours and folded on a terminal, as plain text on a pipe.

    `wide`: a line for each row on a terminal, too.
    """
    if sys.stdout.isatty() or environment().coloured:
        from bakeoff.outputs import terminal

        terminal.show(table, wide=wide)
    else:
        from bakeoff.core.layout import as_text

        click.echo(as_text(table))


def show_as(
    form: str, tables: Sequence[Table], contents: Callable[[], Any], *, wide: bool = False
) -> None:
    """Print a result as `--format` asks: its tables (`wide`: see `show`), or contents as JSON."""
    if form == "json":
        import json

        click.echo(json.dumps(contents(), indent=2))
    elif form == "markdown":
        from bakeoff.core.table import as_markdown

        click.echo(as_markdown(tables), nl=False)
    else:
        for table in tables:
            show(table, wide=wide)


def waiting(unit: str) -> AbstractContextManager[None]:
    """Show progress while the block runs, where it takes longer than a moment."""
    from bakeoff.core.progress import working

    return working(progress(), unit)


def send(run: Run, to: Mapping[str, Sink]) -> tuple[list[str], int]:
    """Send a run to the sinks; their lines for the user, and 20 where there was no room, else 0."""
    from bakeoff.running import sending

    sent = sending.send(run, to, waiting)
    for error in sent.errors:
        click.echo(f"bakeoff: {error}", err=True)
    return sent.lines, sent.code


def pull_baselines(run: Run) -> None:
    """Use the baselines of the tracking server, where one is configured."""
    from bakeoff.running import sending

    sending.pull_baselines(run, results())


def show_gates(judged: Verdicts) -> int:
    """Show the verdicts, on GitHub also as step summary and annotations; return the exit code."""
    from bakeoff.outputs import ci
    from bakeoff.outputs.tables.gates import verdicts

    show(verdicts(judged))
    about = environment()
    if summary := about.step_summary:
        with Path(summary).open("a", encoding="utf-8") as stream:
            stream.write(ci.summary(judged))
    if about.workflow:
        click.echo("\n".join(ci.workflow_commands(judged)))
    return judged.exit_code


def show_unanswered(run: Run) -> int:
    """Name the setups of which every answer failed; return the exit code: 12 where there are.

    Gates may pass a setup that failed on one task alone.
    """
    from bakeoff.analysis.outcomes import without_answers

    silent = without_answers(run)
    for unanswered in silent:
        click.echo(f"bakeoff: {unanswered.sentence}", err=True)
    return 12 if any(not (one.task and run.suite.gates) for one in silent) else 0


def write_report(run: Run) -> Path:
    """Write the report of a run as Markdown and HTML; return the path of the Markdown."""
    from bakeoff.outputs import report

    with waiting("writing the report"):
        return report.write(run)
