"""Commands that ask models: run, plan, score, merge, cache."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from bakeoff.cli.app import (
    data_folder,
    data_option,
    log_run,
    main,
    planned,
    program,
    progress,
    pull_baselines,
    results,
    selecting,
    shard,
    show,
    show_gates,
    show_links,
    waiting,
    workspace,
    write_report,
)

if TYPE_CHECKING:
    from bakeoff.analysis.measured_run import Run
    from bakeoff.runs.verdicts import Verdicts


@main.command()
@click.argument("benchmark", type=click.Path(path_type=Path))
@click.option("--resume", metavar="RUN", help="Finish this run: send only what is missing.")
@click.option("--new", is_flag=True, help="Start afresh, even when the last run did not finish.")
@click.option("--retry-failed", is_flag=True, help="With --resume: ask again what had failed.")
@click.option("--shard", default="1/1", metavar="I/N", callback=shard, help="The I-th of N parts.")
@click.option("--no-cache", is_flag=True, help="Ask everything, and keep no answers for later.")
@click.option("--no-mlflow", is_flag=True, help="Do not log to MLflow.")
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

    When its last run was stopped before the end, the same command goes on with it.
    """
    from bakeoff.running.confirm import run_and_judge
    from bakeoff.running.resuming import unfinished
    from bakeoff.runs.store import find_run

    plan = planned(benchmark, data, cached=not no_cache, **chosen)
    how = progress()
    previous = find_run(resume, results()) if resume else None
    if previous is None and not new and (previous := unfinished(plan, results())):
        how.note(f"going on with {previous.name}, which did not finish (--new starts afresh)")
    done, found = run_and_judge(
        plan,
        workspace(data),
        how,
        previous,
        retry_failed=retry_failed,
        before_judging=pull_baselines,
        meanwhile=_get_ready_to_report,
    )
    if done.shard[1] > 1:
        write_report(done)
        click.echo(f"part {done.shard[0]} of {done.shard[1]}: {done.folder}")
        click.echo(f"join all parts with: {program()} merge RUN RUN ...")
        return
    _finish(done, found, log=not no_mlflow)


def _get_ready_to_report() -> None:
    """Import what a run needs once it is answered, while it waits for its answers."""
    from bakeoff.outputs.page import html
    from bakeoff.running import gating

    _ = gating
    html.template()


def _judged(done: Run) -> Verdicts | None:
    from bakeoff.running import gating

    pull_baselines(done)
    return gating.gate(done, results()) if done.suite.gates else None


def _finish(done: Run, found: Verdicts | None, *, log: bool) -> None:
    """Report and log a whole run, show what came of it, and exit by its gates."""
    from bakeoff.outputs import report

    path = write_report(done)
    if log:
        log_run(done)
    show(report.headline(done))
    if (square := report.effects(done)).rows:
        show(square)
    for said in report.findings(done):
        click.echo(said)
    code = show_gates(found) if found else 0
    click.echo(f"report:  {path}")
    click.echo(f"page:    {path.with_suffix('.html')}")
    if log:
        show_links(done)
    sys.exit(code)


@main.command()
@click.argument("benchmark", type=click.Path(path_type=Path))
@selecting
@data_option
def plan(benchmark: Path, data: Path | None, **chosen: Any) -> None:
    """Say what a BENCHMARK would ask, read and cost, before anything is sent."""
    from bakeoff.running import estimate

    show(estimate.estimate(planned(benchmark, data, **chosen), results()))


@main.command()
@click.argument("run", default="latest")
@click.option(
    "--judges",
    type=click.Path(path_type=Path),
    metavar="BENCHMARK",
    help="A benchmark file whose endpoints and verifiers are asked.",
)
@data_option
def score(run: str, judges: Path | None, data: Path | None) -> None:
    """Score the stored answers of a RUN again, with the scorers its tasks name now."""
    from bakeoff.running.rescore import rescore
    from bakeoff.runs.store import find_run

    with waiting("scoring"):
        done = rescore(find_run(run, results()), workspace(data), judges)
    _finish(done, _judged(done), log=False)


@main.command()
@click.argument("runs", nargs=-1, required=True)
def merge(runs: tuple[str, ...]) -> None:
    """Join the shards of one benchmark, run on one machine or many, into a whole run."""
    from bakeoff.running.merge import merge as merge_runs
    from bakeoff.runs.store import find_run

    with waiting("joining the parts"):
        done = merge_runs([find_run(run, results()) for run in runs], results())
    _finish(done, _judged(done), log=False)


@main.command()
@click.argument("benchmark", type=click.Path(path_type=Path))
@click.option("--teacher", required=True, help="The setup whose answers are kept.")
@click.option("--task", required=True, help="The task whose training questions it answers.")
@click.option(
    "--output",
    required=True,
    type=click.Path(path_type=Path, dir_okay=False),
    help="File to write: rows that a task file can name as `rows.train`.",
)
@click.option("--right", type=click.FloatRange(0, 1), help="Least score of an answer kept.")
@click.option("--supported", type=click.FloatRange(0, 1), help="Least share of supported claims.")
@click.option("--cited", is_flag=True, help="Keep only answers that name a passage, as in [1].")
@data_option
def distill(
    benchmark: Path, teacher: str, task: str, output: Path, data: Path | None, **keep: Any
) -> None:
    """Let a setup of a BENCHMARK answer training questions, and keep the good answers as rows."""
    from bakeoff.setups.distilling import distil
    from bakeoff.spec.recipes import Distillation

    given = {name: value for name, value in keep.items() if value is not None}
    wanted = Distillation(teacher=teacher, **given)
    plan = planned(benchmark, data)
    counts = distil(
        plan.suite, benchmark, plan.tasks, workspace(data), task, wanted, output, progress()
    )
    for why, count in counts.items():
        click.echo(f"{why}: {count}")
    click.echo(f"rows:    {output}")


@main.group()
def cache() -> None:
    """The answers that runs share."""


@cache.command()
@click.argument("benchmark", type=click.Path(path_type=Path))
@click.option("--share", default=0.05, show_default=True, help="Share of the answers to ask again.")
@data_option
def verify(benchmark: Path, share: float, data: Path | None) -> None:
    """Ask a share of a BENCHMARK's cached answers again; those that differ are forgotten."""
    from bakeoff.setups.checking import verify_cache

    plan = planned(benchmark, data)
    found = verify_cache(plan.suite, benchmark, plan.tasks, workspace(data), share, progress())
    show(found)
    sys.exit(10 if any(row[-1] != "0" for row in found.rows) else 0)


@main.command("import")
@click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path, exists=True))
@click.option("--preset", default="", help="Columns of a known tool: lm-eval, promptfoo.")
@click.option(
    "--column", "columns", multiple=True, metavar="FIELD=COLUMN", help="Where a field is."
)
@click.option(
    "--score", "scores", multiple=True, metavar="[NAME=]COLUMN", help="A metric's column."
)
@click.option("--tag", "tags", multiple=True, metavar="[NAME=]COLUMN", help="A tag's column.")
@click.option("--where", multiple=True, metavar="COLUMN=TEXT", help="Take only such rows.")
@click.option("--setup", default="", help="The setup of all rows; else a column, else the file.")
@click.option(
    "--task",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    help="The task file whose test rows were answered: its scorers score the answers.",
)
@click.option(
    "--scorers", default="", metavar="A,B", help="Without a task: score answers by these."
)
@click.option("--lower-is-better", multiple=True, metavar="NAME", help="A metric of which less is.")
@click.option("--name", default="", help="The benchmark's name.")
@data_option
def import_files(
    files: tuple[Path, ...],
    preset: str,
    columns: tuple[str, ...],
    scores: tuple[str, ...],
    tags: tuple[str, ...],
    where: tuple[str, ...],
    scorers: str,
    data: Path | None,
    **given: Any,
) -> None:
    """Make a run of another tool's results: JSON Lines or CSV FILES, or folders of them.

    Fields: id, setup, answer, question, target, cluster, repeat, prompt_tokens,
    completion_tokens, seconds, error. A column may be a path into nested JSON, such as a.b.0.
    """
    import shlex

    from bakeoff.outputs import report
    from bakeoff.running.importing import Import, import_results
    from bakeoff.running.importing.fields import Fields

    wanted = Import(
        files,
        Fields.parse(preset, columns, scores, tags, where),
        scorers=tuple(name.strip() for name in scorers.split(",") if name.strip()),
        data=data_folder(data),
        command=shlex.join(["bakeoff", *sys.argv[1:]]),
        **given,
    )
    done = import_results(wanted, results(), click.echo)
    path = write_report(done)
    show(report.headline(done))
    click.echo(f"report:  {path}")
    click.echo(f"page:    {path.with_suffix('.html')}")
