"""The verdicts on gates: PASS, FAIL, INCONCLUSIVE, ERROR or SKIPPED, with their evidence.

Missing or invalid evidence is an ERROR, never a PASS; so is a gate that applies to nothing.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Literal

from bakeoff.analysis import stats
from bakeoff.analysis.compare import SLICE
from bakeoff.analysis.measurements import differences
from bakeoff.core.counts import quantity
from bakeoff.core.estimate import value_of
from bakeoff.core.measure import TOKEN_METRICS
from bakeoff.core.table import with_sign
from bakeoff.core.words import BakeoffError
from bakeoff.decide.gates.aggregates import Fact, aggregate
from bakeoff.decide.gates.evidence import Finding, find
from bakeoff.decide.gates.language import Check, mode
from bakeoff.decide.gates.sides import Evidence, Missing, changed, columns_of, skipped_task
from bakeoff.runs.verdicts import (
    ERROR,
    FAIL,
    INCONCLUSIVE,
    PASS,
    SKIPPED,
    Reference,
    State,
    Verdict,
    Verdicts,
)
from bakeoff.spec.policy import Gate, Policy


@dataclass(frozen=True)
class Case:
    """One gate on one setup and slice."""

    gate: Gate
    check: Check
    setup: str = ""
    slice: str = ""
    skipped: str = ""
    missing: str = ""
    """Why the gate cannot be evaluated: `skipped` where that is allowed, `missing` where not."""

    @property
    def severity(self) -> Literal["fail", "warn"]:
        return self.gate.severity or ("warn" if self.gate.group_by else "fail")


def judge(gates: Sequence[Gate], evidence: Evidence) -> list[Verdict]:
    """The verdict of every gate: one per setup for `*`, and one per value of its `by` tag."""
    cases = [case for gate in gates for case in expand(gate, evidence)]
    outcomes = [_outcome(case, evidence) for case in cases]
    adjusted = _adjusted(cases, outcomes, evidence.policy)
    return [
        _decide(case, outcome, p, evidence.policy)
        for case, outcome, p in zip(cases, outcomes, adjusted, strict=True)
    ]


def expand(gate: Gate, evidence: Evidence) -> Iterator[Case]:
    """The cases of a gate: one per setup for `*`, and one per value of its `by` tag."""
    try:
        check = Check.parse(gate.check)
    except BakeoffError as error:
        raise BakeoffError(f"gates: {error}") from error
    setups = evidence.rows.setups if any(ref.setup == "*" for ref in check.refs) else [""]
    for setup in setups:
        filled = check.of(setup)
        if filled.right == filled.left:
            continue  # `*` against one of the setups: that one cannot be below itself
        skipped = _not_applicable(filled, evidence) if setup else ""
        if gate.group_by and not skipped:
            yield from _sliced(gate, filled, setup, evidence)
        else:
            yield Case(gate, filled, setup, skipped=skipped)


def _not_applicable(check: Check, evidence: Evidence) -> str:
    """Why the gate does not apply to a setup that `*` matches; empty when it does."""
    ref = check.left
    if columns_of(ref, evidence.rows) or skipped_task(ref, evidence.rows):
        return ""
    return f"{ref.setup} has no {ref.metric}" + (f" on {ref.task}" if ref.task else "")


def _sliced(gate: Gate, check: Check, setup: str, evidence: Evidence) -> Iterator[Case]:
    counts: dict[str, int] = {}
    for task, samples in evidence.rows.tags.items():
        if check.left.task in (None, task):
            for tags in samples.values():
                if gate.group_by in tags:
                    counts[tags[gate.group_by]] = counts.get(tags[gate.group_by], 0) + 1
    if not counts:
        missing = f"no evidence: no sample has the tag {gate.group_by}"
        yield Case(gate, check, setup, f"{gate.group_by}=", missing=missing)
    for value, count in sorted(counts.items()):
        few = f"{quantity(count, 'sample')}, fewer than {SLICE}" if count < SLICE else ""
        sliced = check.of(setup, (gate.group_by, value))
        yield Case(gate, sliced, setup, f"{gate.group_by}={value}", few)


def _outcome(case: Case, evidence: Evidence) -> Finding | tuple[State, str]:
    """The finding, or (state, reason) where there is none."""
    if case.skipped:
        return SKIPPED, case.skipped
    if case.missing:
        return ERROR, case.missing
    try:
        return find(case.check, evidence)
    except Missing as error:
        return (SKIPPED if evidence.policy.on_missing == "skip" else ERROR), str(error)
    except BakeoffError as error:
        return ERROR, str(error)


Outcome = Finding | tuple[State, str]


def _adjusted(
    cases: Sequence[Case], outcomes: Sequence[Outcome], policy: Policy
) -> list[float | None]:
    """The adjusted p-value of each refute gate: Holm over all gates that can fail the run,
    Benjamini-Hochberg over the slices of one gate."""
    families: dict[object, list[int]] = {}
    for place, (case, outcome) in enumerate(zip(cases, outcomes, strict=True)):
        if isinstance(outcome, Finding) and mode(case.gate, case.check, policy.mode) == "refute":
            if case.slice:
                families.setdefault((case.gate.name, case.setup), []).append(place)
            elif case.severity == "fail" and policy.correction == "holm":
                families.setdefault("holm", []).append(place)
            else:
                families[place] = [place]
    adjusted: list[float | None] = [None] * len(cases)
    for family, places in families.items():
        raw = [finding.violated for i in places if isinstance(finding := outcomes[i], Finding)]
        rule = stats.adjust_holm if family == "holm" else stats.adjust_discoveries
        for place, p in zip(places, rule(raw), strict=True):
            adjusted[place] = p
    return adjusted


def _decide(case: Case, outcome: Outcome, p: float | None, policy: Policy) -> Verdict:
    how = mode(case.gate, case.check, policy.mode)
    verdict = partial(
        Verdict,
        id=case.gate.name,
        setup=case.setup,
        slice=case.slice,
        check=str(case.check),
        severity=case.severity,
        mode=how,
        on_inconclusive=case.gate.on_inconclusive or policy.on_inconclusive,
    )
    if not isinstance(outcome, Finding):
        return verdict(state=outcome[0], reason=outcome[1])
    rules = {"estimate": _point, "refute": _refute, "prove": _prove}
    state, reason, needed = rules[how](case.check, outcome, p, policy.alpha)
    raw, gap = {"refute": outcome.violated, "prove": outcome.holds}.get(how), outcome.gap
    return verdict(
        state=state,
        reason=f"{_numbers(outcome, case.check)}{reason}; n = {gap.n}{outcome.note}",
        left=outcome.left,
        right=outcome.right,
        gap=gap.value,
        low=gap.low,
        high=gap.high,
        p=raw,
        p_adjusted=p if how == "refute" else None,
        n=gap.n,
        wins=outcome.changes[0],
        ties=outcome.changes[1],
        losses=outcome.changes[2],
        detectable=outcome.detectable,
        needed=needed,
        method=gap.method,
        broke=tuple(outcome.broke),
        mended=tuple(outcome.mended),
    )


def _numbers(finding: Finding, check: Check) -> str:
    places = _decimals(finding, check)
    text = f"{finding.left:z.{places}f} against {finding.right:z.{places}f}"
    if finding.gap.known:
        numbers = (value_of(finding.gap), *finding.gap.ends)
        gap, *ends = (with_sign(f"{number:z.{places}f}") for number in numbers)
        text += f", gap {gap} [{', '.join(ends)}]"
    return text


def _decimals(finding: Finding, check: Check) -> int:
    """The decimals of all numbers of a gate: those of its metric, more where two look the same."""
    metric = check.left.metric
    least = 1 if metric in TOKEN_METRICS else 6 if metric == "cost" else 3
    if _counts(check) and all(float(n).is_integer() for n in (finding.left, finding.right)):
        return 0
    for places in range(least, 7):
        if f"{finding.left:.{places}f}" != f"{finding.right:.{places}f}":
            return places
    return least


def _counts(check: Check) -> bool:
    kind = aggregate(check.left.aggregate)
    return isinstance(kind, Fact) and kind.whole


Decision = tuple[State, str, int | None]
_EDGE = 1e-9
"""Rounding error, not a violation: 0.6 - 0.5 is below 0.1 in floating point."""


def _point(check: Check, finding: Finding, _: float | None, __: float) -> Decision:
    gap = value_of(finding.gap)
    holds = gap > _EDGE if check.op in (">", "<") else gap >= -_EDGE
    if check.op == "==":
        holds = abs(gap) <= _EDGE
    return (PASS if holds else FAIL), "", None


def _refute(check: Check, finding: Finding, p: float | None, alpha: float) -> Decision:
    assert p is not None
    power = ""
    if finding.detectable is not None:
        power = f"; minimum detectable shortfall {finding.detectable:.2g} (80% power)"
    if p < alpha:
        if finding.noisy_gap[0] >= 0:
            return INCONCLUSIVE, "; worse, but within timing noise", None
        return FAIL, f"; significant violation (p = {p:.2g})", None
    if finding.reach >= alpha:
        return INCONCLUSIVE, "; too few samples: no result could be significant", None
    if value_of(finding.gap) < -_EDGE:
        sign = "<" if check.sign > 0 else ">"
        places = _decimals(finding, check)
        sides = f"{finding.left:z.{places}f} {sign} {finding.right:z.{places}f}"
        return PASS, f"; not disproved: {sides} (p = {p:.2g}){power}", None
    return PASS, f"; no significant violation (p = {p:.2g}){power}", None


def _prove(_: Check, finding: Finding, __: float | None, alpha: float) -> Decision:
    if finding.holds < alpha:
        if finding.noisy_gap[1] < 0:
            return INCONCLUSIVE, "; holds, but within timing noise", None
        return PASS, f"; significant (p = {finding.holds:.2g})", None
    if finding.violated < alpha:
        if finding.noisy_gap[0] >= 0:
            return INCONCLUSIVE, "; worse, but within timing noise", None
        return FAIL, f"; significant violation (p = {finding.violated:.2g})", None
    gap = value_of(finding.gap)
    if gap > 0 and finding.detectable is not None:
        needed = math.ceil(finding.gap.n * (finding.detectable / gap) ** 2)
        # Clusters can make it a number that the run already had, and that did not do.
        if needed > finding.gap.n:
            power = f"if this difference is real, about {quantity(needed, 'sample')} give 80% power"
            return INCONCLUSIVE, f"; not significant; {power}", needed
    return INCONCLUSIVE, f"; not significant (p = {finding.holds:.2g})", None


def exit_code(verdicts: Sequence[Verdict]) -> int:
    """0 when nothing fails, 10 for a failure, 11 for an inconclusive gate, 12 for no evidence."""
    if any(v.state == ERROR for v in verdicts) or all(v.state == SKIPPED for v in verdicts):
        return 12
    failing = [verdict.state for verdict in verdicts if verdict.failing]
    return 10 if FAIL in failing else 11 if failing else 0


def overall(verdicts: Sequence[Verdict]) -> State:
    """The verdict of all gates together."""
    code = exit_code(verdicts)
    if code in (10, 12):
        return FAIL if code == 10 else ERROR
    open_ones = [v for v in verdicts if v.state == INCONCLUSIVE and v.severity == "fail"]
    return INCONCLUSIVE if any(v.on_inconclusive != "pass" for v in open_ones) else PASS


def concluded(
    verdicts: Sequence[Verdict], evidence: Evidence, *, limited: str = "", of: str = ""
) -> Verdicts:
    """The verdicts with their policy, references, overall state and exit code.

    `of` is the evidence that the run's manifest names.
    """
    rows, checks = evidence.rows, [Check.parse(verdict.check) for verdict in verdicts]
    treatment = {
        f"{check.right.origin}: {change.sentence}": None
        for check in checks
        if check.right
        for change in changed(check, evidence)
    }
    return Verdicts(
        run=rows.run,
        benchmark=rows.benchmark,
        limited=limited,
        evidence=of,
        policy=evidence.policy,
        references={name: Reference(run=r.run) for name, r in evidence.references.items()},
        mismatch=tuple(_mismatch(evidence)) if evidence.allow_mismatch else (),
        treatment=tuple(treatment),
        state=overall(verdicts),
        exit_code=exit_code(verdicts),
        gates=tuple(verdicts),
    )


def _mismatch(evidence: Evidence) -> list[str]:
    """The differences from the references that `--allow-mismatch` accepted."""
    mismatches = []
    for name, rows in evidence.references.items():
        for task, metric in dict.fromkeys((t, m) for t, _, m in evidence.rows.columns):
            for setup in evidence.rows.setups:
                if (task, setup, metric) in rows.columns:
                    sentences = differences(evidence.rows, rows, task, metric, (setup, setup))
                    mismatches += [f"{name}: {sentence}" for sentence in sentences]
    return list(dict.fromkeys(mismatches))
