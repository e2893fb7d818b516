"""The folder of runs, and what adds to it: nightly runs, shards, results of other tools."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Literal, TypedDict, Unpack

from bakeoff.api.benchmark import BenchmarkLike, plan_for
from bakeoff.api.loops import outside_loops
from bakeoff.api.run import Run
from bakeoff.api.verbs import RunLike, load, progress
from bakeoff.api.view import View, as_exceptions
from bakeoff.core.progress import working
from bakeoff.running import environment as here
from bakeoff.spec.shipped import TASKS, find
from bakeoff.spec.yaml_files import File, validated

if TYPE_CHECKING:
    import pandas

    from bakeoff.analysis import measured_run
    from bakeoff.analysis.trend import Night
    from bakeoff.decide.gates.baseline import Pointer
    from bakeoff.running.nightly import Outcome


def runs(benchmark: str = "*") -> View[tuple[Run, ...]]:
    """The runs of a benchmark, or all, newest first (`bakeoff runs`)."""
    from bakeoff.outputs.tables.runs import runs_table
    from bakeoff.runs.naming import runs_in

    with as_exceptions():
        folders = runs_in(here.results(), benchmark)
        return View(tuple(map(Run, folders)), (runs_table(folders),))


def merge(*parts: RunLike) -> Run:
    """The run whose shards these are (`bakeoff merge`)."""
    from bakeoff.outputs import report
    from bakeoff.running.merge import merge as joined

    with as_exceptions():
        folders = [(part if isinstance(part, Run) else load(part)).folder for part in parts]
        done = joined(folders, here.results())
        report.write(done)
    return Run(done.folder)


class NightOptions(TypedDict, total=False):
    """What a night does beside running, scoring, reporting and gating."""

    keep_texts_days: float | None
    """Answers of older runs lose their texts."""
    advance: bool
    """Make the run the rolling baseline when every gate passes and nothing drifts."""
    tolerate_drift: bool
    """Let a harmful drift warn instead of failing the night."""


def nightly(
    benchmark: BenchmarkLike,
    night: date | None = None,
    *,
    data: str | Path | None = None,
    mlflow: bool = True,
    **options: Unpack[NightOptions],
) -> View[Outcome]:
    """Run or resume the nightly run of a day, today's by default (`bakeoff nightly`).

    `value.exit_code` is that of the command, `value.notes` what it prints. Safe to call twice.
    """
    from bakeoff.decide.gates.judging import verdicts_of
    from bakeoff.outputs.tables.gates import verdicts
    from bakeoff.outputs.tables.headline import headline
    from bakeoff.running import nightly as nights
    from bakeoff.running.sending import pull_baselines, send, sinks

    shown = progress()

    def publish(run: measured_run.Run) -> None:
        sent = send(run, sinks(not mlflow), lambda what: working(shown, what))
        for line in [*map(str, sent.errors), *sent.lines]:
            shown.note(line)

    with as_exceptions():
        day = night or datetime.now().astimezone().date()
        orders = nights.NightlyOptions(day, here.environment().webhook or None, **options)
        # Cached answers of earlier nights would not measure this one.
        plan = plan_for(benchmark, None, data, {"cached": False})
        place = here.workspace(Path(data) if data else None)
        prepare = lambda run: pull_baselines(run, place.results)  # noqa: E731
        done = outside_loops(lambda: nights.nightly(plan, place, orders, shown, publish, prepare))
        tables = [headline(done.run)] if done.run else []
        if done.run and done.run.suite.gates:
            tables.append(verdicts(verdicts_of(done.run)))
    return View(done, tuple(tables))


def trend(benchmark: str | Path, last: int = 7) -> View[Sequence[Night]]:
    """The nightly runs of a benchmark with drift (`bakeoff trend`); `frame()` has every series."""
    from bakeoff.analysis import trend as trends

    with as_exceptions():
        kept = trends.recorded(trends.history(here.results(), Path(benchmark).stem))

    def frame() -> pandas.DataFrame:
        import io

        import pandas

        return pandas.read_csv(io.StringIO(trends.csv(kept)))

    return View(kept, (trends.table(kept, last),), frame)


def baselines() -> View[Sequence[Pointer]]:
    """The runs that gates compare later runs with (`bakeoff baseline list`)."""
    from bakeoff.decide.gates import baseline
    from bakeoff.outputs.tables.gates import baselines as table

    with as_exceptions():
        known = list(baseline.pointers(here.results()))
    return View(known, (table(known),))


class ImportOptions(TypedDict, total=False):
    """How rows of another tool are read; the options of `bakeoff import`."""

    format: str
    """Instead of recognizing it: lm-eval, inspect, promptfoo, rag, traces."""
    columns: Mapping[str, str]
    """Our field -> the column that holds it."""
    scores: Mapping[str, str]
    """Metric -> the column that holds it."""
    tags: Mapping[str, str]
    """Tag -> the column that holds it."""
    where: Mapping[str, str]
    """Column -> the text it must hold; other rows are left out."""
    setup: str
    """The setup of all rows, where they do not name one."""
    task: str | Path
    """The task whose test rows were answered; its scorers score the answers."""
    scorers: Sequence[str]
    """Without a task: what answers are scored by."""
    refusals: Sequence[str]
    """Without a task: phrases that count as declining, instead of the default ones."""
    lower_is_better: Sequence[str]
    missing: Literal["drop", "worst", "refuse"]
    name: str
    """The benchmark's name."""


class _ImportOptions(File):
    format: str = ""
    columns: Mapping[str, str] = {}
    scores: Mapping[str, str] = {}
    tags: Mapping[str, str] = {}
    where: Mapping[str, str] = {}
    setup: str = ""
    task: str | Path | None = None
    scorers: tuple[str, ...] = ()
    refusals: tuple[str, ...] = ()
    lower_is_better: tuple[str, ...] = ()
    missing: Literal["common", "drop", "worst", "refuse"] = "common"
    name: str = ""


def import_results(*files: str | Path, **options: Unpack[ImportOptions]) -> Run:
    """Another tool's results as a run (`bakeoff import`); what they lack is noted on stderr."""
    from bakeoff.outputs import report
    from bakeoff.running import importing
    from bakeoff.running.importing.fields import Fields

    with as_exceptions():
        known = validated(_ImportOptions, Path("bakeoff.import_results"), dict(options))
        named = (known.columns, known.scores, known.tags, known.where)
        wanted = importing.Import(
            tuple(map(Path, files)),
            Fields.parse(*([f"{n}={value}" for n, value in some.items()] for some in named)),
            known.format,
            known.setup,
            find(str(known.task), TASKS) if known.task else None,
            known.scorers,
            known.lower_is_better,
            known.missing,
            known.name,
            here.data_folder(None),
            known.refusals,
        )
        done = importing.import_results(wanted, here.results(), progress().note)
        report.write(done)
    return Run(done.folder)
