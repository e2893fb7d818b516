"""The usual argument measured, row by row: what a setup changes, takes, knows and invents."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

from bakeoff.analysis.comparison import Updated
from bakeoff.analysis.measured_run import Run
from bakeoff.core.counts import quantity
from bakeoff.core.estimate import UNKNOWN
from bakeoff.core.table import Table, cell, number
from bakeoff.runs.opened import IndexFacts
from bakeoff.spec.benchmark import Setup

Aspect = Callable[[Run, str, str], str]
"""(run, task, setup) -> the text in the table; empty where it does not apply."""


def head_to_head(run: Run, task: str) -> Table:
    """Every setup on one task, a row for every point that people argue about."""
    setups = run.asked[task]
    rows = []
    for name, aspect in ASPECTS.items():
        cells = [aspect(run, task, setup) for setup in setups]
        if any(cells):
            rows.append((name, *(text or "-" for text in cells)))
    return Table(
        f"{task}: head to head",
        ("", *setups),
        tuple(rows),
        "Up front: training (all trials of a sweep) and building the index. Latency: single "
        f"requests.{SUPPORTED if any(row[0].startswith('supported') for row in rows) else ''}",
    )


def _changes(run: Run, task: str, setup: str) -> str:
    spec = run.suite.setups[setup]
    if spec.route:
        return f"none: {spec.route.first}, then {spec.route.then}"
    if spec.custom:
        return "your system"
    if not spec.tune:
        return "none"
    if spec.tune.adapter:
        return "a ready adapter"
    what = "all weights" if spec.tune.method == "full" else f"an adapter ({spec.tune.method})"
    return f"{what}, {spec.tune.objective}"


def _reads(run: Run, task: str, setup: str) -> str:
    spec = run.suite.setups[setup].retrieve
    shown = run.passages_shown.get((task, setup))
    if spec is None:
        return "" if shown is None else f"its own passages, {shown:.2f} on average"
    if spec.noise:
        return "context built from gold passages and distractors"
    if spec.passages != "retrieved":
        return {"oracle": "gold passages (a ceiling)", "full": "all documents"}[spec.passages]
    fewer = "" if shown in (None, spec.k) else f", {shown:.2f} shown on average"
    return f"{spec.k} retrieved passages ({spec.retriever}){fewer}"


def _up_front(run: Run, task: str, setup: str) -> str:
    parts = []
    if training := run.manifest.training(task, setup):
        parts.append(f"{training.seconds:.0f} s training on {quantity(training.rows, 'row')}")
    if index := run.manifest.index(task, setup):
        # All of them, though a cache held some: the next user's cache does not.
        took = index.seconds(index.passages)
        seconds = "time not measured," if took is None else f"{took:.1f} s"
        parts.append(f"{seconds} indexing {quantity(index.passages, 'passage')}")
    return ", ".join(parts)


def _update(run: Run, task: str, setup: str) -> str:
    updated = _updated(run, task, setup)
    if not updated:
        return ""
    work = updated.work
    seconds = "not measured" if work.seconds is None else f"{work.seconds:.1f} s"
    counts = {"rows": work.rows, "passages": work.passages}
    parts = [f"{n} {name}" for name, n in counts.items() if n]
    if not parts:
        return "not measured" if work.seconds is None else "nothing to do"
    return f"{seconds}: {', '.join(parts)}"


def _updated(run: Run, task: str, setup: str) -> Updated | None:
    facts = run.comparison.tasks[task].freshness
    return facts.setups.get(setup) if facts else None


def _fresh(run: Run, task: str, setup: str) -> str:
    updated = _updated(run, task, setup)
    return cell(updated.update_rate, "") if updated and updated.update_rate else ""


def _stale(run: Run, task: str, setup: str) -> str:
    updated = _updated(run, task, setup)
    stale = updated.stale_rate.get("before") if updated else None
    return cell(stale, "") if stale else ""


def _measured(metric: str) -> Aspect:
    def aspect(run: Run, task: str, setup: str) -> str:
        estimate = run.comparison.tasks[task].metric(metric).setups.get(setup)
        return cell(estimate, metric) if estimate else ""

    return aspect


def _quality(run: Run, task: str, setup: str) -> str:
    return _measured(run.headlines[task])(run, task, setup)


def _answered(run: Run, task: str, setup: str) -> str:
    """The share of unanswerable questions that were answered: the opposite of right refusals."""
    rate = run.comparison.tasks[task].metric("right_refusal").setups.get(setup)
    return cell(rate.scaled(-1, 1), "") if rate and rate.value is not None else ""


def _tokens(run: Run, task: str, setup: str) -> str:
    facts = run.comparison.tasks[task]
    means = [
        facts.metric(kind).setups.get(setup, UNKNOWN).value
        for kind in ("prompt_tokens", "completion_tokens")
    ]
    return "" if None in means else " + ".join(number(mean, "prompt_tokens") for mean in means)


def _keeps(run: Run, task: str, setup: str) -> str:
    return ", ".join(_parts(run.suite.setups[setup], run.manifest.index(task, setup)))


def _parts(spec: Setup, index: IndexFacts | None) -> Iterator[str]:
    if spec.tune:
        yield "full weights" if spec.tune.method == "full" else "an adapter"
    if index and index.work:
        yield f"an index of {index.work.bytes / 2**20:.1f} MiB"


SUPPORTED = (
    " Supported: by words, numbers and names that answer and passages share (the support score); "
    "meaning is not understood."
)
ASPECTS: Mapping[str, Aspect] = {
    "quality": _quality,
    "fine-tuned weights": _changes,
    "context": _reads,
    "up front": _up_front,
    "per update": _update,
    "correct on changed questions, after the update": _fresh,
    "stale answers right after a change": _stale,
    "unanswerable questions answered": _answered,
    "supported by the gold documents": _measured("support_gold"),
    "supported by the retrieved passages (faithfulness)": _measured("faithfulness"),
    "prompt + completion tokens": _tokens,
    "cost per request": _measured("cost"),
    "latency": _measured("latency_s"),
    "storage": _keeps,
}
