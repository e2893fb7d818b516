"""What a benchmark would ask, read, write, cost and take, before anything is sent."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from functools import reduce
from pathlib import Path

from bakeoff.analysis.measured_run import Run
from bakeoff.core.table import Table, money
from bakeoff.core.words import BakeoffError
from bakeoff.running.plan import Plan
from bakeoff.running.spending import cost
from bakeoff.runs.store import MANIFEST
from bakeoff.setups.answerer import messages
from bakeoff.spec.benchmark import Setup
from bakeoff.spec.metric import behind_endpoint
from bakeoff.tasks.load import Task

CHARACTERS_A_TOKEN = 4


@dataclass(frozen=True)
class Expected:
    """What a setup is expected to take."""

    requests: int
    prompt_tokens: float
    completion_tokens: float
    measured: bool
    """By the means of an earlier run; else prompts by their length, and the longest answers."""
    cost: float = 0.0
    """In the unit of the benchmark's prices; 0 without any."""


@dataclass(frozen=True)
class Forecast:
    """What a run would take."""

    benchmark: str
    setups: Mapping[str, Expected]
    """Setup -> what it is expected to take on all its tasks."""
    judges: Mapping[str, int]
    """Judge behind an endpoint -> the answers it would have to judge, at least."""
    skipped: Mapping[str, str]
    """Task that cannot be had here -> why."""
    note: str
    """What the numbers stand on, and what reading the files noted."""

    @property
    def whole(self) -> Expected:
        """All setups together."""
        return added(self.setups.values())

    def table(self) -> Table:
        """A row per setup and judge, and one for the whole."""
        rows = [_row(name, part) for name, part in self.setups.items()]
        rows += [(f"judge {by}", f">= {asks}", "-", "-", "-") for by, asks in self.judges.items()]
        rows.append(_row("all", replace(self.whole, measured=True)))
        header = ("setup", "answers", "prompt tokens", "completion tokens", "cost")
        return Table(f"{self.benchmark}: what a run would take", header, tuple(rows), self.note)


def forecast(plan: Plan, results: Path) -> Forecast:
    """What each setup is expected to take, by the last complete run where there is one."""
    last = _last(plan, results)
    setups = {
        setup.name: _priced(
            plan,
            setup,
            added(
                expected(plan, setup, task, last)
                for task in plan.tasks.values()
                if setup.takes(task.name)
            ),
        )
        for setup in plan.suite.setups.values()
    }
    judges = "".join(f"{sentence} " for sentence in plan.self_judged())
    note = f"{_questions(plan)} {_training(plan)}{judges}{_note(plan, last)}"
    return Forecast(plan.suite.name, setups, judge_asks(plan), plan.skipped, note)


def added(parts: Iterable[Expected]) -> Expected:
    """Several parts as one."""
    return reduce(
        lambda a, b: Expected(
            a.requests + b.requests,
            a.prompt_tokens + b.prompt_tokens,
            a.completion_tokens + b.completion_tokens,
            a.measured and b.measured,
            a.cost + b.cost,
        ),
        parts,
        Expected(0, 0, 0, True),
    )


def _priced(plan: Plan, setup: Setup, part: Expected) -> Expected:
    spent = cost(plan.suite, setup, round(part.prompt_tokens), round(part.completion_tokens))
    return replace(part, cost=spent)


def judge_asks(plan: Plan) -> dict[str, int]:
    """Judge behind an endpoint -> the answers it would have to judge, once for each metric.

    A metric may ask more than once for an answer: both orders of a preference, the steps of a
    metric of ragas, a second attempt at a reply without form.
    """
    asks: Counter[str] = Counter()
    for task in plan.tasks.values():
        setups = sum(setup.takes(task.name) for setup in plan.suite.setups.values())
        for metric in task.scorers:
            if behind_endpoint(metric.judge):
                asks[metric.judge] += len(task.samples) * setups * plan.suite.repeats
    return dict(asks)


def _row(name: str, part: Expected) -> tuple[str, ...]:
    signs = ("", "") if part.measured else ("~ ", "<= ")
    counts = (part.prompt_tokens, part.completion_tokens)
    tokens = (f"{sign}{count:.0f}" for sign, count in zip(signs, counts, strict=True))
    return (name, str(part.requests), *tokens, money(part.cost) if part.cost else "-")


def expected(plan: Plan, setup: Setup, task: Task, last: Run | None) -> Expected:
    """What a setup is expected to take on a task, both passes together."""
    quality = len(task.samples) * plan.suite.repeats
    timed = 0 if task.after else min(plan.suite.latency.samples, len(task.samples))
    asked = (s for s in plan.suite.setups.values() if s.takes(task.name) and not s.route)
    first = next(asked)
    # The first setup is asked twice in every turn, to know the machine's noise.
    requests = quality + timed * (2 if setup is first else 1)
    requests += plan.suite.latency.warmup if timed else 0
    if setup.route:
        return Expected(0, 0, 0, True)
    if setup.custom:
        return Expected(requests, 0, 0, True)
    if last:
        prompt_tokens, completion_tokens = (
            _mean(last, task.name, setup.name, kind)
            for kind in ("prompt_tokens", "completion_tokens")
        )
        if prompt_tokens is not None and completion_tokens is not None:
            return Expected(requests, prompt_tokens * requests, completion_tokens * requests, True)
    texts = [message["content"] for s in task.samples for message in messages(task, s)]
    prompt = sum(map(len, texts)) / CHARACTERS_A_TOKEN / len(task.samples)
    if setup.retrieve:
        prompt += setup.retrieve.context_tokens
    return Expected(requests, prompt * requests, task.file.max_tokens * requests, False)


def _mean(run: Run, task: str, setup: str, metric: str) -> float | None:
    compared = run.comparison.tasks.get(task)
    estimate = compared.metric(metric).setups.get(setup) if compared else None
    return estimate.value if estimate else None


def _last(plan: Plan, results: Path) -> Run | None:
    """The newest complete run of the benchmark."""
    for manifest in sorted((results / plan.suite.name).glob(f"*/{MANIFEST}"), reverse=True):
        run = Run(manifest.parent)
        try:
            if run.manifest.complete:
                return run
        except BakeoffError:
            continue
    return None


def _questions(plan: Plan) -> str:
    """How many questions have an answer, and what reading the files noted.

    A column that is misnamed or empty shows here.
    """
    counts = [
        f"{task.name} {len(task.samples) - task.unanswerable} answerable, "
        f"{task.unanswerable} unanswerable"
        for task in plan.tasks.values()
    ]
    notes = [f" {task.name}: {note}." for task in plan.tasks.values() for note in task.notes]
    return f"Questions: {'; '.join(counts)}.{''.join(notes)}"


def _training(plan: Plan) -> str:
    """Which setups are trained by several processes."""
    processes: dict[str, int] = {}
    for setup in plan.suite.setups.values():
        for task in plan.tasks.values():
            if setup.tune and setup.takes(task.name):
                recipe = plan.suite.use(task.name).recipe(setup.tune)
                processes[setup.name] = max(recipe.processes, processes.get(setup.name, 1))
    named = [f"{name} by {count}" for name, count in processes.items() if count > 1]
    return f"Processes that train: {', '.join(named)}. " if named else ""


def _note(plan: Plan, last: Run | None) -> str:
    if last is None:
        return (
            "No complete run of this benchmark yet: prompt tokens are estimated from the prompts' "
            f"length ({CHARACTERS_A_TOKEN} characters a token, without those of the chat template) "
            "and the largest context, answers are at their longest; the duration is unknown."
        )
    seconds = last.manifest.seconds
    cells = sum(len(last.samples[t]) * len(setups) for t, setups in last.asked.items())
    repeats = last.suite.repeats
    quality = seconds.get("quality", 0.0) / max(1, cells * repeats) * plan.cells
    from_cache = sum(spent.from_cache for spent in last.manifest.spent.values())
    if from_cache:
        when = f"; {from_cache} of its answers came from the cache, so that a fresh run is slower"
    else:
        when = ""
    return (
        f"Tokens by the means of {last.folder.name}. At its pace the answers take about "
        f"{quality:.0f} s and the latency pass {seconds.get('latency', 0.0):.0f} s; that run took "
        f"{sum(seconds.values()):.0f} s in all{when}."
    )
