"""What a setup costs at the volume and the updates that are needed, and which one is cheaper."""

from __future__ import annotations

import math

from bakeoff.advice.needs import Needs
from bakeoff.cost.costs import Costs, Difference
from bakeoff.cost.crossover import Crossover, Range, crossover, total
from bakeoff.latency import Bounded


def volume(costs: Costs, needs: Needs) -> float:
    """Requests a month: those needed, or those that the costs were made for."""
    return costs.volume if needs.volume_per_month is None else needs.volume_per_month


def monthly(costs: Costs, setup: str, needs: Needs) -> Bounded:
    """Money a month at the volume and the updates needed; no value where a part is not known."""
    if setup not in costs.setups:
        return Bounded(None)
    found = costs.setups[setup]
    fixed, each = _range(found.fixed), _range(found.per_request)
    steps = _updates(found.per_update, costs, needs)
    if fixed is None or each is None or steps is None:
        return Bounded(None)
    return _bounded(total([(fixed, 1), (each, volume(costs, needs)), steps]))


def _updates(per_update: Bounded, costs: Costs, needs: Needs) -> tuple[Range, float] | None:
    """An update, and how many more of them are needed than the costs were made for."""
    more = needs.updates_per_month - costs.updates
    if not more:
        return Range(0.0, 0.0, 0.0), 0.0
    value, low, high = per_update.value, per_update.low, per_update.high
    if value is None:
        return None
    # What was measured once is taken as it is, as it is in the costs themselves.
    return Range(value, value if low is None else low, value if high is None else high), more


def dearer(costs: Costs, one: str, two: str, needs: Needs) -> tuple[Range, Range] | None:
    """What the second costs more than the first: by month at any volume, and by request.

    `None` where it is not known.
    """
    more = _difference(costs, one, two)
    if more is None:
        return None
    fixed, each = _range(more.fixed), _range(more.per_request)
    plus, minus = (_updates(costs.setups[s].per_update, costs, needs) for s in (two, one))
    if fixed is None or each is None or plus is None or minus is None:
        return None
    return total([(fixed, 1), plus, (minus[0], -minus[1])]), each


def _difference(costs: Costs, one: str, two: str) -> Difference | None:
    for pair in costs.crossovers:
        if (pair.a, pair.b) == (one, two):
            return pair.difference
        if (pair.a, pair.b) == (two, one):
            more = pair.difference
            return Difference(
                fixed=_minus(more.fixed),
                per_request=_minus(more.per_request),
                per_month=_minus(more.per_month),
            )
    return None


def _minus(money: Bounded) -> Bounded:
    ends = (money.value, money.high, money.low)
    return Bounded(*(None if end is None else -end for end in ends))


def saved(costs: Costs, one: str, two: str, needs: Needs) -> Bounded:
    """What the second costs more than the first by month, paired where the costs are."""
    found = dearer(costs, one, two, needs)
    if found is None:
        return Bounded(None)
    fixed, each = found
    return _bounded(total([(fixed, 1), (each, volume(costs, needs))]))


def cheaper(costs: Costs | None, one: str, two: str, needs: Needs) -> bool:
    """Whether the first is clearly cheaper a month: by an interval without 0."""
    found = saved(costs, one, two, needs) if costs else Bounded(None)
    return found.low is not None and found.low > 0


def crossing(costs: Costs, one: str, two: str, needs: Needs) -> Crossover | None:
    """The volume at which the two cost the same, at the updates needed; b is the second."""
    found = dearer(costs, one, two, needs)
    return None if found is None else crossover(*found)


def _range(found: Bounded) -> Range | None:
    """An end that is not there is unbounded."""
    if found.value is None:
        return None
    low = -math.inf if found.low is None else found.low
    return Range(found.value, low, math.inf if found.high is None else found.high)


def _bounded(found: Range) -> Bounded:
    ends = (end if math.isfinite(end) else None for end in (found.low, found.high))
    return Bounded(found.value, *ends)
