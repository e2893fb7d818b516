"""The command line: reads arguments and the environment, calls one function, sets the exit code.

Exit codes: 0 all is well, 2 a mistake of usage or configuration, 10 a gate fails, 12 evidence is
missing, 20 the run is incomplete and can be resumed, 130 interrupted.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from bakeoff.core import BakeoffError, Incomplete, MissingEvidence

if TYPE_CHECKING:
    from bakeoff.finished import Run
    from bakeoff.prepare import Workspace
    from bakeoff.run import Plan


class _Commands(click.Group):
    """Turns what the user can mend into one message and the right exit code."""

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except MissingEvidence as error:
            _fail(error, 12)
        except Incomplete as error:
            _fail(error, 20)
        except BakeoffError as error:
            _fail(error, 2)
        except KeyboardInterrupt:
            click.echo("interrupted; what was finished is kept", err=True)
            sys.exit(130)


def _fail(error: BakeoffError, code: int) -> None:
    click.echo(f"bakeoff: {error}", err=True)
    sys.exit(code)


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="bakeoff")
def main() -> None:
    """Compare base, fine-tuned, RAG and hybrid setups on your own tasks."""


def _cache() -> Path:
    default = Path(os.environ.get("XDG_CACHE_HOME", "~/.cache")) / "bakeoff"
    return Path(os.environ.get("BAKEOFF_CACHE", default)).expanduser()


def _results() -> Path:
    return Path(os.environ.get("BAKEOFF_RESULTS", "results"))


def _data(option: Path | None) -> Path | None:
    named = os.environ.get("BAKEOFF_DATA")
    return option or (Path(named).expanduser() if named else None)


def _workspace(data: Path | None) -> Workspace:
    from bakeoff.prepare import Workspace

    return Workspace(_cache(), _results(), _data(data), os.environ)


def _finished(run: str) -> Run:
    from bakeoff.finished import Run
    from bakeoff.store import find_run

    return Run(find_run(run, _results()))


_data_option = click.option(
    "--data",
    type=click.Path(path_type=Path, file_okay=False, exists=True),
    help="Folder with local copies of public data sets (else: BAKEOFF_DATA, else the hub).",
)


def _pairs(_: Any, __: Any, values: tuple[str, ...]) -> tuple[tuple[str, str], ...]:
    split = [value.partition("=") for value in values]
    if odd := [name for name, sign, _ in split if not sign]:
        raise click.BadParameter(f"write name=value (found {odd[0]!r})")
    return tuple((name, value) for name, _, value in split)


def _shard(_: Any, __: Any, text: str) -> tuple[int, int]:
    part, _, parts = text.partition("/")
    if not (part.isdigit() and parts.isdigit() and 1 <= int(part) <= int(parts)):
        raise click.BadParameter(f"write i/n with i from 1 to n (found {text!r})")
    return int(part), int(parts)


def _selecting(command: Any) -> Any:
    """The options that choose a part of the samples."""
    for option in (
        click.option("--limit", type=click.IntRange(1), help="At most so many samples of a task."),
        click.option("--sample-ids", multiple=True, metavar="ID", help="Only these samples."),
        click.option(
            "--tags", multiple=True, metavar="NAME=VALUE", callback=_pairs, help="Only these tags."
        ),
        click.option("--repeats", type=click.IntRange(1), help="Ask every sample so often."),
    ):
        command = option(command)
    return command


def _plan(
    benchmark: Path,
    data: Path | None,
    *,
    limit: int | None = None,
    sample_ids: tuple[str, ...] = (),
    tags: tuple[tuple[str, str], ...] = (),
    repeats: int | None = None,
    shard: tuple[int, int] = (1, 1),
    cached: bool = True,
) -> Plan:
    """The benchmark with everything checked that can be checked before a model is loaded."""
    from bakeoff import gate
    from bakeoff.core import faults
    from bakeoff.data import Selection, load_tasks
    from bakeoff.run import Plan
    from bakeoff.suite import load_suite

    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    suite = load_suite(benchmark)
    if repeats:
        suite = suite.model_copy(update={"repeats": repeats})
    selection = Selection(limit, sample_ids, tags, shard)
    tasks, skipped = load_tasks(suite, benchmark, _data(data), selection)
    if not skipped:
        metrics = {name: [str(m) for m in task.scorers] for name, task in tasks.items()}
        problems = gate.check_gates(suite.gates, list(suite.setups), metrics)
        faults([f"{benchmark}: {problem}" for problem in problems])
    return Plan(suite, benchmark, tasks, skipped, selection, cached)


@main.command()
@click.argument("benchmark", type=click.Path(path_type=Path))
@click.option("--resume", metavar="RUN", help="Finish this run: send only what is missing.")
@click.option("--new", is_flag=True, help="Start afresh, even when the last run did not finish.")
@click.option("--retry-failed", is_flag=True, help="With --resume: ask again what had failed.")
@click.option("--shard", default="1/1", metavar="I/N", callback=_shard, help="The I-th of N parts.")
@click.option("--no-cache", is_flag=True, help="Ask everything, and keep no answers for later.")
@click.option("--no-mlflow", is_flag=True, help="Do not log to MLflow.")
@_selecting
@_data_option
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
    from bakeoff import report, terminal
    from bakeoff.run import run as run_plan
    from bakeoff.run import unfinished
    from bakeoff.store import find_run

    plan = _plan(benchmark, data, cached=not no_cache, **chosen)
    progress = terminal.progress()
    previous = find_run(resume, _results()) if resume else None
    if previous is None and not new and (previous := unfinished(plan, _results())):
        progress.note(f"going on with {previous.name}, which did not finish (--new starts afresh)")
    done = run_plan(plan, _workspace(data), progress, previous, retry_failed=retry_failed)
    (done.folder / "report.md").write_text(report.markdown(done), encoding="utf-8")
    if done.shard[1] > 1:
        click.echo(f"part {done.shard[0]} of {done.shard[1]}: {done.folder}")
        click.echo(f"join all parts with: {_program()} merge RUN RUN ...")
        return
    if not no_mlflow:
        _log(done)
    terminal.show(report.headline(done))
    if (square := report.effects(done)).rows:
        terminal.show(square)
    code = _show_verdicts(done) if plan.suite.gates else 0
    click.echo(f"report:  {done.folder / 'report.md'}")
    click.echo(f"MLflow:  {_program()} ui")
    sys.exit(code)


@main.command()
@click.argument("benchmark", type=click.Path(path_type=Path))
@_selecting
@_data_option
def plan(benchmark: Path, data: Path | None, **chosen: Any) -> None:
    """Say what a BENCHMARK would ask, read and cost, before anything is sent."""
    from bakeoff import estimate, terminal

    terminal.show(estimate.estimate(_plan(benchmark, data, **chosen), _results()))


@main.command()
@click.argument("run", default="latest")
@_data_option
def score(run: str, data: Path | None) -> None:
    """Score the stored answers of a RUN again, with the scorers its tasks name now."""
    from bakeoff import report, terminal
    from bakeoff.rescore import rescore
    from bakeoff.store import find_run

    done = rescore(find_run(run, _results()), _data(data))
    (done.folder / "report.md").write_text(report.markdown(done), encoding="utf-8")
    terminal.show(report.headline(done))
    sys.exit(_show_verdicts(done) if done.suite.gates else 0)


@main.command()
@click.argument("runs", nargs=-1, required=True)
def merge(runs: tuple[str, ...]) -> None:
    """Join the shards of one benchmark, run on one machine or many, into a whole run."""
    from bakeoff import report, terminal
    from bakeoff.merge import merge as merge_runs
    from bakeoff.store import find_run

    done = merge_runs([find_run(run, _results()) for run in runs], _results())
    (done.folder / "report.md").write_text(report.markdown(done), encoding="utf-8")
    terminal.show(report.headline(done))
    click.echo(f"report:  {done.folder / 'report.md'}")
    sys.exit(_show_verdicts(done) if done.suite.gates else 0)


@main.group()
def cache() -> None:
    """The answers that runs share."""


@cache.command()
@click.argument("benchmark", type=click.Path(path_type=Path))
@click.option("--share", default=0.05, show_default=True, help="Share of the answers to ask again.")
@_data_option
def verify(benchmark: Path, share: float, data: Path | None) -> None:
    """Ask a share of a BENCHMARK's cached answers again; those that differ are forgotten."""
    from bakeoff import terminal
    from bakeoff.prepare import verify_cache

    plan = _plan(benchmark, data)
    found = verify_cache(plan.suite, benchmark, plan.tasks, _workspace(data), share, click.echo)
    terminal.show(found)
    sys.exit(10 if any(row[-1] != "0" for row in found.rows) else 0)


def _program() -> str:
    """How this program was called, so that the next command can be copied."""
    called = Path(sys.argv[0])
    if called.name != "bakeoff" or shutil.which("bakeoff") == str(called.resolve()):
        return "bakeoff"
    return os.path.relpath(called)


def _log(done: Run) -> None:
    from bakeoff import track

    try:
        track.log(done, _tracking_uri())
    except BakeoffError as error:
        click.echo(f"bakeoff: {error}", err=True)


def _tracking_uri() -> str:
    named = os.environ.get("MLFLOW_TRACKING_URI")
    results = _results()
    results.mkdir(parents=True, exist_ok=True)
    return named or f"sqlite:///{(results / 'mlflow.db').resolve()}"


def _show_verdicts(done: Run) -> int:
    from bakeoff import gate, report, terminal

    found = done.verdicts()
    terminal.show(report.verdicts(done, found))
    return gate.exit_code(found)


@main.command()
@click.argument("run", default="latest")
@click.option("--format", "form", type=click.Choice(["terminal", "json"]), default="terminal")
def compare(run: str, form: str) -> None:
    """Compare the setups of a RUN (a folder, a run id, or `latest`)."""
    import json

    from bakeoff import report, terminal

    done = _finished(run)
    if form == "json":
        click.echo(json.dumps(done.comparison, indent=2))
        return
    terminal.show(report.headline(done))
    details = (report.details(done, task) for task in done.samples)
    for table in (report.effects(done), *details, report.latencies(done), report.spending(done)):
        if table.rows:
            terminal.show(table)


@main.command()
@click.argument("run", default="latest")
@click.option("--check", "checks", multiple=True, help="A gate line instead of the benchmark's.")
def gate(run: str, checks: tuple[str, ...]) -> None:
    """Judge the gates of a RUN. Exit code 0: all hold, 10: one fails, 12: evidence is missing."""
    from bakeoff import gate as gates
    from bakeoff import report, terminal
    from bakeoff.suite import Gate

    done = _finished(run)
    chosen = [Gate(check=check) for check in checks] or list(done.suite.gates)
    if not chosen:
        raise BakeoffError(f"{done.folder}: its benchmark has no gates; give one with --check")
    found = done.verdicts(chosen)
    terminal.show(report.verdicts(done, found))
    sys.exit(gates.exit_code(found))


@main.command()
@click.argument("run", default="latest")
@click.option("--output", type=click.Path(path_type=Path), help="File to write instead.")
def report(run: str, output: Path | None) -> None:
    """Write the Markdown report of a RUN again."""
    from bakeoff import report as reports
    from bakeoff.finished import write_comparison

    done = _finished(run)
    write_comparison(done)
    path = output or done.folder / "report.md"
    path.write_text(reports.markdown(done), encoding="utf-8")
    click.echo(path)


@main.command()
@click.argument("run", default="latest")
def log(run: str) -> None:
    """Send a RUN to MLflow (again): what is already there is not doubled."""
    from bakeoff import track

    done = _finished(run)
    for identity in track.log(done, _tracking_uri()):
        click.echo(identity)


@main.command()
@click.argument("folder", type=click.Path(path_type=Path), default=Path("tasks"))
@click.option("--hub", is_flag=True, help="Look up tasks whose rows are on the hub, too.")
@_data_option
def tasks(folder: Path, hub: bool, data: Path | None) -> None:
    """Check and list the task files in FOLDER, and the scorers a task can name."""
    from bakeoff import terminal
    from bakeoff.data import Unavailable, load_task
    from bakeoff.report import Table
    from bakeoff.scoring import scorers

    files = sorted(folder.glob("*.yaml")) if folder.is_dir() else [folder]
    if not files:
        raise BakeoffError(f"{folder}: no task files (*.yaml) there")
    rows, problems = [], []
    for file in files:
        try:
            task = load_task(file, _data(data), hub=hub)
        except Unavailable as reason:
            rows.append((file.stem, "-", "-", "-", "-", f"skipped: {reason}"))
        except BakeoffError as error:
            problems.append(str(error))
        else:
            corpora = ", ".join(f"{n} ({len(d)})" for n, d in task.corpora.items())
            first = task.file.description.split(". ")[0].strip()
            rows.append(
                (
                    task.name,
                    str(len(task.samples)),
                    str(len(task.train)),
                    corpora,
                    task.file.headline_metric,
                    first,
                )
            )
    terminal.show(
        Table("Tasks", ("task", "test", "train", "corpora", "headline", "what it is"), tuple(rows))
    )
    known = tuple(
        (name, ", ".join(f"{k}={v!r}" for k, v in s.settings().items()), s.about)
        for name, s in scorers().items()
    )
    terminal.show(Table("Scorers", ("scorer", "settings", "what it measures"), known))
    if problems:
        raise BakeoffError("\n".join(problems))


@main.group()
def models() -> None:
    """List or fetch the models that need no model hub."""


@models.command("list")
def list_models() -> None:
    """The embedded models, and what the cache holds."""
    from bakeoff import doctor, terminal

    terminal.show(doctor.models(_cache()))
    terminal.show(doctor.cached(_cache()))


@models.command()
def fetch() -> None:
    """Fetch and convert the embedded generator and embedder."""
    from bakeoff import embedded
    from bakeoff.models import resolve

    cache = _cache()
    click.echo(f"embedded generator: {resolve('embedded', cache).folder}")
    click.echo(f"embedded embedder:  {embedded.folder(embedded.EMBEDDER, cache)}")


@main.command()
@click.option("--host", default="127.0.0.1", show_default=True)
@click.option("--port", default=5000, show_default=True)
def ui(host: str, port: int) -> None:
    """Open the MLflow UI on this machine."""
    uri = _tracking_uri()
    if uri.startswith("http"):
        click.echo(f"MLflow runs at {uri}")
        return
    click.echo(f"MLflow: http://{host}:{port} (Ctrl-C stops it)")
    environment = {
        **os.environ,
        "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
        "MLFLOW_DISABLE_TELEMETRY": "true",
    }
    command = [sys.executable, "-m", "mlflow", "server", "--backend-store-uri", uri]
    command += ["--host", host, "--port", str(port), "--workers", "1"]
    sys.exit(subprocess.run(command, env=environment, check=False).returncode)


@main.command()
def doctor() -> None:
    """Say what is installed, usable, cached and missing, and how to mend it."""
    from bakeoff import doctor as checks
    from bakeoff import terminal

    missing = checks.missing(_cache())
    for table in (
        checks.packages(),
        checks.machine(),
        checks.models(_cache()),
        checks.cached(_cache()),
    ):
        terminal.show(table)
    for problem in missing:
        click.echo(problem)
    sys.exit(2 if missing else 0)


if __name__ == "__main__":
    main()
