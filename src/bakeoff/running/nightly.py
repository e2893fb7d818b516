"""A night of a benchmark, as one command that may be called twice, after a crash, or late.

results/nightly/BENCHMARK.jsonl             the history, a line per night
results/nightly/BENCHMARK.alerts.jsonl      the alerts that were sent
results/nightly/BENCHMARK.heartbeat.json    the newest night: a missing one is not a green one
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from pathlib import Path

from bakeoff.analysis import trend
from bakeoff.analysis.measured_run import GATES, Run
from bakeoff.analysis.trend import Drift, Night, Point
from bakeoff.core.progress import Progress
from bakeoff.core.words import BakeoffError, digest
from bakeoff.decide.gates import baseline
from bakeoff.decide.gates.judging import verdicts_of
from bakeoff.decide.gates.language import Check
from bakeoff.outputs import report
from bakeoff.running.alert import Alert, send
from bakeoff.running.confirm import run_and_judge
from bakeoff.running.plan import Plan
from bakeoff.running.resuming import runs_of, unfinished
from bakeoff.runs import store, strip_texts
from bakeoff.runs.manifest import Manifest
from bakeoff.runs.reported import mark_reported
from bakeoff.runs.verdicts import Verdicts
from bakeoff.setups.builder import Workspace
from bakeoff.spec import names
from bakeoff.spec.file_versions import recorded

UNGATED = "UNGATED"
"""The state of a night whose benchmark has no gates: nothing was judged, so nothing passed."""


@dataclass(frozen=True)
class NightlyOptions:
    """What a night does beside running, scoring, reporting and gating."""

    night: date
    webhook: str | None = None
    """Address that alerts are posted to, beside the file."""
    keep_texts_days: float | None = None
    """Answers of older runs lose their texts; `None` keeps them all."""
    advance: bool = False
    """Make the run the rolling baseline when every gate passes and nothing drifts."""
    tolerate_drift: bool = False
    """Let a harmful drift warn instead of failing the night."""


@dataclass(frozen=True)
class Outcome:
    """What the night came to; `run` is `None` when it had been done before."""

    night: Night
    exit_code: int
    drifts: Sequence[Drift]
    """Those found on this night."""
    run: Run | None
    notes: Sequence[str]


def nightly(
    plan: Plan,
    workspace: Workspace,
    options: NightlyOptions,
    progress: Progress,
    publish: Callable[[Run], None],
    prepare: Callable[[Run], None] = lambda _: None,
) -> Outcome:
    """Run or go on with the night's run, keep its line, detect drift, publish, judge.

    `prepare` is called before the run is judged, `publish` before the verdict is acted on. A
    night that is in the history already is not run again: its verdict is given anew. Raises
    what `run` raises, after an alert that the nightly run did not finish.
    """
    path = trend.history(workspace.results, plan.suite.name)
    nights = trend.read(path)
    if earlier := next((past for past in nights if past.night == options.night), None):
        drifts = _on(trend.alarms(nights), options.night)
        note = f"the nightly run of {options.night} is done already: run {earlier.run}"
        kept = workspace.results / plan.suite.name / earlier.run
        before = verdicts_of(Run(kept)) if (kept / GATES).is_file() else None
        # A crash after the line was kept may have left these out; nothing is sent or logged twice.
        if run := Run(kept) if (kept / store.MANIFEST).is_file() else None:
            publish(run)
            mark_reported(kept)
        notes = [note, *_tell(plan.suite.name, earlier, drifts, before, options, path)]
        if run and earlier.night == nights[-1].night:
            notes += _advance(run, earlier, drifts, options, workspace.results)
        return Outcome(earlier, _code(earlier, drifts, options), drifts, None, notes)
    try:
        plan = replace(plan, night=options.night.isoformat())
        done, verdict = _run(plan, workspace, progress, prepare)
        report.write(done)
        night = _night(done, options.night, verdict)
        trend.keep(path, night)
    except (BakeoffError, OSError) as error:
        unfinished_alert = Alert(
            f"{plan.suite.name} {options.night} unfinished",
            f"{plan.suite.name}: the nightly run of {options.night} did not finish: {error}",
        )
        _send([unfinished_alert], options, path)
        raise
    publish(done)
    mark_reported(done.folder)
    drifts = _on(trend.alarms(trend.read(path)), options.night)
    code = _code(night, drifts, options)
    notes = [drift.text for drift in drifts]
    notes += _tell(plan.suite.name, night, drifts, verdict, options, path)
    notes += _advance(done, night, drifts, options, workspace.results)
    if options.keep_texts_days is not None:
        notes += _retention(workspace.results, options.keep_texts_days)
    return Outcome(night, code, drifts, done, notes)


def _advance(
    done: Run, night: Night, drifts: Sequence[Drift], options: NightlyOptions, results: Path
) -> list[str]:
    """Make a good night's run the rolling baseline, unless one was accepted since it ended."""
    if not options.advance or night.state != "PASS" or drifts or _code(night, drifts, options):
        return []
    known = baseline.pointer(results, done.manifest.benchmark, "rolling")
    if known and known.accepted >= night.finished.replace(microsecond=0):
        return []
    baseline.accept(done, "rolling", f"night of {options.night}", results)
    return [f"rolling baseline: {night.run}"]


def _run(
    plan: Plan, workspace: Workspace, progress: Progress, prepare: Callable[[Run], None]
) -> tuple[Run, Verdicts | None]:
    """The night's run: one that a crash left complete, the rest of one it cut short, a new one."""
    if complete := _complete(plan, workspace.results):
        progress.note(f"run {complete.name} of this date is complete")
    previous = complete or unfinished(plan, workspace.results, progress)
    if previous and not complete:
        progress.note(f"resuming {previous.name}, which did not finish")
    return run_and_judge(
        plan, workspace, progress, previous, retry_failed=not complete, before_judging=prepare
    )


def _complete(plan: Plan, results: Path) -> Path | None:
    runs = runs_of(plan, results)
    return next((folder for folder, manifest in runs if manifest.complete), None)


def _night(done: Run, night: date, verdict: Verdicts | None) -> Night:
    manifest = done.manifest
    return Night(
        night,
        manifest.run,
        datetime.now(UTC),
        manifest.commit,
        verdict.exit_code if verdict else 0,
        verdict.state if verdict else UNGATED,
        pinned(manifest),
        series(done),
    )


def pinned(manifest: Manifest) -> dict[str, str]:
    """The inputs that nights must share to be compared: versions, models, data, scorers.

    `setup S` and `task T` concern the series of S and T alone.
    """
    inputs = {"versions": digest(dict(manifest.versions))}
    for name, setup in manifest.suite.setups.items():
        inputs[f"setup {name}"] = digest(dict(manifest.models.get(setup.model, {})))
    for name, facts in manifest.tasks.items():
        digests = {k: v for k, v in facts.digests.root.items() if k != "task"}
        inputs[f"task {name}"] = digest(digests)
        # As recorded first: a history that began then goes on without a cut.
        scorers = {
            names.metric_before(m): recorded(m, about.version) for m, about in facts.metrics.items()
        }
        inputs[f"scorers {name}"] = digest(scorers)
    return inputs


def series(done: Run) -> dict[str, Point]:
    """Every task's headline metric on every setup, and every column that a gate names."""
    refs = [ref for gate in done.suite.gates for ref in Check.parse(gate.check).refs]
    named = {(ref.metric, ref.task, ref.setup) for ref in refs}
    points = {}
    for task, facts in done.comparison.tasks.items():
        for metric, summary in facts.metrics.items():
            for setup, estimate in summary.setups.items():
                wanted = metric == facts.headline or any(
                    metric == m and t in (None, task) and s in ("*", setup) for m, t, s in named
                )
                if wanted and estimate.value is not None:
                    points[f"{setup}.{task}.{metric}"] = Point(
                        **vars(estimate),
                        higher_is_better=bool(done.metric(task, metric).higher_is_better),
                    )
    return points


def _on(drifts: Sequence[Drift], night: date) -> list[Drift]:
    return [drift for drift in drifts if drift.night == night]


def _code(night: Night, drifts: Sequence[Drift], options: NightlyOptions) -> int:
    harmful = any(drift.harmful for drift in drifts) and not options.tolerate_drift
    return 10 if harmful and night.exit_code in (0, 11) else night.exit_code


def _alerts(
    benchmark: str, night: Night, drifts: Sequence[Drift], verdict: Verdicts | None
) -> list[Alert]:
    alerts = [as_alert(benchmark, drift) for drift in drifts if drift.harmful]
    if verdict and verdict.exit_code:
        failed = [gate for gate in verdict.gates if gate.state == verdict.state]
        lines = "; ".join(f"{gate.check}: {gate.reason}" for gate in failed[:3])
        more = f"; and {len(failed) - 3} more" if len(failed) > 3 else ""
        text = (
            f"{benchmark}: gates of the nightly run of {night.night}: {night.state}: {lines}{more}"
        )
        alerts.append(Alert(f"{benchmark} {night.night} {night.state}", text))
    return alerts


def _send(alerts: Sequence[Alert], options: NightlyOptions, path: Path) -> list[str]:
    failed = send(alerts, options.webhook, path.with_suffix(".alerts.jsonl"))
    return [failed] if failed else []


def _tell(
    benchmark: str,
    night: Night,
    drifts: Sequence[Drift],
    verdict: Verdicts | None,
    options: NightlyOptions,
    path: Path,
) -> list[str]:
    """Send the night's alerts and leave the newest heartbeat; what was not sent, as sentences."""
    failed = _send(_alerts(benchmark, night, drifts, verdict), options, path)
    if night.night == trend.read(path)[-1].night:
        beat = Heartbeat(
            night=night.night.isoformat(),
            finished=night.finished.isoformat(timespec="seconds"),
            run=night.run,
            state=night.state,
            exit_code=_code(night, drifts, options),
        )
        store.write_json(path.with_suffix(".heartbeat.json"), vars(beat))
    return failed


@dataclass(frozen=True)
class Heartbeat:
    """The newest night in a file of its own, for a watcher that knows nothing else of bakeoff."""

    night: str
    finished: str
    """With its time zone, to the second."""
    run: str
    state: str
    exit_code: int


def _retention(results: Path, days: float) -> list[str]:
    """Take texts out of old runs, never out of those that baselines point to."""
    keep = {accepted.run for accepted in baseline.pointers(results)}
    pruned = strip_texts.prune(results, days, keep, datetime.now(UTC))
    return [
        f"{old_run.run.name}: left as it is: {old_run.left}"
        if old_run.left
        else f"{old_run.run.name}: texts taken out, {old_run.freed_bytes / 1e6:.1f} MB"
        for old_run in pruned
    ]


def as_alert(benchmark: str, drift: trend.Drift) -> Alert:
    """The alert for a drift."""
    facts = {
        "benchmark": benchmark,
        "series": drift.series,
        "night": str(drift.night),
        "since": str(drift.since),
        "direction": "up" if drift.up else "down",
        "harmful": drift.harmful,
        "before": drift.before,
        "after": drift.after,
    }
    return Alert(f"{benchmark} {drift.id}", f"{benchmark}: {drift.text}", facts)
