"""What gates can find before anything is run: samples, the smallest true change, and dead lines.

A gate that no result could fail, or none could pass, is a mistake. It is found by judging the
worst and the best results that so many samples can bring.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from bakeoff.analysis import stats
from bakeoff.analysis.columns import Column, Columns
from bakeoff.analysis.measured_run import Run
from bakeoff.analysis.measurements import Rows
from bakeoff.core.counts import quantity
from bakeoff.core.estimate import finite
from bakeoff.core.measure import LATENCY_METRICS
from bakeoff.core.words import BakeoffError, Sample
from bakeoff.decide.gates.aggregates import Fact, PerSample, Quantile, aggregate
from bakeoff.decide.gates.evidence import Finding, find
from bakeoff.decide.gates.judge import Case, expand, judge
from bakeoff.decide.gates.language import Check, Ref, Scope, mode
from bakeoff.decide.gates.sides import Evidence
from bakeoff.runs.verdicts import FAIL, PASS
from bakeoff.spec.policy import Gate, Policy

DISCORDANCE = 0.25
"""Share of the samples assumed to differ between two setups, where no run has measured it."""
NOISE = 6
"""Samples of the latency pass from which the machine's noise has an interval."""
_REMEDY = "use more samples, or mode: estimate to compare the estimates alone"
MARGIN = 0.05
"""The shortfall that a gate without a margin is asked to find."""


@dataclass(frozen=True)
class Preview:
    """What is known of one gate before a run."""

    check: str
    mode: str
    n: int
    detectable: float | None
    """The true shortfall found in 80% of runs, at the gate's share of alpha."""
    margin: float
    needed: int | None
    """Samples to find a shortfall of `margin` in 80% of runs."""
    source: str
    """Where the spread was taken from."""
    problem: str = ""


Members = Mapping[str, Mapping[str, Sample]]


@dataclass(frozen=True)
class Design:
    """What is known of a run before anything is asked."""

    policy: Policy
    scope: Scope
    samples: Members
    asked: Mapping[str, Sequence[str]]
    """Task -> the setups it is asked of."""
    timed: int
    """Samples of a task in the latency pass."""


def preview(gates: Sequence[Gate], design: Design, known: Rows | None = None) -> list[Preview]:
    """A preview of every gate on every setup and slice; `known` are the rows of an earlier run."""
    policy = design.policy
    empty = Evidence(_rows(design), {}, policy)
    cases = [case for gate in gates for case in expand(gate, empty) if not case.skipped]
    tested = sum(
        mode(c.gate, c.check, policy.mode) == "refute" and c.severity == "fail" for c in cases
    )
    share = policy.alpha / max(1, tested) if policy.correction == "holm" else policy.alpha
    return [_preview(case, design, empty.rows, known, share) for case in cases]


def earlier(results: Path, benchmark: str) -> Rows | None:
    """The rows of the newest whole run of a benchmark, to take the spread from."""
    for manifest in sorted(results.glob(f"{benchmark}/*/manifest.json"), reverse=True):
        run = Run(manifest.parent)
        try:
            if run.manifest.complete and not run.limited and run.shard[1] == 1:
                return run.rows
        except BakeoffError:
            continue  # of another version, or damaged: an older one will do
    return None


def problems(previews: Sequence[Preview]) -> list[str]:
    """The gates that decide nothing, a sentence each."""
    return [f"gates: '{gate.check}': {gate.problem}" for gate in previews if gate.problem]


def _rows(design: Design) -> Rows:
    """Rows in which every sample has 0 in every metric."""
    samples, scope = design.samples, design.scope
    columns: dict[tuple[str, str, str], Column] = {}
    for task, members in samples.items():
        names = tuple(members)
        clusters = tuple(sample.cluster or name for name, sample in members.items())
        for setup in design.asked[task]:
            for metric, measure in scope.measures(task).items():
                zeros = np.zeros(len(names))
                columns[task, setup, metric] = Column(names, clusters, zeros, None, measure)
    tags = {task: {s.id: s.tags for s in members.values()} for task, members in samples.items()}
    return Rows("", "", dict.fromkeys(scope.setups, ""), columns, tags, {})


def _preview(case: Case, design: Design, empty: Rows, known: Rows | None, alpha: float) -> Preview:
    policy, scope = design.policy, design.scope
    check, how = case.check, mode(case.gate, case.check, policy.mode)
    columns = _columns(check.left, empty)
    n = sum(len(column.samples) for column in columns.values())
    if check.left.metric in LATENCY_METRICS:
        n = sum(min(design.timed, len(column.samples)) for column in columns.values())
    if how == "estimate":
        return Preview(str(check), how, n, None, 0.0, None, "a fact of the run")
    measured = _measured(check, known, alpha) if known else None
    detectable = measured.detectable if measured else finite(_assumed(check, scope, n, alpha))
    used = measured.gap.n if measured else n
    margin = abs(check.shift) if check.right and check.shift else MARGIN
    return Preview(
        str(check),
        how,
        used,
        detectable,
        margin,
        None if detectable is None else math.ceil(used * (detectable / margin) ** 2),
        f"measured in {known.run}" if measured and known else _assumption(check, columns, n),
        _untimed(check, n) or _problem(case, scope, columns, policy),
    )


def _untimed(check: Check, n: int) -> str:
    """Why a gate on times has too few of them; empty where it is on something else."""
    if check.left.metric not in LATENCY_METRICS or not check.right:
        return ""
    least = max(NOISE, _to_bound(check))
    if n >= least:
        return ""
    return f"can never fail: it needs {quantity(least, 'sample')} in the latency pass and has {n}"


def _to_bound(check: Check) -> int:
    """Independent samples that bound a gate's quantile; 0 for what is none."""
    latency = check.left.metric in LATENCY_METRICS
    kind = aggregate(check.left.aggregate or ("p50" if latency else None))
    share = kind.share if isinstance(kind, Quantile) else 0
    return stats.samples_to_bound(max(share, 1 - share)) if share else 0


def _columns(ref: Ref, rows: Rows) -> dict[str, Column]:
    """Task -> the column of a ref, cut to its slice."""
    columns = {}
    for (task, setup, metric), column in rows.columns.items():
        if (setup, metric) == (ref.setup, ref.metric) and ref.task in (None, task):
            if ref.tag:
                name, value = ref.tag
                tags = rows.tags[task]
                column = column.only([s for s in column.samples if tags[s].get(name) == value])
            columns[task] = column
    return columns


def _measured(check: Check, known: Rows, alpha: float) -> Finding | None:
    """The finding on an earlier run; the run itself is used as its baselines."""
    policy = Policy(alpha=alpha, max_error_rate=1.0, min_coverage=1e-9)
    evidence = Evidence(known, {"baseline": known, "anchor": known}, policy, True)
    if check.right and replace(check.right, origin="") == check.left:
        return None  # a run against itself has no spread
    try:
        finding = find(check, evidence)
    except BakeoffError:
        return None  # the earlier run lacks it: there is only the assumption
    return None if finding.detectable is None else finding


def _assumed(check: Check, scope: Scope, n: int, alpha: float) -> float:
    """The detectable change of a rate; nothing can be assumed of tokens, seconds, quantiles."""
    measure, kind = scope.measure(check.left), aggregate(check.left.aggregate)
    no_mean = isinstance(kind, Fact | Quantile) or measure.aggregate != "mean"
    if measure.bounds != stats.RATE or no_mean:
        return math.nan
    if not n:
        return math.nan
    if not check.right:
        # A rate of at most a limit is one of the opposite of at least the rest.
        limit = check.shift if check.sign > 0 else 1 - check.shift
        return stats.detectable_trials(n, limit, alpha=alpha)
    margin = check.sign * check.shift
    return stats.detectable_pairs(n, DISCORDANCE, margin=margin, alpha=alpha, sides=1)


def _assumption(check: Check, columns: Mapping[str, Column], n: int) -> str:
    """The source of an assumed spread: no run has measured what samples of one cluster share."""
    if not any(column.codes is not None for column in columns.values()):
        return "assumed"
    # Of a quantile the least number counts: alike clusters count as one sample each.
    clusters = min(n, sum(len(set(column.clusters)) for column in columns.values()))
    if clusters < (least := _to_bound(check)) <= n:
        return (
            f"assumed, clusters ignored: {quantity(n, 'sample')} of at most "
            f"{quantity(clusters, 'cluster')}, and "
            f"{least} independent ones bound the quantile"
        )
    return "assumed, clusters ignored"


def _problem(case: Case, scope: Scope, columns: Mapping[str, Column], policy: Policy) -> str:
    """Why no result can fail the gate, or none can pass it; empty when both can."""
    measure = scope.measure(case.check.left)
    if measure.bounds is None or case.check.left.metric in LATENCY_METRICS:
        return ""
    ends = measure.bounds if case.check.sign > 0 else measure.bounds[::-1]
    how = mode(case.gate, case.check, policy.mode)
    total = sum(len(column.samples) for column in columns.values())
    if how == "refute" and _state(case, columns, ends[0], ends[1], policy) != FAIL:
        return f"can never fail: the worst result of n = {total} may be chance; {_REMEDY}"
    if how == "prove" and _state(case, columns, ends[1], ends[0], policy) != PASS:
        return f"can never pass: the best result of n = {total} may be chance; {_REMEDY}"
    return ""


def _state(
    case: Case, columns: Mapping[str, Column], left: float, right: float, policy: Policy
) -> str:
    """The verdict when every sample has `left` on the left side and `right` on the right one."""
    check = case.check
    filled: Columns = {
        (task, side, metric): replace(column, values=np.full(len(column.samples), value))
        for task, column in columns.items()
        for side, metric, value in (
            ("left", "m", left),
            ("right", "m", right),
            ("left", "error", 0.0),
            ("right", "error", 0.0),
        )
    }
    none: Mapping[str, str] = {}
    tags = {task: dict.fromkeys(column.samples, none) for task, column in columns.items()}
    rows = Rows("", "", {"left": "", "right": ""}, filled, tags, {})
    named = check.left.aggregate
    plain = None if isinstance(aggregate(named), PerSample) else named
    refs = [Ref(side, check.left.task, "m", plain) for side in ("left", "right")]
    line = replace(check, left=refs[0], right=refs[1] if check.right else None)
    gate = Gate(check=str(line), mode=mode(case.gate, check, policy.mode))
    (verdict,) = judge([gate], Evidence(rows, {}, policy))
    return verdict.state
