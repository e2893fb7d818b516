"""From a benchmark file and what is chosen of it to a plan that can run."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING

from bakeoff.core.words import faults
from bakeoff.running.plan import Plan
from bakeoff.spec.benchmark import Dtype, Forced, Suite, load_suite
from bakeoff.spec.functions import Functions
from bakeoff.tasks.load import Selection, load_tasks

if TYPE_CHECKING:
    from bakeoff.analysis.measurements import Rows
    from bakeoff.decide.gates.power import Preview


@dataclass(frozen=True)
class Choice:
    """What is run of a benchmark, and how; all of it, as its file says, where left out."""

    limit: int | None = None
    """Samples per task at most, and rows for fine-tuning."""
    sample_ids: tuple[str, ...] = ()
    tags: tuple[tuple[str, str], ...] = ()
    """(name, value): only samples with these."""
    repeats: int | None = None
    """How often each sample is asked."""
    dtype: Dtype | None = None
    """What local models compute in, even where it is emulated."""
    shard: tuple[int, int] = (1, 1)
    """(i, n): the i-th of n parts."""
    cached: bool = True
    """Whether answers may come from, and go to, the response cache."""
    executor: str = "here"
    """What carries it out, such as `processes:2`."""


WHOLE = Choice()
"""All of a benchmark, as its file says."""


def planned(
    benchmark: Path, data: Path | None, choice: Choice = WHOLE, *, dead_gates: bool = False
) -> Plan:
    """The plan of a benchmark, with all checks that need no model. Raises `BakeoffError`.

    Gates that could never fail, or never pass, are rejected unless `dead_gates`, or the run is
    limited and its gates are not expected to decide.
    """
    return plan_of(load_suite(benchmark), benchmark, data, choice, dead_gates=dead_gates)


def plan_of(
    suite: Suite,
    file: Path,
    data: Path | None,
    choice: Choice = WHOLE,
    *,
    functions: Functions = MappingProxyType({}),
    dead_gates: bool = False,
) -> Plan:
    """The plan of a benchmark whose file is, or would be, `file`. See `planned`.

    `functions` answer for the setups that they are named after.
    """
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    if choice.repeats:
        suite = suite.model_copy(update={"repeats": choice.repeats})
    if choice.dtype:
        suite = suite.model_copy(update={"dtype": Forced(force=choice.dtype)})
    if choice.limit:
        suite = suite.limited(choice.limit)
    selection = Selection(choice.limit, choice.sample_ids, choice.tags, choice.shard)
    tasks, skipped = load_tasks(suite, file, data, selection)
    plan = Plan(
        *(suite, file, tasks, skipped, selection),
        cached=choice.cached,
        executor=choice.executor,
        functions=functions,
    )
    if suite.gates and not skipped:
        faults([f"{file}: {problem}" for problem in _wrong_gates(plan)])
        if not (dead_gates or selection.arguments()):
            faults([f"{file}: {problem}" for problem in _dead_gates(plan)])
    return plan


def _wrong_gates(plan: Plan) -> list[str]:
    # A benchmark without gates does not wait for their language.
    from bakeoff.decide.gates.language import check_gates

    return check_gates(plan.suite.gates, plan.scope)


def _dead_gates(plan: Plan) -> list[str]:
    from bakeoff.decide.gates import power

    return power.problems(previews(plan))


def previews(plan: Plan, known: Rows | None = None) -> list[Preview]:
    """What the gates of a plan can find; `known` are the rows of an earlier run of it."""
    from bakeoff.decide.gates import power

    suite = plan.suite
    timed = suite.latency.samples
    design = power.Design(suite.policy, plan.scope, plan.samples, plan.asked, timed)
    return power.preview(suite.gates, design, known)
