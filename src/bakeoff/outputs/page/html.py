"""A finished run as one HTML page: no network, no foreign code, every text escaped.

The page may run one script and one style sheet, both known by their hashes, and nothing else.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from importlib import resources
from pathlib import Path
from typing import Any

from jinja2 import Environment, StrictUndefined, Template
from markupsafe import Markup

from bakeoff.analysis.measured_run import Run
from bakeoff.core.estimate import UNKNOWN, Difference
from bakeoff.core.measure import MEASURED
from bakeoff.core.plain_text import plain
from bakeoff.core.table import Table, number
from bakeoff.decide.gates.judging import verdicts_of
from bakeoff.outputs import report
from bakeoff.outputs.head_to_head import head_to_head
from bakeoff.outputs.page import pictures, sample_view, svg
from bakeoff.runs.store import ADVICE, PAGE, PLOTS
from bakeoff.runs.verdicts import PASS, STATES, Verdicts

_TEXT = 5000
"""Characters of one text in the page's own part."""
_STATES = {
    "PASS": "Every gate passes.",
    "FAIL": "At least one gate fails.",
    "INCONCLUSIVE": "At least one gate has no answer.",
    "ERROR": "Evidence is missing: no verdict.",
}


@dataclass(frozen=True)
class Cell:
    """One setup's value in a row, as text, with what must be said of it."""

    value: str
    interval: str = ""
    change: str = ""
    """The paired difference from the first setup with its interval."""
    clear: bool = False
    """Whether that difference is more than chance."""
    best: str = ""
    """`best`, or `≈ best` where it is not clearly worse; empty otherwise, or where all are."""
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Row:
    """A metric of a task, setups side by side; `None` where a setup was not asked."""

    task: str
    metric: str
    n: str
    cells: tuple[Cell | None, ...]


def write(run: Run) -> Path:
    """Put the page and its plots into the run's folder; where the page is."""
    drawn = pictures.draw(run)
    pictures.write(drawn, run.folder / PLOTS)
    path = run.folder / PAGE
    path.write_text(page(run, drawn), encoding="utf-8", newline="\n")
    return path


def page(run: Run, drawn: Sequence[pictures.Shown]) -> str:
    """The whole page as text."""
    style, script = _file("page.css"), _file("page.js")
    judged = run.suite.gates and run.shard[1] == 1
    return template().render(
        policy=_policy(style, script),
        style=Markup(style),
        script=Markup(script),
        run=run,
        m=run.manifest,
        notes=[*_notes(run)],
        verdict=_verdict(verdicts_of(run)) if judged else None,
        findings=report.findings(run),
        advice=_advice(run),
        setups=list(run.suite.setups.values()),
        headline=[_row(run, task, metric) for task, metric in run.headlines.items()],
        measured=[*_measured(run)],
        effects=report.effects(run),
        hatches=Markup(svg.HATCHES),
        pictures=[(each, Markup(each.inline(f"plot{n}"))) for n, each in enumerate(drawn)],
        tasks=[(task, run.manifest.tasks[task], [*_tables(run, task)]) for task in run.samples],
        others=[t for t in _others(run) if t.rows],
        checks=report.checks(run),
        facts=[*_facts(run)],
        pieces=((name, Markup(packed)) for name, packed in sample_view.pieces(run)),
    )


def _file(name: str) -> str:
    return (resources.files("bakeoff.outputs.page") / name).read_text(encoding="utf-8")


@lru_cache(maxsize=1)
def template() -> Template:
    """The page's template, compiled; once."""
    environment = Environment(
        autoescape=True,
        undefined=StrictUndefined,
        finalize=_visible,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.from_string(_file("page.html.j2"))


def _visible(value: object) -> object:
    """What a template puts into the page: our own markup, or one line of visible text."""
    return value if isinstance(value, Markup) else plain(value, _TEXT)


def _policy(style: str, script: str) -> str:
    """The page's content security policy: nothing but its own style and script."""

    def source(text: str) -> str:
        found = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
        return f"'sha256-{found}'"

    rules = {
        "default-src": "'none'",
        "script-src": source(script),
        "style-src": source(style),
        "img-src": "data:",
        "base-uri": "'none'",
        "form-action": "'none'",
    }
    return "; ".join(f"{name} {value}" for name, value in rules.items())


def _notes(run: Run) -> Iterator[str]:
    """What makes the page less than the benchmark's own result."""
    if not run.manifest.complete:
        yield f"The run is {run.manifest.status}: what is missing counts as failed."
    if run.shard[1] > 1:
        yield f"Part {run.shard[0]} of {run.shard[1]}: join the parts before you judge."
    if run.limited:
        yield f"A limited run ({run.limited}): not the benchmark's result."
    if run.manifest.pruned:
        yield f"Answers and passages were removed on {run.manifest.pruned.on}."
    if run.manifest.imported:
        yield "Answers, scores, times and tokens are those of another tool."
    for name, reason in run.manifest.skipped.items():
        yield f"Skipped {name}: {reason}"


def _verdict(found: Verdicts) -> dict[str, Any]:
    gates = found.worst_first
    counts = {state: sum(gate.state == state for gate in gates) for state in STATES}
    warned = sum(gate.warning for gate in gates)
    said = _STATES[found.state]
    if found.state == PASS and counts[PASS] < len(gates):
        said = "No gate fails the run."
    told = ", ".join(f"{n} {state.lower()}" for state, n in counts.items() if n)
    return {
        "state": found.state,
        "said": said,
        "told": f"{len(gates)} gates: {told}" + (f" ({warned} only warn)" if warned else ""),
        "code": found.exit_code,
        "mismatch": found.mismatch,
        "gates": gates[: report.GATES_SHOWN],
        "more": max(len(gates) - report.GATES_SHOWN, 0),
        "references": found.references,
    }


_COLOURS = {"recommended": "PASS", "conditional": "INCONCLUSIVE", "none": "FAIL"}


@dataclass(frozen=True)
class Advised:
    """Advice as the page shows it."""

    state: str
    said: Sequence[str]
    provided: Sequence[str]
    colour: str
    late: bool
    """Older than what the run says now."""
    tables: Sequence[Table]


def _advice(run: Run) -> Advised | None:
    """Which setup to take, where `bakeoff advise` was asked."""
    if not (run.folder / ADVICE).is_file():
        return None
    from bakeoff.decide import advice

    if (kept := advice.read(run.folder)) is None:
        return None
    return Advised(
        kept.state,
        kept.said,
        kept.provided,
        _COLOURS.get(kept.state, "ERROR"),
        not advice.current(run, kept),
        report.advised(run),
    )


def _measured(run: Run) -> Iterator[Row]:
    for metric in ("latency_s", "prompt_tokens", "completion_tokens", "cost"):
        for task, facts in run.comparison.tasks.items():
            if metric in facts.metrics:
                yield _row(run, task, metric)


def _row(run: Run, task: str, metric: str) -> Row:
    summary = run.comparison.tasks[task].metric(metric)
    best = report.best_of(summary, run.metric(task, metric).higher_is_better)
    counts = sorted({estimate.n for estimate in summary.setups.values()})
    n = "-".join(dict.fromkeys(str(count) for count in (counts[:1] + counts[-1:])))
    cells = tuple(
        _cell(run, task, metric, setup, best) if setup in summary.setups else None
        for setup in run.suite.setups
    )
    return Row(task, metric, n, cells)


def _cell(run: Run, task: str, metric: str, setup: str, best: set[str]) -> Cell:
    facts = run.comparison.tasks[task]
    summary = facts.metric(metric)
    estimate, first = summary.setups[setup], next(iter(run.suite.setups))
    gap = summary.differences.get(f"{setup} - {first}")
    clear = setup != first and report.differ(summary, setup, first)
    if clear and metric == "latency_s":
        clear = report.beyond_noise(run, task, setup)
    failed = facts.metric("error").setups.get(setup, UNKNOWN)
    notes = [f"{estimate.unjudged} unjudged"] if estimate.unjudged else []
    if failed.value and metric not in MEASURED:
        notes.append(f"{failed.value * failed.n:.3g} of {failed.n} failed")
    return Cell(
        number(estimate.value, metric),
        " to ".join(number(end, metric) for end in estimate.ends) if estimate.known else "",
        _change(gap, metric) if gap else "",
        clear,
        _rank(run, task, metric, setup, best),
        tuple(notes),
    )


def _change(gap: Difference, metric: str) -> str:
    def signed(value: float) -> str:
        return ("+" if value >= 0 else "-") + number(abs(value), metric)

    if gap.value is None:
        return ""
    low, high = gap.ends
    return signed(gap.value) + (f" [{signed(low)}, {signed(high)}]" if gap.known else "")


def _rank(run: Run, task: str, metric: str, setup: str, best: set[str]) -> str:
    if setup not in best:
        return ""
    valued = run.comparison.tasks[task].metric(metric).setups
    values = [estimate.value for estimate in valued.values() if estimate.value is not None]
    top = max(values) if run.metric(task, metric).higher_is_better else min(values)
    return "best" if valued[setup].value == top else "≈ best"


def _tables(run: Run, task: str) -> Iterator[Table]:
    made = (
        *(head_to_head, report.details, report.differences, report.confused),
        *(report.slices, report.changed),
    )
    yield from (table for make in made if (table := make(run, task)).rows)


def _others(run: Run) -> Iterator[Table]:
    yield from report.freshness(run)
    yield from (report.declining(run), report.repeats(run), report.judged_again(run))
    yield from (report.latencies(run), report.spending(run))
    yield report.training(run)
    yield from report.costs(run)


def _facts(run: Run) -> Iterator[tuple[str, str]]:
    """What was run, as (what, which)."""
    m = run.manifest
    yield "command", m.command
    yield "run", m.run
    yield "started", m.created
    if m.imported:
        for file in m.imported.files:
            yield "file", f"{file.file}: {file.rows} rows, sha256 {file.sha256}"
        yield from (("note", note) for note in m.imported.notes)
        return
    yield "commit", m.commit or "unknown"
    if m.hardware:
        yield "machine", f"{m.hardware}, {m.hardware.system}"
    yield "seconds", ", ".join(f"{name} {value:.0f}" for name, value in m.seconds.items())
    suite = run.suite
    yield "dtype", run.dtype or "none: no model ran in this process"
    yield "seed", str(suite.seed)
    yield (
        "decoding",
        "greedy" if suite.temperature == 0 else f"sampled at temperature {suite.temperature:g}",
    )
    if suite.repeats > 1:
        yield "repeats", str(suite.repeats)
    yield "batches", f"at most {suite.batch_tokens} tokens"
    yield "versions", ", ".join(f"{k} {v}" for k, v in m.versions.items() if v)
    for reference, known in m.models.items():
        yield f"model {reference}", ", ".join(f"{k} {v}" for k, v in known.items() if v)
    for name, adapter in m.adapters.items():
        yield f"adapter {name}", adapter.digest
    for name, index in m.indexes.items():
        yield f"index {name}", f"{index.passages} passages, {index.digest}"
    for name, task in m.tasks.items():
        yield f"task {name}", ", ".join(f"{k} {v}" for k, v in task.digests.items())
