"""Commands that call models, or prepare it: run, plan, score, merge, distill, cache, import."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from bakeoff.cli.app import (
    data_option,
    main,
    named_run,
    planned,
    progress,
    pull_baselines,
    selecting,
    send,
    shard,
    show,
    show_gates,
    show_unanswered,
    waiting,
    write_report,
)
from bakeoff.cli.named import BENCHMARK, RUN, setups_of, tasks_of
from bakeoff.core.aside import import_aside
from bakeoff.core.plain_text import plain
from bakeoff.core.program import program
from bakeoff.core.table import TEXT
from bakeoff.running.environment import data_folder, results, workspace
from bakeoff.running.sending import getting_ready, sinks

if TYPE_CHECKING:
    from bakeoff.analysis.measured_run import Run
    from bakeoff.outputs.sinks import Sink
    from bakeoff.runs.verdicts import Verdicts


@main.command()
@click.argument("benchmark", type=BENCHMARK)
@click.option(
    "--resume", type=RUN, metavar="RUN", help="Resume this run: only missing answers are requested."
)
@click.option("--new", is_flag=True, help="Start a new run, even when the last one did not finish.")
@click.option("--retry-failed", is_flag=True, help="With --resume: retry failed answers.")
@click.option(
    "--shard", default="1/1", metavar="I/N", callback=shard, help="Run only the I-th of N shards."
)
@click.option("--no-cache", is_flag=True, help="Neither read nor write the response cache.")
@click.option("--no-mlflow", is_flag=True, help="Do not log to MLflow.")
@click.option(
    "--on",
    "executor",
    default="here",
    show_default=True,
    metavar="WHERE",
    help="Where setups answer: here, processes:N (worker processes), or ray (a Ray cluster; "
    "ray:N, ray://HOST:PORT).",
)
@selecting
@data_option
def run(
    benchmark: Path,
    resume: str | None,
    new: bool,
    retry_failed: bool,
    no_cache: bool,
    no_mlflow: bool,
    data: Path | None,
    **chosen: Any,
) -> None:
    """Run a BENCHMARK file: every task on every setup.

    If its last run was stopped before the end, the same command resumes it.
    """
    # A quarter of what is imported before the first request, and half of its time goes into the
    # system's certificates: others can compute meanwhile.
    import_aside("aiohttp")

    from bakeoff.running.confirm import begin

    plan = planned(benchmark, data, cached=not no_cache, **chosen)
    unlogged = no_mlflow or plan.selection.shard[1] > 1
    with getting_ready(_get_ready_to_report, no_mlflow=unlogged) as meanwhile:
        done, verdicts = begin(
            plan,
            workspace(data),
            progress(),
            resume=resume or "",
            new=new,
            retry_failed=retry_failed,
            before_judging=pull_baselines,
            meanwhile=meanwhile,
        )
        if done.shard[1] > 1:
            _finish_part(done)
        else:
            finish(done, verdicts, sinks(no_mlflow))


def _finish_part(done: Run) -> None:
    from bakeoff.runs.reported import mark_reported

    write_report(done)
    click.echo(f"part {done.shard[0]} of {done.shard[1]}: {done.folder}")
    click.echo(f"join all parts with: {program()} merge RUN RUN ...")
    mark_reported(done.folder)


def _get_ready_to_report() -> None:
    """Import the modules for the report while the run waits for answers, and find its sinks."""
    from bakeoff.core import layout
    from bakeoff.outputs import report
    from bakeoff.outputs.page import html
    from bakeoff.running import gating

    _ = gating, layout, report
    html.template()
    # The metadata of every installed package are read for them, once in a process.
    sinks(no_mlflow=True)


def _judged(done: Run) -> Verdicts | None:
    from bakeoff.running import gating

    pull_baselines(done)
    return gating.gate(done, results()) if done.suite.gates else None


def finish(done: Run, verdicts: Verdicts | None, to: Mapping[str, Sink]) -> None:
    """Report a complete run, show its results, send it, and exit by its gates."""
    from bakeoff.analysis.answer import answer, sentences
    from bakeoff.outputs.tables.effects import effects, findings
    from bakeoff.outputs.tables.endings import endings, failures
    from bakeoff.outputs.tables.headline import headline
    from bakeoff.runs.reported import mark_reported

    path = write_report(done)
    for table in (headline(done), failures(done), endings(done), effects(done)):
        if table.rows:
            show(table)
    for finding in findings(done):
        click.echo(plain(finding, TEXT))
    unanswered = show_unanswered(done)
    for sentence in sentences(answer(done)):
        click.echo(plain(sentence, TEXT))
    code = (show_gates(verdicts) if verdicts else 0) or unanswered
    click.echo(f"report:  {path}")
    click.echo(f"page:    {path.with_suffix('.html')}")
    # On a pipe, too: sending takes seconds, and nobody is to wait for the results until then.
    sys.stdout.flush()
    lines, unsent = send(done, to)
    for line in lines:
        click.echo(line)
    if not unsent:
        mark_reported(done.folder)
    sys.exit(code or unsent)


@main.command()
@click.argument("benchmark", type=BENCHMARK)
@selecting
@data_option
def plan(benchmark: Path, data: Path | None, **chosen: Any) -> None:
    """Estimate the requests, tokens, time and cost of a BENCHMARK before it is run.

    Refuses what `run` would refuse.
    """
    from bakeoff.running.estimate import forecast
    from bakeoff.running.readiness import require_ready

    wanted = planned(benchmark, data, **chosen)
    require_ready(wanted, os.environ)
    show(forecast(wanted, results()).table())
    for name, reason in wanted.skipped.items():
        click.echo(f"skipped {name}: {plain(reason, TEXT)}")


@main.command()
@click.argument("run", type=RUN, default="latest")
@click.option(
    "--judges",
    type=BENCHMARK,
    metavar="BENCHMARK",
    help="A benchmark file whose endpoints and verifiers are used.",
)
@click.option(
    "--trust",
    is_flag=True,
    help="Run the Python functions and query the endpoints of a run from elsewhere.",
)
@data_option
def score(run: str, judges: Path | None, trust: bool, data: Path | None) -> None:
    """Score the stored answers of a RUN again, with the scorers its tasks name now."""
    from bakeoff.running.rescore import rescore

    with waiting("scoring"):
        done = rescore(named_run(run, newest=True), workspace(data), judges, trusted=trust)
    finish(done, _judged(done), {})


@main.command()
@click.argument("runs", nargs=-1, required=True, type=RUN)
def merge(runs: tuple[str, ...]) -> None:
    """Merge the shards of one benchmark, run on one machine or several, into one run."""
    from bakeoff.running.merge import merge as merge_runs

    with waiting("joining the parts"):
        done = merge_runs([named_run(run, newest=True) for run in runs], results())
    finish(done, _judged(done), {})


@main.command()
@click.argument("benchmark", type=BENCHMARK)
@click.option(
    "--teacher",
    required=True,
    help="The teacher setup, whose answers are kept.",
    shell_complete=setups_of,
)
@click.option(
    "--task",
    required=True,
    help="The task whose training questions the teacher answers.",
    shell_complete=tasks_of,
)
@click.option(
    "--output",
    required=True,
    type=click.Path(path_type=Path, dir_okay=False),
    help="File to write: rows that a task file can name as `rows.train`.",
)
@click.option(
    "--min-score", "--right", type=click.FloatRange(0, 1), help="Minimum score of a kept answer."
)
@click.option(
    "--min-support",
    "--supported",
    type=click.FloatRange(0, 1),
    help="Minimum share of supported claims.",
)
@click.option("--cited", is_flag=True, help="Keep only answers that cite a passage, as in [1].")
@data_option
def distill(
    benchmark: Path, teacher: str, task: str, output: Path, data: Path | None, **keep: Any
) -> None:
    """Keep a setup's good answers to training questions as training rows (distillation)."""
    from bakeoff.running.distilling import distil
    from bakeoff.spec.recipes import Distillation

    given = {name: value for name, value in keep.items() if value is not None}
    wanted = Distillation(teacher=teacher, **given)
    plan = planned(benchmark, data)
    counts = distil(plan, workspace(data), task, wanted, output, progress())
    for why, count in counts.items():
        click.echo(f"{why}: {count}")
    click.echo(f"rows:    {output}")


@main.group()
def cache() -> None:
    """Check the response cache that runs share."""


@cache.command()
@click.argument("benchmark", type=BENCHMARK)
@click.option(
    "--share", default=0.05, show_default=True, help="Share of the cached answers to query again."
)
@data_option
def verify(benchmark: Path, share: float, data: Path | None) -> None:
    """Query a share of a BENCHMARK's cached answers again; delete those that differ.

    Exit code 10 if any differ.
    """
    from bakeoff.setups.checking import verify_cache

    plan = planned(benchmark, data)
    table = verify_cache(plan.suite, benchmark, plan.tasks, workspace(data), share, progress())
    show(table)
    sys.exit(10 if any(row[-1] != "0" for row in table.rows) else 0)


@main.command("import")
@click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path, exists=True))
@click.option(
    "--preset",
    "format",
    default="",
    help="The files' format, instead of recognizing it: lm-eval, inspect, promptfoo, rag, traces.",
)
@click.option(
    "--column", "columns", multiple=True, metavar="FIELD=COLUMN", help="The column of a field."
)
@click.option(
    "--score", "scores", multiple=True, metavar="[NAME=]COLUMN", help="A metric's column."
)
@click.option("--tag", "tags", multiple=True, metavar="[NAME=]COLUMN", help="A tag's column.")
@click.option("--where", multiple=True, metavar="COLUMN=TEXT", help="Only rows with this value.")
@click.option(
    "--setup", default="", help="The setup of all rows; default: a column, else the file name."
)
@click.option(
    "--task",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    help="The task file whose test rows were answered; its scorers score the answers.",
)
@click.option(
    "--scorers", default="", metavar="A,B", help="Scorers of the answers, without --task."
)
@click.option(
    "--refusal",
    "refusals",
    multiple=True,
    metavar="TEXT",
    help="A phrase that counts as declining, =TEXT only as the whole answer; instead of the "
    "default ones, without --task.",
)
@click.option(
    "--lower-is-better", multiple=True, metavar="NAME", help="Treat this metric as lower-is-better."
)
@click.option(
    "--missing",
    type=click.Choice(["drop", "worst", "refuse"]),
    help="Samples that a setup has no answer to: left out for all setups, failures of that setup, "
    "or an error. Default: left out, an error where less than half of the samples are left.",
)
@click.option("--name", default="", help="The benchmark's name.")
@data_option
def import_files(
    files: tuple[Path, ...],
    columns: tuple[str, ...],
    scores: tuple[str, ...],
    tags: tuple[str, ...],
    where: tuple[str, ...],
    scorers: str,
    missing: Any,
    data: Path | None,
    **given: Any,
) -> None:
    """Import other tools' results as a run: FILES, or folders of them.

    Recognized: sample files of lm-evaluation-harness, logs of inspect, results of promptfoo, rows
    of ragas, deepeval and other RAG evaluations, traces of OpenTelemetry and MLflow. Of other rows
    (JSON Lines, JSON, CSV, Parquet, XLSX) name the columns.

    Fields: id, setup, answer, passages, question, target, cluster, repeat, prompt_tokens,
    completion_tokens, seconds, error, finish_reason. A column may be a path into nested JSON, such
    as a.b.0.
    """
    import shlex

    from bakeoff.outputs.tables.headline import headline
    from bakeoff.running.importing import Import, import_results
    from bakeoff.running.importing.fields import Fields
    from bakeoff.running.importing.wanted import COMMON
    from bakeoff.spec.metric import listed

    wanted = Import(
        files,
        Fields.parse(columns, scores, tags, where),
        missing=missing or COMMON,
        scorers=listed(scorers),
        data=data_folder(data),
        command=shlex.join(["bakeoff", *sys.argv[1:]]),
        **given,
    )
    done = import_results(wanted, results(), click.echo)
    path = write_report(done)
    show(headline(done))
    click.echo(f"report:  {path}")
    click.echo(f"page:    {path.with_suffix('.html')}")
    sys.exit(show_unanswered(done))
