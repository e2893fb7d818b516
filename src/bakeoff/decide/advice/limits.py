"""What rules a setup out: each need compared with the measurement, and that number.

A need is met or violated when the whole interval is on one side of the limit; otherwise it is not
proven, which rules nothing out. What was not measured is not known, which is never a pass.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Literal

from pydantic import AliasChoices, Field

from bakeoff.core.counts import quantity
from bakeoff.core.estimate import UNKNOWN, Estimate
from bakeoff.core.table import cell, number
from bakeoff.decide.advice import quality
from bakeoff.decide.advice.facts import Facts, Known, Timed
from bakeoff.decide.advice.needs import Needs, named
from bakeoff.decide.advice.worth import monthly

State = Literal["met", "violated", "not proven", "not known"]
WORST: tuple[State, ...] = ("violated", "not known", "not proven", "met")
ONCE = 2.0
"""What was measured once has no interval: it counts only beyond a limit by this factor."""
MONTH_S, HOUR_S = 30 * 24 * 3600.0, 3600.0


@dataclass(frozen=True)
class Check:
    """One need checked for one setup."""

    setup: str
    need: str
    state: State
    reason: Annotated[str, Field(validation_alias=AliasChoices("reason", "said"))]
    """The measurement beside the need, in words."""


def checks(needs: Needs, facts: Facts, weights: Mapping[str, float]) -> list[Check]:
    """The needs that concern one setup at a time, setup by setup; references are left out."""
    return [
        check
        for known in facts.setups
        if not known.reference
        for check in _of(needs, facts, known, weights)
    ]


def _of(needs: Needs, facts: Facts, known: Known, weights: Mapping[str, float]) -> Iterator[Check]:
    if needs.sources == "required":
        yield _sources(known)
    if needs.updates_per_month:
        yield from _changes(needs, facts, known)
    if needs.latency:
        limit, quantile = needs.latency.seconds, needs.latency.quantile
        by_task = [
            _seconds(known, task, quantile, limit) for task in weights if _asked(known, task)
        ]
        yield from _worst(by_task)
    for field, at_most in (("floors", False), ("ceilings", True)):
        for name, limit in getattr(needs, field).items():
            yield _metric(known, name, limit, at_most=at_most)
    if needs.error_rate is not None:
        rate = needs.error_rate
        yield from _worst([_errors(known, t, rate) for t in weights if _asked(known, t)])
    yield from _money(needs, facts, known)


def _asked(known: Known, task: str) -> bool:
    return task in known.quality or (task, "error") in known.metrics


def _worst(by_task: Sequence[Check]) -> list[Check]:
    """The check of the task that does worst."""
    return sorted(by_task, key=lambda check: WORST.index(check.state))[:1]


def state(estimate: Estimate, limit: float, *, at_most: bool) -> State:
    """The state of a need by comparing an interval with its limit."""
    if estimate.value is None:
        return "not known"
    low, high = estimate.low, estimate.high
    if at_most:
        violated, met = low is not None and low > limit, high is not None and high <= limit
    else:
        violated, met = high is not None and high < limit, low is not None and low >= limit
    return "violated" if violated else "met" if met else "not proven"


def ranged(estimate: Estimate, metric: str = "") -> str:
    """A value with its interval, as in a table."""
    value = number(estimate.value, metric)
    if estimate.value is None or estimate.low is None or estimate.high is None:
        return value if estimate.value is None else f"{value} (no interval)"
    return value if estimate.low == estimate.high else cell(estimate, metric)


def _sources(known: Known) -> Check:
    if known.sources is None:
        reason = "this run does not show whether answers had passages"
        return Check(known.name, "sources", "not known", reason)
    if known.sources == 1:
        return Check(
            known.name, "sources", "met", "all answers had passages; citations not checked"
        )
    if known.sources:
        reason = f"{known.sources:.0%} of answers had passages"
        return Check(known.name, "sources", "not proven", reason)
    reason = "no answer had a passage to show as a source"
    return Check(known.name, "sources", "violated", reason)


def _changes(needs: Needs, facts: Facts, known: Known) -> Iterator[Check]:
    tasks = facts.fresh_tasks
    if not tasks:
        reason = "the run has no task with documents that change"
        yield Check(known.name, "updates", "not known", reason)
        return
    yield from _worst([_follows(known, task) for task in tasks])
    yield from _worst([_keeps_up(known, task, needs.updates_per_month) for task in tasks])
    if needs.fresh_within_hours:
        yield from _worst([_in_time(known, task, needs.fresh_within_hours) for task in tasks])


def _follows(known: Known, task: str) -> Check:
    need = "updates: follows a change"
    update = known.updates.get(task)
    if update is None or update.gain.value is None:
        return Check(known.name, need, "not known", f"{task}: not measured before and after")
    gain = update.gain
    reason = f"{task}: its update gives {ranged(gain)} on questions whose answer changed"
    states: Mapping[int, State] = {1: "met", -1: "violated", 0: "not proven"}
    return Check(known.name, need, states[gain.sign], reason)


def _keeps_up(known: Known, task: str, updates: float) -> Check:
    need = "updates: keeps up"
    seconds = known.updates[task].seconds if task in known.updates else None
    if seconds is None:
        return Check(known.name, need, "not known", f"{task}: the work of an update: not measured")
    reason = (
        f"{task}: {quantity(updates, 'update')} of {span(seconds)} (measured once) take "
        f"{span(updates * seconds)} of a month"
    )
    return Check(known.name, need, _once(updates * seconds, MONTH_S), reason)


def _in_time(known: Known, task: str, hours: float) -> Check:
    need = "fresh_within_hours"
    seconds = known.updates[task].seconds if task in known.updates else None
    if seconds is None:
        return Check(known.name, need, "not known", f"{task}: the work of an update: not measured")
    reason = f"{task}: its update takes {span(seconds)} (measured once), the limit is {hours:g} h"
    return Check(known.name, need, _once(seconds, hours * HOUR_S), reason)


def _once(value: float, limit: float) -> State:
    if value > ONCE * limit:
        return "violated"
    return "met" if value * ONCE <= limit else "not proven"


def span(seconds: float) -> str:
    """Seconds in the largest unit that leaves a number of 1 or more."""
    for name, size in (("days", 86400.0), ("h", HOUR_S), ("min", 60.0)):
        if seconds >= size:
            return f"{seconds / size:.3g} {name}"
    return number(seconds, "latency_s")


def _seconds(known: Known, task: str, quantile: str, limit: float) -> Check:
    timed = known.timed.get(task, Timed(0, {}))
    latency = timed.quantiles.get(quantile, UNKNOWN)
    held = state(latency, limit, at_most=True)
    if held == "not known":
        reason = f"{task}: {quantity(timed.n, 'timed answer')}: too few for a {quantile}"
    else:
        reason = (
            f"{task}: {quantile} of {ranged(latency, 'latency_s')} over "
            f"{quantity(timed.n, 'answer')}, the "
            f"limit is {limit:g} s"
        )
    return Check(known.name, "latency", held, reason)


def _metric(known: Known, name: str, limit: float, *, at_most: bool) -> Check:
    task, _, metric = name.partition(".")
    estimate = known.metrics.get((task, metric), UNKNOWN)
    held, bound = state(estimate, limit, at_most=at_most), "at most" if at_most else "at least"
    if held == "not known":
        reason = f"{name} was not measured on it"
    else:
        left = f", {estimate.unjudged} unjudged" if estimate.unjudged else ""
        reason = f"{name} is {ranged(estimate)}{left}; it must be {bound} {limit:g}"
        # What was not judged could be anything: it can spoil a pass, and save a failure.
        held = "not proven" if estimate.unjudged and held == "met" else held
    return Check(known.name, "ceilings" if at_most else "floors", held, reason)


def _errors(known: Known, task: str, limit: float) -> Check:
    rate = known.metrics.get((task, "error"), UNKNOWN)
    held = state(rate, limit, at_most=True)
    reason = f"{task}: {ranged(rate)} of its answers failed, the limit is {limit:g}"
    return Check(known.name, "error_rate", held, reason)


def _money(needs: Needs, facts: Facts, known: Known) -> Iterator[Check]:
    limits = {"up_front": needs.budget.up_front, "per_month": needs.budget.per_month}
    costs = facts.costs
    for part, limit in limits.items():
        if limit is None:
            continue
        need, amount = f"budget.{part}", UNKNOWN
        if costs and known.name in costs.setups:
            made = costs.setups[known.name].up_front
            amount = made if part == "up_front" else monthly(costs, known.name, needs)
        if amount.value is None or costs is None:
            reason = "its cost is unknown" if costs else "there is no cost.json"
            yield Check(known.name, need, "not known", reason)
            continue
        # Machine time up front was measured once: its value has no ends.
        once = amount.low is None and amount.high is None
        held = _once(amount.value, limit) if once else state(amount, limit, at_most=True)
        words = "up front" if part == "up_front" else "per month"
        reason = f"{ranged(amount, 'cost')} {costs.currency} {words}, the limit is {limit:g}"
        yield Check(known.name, need, held, reason)


def narrow_checks(needs: Needs, facts: Facts, candidates: Sequence[str]) -> list[Check]:
    """The need for top accuracy, compared with the best of the candidates at each such task."""
    violations = []
    for task in named(needs.top_accuracy):
        measured = [facts.setup(s) for s in candidates if task in facts.setup(s).quality]
        valued = {
            k.name: value
            for k in measured
            if (value := quality.quality(k.quality, {task: 1.0}).value) is not None
        }
        level = quality.together(len(valued) - 1)
        for known in measured:
            for other in measured:
                if other is known or known.name not in valued or other.name not in valued:
                    continue
                gap = quality.gap(other.quality, known.quality, {task: 1.0}, level)
                if gap.better(needs.margin):
                    reason = (
                        f"{task}: top accuracy is needed, and {other.name} is significantly "
                        f"better by {ranged(gap)}"
                    )
                    violations.append(Check(known.name, "top_accuracy", "violated", reason))
                    break
    return violations
