"""What would change the recommendation: needs, weights, volume, price, updates; computed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Annotated

from pydantic import AliasChoices, Field

from bakeoff.core.estimate import Difference, Estimate
from bakeoff.decide.advice import quality, worth
from bakeoff.decide.advice.choice import Choice
from bakeoff.decide.advice.limits import MONTH_S, ranged
from bakeoff.decide.advice.needs import Budget
from bakeoff.decide.cost.crossover import CROSSES


@dataclass(frozen=True)
class Change:
    """What would change the recommendation."""

    about: str
    """`needs`, `weights`, `volume`, `price` or `updates`."""
    sentence: Annotated[str, Field(validation_alias=AliasChoices("sentence", "said"))]


def changes(choice: Choice) -> list[Change]:
    """Everything that would change the recommendation, as far as it was measured."""
    return [
        *_needs(choice),
        *_weights(choice),
        *_volume(choice),
        *_price(choice),
        *_updates(choice),
    ]


WITHOUT: Mapping[str, Mapping[str, object]] = {
    "sources": {"sources": "no"},
    "updates": {"updates_per_month": 0.0, "fresh_within_hours": None},
    "fresh_within_hours": {"fresh_within_hours": None},
    "latency": {"latency": None},
    "floors": {"floors": {}},
    "ceilings": {"ceilings": {}},
    "error_rate": {"error_rate": None},
    "budget": {"budget": Budget()},
    "top_accuracy": {"top_accuracy": False},
}
"""A need -> the fields that take it back."""


def _needs(choice: Choice) -> Iterator[Change]:
    """The needs without which another setup would be taken."""
    violated = [check for checks in choice.ruled_out.values() for check in checks]
    asked = {_field(check.need) for check in violated}
    for field in (field for field in WITHOUT if field in asked):
        other = Choice(choice.needs.model_copy(update=dict(WITHOUT[field])), choice.facts)
        if set(other.picked) != set(choice.picked) and other.picked:
            yield Change("needs", f"without the need '{field}': {either(other.picked)}")


def _field(need: str) -> str:
    return need.partition(":")[0].partition(".")[0]


def either(setups: tuple[str, ...] | list[str]) -> str:
    return " or ".join(setups)


@dataclass(frozen=True)
class Turn:
    """The weight of a task at which another setup gets the best estimate."""

    task: str
    now: float
    weight: float
    setup: str


def turns(choice: Choice) -> list[Turn]:
    """For each task that weighs, the nearest weights below and above where the best one changes.

    The other tasks keep their proportions. The estimates are linear in the weight, so these are
    exact; they are of the estimates, without regard to noise.
    """
    if not choice.tiers or len(choice.weights) < 2:
        return []
    best = choice.tiers[0][0]
    values = {s: _by_task(choice, s) for s in choice.candidates}
    all_turns = []
    for task, now in choice.weights.items():
        others = {
            s: sum(w * by[t] for t, w in choice.weights.items() if t != task) / (1 - now)
            for s, by in values.items()
        }
        below: list[tuple[float, str]] = []
        above: list[tuple[float, str]] = []
        for setup in choice.candidates:
            ahead = values[setup][task] - values[best][task]
            elsewhere = others[setup] - others[best]
            if abs(ahead - elsewhere) < 1e-12:
                continue
            at = -elsewhere / (ahead - elsewhere)
            # Beyond the crossing it must be ahead: upwards with more on the task, else elsewhere.
            if now < at < 1 and ahead > elsewhere:
                above.append((at, setup))
            elif 0 < at < now and ahead < elsewhere:
                below.append((at, setup))
        nearest = [max(below, key=lambda crossing: crossing[0])] if below else []
        nearest += [min(above, key=lambda crossing: crossing[0])] if above else []
        all_turns += [Turn(task, now, at, setup) for at, setup in nearest]
    return all_turns


def _by_task(choice: Choice, setup: str) -> dict[str, float]:
    columns = choice.facts.setup(setup).quality
    values = {t: quality.quality(columns, {t: 1.0}).value for t in choice.weights}
    return {task: value or 0.0 for task, value in values.items()}


def _weights(choice: Choice) -> Iterator[Change]:
    for turn in turns(choice):
        best = choice.tiers[0][0]
        more = turn.weight > turn.now
        # How clear the other one can get: all the weight on the task, or none of it.
        rest = {t: w for t, w in choice.weights.items() if t != turn.task}
        edge = {turn.task: 1.0} if more else {t: w / (1 - turn.now) for t, w in rest.items()}
        columns = {s: choice.facts.setup(s).quality for s in (turn.setup, best)}
        level = quality.together(len(choice.candidates) - 1)
        gap = quality.gap(columns[turn.setup], columns[best], edge, level)
        end = f"at a weight of {1 if more else 0} by {ranged(gap)}"
        short = _short(gap, choice.needs.margin)
        yield Change(
            "weights",
            f"{turn.task} at a weight {'above' if more else 'below'} {turn.weight:.3f} (now "
            f"{turn.now:.3f}): {turn.setup} has a higher estimate than {best}, {end}{short}",
        )


def _short(gap: Difference, margin: float) -> str:
    """Why one setup is not better than another by more than chance and the margin."""
    if gap.better(margin):
        return ""
    return f", less than the margin of {margin:g}" if gap.sign > 0 else ", not significant"


def _rivals(choice: Choice) -> list[tuple[str, str]]:
    """(picked, other) for the others in the first tier: between them cost decides."""
    if not choice.tiers:
        return []
    others = [s for s in choice.tiers[0] if s not in choice.picked]
    return [(picked, other) for picked in choice.picked for other in others]


def _volume(choice: Choice) -> Iterator[Change]:
    costs = choice.facts.costs
    if costs is None:
        return
    for picked, other in _rivals(choice):
        crossing = worth.crossing(costs, picked, other, choice.needs)
        if crossing is not None and crossing.state == CROSSES:
            above, below = (other, picked) if crossing.cheaper > 0 else (picked, other)
            at = _count(crossing.volume)
            sentence = f"above {at} requests per month {above} is cheaper, below them {below}"
            yield Change("volume", sentence)
    limit = choice.needs.budget.per_month
    if limit is None:
        return
    for setup in choice.picked:
        month = worth.monthly(costs, setup, choice.needs)
        price = costs.setups[setup].per_request.value if setup in costs.setups else None
        if month.value is not None and price and month.value <= limit:
            most = worth.volume(costs, choice.needs) + (limit - month.value) / price
            sentence = (
                f"above {most:,.0f} requests per month (no confidence interval) {setup} exceeds "
                "the budget"
            )
            yield Change("volume", sentence)


def _count(estimate: Estimate) -> str:
    if estimate.value is None:
        return "-"
    if estimate.low is None or estimate.high is None:
        return f"{estimate.value:,.0f} (no interval)"
    return f"{estimate.value:,.0f} [{estimate.low:,.0f}, {estimate.high:,.0f}]"


def _price(choice: Choice) -> Iterator[Change]:
    """By how much the monthly cost would have to change for the other one to be cheaper."""
    costs = choice.facts.costs
    if costs is None:
        return
    for picked, other in _rivals(choice):
        mine, others = (worth.monthly(costs, s, choice.needs).value for s in (picked, other))
        if mine and others and mine < others:
            yield Change(
                "price",
                f"{other} would be cheaper if the monthly cost of {picked} were "
                f"{others / mine:.3g} times as high, or its own {mine / others:.3g} times "
                "(no confidence interval)",
            )


def _updates(choice: Choice) -> Iterator[Change]:
    costs = choice.facts.costs
    for picked, other in _rivals(choice) if costs else []:
        if (at := _updates_at(choice, picked, other)) is not None:
            now = choice.needs.updates_per_month
            yield Change(
                "updates",
                f"{'above' if at > now else 'below'} {at:.3g} updates per month (now {now:g}) "
                f"{other} is cheaper than {picked} (no confidence interval)",
            )
    for setup in choice.picked:
        spent = [u.seconds for u in choice.facts.setup(setup).updates.values() if u.seconds]
        if spent and choice.needs.updates_per_month:
            most = MONTH_S / max(spent)
            yield Change(
                "updates", f"{setup} cannot keep up with more than {most:,.0f} updates per month"
            )


def _updates_at(choice: Choice, picked: str, other: str) -> float | None:
    """The updates a month at which both cost the same, where the picked one costs less now."""
    costs = choice.facts.costs
    if costs is None:
        return None
    mine, others = (worth.monthly(costs, s, choice.needs).value for s in (picked, other))
    if mine is None or others is None or mine >= others:
        return None
    steps = [costs.setups[s].per_update.value for s in (picked, other)]
    if steps[0] is None or steps[1] is None or steps[0] == steps[1]:
        return None
    at = choice.needs.updates_per_month + (others - mine) / (steps[0] - steps[1])
    return at if at >= 0 else None
